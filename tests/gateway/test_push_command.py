"""`gridhub push` as a process of its own against doors as processes of their own."""

import gzip
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.forked import Forked, start
from tests.gateway.outside import environment, gridhub
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_bulk_door import line

HOTLINE = "hotline_12345"


class Doors:
    """`gridhub serve` as two processes; killed and opened again on the same port."""

    def __init__(self, hub: HubUnderTest) -> None:
        self._hub = hub
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: Forked | None = None

    def open(self) -> None:
        """Start them and wait until they answer."""
        arguments = ["serve", "--no-work", "--port", str(self.port), "--processes", "2"]
        self._process = start(arguments, environment(self._hub), session=True)

        def answers() -> bool:
            try:
                return httpx.get(f"{self.url}/api/health", trust_env=False).is_success
            except httpx.HTTPError:
                return False

        until(answers, seconds=120, what="opening the doors")

    def stop(self) -> int:
        """They are told to stop; the exit code of the process that started them."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(15)

    def kill(self) -> None:
        """The power goes."""
        if self._process is not None:
            subprocess.run(["pkill", "-KILL", "-g", str(self._process.pid)], check=False)
            self._process.wait(20)
            self._process = None


@pytest.fixture
def doors(hub: HubUnderTest) -> Iterator[Doors]:
    """Doors that are open."""
    made = Doors(hub)
    made.open()
    yield made
    made.kill()


def written(file: Path, *lines: bytes) -> Path:
    """The file with these lines, packed when its name says so."""
    body = b"".join(lines)
    file.write_bytes(gzip.compress(body) if file.suffix == ".gz" else body)
    return file


def verdicts(file: Path) -> list[dict[str, Any]]:
    """What was told, a line each."""
    return [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]


def test_a_file_is_pushed_line_by_line_and_again_without_harm(
    hub: HubUnderTest, doors: Doors, tmp_path: Path
) -> None:  # fmt: skip
    lines = [line(str(number)) for number in range(40)]
    file = written(tmp_path / "tickets.ndjson.gz", *lines[:20], b"garbage\n", *lines[20:])
    told = tmp_path / "verdicts.ndjson"

    first = gridhub(hub, "push", HOTLINE, str(file), "--url", doors.url, "--verdicts", str(told))
    nothing = gridhub(hub, "push", HOTLINE, str(file), "--url", doors.url, "--verdicts", str(told))
    again = gridhub(hub, "push", HOTLINE, str(file), "--url", doors.url)

    assert (first.returncode, nothing.returncode, again.returncode) == (1, 1, 1)
    assert (
        first.stdout.split()
        == ["41", "lines:", "40", "accepted", "1", "refused", "unreadable"]
        == nothing.stdout.split()
    )
    assert [row["line"] for row in verdicts(told)] == list(range(1, 42))
    assert len(hub.cases()) == 40
    assert again.stdout.split() == first.stdout.split()


def test_doors_that_are_killed_in_the_middle_lose_and_double_nothing(
    hub: HubUnderTest, doors: Doors, tmp_path: Path
) -> None:  # fmt: skip
    count = 1500
    file = written(tmp_path / "tickets.ndjson", *(line(str(number)) for number in range(count)))
    told = tmp_path / "verdicts.ndjson"
    command = ["push", HOTLINE, str(file), "--url", doors.url, "--verdicts", str(told)]
    pushing = start([*command, "--patience", "120"], environment(hub))
    try:
        until(lambda: told.exists() and len(verdicts_of(told)) > 300, seconds=120, what="the first verdicts")
        doors.kill()
        pushing.send_signal(signal.SIGKILL)  # and the one who pushes, too
        pushing.wait(20)
        doors.open()
        done = gridhub(hub, *command)
    finally:
        pushing.kill()

    assert done.returncode == 0
    assert [row["line"] for row in verdicts(told)] == list(range(1, count + 1))
    assert {row["verdict"] for row in verdicts(told)} <= {"case", "repeated"}
    assert len({row["case_no"] for row in verdicts(told)}) == count == len(hub.cases())
    assert not any(hub.orphans().values())


def verdicts_of(file: Path) -> list[bytes]:
    """The whole lines so far, of a file that is being written."""
    return file.read_bytes().split(b"\n")[:-1]


def test_what_cannot_be_pushed_is_told_with_its_reason(hub: HubUnderTest, tmp_path: Path) -> None:
    file = written(tmp_path / "tickets.ndjson", line("1"))
    told = written(tmp_path / "verdicts.ndjson", b'{"line":1,"verdict":"case"}\n', b"something else\n")

    nobody = gridhub(hub, "push", "nobody", str(file), "--url", hub.url)
    away = gridhub(hub, "push", HOTLINE, str(file), "--url", "http://127.0.0.1:9", "--patience", "0.1")
    mixed = gridhub(hub, "push", HOTLINE, str(file), "--url", hub.url, "--verdicts", str(told))
    header = gridhub(hub, "push", HOTLINE, str(file), "--url", hub.url, "--header", "token")

    assert (nobody.returncode, away.returncode, mixed.returncode, header.returncode) == (3, 4, 3, 2)
    assert "HTTP 404: no door /bulk/nobody" in nobody.stderr
    assert "push again to go on" in away.stderr
    assert "verdicts.ndjson:2: no verdict of an earlier push" in mixed.stderr
    assert "write 'name: value'" in header.stderr
    assert hub.counts()["message"] == 0
