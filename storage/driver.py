"""The driver itself, for the hot path: statements prepared once a connection, and connections that nobody wraps.

What SQLAlchemy does around one statement with sixty arrays costs more than the server needs for it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import URL

from canonical.errors import Unavailable

LOST = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError)
"""A connection that was killed between two statements: the driver's own words."""

_TRY_AGAIN = (*LOST, OSError, asyncpg.InvalidCachedStatementError, asyncpg.InternalClientError)
_HARMLESS = (*LOST, OSError, asyncpg.PostgresError)

NO_ANSWER = ("08", "53", "57", "25P03")
"""SQLSTATE of a server that cannot serve now: no connection, no room, shutting down or starting up; or that has ended a
transaction in which nothing happened for too long.
"""


COLLIDED = ("40", "23514")
"""SQLSTATE of a transaction that met another one: a deadlock, a row that went to another partition, or one that was on
its way into the rest when its month was made.
"""


_SESSION = "".join(
    f"SET {name} = {value}; "
    for name, value in {
        "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_bitmapscan": "off",
        "plan_cache_mode": "force_generic_plan", "jit": "off", "idle_in_transaction_session_timeout": "15000",
    }.items()
)  # fmt: skip
"""The hot path looks up a few rows by their keys, always. A planner that has seen an empty table, or no statistics for
a minute, would read all of it with every batch, twenty times as slow, and keep that plan.

A process that stands still in the middle of a transaction must not keep its rows from all others for longer than this
many milliseconds: the server ends it, and nothing of it has happened.
"""


class DatabaseAway(Unavailable):
    """The hub's own database does not answer; no other system is to blame."""


class Collided(DatabaseAway):
    """Another transaction was first; nothing of this one was written. The same again will do."""


class NotWritten(Exception):
    """The server would not take it; the text names the kind of error alone."""


class Connection(Protocol):
    """What the hot path asks of a connection of the driver."""

    async def fetch(self, query: str, *args: Any) -> list[Any]: ...  # noqa: ANN401 the driver's own
    async def execute(self, query: str) -> str: ...


class Prepared:
    """A statement as the driver takes it: numbered parameters, in the order of these names."""

    __slots__ = ("names", "sql")

    def __init__(self, statement: TextClause) -> None:
        compiled = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
        self.sql = str(compiled)
        self.names = tuple(compiled.positiontup or ())

    async def fetch(self, connection: Connection, values: Mapping[str, object]) -> list[Any]:
        """Run it; its rows."""
        return await connection.fetch(self.sql, *[values[name] for name in self.names])


class Connections:
    """Connections of one database that are kept open; at most `most` at once, and whoever comes later waits."""

    def __init__(self, url: URL, most: int) -> None:
        _, self._arguments = dialect().create_connect_args(url)  # type: ignore[no-untyped-call]
        cached = self._arguments.pop("prepared_statement_cache_size", None)
        if cached is not None:
            self._arguments["statement_cache_size"] = int(cached)
        self._places = asyncio.Semaphore(most)
        self._idle: list[Any] = []
        self._closed = False

    async def close(self) -> None:
        """Close all that nobody uses; what is in use is closed by whoever gives it back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(*_HARMLESS):
                await connection.close()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection outside of any transaction.

        Raises DatabaseAway when there is none or it goes away, and NotWritten for whatever else the server refuses.
        """
        async with self._places:
            connection = None
            try:
                connection = await self._open()
                yield connection
            except BaseException as error:
                if connection is not None:
                    await self._after(connection, error)
                if (told := _told(error)) is not error:
                    raise told from None
                raise
            if self._closed:
                connection.terminate()
            else:
                self._idle.append(connection)

    async def _open(self) -> Any:  # noqa: ANN401 the driver has no types
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        connection = await asyncpg.connect(**self._arguments)
        try:
            await connection.execute(_SESSION)
        except BaseException:  # broken off, or away again: nobody knows of it yet, thus nobody else would close it
            connection.terminate()
            raise
        return connection

    async def _after(self, connection: Any, error: BaseException) -> None:  # noqa: ANN401
        """Whoever broke off leaves a transaction behind: it is rolled back, or ends with the connection."""
        if isinstance(error, Exception) and not isinstance(error, _TRY_AGAIN):
            with suppress(*_HARMLESS):
                await connection.execute("ROLLBACK")
                if not self._closed:
                    self._idle.append(connection)
                    return
        connection.terminate()


def _told(error: BaseException) -> BaseException:
    """The error as it may be logged: the driver's texts quote rows and parameters, which are citizens' words."""
    if isinstance(error, _TRY_AGAIN):
        return DatabaseAway("the database does not answer")
    if not isinstance(error, asyncpg.PostgresError):
        return error
    state = str(error.sqlstate or "")
    if state.startswith(NO_ANSWER):
        return DatabaseAway("the database went away")
    if state.startswith(COLLIDED):
        return Collided("another transaction was first")
    return NotWritten(f"{type(error).__name__} {state}")
