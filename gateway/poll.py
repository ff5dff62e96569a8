"""Polling: ask a system for what changed, and take every item in like any other message.

Windows overlap and identities are unique, so that a late or repeated row does no harm. The cursor moves only over what
is committed. A turn that takes long is done in pieces, so that the worker can stop between them.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adapters import Page, Pull
from adapters.path import path_getter
from adapters.value import int_at
from canonical.case import Binding
from canonical.errors import HubError, InDoubt, Refused, Unacceptable, Unavailable
from canonical.message import Message
from canonical.time import in_shanghai
from gateway.asking import Asking
from gateway.configuration import ConnectedSystem
from gateway.fetching import LOOK
from gateway.hub import Hub
from gateway.log import log
from gateway.pull_page import Misses, PageIntake
from gateway.pull_window import (
    End,
    Place,
    Span,
    asks_for_pages,
    following,
    nothing_there,
    offset,
    only_page,
    past_end,
    spans,
    swept,
)
from gateway.session import Session
from storage.cursors import Cursors
from storage.memories import Memories
from storage.open_cases import open_bindings

LEASE = timedelta(minutes=1)
"""How long a pull is ours without a sign of life: what a killed process had in hand waits for so long."""
BEAT = 15.0
"""Seconds between signs of life: details and acknowledgements of one page may take long."""
AT_ONCE = 20.0
"""Seconds of work after which a turn is paused, to go on at once unless the worker is to stop."""
RESUME = timedelta(minutes=10)
"""How long a turn that was interrupted may go on where it stood; a list that is older has changed too much."""
LONGEST_PAUSE = 3600.0
"""Seconds we leave a system alone at the most, whatever it asks for."""
FORGET = timedelta(days=30)
"""What a full list has not shown for so long is news when it comes back."""
_NOT_OURS = 5.0


@dataclass(frozen=True, slots=True)
class _Job:
    """A pull, or its wider pass."""

    name: str
    """Of its cursor."""
    pull: Pull
    paged: bool
    """Whether another page can be asked for."""
    every: float
    jitter: float
    intake: PageIntake
    sweep: bool = False

    @property
    def soonest(self) -> timedelta:
        return timedelta(seconds=self.every * (1 - self.jitter))

    def wait(self) -> float:
        """Seconds to its next turn: spread, so that many hubs do not ask one platform in the same second."""
        return self.every * (1 - self.jitter * random.random())  # noqa: S311 no secret


@dataclass(frozen=True, slots=True)
class _Lot:
    """One window, or one case in it."""

    span: Span
    binding: Binding | None = None


@dataclass(slots=True)
class _Walk:
    """Where a turn stands."""

    reached: datetime | None
    """Everything before is committed."""
    lots: list[_Lot]
    at: datetime
    place: Place
    misses: Misses = field(default_factory=Misses)
    done: set[str] = field(default_factory=set)
    """Rows of the present page whose details were had."""
    stuck: bool = False
    """Something failed that must come again: the cursor goes no further."""
    trouble: str = ""
    items: int = 0

    def goes_on(self, since: datetime | None, now: datetime) -> bool:
        """False when another process has come further, or too much time has passed."""
        return self.reached == since and timedelta() <= now - self.at < RESUME

    def next_lot(self, first_page: int) -> None:
        """The present lot is over. The cursor moves when it was the last of its window."""
        lot = self.lots.pop(0)
        self.place, self.done = Place(first_page), set()
        if not self.stuck and (not self.lots or self.lots[0].span != lot.span):
            self.reached = max(self.reached or lot.span.until, lot.span.until)

    @property
    def told(self) -> str:
        """What people should know."""
        missed = f"{self.misses.number} could not be had: {self.misses.trouble}" if self.misses.number else ""
        return "; ".join(filter(None, (self.trouble, missed)))


class Poller:
    """The pulls of one system. One poller of all processes works at a time, by lease."""

    def __init__(self, hub: Hub, connected: ConnectedSystem, session: Session) -> None:
        self.hub, self.system, self.session = hub, connected.system, session
        self.name, self.every = connected.system.role.id, connected.every
        self.cursors, self.memories = Cursors(hub.store), Memories(hub.store)
        self.asking = Asking(hub, connected.system, session)
        self._jobs = [job for pull in connected.system.pulls for job in self._of(pull)]
        self.at_once, self.lease, self.beat = AT_ONCE, LEASE, BEAT
        self._under_way: dict[str, _Walk] = {}
        self._forgot: dict[str, datetime] = {}
        self._held: dict[str, datetime] = {}

    def _of(self, pull: Pull) -> list[_Job]:
        declared, intake = pull.declared, PageIntake(self.hub, pull, self.asking)
        paged = asks_for_pages(declared, self.system.writers[declared.ask][0].declared)
        jobs = [_Job(pull.name, pull, paged, self.every or declared.every, declared.jitter, intake)]
        if declared.sweep:
            jobs.append(_Job(f"{pull.name}#sweep", pull, paged, declared.sweep.every, 0.0, intake, sweep=True))
        return jobs

    async def round(self) -> float:
        """Ask for everything that is due. Returns the seconds until something is due again."""
        if await self.hub.fetching.off(self.name):
            return LOOK
        waits = [await self._turn(job) for job in self._jobs]
        return min(waits, default=3600.0)

    async def _turn(self, job: _Job) -> float:
        now = self.hub.now()
        held = self._held.get(job.name)  # the database may have gone away before we could give the turn back
        turn = await self.cursors.claim(self.name, job.name, every=job.soonest, now=now, lease=self.lease, held=held)
        if turn is None:
            return min(job.every, _NOT_OURS)
        self._held[job.name] = now + self.lease
        walk = self._under_way.pop(job.name, None)
        if walk is None or not walk.goes_on(turn.since, now):
            walk = await self._begun(job, turn.since, now)
        try:
            await self._go(job, walk)
        except HubError as error:
            return await self._failed(job, walk, error)
        if walk.lots:
            self._under_way[job.name] = walk
            await self.cursors.pause(self.name, job.name, again=None, trouble=walk.told)
            return 0.0
        log.info("pull.done", system=self.name, pull=job.name, items=walk.items, trouble=walk.told)
        now = self.hub.now()
        await self.cursors.moved(self.name, job.name, walk.reached, now=now, trouble=walk.told)
        await self._forget(job, now)
        return job.wait()

    async def _begun(self, job: _Job, since: datetime | None, now: datetime) -> _Walk:
        declared, since = job.pull.declared, in_shanghai(since) if since else None  # both ends are written alike
        windows = swept(declared, declared.sweep, now) if job.sweep and declared.sweep else spans(declared, since, now)
        lots = [_Lot(span) for span in windows]
        if declared.per_case:
            asked = await open_bindings(self.hub.store, self.name)
            whole = Span(windows[0].since, windows[-1].until)
            lots = [_Lot(whole, binding) for binding in asked]
        reached = since if lots else max(windows[-1].until, since or windows[-1].until)
        return _Walk(reached, lots, now, Place(declared.first_page))

    async def _failed(self, job: _Job, walk: _Walk, error: HubError) -> float:
        """Nothing is lost: what is not committed is asked for again, where the other side was only away."""
        log.warning("pull.failed", system=self.name, pull=job.name, why=str(error))
        now, asked = self.hub.now(), getattr(error, "retry_after", None)
        if isinstance(error, Unavailable | InDoubt):
            walk.at = now
            self._under_way[job.name] = walk
        if asked:
            pause = float(min(asked, LONGEST_PAUSE))
            again = now + timedelta(seconds=pause)
            await self.cursors.pause(self.name, job.name, again=again, trouble=str(error))
            return pause
        await self.cursors.failed(self.name, job.name, str(error), now=now)
        return job.wait()

    async def _go(self, job: _Job, walk: _Walk) -> None:
        """Page after page, until the turn is over or it is time to look whether the worker is to stop."""
        clock = asyncio.get_running_loop().time
        end, first = clock() + self.at_once, True
        while walk.lots and (first or clock() < end):
            first = False
            try:
                async with self._alive(job, walk):
                    await self._step(job, walk)
            except HubError as error:
                if not job.pull.declared.per_case:
                    raise
                walk.misses.add(error)  # one case that cannot be asked about does not keep the others waiting
                walk.stuck = True
                walk.next_lot(job.pull.declared.first_page)
            walk.at = self.hub.now()
            await self._keep(job, walk)
            if await self.hub.fetching.off(self.name):  # what is left of the turn goes on when people say so
                return

    async def _keep(self, job: _Job, walk: _Walk) -> None:
        self._held[job.name] = self.hub.now() + self.lease
        await self.cursors.keep(self.name, job.name, walk.reached, lease=self._held[job.name])

    @asynccontextmanager
    async def _alive(self, job: _Job, walk: _Walk) -> AsyncIterator[None]:
        """The turn stays ours however long this takes, and not much longer than we live."""
        over = asyncio.Event()

        async def beat() -> None:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), self.beat)
                    return
                with suppress(HubError):  # the work itself will find out that the database is away
                    await self._keep(job, walk)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            over.set()
            await beating

    async def _step(self, job: _Job, walk: _Walk) -> None:
        declared, lot = job.pull.declared, walk.lots[0]
        if declared.count and walk.place.waiting is None:
            walk.place = replace(walk.place, waiting=await self._count(job, lot, walk.place))
            if not walk.place.waiting:
                walk.next_lot(declared.first_page)
                return
        asked_for = await self._further(job, lot, walk.place)
        if asked_for is None:
            self._follow(walk, declared.first_page, nothing_there(declared, walk.place))
            return
        answer, page = asked_for
        misses, asked = replace(walk.misses), self._asked(job, lot, walk.place)
        walk.items += await job.intake.take_in(answer, page, asked, misses, walk.done)
        walk.stuck = walk.stuck or misses.number > walk.misses.number
        walk.misses = misses  # not before: a page that is broken off is asked for again, and its misses with it
        walk.misses.good()
        step = following(declared, walk.place, page) if job.paged else only_page(declared, page)
        self._follow(walk, declared.first_page, step)

    def _follow(self, walk: _Walk, first_page: int, step: Place | End) -> None:
        if isinstance(step, Place):
            walk.place, walk.done = step, set()
            return
        walk.trouble = walk.trouble or step.trouble
        walk.stuck = walk.stuck or not step.whole
        walk.next_lot(first_page)

    def _asked(self, job: _Job, lot: _Lot, place: Place) -> dict[str, Any]:
        """What pages, details, counts and acknowledgements may use beside their item."""
        name, span, declared = job.pull.name, lot.span, job.pull.declared
        asked = self.system.asked(name, since=span.since, until=span.until, page=place.page, cursor=place.cursor)
        return asked | {"offset": offset(declared, place)}

    async def _count(self, job: _Job, lot: _Lot, place: Place) -> int:
        """How many items wait at the other side."""
        count = job.pull.declared.count
        assert count is not None
        document = await self.asking.say(count.ask, pull=self._asked(job, lot, place), **_names(lot))
        try:
            return int_at(path_getter(count.path)(document), count.path)
        except Unacceptable:
            raise InDoubt(f"{self.name}: the answer to '{count.ask}' holds no number at {count.path}") from None

    async def _further(self, job: _Job, lot: _Lot, place: Place) -> tuple[Message, Page] | None:
        """The page of this place; None when nothing said that it is there, and it is not."""
        try:
            answer, page = await self._page(job, lot, place)
        except Refused as error:
            if place.guessed:
                return None
            if not place.pages:
                raise
            told = f"{error} (page {place.page}; where it means that nothing is left, its answer is 'then: absent')"
            raise Refused(told) from None
        return None if past_end(place, page) else (answer, page)

    async def _page(self, job: _Job, lot: _Lot, place: Place) -> tuple[Message, Page]:
        hub, name, page = self.hub, job.pull.name, place.page

        def read(answer: Message) -> tuple[Message, Page]:
            return answer, self.system.page(name, answer, now=hub.now(), ids=hub.ids, page=page)

        asked = self._asked(job, lot, place)
        return await self.asking.ask(job.pull.declared.ask, read, pull=asked, **_names(lot))

    async def _forget(self, job: _Job, now: datetime) -> None:
        """Once a day, what full lists no longer show. What is still shown was seen since."""
        if now - self._forgot.get(job.name, now - FORGET) < timedelta(days=1):
            return
        self._forgot[job.name] = now
        await self.memories.forget_before(self.name, job.pull.name, now - FORGET)


def _names(lot: _Lot) -> Mapping[str, Any]:
    return {"binding": lot.binding.model_dump(mode="json")} if lot.binding else {}
