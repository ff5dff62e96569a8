"""A database without any table, for the tests of migrations."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from storage.embedded import NAME, EmbeddedPostgres


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database with nothing in it."""
    name = f"empty_{uuid4().hex}"
    asyncio.run(_execute(postgres, f"CREATE DATABASE {name}"))
    yield postgres.url_of(name)
    asyncio.run(_execute(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(server.url_of(NAME).replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
