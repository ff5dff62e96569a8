"""The time that processes agree on: the database's, kept by the monotonic clock between two looks at it.

Leases are promises between processes. One whose machine has a wrong clock would take what others have in hand for
given up, or keep for ever what it has: so a worker goes by the clock they all share, and a step of its own changes
nothing.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from canonical.ids import new_id
from canonical.time import SHANGHAI
from gateway.hub import Hub
from gateway.log import log
from gateway.reception import Reception
from storage.store import Store

_WRONG = 2.0
"""Seconds by which a machine's clock may differ before people are told."""
_SLOW = 1.0
"""Seconds: an answer that took longer says little about when it was given."""


class DatabaseClock:
    """`given`: the machine's own clock, used until the database was looked at."""

    def __init__(self, given: Callable[[], datetime], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._given, self._monotonic = given, monotonic
        self._offset: float | None = None
        self._told = False

    @property
    def known(self) -> bool:
        """Whether the database was looked at."""
        return self._offset is not None

    def now(self) -> datetime:
        """In Asia/Shanghai."""
        if self._offset is None:
            return self._given()
        return datetime.fromtimestamp(self._monotonic() + self._offset, SHANGHAI)

    async def look(self, store: Store) -> None:
        """Compare with the database. Raises Unavailable."""
        before = self._monotonic()
        at = await store.time()
        after = self._monotonic()
        if self.known and after - before > _SLOW:
            return
        self._offset = at.timestamp() - (before + after) / 2
        wrong = (self._given() - self.now()).total_seconds()
        if abs(wrong) > _WRONG and not self._told:
            log.warning("clock.wrong", seconds=round(wrong, 1), used="the database's time")
        self._told = abs(wrong) > _WRONG


def following(hub: Hub, clock: DatabaseClock) -> Hub:
    """The hub by this clock."""

    def fresh() -> UUID:
        return new_id(clock.now())

    reception = Reception(hub.configuration, hub.store, now=clock.now, ids=fresh)
    return replace(hub, now=clock.now, ids=fresh, reception=reception)
