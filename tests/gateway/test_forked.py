"""A forked `gridhub` says and does what one in an interpreter of its own does."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from adapters import shipped
from gateway.settings import example_city
from tests.gateway.forked import run, start
from tests.gateway.outside import begun
from tests.gateway.running import ENVIRONMENT

PLAIN = {"PATH": os.environ["PATH"], "COLUMNS": "66", "GRIDHUB_CONFIG": str(example_city())}
MODULE = "python -m gateway"
"""How an interpreter calls itself."""


@pytest.mark.parametrize("words", [("check",), ("case", "show"), ("codes", "-h")])
def test_it_says_the_same_and_ends_the_same(words: tuple[str, ...]) -> None:
    forked, own = run([*words], PLAIN), begun(PLAIN, *words)

    assert forked.returncode == own.returncode
    assert (forked.stdout + forked.stderr).split() == (own.stdout + own.stderr).replace(MODULE, "gridhub").split()


def test_it_has_the_environment_and_the_folder_that_are_given_and_no_other() -> None:
    without, given = run(["check", "--strict"], PLAIN), run(["check", "--strict"], PLAIN | ENVIRONMENT)

    assert (without.returncode, given.returncode) == (1, 0), given.stdout
    assert run(["check"], {"PATH": os.environ["PATH"]}).returncode == 0  # the starter's own GRIDHUB_CONFIG is no folder
    assert run(["check", "."], PLAIN, folder=shipped()["hotline_12345"]).returncode == 0


def test_it_is_waited_for_and_killed_like_any_process(tmp_path: Path) -> None:
    away = PLAIN | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": "postgresql://127.0.0.1:1/none", "GRIDHUB_CENTRE_TOKEN": "x"}
    with (tmp_path / "log").open("wb") as output:
        process = start(["work"], away, output=output, session=True)
    assert os.getpgid(process.pid) == process.pid
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.poll() is None

    os.kill(process.pid, signal.SIGSTOP)
    process.kill()

    assert process.wait(10) == process.poll() == process.returncode == -signal.SIGKILL
    process.terminate()  # nothing, as it has ended
