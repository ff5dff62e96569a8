"""Retention: evidence stays, whatever else is cut; what remains is whole; every cut stands in the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from canonical.case import Action, Actor
from canonical.ids import new_id
from canonical.lifecycle import ActionKind, Party
from canonical.records import Arrival, Command
from canonical.rights import EVERYTHING
from storage.partitions import keep_months
from storage.retention import BATCH, Cut, Retention
from storage.retention_rules import YEAR, Keep
from tests.routing.intake_city import NOW, message, reported
from tests.storage.storeroom import WAITING, Storeroom, opened, story, with_body

DAY = timedelta(days=1)
KEEP = Keep(debugging=90 * DAY, debugging_bodies=30 * DAY, refusals=3 * YEAR, evidence=2 * YEAR, evidence_bodies=YEAR)
AGES = st.sampled_from([1, 20, 40, 100, 380, 700, 800, 1200])
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
LOOSE = ("noted", "counted", "repeated", "split", "refused", "quarantined", "held")


@dataclass(frozen=True, slots=True)
class Tale:
    """What happened to one case, in days before now."""

    opened: int
    ended: int | None
    settled: bool
    merged: bool
    """Into the first case, rather than cancelled."""


@st.composite
def tales(draw: st.DrawFn) -> Tale:
    """A case that may have ended after it began."""
    began = draw(AGES)
    ended = draw(st.none() | AGES.filter(lambda age: age <= began))
    return Tale(began, ended, draw(st.booleans()), draw(st.booleans()))


def at(days: int) -> datetime:
    """So many days before now."""
    return NOW - days * DAY


async def order(room: Storeroom, no: str, kind: ActionKind, days: int, **more: Any) -> None:
    """What the centre ordered then."""
    action = Action(kind=kind, actor=Actor(party=Party.CENTRE, id="li"), at=at(days), reason="test", **more)
    room.now = at(days)
    await room.take(Arrival(message("centre", at(days)), Command(no, action)))


async def note(
    room: Storeroom, verdict: str, days: int, *, direction: str = "in", parent: UUID | None = None,
    body: bytes = b"body",
) -> UUID:  # fmt: skip
    """A journal row of no case."""
    id_ = new_id(at(days))
    values = {"id": id_, "at": at(days), "direction": direction, "parent": parent, "body": body, "verdict": verdict}
    async with room.store.transaction() as transaction:
        await transaction.connection.execute(_NOTE, values)
    return id_


_NOTE = text("""
INSERT INTO message VALUES
  (:id, :at, :direction, 'hotline', '', :parent, '', '', 0, :body, :verdict, '', '', '', false, '', NULL, '')
