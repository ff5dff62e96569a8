"""Bring a database to the newest schema. Safe to run by several processes at once: the first one does it."""

from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.counting import count_on
from storage.partitions import make_ahead

_LOCK = 4_702_001
"""Advisory lock: one migration at a time."""
NEWEST = "head"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection, revision: str) -> str:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config()
    config.attributes["connection"] = connection
    there = MigrationContext.configure(connection).get_current_revision()
    if there is not None and not _knows(config, there):
        return there  # a newer version has upgraded it: it works with what we write, and must not be touched by us
    command.upgrade(config, revision)
    if revision == NEWEST:
        _make_months(connection)
        count_on(connection)
    return MigrationContext.configure(connection).get_current_revision() or ""


def _make_months(connection: Connection) -> None:
    """The months ahead. Whoever holds one of the tables too long must not keep us from starting: the rest takes all."""
    now = connection.execute(text("SELECT now()")).scalar_one()
    with suppress(DBAPIError), connection.begin_nested():
        make_ahead(connection, now)


def _knows(config: Config, revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(config).get_revision(revision) is not None
    except CommandError:
        return False


async def migrate(url: str, revision: str = NEWEST) -> str:
    """Upgrade the database at `url` to this revision, and return the one it has now."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


def newest() -> str:
    """The revision this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""
