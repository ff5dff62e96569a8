"""One claim for many systems, what waits behind a failed one, tickets, and switches that act at once."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from canonical.errors import Unavailable
from canonical.lifecycle import ActionKind
from storage import outbox
from storage.crew import GONE, Crew, Member
from storage.driver import Collided
from storage.outbox import Claimed, NotOurs, Ticket, Trouble, Wanted
from storage.switches import Switch, Switches, What
from tests.routing.intake_city import NOW, by_source, ordered, reported
from tests.storage.storeroom import LEASE, Storeroom, sent, several, story

K = ActionKind
SECOND = timedelta(seconds=1)
NOT_THERE = Trouble("Unavailable", "connection refused")
NO = Trouble("not_taken", "no")


async def state_of(room: Storeroom, claimed: Claimed, column: str = "state") -> object:
    return await room.scalar(f"SELECT {column} FROM delivery WHERE id = '{claimed.id}'")


async def switch(room: Storeroom, system: str, what: What, *, off: bool) -> bool:
    return await Switches(room.store).set(Switch(system, what, off, room.now, "demo", "test"))


async def followers(room: Storeroom) -> list[object]:
    """When the second message of the only lane to the works is due; None: never."""
    due = "CASE WHEN next_at < 'infinity' THEN next_at END"
    return [await room.scalar(f"SELECT {due} FROM delivery WHERE system = 'works' AND message = 'stop'")]


def test_one_claim_serves_each_system_up_to_its_places_and_lease(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", str(number)) for number in range(5)))
        wanted = [Wanted("hotline", 2, LEASE), Wanted("works", 3, LEASE * 2), Wanted("nobody", 4, LEASE)]
        claimed = await room.outbox.claim(wanted, now=room.now)

        assert sorted(one.system for one in claimed) == ["hotline"] * 2 + ["works"] * 3
        ends = "SELECT count(*) FROM delivery WHERE state = 'sent' AND next_at = timestamptz '{}'"
        assert await room.scalar(ends.format(room.now + LEASE)) == 2
        assert await room.scalar(ends.format(room.now + LEASE * 2)) == 3

    story(database_url, tell)


def test_what_waits_behind_a_failed_one_is_not_due_before_it_and_is_due_when_it_got_through(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), by_source("hotline", "1", K.CANCEL))
        [head] = await room.claim("works")
        await room.settle(outbox.again(head, None, None, NOT_THERE, at=NOW + SECOND * 60))
        assert await followers(room) == [NOW + SECOND * 60]

        room.now = NOW + SECOND * 60
        [head] = await room.claim("works")
        await room.settle(outbox.again(head, None, None, NOT_THERE, at=NOW + SECOND * 600))
        # its word comes late, from the worker that had it first
        await room.settle(outbox.acknowledged(head, sent(head), None, None, at=room.now))
        [following] = await room.claim("works")
        assert following.message == "stop"

    story(database_url, tell)


def test_what_waits_behind_a_parked_one_is_never_due_until_a_person_decides(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), by_source("hotline", "1", K.CANCEL))
        [head] = await room.claim("works")
        await room.settle(outbox.parked(head, None, None, NO, at=NOW, refused=True))
        assert await followers(room) == [None]
        assert await state_of(room, head) == "refused"

        assert await room.outbox.release(head.id, now=NOW)
        assert await followers(room) == [NOW]
        [head] = await room.claim("works")
        await room.settle(outbox.parked(head, None, None, NO, at=NOW))
        assert await room.outbox.withdraw(head.id, "told by phone", now=NOW)
        [following] = await room.claim("works")
        assert following.message == "stop"

    story(database_url, tell)


def test_a_worker_from_before_a_release_cannot_be_mistaken_for_the_one_that_has_it_now(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [early] = await room.claim("works")
        room.now += LEASE + SECOND
        [second] = await room.claim("works")
        await room.settle(outbox.parked(second, None, None, NO, at=room.now))
        await room.outbox.release(second.id, now=room.now)
        [living] = await room.claim("works")
        assert (living.attempts, early.attempts) == (1, 1)

        assert not await room.send(early, sent(early))
        await room.settle(outbox.parked(early, None, None, NO, at=room.now))
        assert await state_of(room, living) == "sent"

    story(database_url, tell)


def test_the_late_word_that_a_doubt_had_arrived_settles_what_was_parked_for_it(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), by_source("hotline", "1", K.CANCEL))
        [early] = await room.claim("works")
        assert await room.send(early, sent(early))
        room.now += LEASE + SECOND
        [second] = await room.claim("works")
        unclear = Trouble("InDoubt", "may have arrived", in_doubt=True)
        await room.settle(outbox.parked(second, None, None, unclear, at=room.now))

        await room.settle(outbox.acknowledged(early, sent(early), None, None, at=room.now))
        assert await state_of(room, early) == "acknowledged"
        [following] = await room.claim("works")
        assert following.message == "stop"

    story(database_url, tell)


def test_sending_that_is_switched_off_holds_what_waits_and_what_was_claimed_and_loses_nothing(
    database_url: str,
) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        [claimed] = await room.claim("works", limit=1)
        assert await switch(room, "works", What.SENDING, off=True)
        assert not await switch(room, "works", What.SENDING, off=True)

        assert not await room.send(claimed, sent(claimed))
        await room.settle(outbox.put_off(claimed, "", at=room.now))
        assert (await state_of(room, claimed), await state_of(room, claimed, "attempts")) == ("pending", 0)
        assert await room.claim("works") == []
        assert len(await room.claim("hotline")) == 2

        await switch(room, "works", What.SENDING, off=False)
        assert len(await room.claim("works")) == 2

    story(database_url, tell)


def test_retry_that_is_switched_off_parks_what_was_tried_and_on_again_wakes_none_of_it(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"), reported("hotline", "3"))
        tried, under_way = await room.claim("works", limit=2)
        await room.settle(outbox.again(tried, None, None, NOT_THERE, at=NOW + SECOND))
        await switch(room, "works", What.RETRY, off=True)
        await room.outbox.park_tried(now=NOW)
        await room.settle(outbox.again(under_way, None, None, NOT_THERE, at=NOW + SECOND))

        room.now = NOW + SECOND * 2
        [fresh] = await room.claim("works")  # what was never tried goes on
        assert fresh.id not in {tried.id, under_way.id}
        await room.outbox.park_tried(now=room.now)
        assert [one.why for one in await room.outbox.stuck()] == ["retry_off", "retry_off"]

        await switch(room, "works", What.RETRY, off=False)
        room.now += timedelta(days=400)
        assert {one.id for one in await room.claim("works")} == {fresh.id}

    story(database_url, tell)


def test_the_end_of_an_outage_makes_due_what_waited_for_it_but_not_what_was_asked_to_wait(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, second = await room.claim("works")
        await room.settle(outbox.again(first, None, None, NOT_THERE, at=NOW + SECOND * 300))
        await room.settle(outbox.again(second, None, None, Trouble("Throttled", "503"), at=NOW + SECOND * 300))

        assert await room.outbox.wake_up("works", now=NOW + SECOND) == 1
        room.now = NOW + SECOND
        assert [one.id for one in await room.claim("works")] == [first.id]

    story(database_url, tell)


def test_of_a_ticket_that_came_twice_or_too_late_nothing_comes(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), by_source("hotline", "1", K.CANCEL))
        wanted = [Wanted("works", 10, LEASE)]
        [ticket] = await room.outbox.offer(wanted, now=room.now)
        assert await room.outbox.offer(wanted, now=room.now) == []  # neither again, nor what stands behind it

        [claimed] = await room.outbox.claim_offered([ticket, ticket], now=room.now, lease=LEASE)
        assert await room.outbox.claim_offered([ticket], now=room.now, lease=LEASE) == []
        await room.settle(outbox.again(claimed, None, None, NOT_THERE, at=room.now))
        assert await room.outbox.claim_offered([ticket], now=room.now, lease=LEASE) == []

        [fresh] = await room.outbox.offer(wanted, now=room.now)
        assert fresh == Ticket(ticket.id, "works", 1)
        room.now += LEASE + SECOND  # it was lost: offered again, and both are good until one is taken up
        assert await room.outbox.offer(wanted, now=room.now) == [fresh]

    story(database_url, tell)


def test_a_delivery_whose_worker_was_lost_is_offered_in_doubt(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        assert await room.send(claimed, sent(claimed))
        room.now += LEASE + SECOND
        [ticket] = await room.outbox.offer([Wanted("works", 1, LEASE)], now=room.now)
        assert await state_of(room, claimed) == "in_doubt"
        [again] = await room.outbox.claim_offered([ticket], now=room.now, lease=LEASE)

        assert again.in_doubt

    story(database_url, tell)


def test_a_batch_settles_each_as_it_ended_and_lets_those_leave_that_are_still_ours(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", str(number)) for number in range(4)))
        claimed = await room.claim("works")
        room.now += LEASE + SECOND
        [taken_over] = await room.claim("works", limit=1)
        [lost] = [one for one in claimed if one.id == taken_over.id]
        rest = [one for one in claimed if one is not lost]
        sealed = [outbox.Sealed(one, sent(one), room.now + LEASE) for one in (lost, *rest)]
        await room.scalar("UPDATE delivery SET next_at = now() + interval '1 year' WHERE state = 'sent' RETURNING 1")

        assert await room.outbox.sending(sealed) == {one.id for one in rest}
        assert await room.count("message WHERE direction = 'out'") == 3
        good, bad, later = rest
        await room.outbox.settle(
            [
                outbox.acknowledged(good, sealed[1].message, sent(good, b"<ok/>"), None, at=room.now),
                outbox.parked(bad, sealed[2].message, None, NO, at=room.now, refused=True),
                outbox.again(later, sealed[3].message, None, NOT_THERE, at=room.now),
            ]
        )
        assert [await state_of(room, one) for one in rest] == ["acknowledged", "refused", "pending"]

    story(database_url, tell)


def test_a_question_of_a_worker_that_lost_its_delivery_is_not_asked(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [early] = await room.claim("works")
        room.now += LEASE + SECOND
        await room.claim("works")
        with pytest.raises(NotOurs) as caught:
            await room.outbox.asking(early, sent(early), lease=room.now + LEASE)
        assert isinstance(caught.value, Unavailable)
        assert await room.count("message WHERE direction = 'out'") == 0

    story(database_url, tell)


def test_workers_know_of_each_other_until_one_is_not_seen_or_leaves(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        crew = Crew(room.store)
        ids = [room.reception.ids() for _ in range(3)]
        members = [Member(one, "host", n, roles, NOW, NOW) for n, (one, roles) in enumerate(
            zip(ids, ("deliver", "deliver poll", "poll"), strict=True))]  # fmt: skip
        for member in members:
            await crew.seen(member, "deliver")
        assert await crew.seen(members[0], "deliver") == sorted(ids[:2])
        assert sorted(one.pid for one in await crew.living(NOW)) == [0, 1, 2]

        await crew.leave(ids[1])
        assert await crew.seen(members[0], "deliver") == [ids[0]]
        assert await crew.living(NOW + GONE + SECOND) == []

    story(database_url, tell)


def test_two_processes_that_claim_for_many_systems_at_once_share_and_do_not_wait(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 2) as rooms:
            await rooms[0].take(*(reported("hotline", str(number)) for number in range(40)))
            wanted = [Wanted("works", 30, LEASE), Wanted("hotline", 30, LEASE)]
            both = await asyncio.gather(*(room.outbox.claim(wanted, now=NOW) for room in rooms))
            ids = [one.id for claimed in both for one in claimed]

            assert len(ids) == len(set(ids)) >= 60
            assert await rooms[0].count("delivery WHERE state = 'sent'") == len(ids)

    asyncio.run(race())


def test_a_message_for_a_lane_that_waits_for_a_person_waits_too(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [head] = await room.claim("works")
        await room.settle(outbox.parked(head, None, None, NO, at=NOW))
        await room.take(ordered(head.case.no, K.CANCEL, reason="test"))

        assert await room.claim("works") == []
        assert await room.outbox.offer([Wanted("works", 5, LEASE)], now=room.now) == []

    story(database_url, tell)


def test_two_endings_of_one_delivery_at_once_leave_one_word_and_no_error_that_parks_it(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 2) as rooms:
            await rooms[0].take(*(reported("hotline", str(number)) for number in range(20)))
            claimed = await rooms[0].claim("works", limit=20)
            ended = [outbox.acknowledged(one, sent(one), None, None, at=NOW) for one in claimed]

            async def settled(room: Storeroom) -> None:
                for one in ended:
                    with suppress(Collided):  # whoever lost looks again
                        await room.outbox.settle([one])

            await asyncio.gather(*(settled(room) for room in rooms for _ in range(2)))
            assert await rooms[0].count("delivery WHERE system = 'works' AND state = 'acknowledged'") == 20

    asyncio.run(race())
