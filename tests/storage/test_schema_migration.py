"""Migrations end in the schema that the models say, and several processes may start at once."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.schema import migrate, newest
from storage.tables import NUMBERS_AT_ONCE, metadata

_MONTHS = "'(message|event|delivery_done)_(before|[0-9]{4}_[0-9]{2})$'"
_INDEXES = (
    "SELECT indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes WHERE schemaname = :schema"
    f" AND tablename !~ {_MONTHS}"
)
_COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
    f" WHERE table_schema = :schema AND table_name !~ {_MONTHS}"
)
_TABLES = (
    "SELECT c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid),"
    " CASE WHEN c.relispartition THEN c.reloptions END"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE n.nspname = :schema AND c.relkind IN ('r', 'p') AND c.relname !~ {_MONTHS}"
)
_TRIGGERS = (
    "SELECT t.tgname, replace(pg_get_triggerdef(t.oid), :schema || '.', ''),"
    " replace(pg_get_functiondef(t.tgfoid), :schema || '.', '') FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND NOT t.tgisinternal"
)
_OPTIONS = (
    "SELECT c.relname, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = :schema AND c.relname ~ '^tally'"
)
_SEQUENCES = "SELECT sequencename, start_value, increment_by FROM pg_sequences WHERE schemaname = :schema"
_ALL = (_INDEXES, _COLUMNS, _SEQUENCES, _TABLES, _TRIGGERS, _OPTIONS)


async def _with(url: str, look: Any) -> Any:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(look)
    finally:
        await engine.dispose()


def _plain(row: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in row)


def _is_modelled(name: str | None, kind: str, _parents: object) -> bool:
    """Partitions are no models: the next test compares them."""
    return kind != "table" or name in metadata.tables


def test_alembic_finds_no_difference_between_migrations_and_models(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _is_modelled}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    assert asyncio.run(_with(database_url, differences)) == []


def test_columns_indexes_triggers_and_sequences_are_those_of_the_models_to_the_letter(database_url: str) -> None:
    """Alembic looks at no index condition and no sequence; the database's own words do."""

    def described(connection: Connection, schema: str) -> list[set[tuple[Any, ...]]]:
        rows = (connection.execute(text(query), {"schema": schema}) for query in _ALL)
        return [{_plain(row) for row in some if not str(row[0]).startswith("alembic")} for some in rows]

    def both(connection: Connection) -> tuple[Any, Any]:
        migrated = described(connection, "public")
        connection.execute(text("CREATE SCHEMA models"))
        connection.execute(text("SET LOCAL search_path TO models"))
        metadata.create_all(connection, checkfirst=False)
        return migrated, described(connection, "models")

    migrated, modelled = asyncio.run(_with(database_url, both))
    assert migrated == modelled
    assert ("case_number", "1", str(NUMBERS_AT_ONCE)) in migrated[2]
    assert {name for name, *_ in migrated[4]} == {"tally_inserted", "tally_updated", "tally_deleted"}


def test_two_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    async def both() -> list[str]:
        return list(await asyncio.gather(migrate(empty_database_url), migrate(empty_database_url)))

    assert asyncio.run(both()) == [newest(), newest()]


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert asyncio.run(migrate(database_url)) == newest()


def test_a_process_older_than_the_schema_leaves_it_alone(database_url: str) -> None:
    def upgraded_by_the_next_version(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE cases ADD COLUMN of_the_next_version text"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_next'"))

    asyncio.run(_with(database_url, upgraded_by_the_next_version))

    assert asyncio.run(migrate(database_url)) == "9999_next"
