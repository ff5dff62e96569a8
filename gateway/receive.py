"""Receiving: rows, files and messages that come through no door, taken in batch by batch; verdicts after the commit.

Whoever is killed between commit and verdict gets the same messages again, and the hub knows them. Nothing is kept here
but in the database and at the other side.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from adapters import Receiver
from canonical import ports
from canonical.errors import HubError, Misconfigured, Unacceptable, Unavailable, Why
from canonical.message import Message, Verdict
from canonical.ports import Received
from canonical.reading import Outcome
from canonical.records import Arrival, Split
from gateway.configuration import ConnectedSystem
from gateway.fetching import LOOK
from gateway.hub import Hub
from gateway.log import log
from gateway.remembering import BlockingMemory
from gateway.wiring import receiver_for
from storage.memories import Memories

LEASE = timedelta(seconds=30)
"""So long a table, a folder or an MQTT session stays a killed process's."""
MOST_TOGETHER = 1000
"""Arrivals in one transaction: a file may hold a hundred thousand rows."""
FORGOTTEN = timedelta(days=30)
"""What was not seen at the other side for so long is gone there."""
_WAIT = 1.0
"""Seconds the other side is waited for; a stop may take as long."""
_JITTER = 0.1
"""Share of `every` by which pauses vary."""
_DATABASE = 2.0
"""Seconds until the hub's own database is tried again."""
_SETTINGS = 60.0
"""Seconds until wrong settings are tried again: the other side may have been put right."""
LOOKED = timedelta(seconds=20)
"""How often a look is noted: a broker is asked every second."""
_SOONEST, _LATEST = 1.0, 60.0
_MOST_FAILURES = 3
"""Verdicts of a batch that could not be given, after which the rest is left to the closing."""
_MOST_REASONS = 20

_PUSHED = frozenset({"mqtt", "amqp"})
"""Kinds whose messages come by themselves: no pause between passes, and a repetition is news of its own."""
_MARKS = {"mqtt": "dup", "amqp": "redelivered"}
"""The header by which a broker says that it may have delivered a message before."""
_SHARED = frozenset({"amqp"})
"""Kinds that several processes read at a time. Two MQTT clients of one name would throw each other out."""
_CUT = frozenset({"files", "mqtt", "amqp"})
"""Kinds that hand out only the beginning of what is too large, and say its size in the header `oversize`."""

_Answer = TypeVar("_Answer")


class _Database(Exception):
    """The hub's own database does not answer: no trouble of the other side's."""


