"""Announcements are there exactly when their events are committed, whoever writes at once, until they are told."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from canonical.lifecycle import ActionKind
from canonical.rights import EVERYTHING
from storage.announcements import Announcements, Unannounced
from tests.routing.intake_city import NOW, ordered, reported
from tests.storage.storeroom import Storeroom, several, story

K = ActionKind
SECOND = timedelta(seconds=1)


def heard(waiting: list[Unannounced]) -> list[tuple[UUID, int]]:
    """(case, seq) of each event, in the order of telling."""
    return [(one.case_id, seq) for one in waiting for seq in range(one.first, one.last + 1)]


def test_nothing_is_kept_for_a_bus_that_is_not_there(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))

        assert await room.count("announcement") == 0
        assert (await Announcements(room.store).backlog()).since is None

    story(database_url, tell)


def test_what_happens_to_a_case_waits_until_it_is_told_and_not_longer(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        announcements = Announcements(room.store)
        assert await announcements.switch_on(NOW)
        assert not await announcements.switch_on(NOW)
        await room.take(reported("hotline", "1"))
        case = await room.case()
        [first] = await announcements.waiting(10)

        assert (first.case_id, first.first, first.last, len(first.events)) == (case.id, 1, case.version, case.version)
        await room.take(ordered(case.no, K.CANCEL, reason="test"))
        both = await announcements.waiting(10)
        assert heard(both) == [(case.id, seq) for seq in range(1, case.version + 2)]
        await announcements.announced([first.position])
        assert [one.first for one in await announcements.waiting(10)] == [case.version + 1]
        backlog = await announcements.backlog()
        assert (backlog.since, backlog.waiting, backlog.set_aside) == (NOW, 1, 0)

    story(database_url, tell)


def test_one_that_cannot_be_told_holds_up_no_other_and_is_not_forgotten(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        announcements = Announcements(room.store)
        await announcements.switch_on(NOW)
        await room.take(reported("hotline", "1"))
        await room.take(reported("hotline", "2"))
        first, second = await announcements.waiting(10)

        await announcements.set_aside(first.position, "unreadable")
        assert await announcements.waiting(10) == [second]
        assert (await announcements.backlog()).set_aside == 1
        assert await announcements.take_up_again() == 1
        assert await announcements.waiting(10) == [first, second]

    story(database_url, tell)


def test_what_happened_in_a_time_is_announced_again_in_order(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        case = await room.case()
        await room.take(ordered(case.no, K.COMMENT, reason="look"))
        announcements = Announcements(room.store)

        assert await announcements.again(NOW + SECOND, NOW + timedelta(days=1)) == 0
        assert await announcements.again(NOW, NOW) == 1
        assert heard(await announcements.waiting(10)) == [(case.id, seq) for seq in range(1, case.version + 2)]

    story(database_url, tell)


def test_switched_off_forgets_what_waits(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        announcements = Announcements(room.store)
        await announcements.switch_on(NOW)
        await room.take(reported("hotline", "1"))

        assert await announcements.switch_off() == 1
        await room.take(reported("hotline", "2"))
        assert await announcements.waiting(10) == []

    story(database_url, tell)


def test_a_transaction_that_ends_late_is_told_all_the_same(database_url: str) -> None:
    """Its row has the lower number, and those after it were told and forgotten long before it is there."""

    async def tell(room: Storeroom) -> None:
        announcements = Announcements(room.store)
        await announcements.switch_on(NOW)
        async with room.store.transaction() as slow:
            await slow.connection.execute(
                text("INSERT INTO announcement (case_id, first, last) VALUES (:i, 1, 1)"), {"i": UUID(int=1)}
            )
            for number in range(3):
                await room.take(reported("hotline", f"{number}"))
            quick = await announcements.waiting(10)
            assert len(quick) == 3
            await announcements.announced([one.position for one in quick])
        [late] = await announcements.waiting(10)

        assert late.case_id == UUID(int=1)
        assert late.position < quick[0].position

    story(database_url, tell)


def test_many_who_write_at_once_and_one_who_tells_skip_nothing_and_keep_each_cases_order(database_url: str) -> None:
    """Four processes report cases and comment on them while a fifth tells and forgets, and loses every third batch."""
    told: list[tuple[UUID, int]] = []

    async def writes(room: Storeroom, name: str) -> None:
        for number in range(12):
            await room.take(*(reported("hotline", f"{name}-{number}-{one}") for one in range(3)))
            for case in (await room.casebook.latest(4, scope=EVERYTHING))[:4]:
                await room.take(ordered(case.no, K.COMMENT, reason="look"))

    async def tells(room: Storeroom, over: asyncio.Event) -> None:
        announcements, turn = Announcements(room.store), 0
        while True:
            ended = over.is_set()
            waiting = await announcements.waiting(7)
            told.extend(heard(waiting))
            turn += 1
            if turn % 3:  # else it died before it could forget them
                await announcements.announced([one.position for one in waiting])
            if ended and not waiting:
                return

    async def all_at_once() -> None:
        async with several(database_url, 5) as rooms:
            await Announcements(rooms[0].store).switch_on(NOW)
            over = asyncio.Event()
            telling = asyncio.create_task(tells(rooms[4], over))
            try:
                await asyncio.gather(*(writes(room, f"{number}") for number, room in enumerate(rooms[:4])))
            finally:
                over.set()
                with suppress(asyncio.CancelledError):
                    await telling
            async with rooms[0].store.transaction() as transaction:
                rows = await transaction.connection.execute(text("SELECT case_id, seq FROM event ORDER BY 1, 2"))
                happened = {(row.case_id, row.seq) for row in rows}
            assert await rooms[0].count("announcement") == 0
        assert set(told) == happened
        assert len(happened) > 4 * 12 * 3
        by_case: dict[UUID, list[int]] = defaultdict(list)
        for case_id, seq in dict.fromkeys(told):
            by_case[case_id].append(seq)
        assert {case_id: seqs for case_id, seqs in by_case.items() if seqs != sorted(seqs)} == {}

    asyncio.run(all_at_once())


def test_what_was_under_way_when_it_was_switched_on_is_announced_whole_or_not_at_all(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        announcements = Announcements(room.store)
        await room.take(reported("hotline", "0"))
        case = await room.case()
        async with room.store.transaction() as slow:  # an event written before, committed after
            await slow.connection.execute(
                text("INSERT INTO event SELECT case_id, seq + 100, at, action, party, NULL, body FROM event LIMIT 1")
            )
            switching = asyncio.create_task(announcements.switch_on(NOW))
            await asyncio.sleep(0.2)
            assert not switching.done()
            await slow.connection.execute(text("DELETE FROM event WHERE seq > 100"))
        assert await switching
        await room.take(ordered(case.no, K.COMMENT, reason="after"))
        assert heard(await announcements.waiting(10)) == [(case.id, case.version + 1)]

    story(database_url, tell)


def test_a_case_with_very_many_events_is_told_without_reading_all_of_them(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        announcements = Announcements(room.store)
        await room.take(reported("hotline", "1"))
        case = await room.case()
        async with room.store.transaction() as transaction:
            copies = "SELECT case_id, seq + n, at, action, party, NULL, body FROM event, generate_series(1, 200) AS n"
            last = f"{copies} WHERE seq = {case.version}"
            await transaction.connection.execute(text(f"INSERT INTO event {last}"))
            many = {"i": case.id, "f": case.version + 200}
            await transaction.connection.execute(
                text("INSERT INTO announcement (case_id, first, last) VALUES (:i, :f, :f)"), many
            )
        [one] = await announcements.waiting(10)
        assert (one.first, len(one.events)) == (case.version + 200, 1)
        async with room.store.transaction() as transaction:
            await transaction.connection.execute(text(f"DELETE FROM event WHERE seq > {case.version}"))

    story(database_url, tell)
