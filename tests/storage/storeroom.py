"""A store with the gateway's reception before it and the small city of the intake tests behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from canonical.case import Case
from canonical.ids import new_id
from canonical.message import Message
from canonical.reading import Outcome
from canonical.records import Arrival
from canonical.rights import EVERYTHING
from gateway.configuration import Configuration
from gateway.reception import Reception
from routing.city import City
from storage.casebook import Casebook
from storage.cursors import Cursors
from storage.journal import Journal
from storage.outbox import Claimed, Ended, Learned, Outbox, Sealed, Wanted
from storage.store import Store
from tests.routing.intake_city import CITY, NOW

LEASE = timedelta(minutes=2)


@dataclass(slots=True)
class Storeroom:
    """One process's view of the database, with a clock that stands until it is moved."""

    store: Store
    reception: Reception
    outbox: Outbox
    journal: Journal
    casebook: Casebook
    cursors: Cursors
    now: datetime = NOW

    async def take(self, *arrivals: Arrival) -> list[Outcome]:
        """One batch, committed."""
        return await self.reception.take_in(arrivals)

    async def claim(self, system: str, *, limit: int = 10) -> list[Claimed]:
        """What is due to that system now."""
        return await self.outbox.claim([Wanted(system, limit, LEASE)], now=self.now)

    async def send(self, claimed: Claimed, message: Message) -> bool:
        """Journal that it leaves now. False when it must not."""
        return claimed.id in await self.outbox.sending([Sealed(claimed, message)])

    async def settle(self, ended: Ended) -> Learned:
        """Commit how an attempt ended."""
        [learned] = await self.outbox.settle([ended])
        return learned

    async def case(self) -> Case:
        """The only case."""
        [case] = await self.casebook.find(scope=EVERYTHING)
        return case

    async def count(self, table: str) -> int:
        """Rows of a table."""
        return int(await self.scalar(f"SELECT count(*) FROM {table}"))

    async def scalar(self, statement: str) -> Any:
        """The first value of a query."""
        async with self.store.transaction() as transaction:
            return (await transaction.connection.execute(text(statement))).scalar()


@asynccontextmanager
async def opened(url: str, *, city: City = CITY) -> AsyncIterator[Storeroom]:
    """A storeroom on this database. At its end nothing may lie in it that belongs to no case."""
    store = Store(url)
    room: Storeroom | None = None

    def clock() -> datetime:
        return room.now if room else NOW

    def fresh() -> UUID:
        return new_id(clock())

    reception = Reception(Configuration(city, {}), store, now=clock, ids=fresh)
    room = Storeroom(store, reception, Outbox(store), Journal(store), Casebook(store), Cursors(store))
    try:
        yield room
        await assert_no_orphans(store)
    finally:
        await store.close()


@asynccontextmanager
async def several(url: str, number: int) -> AsyncIterator[list[Storeroom]]:
    """As many processes on one database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opened(url)) for _ in range(number)]


def story(url: str, tell: Callable[[Storeroom], Coroutine[Any, Any, None]]) -> None:
    """Run one test's story in a storeroom of its own."""

    async def run() -> None:
        async with opened(url) as room:
            await tell(room)

    asyncio.run(run())


WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN (
       SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
"""How many wait for a lock in this database. Of `pg_stat_activity` a transaction only ever sees one moment."""


def sent(claimed: Claimed, body: bytes = b"hello") -> Message:
    """The message of a delivery, as it would go out."""
    return Message(system=claimed.system, body=body, at=NOW, id=new_id(NOW), door=claimed.message)


def with_body(arrival: Arrival, body: bytes) -> Arrival:
    """The same arrival with these bytes."""
    return replace(arrival, message=replace(arrival.message, body=body))


_ORPHANS = {
    "a row of the index of search without its case": (
        "SELECT count(*) FROM search_case LEFT JOIN cases ON cases.id = case_id WHERE no IS NULL"
    ),
    "an event without its case": "SELECT count(*) FROM event LEFT JOIN cases ON cases.id = case_id WHERE no IS NULL",
    "a binding without its case": "SELECT count(*) FROM binding LEFT JOIN cases ON cases.id = case_id WHERE no IS NULL",
    "a delivery without its event": (
        "SELECT count(*) FROM delivery d LEFT JOIN event e ON e.case_id = d.case_id AND e.seq = d.event_seq"
        " WHERE e.seq IS NULL"
    ),
    "a message of a case that is not there": (
        "SELECT count(*) FROM message LEFT JOIN cases ON cases.id = case_id WHERE case_id IS NOT NULL AND no IS NULL"
    ),
    "a case whose events have gaps or another end": (
        "SELECT count(*) FROM cases c WHERE version <> (SELECT count(*) FROM event e WHERE e.case_id = c.id)"
        " OR version <> (SELECT max(seq) FROM event e WHERE e.case_id = c.id)"
    ),
    "an event of a message that is not there": (
        "SELECT count(*) FROM event e LEFT JOIN message m ON m.id = e.message_id"
        " WHERE e.message_id IS NOT NULL AND m.id IS NULL"
    ),
    "a column that says something else than the state": (
        "SELECT count(*) FROM cases WHERE stage <> state ->> 'stage' OR no <> state ->> 'no'"
        " OR version <> CAST(state ->> 'version' AS int) OR CAST(id AS text) <> state ->> 'id'"
    ),
}


async def assert_no_orphans(store: Store) -> None:
    """There are no foreign keys; this is what they would have guarded, and some more."""
    async with store.transaction() as transaction:
        for what, statement in _ORPHANS.items():
            found = (await transaction.connection.execute(text(statement))).scalar_one()
            assert found == 0, f"{found} times {what}"
