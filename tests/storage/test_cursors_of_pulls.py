"""Cursors: one process at a time, no earlier than due, and a failed window is asked again."""

import asyncio
from datetime import timedelta

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


def test_pulls_of_one_system_have_cursors_of_their_own(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        assert await turn(room) is not None
        assert await turn(room, pull="statuses") is not None

    story(database_url, tell)
