"""Looks at what happens while somebody listens, once a second for all listeners of a process."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from canonical.errors import Unavailable
from canonical.rights import Scope
from gateway.access import Who, still
from gateway.hub import Hub
from gateway.live.broadcast import Broadcast
from gateway.live.listener import Listener
from gateway.live.traffic import Traffic
from gateway.live.words import Audience, Reset, Word, event
from gateway.log import log
from gateway.views import View
from storage.moves import Moves, Snapshot

EVERY = 1.0
"""Seconds between two looks at what happened; longer where a look takes long."""
BESIDE = 5.0
"""Seconds between two looks at systems, and at figures."""
SELDOM = 20.0
"""Seconds between two looks at most."""
PATIENCE = 10.0
"""Seconds after which a look without an answer counts as a database that is away."""
_ALL_OF_THEM = 40.0
"""Seconds for asking about each listener, one after the other."""
_SHARE = 10.0
"""Looking takes at most one part of so many of the time."""
MOST_AT_ONCE = 1000
"""Moves of one look that are told one by one."""
MOST_MISSED = 2000
"""Moves that are told again to whoever comes back."""

Figures = Callable[[Scope], Awaitable[View]]
StillValid = Callable[[Who], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How many may listen, and how often they hear that the hub lives. Seconds."""

    listeners: int = 1000
    """Consoles that one process tells at most."""
    beat: float = 15.0
    valid: float = 20.0
    """Between two looks at whether each listener may still listen."""
    stalled: float = 60.0
    """After which whoever takes nothing at all is given up."""


PACE = Pace()


class Lookout:
    """What the listeners of one process are told, and when."""

    def __init__(
        self, hub: Hub, *, figures: Figures | None = None, still_valid: StillValid | None = None, pace: Pace = PACE,
    ) -> None:  # fmt: skip
        """`figures` of a scope, where there are any. `still_valid`: False for whoever has signed out or was locked, or
        has other rights or another scope than when they came: their console connects anew. None: `access.still`.
        """
        self.pace = pace
        self.broadcast = Broadcast(hub.now, most=pace.listeners)
        self.broadcast.standing = self._standing
        self._hub, self._figures = hub, figures
        self._still_valid = still_valid or (lambda who: still(hub, who))
        self._moves = Moves(hub.store)
        self._traffic = Traffic(hub)
        self._told: dict[Audience, bytes] = {}
        self._counted: dict[Audience, View] = {}
        self._missed: dict[tuple[str, Snapshot, Audience], bytes] = {}
        self._reading = asyncio.Lock()
        self._working: list[asyncio.Task[None]] = []

    def join(self, who: Who, given: str) -> Listener:
        """Somebody listens, from an id on that was `given`, or from now on. Raises Full."""
        listener = self.broadcast.join(who, given)
        if not self._working:
            self._begin()
        return listener

    def leave(self, listener: Listener) -> None:
        """Nobody listens there any more; when nobody does at all, nobody looks."""
        self.broadcast.leave(listener)
        if not self.broadcast.listeners:
            self._rest()

    async def end(self) -> None:
        """The process ends."""
        for one in self.broadcast.listeners:
            one.end()
        working = self._rest()
        await asyncio.gather(*working, return_exceptions=True)

    async def missed(self, listener: Listener, until: Snapshot) -> bytes:
        """What somebody missed before a moment; a database that is away is waited for."""
        position = listener.position
        assert position is not None  # else there is nothing to catch up with
        key = (str(position), until, listener.audience)
        async with self._reading:  # who comes back with many others hears the same as they do
            while key not in self._missed and not listener.ended:
                try:
                    async with asyncio.timeout(PATIENCE):
                        look = await self._moves.since(position.seen, MOST_MISSED)
                except (Unavailable, TimeoutError):
                    await asyncio.sleep(EVERY)
                    continue
                if look.flood:
                    return self.broadcast.instead(Reset.GAP, until)
                self._missed[key] = self.broadcast.tell_missed(listener, position.left(look, until), until)
            return self._missed.get(key, b"")

    # Looking

    def _begin(self) -> None:
        doing: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
            ("moves", EVERY, self._look), ("systems", BESIDE, self._systems), ("valid", self.pace.valid, self._check),
        ]  # fmt: skip
        if self._figures:
            doing.append(("figures", BESIDE, self._count))
        self._working = [asyncio.create_task(self._again(*one), name=f"live-{one[0]}") for one in doing]
        self._working.append(asyncio.create_task(self._beating(), name="live-beat"))

    def _rest(self) -> list[asyncio.Task[None]]:
        working, self._working = self._working, []
        for task in working:
            task.cancel()
        self.broadcast.forget()
        self._told.clear()
        self._counted.clear()
        self._traffic = Traffic(self._hub)
        return working

    async def _again(self, what: str, every: float, doing: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(_ALL_OF_THEM if what == "valid" else PATIENCE):
                    await doing()
            except (Unavailable, TimeoutError):
                if what == "moves":
                    self.broadcast.lost()
            except Exception as error:  # noqa: BLE001 consoles that stand still for ever would be worse
                log.error("live.failed", what=what, error=type(error).__name__, exc_info=True)
            await asyncio.sleep(max(every, min(_SHARE * (loop.time() - began), SELDOM)))

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(self.pace.beat)
            self.broadcast.beat()

    async def _look(self) -> None:
        broadcast = self.broadcast
        broadcast.begun += 1
        number = broadcast.begun
        look = await self._moves.since(broadcast.at or await self._moves.now(), MOST_AT_ONCE)
        self._missed.clear()
        broadcast.looked(look, number=number)

    async def _systems(self) -> None:
        if any(one.watches for one in self.broadcast.audiences):
            self.broadcast.tell(await self._traffic.look(), lambda audience: audience.watches)

    async def _count(self) -> None:
        assert self._figures is not None  # else nobody counts
        for audience in self.broadcast.audiences:
            view = await self._figures(audience.scope)
            same = {name: value for name, value in view.items() if name != "at"}
            told = event(Word.FIGURES, view)
            if self._counted.get(audience) != same:
                self._counted[audience], self._told[audience] = same, told
                self.broadcast.tell(told, lambda other, one=audience: other == one)  # type: ignore[misc]

    async def _check(self) -> None:
        for one in self.broadcast.listeners:
            if not one.ended and not await self._still_valid(one.who):
                self.broadcast.ended(one)

    def _standing(self, audience: Audience) -> bytes:
        """What whoever comes is told at once: how the systems stand, and the figures."""
        return (self._traffic.whole() if audience.watches else b"") + self._told.get(audience, b"")
