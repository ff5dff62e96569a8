"""A private MariaDB: the distribution's own binaries, a folder from mkdtemp, a free port on 127.0.0.1.

It runs as an unprivileged account that exists already, and removes only the folder it made.
"""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pymysql
import pytest

from tests.ports import find_port

START_SECONDS = 60
STOP_SECONDS = 20
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def missing() -> str:
    """Why there can be no server here; empty when there can."""
    absent = [name for name in ("mariadbd", "mariadb-install-db") if shutil.which(name, path=_PLACES) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


class MariaDb:
    """One server with an empty database `exchange`. `stop` keeps the folder, so that `start` goes on with it."""

    def __init__(self) -> None:
        self._made = Path(tempfile.mkdtemp(prefix="gridhub-mariadb-"))
        self.data = self._made / "data"
        self._account = _account()
        # A server that starts removes every temporary table it finds, also those of another one that starts beside it.
        self._environment = {**os.environ, "TMPDIR": f"{self._made}"}
        self._server: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)
        if os.geteuid() == 0:
            os.chown(self._made, pwd.getpwnam(self._account).pw_uid, -1)
        self.port = find_port()
        self._install()

    def url(self, port: int = 0, database: str = "exchange") -> str:
        """For SQLAlchemy; `port` that of a relay in front of it."""
        return f"mysql+pymysql://root@127.0.0.1:{port or self.port}/{database}?charset=utf8mb4"

    def start(self) -> None:
        """Start and wait until it takes connections."""
        self._server = subprocess.Popen(
            [
                _found("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--port={self.port}", *self._user(),
                "--bind-address=127.0.0.1", f"--socket={self._made}/socket", f"--pid-file={self._made}/pid",
                "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=16M",
                "--skip-log-bin", "--performance-schema=OFF", "--debug-no-sync",
                "--sql-mode=",  # as old servers are: values that do not fit are cut without a word
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._made,
            env=self._environment,
        )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("MariaDB did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop at once, as a power cut would. Harmless twice."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(STOP_SECONDS)
            self._server = None

    def remove(self) -> None:
        """Stop and remove the folder. Harmless twice."""
        atexit.unregister(self.remove)
        self.stop()
        if self._made.is_dir():
            shutil.rmtree(self._made)

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def _install(self) -> None:
        done = subprocess.run(
            [
                _found("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", *self._user(),
                "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=2",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=self._made,
            env=self._environment,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db failed: {done.stderr[-500:]}{done.stdout[-500:]}")
        self.start()
        self.execute("CREATE DATABASE exchange CHARACTER SET utf8mb4")

    def _user(self) -> list[str]:
        return [f"--user={self._account}"] if os.geteuid() == 0 else []

    def _answers(self) -> bool:
        try:
            pymysql.connect(host="127.0.0.1", port=self.port, user="root").close()
        except pymysql.err.OperationalError:
            return False
        return True


def _found(name: str) -> str:
    found = shutil.which(name, path=_PLACES)
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found


def _account() -> str:
    """Ourselves; as root an unprivileged account that exists."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("mysql", "nobody") if name in known)


@cache
def _server() -> MariaDb:
    """One for all test modules that import the fixture."""
    return MariaDb()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A running server for the session; skips where MariaDB is not installed."""
    if why := missing():
        pytest.skip(why)
    server = _server()
    yield server
    server.remove()
