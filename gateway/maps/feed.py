"""The feed: open cases in memory, as they were a moment ago; what changed since is read again and again.

Map services run in threads and ask for a table; the loop reads the database. Neither waits for the other, but for a
question about a time gone by.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from canonical.mark import CaseMark
from gateway.log import log
from gateway.maps import counts
from maps.atlas import Interval, TooMany
from maps.cases import CaseTable
from storage.driver import DatabaseAway
from storage.map_marks import MapMarks

EVERY = 2.0
"""Seconds between two looks at what changed; longer where a look takes long."""
SELDOM = 20.0
"""Seconds between two looks at most."""
STALE = 60.0
"""Seconds after which the map is no longer what was true a moment ago."""
_SHARE = 10.0
"""Looking takes at most one part of so many of the time."""
WHOLE = 3600.0
"""Seconds after which all open cases are read anew: nothing is known to be missed, and this way nothing is."""
_KEPT = 8
"""Tables of times gone by that are kept."""
_PATIENCE = 60.0
_NEAR_PAST = 30.0
"""Seconds for which a kept table of a time gone by is good: the cases in it go on changing."""


class Feed:
    """Open cases, and those of times gone by. Start it with `run` on the loop that owns the store."""

    def __init__(
        self, marks: MapMarks, table: Callable[[list[CaseMark], str], CaseTable], *, most: int,
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        """`table(marks, revision)` puts cases into columns; `most`: cases of a time gone by."""
        self._marks, self._table, self._most, self._now = marks, table, most, now
        self._known: dict[UUID, CaseMark] = {}
        self._revision = 0
        self._since = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self._past: OrderedDict[Interval, tuple[datetime, CaseTable]] = OrderedDict()
        self._looked: datetime | None = None
        self.live = table([], "0")
        """The open cases as they are known now. Replaced as a whole: whoever holds one may go on reading it."""

    async def run(self) -> None:
        """Look again and again, until cancelled. A database that is away is waited for."""
        while True:
            try:
                await self.read_all()
                begun = asyncio.get_running_loop().time()
                took = 0.0
                while asyncio.get_running_loop().time() - begun < WHOLE:
                    await asyncio.sleep(min(max(EVERY, _SHARE * took), SELDOM))
                    took = await _seconds(self.look())
            except DatabaseAway as error:
                log.error("maps.database_away", why=str(error))
                await asyncio.sleep(EVERY)
            except Exception as error:  # noqa: BLE001 a map that stands still for ever would be worse
                log.error("maps.feed_failed", error=type(error).__name__, exc_info=True)
                await asyncio.sleep(SELDOM)

    async def read_all(self) -> None:
        """All open cases anew. Raises DatabaseAway."""
        self.loop = asyncio.get_running_loop()
        change = await self._marks.all_open()
        self._known, self._since = {one.id: one for one in change.marks}, change.since
        await self._made()
        self._told()

    async def look(self) -> None:
        """What changed since the last look. Raises DatabaseAway."""
        change = await self._marks.changed(self._since)
        news = [one for one in change.marks if self._known.get(one.id) != one]
        gone = [one for one in change.gone if one in self._known]
        self._since = change.since
        if news or gone:
            self._known |= {one.id: one for one in news}
            for one in gone:
                del self._known[one]
            await self._made()
        self._told()

    @property
    def age(self) -> float:
        """Seconds since it last saw what changed; infinite before the first time."""
        return (self._now() - self._looked).total_seconds() if self._looked else math.inf

    def past(self, when: Interval) -> CaseTable:
        """The cases received in an interval. Blocking, for threads. Raises DatabaseAway, TooMany."""
        kept = self._past.get(when)
        if kept is not None and (self._now() - kept[0]).total_seconds() < _NEAR_PAST:
            return kept[1]
        assert self.loop is not None  # it runs before anybody asks
        asked = asyncio.run_coroutine_threadsafe(self._marks.received(*when, self._most + 1), self.loop)
        marks = asked.result(_PATIENCE)
        if len(marks) > self._most:
            raise TooMany(f"more than {self._most} cases: ask for a shorter time")
        table = self._table(marks, f"{when[0].isoformat()}/{when[1].isoformat()}")
        self._past[when] = (self._now(), table)
        while len(self._past) > _KEPT:
            self._past.popitem(last=False)
        return table

    def _told(self) -> None:
        self._looked = self._now()
        counts.looked(len(self._known), self._looked)

    async def _made(self) -> None:
        self._revision += 1
        self.live = await asyncio.to_thread(self._table, list(self._known.values()), f"{self._revision}")


async def _seconds(doing: Awaitable[None]) -> float:
    """How long it took."""
    began = asyncio.get_running_loop().time()
    await doing
    return asyncio.get_running_loop().time() - began