""")


async def tell(room: Storeroom, tales: Sequence[Tale]) -> list[str]:
    """Let it happen, the ends in the order of their days; the numbers of the cases."""
    numbers = []
    for number, tale in enumerate(tales):
        room.now = at(tale.opened)
        [outcome] = await room.take(with_body(reported("hotline", f"t{number}", at=at(tale.opened)), b"report"))
        numbers.append(outcome.case_no)
    for number, tale in sorted(enumerate(tales), key=lambda one: (-(one[1].ended or 0), one[0] == 0)):
        if tale.ended is not None:
            merged = tale.merged and number
            kind, more = (ActionKind.MERGE, {"target": numbers[0]}) if merged else (ActionKind.CANCEL, {})
            await order(room, numbers[number], kind, tale.ended, **more)
    for no, tale in zip(numbers, tales, strict=True):
        if tale.settled:
            done = f"UPDATE delivery SET state = 'acknowledged' WHERE case_id = '{await case_id(room, no)}'"
            await room.scalar(f"{done} RETURNING 1")
    return numbers


def refused(tale: Tale, first: Tale) -> bool:
    """It was to be merged into a case that had ended before: it stays open."""
    return tale.merged and tale.ended is not None and first.ended is not None and first.ended > tale.ended


async def case_id(room: Storeroom, no: str) -> UUID:
    found: UUID = await room.scalar(f"SELECT id FROM cases WHERE no = '{no}'")
    return found


async def cut(room: Storeroom, keep: Keep = KEEP) -> list[Cut]:
    """As many runs as there is something to cut: pages go after their parts."""
    room.now = NOW
    await keep_months(room.store, NOW)
    found: list[Cut] = []
    while cuts := await Retention(room.store, keep, run=uuid4()).cut(lambda: NOW):
        found += cuts
    return found


async def rows(room: Storeroom, query: str) -> list[Any]:
    async with room.store.transaction() as transaction:
        return [tuple(row) for row in await transaction.connection.execute(text(query))]


_EMPTY = "TRUNCATE message, cases, event, binding, delivery, attachment, alarm, retention_cut"


@settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(tales(), max_size=5), st.lists(st.tuples(st.sampled_from(LOOSE), AGES), max_size=8),
    st.lists(st.tuples(AGES, st.lists(st.sampled_from(["case", "noted", "quarantined"]), max_size=3)), max_size=3),
)  # fmt: skip
def test_no_evidence_is_ever_cut_and_what_remains_is_whole(
    database_url: str, cases: list[Tale], loose: list[tuple[str, int]], pages: list[tuple[int, list[str]]]
) -> None:
    async def run() -> None:
        async with opened(database_url) as room:
            async with room.store.transaction() as transaction:
                await transaction.connection.execute(text(_EMPTY))
            numbers = await tell(room, cases)
            made: list[tuple[UUID, int, list[tuple[UUID, str]]]] = []
            singles = [(await note(room, verdict, days), verdict, days) for verdict, days in loose]
            for days, words in pages:
                page = await note(room, "split", days)
                inner = [await note(room, verdict, days, parent=page, body=b"") for verdict in words]
                for one, verdict in zip(inner, words, strict=True):
                    if verdict == "case" and numbers:
                        owner = await case_id(room, numbers[0])
                        await room.scalar(f"UPDATE message SET case_id = '{owner}' WHERE id = '{one}' RETURNING 1")
                made.append((page, days, list(zip(inner, words, strict=True))))
            before = await room.count("message")

            found = await cut(room)

            # Which cases have to stay, told by the tales alone.
            open_ = [bool(i) and refused(tale, cases[0]) for i, tale in enumerate(cases)]
            ended = [
                tale.ended is not None and tale.ended > 730 and tale.settled and not still
                for tale, still in zip(cases, open_, strict=True)
            ]
            merged = [
                i for i, tale in enumerate(cases) if i and tale.merged and tale.ended is not None and not open_[i]
            ]
            whole = all(ended[i] for i in (0, *merged)) if cases else False
            goes = [whole if i in (0, *merged) else gone for i, gone in enumerate(ended)]
            left = {row[0] for row in await rows(room, "SELECT no FROM cases")}
            assert left == {no for no, gone in zip(numbers, goes, strict=True) if not gone}
            for no in left:
                journey = await room.casebook.journey(no, scope=EVERYTHING)
                assert journey is not None
                assert len(journey.events) == journey.case.version
                assert journey.bindings or journey.case.merged_into, "its numbers went with it to the other case"

            # Every message of a case that stays, and what is undecided, is there; pages with a part that stays, whole.
            there = dict(await rows(room, "SELECT id, octet_length(body) FROM message"))
            for id_, verdict, days in singles:
                limit = {"refused": 1095, "quarantined": 9999, "held": 9999}.get(verdict, 90)
                assert (id_ in there) == (days < limit), (verdict, days)
            for page, days, parts in made:
                kept = [
                    one for one, verdict in parts
                    if verdict == "quarantined" or days < 90 or (verdict == "case" and numbers and not goes[0])
                    or (verdict == "case" and not numbers)
                ]  # fmt: skip
                assert [part[0] for part in parts if part[0] in there] == kept
                assert (page in there) == bool(kept or days < 90)
                if kept:
                    assert there[page] == len(b"body"), "its parts have no bytes of their own"
            assert not await rows(
                room, "SELECT 1 FROM message c LEFT JOIN message p ON p.id = c.parent WHERE c.parent IS NOT NULL"
                " AND c.direction = 'in' AND p.id IS NULL",
            )  # fmt: skip

            # The ledger says how many went.
            told = sum(one.rows for one in found if one.what in {"rows", "month"})
            of_cases = await room.scalar("SELECT count(*) FROM retention_cut WHERE what = 'cases'")
            assert bool(of_cases) == any(goes)
            if not any(goes):
                assert before - len(there) == told
            assert {
                (r.what, r.part): r.rows for r in await Retention(room.store, KEEP, run=uuid4()).ledger()
            }.keys() >= {(one.what, one.part) for one in found if one.rows}

    asyncio.run(run())


def test_counting_cuts_nothing_and_says_what_cutting_does(database_url: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        for days in (1, 50, 100, 200):
            await note(room, "noted", days)
        retention = Retention(room.store, Keep(), run=uuid4())

        counted = {(one.class_, one.what): (one.rows, one.bytes) for one in await retention.counted(NOW)}

        assert counted == {("debugging", "bodies"): (3, 12), ("debugging", "rows"): (2, 8)}
        assert await room.count("message") == 4
        assert await room.count("retention_cut") == 0
        await cut(room, Keep())
        assert await room.count("message") == 2

    story(database_url, tell_it)


def test_a_removed_body_leaves_its_digest_and_cannot_be_read_again(database_url: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        id_ = await note(room, "noted", 40, body=b"a heartbeat")

        await cut(room, Keep())

        found = await room.journal.message(id_)
        assert found is not None
        row, whole = found
        assert (row.digest, row.size, whole.body) == (sha256(b"a heartbeat").hexdigest(), 0, b"")
        [arrival] = room.reception.read(whole)
        assert f"removed by retention and cannot be read again; their SHA-256 was {row.digest}" in str(arrival.content)

    story(database_url, tell_it)


def test_bodies_of_an_ended_case_go_before_its_facts(database_url: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        await tell(room, [Tale(500, ended, settled=True, merged=False) for ended in (400, 300)])

        await cut(room)

        bodies = await rows(
            room, "SELECT external_id, octet_length(body), digest <> '' FROM message WHERE kind = 'report'"
        )
        assert sorted(bodies) == [("t0", 0, True), ("t1", 6, False)]
        assert await room.count("cases") == 2

    story(database_url, tell_it)


def test_a_case_that_is_reopened_while_it_would_be_cut_stays(database_url: str) -> None:
    """Judged under the lock that every action takes: whoever comes first decides."""

    async def tell_it(room: Storeroom) -> None:
        [no] = await tell(room, [Tale(opened=900, ended=800, settled=True, merged=False)])
        async with room.store.transaction() as acting:
            await acting.connection.execute(text(f"SELECT 1 FROM cases WHERE no = '{no}' FOR UPDATE"))
            cutting = asyncio.create_task(cut(room))
            while not await room.scalar(WAITING):
                assert not cutting.done()
            await acting.connection.execute(text(f"UPDATE cases SET stage = 'handling' WHERE no = '{no}'"))
        await cutting

        assert await room.scalar("SELECT count(*) FROM event") > 0
        await room.scalar("UPDATE cases SET stage = state ->> 'stage' RETURNING 1")

    story(database_url, tell_it)


def test_a_month_in_which_nothing_has_to_stay_goes_as_a_whole(database_url: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        for _ in range(3):
            await note(room, "refused", 1300)
        page = await note(room, "split", 1400)
        await note(room, "noted", 1400, parent=page, body=b"")
        staying = await note(room, "quarantined", 1200)
        await keep_months(room.store, NOW)

        found = {one.part: one.rows for one in await cut(room) if one.what == "month" and one.rows}

        assert sorted(found.values()) == [2, 3]
        assert [row[0] for row in await rows(room, "SELECT id FROM message")] == [staying]
        assert not await rows(room, f"SELECT 1 FROM pg_class WHERE relname IN ({', '.join(map(repr, found))})")

    story(database_url, tell_it)


def test_a_month_that_is_dropped_never_ends_in_a_deadlock_with_whoever_reads_it(database_url: str) -> None:
    """A reader that has the table already gets its months; one that keeps it for long is not pushed aside."""

    async def tell_it(room: Storeroom) -> None:
        for _ in range(3):
            await note(room, "refused", 1300)
        await keep_months(room.store, NOW)
        [[month]] = await rows(room, "SELECT DISTINCT CAST(tableoid::regclass AS text) FROM message")
        there = f"SELECT 1 FROM pg_class WHERE relname = '{month}'"
        async with room.store.transaction() as reading:
            await reading.connection.execute(text("LOCK TABLE ONLY message IN ACCESS SHARE MODE"))
            cutting = asyncio.create_task(cut(room))
            while not await room.scalar(WAITING):
                assert not cutting.done()
                await asyncio.sleep(0.01)
            assert (await reading.connection.execute(text("SELECT count(*) FROM message"))).scalar_one() == 3
            assert [one.what for one in await cutting if one.rows] == ["rows"], "row by row: the table was in use"
            assert await rows(room, there)
        await cut(room)
        assert not await rows(room, there)

    story(database_url, tell_it)


def test_it_can_be_stopped_after_any_batch_and_the_ledger_is_right(database_url: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        await room.scalar(_MANY.format(BATCH * 3))
        retention = Retention(room.store, replace(Keep(), debugging_bodies=None), run=uuid4())

        async def enough(_: float) -> bool:
            return True

        found = await retention.cut(lambda: NOW, rest=enough)

        assert [one.rows for one in found or []] == [BATCH]
        [row] = await retention.ledger()
        assert (row.class_, row.what, row.rows, row.before) == ("debugging", "rows", BATCH, NOW - 90 * DAY)
        assert await room.count("message") == BATCH * 2
        assert await retention.cut(lambda: NOW), "the next run goes on"
        assert await room.count("message") == 0

    story(database_url, tell_it)


_MANY = """
WITH made AS (INSERT INTO message
SELECT CAST(lpad(to_hex(1700000000000 + i), 12, '0') || '70008000000000000000' AS uuid), now(), 'in', 's', '', NULL, '',
       '', 0, 'b', 'noted', '', '', '', false, '', NULL, '' FROM generate_series(1, {}) i RETURNING 1)
SELECT count(*) FROM made
"""


def test_two_do_not_cut_at_once(database_url: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        await room.scalar(_MANY.format(BATCH * 2))
        others: list[object] = []

        async def meanwhile(_: float) -> bool:
            others.append(await Retention(room.store, Keep(), run=uuid4()).cut(lambda: NOW))
            return False

        assert await Retention(room.store, Keep(), run=uuid4()).cut(lambda: NOW, rest=meanwhile)
        assert set(others) == {None}

    story(database_url, tell_it)


@pytest.mark.parametrize("kept", ["debugging", "debugging_bodies", "refusals"])
def test_what_is_kept_for_ever_is_not_looked_at(database_url: str, kept: str) -> None:
    async def tell_it(room: Storeroom) -> None:
        await note(room, "noted", 1400)
        await note(room, "refused", 1400)
        found = await cut(room, replace(Keep(), **{kept: None}))
        words = {"debugging": "rows", "debugging_bodies": "bodies", "refusals": "rows"}
        assert not [one for one in found if one.class_ == kept.removesuffix("_bodies") and one.what == words[kept]]

    story(database_url, tell_it)
