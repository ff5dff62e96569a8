"""The tables that grow are parted by month: rows find their month, months are there in time, and no row is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from canonical.errors import Unavailable
from canonical.ids import new_id
from storage.partitions import AHEAD, TREES, Month, keep_months, made_at
from storage.schema import migrate, newest
from storage.store import Store
from tests.routing.intake_city import reported
from tests.storage.storeroom import WAITING, Storeroom, story

BEFORE_MONTHS = "0009"
STATE = "in_doubt"
NOV = datetime(2026, 11, 27, 12, tzinfo=UTC)


def asked(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one statement on a connection of its own."""

    async def run() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    return asyncio.run(run())


def kept(url: str, now: datetime) -> tuple[list[str], dict[str, int]]:
    """One round of keeping the months."""

    async def run() -> tuple[list[str], dict[str, int]]:
        store = Store(url)
        try:
            return await keep_months(store, now)
        finally:
            await store.close()

    return asyncio.run(run())


def note(url: str, *ids: UUID) -> None:
    """A journal row for each id."""
    for id_ in ids:
        asked(url, _NOTE, id_)


_NOTE = """
INSERT INTO message VALUES ($1, now(), 'in', 'here', '', NULL, '', '', 0, '', 'noted', '', '', '', false, '', NULL, '')
"""
_WHERE = "SELECT CAST(tableoid::regclass AS text), id FROM message ORDER BY id"


def test_a_row_lies_in_the_month_of_shanghai_in_which_its_id_was_made(database_url: str) -> None:
    kept(database_url, NOV)
    last = datetime(2026, 11, 30, 15, 59, 59, 999000, tzinfo=UTC)  # a millisecond before midnight there
    ids = [new_id(last), new_id(last + timedelta(milliseconds=1))]

    note(database_url, *ids)

    assert [made_at(id_) for id_ in ids] == [last, last + timedelta(milliseconds=1)]
    assert asked(database_url, _WHERE) == [("message_2026_11", ids[0]), ("message_2026_12", ids[1])]


def test_months_are_made_ahead_once_and_by_one_process(database_url: str) -> None:
    later = NOV + timedelta(days=365)

    async def three() -> list[tuple[list[str], dict[str, int]]]:
        stores = [Store(database_url) for _ in range(3)]
        try:
            return list(await asyncio.gather(*(keep_months(store, later) for store in stores)))
        finally:
            for store in stores:
                await store.close()

    made = [name for names, _ in asyncio.run(three()) for name in names]

    wanted = [f"{tree}_{Month(2027, 11).plus(number)}" for tree in TREES for number in range(AHEAD + 1)]
    assert sorted(made) == sorted(wanted)
    assert kept(database_url, later) == ([], {})


def test_what_came_when_its_month_was_missing_is_taken_out_of_the_rest(database_url: str) -> None:
    kept(database_url, NOV)
    missed = [new_id(datetime(2027, month, 9, tzinfo=UTC)) for month in (7, 7, 9)]
    wrong = [new_id(datetime(1971, 1, 1, tzinfo=UTC)), UUID(int=2**128 - 1)]
    note(database_url, *missed, *wrong)

    made, rest = kept(database_url, NOV)

    assert made == ["message_2027_07", "message_2027_09"]
    assert rest == {"message": 2}, "a row of a wrong clock is kept, and told of"
    places = {id_: name for name, id_ in asked(database_url, _WHERE)}
    assert [places[id_] for id_ in (*missed, *wrong)] == [
        "message_2027_07", "message_2027_07", "message_2027_09", "message_rest", "message_rest",
    ]  # fmt: skip


def test_whoever_reads_all_months_is_not_pushed_aside(database_url: str) -> None:
    """A new month waits a moment for a long reader and gives up: others would wait behind it."""

    async def run() -> None:
        reader = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        store = Store(database_url)
        try:
            reading = reader.transaction()
            await reading.start()
            await reader.fetch("SELECT count(*) FROM message")
            with pytest.raises(Unavailable):
                await keep_months(store, NOV + timedelta(days=900))
            await reading.rollback()
            assert len((await keep_months(store, NOV + timedelta(days=900)))[0]) == (AHEAD + 1) * len(TREES)
        finally:
            await reader.close()
            await store.close()

    asyncio.run(run())


