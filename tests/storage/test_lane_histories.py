"""Lanes and leases under any history that two workers, a person and the clock can make: laws, found by a state machine.

What happens to a message at the other side is the machine's own memory; the database is real. Workers claim, by
themselves or by tickets, seal, settle late or never, and act on claims that others have taken over since.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from canonical.lifecycle import ActionKind
from storage.outbox import Claimed, Ended, Ticket, Trouble, Wanted, acknowledged, again, parked
from storage.switches import Switch, Switches, What
from tests.routing.intake_city import ordered, reported
from tests.storage.storeroom import LEASE, Storeroom, opened, sent

K = ActionKind
TICK = timedelta(microseconds=7919)
"""Passes with everything that is done: what is due at one instant comes in any order, and no history could be told
again."""
SYSTEMS = ("hotline", "works")
WAITS, HELD, STUCK, ENDED = "waits", "held", "stuck", "ended"
GROUP = {
    "pending": WAITS, "in_doubt": WAITS, "sent": HELD, "parked": STUCK, "refused": STUCK, "acknowledged": ENDED,
    "withdrawn": ENDED,
}  # fmt: skip
"""Every state there is, by what it means for a lane."""
AFTER = {WAITS: {HELD, ENDED}, HELD: {WAITS, STUCK, ENDED}, STUCK: {WAITS, ENDED}, ENDED: set[str]()}
"""What may follow what. From waiting to ended: one who was taken for dead says that it was taken."""
ORDERS: dict[ActionKind, dict[str, Any]] = {
    K.DISPOSE: {"result": "x"}, K.CHECK: {"result": "x"}, K.CLOSE: {"result": "x"}, K.REWORK: {"reason": "x"},
    K.CANCEL: {"reason": "x"},
}  # fmt: skip

DONE_AND_NOT = (K.DISPOSE, K.CHECK, K.REWORK)
STORY = st.sampled_from([(), (K.CANCEL,), DONE_AND_NOT, (*DONE_AND_NOT, K.CANCEL), (*DONE_AND_NOT, *DONE_AND_NOT)])


@dataclass(slots=True)
class Row:
    """A delivery as the database has it."""

    id: UUID
    lane: tuple[UUID, str]
    seq: int
    state: str


@dataclass(slots=True)
class Hand:
    """One worker's claim of one delivery, living or not."""

    worker: int
    claimed: Claimed
    until: datetime
    sealed: Any = None
    over: bool = False
    """Settled by this hand, or by another one that was right to."""


@dataclass(slots=True)
class Memory:
    """What the machine knows beside the database."""

    states: dict[UUID, str] = field(default_factory=dict)
    hands: dict[UUID, list[Hand]] = field(default_factory=dict)
    left: list[UUID] = field(default_factory=list)
    """Deliveries in the order in which they first left."""
    unsettled: set[UUID] = field(default_factory=set)
    """Left, and nobody has said how that ended."""
    off: set[str] = field(default_factory=set)
    """Systems to which sending is switched off."""


