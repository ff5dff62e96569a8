"""Outbox lanes: in order within a lane, independent between lanes, in one pair of hands at a time."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from uuid import UUID

import pytest

from canonical.case import Binding, BindingRole, Case
from canonical.lifecycle import ActionKind
from canonical.message import Verdict
from canonical.rights import EVERYTHING
from storage import outbox
from storage.outbox import Claimed, Learned, Trouble
from tests.routing.intake_city import NOW, by_owner, by_source, ordered, reported
from tests.storage.storeroom import LEASE, Storeroom, sent, several, story

K = ActionKind
NOT_THERE = Trouble("Unavailable", "connection refused")
SECOND = timedelta(seconds=1)


async def acknowledged(room: Storeroom, claimed: Claimed, binding: Binding | None = None) -> Learned:
    """Sent and taken."""
    message = sent(claimed)
    assert await room.send(claimed, message)
    return await room.settle(outbox.acknowledged(claimed, message, None, binding, at=room.now))


async def parked(room: Storeroom, claimed: Claimed) -> None:
    await room.settle(outbox.parked(claimed, None, None, Trouble("not_taken", "no"), at=room.now))


def identity(case: Case, external_id: str = "w1") -> Binding:
    """What the owner calls the case's present round."""
    return Binding(
        case_id=case.id, system=case.owner, role=BindingRole.OWNER, round=len(case.assignments),
        external_id=external_id, reference=case.reference,
    )  # fmt: skip


async def state_of(room: Storeroom, claimed: Claimed, column: str = "state") -> object:
    return await room.scalar(f"SELECT {column} FROM delivery WHERE id = '{claimed.id}'")


