"""The outbound half of a replay: items are put into their lanes in order, and settled as their deliveries end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from canonical.records import DeliveryState
from canonical.replay import How, Item, ItemState, OnFailure, Replay
from gateway.hub import Hub
from storage.replay_sending import WAITS_FOR_A_PERSON, Ending, ReplaySending
from storage.replays import Replays

IN_LANES = 200
"""Items in lanes at once, where one that fails stops only its own case."""
_AHEAD = 5
"""Items looked at for each that can be begun."""
_LOOK = 0.1
"""Seconds between two looks at what is in the lanes."""

Failed = Callable[[Replay, Item, str], Awaitable[None]]


class Sending:
    """One replay. With `stop` one delivery after the other, over all cases; with `skip` each lane in its order."""

    def __init__(self, hub: Hub, found: Replay, failed: Failed) -> None:
        self.hub, self.found, self._failed = hub, found, failed
        self.replays, self.lanes = Replays(hub.store), ReplaySending(hub.store)
        self._places = 1 if found.on_failure is OnFailure.STOP else IN_LANES

    async def step(self) -> bool:
        """Settle what has ended and fill the places. False when nothing is left."""
        ended = await self.lanes.sent(self.found.id)
        for item, ending in ended:
            if not await self._settled(item, ending) and self.found.on_failure is OnFailure.STOP:
                return True
        begun = await self.replays.items(self.found.id, state=ItemState.BEGUN, limit=IN_LANES)
        next_ = await self._next(begun)
        for item in next_:
            await self._begin(item)
        if not (ended or next_):
            await asyncio.sleep(_LOOK)
        return bool(begun or next_)

    async def _next(self, begun: Sequence[Item]) -> list[Item]:
        """What can be begun: of each lane the first, and nothing of a lane in which something of ours is under way."""
        free, busy = self._places - len(begun), {item.lane for item in begun}
        if free <= 0:
            return []
        heads: dict[str, Item] = {}
        for item in await self.replays.items(self.found.id, state=ItemState.PLANNED, limit=free * _AHEAD):
            heads.setdefault(item.lane, item)
        return [item for lane, item in heads.items() if lane not in busy][:free]

    async def _begin(self, item: Item) -> None:
        found = self.found
        if found.how is How.VERBATIM and item.original is None and item.was not in WAITS_FOR_A_PERSON:
            await self.replays.skip(item, "its bytes are not in the journal: replay it anew")
            return
        await self.lanes.send_again(
            item, self.hub.ids(), system=found.system, how=found.how, edition=found.edition, now=self.hub.now()
        )  # fmt: skip

    async def _settled(self, item: Item, ending: Ending) -> bool:
        """Note how a delivery ended; true when it ended well."""
        well, now = ending.state == DeliveryState.ACKNOWLEDGED, self.hub.now()
        if ending.state == DeliveryState.REFUSED and item.result != item.subject:
            assert item.result is not None  # a repetition that is refused must not hold up what is new in its lane
            await self.hub.outbox.withdraw(item.result, f"refused when it was replayed: {ending.text}", now=now)
        done = ItemState.DONE if well else ItemState.FAILED
        await self.replays.settle(item, done, ending.state, ending.text, now=now)
        if not well:
            await self._failed(self.found, item, ending.text or ending.state)
        return well
