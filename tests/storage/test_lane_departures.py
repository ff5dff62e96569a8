"""What is written while its head is locked leaves with its claim; whatever goes wrong then, nobody has lost it."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from canonical.errors import Unavailable
from storage import driver
from storage.outbox import Claimed, Sealed, Wanted
from storage.switches import Switch, Switches, What
from tests.routing.intake_city import reported
from tests.storage.storeroom import LEASE, Storeroom, sent, several, story

WANTED = [Wanted("works", 10, LEASE)]


def all_of_them(claimed: Sequence[Claimed]) -> list[Sealed | None]:
    """Whatever is due can be written at once."""
    return [Sealed(one, sent(one), one.created_at, one.created_at + LEASE * 2) for one in claimed]


def the_first(claimed: Sequence[Claimed]) -> list[Sealed | None]:
    """Only the first of them can be written at once."""
    return [*all_of_them(claimed[:1]), *(None for _ in claimed[1:])]


async def outgoing(room: Storeroom) -> int:
    """Messages of the journal that went out."""
    return await room.count("message WHERE direction = 'out'")


def test_what_is_written_leaves_and_the_rest_is_merely_taken_up(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", str(number)) for number in range(3)))

        pairs = await room.outbox.depart(WANTED, the_first, now=room.now)

        assert [sealed is not None for _, sealed in pairs] == [True, False, False]
        assert await outgoing(room) == 1
        gone, *held = [one for one, _ in pairs]
        row = "SELECT message_id IS NOT NULL FROM delivery WHERE id = '{}' AND state = 'sent' AND next_at = '{}'"
        assert await room.scalar(row.format(gone.id, gone.created_at + LEASE * 2))
        assert not await room.scalar(row.format(held[0].id, room.now + LEASE))
        assert [(one.attempts, one.claims) for one, _ in pairs] == [(1, 1)] * 3
        assert await room.send(held[0], sent(held[0]))  # and goes on as any other
        assert await room.outbox.depart(WANTED, all_of_them, now=room.now) == []

    story(database_url, tell)


def test_what_left_and_was_never_heard_of_again_is_in_doubt_and_what_was_only_taken_up_is_not(
    database_url: str,
) -> None:  # fmt: skip
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", str(number)) for number in range(2)))
        [(gone, _), (held, _)] = await room.outbox.depart(WANTED, the_first, now=room.now)
        room.now += LEASE * 2

        again = {one.id: one for one, _ in await room.outbox.depart(WANTED, all_of_them, now=room.now)}

        assert (again[gone.id].in_doubt, again[held.id].in_doubt) == (True, False)

    story(database_url, tell)


def test_nothing_leaves_while_sending_is_off_not_even_what_was_written_when_it_went_off(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        off = Switch("works", What.SENDING, True, room.now, "li", "x")

        await Switches(room.store).set(off)
        assert await room.outbox.depart(WANTED, all_of_them, now=room.now) == []
        assert await outgoing(room) == 0

    story(database_url, tell)


def test_one_who_stands_still_in_the_middle_loses_it_to_others_and_nothing_has_left(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_SESSION", driver._SESSION.replace("15000", "200"))

    async def tell() -> None:
        async with several(database_url, 2) as (still, other):
            await still.take(reported("hotline", "1"))

            def stand(claimed: Sequence[Claimed]) -> list[Sealed | None]:
                time.sleep(1.0)
                return all_of_them(claimed)

            with pytest.raises(Unavailable):
                await still.outbox.depart(WANTED, stand, now=still.now)

            [(taken, _)] = await other.outbox.depart(WANTED, all_of_them, now=other.now)
            assert (taken.attempts, taken.in_doubt) == (1, False)
            assert await outgoing(other) == 1

    asyncio.run(tell())
