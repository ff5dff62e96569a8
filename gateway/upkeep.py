"""What keeps the database in shape while the hub works: months made ahead, tallies folded, what need not be kept cut.

Any number of workers may do it: each round belongs to one of them.
"""

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta

from canonical.time import in_shanghai
from gateway.hub import Hub
from gateway.log import log
from storage.partitions import keep_months
from storage.retention import Retention
from storage.tallies import STEP, fold

HOUR = 3600.0
NIGHT = range(1, 6)
"""Hours in Asia/Shanghai in which is cut."""
_SHARE = 1.0
"""Seconds of rest for each second of cutting."""
_LONGEST_REST = 5.0


class Upkeep:
    """The upkeep of one worker process."""

    def __init__(self, hub: Hub, stop: asyncio.Event) -> None:
        self.hub, self.stop = hub, stop
        self._cut: datetime | None = None

    async def round(self) -> float:
        """One round; seconds until the next."""
        now = self.hub.now()
        made, rest = await keep_months(self.hub.store, now)
        if made:
            log.info("upkeep.months", made=made)
        if rest:
            log.warning("upkeep.rest", rows=rest, why="rows of months that are not there: a clock is wrong")
        if in_shanghai(now).hour in NIGHT and (self._cut is None or now - self._cut > timedelta(hours=12)):
            self._cut = now
            for cut in await Retention(self.hub.store, self.hub.configuration.keep, run=self.hub.ids()).cut(
                self.hub.now, rest=self._rest
            ) or []:  # fmt: skip
                log.info("retention.cut", kind=cut.class_, what=cut.what, part=cut.part, rows=cut.rows, bytes=cut.bytes)
        return HOUR

    async def _rest(self, seconds: float) -> bool:
        """Leave the database to others for as long as a batch took; True when we are to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), min(seconds * _SHARE, _LONGEST_REST))
        return self.stop.is_set()


_FOLDED_OFTEN, _FOLDED_SELDOM = 2.0, 30.0
"""Seconds between two looks at the tallies, when there was something to fold and when there was not."""


class Folding:
    """Adds up what the tallies have not folded yet: one small step after the other, and as much rest between."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def round(self) -> float:
        """One step; seconds until the next."""
        began = time.monotonic()
        folded = await fold(self.hub.store, self.hub.now())
        if folded == STEP:
            return (time.monotonic() - began) * _SHARE
        return _FOLDED_OFTEN if folded else _FOLDED_SELDOM
