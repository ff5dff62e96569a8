"""Planning a replay: a choice that says what it means is counted and shown; nothing is done to any message."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from adapters.explain import near
from canonical.errors import Unacceptable, Why
from canonical.message import Direction, Message, Verdict
from canonical.reading import Reading
from canonical.records import Arrival
from canonical.replay import MOST, Chosen, How, OnFailure, Replay, ReplayState, Subject, in_order, once
from canonical.time import in_shanghai
from gateway.configuration import ConnectedSystem
from gateway.edition import Shelf
from gateway.hub import Hub
from gateway.reception import Reception
from storage.replay_choice import ENDED, case_numbers, choose
from storage.replay_sending import WAITS_FOR_A_PERSON
from storage.replays import Replays

KEPT = timedelta(hours=24)
"""A plan is carried out within a day or made anew."""
EXAMPLES = 5
_AT_ONCE = 50
_OUTGOING = frozenset({Verdict.WAITING, Verdict.ACKNOWLEDGED, Verdict.PARKED})
_VERDICTS = {
    Direction.IN: tuple(str(one) for one in Verdict if one not in _OUTGOING), Direction.OUT: ENDED,
}  # fmt: skip


class Order(BaseModel):
    """What somebody wants replayed. Exactly one system, and never all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str = Field(min_length=1, max_length=100, description="name of one system in systems.yaml")
    direction: Direction = Field(description="in: read again what it sent; out: send again what it was sent")
    chosen: Chosen = Field(default=Chosen(), description="which of its messages")
    anew: bool = Field(default=False, description="out: write it anew, instead of sending the very bytes again")
    edition: str = Field(
        default="", max_length=64, pattern="^[0-9a-fA-F]*$",
        description="edition that reads or writes it, by the beginning of its digest; default: today's",
    )  # fmt: skip
    on_failure: OnFailure = Field(default=OnFailure.STOP, description="what follows when one does not end well")

    @property
    def how(self) -> How:
        """What becomes of the bytes. An edition is chosen in order to write anew."""
        if self.direction is Direction.IN:
            return How.READ
        return How.ANEW if self.anew or self.edition else How.VERBATIM


def check(order: Order, hub: Hub) -> None:
    """Refuse what is not clear enough to be done to the past. Raises Unacceptable."""
    systems, chosen = hub.configuration.systems, order.chosen
    if order.system not in systems:
        raise _unclear(f"system: no system '{order.system}' is connected{near(order.system, systems)}")
    if chosen.empty:
        raise _unclear(_EMPTY.format(system=order.system))
    if chosen.since and chosen.until and chosen.since >= chosen.until:
        raise _unclear("until: must be later than since")
    known = _VERDICTS[order.direction]
    for word in chosen.verdict:
        if word not in known:
            raise _unclear(f"verdict: nothing that goes {order.direction} ends as '{word}'{near(word, known)}")


def _unclear(text: str) -> Unacceptable:
    return Unacceptable(text, why=Why.CONTRACT)


_EMPTY = (
    "an empty choice would replay everything of {system}: add at least one of since, until, verdict, kind, case, id,"
    " message"
)


