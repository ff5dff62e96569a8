"""The English and the Chinese README say the same things in the same order, and what they name is there."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import adapters
from gateway.cli.main import app
from gateway.settings import VARIABLES

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
PAPERS = sorted(
    path.relative_to(ROOT)
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *(ROOT / name / "README.md" for name in ("adapters",)))
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def levels(page: str) -> list[int]:
    """How deep each heading is, in order."""
    return [len(found) for found in re.findall(r"^(#+) ", _BLOCK.sub("", page), re.MULTILINE)]


def commands(page: str) -> list[str]:
    """The lines of all shell blocks, in order."""
    return [line for language, body in _BLOCK.findall(page) if language == "sh" for line in body.splitlines() if line]


def links(page: str) -> list[str]:
    """Targets of links that point into the checkout."""
    return [link for link in re.findall(r"\]\(([^)#]+)", page) if "://" not in link]


def gridhub_calls() -> list[list[str]]:
    """Words of every gridhub command line in the papers, without the program's name."""
    lines = {line for name in PAPERS for line in commands(text(str(name)))}
    calls = [
        re.sub(r"^(\w+=\S+ )*(\S*/)?gridhub ", "", line) for line in sorted(lines) if re.search(r"\bgridhub ", line)
    ]
    return [shlex.split(call, comments=True) for call in calls]


def test_both_have_the_same_headings_in_the_same_order() -> None:
    assert levels(text(READMES[0])) == levels(text(READMES[1]))


def test_both_give_the_same_commands() -> None:
    assert commands(text(READMES[0])) == commands(text(READMES[1]))
    assert {"make demo", "make test"} <= set(commands(text(READMES[0])))


def test_both_link_to_the_same_pages() -> None:
    ours = [[link for link in links(text(name)) if link not in READMES] for name in READMES]

    assert ours[0] == ours[1]


@pytest.mark.parametrize("name", READMES)
def test_every_environment_variable_of_the_hub_is_named(name: str) -> None:
    assert [variable for variable in VARIABLES if f"`{variable}`" not in text(name)] == []


@pytest.mark.parametrize("name", READMES)
def test_every_shipped_system_has_a_row(name: str) -> None:
    rows = re.findall(r"^\| \[`(\w+)`\]\(docs/systems/\1\.md\)", text(name), re.MULTILINE)

    assert sorted(rows) == sorted(adapters.shipped())


@pytest.mark.parametrize("name", PAPERS, ids=str)
def test_every_link_leads_somewhere(name: Path) -> None:
    page = text(str(name))

    assert [link for link in links(page) if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("words", gridhub_calls(), ids=" ".join)
def test_each_command_in_the_papers_exists_with_its_options(words: list[str]) -> None:
    groups = {group.name for group in app.registered_groups}
    path = words[:2] if words[0] in groups else words[:1]
    shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, [*path, "--help"])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.output)

    assert shown.exit_code == 0
    assert [word for word in words if word.startswith("--") and not re.search(rf"{word}\b", plain)] == []
