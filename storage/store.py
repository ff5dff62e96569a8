"""The database as one object: transactions for everybody, and the batches of intake."""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.batch import WAKE, AlreadyThere, Batch, waking
from storage.driver import COLLIDED, LOST, NO_ANSWER, Collided, Connection, Connections, DatabaseAway, Prepared
from storage.tables import NUMBERS_AT_ONCE

__all__ = ["WAKE", "AlreadyThere", "DatabaseAway", "Store", "Transaction", "wake"]


class Store:
    """One database. Async; give it back with `close`."""

    def __init__(self, url: str, *, pool: int = 8) -> None:
        # Parameters are citizens' words: they must not stand in error texts, which are logged.
        self.engine: AsyncEngine = create_async_engine(url, pool_size=pool, max_overflow=pool, hide_parameters=True)
        self._connections = Connections(self.engine.url, pool)
        self._numbers: deque[int] = deque()

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """All or nothing. Raises DatabaseAway when the database cannot be reached or goes away."""
        try:
            async with self.engine.begin() as connection:
                yield Transaction(connection)
        except (OperationalError, InterfaceError, OSError, *LOST) as error:
            raise DatabaseAway("the database does not answer") from error
        except DBAPIError as error:
            state = str(getattr(error.orig, "sqlstate", None) or "")
            if error.connection_invalidated or state.startswith(NO_ANSWER):
                raise DatabaseAway("the database went away") from error
            if state.startswith(COLLIDED):
                raise Collided("another process was first just now") from error
            raise

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """A batch of intake, all or nothing. Raises DatabaseAway, and what `Batch.save` raises."""
        async with self._connections.one() as connection:
            batch = Batch(connection)
            yield batch
            await batch.commit()

    @asynccontextmanager
    async def hot(self) -> AsyncIterator[Connection]:
        """A transaction at the driver itself, all or nothing, for what is done for every delivery.

        Raises DatabaseAway, and NotWritten for whatever else the server refuses.
        """
        async with self._connections.one() as connection:
            await connection.execute("BEGIN")
            yield connection
            await connection.execute("COMMIT")

    async def once(self, statement: Prepared, values: Mapping[str, object]) -> list[Any]:
        """One statement as a transaction of its own. Raises as `hot`."""
        async with self._connections.one() as connection:
            return await statement.fetch(connection, values)

    async def time(self) -> datetime:
        """The database's own clock. Raises DatabaseAway."""
        async with self._connections.one() as connection:
            [(now,)] = await connection.fetch("SELECT clock_timestamp()")
        at: datetime = now
        return at

    async def answers(self) -> None:
        """Raises DatabaseAway when the database does not answer."""
        async with self.transaction() as transaction:
            await transaction.connection.execute(text("SELECT 1"))

    async def numbers(self, wanted: int) -> list[int]:
        """`wanted` fresh running numbers for cases. A process that ends leaves a gap: harmless."""
        while (missing := wanted - len(self._numbers)) > 0:
            async with self._connections.one() as connection:
                blocks = await connection.fetch(_BLOCKS, -(-missing // NUMBERS_AT_ONCE))
            for (first,) in blocks:
                self._numbers.extend(range(first, first + NUMBERS_AT_ONCE))
        return [self._numbers.popleft() for _ in range(wanted)]

    def give_back(self, numbers: Sequence[int]) -> None:
        """Numbers that no case was given: most of what is polled is known already."""
        self._numbers.extendleft(reversed(numbers))


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction."""

    connection: AsyncConnection


_BLOCKS = "SELECT nextval('case_number') FROM generate_series(1, $1)"
"""First numbers of blocks of NUMBERS_AT_ONCE that nobody else has."""


async def wake(connection: AsyncConnection, systems: Iterable[str]) -> None:
    """Tell the workers, with the commit, to which systems something is waiting."""
    await connection.execute(_NOTIFY, {"systems": waking(systems)})


_NOTIFY = text(f"SELECT pg_notify('{WAKE}', :systems)")
