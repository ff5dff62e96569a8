"""Carrying out a replay: item by item, each begun once, in the original order; to be killed at any instant.

Inbound messages are read again and taken in; outbound ones get a delivery in their lanes, sent by workers as any other.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from canonical.errors import Misconfigured, Unacceptable, Unavailable, Why
from canonical.message import ACCEPTED, Direction, Message, Verdict
from canonical.reading import Outcome
from canonical.replay import Chosen, Item, ItemState, OnFailure, Replay, ReplayState
from gateway.edition import Shelf
from gateway.hub import Hub
from gateway.log import log
from gateway.reception import Reception, summed_up
from gateway.replay.plan import KEPT, Order, Planner, reading_with
from gateway.replay.send import Sending
from storage.replays import Replays

Told = Callable[[Replay], None]
"""Called now and then with how far a replay is."""

_WATCH = 0.3
"""Seconds between two looks at what others do."""
_PAUSE = 1.0
"""Seconds between two looks for what was started elsewhere."""
_TELL = 20
"""Steps between two reports of how far it is."""
_WELL = ACCEPTED | {Verdict.HELD}
"""How a message ends that was read and taken in well: held is applied as soon as its case is known."""
_DEFERRED = frozenset({Verdict.QUARANTINED, Verdict.HELD})
"""What was never decided: its own row takes the verdict. What was decided keeps its row; a new one stands beside."""
_BEHIND = "not replayed: item {no} of the same case did not end well, and nothing may overtake it"


class Replayer:
    """Plans, starts, stops and carries out replays. Any number of processes; a replay is carried out by one of them."""

    def __init__(self, hub: Hub, *, ending: Callable[[], bool] = lambda: False) -> None:
        """`ending`: true when this process is to end; what it carries out is taken over by another."""
        self.hub, self.shelf, self.replays, self.ending = hub, Shelf(hub), Replays(hub.store), ending
        self.planner = Planner(hub, self.shelf)

    async def plan(self, order: Order) -> Replay:
        """Count and write down what would be replayed. Raises Unacceptable, Misconfigured."""
        return await self.planner.plan(order)

    async def start(self, replay: UUID, actor: str, reason: str, *, count: int | None = None) -> Replay:
        """Let a plan be carried out, or a stopped one go on; harmless when it runs or is done. Raises Unacceptable.

        `count`: how many items whoever starts it has in mind.
        """
        if not actor.strip() or not reason.strip():
            raise Unacceptable("by and reason: who replays, and why, must be said", why=Why.CONTRACT)
        found = await self.get(replay)
        if count not in (None, found.total):
            raise Unacceptable(f"count: {count} were expected and the plan has {found.total}", why=Why.NOT_ALLOWED)
        if found.state is ReplayState.PLANNED and self.hub.now() - found.planned_at > KEPT:
            hours = KEPT.total_seconds() / 3600
            raise Unacceptable(f"this plan is older than {hours:.0f} h: plan it anew", why=Why.NOT_ALLOWED)
        if await self.replays.start(replay, actor.strip(), reason.strip(), now=self.hub.now()):
            log.debug("replay.started", replay=str(replay), system=found.system, items=found.total)
        return await self.get(replay)

    async def get(self, replay: UUID) -> Replay:
        """One replay. Raises Unacceptable when there is none."""
        found = await self.replays.get(replay)
        if found is None:
            text = f"no replay {replay}; a plan that was not carried out within a day is forgotten"
            raise Unacceptable(text, why=Why.UNKNOWN_CASE)
        return found

    async def stop(self, replay: UUID, why: str) -> bool:
        """Begin no further item. False when it does not run."""
        return await self.replays.end(replay, ReplayState.STOPPED, why, now=self.hub.now())

    async def run(self, replay: UUID, *, told: Told = lambda _: None, wait: bool = True) -> Replay:
        """Carry it out until it is done or stopped; where another process does so, watch it and take over from it.

        `wait` False: leave it to the other process.
        """
        while True:
            found = await self.get(replay)
            told(found)
            if found.state is not ReplayState.RUNNING or self.ending():
                return found
            async with self.replays.alone(replay) as ours:
                if ours:
                    await self._carry_out(found, told)
            if not ours and not wait:
                return found
            if not ours:
                await asyncio.sleep(_WATCH)

    async def round(self) -> float:
        """Carry out what was started elsewhere, or by a process that is gone. Returns seconds until the next look."""
        for found in await self.replays.listed(state=ReplayState.RUNNING):
            await self.run(found.id, wait=False)
        return _PAUSE

    async def _carry_out(self, found: Replay, told: Told) -> None:
        try:
            connected = await self.shelf.connected(found.system, found.edition)
        except (KeyError, Misconfigured) as error:
            text = str(error) if isinstance(error, Misconfigured) else f"system {found.system} is not connected"
            await self.stop(found.id, text)
            return
        work: _Reading | Sending
        if found.direction is Direction.IN:
            work = _Reading(self, found, reading_with(self.hub, connected))
        else:
            work = Sending(self.hub, found, self.failed)
        counted = 0
        while (current := await self.get(found.id)).state is ReplayState.RUNNING and not self.ending():
            if not await work.step():
                await self.replays.end(found.id, ReplayState.DONE, "", now=self.hub.now())
                log.debug("replay.done", replay=str(found.id), system=found.system)
            counted += 1
            if counted % _TELL == 0:
                told(current)

    async def failed(self, found: Replay, item: Item, why: str) -> None:
        """What follows when an item did not end well, as the order said."""
        await self.replays.skip_behind(item, _BEHIND.format(no=item.no))
        if found.on_failure is OnFailure.STOP:
            await self.stop(found.id, f"item {item.no} did not end well: {why}")


class _Reading:
    """Inbound: one message after the other."""

    def __init__(self, replayer: Replayer, found: Replay, reception: Reception) -> None:
        self.replayer, self.found, self.reception = replayer, found, reception
        self.hub, self.replays = replayer.hub, replayer.replays

    async def step(self) -> bool:
        """The next item, or one that a killed process had begun. False when there is none."""
        for state in (ItemState.BEGUN, ItemState.PLANNED):
            if items := await self.replays.items(self.found.id, state=state, limit=1):
                await self._item(items[0])
                return True
        return False

    async def _item(self, item: Item) -> None:
        original = await self.hub.journal.message(item.subject)
        if original is None or original[1].gone:
            await self.replays.skip(item, "its bytes are not in the journal any more")
            return
        row, message = original
        deferred = item.was in _DEFERRED
        if item.state is ItemState.PLANNED:
            if deferred and row.verdict != item.was:
                await self.replays.skip(item, f"it was {item.was} when this was planned, and is {row.verdict} by now")
                return
            result = item.subject if deferred else self.hub.ids()
            if not await self.replays.begin(item, result):
                return
            item = replace(item, result=result, state=ItemState.BEGUN)
        assert item.result is not None
        done = await self._done_already(item, row.verdict)
        await self._settle(item, done or await self._take_in(item, message, deferred=deferred))

    async def _done_already(self, item: Item, verdict: str) -> Outcome | None:
        """What became of an item whose process was killed after its commit and before it was noted."""
        assert item.result is not None
        if item.result == item.subject:
            return Outcome(Verdict(verdict)) if verdict != item.was else None
        there = await self.hub.journal.message(item.result)
        return Outcome(Verdict(there[0].verdict), text=there[0].text) if there else None

    async def _take_in(self, item: Item, message: Message, *, deferred: bool) -> Outcome:
        if not deferred:
            assert item.result is not None
            message = replace(message, id=item.result, at=self.hub.now())
        arrivals = await self.reception.read_again(message, redelivered=not deferred)
        if not arrivals:
            return Outcome(Verdict.REFUSED, text="the page it came in has fewer items when it is read now")
        return summed_up(await self.reception.take_in(arrivals))

    async def _settle(self, item: Item, outcome: Outcome) -> None:
        well = outcome.verdict in _WELL
        state = ItemState.DONE if well else ItemState.FAILED
        assert item.result is not None
        case_id = await self.replays.case_of(item.result)
        await self.replays.settle(item, state, outcome.verdict, outcome.text, case_id=case_id, now=self.hub.now())
        if not well:
            await self.replayer.failed(self.found, item, outcome.text)


async def keep_editions(hub: Hub) -> None:
    """Keep what this process has loaded. A database that is away now is told and hinders nobody."""
    try:
        await Shelf(hub).keep()
    except Unavailable as error:
        log.warning("edition.not_kept", why=str(error))


async def heal(hub: Hub, system: str, actor: str, reason: str) -> dict[str, int]:
    """Read again what of a system is in quarantine; what became of it, by verdict. Raises Unacceptable."""
    replayer = Replayer(hub)
    await keep_editions(hub)
    quarantined = Chosen(verdict=(str(Verdict.QUARANTINED),))
    order = Order(system=system, direction=Direction.IN, chosen=quarantined, on_failure=OnFailure.SKIP)
    planned = await replayer.plan(order)
    if not planned.total:
        return {}
    await replayer.start(planned.id, actor, reason)
    await replayer.run(planned.id)
    return await replayer.replays.outcomes(planned.id)
