"""Tickets: heads of lanes offered to workers on other machines, one quorum queue a system.

The database is the truth, a ticket only an invitation: whoever takes it claims the row, and a ticket that is lost,
doubled or late changes nothing. Rows that were offered and not taken up in time are offered again.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import orjson

from canonical.errors import HubError, Unavailable
from connectors.amqp_window import Post
from connectors.bus import BusPublisher, Queue, Topology, persistent
from connectors.bus_reader import BusReader, Token
from gateway.hub import Hub
from gateway.log import log
from storage.announcements import RELAY
from storage.memories import Memories
from storage.outbox import Claimed, Ticket, Wanted
from storage.store import DatabaseAway

Answer = TypeVar("Answer")

OFFERED = timedelta(seconds=60)
"""How long a ticket is left to the workers, before its row is offered again."""
AT_ONCE = 200
"""Tickets of one system that may lie in its queue; more would only grow old there."""
OVERDUE = timedelta(seconds=10)
"""What is due for so long and was not offered is claimed without a ticket: nobody relays."""
ATTEMPTS = 5
"""How often a ticket is handed out before the broker sets it aside."""
DEAD = "gridhub.dead"
"""Exchange and queue of tickets that were set aside; the rows themselves are offered again."""
_DEAD_TICKETS = f"{{count}} tickets in the queue {DEAD}: workers died with them; look why, and purge it"
_SOONEST, _LATEST = 0.5, 10.0
_IDLE = 0.2


def queue_of(system: str) -> str:
    """Name of a system's queue of tickets."""
    return f"gridhub.deliver.{system}"


def topology_of(systems: Iterable[str]) -> Topology:
    """The queues of these systems, and where dead tickets go."""
    limits = {"x-delivery-limit": ATTEMPTS, "x-dead-letter-exchange": DEAD}
    queues = tuple(Queue(queue_of(system), arguments=limits) for system in systems)
    return Topology(topics=(DEAD,), queues=(Queue(DEAD, bindings=((DEAD, "#"),)), *queues))


class Relay:
    """Offers what is due. Any number of processes may: no row is offered twice at a time."""

    def __init__(self, hub: Hub, systems: Sequence[str], *, offered: timedelta = OFFERED) -> None:
        assert hub.settings.bus is not None
        self.hub, self.systems, self.offered = hub, systems, offered
        self._publisher = BusPublisher(hub.settings.bus, topology_of(systems), name="relay")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay")
        self._failures = 0
        self._memories = Memories(hub.store)
        self._trouble: str | None = None
        """None: whatever an earlier process has noted."""

    async def round(self) -> float:
        """Offer what is due and fits. Returns the seconds until the next time."""
        try:
            return await self._round()
        except DatabaseAway:
            raise
        except HubError as error:
            await self._note(str(error))
            self._failures += 1
            grown: float = min(_SOONEST * 2 ** min(self._failures - 1, 10), _LATEST)
            return grown

    async def close(self) -> None:
        """Hang up."""
        await self._in_thread(self._publisher.close)
        self._thread.shutdown(wait=True)

    async def _round(self) -> float:
        # Asked first, so that nothing is taken for a broker that is not there.
        names = [DEAD, *map(queue_of, self.systems)]
        lying = await self._in_thread(lambda: self._publisher.lengths(names))
        wanted = [
            Wanted(name, places, self.offered)
            for name in self.systems
            if (places := AT_ONCE - lying[queue_of(name)]) > 0
        ]
        tickets = await self.hub.outbox.offer(wanted, now=self.hub.now()) if wanted else []
        if tickets:
            published = await self._in_thread(lambda: self._publisher.publish([post_of(one) for one in tickets]))
            if published.error is not None:  # their rows are offered again
                raise published.error
        self._failures = 0
        await self._note(_DEAD_TICKETS.format(count=lying[DEAD]) if lying[DEAD] else "")
        return 0.0 if len(tickets) >= AT_ONCE else _IDLE

    async def _note(self, trouble: str) -> None:
        """Tell it once, and where people look."""
        if trouble == self._trouble:
            return
        if trouble:
            log.warning("relay.trouble", why=trouble)
        elif self._trouble:
            log.info("relay.well")
        await self._memories.trouble("", RELAY, trouble)
        self._trouble = trouble

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def post_of(ticket: Ticket) -> Post:
    """The ticket as it travels."""
    body = orjson.dumps({"id": f"{ticket.id}", "claims": ticket.claims})
    properties = persistent(
        id=f"{ticket.id}-{ticket.claims}", kind="gridhub.ticket", at=0, content_type="application/json"
    )
    return Post("", queue_of(ticket.system), body, properties)


def ticket_of(system: str, body: bytes) -> Ticket:
    """What travelled, read again. Raises ValueError."""
    try:
        said = orjson.loads(body)
        return Ticket(UUID(said["id"]), system, int(said["claims"]))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no ticket") from error


class Tickets:
    """The tickets this process holds until it has places for them. Acknowledged when their rows are claimed.

    `wake` is called with the names of systems that something has come for. `prefetch`: tickets held a system.
    """

    def __init__(self, hub: Hub, prefetch: Mapping[str, int], wake: Callable[[Iterable[str]], None]) -> None:
        assert hub.settings.bus is not None
        self.hub, self._wake = hub, wake
        self._held: dict[str, deque[tuple[Ticket, Token]]] = defaultdict(deque)
        queues = {queue_of(system): most for system, most in prefetch.items()}
        self._systems = {queue_of(system): system for system in prefetch}
        self._reader = BusReader(hub.settings.bus, topology_of(prefetch), queues, self._heard, name="deliver")
        self._failures = 0

    @property
    def flowing(self) -> bool:
        """False while there is no connection: lanes are then claimed without tickets."""
        return self._reader.connected

    async def round(self, stop: asyncio.Event) -> float:
        """Read until `stop` is set or the connection breaks. Returns the seconds until the next try."""
        began = asyncio.get_running_loop().time()
        try:
            await self._reader.read(stop)
        except HubError as error:
            if asyncio.get_running_loop().time() - began > _LATEST:  # it had been well
                self._failures = 0
            if not self._failures:
                log.warning("tickets.trouble", why=str(error))
            self._failures += 1
        finally:
            self._held.clear()  # they come again
            self._wake(())
        grown: float = min(_SOONEST * 2 ** min(self._failures, 10), _LATEST)
        return grown

    async def claim(self, wanted: Sequence[Wanted]) -> tuple[list[Claimed], bool]:
        """What tickets are held for, now ours; and whether there were any, good or not."""
        claimed: list[Claimed] = []
        some = False
        for one in wanted:
            held = self._held[one.system]
            taken = [held.popleft() for _ in range(min(one.places, len(held)))]
            if not taken:
                continue
            some = True
            tickets = [ticket for ticket, _ in taken]
            try:
                claimed += await self.hub.outbox.claim_offered(tickets, now=self.hub.now(), lease=one.lease)
            except Unavailable:
                held.extendleft(reversed(taken))
                raise
            for _, token in taken:
                self._reader.done(token)
        return claimed, some

    def _heard(self, queue: str, body: bytes, token: Token) -> None:
        system = self._systems[queue]
        try:
            ticket = ticket_of(system, body)
        except ValueError:  # its row is offered again, whatever it was
            log.warning("tickets.unreadable", system=system)
            self._reader.done(token)
            return
        self._held[system].append((ticket, token))
        self._wake((system,))
