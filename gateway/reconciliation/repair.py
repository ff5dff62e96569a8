"""Repairing a difference 差异处置: an explicit action of a person, with a name and a reason, harmless when done twice.

Nothing here writes to a case past its lifecycle: what the other side says is taken in like any message of it, what we
say goes through its lane. Whether a repair has helped, the next statement tells.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from adapters.reconciling import ENTRANCE
from canonical.errors import IllegalAction, Unacceptable, Why
from canonical.lifecycle import ActionKind
from canonical.message import ACCEPTED, Message, Verdict
from canonical.reading import Outcome
from canonical.reconciliation import LineClass
from gateway.asking import Asking
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.reception import summed_up
from gateway.session import Session
from gateway.wiring import connector_for
from storage.differences import Act, Difference, Differences
from storage.retelling import tell_again


class Repair(StrEnum):
    """How a difference is repaired."""

    HAND_OVER = "hand_over"
    """Give the case to the system once more: a new delivery of the same assignment."""
    TAKE_IN = "take_in"
    """Take in what the system says, through the normal reception: a case we lack, or its state."""
    TELL = "tell"
    """Tell the system once more what it was told last."""


REPAIR_TITLES = {Repair.HAND_OVER: "重新派送", Repair.TAKE_IN: "按对方的收入", Repair.TELL: "重新告知对方"}

POSSIBLE: Mapping[LineClass, tuple[Repair, ...]] = {
    LineClass.MISSING_THERE: (Repair.HAND_OVER,),
    LineClass.MISSING_HERE: (Repair.TAKE_IN,),
    LineClass.STATE_DIFFERS: (Repair.TAKE_IN, Repair.TELL),
    LineClass.DETAIL_DIFFERS: (Repair.TELL,),
    LineClass.STALE: (Repair.TELL,),
    LineClass.UNKNOWN_THERE: (),
}
"""What can be done about each class; every one can be signed off."""
_WITHHELD: Mapping[str, frozenset[Repair]] = {
    "": frozenset({Repair.HAND_OVER}), "owner": frozenset(), "lead_system": frozenset({Repair.HAND_OVER, Repair.TELL}),
}  # fmt: skip
"""By the system's part in the case (`""`: any other), what cannot be done: whoever leads it is told by nobody."""
_PAGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Done:
    """How a repair ended."""

    done: bool
    """False: it was done before, and nothing happened now."""
    text: str


def repairs(difference: Difference) -> tuple[Repair, ...]:
    """What can be done about it now, besides signing it off."""
    if difference.closed_at is not None or difference.under_repair:
        return ()
    possible, withheld = POSSIBLE.get(difference.class_, ()), _WITHHELD.get(difference.part, _WITHHELD[""])
    return tuple(one for one in possible if one not in withheld)


