"""Shared fixtures: a real PostgreSQL, a fresh migrated database a test, the reference data beside the checkout.

With CI set, a skipped test makes the run fail: nothing is left out unnoticed.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from storage.embedded import NAME, EmbeddedPostgres
from storage.schema import migrate

SHARED = Path(__file__).parents[2] / "shared"

# A test database need not survive a power cut.
QUICK = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for the session (one for each xdist worker). GRIDHUB_TEST_BINARIES chooses other binaries."""
    chosen = os.environ.get("GRIDHUB_TEST_BINARIES")
    with EmbeddedPostgres(None, binaries=Path(chosen) if chosen else None, settings=QUICK) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """The name of an empty database with the newest schema."""
    asyncio.run(_execute(postgres, "CREATE DATABASE template_newest"))
    asyncio.run(migrate(postgres.url_of("template_newest")))
    return "template_newest"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A fresh database with the newest schema, for this test alone."""
    name = f"test_{uuid4().hex}"
    asyncio.run(_execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield postgres.url_of(name)
    asyncio.run(_execute(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(server.url_of(NAME).replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data beside the checkout; a public clone has none."""
    if not SHARED.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    return SHARED


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives TCP ports on 127.0.0.1 that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI set, name what was skipped and fail."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):  # an xdist worker has no reporter; its controller has
        return
    for report in reporter.stats.get("skipped", []):
        reporter.write_line(f"skipped, which CI does not allow: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
