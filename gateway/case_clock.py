"""The clock of cases: what is to be told on the way to a due time, what ends by itself, what a new calendar changes.

Any number of processes may do so, and each may be killed at any instant: a step is told in one transaction with all
that follows from it, under the lock of its case, and has a row of its own with a unique key. After an outage what was
missed is told in its order, marked late.
"""

import hashlib
from datetime import timedelta
from uuid import UUID

from gateway.hub import Hub
from gateway.ladder import rung_notices
from gateway.log import log
from gateway.metrics import CLOCK_STEPS
from gateway.notify import channels
from routing.book import Book
from routing.ticking import recompute, tick
from storage.batch import Batch
from storage.memories import Memories
from storage.rung_notices import save_rung_notices

AT_ONCE = 75
"""Cases a batch: so many take 16 ms of the server's processor time, and some 50 ms on a busy machine
(docs/performance.md).
"""
_RECOMPUTED_AT_ONCE = 200
PAUSE = 1.0
_LEASE = timedelta(minutes=5)
_OURS, _CALENDAR = "hub", "calendar"
_FIRST = UUID(int=0)


class CaseClock:
    """Tells what is due, batch by batch."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._at_once = AT_ONCE
        self._broken: set[UUID] = set()
        """Cases that our own code cannot tell of: told in the log, and in nobody's way until the next start."""

    async def round(self) -> float:
        """One batch. Returns the seconds until the next."""
        now = self.hub.now()
        async with self.hub.store.batch() as batch:
            known = await batch.due(now, self._at_once, without=self._broken)
            book = Book(known, self.hub.configuration.city, now, self.hub.ids)
            try:
                told = sum(tick(book, case_id) for case_id in list(known.cases))
            except Exception:  # noqa: BLE001 a defect of ours: found case by case, so that the others have their time
                if len(known.cases) == 1:
                    self._broken |= set(known.cases)
                    log.error("clock.broken", case=next(iter(known.by_no)), exc_info=True)
                self._at_once = 1
                return 0.0
            await _save(batch, book)
            told_of = rung_notices(book, self.hub.ids)
            await save_rung_notices(batch.connection, told_of, channels(self.hub.configuration.notify), now)
        steps = [event.action.told for event in book.changes.events if event.action.told is not None]
        for step in steps:
            CLOCK_STEPS.labels(step.clock, step.step, str(step.late).lower()).inc()
        if steps:
            log.info("clock.told", cases=len(known.cases), steps=told, late=sum(step.late for step in steps))
        full = len(known.cases) == self._at_once
        if not full:
            self._at_once = AT_ONCE
        return 0.0 if full else PAUSE


class CalendarWatch:
    """Open clocks follow a calendar that changed: each case once, by one process at a time, from where it stopped."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self._id, self._memories = hub, hub.ids(), Memories(hub.store)

    async def round(self) -> float:
        """One batch of cases. Returns the seconds until the next."""
        hub, now = self.hub, self.hub.now()
        if not await self._memories.claim(_OURS, _CALENDAR, by=self._id, now=now, lease=_LEASE):
            return PAUSE * 10
        edition, _, at = (await self._memories.position(_OURS, _CALENDAR)).partition(" ")
        if edition == self.edition and not at:
            return PAUSE * 60
        last = UUID(at) if edition == self.edition and at else _FIRST
        async with hub.store.batch() as batch:
            known = await batch.open_after(last, _RECOMPUTED_AT_ONCE)
            book = Book(known, hub.configuration.city, now, hub.ids)
            changed = sum(recompute(book, case_id) for case_id in list(known.cases))
            await _save(batch, book)
        if changed:
            log.info("clock.recomputed", cases=len(known.cases), changed=changed)
        done = len(known.cases) < _RECOMPUTED_AT_ONCE
        position = self.edition if done else f"{self.edition} {max(known.cases)}"
        await self._memories.move(_OURS, _CALENDAR, position, now=now, by=self._id)
        return PAUSE if done else 0.0

    @property
    def edition(self) -> str:
        """A digest of the editions of all calendars in force."""
        city = self.hub.configuration.city
        units = (f"{unit} {calendar.edition}" for unit, calendar in sorted(city.calendars.items()))
        return hashlib.sha256("\n".join([city.calendar.edition, *units]).encode()).hexdigest()[:12]


async def _save(batch: Batch, book: Book) -> None:
    if book.changes.events:
        await batch.save(book.changes, book.now)