def test_a_claimed_delivery_carries_all_that_its_message_needs(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [to_source], [to_owner] = await room.claim("hotline"), await room.claim("works")
        case = await room.case()

        assert (to_source.message, to_source.action.kind, to_source.case, to_source.attempts) == (
            "taken", K.FILE, case, 1,
        )  # fmt: skip
        assert to_source.binding is not None
        assert to_source.binding.external_id == "1"
        assert (to_owner.message, to_owner.action.kind, to_owner.binding) == ("work", K.DISPATCH, None)
        assert not to_owner.in_doubt

    story(database_url, tell)


def test_the_next_of_a_lane_comes_only_after_the_one_before(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        await room.take(ordered((await room.case()).no, K.CANCEL, reason="test"))

        [first] = await room.claim("works")
        assert await room.claim("works") == []
        await acknowledged(room, first, identity(first.case))
        [second] = await room.claim("works")

        assert [first.message, second.message] == ["work", "stop"]
        assert second.binding is not None
        assert second.binding.external_id == "w1"  # learned from the answer to the first

    story(database_url, tell)


def test_another_systems_lane_does_not_wait(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        [first, second] = await room.claim("works")
        await parked(room, first)

        assert len(await room.claim("hotline")) == 2
        assert first.case.id != second.case.id

    story(database_url, tell)


def test_many_claimers_never_hold_one_delivery_twice_nor_two_of_one_lane(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 4) as rooms:
            await rooms[0].take(*(reported("hotline", str(number)) for number in range(30)))
            await rooms[0].take(*(by_source("hotline", str(number), K.CANCEL) for number in range(30)))
            taken: dict[UUID, list[str]] = defaultdict(list)
            in_hand: set[UUID] = set()

            async def work(room: Storeroom) -> None:
                idle = 0
                while idle < 5:
                    claimed = await room.claim("works", limit=3)
                    idle = 0 if claimed else idle + 1
                    for one in claimed:
                        assert one.case.id not in in_hand
                        in_hand.add(one.case.id)
                        taken[one.case.id].append(one.message)
                    await asyncio.sleep(0)
                    for one in claimed:
                        # Out of hand before the commit: afterwards another may rightly hold the lane at once.
                        in_hand.remove(one.case.id)
                        await acknowledged(room, one)
                    if not claimed:
                        await asyncio.sleep(0.02)

            await asyncio.gather(*(work(room) for room in rooms for _ in range(2)))
            assert list(taken.values()) == [["work", "stop"]] * 30
            assert await rooms[0].count("delivery WHERE system = 'works' AND state = 'acknowledged'") == 60

    asyncio.run(race())


def test_a_living_lease_is_respected_and_a_dead_one_taken_over(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        await room.claim("works")
        room.now = NOW + LEASE - SECOND
        assert await room.claim("works") == []
        room.now += SECOND
        [again] = await room.claim("works")

        assert again.attempts == 2

    story(database_url, tell)


@pytest.mark.parametrize("journalled", [False, True])
def test_a_lost_workers_delivery_is_in_doubt_only_if_its_message_had_been_written(
    database_url: str, journalled: bool
) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        if journalled:
            assert await room.send(claimed, sent(claimed))
        room.now = NOW + LEASE + SECOND
        [again] = await room.claim("works")

        assert again.in_doubt is journalled

    story(database_url, tell)


def test_a_doubt_stays_when_the_second_worker_is_lost_before_it_wrote(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        assert await room.send(claimed, sent(claimed))
        for _ in range(2):
            room.now += LEASE + SECOND
            [claimed] = await room.claim("works")

        assert claimed.in_doubt

    story(database_url, tell)


def test_what_was_not_taken_is_tried_again_when_it_is_due(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        await room.settle(outbox.again(claimed, None, None, NOT_THERE, at=NOW + SECOND))

        assert await room.claim("works") == []
        room.now = NOW + SECOND
        [again] = await room.claim("works")
        assert (again.attempts, again.in_doubt) == (2, False)
        assert await state_of(room, again, "text") == "connection refused"

    story(database_url, tell)


def test_a_retry_in_doubt_says_so_to_the_next_worker(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        await room.settle(outbox.again(claimed, None, None, Trouble("InDoubt", "no answer", in_doubt=True), at=NOW))
        [again] = await room.claim("works")

        assert again.in_doubt

    story(database_url, tell)


def test_a_worker_that_was_taken_for_dead_cannot_put_back_or_park_what_another_holds(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [late] = await room.claim("works")
        on_its_way = sent(late)
        assert await room.send(late, on_its_way)
        room.now = NOW + LEASE + SECOND
        [living] = await room.claim("works")

        assert not await room.send(late, sent(late))
        await room.settle(outbox.again(late, None, None, NOT_THERE, at=NOW))
        await parked(room, late)
        assert await state_of(room, living) == "sent"
        assert await room.claim("works") == []

        # What was taken is taken, whoever sent it.
        await room.settle(outbox.acknowledged(late, on_its_way, None, None, at=room.now))
        assert await state_of(room, living) == "acknowledged"
        await parked(room, living)
        assert await state_of(room, living) == "acknowledged"

    story(database_url, tell)


def test_a_parked_delivery_blocks_its_lane_and_no_other(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        await room.take(by_source("hotline", "1", K.CANCEL), by_source("hotline", "2", K.CANCEL))
        stuck, free = await room.claim("works")
        await parked(room, stuck)
        await acknowledged(room, free)

        [following] = await room.claim("works")
        assert (following.case.id, following.message) == (free.case.id, "stop")
        [waiting] = await room.outbox.stuck()
        assert (waiting.id, waiting.case_no, waiting.why, waiting.attempts) == (
            stuck.id, stuck.case.no, "not_taken", 1,
        )  # fmt: skip

    story(database_url, tell)


def test_a_released_delivery_begins_anew_and_a_withdrawn_one_lets_the_lane_go_on(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), by_source("hotline", "1", K.CANCEL))
        [claimed] = await room.claim("works")
        await parked(room, claimed)

        assert await room.outbox.release(claimed.id, now=NOW) is True
        assert await room.outbox.release(claimed.id, now=NOW) is False
        [again] = await room.claim("works")
        assert (again.id, again.attempts) == (claimed.id, 1)

        await parked(room, again)
        assert await room.outbox.withdraw(again.id, "told by phone", now=NOW) is True
        assert await room.outbox.withdraw(again.id, "told by phone", now=NOW) is False
        assert await state_of(room, again, "text") == "told by phone"
        [following] = await room.claim("works")
        assert following.message == "stop"
        assert await room.outbox.stuck() == []

    story(database_url, tell)


def test_only_parked_deliveries_are_released_or_withdrawn(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")

        assert await room.outbox.release(claimed.id, now=NOW) is False
        assert await room.outbox.withdraw(claimed.id, "x", now=NOW) is False

    story(database_url, tell)


def test_the_message_and_its_answer_stand_in_the_journal_with_the_verdict(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        message, answer = sent(claimed, b"<work/>"), sent(claimed, b"<ok/>")
        assert await room.send(claimed, message)
        [row] = await room.journal.rows(direction="out")
        assert row.verdict == Verdict.WAITING

        await room.settle(outbox.acknowledged(claimed, message, answer, None, at=NOW))

        rows = {row.direction: row for row in await room.journal.rows(case_no=claimed.case.no)}
        assert (rows["out"].verdict, rows["answer"].verdict) == (Verdict.ACKNOWLEDGED, Verdict.ACKNOWLEDGED)
        found = await room.journal.message(answer.id)
        assert found is not None
        assert found[1].body == b"<ok/>"

    story(database_url, tell)


def test_an_identity_is_news_only_once(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, second = await room.claim("works")
        binding = identity(first.case)

        assert await acknowledged(room, first, binding) is Learned.IDENTITY
        assert await acknowledged(room, second, binding) is Learned.NOTHING
        assert await room.count("binding WHERE system = 'works'") == 1

    story(database_url, tell)


def test_a_message_still_on_its_way_when_its_case_is_merged_finds_its_address(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, second = await room.casebook.find(scope=EVERYTHING)
        await room.take(ordered(first.no, K.MERGE, reason="the same", target=second.no))

        claimed = {one.case.no: one for one in await room.claim("hotline")}
        binding = claimed[first.no].binding

        assert claimed[first.no].message == "taken"
        assert binding is not None
        assert binding.external_id == "1"

    story(database_url, tell)


def test_a_later_round_lends_an_earlier_message_no_number(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        case = await room.case()
        await room.take(
            ordered(case.no, K.RETURN, reason="not theirs"),
            ordered(case.no, K.RETURN, reason="nor theirs"),
            ordered(case.no, K.REDISPATCH, unit="u1", reason="it is"),
        )
        [first] = await room.claim("works")
        assert first.case.reference == f"{case.no}-1"

        await acknowledged(room, first)
        [third] = await room.claim("works")
        assert (third.action.kind, third.case.reference) == (K.REDISPATCH, f"{case.no}-3")

    story(database_url, tell)


def test_an_id_that_is_another_cases_already_is_told_and_neither_lost_nor_stolen(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, second = await room.claim("works")
        assert await acknowledged(room, first, identity(first.case, "batch-7")) is Learned.IDENTITY
        assert await acknowledged(room, second, identity(second.case, "batch-7")) is Learned.CONFLICT

        [waiting] = await room.outbox.stuck()
        assert (waiting.id, waiting.why, waiting.in_doubt) == (second.id, "identity_conflict", False)
        assert "'batch-7'" in waiting.text
        assert first.case.no in waiting.text
        bound = await room.scalar("SELECT case_id FROM binding WHERE external_id = 'batch-7'")
        assert bound == first.case.id
        verdict = f"SELECT verdict FROM message WHERE direction = 'out' AND case_id = '{second.case.id}'"
        assert await room.scalar(verdict) == "parked"

        await room.take(ordered(second.case.no, K.CANCEL, reason="test"))
        assert await room.claim("works") == []  # its lane waits for the person
        assert await room.outbox.withdraw(second.id, "theirs is a batch number", now=NOW) is True
        [following] = await room.claim("works")
        assert (following.message, following.binding) == ("stop", None)

    story(database_url, tell)


def test_an_owner_that_takes_the_case_up_again_under_its_old_id_means_the_new_round(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [first] = await room.claim("works")
        await acknowledged(room, first, identity(first.case))
        no = first.case.no
        await room.take(by_owner("works", "w1", K.RETURN, reason="not ours"))
        [tried] = await room.claim("grid")
        await acknowledged(room, tried, identity(tried.case, "g1"))
        await room.take(by_owner("grid", "g1", K.RETURN, reason="not ours either"))
        await room.take(ordered(no, K.REDISPATCH, reason="it is theirs", unit="u4", system="works"))
        [again] = await room.claim("works")
        assert again.case.reference == f"{no}-3"

        assert await acknowledged(room, again, identity(again.case)) is Learned.IDENTITY
        told = await room.take(by_owner("works", "w1", K.SIGN))

        assert [outcome.verdict for outcome in told] == [Verdict.APPLIED]
        late = await room.settle(outbox.acknowledged(first, sent(first), None, identity(first.case), at=room.now))
        assert late is Learned.NOTHING  # a late word changes nothing

    story(database_url, tell)
