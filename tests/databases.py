"""Databases for tests: made from a template with the newest schema, emptied and lent again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url

from storage.embedded import NAME

# What the schema of a database is made of, and its sequences as they were in the beginning.
_SHAPE = """
SELECT md5(string_agg(it, ';' ORDER BY it)) FROM (
    SELECT format('%s %s %s', c.relname, c.relkind, c.relpersistence) AS it FROM pg_class c
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT format('%s %s %s %s', attrelid::regclass, attname, atttypid, attnotnull) FROM pg_attribute
    WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT format('%s %s', tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting
    UNION ALL SELECT nspname FROM pg_namespace WHERE left(nspname, 3) <> 'pg_'
    UNION ALL SELECT extname FROM pg_extension
) AS shape
"""
# The tallies at last: what is deleted from the others is counted in them.
_EMPTY = """
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT oid::regclass AS it, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S') AND NOT relispartition
        AND relname <> 'alembic_version' ORDER BY starts_with(relname, 'tally')
    LOOP
        IF one.relkind = 'S' THEN EXECUTE format('ALTER SEQUENCE %s RESTART', one.it);
        ELSE EXECUTE format('DELETE FROM %s', one.it); END IF;
    END LOOP;
END $$
"""


class Server(Protocol):
    """A PostgreSQL whose role may make databases."""

    def url_of(self, database: str) -> str:
        """The URL of one of its databases."""


@dataclass(frozen=True, slots=True)
class GivenServer:
    """A server that runs already, known by the URL of any of its databases."""

    url: str

    def url_of(self, database: str) -> str:
        """The same server, another database."""
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)


class Databases:
    """Databases for tests, one at a time each, and emptied between: a new one costs five times as much.

    One whose schema a test has changed, or that cannot be emptied at once, is dropped.
    """

    def __init__(self, server: Server, template: str) -> None:
        self.server, self._template = server, template
        self._shape = asyncio.run(_of(server.url_of(template), _SHAPE))
        self._free: list[str] = []

    def lend(self) -> str:
        """The name of one that nobody uses."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid4().hex}"
        asyncio.run(
            _execute(_first(self.server), f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        )
        return name

    def take_back(self, name: str) -> None:
        """Whoever is still connected is cut off."""
        if asyncio.run(self._emptied(name)):
            self._free.append(name)
        else:
            self._drop(name)

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of one, for as long as the block lasts."""
        name = self.lend()
        try:
            yield self.server.url_of(name)
        finally:
            self.take_back(name)

    async def _emptied(self, name: str) -> bool:
        connection = await asyncpg.connect(self.server.url_of(name).replace("+asyncpg", ""))
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.execute("SET lock_timeout = '5s'")
            if await connection.fetchval(_SHAPE) != self._shape:
                return False
            await connection.execute(_EMPTY)
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()
        return True

    def _drop(self, name: str) -> None:
        asyncio.run(_execute(_first(self.server), f"DROP DATABASE {name} WITH (FORCE)"))

    def end(self) -> None:
        """Drop them."""
        while self._free:
            self._drop(self._free.pop())


@contextmanager
def made(server: Server, name: str, how: str) -> Iterator[str]:
    """A database that goes away at the end, whoever is still connected."""
    first = _first(server)
    asyncio.run(_execute(first, f"CREATE DATABASE {name} {how}"))
    yield name
    asyncio.run(_execute(first, f"DROP DATABASE {name} WITH (FORCE)"))


def _first(server: Server) -> str:
    return server.url if isinstance(server, GivenServer) else server.url_of(NAME)


async def _of(url: str, query: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
