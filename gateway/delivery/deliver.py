"""Delivery: take what is due to one system, write it, send it, and settle how it ended.

The class of what happened decides what is next: taken, not taken for now, in doubt, or never. A time-out is in
doubt: it is asked for by our number where the declaration says how, else sent again only where that does no harm.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from adapters import System
from canonical.case import Binding, BindingRole
from canonical.errors import Duplicate, InDoubt, Misconfigured, Unacceptable, Unauthenticated, Unavailable, Why
from canonical.lifecycle import GIVES, ActionKind
from canonical.message import Message, Verdict
from canonical.ports import Connector, Exchanger
from canonical.reading import Answer, Outbound
from gateway.configuration import ConnectedSystem
from gateway.delivery.departing import Departure
from gateway.delivery.drifting import Drifting
from gateway.delivery.find import Finder
from gateway.delivery.settling import Settling
from gateway.delivery.traffic import Breaker, Rate, Retry, Share
from gateway.delivery.words import ABSENT, AWAY, NOT_FOUND_OUT, NOT_KEPT, NOT_YET, UNCLEAR
from gateway.delivery.writing import Writer, Written
from gateway.edition import Shelf
from gateway.hub import Hub
from gateway.log import log
from gateway.session import Session
from storage.driver import DatabaseAway, NotWritten
from storage.outbox import (
    Claimed,
    Ended,
    Learned,
    NotOurs,
    Sealed,
    Trouble,
    Wanted,
    acknowledged,
    again,
    parked,
    put_off,
)  # fmt: skip

LEASE_BEYOND_TIMEOUTS = timedelta(seconds=10)
"""A lease outlasts attempt, signing in and second attempt by this: a living worker is never taken for a dead one."""
_TRIES, _TRIES_OF_FINDING = 3, 4
"""Time-outs that one claim may wait through: attempt, signing in, second attempt; the same for finding it before.

