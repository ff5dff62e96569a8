"""This process among the workers: it says that it lives, and learns its share of what systems may be burdened with."""

import json
import os
import socket
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from canonical.errors import Unavailable
from gateway import metrics
from gateway.database_clock import DatabaseClock
from gateway.delivery.lanes import Lanes
from gateway.delivery.traffic import Share
from gateway.hub import Hub
from gateway.log import log
from storage.crew import Crew, Member

HEARTBEAT = 3.0
"""Seconds between two signs of life; several of them may get lost."""
_DELIVER = "deliver"


class Heartbeat:
    """Keeps this worker's row alive, and the shares of its lanes right."""

    def __init__(
        self, hub: Hub, roles: Iterable[str], lanes: Lanes | None, clock: DatabaseClock | None = None
    ) -> None:  # fmt: skip
        now = hub.now()
        self.hub, self.crew, self._lanes, self._clock = hub, Crew(hub.store), lanes, clock
        self._me = Member(hub.ids(), socket.gethostname(), os.getpid(), " ".join(sorted(roles)), now, now)

    async def beat(self) -> float:
        """One sign of life, and a look at the clock that all go by."""
        if self._clock is not None:
            await self._clock.look(self.hub.store)
        now = self.hub.now()
        living = await self.crew.seen(replace(self._me, seen_at=now, breakers=self._breakers(now)), _DELIVER)
        if self._lanes is not None and self._me.id in living:
            share = Share(living.index(self._me.id), len(living))
            if share != self._lanes.share:
                log.info("worker.share", index=share.index, workers=share.count)
                self._lanes.share = share
        return HEARTBEAT

    async def leave(self) -> None:
        """This worker ends."""
        try:
            await self.crew.leave(self._me.id)
        except Unavailable:
            log.warning("worker.left_unsaid", why="the others take its share when they miss it")

    def _breakers(self, now: datetime) -> str:
        lanes = self._lanes.deliverers.values() if self._lanes else ()
        for one in lanes:
            metrics.lane(one.name, one.breaker.state(now), one.in_hand)
        states = {one.name: one.breaker.state(now) for one in lanes}
        return json.dumps({name: state for name, state in states.items() if state != "closed"})
