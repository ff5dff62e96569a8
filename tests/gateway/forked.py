"""`gridhub` as a process of its own that does not read the code anew: forked from one that has; see starter.py.

Where it matters how a process starts (its libraries, its signals while it starts, what it starts itself), start a new
interpreter instead.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from tests.gateway.starter import LONGEST

ROOT = Path(__file__).parents[2]


class Forked:
    """What subprocess.Popen is to a process: signals, waiting, exit code. Its number is never another process's."""

    def __init__(self, number: int, handle: int, told: int) -> None:
        self.pid = number
        self.returncode: int | None = None
        self._handle, self._told = handle, told

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.returncode if self._ended(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        if not self._ended(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("gridhub", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and is not told yet
                signal.pidfd_send_signal(self._handle, sig)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, milliseconds: float | None) -> bool:
        if self.returncode is not None:
            return True
        waiting = select.poll()
        waiting.register(self._told, select.POLLIN)
        if not waiting.poll(milliseconds):
            return False
        said = os.read(self._told, 16)
        self.returncode = int(said) if said else -signal.SIGKILL  # the starter died, and took it along
        os.close(self._told)
        os.close(self._handle)
        return True


def start(
    arguments: list[str], environment: Mapping[str, str], *, output: IO[bytes] | None = None,
    errors: IO[bytes] | None = None, session: bool = False, folder: Path | None = None,
) -> Forked:  # fmt: skip
    """`gridhub` with exactly these environment variables. Without `output` nobody hears it, without `errors` they go
    where the output goes. `session`: in a session, and so in a process group, of its own.
    """
    place = str(folder or Path.cwd())
    order = {"arguments": arguments, "environment": dict(environment), "session": session, "folder": place}
    told, tell = os.pipe()
    starter = _starter()
    with Path(os.devnull).open("r+b") as nothing:
        heard = output or nothing
        streams = [nothing.fileno(), heard.fileno(), (errors or heard).fileno(), tell]
        try:
            socket.send_fds(starter, [json.dumps(order).encode()], streams)
        finally:
            os.close(tell)
    number, [handle], _, _ = socket.recv_fds(starter, LONGEST, 1)
    return Forked(int(number), handle, told)


def run(
    arguments: list[str], environment: Mapping[str, str], *, seconds: float = 120, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`gridhub` to its end, and what it said. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(arguments, environment, output=output, errors=errors, folder=folder)
        try:
            code = process.wait(seconds)
        finally:
            process.kill()
        said = [stream.read().decode() for stream in (output, errors) if not stream.seek(0)]
    return subprocess.CompletedProcess(["gridhub", *arguments], code, *said)


@cache
def _starter() -> socket.socket:
    """One a test process, from the first command on."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.starter", str(there.fileno())], cwd=ROOT, pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL, start_new_session=True, env=os.environ | {"GRIDHUB_CONFIG": "of nobody's"},
        )  # fmt: skip
    atexit.register(process.wait)
    atexit.register(here.close)
    return here
