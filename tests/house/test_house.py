"""The papers around the code name commands, options and variables that exist."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.settings import VARIABLES

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
_NAME = re.compile(r"\$\{(\w+)")


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def variables(file: Path) -> set[str]:
    """The names an environment file sets."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {line.partition("=")[0] for line in lines if line and not line.startswith("#")}


def wanted_by_systems() -> set[str]:
    return set(_NAME.findall((ROOT / "config" / "systems.yaml").read_text(encoding="utf-8"))) - {"NAME"}


def commands() -> list[list[str]]:
    """Every gridhub command line in compose, the units and the image."""
    services = [one for one in compose()["services"].values() if one["image"] == "gridhub"]
    found = [list(service["command"]) for service in services]
    for unit in UNITS:
        [line] = re.findall(r"^ExecStart=\S+/gridhub (.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        found.append(shlex.split(line.replace("%i", "8081" if "serve" in unit.name else "deliver")))
    [image] = re.findall(r"^CMD (\[.*\])$", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    return [*found, yaml.safe_load(image)]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_each_command_line_exists_with_its_options(command: list[str]) -> None:
    shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, [command[0], "--help"])
    assert shown.exit_code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.output)
    missing = [word for word in command if word.startswith("--") and not re.search(rf"{word}\b", plain)]
    assert missing == []


def test_the_environment_file_names_what_the_hub_and_the_citys_systems_read() -> None:
    example = variables(ROOT / "deploy" / "gridhub.env.example")
    assert example >= wanted_by_systems()
    assert example - wanted_by_systems() <= set(VARIABLES)


def test_no_secret_stands_in_the_environment_file() -> None:
    text = (ROOT / "deploy" / "gridhub.env.example").read_text(encoding="utf-8")
    assert all(line.endswith("=") for line in text.splitlines() if line and not line.startswith("#"))


def test_the_units_read_the_environment_file() -> None:
    assert len(UNITS) == 3
    for unit in UNITS:
        assert "EnvironmentFile=/etc/gridhub/gridhub.env" in unit.read_text(encoding="utf-8")


def test_the_files_the_image_copies_are_there() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_hashes_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    packages = re.findall(r"^[a-z0-9][^\n]*==[^\n]*\n( +--hash=sha256:[0-9a-f]{64}[^\n]*\n)?", text, re.MULTILINE)
    assert packages
    assert all(packages)


def test_the_development_lock_has_the_same_versions() -> None:
    def versions(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9][\w.\[\]-]*==\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert versions("requirements.lock") <= versions("requirements-dev.lock")


def test_the_consoles_lock_has_digests_and_names_no_registry() -> None:
    packages = json.loads((ROOT / "console" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    fetched = {name: one for name, one in packages.items() if name and not one.get("inBundle")}
    assert fetched
    assert [name for name, one in fetched.items() if not one.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, one in fetched.items() if "resolved" in one] == []


@pytest.mark.parametrize("script", [".ci/run", "deploy/environment.sh", "deploy/console.sh"])
def test_a_script_is_executable_and_reads_as_bash(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0


def test_make_alone_tells_what_there_is() -> None:
    said = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[1] for line in said.splitlines()}
    wanted = "help setup console demo stack servers test postgresql lint bench chaos fuzz lock clean"
    assert targets == set(wanted.split())


def test_a_step_that_fails_fails_the_whole_check() -> None:
    check = [sys.executable, str(ROOT / "tests" / "house" / "check.py")]
    done = subprocess.run([*check, "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such step: nonsense" in done.stdout
