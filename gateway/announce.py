"""Announcing: what happened to cases, as CloudEvents on the bus. One process at a time does it; any may take over.

The database says what is not announced yet, and forgets it when the broker has it on every queue that wants it. Whoever
is killed in between, or loses broker or database, announces it again under the same id.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import orjson

from canonical.announcement import Right, as_events_left_it, cloud_event, routing_key
from canonical.case import Case, Event
from canonical.errors import HubError, Misconfigured, Unavailable
from connectors.amqp_window import Post
from connectors.bus import BusPublisher, Topology, persistent
from gateway.hub import Hub
from gateway.log import log
from storage.announcements import MEMORY, Announcements, Unannounced
from storage.memories import Memories

EXCHANGE = "gridhub.events"
"""The topic exchange; durable. Who wants to hear binds a queue of their own to it."""
TOPOLOGY = Topology(topics=(EXCHANGE,))
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
"""Structured mode: envelope and data are one body."""
LEASE = timedelta(seconds=30)
MOST = 500
"""Steps of cases in one batch."""
_IDLE = 0.2
_SOONEST, _LATEST = 0.5, 10.0
_SETTINGS = 60.0
_NAME = ("", MEMORY)


class Told(NamedTuple):
    """A batch as it goes out: of each post, the announcement it belongs to; and what cannot be told."""

    posts: list[Post]
    positions: list[int]
    unreadable: dict[int, str]


class Announcer:
    """The publishing of one process."""

    def __init__(self, hub: Hub, *, lease: timedelta = LEASE, most: int = MOST) -> None:
        assert hub.settings.bus is not None
        self.hub, self.lease, self.most = hub, lease, most
        self.announcements, self.memories = Announcements(hub.store), Memories(hub.store)
        self._publisher = BusPublisher(hub.settings.bus, TOPOLOGY, name="events")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="announce")
        self._by = hub.ids()
        self._renew_at: datetime | None = None
        self._on = False
        self._failures = 0
        self._trouble: str | None = None
        """None: whatever an earlier process has noted."""

    async def round(self) -> float:
        """Announce a batch. Returns the seconds until the next one. Raises Unavailable when the database is away."""
        if not self._on:
            await self._switch_on()
        if not await self._mine():
            return self.lease.total_seconds() / 3
        waiting = await self.announcements.waiting(self.most)
        try:
            told, confirmed, error = await self._in_thread(waiting)
        except HubError as trouble:
            return await self._troubled(trouble)
        for position, why in told.unreadable.items():
            log.error("announcement.unreadable", position=position, why=why)
            await self.announcements.set_aside(position, why)
        if done := _done(waiting, told, confirmed):
            await self.announcements.announced(done)
        if error is not None:
            return await self._troubled(error)
        await self._well()
        return 0.0 if len(waiting) == self.most else _IDLE

    async def close(self) -> None:
        """Hang up, and leave the rest to the next process at once."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._publisher.close)
        self._thread.shutdown(wait=True)
        with suppress(Unavailable):  # then the lease ends by itself
            await self.memories.release(*_NAME, by=self._by)

    async def _switch_on(self) -> None:
        if await self.announcements.switch_on(self.hub.now()):
            log.info("announcing.begins", exchange=EXCHANGE)
        self._on = True

    async def _mine(self) -> bool:
        now = self.hub.now()
        if self._renew_at is not None and now < self._renew_at:
            return True
        mine = await self.memories.claim(*_NAME, by=self._by, now=now, lease=self.lease)
        if mine and self._renew_at is None:  # what could not be told before may be now: this process is a newer one
            await self.announcements.take_up_again()
        self._renew_at = now + self.lease / 3 if mine else None
        return mine

    async def _in_thread(self, waiting: Sequence[Unannounced]) -> tuple[Told, list[bool], HubError | None]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._publish, waiting)

    def _publish(self, waiting: Sequence[Unannounced]) -> tuple[Told, list[bool], HubError | None]:
        configuration = self.hub.configuration
        told = posts_of(waiting, city=configuration.city.code, rights=configuration.rights)
        published = self._publisher.publish(told.posts)  # of nothing, too: a broker that went away is noticed
        return told, published.confirmed, published.error

    async def _troubled(self, error: HubError) -> float:
        if str(error) != self._trouble:
            self._trouble = str(error)
            log.warning("bus.trouble", why=self._trouble)
            await self.memories.trouble(*_NAME, self._trouble)
        if isinstance(error, Misconfigured):
            return _SETTINGS
        self._failures += 1
        grown: float = min(_SOONEST * 2 ** min(self._failures - 1, 10), _LATEST)
        return grown

    async def _well(self) -> None:
        if self._trouble != "":
            if self._trouble:
                log.info("bus.well")
            await self.memories.trouble(*_NAME, "")
        self._failures, self._trouble = 0, ""


def posts_of(waiting: Sequence[Unannounced], *, city: str, rights: frozenset[Right]) -> Told:
    """What is to be published for these, in order."""
    told = Told([], [], {})
    stories: dict[UUID, tuple[list[Event], dict[int, Case], Case]] = {}
    for one in waiting:
        if not one.events:  # the case has been taken away since
            continue
        try:
            if one.case_id not in stories:
                stories[one.case_id] = _story(one)
            events, states, case = stories[one.case_id]
            posts = [
                _post(event, states.get(event.seq, case), city, rights)
                for event in events
                if one.first <= event.seq <= one.last
            ]
        except ValueError as error:  # pydantic's is one; its text quotes what stood there
            told.unreadable[one.position] = type(error).__name__
            continue
        told.posts.extend(posts)
        told.positions.extend([one.position] * len(posts))
    return told


def _story(one: Unannounced) -> tuple[list[Event], dict[int, Case], Case]:
    events = [Event.model_validate_json(body) for body in one.events]
    case = Case.model_validate_json(one.case)
    return events, as_events_left_it(case, events), case


def _post(event: Event, case: Case, city: str, rights: frozenset[Right]) -> Post:
    document = cloud_event(event, case, city=city, rights=rights)
    properties = persistent(
        id=document["id"], kind=document["type"], at=int(event.action.at.timestamp()), content_type=CONTENT_TYPE
    )  # fmt: skip
    return Post(EXCHANGE, routing_key(event, case), orjson.dumps(document), properties, lane=event.case_id)


def _done(waiting: Sequence[Unannounced], told: Told, confirmed: Sequence[bool]) -> list[int]:
    """Announcements of which the broker has everything."""
    open_ = {position for position, there in zip(told.positions, confirmed, strict=True) if not there}
    return [one.position for one in waiting if one.position not in open_ and one.position not in told.unreadable]
