"""Processes and the database as an init system keeps them: what dies is started again, what is held down stays dead."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from storage.embedded import EmbeddedPostgres, _Account

ROOT = Path(__file__).parents[2]
_LOOK = 0.1
"""Seconds between two looks at what is dead."""


class Running(Protocol):
    """A process that was started."""

    def poll(self) -> int | None:
        """None while it runs."""

    def send_signal(self, sig: int) -> None:
        """Nothing happens when it is gone."""

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""


@dataclass(slots=True)
class Process:
    """One process of the campaign. `held`: the instant until which nobody starts it again."""

    name: str
    kind: str
    begin: Callable[[], Running] = field(repr=False)
    held: float = 0.0
    starts: int = 0
    running: Running | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        """Whether it runs; a stopped one does."""
        return self.running is not None and self.running.poll() is None

    def start(self) -> None:
        """Start it."""
        self.running = self.begin()
        self.starts += 1

    def signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.running is not None and self.running.poll() is None:
            self.running.send_signal(number)

    def kill(self, seconds: float = 0.0) -> None:
        """kill -9, and stay dead for so long."""
        self.held = time.monotonic() + seconds
        self.signal(signal.SIGKILL)
        if self.running is not None:
            self.running.wait()

    def end(self, seconds: float = 20.0) -> int | None:
        """Ask it to end; kill it when it does not. Its exit code."""
        self.held = float("inf")
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.running is None:
            return None
        try:
            return self.running.wait(seconds)
        except subprocess.TimeoutExpired:
            self.running.send_signal(signal.SIGKILL)
            self.running.wait()
            return None


class Init:
    """Starts everything, and again whatever has died. A process that cannot live is seen by its `starts`."""

    def __init__(self) -> None:
        self.processes: dict[str, Process] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="init", daemon=True)

    def add(self, process: Process) -> None:
        """One more to look after."""
        self.processes[process.name] = process

    def of(self, kind: str) -> list[Process]:
        """All of one kind."""
        return [process for process in self.processes.values() if process.kind == kind]

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, order: Sequence[str] = ("source", "owner", "gateway", "deliver", "house")) -> None:
        """Ask all to end, kind by kind, and wait for the last one."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for kind in order:
            for process in self.of(kind):
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
        for process in self.processes.values():
            process.end()

    def all_up(self) -> bool:
        """Whether everything runs and nothing is held down."""
        now = time.monotonic()
        return all(process.alive and process.held < now for process in list(self.processes.values()))

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK):
            for process in list(self.processes.values()):
                if not process.alive and process.held < time.monotonic():
                    process.start()


def python(module: str, *arguments: str) -> list[str]:
    """A command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]


def started(command: Sequence[str], log: Path) -> Running:
    """A process of its own, its output added to the log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


class Starter:
    """The process that hub processes are forked from; see starter.py."""

    def __init__(self, config: Path, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                python("tests.chaos.starter", str(config)), cwd=ROOT, env=dict(environment), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            )  # fmt: skip
        self._lock = threading.Lock()
        if self._said() != "ready":
            raise RuntimeError(f"the hub's code or configuration cannot be loaded; see {log}")

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Running:
        """One more process with this command."""
        order = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return _Forked(int(self._said()))

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """What was forked and still lives ends, too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class _Forked:
    """Another process's child. The kernel's descriptor of it never means a later process of the same number."""

    def __init__(self, number: int) -> None:
        try:
            self._descriptor = os.pidfd_open(number)
        except ProcessLookupError:
            self._descriptor = -1

    def poll(self) -> int | None:
        if self._descriptor >= 0 and self._ended(0.0):
            os.close(self._descriptor)
            self._descriptor = -1
        return None if self._descriptor >= 0 else 0

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, sig)

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None and not self._ended(timeout):
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return 0

    def _ended(self, seconds: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else seconds * 1000))


class Database(EmbeddedPostgres):
    """A server that comes back at the same address, so that whoever used it can go on."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder, settings=settings)
        self._at: Path | None = None

    def _temporary(self, account: _Account | None) -> Path:
        if account is None:
            return super()._temporary(account)
        if self._at is None:
            self._at = super()._temporary(account)
            self._made.remove(self._at)
        return self._at

    def restart(self, how: signal.Signals) -> None:
        """Stop it this way (SIGINT fast, SIGQUIT immediate, SIGKILL crash) and start it again."""
        if self.pid is not None:
            os.kill(self.pid, how)
        self.stop()
        for left in self._at.glob("*") if self._at else ():
            left.unlink(missing_ok=True)  # a crash leaves its socket
        self.start()
