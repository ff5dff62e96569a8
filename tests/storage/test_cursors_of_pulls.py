"""Cursors: one process at a time, no earlier than due, and a failed window is asked again."""

import asyncio
from datetime import timedelta
from typing import Any

from storage.cursors import Turn
from tests.routing.intake_city import NOW
from tests.storage.storeroom import LEASE, Storeroom, several, story

MINUTE = timedelta(minutes=1)


async def turn(room: Storeroom, after: timedelta = timedelta(), pull: str = "cases") -> Turn | None:
    return await room.cursors.claim("works", pull, every=MINUTE, now=NOW + after, lease=LEASE)


def test_the_first_turn_has_no_window_behind_it_and_the_next_begins_where_it_ended(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        assert await turn(room) == Turn(None)
        await room.cursors.moved("works", "cases", NOW - MINUTE, now=NOW)

        assert await turn(room, MINUTE) == Turn(NOW - MINUTE)

    story(database_url, tell)


def test_nobody_pulls_before_it_is_due(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room)
        await room.cursors.moved("works", "cases", NOW, now=NOW)

        assert await turn(room, MINUTE - timedelta(seconds=1)) is None
        assert await turn(room, MINUTE) is not None

    story(database_url, tell)


def test_of_many_processes_one_has_the_turn(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 4) as rooms:
            turns = await asyncio.gather(*(turn(room) for room in rooms))
        assert sorted(one is None for one in turns) == [False, True, True, True]

    asyncio.run(race())


def test_a_lost_processs_turn_is_taken_over_when_its_lease_has_run_out(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room)

        assert await turn(room, LEASE) is None
        assert await turn(room, LEASE + MINUTE) == Turn(None)

    story(database_url, tell)


def test_after_a_failure_the_same_window_is_asked_again_and_the_trouble_can_be_seen(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room)
        await room.cursors.moved("works", "cases", NOW, now=NOW)
        await turn(room, MINUTE)
        await room.cursors.failed("works", "cases", "x" * 600, now=NOW + MINUTE)

        assert await room.scalar("SELECT trouble FROM cursor") == "x" * 500
        assert await turn(room, 2 * MINUTE) == Turn(NOW)
        await room.cursors.moved("works", "cases", NOW + MINUTE, now=NOW + 2 * MINUTE)
        assert await room.scalar("SELECT trouble FROM cursor") == ""

    story(database_url, tell)


def test_a_turn_that_could_not_be_given_back_is_ours_again_and_nobody_elses(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room)
        await room.cursors.keep("works", "cases", None, lease=NOW + LEASE)
        ours: dict[str, Any] = {"every": MINUTE, "now": NOW + MINUTE, "lease": LEASE}

        assert await room.cursors.claim("works", "cases", **ours) is None
        assert await room.cursors.claim("works", "cases", held=NOW, **ours) is None
        assert await room.cursors.claim("works", "cases", held=NOW + LEASE, **ours) == Turn(None)

    story(database_url, tell)


def test_a_paused_turn_is_due_again_when_it_said_and_keeps_what_was_committed(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room)
        await room.cursors.keep("works", "cases", NOW - MINUTE, lease=NOW + LEASE)
        await room.cursors.pause("works", "cases", again=NOW + MINUTE / 2, trouble="later")

        assert await turn(room, MINUTE / 2) is None
        assert await turn(room, MINUTE / 2 + MINUTE / 60) == Turn(NOW - MINUTE)
        await room.cursors.pause("works", "cases", again=None)
        assert await turn(room, MINUTE / 2 + MINUTE / 60) == Turn(NOW - MINUTE)

    story(database_url, tell)


def test_a_cursor_never_goes_back_though_a_slower_process_ends_later(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room)
        await room.cursors.moved("works", "cases", NOW, now=NOW)
        await turn(room, MINUTE)
        await room.cursors.keep("works", "cases", NOW - MINUTE, lease=NOW + LEASE)
        await room.cursors.moved("works", "cases", NOW - MINUTE, now=NOW + MINUTE, trouble="odd")

        assert await room.scalar("SELECT trouble FROM cursor") == "odd"
        assert await turn(room, 2 * MINUTE) == Turn(NOW)

    story(database_url, tell)


def test_a_clock_that_was_set_back_does_not_make_a_pull_wait_for_the_hour_it_came_from(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await turn(room, 60 * MINUTE)
        await room.cursors.moved("works", "cases", NOW, now=NOW + 60 * MINUTE)

        assert await turn(room) == Turn(NOW)

    story(database_url, tell)


def test_pulls_of_one_system_have_cursors_of_their_own(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        assert await turn(room) is not None
        assert await turn(room, pull="statuses") is not None

    story(database_url, tell)