class Repairer:
    """Repairs differences of one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.differences = hub, Differences(hub.store)

    async def repair(self, id_: UUID, how: Repair, *, actor: str, reason: str) -> Done:
        """Do it. Raises Unacceptable: no such difference, not possible for it, or what the lifecycle says."""
        found = await self._found(id_)
        if found.closed_at is not None:
            return Done(done=False, text=f"closed already ({found.closed_how})")
        if found.under_repair:
            return Done(done=False, text=f"under repair already ({found.repair}); the next statement tells")
        if how not in repairs(found):
            possible = ", ".join(repairs(found)) or "nothing but signing it off"
            raise IllegalAction(f"{found.class_} of part '{found.part or 'none'}': possible is {possible}", at="how")
        work: Mapping[Repair, Callable[[Difference, Act], Awaitable[Done]]] = {
            Repair.HAND_OVER: self._told, Repair.TAKE_IN: self._taken_in, Repair.TELL: self._told,
        }  # fmt: skip
        return await work[how](found, Act(self.hub.now(), how.value, actor, reason, ""))

    async def sign_off(self, id_: UUID, *, actor: str, reason: str) -> Done:
        """It may stay as it is, until it changes."""
        found = await self._found(id_)
        signed = await self.differences.sign_off(id_, actor=actor, reason=reason, now=self.hub.now())
        return Done(done=signed, text="signed off" if signed else f"{found.state} already")

    async def _found(self, id_: UUID) -> Difference:
        found = await self.differences.get(id_)
        if found is None:
            raise Unacceptable(f"there is no difference {id_}", why=Why.UNKNOWN_CASE)
        return found

    async def _told(self, found: Difference, act: Act) -> Done:
        assert found.case_id is not None  # only lines of ours have these repairs
        handing = act.act == Repair.HAND_OVER
        role = self.hub.configuration.city.systems.get(found.system)
        fallback = (role.tells.get("owner", {}).get(ActionKind.DISPATCH) if role else None) or ""
        told = await tell_again(
            self.hub.store, found.id, found.case_id, found.system, _ended(act, "in its lane"), id=self.hub.ids(),
            assignment=handing, fallback=fallback,
        )  # fmt: skip
        if told is None:
            return Done(done=False, text="under repair already; the next statement tells")
        return Done(done=True, text=f"'{told.message}' stands in its lane once more")

    async def _taken_in(self, found: Difference, act: Act) -> Done:
        row = await self.differences.item(found.id)
        if row is None:
            raise IllegalAction("its item is not at hand: compare again first")
        connected = self._connected(found.system)
        outcome = await self._received(connected, row)
        if outcome.verdict not in ACCEPTED:
            raise Unacceptable(f"it cannot be taken in: {outcome.text}", why=outcome.why or Why.NOT_ALLOWED)
        if outcome.verdict is Verdict.REPEATED and found.class_ is LineClass.STATE_DIFFERS:
            raise IllegalAction("it was said before and changes nothing: tell it ours, or sign it off")
        text = f"{outcome.verdict} {outcome.case_no}".strip()
        await self.differences.repaired(found.id, _ended(act, text))
        return Done(done=True, text=text)

    def _connected(self, system: str) -> ConnectedSystem:
        connected = self.hub.configuration.systems.get(system)
        if connected is None or connected.system.reconciling is None:
            raise IllegalAction(f"no system '{system}' is compared any more")
        return connected

    async def _received(self, connected: ConnectedSystem, row: Any) -> Outcome:  # noqa: ANN401 a document of theirs
        """Through the normal reception, as the pull (or the declared messages) would read it."""
        plan = connected.system.reconciling
        assert plan is not None
        if not plan.messages:
            raise IllegalAction("its declaration names no messages that read an item: reconcile.messages")
        door = plan.declared.pull or ENTRANCE
        messages: Sequence[Message] = [self._message(connected, door, row)]
        if plan.declared.pull and connected.system.pull(door).detail is not None:
            messages = await self._detailed(connected, door, row)
        arrivals = [one for message in messages for one in self.hub.reception.read(message, again=True)]
        if not arrivals:
            raise IllegalAction("the system tells nothing of it any more")
        return summed_up(await self.hub.reception.take_in(arrivals))

    def _message(self, connected: ConnectedSystem, door: str, row: object) -> Message:
        return Message(
            system=connected.system.role.id, body=orjson.dumps(row), at=self.hub.now(), id=self.hub.ids(), door=door,
            content_type="application/json",
        )  # fmt: skip

    async def _detailed(self, connected: ConnectedSystem, pull: str, row: object) -> Sequence[Message]:
        """What the system says about it when it is asked for the whole."""
        hub, system = self.hub, connected.system
        declared, now = system.pull(pull), hub.now()
        assert declared.detail is not None
        connector = connector_for(hub, connected)

        def read(answer: Message) -> Sequence[Message]:
            return system.details(pull, answer, now=hub.now(), ids=hub.ids)

        try:
            asked = system.asked(pull, since=now - _PAGE, until=now, page=declared.first_page) | {"item": row}
            return await Asking(hub, system, Session(system, connector, hub)).ask(declared.detail.ask, read, pull=asked)
        finally:
            connector.close()


def _ended(act: Act, outcome: str) -> Act:
    return Act(act.at, act.act, act.actor, act.reason, outcome)


def age(difference: Difference, now: datetime) -> timedelta:
    """How long it has been there."""
    return (difference.closed_at or now) - difference.first_seen
