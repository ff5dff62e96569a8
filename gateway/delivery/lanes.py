"""All lanes of one process: one claim for all systems with free places, whenever there may be something to take up."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import asyncpg
from sqlalchemy.engine import make_url

from gateway.delivery.deliver import Deliverer
from gateway.delivery.departing import Departure, Unsure, departed
from gateway.delivery.relay import OVERDUE, Tickets
from gateway.delivery.settling import Settling
from gateway.delivery.traffic import Share
from gateway.hub import Hub
from storage.outbox import Claimed, Wanted
from storage.store import WAKE, DatabaseAway

IDLE = 1.0
"""Seconds after which all lanes are looked at though nobody woke us: what was put off may be due."""
_AFTER_TROUBLE = 2.0


class Lanes:
    """The deliverers of this process, and the one claim that feeds them."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.settling = Settling(hub.outbox)
        self.deliverers: dict[str, Deliverer] = {}
        self._woken: set[str] = set()
        self._wake = asyncio.Event()
        self._looked_at = 0.0
        self.tickets: Tickets | None = None
        """With a bus: lanes are taken up by tickets while they flow."""
        self._unrelayed_at = 0.0
        self._share = Share()

    @property
    def share(self) -> Share:
        """Which of the living workers this process is."""
        return self._share

    @share.setter
    def share(self, share: Share) -> None:
        self._share = share
        for deliverer in self.deliverers.values():
            deliverer.share = share
        self.wake()

    def add(self, deliverer: Deliverer) -> None:
        """One more system."""
        deliverer.freed, deliverer.share = self._one, self._share
        self.deliverers[deliverer.name] = deliverer
        self._one(deliverer.name)

    def _one(self, name: str) -> None:
        self._woken.add(name)
        self._wake.set()

    def wake(self, names: Iterable[str] = ()) -> None:
        """Something may be waiting for these systems; for any, when none is named."""
        self._woken.update(names or self.deliverers)
        self._wake.set()

    async def once(self) -> float:
        """Take up what there is room for. Waits for a reason to look when there was nothing to do."""
        loop = asyncio.get_running_loop()
        self._wake.clear()
        if loop.time() - self._looked_at >= IDLE:
            self._looked_at = loop.time()
            self._woken.update(self.deliverers)
        names, self._woken = self._woken, set()
        if not await self._take_up(names):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), IDLE)
        return 0.0

    async def _take_up(self, names: Iterable[str]) -> bool:
        """True when something was taken up."""
        there = (self.deliverers[name] for name in sorted(names) if name in self.deliverers)
        wanted = [room for deliverer in there if (room := deliverer.wanted()) is not None]
        if not wanted:
            return False
        if self.tickets is None or not self.tickets.flowing:
            return await self._departed(wanted)
        claimed, some = await self._by_tickets(self.tickets, wanted)
        for one in claimed:
            self.deliverers[one.system].start(one)
        return some

    async def _departed(self, wanted: Sequence[Wanted]) -> bool:
        def write(claimed: Claimed) -> Departure | None:
            return self.deliverers[claimed.system].at_once(claimed)

        try:
            taken = await departed(self.hub.outbox, wanted, write, now=self.hub.now())
        except Unsure as error:
            for one in error.claimed:
                self.deliverers[one.system].give_back(one)
            raise
        for one, departure in taken:
            self.deliverers[one.system].start(one, departure)
        return bool(taken)

    async def _by_tickets(self, tickets: Tickets, wanted: Sequence[Wanted]) -> tuple[list[Claimed], bool]:
        """What is ours now, and whether it is worth while to look again at once."""
        now = self.hub.now()
        claimed, some = await tickets.claim(wanted)
        loop = asyncio.get_running_loop()
        if not some and loop.time() - self._unrelayed_at >= OVERDUE.total_seconds() / 2:
            self._unrelayed_at = loop.time()  # nobody relays what is due for so long
            later = [replace(one, lease=one.lease + OVERDUE) for one in wanted]
            claimed = await self.hub.outbox.claim(later, now=now - OVERDUE)
        return claimed, some or bool(claimed)

    async def listen(self, stop: asyncio.Event) -> float:
        """Be woken by whoever commits something that is to be sent. Returns when the connection ends."""
        url = make_url(self.hub.store.engine.url).set(drivername="postgresql")
        try:
            connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        except (OSError, asyncpg.PostgresError) as error:
            raise DatabaseAway("the database does not answer") from error
        try:
            await connection.add_listener(WAKE, self._told)
            self.wake()  # what was said before we listened
            while not stop.is_set() and not connection.is_closed():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1.0)
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=_AFTER_TROUBLE)
        return _AFTER_TROUBLE

    def _told(self, *said: object) -> None:
        """`said`: connection, process id, channel, and the names of systems by space."""
        self.wake(str(said[-1]).split())

    async def drained(self) -> None:
        """Wait for everything that is under way."""
        await asyncio.gather(*(deliverer.drained() for deliverer in self.deliverers.values()))