The lease begins anew with each question that is asked before the message, and lasts for that question, too.
"""
_LOOK_SOONEST, _LOOK_LATEST = 1.0, 60.0
"""Seconds after which it is looked again whether the files of a message are here."""
_SETTLE_AGAIN = 0.5
"""Seconds after which it is tried again to keep how an attempt ended, where the database was away."""
_AT_ONCE = 0.05, 0.2
"""Seconds before the second try within one attempt."""
_HANDED_OVER = GIVES | {ActionKind.REWORK}


class Deliverer:
    """The lanes to one system. Several may work for the same system, in any number of processes.

    `settling`: shared by all lanes of a process. `freed` is called when a place has become free.
    """

    def __init__(
        self, hub: Hub, connected: ConnectedSystem, connector: Connector, session: Session,
        settling: Settling | None = None,
    ) -> None:  # fmt: skip
        self.hub, self.system, self.connector, self.session = hub, connected.system, connector, session
        self.name, self.concurrency, self.traffic = connected.system.role.id, connected.concurrency, connected.traffic
        tries = _TRIES + (_TRIES_OF_FINDING if connected.system.finds else 0)
        tries += _TRIES if any(map(connected.system.asks, connected.system.outbound)) else 0
        self.lease = timedelta(seconds=tries * connected.system.connector.timeout) + LEASE_BEYOND_TIMEOUTS
        self.patience = self.lease
        """How long it is tried to keep how an attempt ended: afterwards somebody else has it."""
        self.monotonic: Callable[[], float] = time.monotonic
        self.settling = settling or Settling(hub.outbox)
        self.share = Share()
        self.freed: Callable[[str], None] = _nobody
        self.breaker, self.rate = Breaker(self.traffic.breaking), Rate(self.traffic.rate)
        self.writer = Writer(hub, session, lease=self.lease, send=self._send, renew=self._renewed)
        self.finder = Finder(hub, self.writer, renew=self._renewed, send=self._send, settling=self.settling)
        self.drifting, self.shelf = Drifting(hub, self.name), Shelf(hub)
        self._under_way: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(connected.concurrency, thread_name_prefix=f"to-{self.name}")
        self._exchange = connector.exchange if isinstance(connector, Exchanger) else self._in_thread

    def wanted(self) -> Wanted | None:
        """What can be taken up now: free places, as far as share, rate and breaker allow."""
        now, places = self.hub.now(), self.share.of(self.concurrency, self.name)
        free = places - len(self._under_way)
        free = self.breaker.admits(free, len(self._under_way), now)
        free = self.rate.admits(free, now, self.share.part(self.concurrency, self.name)) if free > 0 else 0
        return Wanted(self.name, free, self.lease) if free > 0 else None

    def start(self, claimed: Claimed, departure: Departure | None = None) -> None:
        """Take up one delivery; it goes on by itself."""
        self.rate.took(1)
        self._go_on(claimed, self._delivered(claimed, departure) if departure else self._deliver(claimed))

    def give_back(self, claimed: Claimed) -> None:
        """One of which nobody knows whether it is ours. Nothing of it has left; that is kept when it can be."""
        self._go_on(claimed, self._put_back(claimed))

    def _go_on(self, claimed: Claimed, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.name}-{claimed.id}")
        self._under_way.add(task)
        task.add_done_callback(self._done)

    def at_once(self, claimed: Claimed) -> Departure | None:
        """The message, where it can be written without asking or waiting; else None, and it goes the longer way."""
        if claimed.in_doubt or claimed.edition or claimed.replays or self.session.stale:
            return None
        if not self.system.plain(claimed.message):
            return None
        now, began = self.hub.now(), self.monotonic()
        try:
            outbound = self._outbound(claimed)
            written = self.writer.at_once(outbound)
        except Exception:  # noqa: BLE001 the longer way meets it again, and tells people
            return None
        return Departure(outbound, written, now, self.writer.lease(written), began)

    @property
    def in_hand(self) -> int:
        """Deliveries that are under way here."""
        return len(self._under_way)

    async def drained(self) -> None:
        """Wait for everything that is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _done(self, task: "asyncio.Task[None]") -> None:
        """A place is free again. What could not be settled stays claimed until its lease ends, and is taken up anew."""
        self._under_way.discard(task)
        self.freed(self.name)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            log.warning("delivery.unsettled", system=self.name, why=str(error))
        elif error is not None:
            log.error("delivery.failed", system=self.name, exc_info=error)

    def close(self) -> None:
        """Wait for messages on their way, then give back threads and connections."""
        self._threads.shutdown(wait=True)
        self.connector.close()

    async def _deliver(self, claimed: Claimed) -> None:
        """One delivery by the declaration of today, or of the edition that a replay chose."""
        system = self.system
        if claimed.edition:
            try:
                system = (await self.shelf.connected(self.name, claimed.edition)).system
            except Misconfigured as error:
                await self._refused(claimed, None, None, error)
                return
        await self._by(system)._delivered(claimed)

    def _by(self, system: System) -> "Deliverer":
        """The same lanes, connector and session, with another edition of the declaration."""
        if system is self.system:
            return self
        other, writer, finder = copy(self), copy(self.writer), copy(self.finder)
        other.system = writer.system = finder.system = system
        other.writer, other.finder, finder.writer = writer, finder, writer
        return other

    async def _put_back(self, claimed: Claimed) -> None:
        await self._settled(put_off(claimed, AWAY, at=self.hub.now()))

    async def _delivered(self, claimed: Claimed, departure: Departure | None = None) -> None:
        """One delivery from claim to verdict; a renewed session buys it one more try."""
        if departure is None:
            if (begun := await self._begun(claimed)) is None:
                return
            claimed, outbound = begun
        else:
            outbound = departure.outbound
        for last in (False, True):
            sent: Message | None = None
            answer: Message | None = None
            token = self.session.token
            try:
                written = await self._gone(claimed, outbound, departure)
                departure = None
                sent, token = written.message, written.token
                answer = await self._send(sent)
                read = self.system.judge(claimed.message, answer)
            except (NotOurs, DatabaseAway) as error:
                await self._settled(put_off(claimed, str(error), at=self.hub.now()))
                return
            except Unauthenticated as error:
                if last or not await self._renewed(token):
                    await self._later(claimed, sent, answer, Unavailable(str(error)))
                    return
                if sent is not None:
                    await self.hub.outbox.not_taken(claimed, sent, answer, str(error))
            except Unavailable as error:
                await self._later(claimed, sent, answer, error)
                return
            except InDoubt as error:
                await self._doubt(claimed, sent, answer, error)
                return
            except (Unacceptable, Misconfigured) as error:
                await self._refused(claimed, sent, answer, error)
                return
            else:  # outside the try: a database that fails now does not mean that the other side did not take it
                await self._taken(claimed, sent, answer, read, outbound, written)
                return

    async def _begun(self, claimed: Claimed) -> tuple[Claimed, Outbound] | None:
        """The delivery as it may be sent now, and what its message is written of; None when it must not be sent."""
        if self.session.stale:
            await self._renewed(self.session.token)
        outbound = self._outbound(claimed)
        ready = await self._ready(claimed, outbound)
        return None if ready is None else (ready, outbound)

    async def _gone(self, claimed: Claimed, outbound: Outbound, departure: Departure | None) -> Written:
        """It is in the journal and ours, and may leave. Raises NotOurs when it must not, DatabaseAway, Unacceptable.

        A process that was stopped meanwhile, or a commit that took for ever, may have outlived its lease: whoever has
        the delivery then may have asked for it, heard that it is not there, and sent it.
        """
        if departure is None:
            written = await self.writer.written(claimed, outbound)
            departure = Departure(outbound, written, self.hub.now(), self.writer.lease(written), self.monotonic())
            await self.settling.leaves(Sealed(claimed, written.kept, departure.at, departure.until))
        if self.monotonic() - departure.began >= (departure.until - departure.at).total_seconds():
            raise NotOurs
        return departure.written

    async def _ready(self, claimed: Claimed, outbound: Outbound) -> Claimed | None:
        """A delivery as it may be sent now; None when it must not be, and that is settled."""
        if claimed.in_doubt:
            return await self._cleared_up(claimed, outbound)
        missing = await self.writer.not_yet(claimed, outbound)
        if missing:
            await self._put_off(claimed, missing)
        return None if missing else claimed

    async def _cleared_up(self, claimed: Claimed, outbound: Outbound) -> Claimed | None:
        """A delivery in doubt as it may be sent now; None when it must not be, and that is settled."""
        never = self._repeat(claimed) == "never"
        if not self.finder.knows(claimed.message):
            if not never:
                return claimed
            await self._park(claimed, None, None, Trouble(InDoubt.__name__, UNCLEAR, in_doubt=True))
            return None
        found = await self.finder.find(claimed, outbound)
        if found.later is not None:
            await self._later(claimed, found.asked, found.answer, found.later)
            return None
        if found.asked is None or found.read is None:
            if not never:
                return claimed
            trouble = Trouble(InDoubt.__name__, NOT_FOUND_OUT, in_doubt=True)
            await self._park(claimed, found.asked, found.answer, trouble)
            return None
        if found.read.absent:
            if (settled := self._settles(claimed)) > self.hub.now():  # it may still be at work on what we sent
                doubt = Trouble(InDoubt.__name__, NOT_YET, in_doubt=True)
                await self._settled(again(claimed, found.asked, found.answer, doubt, at=settled))
                return None
            # known now: sending it is no repetition, whatever is declared of those
            await self.hub.outbox.not_taken(claimed, found.asked, found.answer, ABSENT)
            return replace(claimed, in_doubt=False)
        await self._taken(claimed, found.asked, found.answer, found.read, outbound)
        return None

    def _settles(self, claimed: Claimed) -> datetime:
        """When the other side's word that nothing arrived is to be believed."""
        left = claimed.sent_at or claimed.created_at
        return left + timedelta(seconds=self.system.connector.settle)

    def _outbound(self, claimed: Claimed) -> Outbound:
        city, case = self.hub.configuration.city, claimed.case
        units, called = city.responsibility.units, claimed.called
        unit = units.get(case.assignment.unit) if case.assignment else None
        lead = units.get(called.lead) if called else None
        area = (case.place.grid or "")[:12] or case.place.area or ""
        return Outbound(
            message=claimed.message, case=case, action=claimed.action, binding=claimed.binding,
            source_binding=claimed.source_binding, unit_name=unit.name if unit else "",
            called=called, lead_name=lead.name if lead else "",
            area_names=city.divisions.names(area) if area else {},
        )  # fmt: skip

    async def _send(self, message: Message) -> Message:
        """One attempt. A connection that could not be made is tried again at once: that can harm nobody."""
        try:
            answer = await self._exchange(message)
        except Unavailable:
            again_, soon = retry_if_exception_type(Unavailable), wait_random(*_AT_ONCE)
            quickly = AsyncRetrying(retry=again_, stop=stop_after_attempt(2), wait=soon, reraise=True)
            await asyncio.sleep(random.uniform(*_AT_ONCE))  # noqa: S311 no secret
            answer = await quickly(self._exchange, message)
        return replace(answer, asked=message)

    async def _in_thread(self, message: Message) -> Message:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.connector.send, message)

    async def _renewed(self, refused: str | None = None) -> bool:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self.session.renew, refused)
        except (Unavailable, InDoubt, Unauthenticated, Unacceptable) as error:
            log.warning("session.not_renewed", system=self.name, error=type(error).__name__)
            return False

    def _repeat(self, claimed: Claimed) -> str:
        facts = self.system.outbound.get(claimed.message)
        return facts.repeat if facts else "never"

    async def _taken(
        self, claimed: Claimed, sent: Message, answer: Message | None, read: Answer, outbound: Outbound,
        written: Written | None = None,
    ) -> None:  # fmt: skip
        """`written`: what was taken, where it was sent just now."""
        binding = self._binding(claimed, read, outbound, written.before if written else {})
        note = "; ".join(written.notes) if written else ""
        learned = await self._settled(acknowledged(claimed, sent, answer, binding, at=self.hub.now(), note=note))
        await self._answered()
        await self.drifting.over(claimed.message)
        if learned is Learned.CONFLICT:
            log.error(
                "delivery.parked", system=self.name, case_no=claimed.case.no, delivery=str(claimed.id), why=learned
            )
            return
        log.debug("delivery.acknowledged", system=self.name, message=claimed.message, case_no=claimed.case.no)
        if learned is Learned.AWAITED and binding is not None:
            await self._apply_held(binding)

    def _binding(
        self, claimed: Claimed, read: Answer, outbound: Outbound, before: Mapping[str, Any]
    ) -> Binding | None:  # fmt: skip
        """The owner's identity of what we handed over: its own id when it told one, else our reference.

        Whoever lost its data and is sent a case again may give it another id: that one is used from now on.
        """
        case, known = claimed.case, claimed.binding
        if claimed.action.kind not in _HANDED_OVER or case.owner != self.name:
            return None
        lost = bool(claimed.edition and read.external_id) and known is not None and known.role is BindingRole.OWNER
        if known is not None and not (lost and read.external_id != known.external_id):
            return None
        return Binding(
            case_id=case.id, system=self.name, role=BindingRole.OWNER, round=case.round,
            external_id=read.external_id or case.reference, visible_no=read.visible_no, reference=case.reference,
            fingerprint=self._fingerprint(outbound, before), since=case.version if lost else 0,
        )  # fmt: skip

    def _fingerprint(self, outbound: Outbound, before: Mapping[str, Any]) -> str:
        try:
            return self.system.fingerprint(
                outbound, now=self.hub.now(), id=self.hub.ids(), before=before
            )  # fmt: skip
        except Unacceptable:  # found after a doubt: what was asked before it was written is not known any more
            return ""

    async def _apply_held(self, binding: Binding) -> None:
        """What the owner said before its answer reached us can be applied now."""
        held = await self.hub.journal.deferred(
            Verdict.HELD, system=self.name, external_ids=[binding.external_id]
        )  # fmt: skip
        await self.hub.reception.take_in_again(held)

    async def _put_off(self, claimed: Claimed, why: str) -> None:
        """Looked at again, later and later; that is no attempt."""
        now = self.hub.now()
        waited = (now - claimed.created_at).total_seconds()
        at = now + timedelta(seconds=min(max(_LOOK_SOONEST, waited / 4), _LOOK_LATEST))
        log.info("delivery.put_off", system=self.name, case_no=claimed.case.no, why=why)
        await self._settled(put_off(claimed, why, at=at))

    async def _later(
        self, claimed: Claimed, sent: Message | None, answer: Message | None, error: Unavailable
    ) -> None:  # fmt: skip
        now, policy = self.hub.now(), self.traffic.unavailable
        if isinstance(error, NotOurs | DatabaseAway):  # while it was asked about: no fault of the system's
            await self._settled(put_off(claimed, str(error), at=now))
            return
        await self.drifting.told(claimed.message, error)
        why = THROTTLED if error.retry_after is not None else Unavailable.__name__
        trouble = Trouble(why, str(error), in_doubt=claimed.in_doubt)
        self._missed(error)
        if self._over(claimed, policy, now):
            await self._park(claimed, sent, answer, trouble)
            return
        at = now + policy.pause(claimed.attempts, chance=random.random(), asked=error.retry_after)  # noqa: S311 no secret
        log.warning(
            "delivery.later", system=self.name, case_no=claimed.case.no, attempts=claimed.attempts, why=str(error)
        )
        await self._settled(again(claimed, sent, answer, trouble, at=at))

    def _over(self, claimed: Claimed, policy: Retry, now: datetime) -> bool:
        """Whether it has been tried for long enough."""
        if not policy.end:
            return True
        return now - claimed.since > policy.end + self.system.awaited(self._outbound(claimed))[1]

    async def _doubt(
        self, claimed: Claimed, sent: Message | None, answer: Message | None, error: InDoubt
    ) -> None:  # fmt: skip
        now, policy = self.hub.now(), self.traffic.in_doubt
        trouble = Trouble(InDoubt.__name__, str(error), in_doubt=True)
        never = self._repeat(claimed) == "never" and not self.finder.knows(claimed.message)
        self._missed(error)
        if never or self._over(claimed, policy, now):
            await self._park(claimed, sent, answer, trouble)
            return
        at = now + policy.pause(claimed.attempts, chance=random.random())  # noqa: S311
        log.warning("delivery.in_doubt", system=self.name, case_no=claimed.case.no, attempts=claimed.attempts)
        await self._settled(again(claimed, sent, answer, trouble, at=at))

    async def _refused(
        self, claimed: Claimed, sent: Message | None, answer: Message | None, error: Unacceptable | Misconfigured
    ) -> None:  # fmt: skip
        again = claimed.in_doubt or claimed.edition
        if again and isinstance(error, Duplicate) and sent is not None:
            there = Answer(external_id=error.external_id, visible_no=error.visible_no)
            await self._taken(claimed, sent, answer, there, self._outbound(claimed))
            return
        if answer is not None:
            await self._answered()
        why = error.why if isinstance(error, Unacceptable) else Why.NOT_TAKEN
        trouble = Trouble(str(why), str(error), in_doubt=claimed.in_doubt)
        await self._park(claimed, sent, answer, trouble, refused=answer is not None and not claimed.in_doubt)

    async def _park(
        self, claimed: Claimed, sent: Message | None, answer: Message | None, trouble: Trouble, *, refused: bool = False
    ) -> None:  # fmt: skip
        event = "delivery.refused" if refused else "delivery.parked"
        log.error(event, system=self.name, case_no=claimed.case.no, delivery=str(claimed.id), why=trouble.why)
        await self._settled(parked(claimed, sent, answer, trouble, at=self.hub.now(), refused=refused))

    async def _settled(self, ended: Ended) -> Learned:
        """Keep how it ended. While the database is away we still know it; nobody else has it before its lease ends."""
        until = self.monotonic() + self.patience.total_seconds()
        while True:
            try:
                return await self.settling.ended(ended)
            except NotWritten as error:  # what the other side said cannot be kept: a person must see that
                log.error("delivery.not_kept", system=self.name, delivery=str(ended.claimed.id), why=str(error))
                trouble = Trouble("not_kept", NOT_KEPT.format(state=ended.state, why=error), ended.trouble.in_doubt)
                return await self.settling.ended(parked(ended.claimed, None, None, trouble, at=ended.at))
            except Unavailable:
                if self.monotonic() > until:
                    raise
                await asyncio.sleep(_SETTLE_AGAIN)

    # --- the breaker ---

    def _missed(self, error: Unavailable | InDoubt) -> None:
        """The system was not there, or did not answer."""
        now = self.hub.now()
        asked = getattr(error, "retry_after", None)
        if asked:
            self.breaker.hold(now + timedelta(seconds=min(asked, _LONGEST_HOLD)))
        elif self.breaker.failed(now):
            log.warning("breaker.open", system=self.name, until=str(self.breaker.until))

    async def _answered(self) -> None:
        """The system is there. Whatever waited because it was not is due."""
        if not self.breaker.succeeded():
            return
        woken = 0
        with suppress(Unavailable):  # then each comes when its own pause is over
            woken = await self.hub.outbox.wake_up(self.name, now=self.hub.now())
        log.info("breaker.closed", system=self.name, woken=woken)
        self.freed(self.name)


THROTTLED = "Throttled"
"""Why a delivery waits whose system has said for how long."""
_LONGEST_HOLD = 3600.0


def _nobody(_: str) -> None:
    """Nobody waits for a free place."""
