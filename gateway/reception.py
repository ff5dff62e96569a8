"""Reception: read, decide and commit batches, and tell each sender what became of its message after the commit.

Nobody waits to fill a batch: a batch is whatever came in while the last one was being committed (group commit). A
failing batch is halved until the one poisonous message stands alone; its neighbours are not touched.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from canonical.errors import Unacceptable, Unavailable, Why
from canonical.message import ACCEPTED, Direction, Message, Verdict
from canonical.reading import Outcome, Reading
from canonical.records import Arrival, Changes, JournalEntry, Split
from gateway import metrics
from gateway.configuration import Configuration
from gateway.log import log
from routing.intake import decide
from storage.driver import Collided
from storage.journal import Journal
from storage.store import AlreadyThere, Store

_Content = TypeVar("_Content")

_DIGITS = 12

_GONE = "its bytes were removed by retention and cannot be read again; their SHA-256 was {}"

_RACES = 5
"""How often a batch is decided anew because another process committed the same identity first."""


QUEUE = 4096
"""Messages that may wait for a commit in one process."""


class Busy(Exception):
    """The queue is full: the sender shall come back in a second."""


class Reception:
    """Takes arrivals in, batch by batch. No state of its own: any number of processes share one database."""

    def __init__(
        self, configuration: Configuration, store: Store, *, now: Callable[[], datetime], ids: Callable[[], UUID]
    ) -> None:
        self.configuration, self.store, self.now, self.ids = configuration, store, now, ids

    def read(self, message: Message, *, again: bool = False, redelivered: bool = False) -> list[Arrival]:
        """What an inbound message says. `again`: it was authenticated when it first came. `redelivered`: so the broker
        says.
        """
        if message.gone:
            return [Arrival(message, Unacceptable(_GONE.format(message.gone), why=Why.UNREADABLE))]
        connected = self.configuration.systems.get(message.system)
        if connected is None:
            return [
                Arrival(message, Unacceptable(f"no system '{message.system}' is connected", why=Why.UNKNOWN_MESSAGE))
            ]
        contents = connected.system.read(message) if again else connected.system.receive(message)
        contents = [_recognisable(one, part, message, redelivered=redelivered) for part, one in enumerate(contents)]
        if message.headers:  # the journal keeps what reading it again will need, and no secret
            message = replace(message, headers=connected.system.kept_headers(message))
        if len(contents) == 1:
            return [Arrival(message, contents[0])]
        parts = (
            replace(message, id=self.ids(), body=b"", headers={}, path=f"#{i}", parent=message.id)
            for i in range(len(contents))
        )
        arrivals = [Arrival(part, content) for part, content in zip(parts, contents, strict=True)]
        return [Arrival(message, Split(len(arrivals))), *arrivals]

    async def take_in(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Decide and commit; one outcome an arrival. Raises Unavailable when the database cannot be reached."""
        try:
            return await self._commit(arrivals)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, the message must end in the journal
            if len(arrivals) == 1:
                log.error("intake.failed", message_id=str(arrivals[0].message.id), exc_info=True)
                return await self._set_aside(arrivals[0], error)
            middle = len(arrivals) // 2
            log.warning("intake.halved", messages=len(arrivals), error=type(error).__name__)
            return [*await self.take_in(arrivals[:middle]), *await self.take_in(arrivals[middle:])]

    async def _commit(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        numbers = await self.store.numbers(len(arrivals))
        for race in range(_RACES):
            now, left, began = self.now(), iter(numbers), time.perf_counter()
            try:
                async with self.store.batch() as batch:
                    known = await batch.known(arrivals)
                    changes, outcomes = decide(
                        arrivals, known, self.configuration.city, numbers=left, now=now, ids=self.ids
                    )  # fmt: skip
                    await batch.save(changes, now)
                self.store.give_back(list(left))
                _counted(arrivals, outcomes, time.perf_counter() - began)
                return outcomes
            except (AlreadyThere, Collided):
                if race == _RACES - 1:
                    raise
        raise AssertionError("unreachable")

    async def _set_aside(self, arrival: Arrival, error: Exception) -> list[Outcome]:
        """A message that our own code or the database cannot take: kept whole, for a person and a replay."""
        text = f"could not be stored ({type(error).__name__}); kept for the operator"
        outcome = Outcome(Verdict.QUARANTINED, text=text)
        is_report = isinstance(arrival.content, Reading) and arrival.content.report is not None
        entry = JournalEntry(arrival.message, Direction.IN, Verdict.QUARANTINED, text=text, is_report=is_report)
        async with self.store.batch() as batch:
            await batch.save(Changes(journal=[entry]), self.now())
        metrics.took_in([(arrival.message.system, outcome.verdict)])
        return [outcome]

    async def take_in_again(self, messages: Sequence[Message]) -> Mapping[UUID, Outcome]:
        """Messages of the journal, read with today's declarations; their rows take the new verdicts."""
        outcomes: dict[UUID, Outcome] = {}
        for message in messages:
            arrivals = await self.read_again(message)
            results = await self.take_in(arrivals) if arrivals else []
            outcomes |= {arrival.message.id: result for arrival, result in zip(arrivals, results, strict=True)}
        return outcomes

    async def read_again(self, message: Message, *, redelivered: bool = False) -> list[Arrival]:
        """A message as it was kept; one that came inside another is read out of that one's bytes.

        `redelivered`: it was decided once, so an alarm in it is no new telling.
        """
        part = message.path.removeprefix("#")
        if message.parent is None or part == message.path or not part.isdigit():
            return self.read(message, again=True, redelivered=redelivered)
        whole = await Journal(self.store).message(message.parent)
        connected = self.configuration.systems.get(message.system)
        contents = connected.system.read(whole[1]) if connected and whole and not whole[1].gone else []
        if int(part) >= len(contents):
            return []
        content = _recognisable(contents[int(part)], int(part), message, redelivered=redelivered)
        return [Arrival(message, content)]


@dataclass(slots=True)
class _Waiting:
    arrivals: list[Arrival]
    message: Message
    done: "asyncio.Future[list[Outcome]]"


class _Turns:
    """Who waits, by source: each source in its turn, so that one that floods has its share of a batch and no more."""

    def __init__(self) -> None:
        self._of: dict[str, deque[_Waiting]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, system: str) -> int:
        """How many of this source wait."""
        return len(self._of.get(system, ()))

    def append(self, one: _Waiting) -> None:
        """At the end of its source's row."""
        self._of.setdefault(one.message.system, deque()).append(one)
        self._count += 1

    def popleft(self) -> _Waiting:
        """The first of the source whose turn it is; then it is the next one's."""
        system, row = next(iter(self._of.items()))
        del self._of[system]
        one = row.popleft()
        if row:
            self._of[system] = row
        self._count -= 1
        return one


class _FairQueue(asyncio.Queue[_Waiting]):
    def _init(self, maxsize: int) -> None:
        self._queue = self.turns = _Turns()

    def _put(self, item: _Waiting) -> None:
        self.turns.append(item)

    def _get(self) -> _Waiting:
        return self.turns.popleft()


class Committer:
    """Group commit: requests that come while a commit is under way share the next one.

    A source that has a quarter of the queue waiting is told to come back: the rest is there for the others.
    """

    def __init__(self, reception: Reception, *, batch: int = 256, queue: int = QUEUE, lanes: int = 2) -> None:
        self.reception = reception
        self._batch, self._lanes, self._share = batch, lanes, max(1, queue // 4)
        self._queue = _FairQueue(queue)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Committer":
        self._tasks = [asyncio.create_task(self._run(), name=f"committer-{lane}") for lane in range(self._lanes)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._queue.join()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def receive(self, message: Message) -> Outcome:
        """Read, commit, and only then say what became of it. Raises Unavailable, or Busy when the queue is full."""
        arrivals = self.reception.read(message)
        return summed_up(await self.submit(message, arrivals))

    async def submit(self, message: Message, arrivals: list[Arrival]) -> list[Outcome]:
        """Commit arrivals that were read already, with whatever else is waiting."""
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        if self._queue.turns.of(message.system) >= self._share:
            raise Busy
        try:
            self._queue.put_nowait(_Waiting(arrivals, message, done))
        except asyncio.QueueFull:
            raise Busy from None
        return await done

    async def _run(self) -> None:
        while True:
            waiting = [await self._queue.get()]
            size = len(waiting[0].arrivals)
            while size < self._batch and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
                size += len(waiting[-1].arrivals)
            metrics.INTAKE_QUEUE.set(self._queue.qsize())
            await self._take_in(waiting)
            for _ in waiting:
                self._queue.task_done()

    async def _take_in(self, waiting: Sequence[_Waiting]) -> None:
        arrivals = [arrival for one in waiting for arrival in one.arrivals]
        try:
            outcomes = iter(await self.reception.take_in(arrivals))
        except Exception as error:  # noqa: BLE001 handed to everyone who waits for it
            for one in waiting:
                if not one.done.done():
                    one.done.set_exception(error)
            return
        for one in waiting:
            mine = [next(outcomes) for _ in one.arrivals]
            if not one.done.done():
                one.done.set_result(mine)


def _counted(arrivals: Sequence[Arrival], outcomes: Sequence[Outcome], seconds: float) -> None:
    metrics.INTAKE_BATCH.observe(len(arrivals))
    metrics.INTAKE_COMMIT.observe(seconds)
    systems = (arrival.message.system for arrival in arrivals)
    metrics.took_in(zip(systems, (outcome.verdict for outcome in outcomes), strict=True))


def _recognisable(content: _Content, part: int, message: Message, *, redelivered: bool) -> _Content:
    """What it says; a telling of an alarm with what the storm filter knows a repetition of the message by."""
    if not isinstance(content, Reading) or content.alarm is None:
        return content
    of = (
        message.door,
        message.path,
        message.headers.get("message-id", ""),
        content.external_id,
        content.alarm.at,
        part,
    )
    digest = hashlib.sha256(repr(of).encode(errors="surrogatepass") + message.body).hexdigest()[:_DIGITS]
    alarm = content.alarm.model_copy(
        update={"digest": digest, "redelivered": redelivered, "retained": "retained" in message.headers}
    )
    return content.model_copy(update={"alarm": alarm})


def named(arrival: Arrival) -> str:
    """The source's own id of what arrived, as far as it could be read."""
    content = arrival.content
    return content.external_id if isinstance(content, Reading) else getattr(content, "key", "")


def summed_up(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for a message that held several: the first that is not accepted, else the first of all."""
    return next((outcome for outcome in outcomes if outcome.verdict not in ACCEPTED), outcomes[-1])
