"""Bring a database to the newest schema. Safe to run by several processes at once: the first one does it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

_LOCK = 4_702_001
"""Advisory lock: one migration at a time."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> str:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config()
    config.attributes["connection"] = connection
    there = MigrationContext.configure(connection).get_current_revision()
    if there is not None and not _knows(config, there):
        return there  # a newer version has upgraded it: it works with what we write, and must not be touched by us
    command.upgrade(config, "head")
    return MigrationContext.configure(connection).get_current_revision() or ""


def _knows(config: Config, revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(config).get_revision(revision) is not None
    except CommandError:
        return False


async def migrate(url: str) -> str:
    """Upgrade the database at `url` to the newest revision, and return that revision."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def newest() -> str:
    """The revision this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""
