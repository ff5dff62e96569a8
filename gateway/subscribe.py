"""Subscriptions: what must be said before anything flows, kept alive, renewed, and taken back at the end.

One process of all speaks for a system, by lease. Whoever takes over begins anew: a platform that forgot us, or whose
answers were lost, is told everything once more.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.declaration import SubscriptionDeclaration
from canonical.errors import HubError, Unauthenticated, Unavailable
from gateway.asking import Asking
from gateway.configuration import ConnectedSystem
from gateway.delivery.traffic import Retry
from gateway.hub import Hub
from gateway.log import log
from gateway.session import Session
from storage.memories import Memories

NAME = "#subscription"
"""Its row in the memory table: state as `position`, what troubles it as `trouble`."""
LEASE = timedelta(minutes=3)
"""At the least; longer for systems that may take long to answer."""
_RETRY = Retry()
_LONGEST = 30.0
"""Seconds after which the lease is renewed, whatever is due."""
_NEVER = 3600.0


@dataclass(slots=True)
class _State:
    """What we have said, as far as it was heard."""

    registered: bool = False
    subscribed: bool = False
    renew_at: datetime | None = None
    alive_at: datetime | None = None
    """When the next sign of life is due."""
    misses: int = 0
    failures: int = 0
    """In a row, of saying what must be said; the pause between grows with them."""
    again_at: datetime | None = None
    """Not before, after a failure."""


class Subscriber:
    """The subscription of one system."""

    def __init__(self, hub: Hub, connected: ConnectedSystem, session: Session) -> None:
        self.hub, self.name = hub, connected.system.role.id
        self.declared = connected.system.subscription
        self.asking = Asking(hub, connected.system, session)
        self.patience = connected.system.connector.timeout
        waits = 12 + 2 * sum(map(connected.system.asks, _said(self.declared)))
        self.lease = max(LEASE, timedelta(seconds=waits * self.patience))
        self.memories = Memories(hub.store)
        self._by = hub.ids()
        self._state = _State()
        self._ours = False

    async def round(self) -> float:
        """Say what is due. Returns the seconds until something is due again. Raises Unavailable: our own database."""
        if self.declared is None:
            return _NEVER
        now = self.hub.now()
        if not await self.memories.claim(self.name, NAME, by=self._by, now=now, lease=self.lease):
            self._ours, self._state = False, _State()
            return _LONGEST
        self._ours = True
        if await self._said(self.declared, now):
            await self._keep_alive(self.declared, now)
        return self._wait(self.hub.now())

    async def end(self) -> None:
        """Take back what was said, as well as it can be done within the system's time-out, and let others speak."""
        if self.declared is None or not self._ours:
            return
        state, self._state, self._ours = self._state, _State(), False
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self._take_back(self.declared.unsubscribe if state.subscribed else None)
                await self._take_back(self.declared.unregister if state.registered else None)
        try:
            await self.memories.move(self.name, NAME, "ended", now=self.hub.now(), by=self._by)
            await self.memories.release(self.name, NAME, by=self._by)
        except Unavailable as error:  # the lease ends by itself
            log.warning("subscription.not_released", system=self.name, why=str(error))

    async def _take_back(self, message: str | None) -> None:
        if message is None:
            return
        try:
            await self.asking.say(message)
        except HubError as error:  # it will forget us by itself when the signs of life stay away
            log.warning("subscription.not_taken_back", system=self.name, message=message, why=str(error))

    async def _said(self, declared: SubscriptionDeclaration, now: datetime) -> bool:
        """Register and subscribe, as far as that is due. False when the system does not know us."""
        state = self._state
        if state.again_at is not None and now < state.again_at:
            return state.registered
        try:
            if declared.register_ and not state.registered:
                await self.asking.say(declared.register_)
                state.alive_at = _next_sign(declared, self.hub.now())
            state.registered = True
            if not state.subscribed or (state.renew_at and now >= state.renew_at):
                await self._subscribe(declared)
        except HubError as error:
            await self._failed(error)
        return self._state.registered

    async def _subscribe(self, declared: SubscriptionDeclaration) -> None:
        state, now = self._state, self.hub.now()
        if declared.subscribe:
            await self.asking.say(declared.subscribe)
        state.renew_at = now + timedelta(seconds=declared.renew) if declared.renew else None
        state.alive_at = state.alive_at or _next_sign(declared, self.hub.now())
        state.subscribed, state.failures, state.again_at = True, 0, None
        log.info("subscription.made", system=self.name)
        await self.memories.move(self.name, NAME, f"subscribed {now.isoformat()}", now=now, by=self._by)

    async def _keep_alive(self, declared: SubscriptionDeclaration, now: datetime) -> None:
        state, keepalive = self._state, declared.keepalive
        if keepalive is None or state.alive_at is None or now < state.alive_at:
            return
        state.alive_at = _next_sign(declared, now)
        try:
            await self.asking.say(keepalive.message)
        except HubError as error:
            state.misses += 1
            log.warning("subscription.missed", system=self.name, misses=state.misses, why=str(error))
            if state.misses < keepalive.misses and not isinstance(error, Unauthenticated):
                await self.memories.trouble(self.name, NAME, f"no sign of life taken: {error}")
                return
            self._state = _State()  # it does not know us any more
            await self._failed(error)
            return
        if state.misses:
            state.misses = 0
            await self.memories.trouble(self.name, NAME, "")

    async def _failed(self, error: HubError) -> None:
        """Said again after a pause; where the other side does not know us, from the beginning."""
        state, now = self._state, self.hub.now()
        state.failures += 1
        if isinstance(error, Unauthenticated):
            state.registered = state.subscribed = False
        chance = random.random()  # noqa: S311 no secret
        state.again_at = now + _RETRY.pause(state.failures, chance=chance, asked=getattr(error, "retry_after", None))
        log.warning("subscription.failed", system=self.name, failures=state.failures, why=str(error))
        await self.memories.trouble(self.name, NAME, str(error))

    def _wait(self, now: datetime) -> float:
        state = self._state
        due = [state.again_at or state.renew_at, state.alive_at if state.registered else None]
        waits = [(at - now).total_seconds() for at in due if at is not None]
        return min(max(min(waits, default=_LONGEST), 0.05), _LONGEST)


def _said(declared: SubscriptionDeclaration | None) -> list[str]:
    """The messages of a subscription."""
    if declared is None:
        return []
    alive = declared.keepalive.message if declared.keepalive else None
    said = (declared.register_, declared.subscribe, alive, declared.unsubscribe, declared.unregister)
    return [message for message in said if message]


def _next_sign(declared: SubscriptionDeclaration, now: datetime) -> datetime | None:
    return now + timedelta(seconds=declared.keepalive.every) if declared.keepalive else None