def test_making_months_never_ends_in_a_deadlock_with_whoever_reads_the_tables(database_url: str) -> None:
    """A reader has one table, then wants another, in an order of its own."""

    async def run() -> None:
        reader = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        store = Store(database_url)
        try:
            async with reader.transaction():
                await reader.fetch("SELECT count(*) FROM event")
                assert not await reader.fetchval(WAITING)
                making = asyncio.create_task(keep_months(store, NOV + timedelta(days=900)))
                while not await reader.fetchval(WAITING):
                    assert not making.done()
                    await asyncio.sleep(0.01)
                await reader.fetch("SELECT count(*) FROM message")
            made, _ = await making
            assert len(made) == (AHEAD + 1) * len(TREES)
        finally:
            await reader.close()
            await store.close()

    asyncio.run(run())


def test_what_is_not_settled_lies_apart_from_what_is(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        before = await room.count("delivery")
        assert before == await room.count("delivery_open") > 1

        for state in ("acknowledged", "withdrawn"):
            await room.scalar(f"UPDATE delivery SET state = '{state}' WHERE system = 'works' RETURNING 1")
            assert (await room.count("delivery_open"), await room.count("delivery_done")) == (before - 1, 1)

        plan = await room.scalar(
            "EXPLAIN (FORMAT JSON) SELECT * FROM delivery WHERE state = 'pending' AND system = 'a'"
        )
        assert "delivery_open" in str(plan)
        assert "delivery_done" not in str(plan), "a claim looks at nothing that is settled"

    story(database_url, tell)


_EARLIER = (
    """
INSERT INTO message SELECT i, now(), 'in', 's', 'd', NULL, '', '', 0, 'body', 'case', '', '', '', true, '1', i, 'e'
  FROM unnest($1::uuid[]) i
""",
    """
INSERT INTO event SELECT i, n, now(), 'file', 'centre', i, '{"a": 1}' FROM unnest($1::uuid[]) i, generate_series(1, 3) n
""",
    """
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, state, created_at, next_at)
SELECT gen_random_uuid(), i, 's', n, n, 'm', '', ($2::text[])[1 + (n + ascii(right(i::text, 1))) % cardinality($2)],
       now(), now()
  FROM unnest($1::uuid[]) i, generate_series(1, 5) n
""",
)
_LATER = "to_jsonb(t) - 'digest' - 'xact'"  # without the columns that later revisions add
_ALL = f"SELECT count(*), md5(string_agg(CAST({_LATER} AS text), ',' ORDER BY CAST({_LATER} AS text))) FROM {{}} t"


def test_a_database_with_rows_is_parted_without_losing_one(empty_database_url: str) -> None:
    url, now = empty_database_url, datetime.now(UTC)
    asyncio.run(migrate(url, BEFORE_MONTHS))
    times = [
        now - timedelta(days=400),
        now - timedelta(days=35),
        now,
        now + timedelta(days=40),
        now + timedelta(days=200),
    ]
    ids = [new_id(at) for at in times for _ in range(20)]
    asked(url, _EARLIER[0], ids)
    asked(url, _EARLIER[1], ids)
    asked(url, _EARLIER[2], ids, ["acknowledged", "withdrawn", "parked", STATE])
    asked(url, _NOTE, UUID(int=2**128 - 1))
    tables = ("message", "event", "delivery")
    before = [asked(url, _ALL.format(table)) for table in tables]

    assert asyncio.run(migrate(url)) == newest()

    assert [asked(url, _ALL.format(table)) for table in tables] == before
    assert asked(url, "SELECT count(*) FROM delivery_open WHERE state IN ('acknowledged', 'withdrawn')") == [(0,)]
    holding = dict(asked(url, "SELECT CAST(tableoid::regclass AS text), count(*) FROM event GROUP BY 1"))
    soon = Month.of(now + timedelta(days=40))
    assert holding == {"event_before": 180, f"event_{soon}": 60, f"event_{Month.of(times[-1])}": 60}
    assert kept(url, now) == ([], {"message": 1}), "all months are made at once; the wrong clock's row is told of"
    with pytest.raises(asyncpg.UniqueViolationError):
        asked(url, _EARLIER[1], ids[:1])
    with pytest.raises(asyncpg.UniqueViolationError):
        asked(url, _NOTE, ids[0])
