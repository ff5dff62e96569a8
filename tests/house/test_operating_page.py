"""docs/operating.md speaks of log events, verdicts and exit codes that the hub has."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from gateway.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py"))
FAMILIES = ("delivery", "session", "pull", "intake", "worker")


def test_each_log_event_on_the_page_is_logged_somewhere() -> None:
    named = set(re.findall(rf"`((?:{'|'.join(FAMILIES)})\.\w+)`", PAGE))

    assert len(named) > 5
    assert {event for event in named if f'"{event}"' not in SOURCES} == set()


def test_each_error_the_hub_logs_is_on_the_page() -> None:
    logged = set(re.findall(r'log\.error\(\s*"([\w.]+)"', SOURCES))

    assert {event for event in logged if f"`{event}`" not in PAGE} == set()


def test_the_exit_codes_are_those_of_the_help() -> None:
    told = set(re.findall(r"(\d) [a-z]", (app.info.help or "").partition("Exit codes:")[2]))

    assert set(re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)) == told


@pytest.mark.parametrize("line", re.findall(r"^gridhub (?:replay|editions|clocks) .*", PAGE, re.MULTILINE))
def test_each_shown_command_of_replays_and_clocks_can_be_typed(line: str) -> None:
    command = typer.main.get_command(app)
    _, *words = shlex.split(line)
    while words and words[0] in (below := getattr(command, "commands", {})):
        command = below[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}

    assert not hasattr(command, "commands"), f"no such command: {line}"
    assert {word for word in words if word.startswith("--")} <= options