class Receiving:
    """One declared receiver at work. Of a table, a folder or MQTT topics one process of all has it at a time."""

    def __init__(
        self, hub: Hub, connected: ConnectedSystem, receiver: Receiver, *, lease: timedelta = LEASE
    ) -> None:  # fmt: skip
        self.hub, self.connected, self.receiver, self.lease = hub, connected, receiver, lease
        self.system, self.name, self.kind = connected.system.role.id, receiver.name, receiver.declared.kind
        self.every, self.most = connected.every or receiver.declared.every, receiver.declared.batch
        self.memories = Memories(hub.store)
        self._by = hub.ids()
        self._lost = False
        """Another process has it by now."""
        self._failures = 0
        self._trouble: str | None = None
        """What people are shown; None: whatever an earlier process has noted."""
        self._forgot_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; the batch in hand is finished first."""
        with ThreadPoolExecutor(1, thread_name_prefix=f"from-{self.system}-{self.name}") as self._thread:
            while not stop.is_set():
                await _waited(stop, await self._turn(stop))

    async def _turn(self, stop: asyncio.Event) -> float:
        """Open the receiver and work with it until something is wrong. Returns the seconds until the next try."""
        if await self.hub.fetching.off(self.system):
            return LOOK
        try:
            async with self._claimed() as mine:
                if not mine:
                    return min(self.every, self.lease.total_seconds() / 3)
                await self._opened(stop)
        except _Database as error:
            log.warning("receive.waiting", system=self.system, receiver=self.name, why=str(error))
            return _DATABASE
        except HubError as error:
            return await self._troubled(error)
        except Exception:  # noqa: BLE001 one receiver's defect must not end the work of all others
            log.error("receive.failed", system=self.system, receiver=self.name, exc_info=True)
            return _SETTINGS
        return 0.0

    async def _opened(self, stop: asyncio.Event) -> None:
        """From opening to closing. Raises what the other side did wrong."""
        loop = asyncio.get_running_loop()
        memory = BlockingMemory(self.memories, self.system, self.name, self._by, loop, self.hub.now)
        source = await self._in_thread(lambda: receiver_for(self.hub, self.connected, self.receiver, memory))
        try:
            while not (stop.is_set() or self._lost or await self.hub.fetching.off(self.system)):
                batch = await self._in_thread(lambda: source.receive(most=self.most, wait=_WAIT))
                await self._well()
                if batch:
                    await self._tried(source, batch, stop)
                    continue
                await self._looked()
                if self.kind not in _PUSHED:
                    await self._forget()
                    await _waited(stop, self.every * (1 + _JITTER * (2 * random.random() - 1)))  # noqa: S311 no secret
        finally:
            await self._in_thread(source.close)

    # Batches

    async def _tried(self, source: ports.Receiver, batch: Sequence[Received], stop: asyncio.Event) -> None:
        """Without our own database the receiver stays open: what was deferred comes again from there."""
        try:
            await self._take_in(source, batch, stop)
        except _Database as error:
            log.warning("receive.waiting", system=self.system, receiver=self.name, why=str(error))
            await _waited(stop, _DATABASE)

    async def _take_in(self, source: ports.Receiver, batch: Sequence[Received], stop: asyncio.Event) -> None:
        """This batch and, of a broker, those that came meanwhile: the next is fetched while the last is committed."""
        while batch:
            committing = asyncio.create_task(self._committed(batch))
            following: Sequence[Received] = ()
            trouble: HubError | None = None
            if self.kind in _PUSHED and not (stop.is_set() or self._lost or await self.hub.fetching.off(self.system)):
                try:
                    following = await self._in_thread(lambda: source.receive(most=self.most, wait=0))
                except HubError as error:
                    trouble = error
            try:
                reasons = await committing
            except _Database:
                await self._in_thread(partial(_defer, [*batch, *following]))
                raise
            await self._in_thread(partial(_settle, list(zip(batch, reasons, strict=True))))
            if trouble is not None:
                raise trouble
            batch = following

    async def _committed(self, batch: Sequence[Received]) -> list[str]:
        """Read and commit in the other side's order. Of each message why it is refused; empty for what we have."""
        read = await asyncio.to_thread(lambda: [self._read(received.message) for received in batch])
        flat = [arrival for arrivals in read for arrival in arrivals]
        if self.kind not in _PUSHED:
            # A row or file that comes again word for word is no news. What a transaction does not hold whole keeps
            # its row all the same: its parts are read out of it when they are read again.
            whole = len(flat) <= MOST_TOGETHER
            flat = [replace(one, pulled=_may_be_no_news(one.content, whole=whole)) for one in flat]
        outcomes: list[Outcome] = []
        try:
            for start in range(0, len(flat), MOST_TOGETHER):
                outcomes += await self.hub.reception.take_in(flat[start : start + MOST_TOGETHER])
        except Unavailable as error:
            raise _Database(str(error)) from error
        told = iter(outcomes)
        return [_reason([next(told) for _ in arrivals]) for arrivals in read]

    def _read(self, message: Message) -> list[Arrival]:
        if self.kind in _CUT and "oversize" in message.headers:
            text = f"too large: {message.headers['oversize']} bytes"
            return [Arrival(message, Unacceptable(text, why=Why.TOO_LARGE))]
        if self.kind == "amqp" and "unreadable" in message.headers:
            return [Arrival(message, Unacceptable(message.headers["unreadable"], why=Why.UNREADABLE))]
        marks = _MARKS.get(self.kind, "")
        return self.hub.reception.read(message, again=True, redelivered=message.headers.get(marks) == "true")

    # Whose it is

    @asynccontextmanager
    async def _claimed(self) -> AsyncIterator[bool]:
        """Whether the receiver is ours; if so, it stays ours until the end. Raises _Database."""
        self._lost = False
        if self.kind in _SHARED:
            yield True
            return
        if not await self._claim():
            yield False
            return
        keeping = asyncio.create_task(self._keep(), name=f"lease-{self.system}-{self.name}")
        try:
            yield True
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            with suppress(Unavailable):  # then it ends by itself
                await self.memories.release(self.system, self.name, by=self._by)

    async def _claim(self) -> bool:
        try:
            return await self.memories.claim(
                self.system, self.name, by=self._by, now=self.hub.now(), lease=self.lease
            )  # fmt: skip
        except Unavailable as error:
            raise _Database(str(error)) from error

    async def _keep(self) -> None:
        while not self._lost:
            await asyncio.sleep(self.lease.total_seconds() / 3)
            with suppress(_Database):
                self._lost = not await self._claim()

    # How it goes

    async def _well(self) -> None:
        self._failures = 0
        if self._trouble != "":
            if self._trouble:
                log.info("receive.well", system=self.system, receiver=self.name)
            await self._note("")

    async def _looked(self) -> None:
        """Nothing is there that we have not: people see that by the time of the last look."""
        now = self.hub.now()
        if self._looked_at is not None and timedelta() <= now - self._looked_at < LOOKED:
            return
        with suppress(Unavailable):
            await self.memories.looked(self.system, self.name, now=now)
            self._looked_at = now

    async def _troubled(self, error: HubError) -> float:
        """Note it where people look, tell it once, and say when to try again: seconds."""
        if str(error) != self._trouble:
            log.warning("receive.trouble", system=self.system, receiver=self.name, why=str(error))
            await self._note(str(error))
        if isinstance(error, Misconfigured):
            return _SETTINGS
        if isinstance(error, Unacceptable):  # not as declared: somebody has to change something
            return self.every
        self._failures += 1
        return pause(self._failures, getattr(error, "retry_after", None), chance=random.random())  # noqa: S311

    async def _note(self, trouble: str) -> None:
        with suppress(Unavailable):  # noted at the next occasion
            await self.memories.trouble(self.system, self.name, trouble)
            self._trouble = trouble

    async def _forget(self) -> None:
        now = self.hub.now()
        if self._forgot_at is not None and now - self._forgot_at < timedelta(days=1):
            return
        with suppress(Unavailable):
            await self.memories.forget_before(self.system, self.name, now - FORGOTTEN)
            self._forgot_at = now

    async def _in_thread(self, work: Callable[[], _Answer]) -> _Answer:
        """The receiver was made for one thread: this one."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _may_be_no_news(content: object, *, whole: bool) -> bool:
    """An empty file is news, each time: nothing in it is known already."""
    return not isinstance(content, Split) or (whole and content.parts > 0)


def pause(failures: int, asked: float | None, *, chance: float) -> float:
    """Seconds to wait after so many failures in a row: from one, doubled to a minute, spread by `chance` (0..1)."""
    grown: float = min(_SOONEST * 2 ** min(failures - 1, 20), _LATEST)
    return max(min(asked or 0.0, _LATEST), grown * (0.5 + chance / 2))


def _settle(judged: Sequence[tuple[Received, str]]) -> None:
    """Give the verdicts, in order; one that cannot be given does not keep the others. Raises Unavailable."""
    failures: list[HubError] = []
    for received, reason in judged:
        try:
            if reason:
                received.reject(reason)
            else:
                received.accept()
        except HubError as error:
            failures.append(error)
            if len(failures) == _MOST_FAILURES:
                break
    if failures:
        raise failures[0]


def _defer(batch: Sequence[Received]) -> None:
    for received in batch:
        received.defer()


def _reason(outcomes: Sequence[Outcome]) -> str:
    """Why a message is refused, for the other side's people; empty when the hub has it whole."""
    parts = outcomes[1:] if len(outcomes) > 1 else outcomes
    refused = [(number, one) for number, one in enumerate(parts, 1) if one.verdict is Verdict.REFUSED]
    if not refused:
        return ""
    if len(parts) == 1:
        return _told(parts[0])
    lines = [f"{len(refused)} of {len(parts)} are refused, the others are taken"]
    lines += [f"{number}: {_told(one)}" for number, one in refused[:_MOST_REASONS]]
    return "\n".join(lines + (["..."] if len(refused) > _MOST_REASONS else []))


def _told(outcome: Outcome) -> str:
    return ": ".join(text for text in (str(outcome.why or ""), outcome.text) if text) or "refused"


async def _waited(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
