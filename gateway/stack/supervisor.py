"""Runs programs and keeps them running: what dies is started again, later and later; what is stopped stays stopped.

It knows processes, ports and log files; nothing of cases. A program ends when the supervisor does, however that ends.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from canonical.errors import HubError, Misconfigured

SOONEST, LATEST = 0.5, 30.0
"""Seconds before a dead program is started again: doubling from one to the other."""
STEADY = 30.0
"""Who has run for so long is no longer punished for earlier deaths."""
_LOOK = 0.1
_PROBE, _PROBE_SOON = 2.0, 0.2
"""Seconds between questions whether all are well: while they are, and while one is not."""
_TAIL = 800

# The kernel tells the program when we die: none is left behind. A process of its own sets that up, because code between
# fork and exec is unsafe where there are threads.
_LAUNCH = """
import ctypes, os, signal, sys
parent, uid, gid, *command = sys.argv[1:]
if int(uid) != os.geteuid():
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execvp(command[0], command)
"""


class NotUp(HubError):
    """A program did not come up, or ended again and again."""


class State(StrEnum):
    """How a program is."""

    STARTING = "starting"
    UP = "up"
    ILL = "not answering"
    DEAD = "waits to restart"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run. `healthy`: asked in a thread of its own, may take a second, must not raise."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    healthy: Callable[[], bool]
    port: int | None = None
    grace: float = 15.0
    """Seconds between the polite word and the end."""
    account: tuple[int, int] | None = None
    """User and group it runs as; default: ours."""


@dataclass(frozen=True, slots=True)
class Status:
    """How one program is, for whoever shows it."""

    name: str
    state: State
    pid: int | None
    port: int | None
    restarts: int
    seconds: float
    """Since its last start."""
    log: Path


@dataclass(slots=True)
class _Run:
    program: Program
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    wanted: bool = True
    healthy: bool = False
    was_up: bool = False
    deaths: int = 0
    """In a row, without a steady time between them."""
    restarts: int = 0
    started: float = 0.0
    again: float = 0.0


class Supervisor:
    """All programs of one folder. Start, look, kill and stop from any thread; leaving it stops all, last first."""

    def __init__(self, folder: Path) -> None:
        self._logs = folder / "log"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._runs: dict[str, _Run] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        # The kernel tells a program when the *thread* dies that launched it: one thread launches all and lives longest.
        self._launcher = ThreadPoolExecutor(1, thread_name_prefix="launcher")
        self._probes = ThreadPoolExecutor(4, thread_name_prefix="probe")
        self._watch = threading.Thread(target=self._watching, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watch.join()
        try:
            self.stop(*reversed(self._runs))
        finally:
            self._probes.shutdown(wait=True, cancel_futures=True)
            self._launcher.shutdown()

    # --- what people and tests do ---

    def start(self, *programs: Program) -> None:
        """Start these and keep them running. One that is known by its name is started again as it is given now."""
        for program in programs:
            with self._lock:
                old = self._runs.get(program.name)
                if old is not None and old.process is not None and old.process.poll() is None:
                    raise Misconfigured(f"{program.name} runs already")
                self._runs[program.name] = _Run(program, self._logs / f"{program.name}.log")
                self._launch(self._runs[program.name])

    def wait(self, *names: str, seconds: float = 60.0) -> None:
        """Until all of these answer. Raises NotUp, with the end of its log, when one does not or dies before."""
        until = time.monotonic() + seconds
        for name in names:
            while not self._is_up(name):
                if time.monotonic() > until:
                    raise NotUp(f"{name} did not answer within {seconds:.0f} s: {self.tail(name)}")
                time.sleep(_LOOK / 2)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Send it, and what it started, a signal, as a failing machine would. When it ends, it is started again."""
        with self._lock:
            process = self._runs[name].process
            if process is None or process.poll() is not None:
                raise NotUp(f"{name} does not run")
            _signal(process.pid, how)
            return process.pid

    def stop(self, *names: str) -> None:
        """Stop these together, politely at first; they stay stopped."""
        runs = [self._runs[name] for name in names]
        with self._lock:
            for run in runs:
                run.wanted = run.healthy = False
                if run.process is not None and run.process.poll() is None:
                    run.process.terminate()
        for run in runs:
            _ended(run)

    def status(self) -> list[Status]:
        """How each is, in the order they were started."""
        now = time.monotonic()
        with self._lock:
            return [_status(run, now) for run in self._runs.values()]

    def tail(self, name: str) -> str:
        """The end of its log."""
        log = self._runs[name].log
        return log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip() if log.exists() else ""

    # --- watching ---

    def _is_up(self, name: str) -> bool:
        with self._lock:
            run = self._runs[name]
            if not run.was_up and run.deaths:
                raise NotUp(f"{name} ended before it answered: {self.tail(name)}")
            return run.healthy and run.process is not None and run.process.poll() is None

    def _watching(self) -> None:
        probed = 0.0
        while not self._over.wait(_LOOK):
            with self._lock:
                for run in self._runs.values():
                    self._look_after(run)
            if time.monotonic() - probed > (_PROBE if self._all_up() else _PROBE_SOON):
                probed = time.monotonic()
                list(self._probes.map(self._probe, self._all()))

    def _look_after(self, run: _Run) -> None:
        now = time.monotonic()
        if not run.wanted or run.process is None:
            return
        if run.process.poll() is None:
            if run.deaths and run.healthy and now - run.started > STEADY:
                run.deaths = 0
            return
        if not run.again:
            run.healthy, run.deaths = False, run.deaths + 1
            run.again = now + min(SOONEST * 2 ** (run.deaths - 1), LATEST)
        elif now >= run.again:
            _signal(run.process.pid, signal.SIGKILL)
            run.restarts += 1
            try:
                self._launch(run)
            except NotUp:  # the machine has no room for it now
                run.deaths, run.again = run.deaths + 1, now + LATEST

    def _launch(self, run: _Run) -> None:
        program = run.program
        uid, gid = program.account or (os.geteuid(), os.getegid())
        command = [sys.executable, "-I", "-S", "-c", _LAUNCH, f"{os.getpid()}", f"{uid}", f"{gid}", *program.command]
        with run.log.open("ab") as log:
            # A session of its own: Ctrl-C is for us, we end the others in their order.
            launched = self._launcher.submit(
                subprocess.Popen, command, env=dict(program.environment), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                run.process = launched.result()
            except OSError as error:
                raise NotUp(f"{program.name} cannot be started: {error}") from error
        run.started, run.again, run.healthy = time.monotonic(), 0.0, False

    def _probe(self, run: _Run) -> None:
        process = run.process
        if not run.wanted or process is None or process.poll() is not None:
            return
        answered = run.program.healthy()
        with self._lock:
            if run.process is process and run.wanted:
                run.healthy = answered
                run.was_up = run.was_up or answered

    def _all_up(self) -> bool:
        return all(run.healthy for run in self._all() if run.wanted)

    def _all(self) -> list[_Run]:
        with self._lock:
            return list(self._runs.values())


def _status(run: _Run, now: float) -> Status:
    alive = run.process is not None and run.process.poll() is None
    if not run.wanted:
        state = State.STOPPED
    elif not alive:
        state = State.DEAD
    elif run.healthy:
        state = State.UP
    else:
        state = State.ILL if run.was_up and now - run.started > STEADY else State.STARTING
    pid = run.process.pid if alive and run.process else None
    return Status(run.program.name, state, pid, run.program.port, run.restarts, now - run.started, run.log)


def _ended(run: _Run) -> None:
    """Wait for its end; what does not go within its grace is killed, with all that it started."""
    process = run.process
    if process is None:
        return
    with suppress(subprocess.TimeoutExpired):
        process.wait(run.program.grace)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(leader: int, how: signal.Signals) -> None:
    """To the program and all that it started: some are scripts around a server."""
    for number in _session(leader):
        with suppress(ProcessLookupError):
            os.kill(number, how)


def _session(leader: int) -> Iterable[int]:
    """The living processes of the session this one began."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            yield int(entry.name)