class Planner:
    """Counts what would be replayed and writes the plan down."""

    def __init__(self, hub: Hub, shelf: Shelf) -> None:
        self.hub, self.shelf, self.replays = hub, shelf, Replays(hub.store)

    async def plan(self, order: Order) -> Replay:
        """The plan of an order, kept for a day. Raises Unacceptable, or Misconfigured for an edition."""
        check(order, self.hub)
        edition = await self.shelf.named(order.system, order.edition)
        connected = await self.shelf.connected(order.system, edition)  # one that cannot be loaded is told now
        found = await choose(self.hub.store, order.system, order.direction, order.chosen, limit=MOST + 1)
        if len(found) > MOST:
            raise _unclear(f"more than {MOST} fit: take period by period, with since and until")
        subjects = in_order(once(found))
        counts = await self._counts(order, connected, subjects, len(found))
        now = self.hub.now()
        replay = Replay(
            id=self.hub.ids(), system=order.system, direction=order.direction, how=order.how, edition=edition,
            on_failure=order.on_failure, chosen=order.chosen.model_dump(mode="json", exclude_defaults=True),
            counts=counts, total=len(subjects), state=ReplayState.PLANNED, actor="", reason="", text="",
            planned_at=now, started_at=None, ended_at=None,
        )  # fmt: skip
        await self.replays.plan(replay, subjects, forget=now - KEPT)
        return replay

    async def _counts(
        self, order: Order, connected: ConnectedSystem, subjects: Sequence[Subject], found: int
    ) -> dict[str, Any]:  # fmt: skip
        times = sorted(in_shanghai(one.at) for one in subjects)
        counts: dict[str, Any] = {
            "by_kind": _counted(one.kind or "(not read)" for one in subjects),
            "by_was": _counted(one.was for one in subjects),
            "cases": len({one.case_id for one in subjects if one.case_id}),
            "first": times[0].isoformat() if times else None, "last": times[-1].isoformat() if times else None,
            "replayed_before": sum(1 for one in subjects if one.round > 1), "replays_left_out": found - len(subjects),
            "examples": await self._examples(subjects),
        }  # fmt: skip
        if order.direction is Direction.IN:
            return counts | await self._reads(connected, subjects)
        return counts | _writes(order, connected, subjects)

    async def _examples(self, subjects: Sequence[Subject]) -> list[dict[str, Any]]:
        shown = list(enumerate(subjects, 1))
        shown = shown[: EXAMPLES - 1] + shown[-1:] if len(shown) > EXAMPLES else shown
        numbers = await case_numbers(self.hub.store, [one.case_id for _, one in shown if one.case_id])
        return [
            {
                "no": no, "subject": str(one.id), "at": in_shanghai(one.at).isoformat(), "kind": one.kind,
                "was": one.was, "case": numbers.get(one.case_id, "") if one.case_id else "",
            }
            for no, one in shown
        ]  # fmt: skip

    async def _reads(self, connected: ConnectedSystem, subjects: Sequence[Subject]) -> dict[str, Any]:
        """How the chosen edition reads them. Reading decides nothing and leaves no trace."""
        reception, reads, differently = reading_with(self.hub, connected), Counter[str](), 0
        for start in range(0, len(subjects), _AT_ONCE):
            some = subjects[start : start + _AT_ONCE]
            messages = await self.hub.journal.whole([one.id for one in some])
            for one in some:
                await asyncio.sleep(0)  # doors may be served by this process: nobody waits for more than one reading
                if one.id in messages and not messages[one.id].gone:
                    words = await said(reception, messages[one.id])
                    reads.update(words)
                    differently += words != [one.kind] if one.was not in _NOT_READ else words[0] not in _NOT_READ
                else:
                    reads["(its bytes are not kept)"] += 1
        return {"reads": dict(sorted(reads.items())), "reads_differently": differently}


_NOT_READ = (str(Verdict.QUARANTINED), str(Verdict.REFUSED))


def reading_with(hub: Hub, connected: ConnectedSystem) -> Reception:
    """A reception that reads one system's messages by another edition; it decides by the same tables as ever."""
    configuration, name = hub.configuration, connected.system.role.id
    changed = type(configuration)(configuration.city, {**configuration.systems, name: connected})
    return Reception(changed, hub.store, now=hub.now, ids=hub.ids)


async def said(reception: Reception, message: Message) -> list[str]:
    """What it reads as, part by part: names of declared messages, else the verdict that would follow."""
    arrivals = await reception.read_again(message)
    parts = arrivals[1:] if len(arrivals) > 1 else arrivals
    return [_name(arrival) for arrival in parts] or ["(nothing)"]


def _name(arrival: Arrival) -> str:
    content = arrival.content
    if isinstance(content, Reading):
        return content.kind
    unmapped = isinstance(content, Unacceptable) and content.why is Why.UNMAPPED_CODE
    return str(Verdict.QUARANTINED if unmapped else Verdict.REFUSED)


def _writes(order: Order, connected: ConnectedSystem, subjects: Sequence[Subject]) -> dict[str, Any]:
    verbatim = order.how is How.VERBATIM
    kinds = sorted({one.kind for one in subjects})
    within = {kind: connected.system.sealed_within(kind) for kind in kinds} if verbatim else {}
    let_go = [one for one in subjects if one.was in WAITS_FOR_A_PERSON]
    return {
        "let_go": len(let_go), "undeclared": [kind for kind in kinds if kind not in connected.system.outbound],
        "without_bytes": sum(1 for one in subjects if verbatim and one.original is None and one not in let_go),
        "sealed_within": {kind: list(seals) for kind, seals in within.items() if seals},
    }  # fmt: skip


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