class Histories(RuleBasedStateMachine):
    """Two workers on one database."""

    url = ""
    cases: Bundle[str] = Bundle("cases")
    hands: Bundle[Hand] = Bundle("hands")
    tickets: Bundle[Ticket] = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.rooms: list[Storeroom] = []
        self.memory = Memory()
        self.number = 0

    def do(self, work: Any) -> Any:
        """Run to its end what a worker does."""
        for room in self.rooms:
            room.now += TICK
        return self.runner.run(work)

    @initialize(target=cases, stories=st.lists(STORY, min_size=1, max_size=3))
    def begin(self, stories: list[tuple[ActionKind, ...]]) -> Any:
        """Some cases with long lanes, in a database that was empty."""
        self.do(self._enter())
        numbers = [self._reported() for _ in stories]
        for number, kinds in zip(numbers, stories, strict=True):
            for kind in kinds:
                self.the_centre_orders(number, kind)
        return multiple(*numbers)

    async def _enter(self) -> None:
        for _ in range(2):
            self.rooms.append(await self.stack.enter_async_context(opened(self.url)))
        async with self.rooms[0].store.transaction() as transaction:
            await transaction.connection.execute(text("TRUNCATE message, cases, event, binding, delivery, switch"))

    def _reported(self) -> str:
        self.number += 1
        self.do(self.rooms[0].take(reported("hotline", str(self.number))))
        return str(self.do(self.rooms[0].scalar("SELECT no FROM cases ORDER BY id DESC LIMIT 1")))

    def teardown(self) -> None:
        """Everything comes to rest: a last worker delivers all there is, lane by lane, in order."""
        try:
            if self.rooms:
                self.do(self._drained())
                assert {GROUP[row.state] for row in self.rows()} <= {ENDED}
        finally:
            self.do(self.stack.aclose())
            self.runner.close()

    async def _drained(self) -> None:
        room = self.rooms[0]
        for system in SYSTEMS:
            await Switches(room.store).set(Switch(system, What.SENDING, False, room.now, "li", "x"))
        room.now += timedelta(hours=2)
        for _ in range(100):
            for stuck in await room.outbox.stuck():
                await room.outbox.release(stuck.id, now=room.now)
            claimed = [one for system in SYSTEMS for one in await room.claim(system)]
            for one in claimed:
                message = sent(one)
                assert await room.send(one, message)
                await room.settle(acknowledged(one, message, None, None, at=room.now))
            if not claimed:
                return

    # --- what happens ---

    @rule(target=cases)
    def a_report_comes(self) -> str:
        return self._reported()

    @rule(case=cases, kind=st.sampled_from(sorted(ORDERS)))
    def the_centre_orders(self, case: str, kind: ActionKind) -> None:
        """Refused where it is not possible now; else the lanes get longer."""
        self.do(self.rooms[1].take(ordered(case, kind, **ORDERS[kind])))

    @rule(target=hands, worker=st.integers(0, 1), limit=st.integers(1, 3))
    def a_worker_claims(self, worker: int, limit: int) -> Any:
        before, room = self.rows(), self.rooms[worker]
        wanted = [Wanted(system, limit, LEASE) for system in SYSTEMS]
        claimed: list[Claimed] = self.do(room.outbox.claim(wanted, now=room.now))
        assert all(sum(one.system == system for one in claimed) <= limit for system in SYSTEMS)
        return self._all_taken_up(worker, claimed, before)

    @rule(target=hands, hand=hands)
    def another_takes_it_over(self, hand: Hand) -> Any:
        """Its worker stood still for longer than its lease."""
        self.time_goes_on(121)
        return self.a_worker_claims(1 - hand.worker, 3)

    @rule(hand=hands)
    def one_that_was_taken_over_goes_on(self, hand: Hand) -> None:
        """As if nothing had been: it must be stopped before anything leaves."""
        self.another_takes_it_over(hand)
        self.it_is_sealed_and_leaves(hand)

    @rule(target=tickets, limit=st.integers(1, 3))
    def heads_are_offered(self, limit: int) -> Any:
        """Whoever had them is taken for dead by that."""
        room = self.rooms[0]
        wanted = [Wanted(system, limit, LEASE) for system in SYSTEMS]
        offered: list[Ticket] = self.do(room.outbox.offer(wanted, now=room.now))
        for ticket in offered:
            for hand in self.memory.hands.get(ticket.id, []):
                assert hand.over or hand.until <= room.now, "it was offered while a worker had it"
                hand.over = True
        return multiple(*sorted(offered, key=lambda one: one.system))

    @rule(target=hands, worker=st.integers(0, 1), ticket=tickets)
    def a_ticket_is_taken_up(self, worker: int, ticket: Ticket) -> Any:
        """Early, late, twice: the row decides."""
        before, room = self.rows(), self.rooms[worker]
        claimed: list[Claimed] = self.do(room.outbox.claim_offered([ticket], now=room.now, lease=LEASE))
        return self._all_taken_up(worker, claimed, before)

    def _all_taken_up(self, worker: int, claimed: list[Claimed], before: list[Row]) -> Any:
        assert {one.system for one in claimed} & self.memory.off == set(), "sending is off"
        assert len({(one.case.id, one.system) for one in claimed}) == len(claimed)
        in_order = sorted(claimed, key=lambda one: (one.case.no, one.system))
        return multiple(*[self._taken_up(worker, one, before) for one in in_order])

    def _taken_up(self, worker: int, claimed: Claimed, before: list[Row]) -> Hand:
        [mine] = [row for row in before if row.id == claimed.id]
        earlier = [row for row in before if row.lane == mine.lane and row.seq < mine.seq]
        assert [row for row in earlier if GROUP[row.state] != ENDED] == [], "something in front of it is not done"
        now = self.rooms[worker].now
        hands = self.memory.hands.setdefault(claimed.id, [])
        assert [hand for hand in hands if not hand.over and hand.until > now] == [], "another worker has it"
        if claimed.id in self.memory.unsettled:
            assert claimed.in_doubt, "it may have arrived, and nobody remembers"
        for hand in hands:
            hand.over = True
        hands.append(Hand(worker, claimed, now + LEASE))
        return hands[-1]

    @rule(hand=hands)
    def it_is_sealed_and_leaves(self, hand: Hand) -> None:
        message = sent(hand.claimed)
        allowed = not hand.over and hand.claimed.system not in self.memory.off
        assert self.do(self.rooms[hand.worker].send(hand.claimed, message)) == allowed
        if not allowed:
            return
        hand.sealed = message
        self.memory.unsettled.add(hand.claimed.id)
        if hand.claimed.id not in self.memory.left:
            self.memory.left.append(hand.claimed.id)

    @rule(hand=consumes(hands))
    def it_was_taken(self, hand: Hand) -> None:
        """Taken is taken, whoever says so: also one who was given up for dead."""
        if hand.sealed is None:
            return
        room = self.rooms[hand.worker]
        self._settle(hand, acknowledged(hand.claimed, hand.sealed, None, None, at=room.now))
        if GROUP[self._state(hand)] == ENDED:
            self.memory.unsettled.discard(hand.claimed.id)
            for other in self.memory.hands[hand.claimed.id]:
                other.over = True

    @rule(hand=consumes(hands), doubt=st.booleans(), pause=st.integers(0, 600))
    def it_shall_be_tried_again(self, hand: Hand, doubt: bool, pause: int) -> None:
        room = self.rooms[hand.worker]
        doubt = hand.claimed.in_doubt or (doubt and hand.sealed is not None)
        trouble, at = Trouble("x", "x", in_doubt=doubt), room.now + timedelta(seconds=pause)
        if not hand.over and not doubt:
            self.memory.unsettled.discard(hand.claimed.id)
        self._settle(hand, again(hand.claimed, hand.sealed, None, trouble, at=at))

    @rule(hand=consumes(hands), refused=st.booleans())
    def it_needs_a_person(self, hand: Hand, refused: bool) -> None:
        room = self.rooms[hand.worker]
        doubt = hand.claimed.in_doubt or (hand.sealed is not None and not refused)
        trouble = Trouble("x", "x", in_doubt=doubt)
        self._settle(hand, parked(hand.claimed, hand.sealed, None, trouble, at=room.now, refused=refused))

    def _settle(self, hand: Hand, ended: Ended) -> None:
        """Only a word that it was taken counts from one who has lost it."""
        before = self._state(hand)
        self.do(self.rooms[hand.worker].settle(ended))
        if hand.over and ended.state != "acknowledged":
            assert self._state(hand) == before, "one who had lost it settled it"
        hand.over = True

    @rule(release=st.booleans())
    def a_person_decides(self, release: bool) -> None:
        room = self.rooms[0]
        for stuck in self.do(room.outbox.stuck(limit=1)):
            decided = room.outbox.release(stuck.id, now=room.now) if release else None
            assert self.do(decided or room.outbox.withdraw(stuck.id, "x", now=room.now))
            self.memory.unsettled.discard(stuck.id)  # the person has found out
            for hand in self.memory.hands.get(stuck.id, []):
                hand.over = True

    @rule(system=st.sampled_from(SYSTEMS), off=st.sampled_from([False, False, True]))
    def sending_is_switched(self, system: str, off: bool) -> None:
        room = self.rooms[1]
        self.do(Switches(room.store).set(Switch(system, What.SENDING, off, room.now, "li", "x")))
        self.memory.off = self.memory.off | {system} if off else self.memory.off - {system}

    @rule(seconds=st.sampled_from([1, 30, 119, 121, 3600]))
    def time_goes_on(self, seconds: int) -> None:
        for room in self.rooms:
            room.now += timedelta(seconds=seconds)

    # --- what must hold after each of them ---

    @invariant()
    def nothing_vanishes_and_no_state_goes_back(self) -> None:
        rows = self.rows()
        assert self.memory.states.keys() <= {row.id for row in rows}
        for row in rows:
            was = self.memory.states.get(row.id)
            assert was is None or GROUP[row.state] in AFTER[GROUP[was]] | {GROUP[was]}, (was, row.state)
            self.memory.states[row.id] = row.state

    @invariant()
    def a_lane_ends_from_its_beginning(self) -> None:
        lanes: dict[tuple[UUID, str], list[Row]] = {}
        for row in self.rows():
            lanes.setdefault(row.lane, []).append(row)
        for rows in lanes.values():
            ended = [GROUP[row.state] == ENDED for row in sorted(rows, key=lambda row: row.seq)]
            assert ended == sorted(ended, reverse=True), "a later message ended before an earlier one"
            assert [GROUP[row.state] for row in rows].count(HELD) <= 1
            places = {row.id: row.seq for row in rows}
            left = [places[id_] for id_ in self.memory.left if id_ in places]
            assert left == sorted(left), "a later message left before an earlier one"

    # --- looking ---

    def rows(self) -> list[Row]:
        """All deliveries."""
        rows: list[Row] = self.do(self._rows())
        return rows

    async def _rows(self) -> list[Row]:
        if not self.rooms:
            return []
        async with self.rooms[0].store.transaction() as transaction:
            found = await transaction.connection.execute(text("SELECT id, case_id, system, seq, state FROM delivery"))
            return [Row(row.id, (row.case_id, row.system), row.seq, row.state) for row in found]

    def _state(self, hand: Hand) -> str:
        return next(row.state for row in self.rows() if row.id == hand.claimed.id)


def test_no_history_breaks_a_lane(database_url: str) -> None:
    Histories.url = database_url
    few = settings(
        max_examples=30,
        stateful_step_count=40,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    run_state_machine_as_test(Histories, settings=few)
