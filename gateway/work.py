"""Worker processes: deliver, poll, receive, fetch files, subscribe, and keep house. Any number on any machine; each may
be killed at any instant.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial

from canonical.errors import HubError, Misconfigured, Unavailable
from canonical.message import Verdict
from canonical.ports import Connector
from gateway.alarm_clock import AlarmClock
from gateway.announce import Announcer
from gateway.assessment.nightly import Nightly
from gateway.case_clock import CalendarWatch, CaseClock
from gateway.configuration import ConnectedSystem
from gateway.database_clock import DatabaseClock, following
from gateway.delivery.crew import Heartbeat
from gateway.delivery.deliver import Deliverer
from gateway.delivery.drifting import CONNECTOR
from gateway.delivery.lanes import Lanes
from gateway.delivery.relay import Relay, Tickets
from gateway.evidence.seal import Sealer
from gateway.fetch import Fetcher
from gateway.file_sources import FileSources
from gateway.hub import Hub
from gateway.log import log
from gateway.notify import Notifier
from gateway.poll import Poller
from gateway.receive import Receiving
from gateway.reconciliation.run import Reconciler, asked, unasked
from gateway.renewal import Renewal
from gateway.replay.run import Replayer, keep_editions
from gateway.search.follow import Follower
from gateway.service_watch import ServiceWatch, watched
from gateway.session import Session
from gateway.subscribe import Subscriber
from gateway.upkeep import Folding, Upkeep
from gateway.upstream.watch import UpstreamWatch
from gateway.wiring import connector_for, worked
from storage.files import FileStore
from storage.memories import Memories
from storage.traffic_counts import TrafficCounts

__all__ = ["Role", "Worker", "connector_for"]

_IDLE = 1.0
_HOUSEKEEPING = 30.0
_COUNTING, _NEXT_COUNT = 60.0, 0.1
"""Seconds between two counts of what came and went; shorter where much is left to be counted."""
_AFTER_TROUBLE = 2.0
_SETTINGS = 60.0
"""Seconds until wrong settings are tried again: a missing file may be there by then."""


class Role(StrEnum):
    """What a worker does."""

    DELIVER = "deliver"
    POLL = "poll"
    RECEIVE = "receive"
    FETCH = "fetch"
    SUBSCRIBE = "subscribe"
    CLOCK = "clock"
    """What happens because time passes: alarms that are told once, messages that wait for their case, seals, search."""
    RECONCILE = "reconcile"
    """Compares with other systems what they and we have of the same cases."""
    ANNOUNCE = "announce"
    """Tell the bus what happens to cases."""
    RELAY = "relay"
    """Offer what is to be delivered on the bus, so that workers on any machine can take it up."""


class Worker:
    """All chosen roles for all systems, in one process.

    `follow`: by the database's clock, whatever the hub's own says.
    """

    def __init__(self, hub: Hub, roles: frozenset[Role], *, follow: bool = True) -> None:
        self.clock = DatabaseClock(hub.now) if follow else None
        self.hub, self.roles = following(hub, self.clock) if self.clock else hub, roles
        self.memories = Memories(hub.store)
        self.lanes = Lanes(self.hub) if Role.DELIVER in roles else None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; messages on their way are finished first."""
        systems = dict(worked(self.hub))
        if self.clock is not None:  # nothing is taken up before the time is known
            await self._steadily(self._look(self.clock), "clock", stop, done=lambda: self._knows_the_time)
        renewal = Renewal(self.hub)
        await self._steadily(renewal.first, "codes", stop, done=lambda: renewal.looked)
        heartbeat = Heartbeat(self.hub, self.roles, self.lanes, self.clock)
        tasks = [asyncio.create_task(self._steadily(heartbeat.beat, "heartbeat", stop), name="heartbeat")]
        tasks.append(asyncio.create_task(self._steadily(renewal.look, "codes", stop), name="codes"))
        if Role.CLOCK in self.roles:
            tasks.append(asyncio.create_task(self._keep_house(stop), name="housekeeping"))
            tasks.append(asyncio.create_task(self._steadily(AlarmClock(self.hub).round, "alarms", stop), name="alarms"))
            for watching, name in ((CaseClock(self.hub).round, "clocks"), (CalendarWatch(self.hub).round, "calendar")):
                tasks.append(asyncio.create_task(self._steadily(watching, name, stop), name=name))
            tasks.append(asyncio.create_task(self._steadily(Notifier(self.hub).round, "notices", stop), name="notices"))
            tasks.append(
                asyncio.create_task(self._steadily(Nightly(self.hub).round, "assessment", stop), name="nightly")
            )
            watching = UpstreamWatch(self.hub).round
            tasks.append(asyncio.create_task(self._steadily(watching, "upstream", stop), name="upstream"))
            following_cases = Follower(self.hub).round
            tasks.append(asyncio.create_task(self._steadily(following_cases, "search", stop), name="search"))
            sealer = Sealer(self.hub.store, now=self.hub.now, algorithm=self.hub.settings.evidence_digest)
            tasks.append(asyncio.create_task(self._steadily(sealer.round, "seals", stop), name="seals"))
        await keep_editions(self.hub)
        replaying = Replayer(self.hub, ending=stop.is_set)
        tasks.append(asyncio.create_task(self._steadily(replaying.round, "replays", stop), name="replays"))
        for name, connected in systems.items():
            if connected.url and self._sends(connected):
                tasks.append(asyncio.create_task(self._sending(connected, stop), name=f"to-{name}"))
            if Role.RECEIVE in self.roles:
                for receiver in connected.system.receivers:
                    receiving = Receiving(self.hub, connected, receiver)
                    tasks.append(asyncio.create_task(receiving.run(stop), name=f"from-{name}-{receiver.name}"))
        if self.lanes is not None:
            listening = self._steadily(partial(self.lanes.listen, stop), "listen", stop)
            tasks.append(asyncio.create_task(listening, name="listen"))
            tasks.append(asyncio.create_task(self._deliver(self.lanes, stop), name="deliver"))
        for name, one in unasked(self.hub) if Role.RECONCILE in self.roles else ():
            tasks.append(asyncio.create_task(self._steadily(one.round, f"reconcile-{name}", stop)))
        tasks += self._on_the_bus(stop)
        if Role.FETCH in self.roles:
            tasks.append(asyncio.create_task(self._fetch(stop), name="fetch"))
        tasks.append(asyncio.create_task(self._steadily(Upkeep(self.hub, stop).round, "upkeep", stop), name="upkeep"))
        tasks.append(asyncio.create_task(self._steadily(Folding(self.hub).round, "tallies", stop), name="tallies"))
        tasks.append(asyncio.create_task(self._steadily(self._count, "counting", stop), name="counting"))
        log.info("worker.started", roles=sorted(role.value for role in self.roles), systems=list(systems))
        await stop.wait()
        if self.lanes is not None:
            self.lanes.wake()
        await asyncio.gather(*tasks)
        await heartbeat.leave()
        log.info("worker.stopped")

    @property
    def _knows_the_time(self) -> bool:
        return self.clock is None or self.clock.known

    def _look(self, clock: DatabaseClock) -> Callable[[], Awaitable[float]]:
        async def once() -> float:
            await clock.look(self.hub.store)
            return 0.0

        return once

    # --- one system ---

    def _sends(self, connected: ConnectedSystem) -> bool:
        system = connected.system
        wanted = {
            Role.DELIVER: True, Role.POLL: bool(system.pulls), Role.SUBSCRIBE: system.subscription is not None,
            Role.RECONCILE: asked(connected),
        }  # fmt: skip
        return any(role in self.roles and there for role, there in wanted.items())

    async def _sending(self, connected: ConnectedSystem, stop: asyncio.Event) -> None:
        """Everything that needs a connector. One that cannot be made is told, and tried again: others work on."""
        connector = await self._connector(connected, stop)
        if connector is None:
            return
        session = Session(connected.system, connector, self.hub)
        name, tasks = connected.system.role.id, []
        deliverer = None
        if self.lanes is not None:
            deliverer = Deliverer(self.hub, connected, connector, session, self.lanes.settling)
            self.lanes.add(deliverer)
            tasks.append(self._until(stop))
        if Role.DELIVER in self.roles and (service := watched(connected.system, connector)) is not None:
            tasks.append(self._steadily(ServiceWatch(self.hub, name, service).round, f"wsdl-{name}", stop))
        if Role.POLL in self.roles and connected.system.pulls:
            tasks.append(self._steadily(Poller(self.hub, connected, session).round, f"poll-{name}", stop))
        if Role.RECONCILE in self.roles and asked(connected):
            comparing = Reconciler(self.hub, connected, session).round
            tasks.append(self._steadily(comparing, f"reconcile-{name}", stop))
        if Role.SUBSCRIBE in self.roles and connected.system.subscription is not None:
            tasks.append(self._subscribe(Subscriber(self.hub, connected, session), name, stop))
        await asyncio.gather(*tasks)
        if deliverer is not None:
            await deliverer.drained()
            deliverer.close()
        connector.close()

    async def _connector(self, connected: ConnectedSystem, stop: asyncio.Event) -> Connector | None:
        """None when we were stopped before the settings were right."""
        found: list[Connector] = []
        shown = ""

        async def once() -> float:
            nonlocal shown
            try:
                made = await asyncio.to_thread(connector_for, self.hub, connected)
            except Misconfigured as error:
                if str(error) != shown:
                    log.error("worker.misconfigured", system=connected.system.role.id, why=str(error))
                    shown = str(error)
                await self.memories.trouble(connected.system.role.id, CONNECTOR, str(error))
                return _SETTINGS
            found.append(made)
            await self.memories.trouble(connected.system.role.id, CONNECTOR, "")  # also of an earlier process
            return 0.0

        await self._steadily(once, f"connector-{connected.system.role.id}", stop, done=lambda: bool(found))
        return found[0] if found else None

    @staticmethod
    async def _until(stop: asyncio.Event) -> None:
        await stop.wait()

    async def _deliver(self, lanes: Lanes, stop: asyncio.Event) -> None:
        """Take up what is due whenever places are free: a slow answer holds one place, not the others."""
        await self._steadily(lanes.once, "deliver", stop)
        await lanes.drained()

    async def _subscribe(self, subscriber: Subscriber, name: str, stop: asyncio.Event) -> None:
        await self._steadily(subscriber.round, f"subscribe-{name}", stop)
        try:
            await subscriber.end()
        except HubError as error:
            log.warning("worker.waiting", task=f"subscribe-{name}", why=str(error))

    # --- all systems ---

    async def _fetch(self, stop: asyncio.Event) -> None:
        """The files of cases, whichever system they come from."""
        with FileSources(self.hub) as sources:
            files = FileStore(self.hub.settings.file_folder)
            fetcher = Fetcher(self.hub, files, sources.fetch, sign_in=sources.sign_in)

            async def once() -> float:
                fetcher.wake.clear()
                if not await fetcher.round():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(fetcher.wake.wait(), _IDLE)
                return 0.0

            await self._steadily(once, "fetch", stop)
            await fetcher.drained()
            fetcher.close()

    def _on_the_bus(self, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        """What there is to do where there is a bus."""
        if self.hub.settings.bus is None:
            return []
        tasks = []
        systems = dict(self.hub.connected)
        if self.lanes is not None and systems:
            prefetch = {name: one.concurrency for name, one in systems.items()}
            self.lanes.tickets = tickets = Tickets(self.hub, prefetch, self.lanes.wake)
            reading = self._steadily(partial(tickets.round, stop), "tickets", stop)
            tasks.append(asyncio.create_task(reading, name="tickets"))
        if Role.RELAY in self.roles and systems:
            tasks.append(asyncio.create_task(self._relay(list(systems), stop), name="relay"))
        if Role.ANNOUNCE in self.roles:
            tasks.append(asyncio.create_task(self._announce(stop), name="announce"))
        return tasks

    async def _relay(self, systems: Sequence[str], stop: asyncio.Event) -> None:
        relay = Relay(self.hub, systems)
        await self._steadily(relay.round, "relay", stop)
        await relay.close()

    async def _announce(self, stop: asyncio.Event) -> None:
        """What happens to cases, on the bus."""
        announcer = Announcer(self.hub)
        await self._steadily(announcer.round, "announce", stop)
        await announcer.close()

    async def _steadily(
        self, once: Callable[[], Awaitable[float]], name: str, stop: asyncio.Event,
        *, done: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Again and again, at the pace `once` asks for. Trouble with the database is waited out; a defect is told."""
        while not stop.is_set() and not done():
            try:
                pause = await once()
            except Unavailable as error:
                log.warning("worker.waiting", task=name, why=str(error))
                pause = _AFTER_TROUBLE
            except Exception:  # noqa: BLE001 one broken case must not end the work for all others
                log.error("worker.failed", task=name, exc_info=True)
                pause = _AFTER_TROUBLE
            if pause:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)

    async def _count(self) -> float:
        """How much came and went, as the board of systems shows it."""
        return _NEXT_COUNT if await TrafficCounts(self.hub.store).fold(self.hub.now()) else _COUNTING

    async def _keep_house(self, stop: asyncio.Event) -> None:
        async def once() -> float:
            held = await self.hub.journal.deferred(Verdict.HELD)
            if held:
                await self.hub.reception.take_in_again(held)
            await self.hub.outbox.park_tried(now=self.hub.now())
            return _HOUSEKEEPING

        await self._steadily(once, "housekeeping", stop)
