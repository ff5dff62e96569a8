"""Shared fixtures: a real PostgreSQL, a fresh migrated database a test, the reference data beside the checkout.

With CI set, a skipped test makes the run fail: nothing is left out unnoticed.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.settings import driver_url
from storage.embedded import EmbeddedPostgres
from storage.partitions import keep_months
from storage.schema import migrate
from storage.store import Store
from tests.databases import Databases, GivenServer, Server, made
from tests.ports import find_port
from tests.socket_makers import remember

SHARED = Path(__file__).parents[2] / "shared"

# A test database need not survive a power cut.
QUICK = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}

TEST_CLOCKS = (datetime(2026, 3, 16, tzinfo=UTC), datetime(2026, 6, 16, tzinfo=UTC))
"""Their months and the three after each are the ones that tests with a clock of their own live in."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for the session (one for each xdist worker). GRIDHUB_TEST_BINARIES chooses other binaries."""
    chosen = os.environ.get("GRIDHUB_TEST_BINARIES")
    with EmbeddedPostgres(None, binaries=Path(chosen) if chosen else None, settings=QUICK) as server:
        yield server


@pytest.fixture(scope="session")
def hub_server(request: pytest.FixtureRequest) -> Server:
    """Where the hub's own databases lie: the server of GRIDHUB_TEST_DATABASE_URL, else the embedded one."""
    given = os.environ.get("GRIDHUB_TEST_DATABASE_URL")
    embedded: Server = GivenServer(driver_url(given)) if given else request.getfixturevalue("postgres")
    return embedded


@pytest.fixture(scope="session")
def template(hub_server: Server) -> Iterator[str]:
    """The name of an empty database with the newest schema, and the months of the tests' own clocks."""
    with made(hub_server, f"template_{uuid4().hex}", "ENCODING 'UTF8' TEMPLATE template0") as name:
        asyncio.run(_prepared(hub_server.url_of(name)))
        yield name


async def _prepared(url: str) -> None:
    # Without the months of their clocks, each test with a worker would make them anew beside what it tests.
    await migrate(url)
    store = Store(url)
    for now in TEST_CLOCKS:
        await keep_months(store, now)
    await store.close()


@pytest.fixture(scope="session")
def databases(hub_server: Server, template: str) -> Iterator[Databases]:
    """The databases of the tests."""
    stock = Databases(hub_server, template)
    yield stock
    stock.end()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """An empty database with the newest schema, for this test alone."""
    with databases.lent() as url:
        yield url


@pytest.fixture
def empty_database_url(hub_server: Server) -> Iterator[str]:
    """A fresh database with nothing in it, for the tests of migrations."""
    with made(hub_server, f"empty_{uuid4().hex}", "ENCODING 'UTF8' TEMPLATE template0") as name:
        yield hub_server.url_of(name)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data beside the checkout; a public clone has none."""
    if not SHARED.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    return SHARED


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives TCP ports on 127.0.0.1 that nobody listens on."""
    return find_port


def pytest_configure() -> None:
    """Look for garbage as seldom as the hub does (gateway/cli/main.py), and let programs be interrupted.

    A shell that starts us in the background has SIGINT ignored, and all that a test starts would ignore it, too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(50_000)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """Name the maker of a socket that was left open; after pytest has set up how it hears of such."""
    remember()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI set, name what was skipped and fail."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):  # an xdist worker has no reporter; its controller has
        return
    for report in reporter.stats.get("skipped", []):
        reporter.write_line(f"skipped, which CI does not allow: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
