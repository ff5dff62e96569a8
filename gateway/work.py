"""Worker processes: deliver, poll, and keep house. Any number on any machine; each may be killed at any instant."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum

import asyncpg
from sqlalchemy.engine import make_url

from canonical.errors import Misconfigured, Unavailable
from canonical.message import Verdict
from canonical.ports import Connector
from connectors.http import HttpConnector
from connectors.soap import SoapConnector
from gateway.configuration import ConnectedSystem
from gateway.deliver import Deliverer, Session
from gateway.hub import Hub
from gateway.log import log
from gateway.poll import Poller
from storage.store import WAKE

IDLE = 1.0
"""Seconds after which lanes are looked at though nobody woke us."""
_HOUSEKEEPING = 30.0
_AFTER_TROUBLE = 2.0


class Role(StrEnum):
    """What a worker does."""

    DELIVER = "deliver"
    POLL = "poll"


def connector_for(hub: Hub, connected: ConnectedSystem) -> Connector:
    """The transport that the declaration names. Raises Misconfigured for a protocol nobody here speaks."""
    facts = connected.system.connector
    if facts.protocol == "http":
        return HttpConnector(connected.url, timeout=facts.timeout, ids=hub.ids, now=hub.now)
    if facts.protocol == "soap":
        return SoapConnector(connected.url, facts.wsdls, timeout=facts.timeout, ids=hub.ids, now=hub.now)
    raise Misconfigured(f"{connected.system.role.id}: no connector speaks '{facts.protocol}'")


class Worker:
    """All chosen roles for all systems, in one process."""

    def __init__(self, hub: Hub, roles: frozenset[Role]) -> None:
        self.hub, self.roles = hub, roles
        self._deliverers: list[Deliverer] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; messages on their way are finished first."""
        tasks = [asyncio.create_task(self._keep_house(stop), name="housekeeping")]
        for name, connected in self.hub.connected:
            connector = connector_for(self.hub, connected)
            session = Session(connected.system, connector, self.hub)
            if Role.DELIVER in self.roles:
                deliverer = Deliverer(self.hub, connected, connector, session)
                self._deliverers.append(deliverer)
                tasks.append(asyncio.create_task(self._deliver(deliverer, stop), name=f"deliver-{name}"))
            if Role.POLL in self.roles and connected.system.pulls:
                poller = Poller(self.hub, connected, session)
                tasks.append(
                    asyncio.create_task(self._steadily(poller.round, f"poll-{name}", stop), name=f"poll-{name}")
                )
        if self._deliverers:
            tasks.append(asyncio.create_task(self._listen(stop), name="listen"))
        log.info(
            "worker.started",
            roles=sorted(role.value for role in self.roles),
            systems=[name for name, _ in self.hub.connected],
        )
        await stop.wait()
        self._woken()
        await asyncio.gather(*tasks)
        for deliverer in self._deliverers:
            deliverer.close()
        log.info("worker.stopped")

    async def _deliver(self, deliverer: Deliverer, stop: asyncio.Event) -> None:
        """Take up what is due whenever a place is free: a slow answer holds one place, not the others."""

        async def once() -> float:
            deliverer.wake.clear()
            if not await deliverer.round():
                with suppress(TimeoutError):
                    await asyncio.wait_for(deliverer.wake.wait(), IDLE)
            return 0.0

        await self._steadily(once, f"deliver-{deliverer.name}", stop)
        await deliverer.drained()

    async def _steadily(self, once: Callable[[], Awaitable[float]], name: str, stop: asyncio.Event) -> None:
        """Again and again, at the pace `once` asks for. Trouble with the database is waited out; a defect is told."""
        while not stop.is_set():
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

    async def _keep_house(self, stop: asyncio.Event) -> None:
        async def once() -> float:
            held = await self.hub.journal.deferred(Verdict.HELD)
            if held:
                await self.hub.reception.take_in_again(held)
            return _HOUSEKEEPING

        await self._steadily(once, "housekeeping", stop)

    def _woken(self, *_: object) -> None:
        for deliverer in self._deliverers:
            deliverer.wake.set()

    async def _listen(self, stop: asyncio.Event) -> None:
        """Wake the lanes when the doors say that something is waiting."""
        url = make_url(self.hub.store.engine.url).set(drivername="postgresql")

        async def once() -> float:
            try:
                connection = await asyncpg.connect(url.render_as_string(hide_password=False))
            except (OSError, asyncpg.PostgresError) as error:
                raise Unavailable("the database does not answer") from error
            try:
                await connection.add_listener(WAKE, self._woken)
                while not stop.is_set() and not connection.is_closed():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), 1.0)
            finally:
                await connection.close()
            return _AFTER_TROUBLE

        await self._steadily(once, "listen", stop)
