"""What every simulated system has: a clock, dice, a behaviour, jobs at work, and a line to the hub.

A system never looks into the hub: it knows the address, the agreed secret and the contract's texts.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import ClassVar
from zoneinfo import ZoneInfo

import httpx
from starlette.routing import BaseRoute

from simulators.behaviour import Behaviour
from simulators.ledger import Ledger
from simulators.wire import Answer, Exchange, Request, Verdict, shown, spoiled

SHANGHAI = ZoneInfo("Asia/Shanghai")
_LOG = logging.getLogger("simulators")
_TICK = 0.05
"""Seconds between two looks at what the rate owes."""
_LINES = 16
"""Calls to the hub under way at once."""
_KEPT = 200
"""Exchanges kept for the reader."""


def shanghai_now() -> datetime:
    """The machine's clock, in Wuhu."""
    return datetime.now(SHANGHAI)


@dataclass(frozen=True)
class Setup:
    """Where the system stands and what it was agreed with the hub."""

    hub: str
    """The hub's address, such as `http://127.0.0.1:8080`."""
    secret: str = field(repr=False)
    """The static token both sides know."""
    seed: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    quiet: bool = False
    """Emit nothing by itself."""
    clock: Callable[[], datetime] = shanghai_now
    timeout: float = 30.0
    """Seconds the system waits for the hub's answer."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What only one of the systems knows, such as `answer_with_id`."""
    ledger: Path | None = None
    """Where everything it was asked, answered and said is written down, added to what is there."""


class System(ABC):
    """One simulated industry system. Subclasses add the contract's doors and the work behind them."""

    name: ClassVar[str]
    title: ClassVar[str]
    state_titles: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[frozenset[str]] = frozenset()
    """The options it understands."""

    def __init__(self, setup: Setup) -> None:
        unknown = sorted(set(setup.options) - self.options)
        if unknown:
            raise ValueError(f"{self.name} has no option {', '.join(unknown)}; it has: {sorted(self.options)}")
        self.setup = setup
        self.behaviour = setup.behaviour
        self.quiet = setup.quiet
        self.counts: Counter[str] = Counter()
        self.received: deque[Exchange] = deque(maxlen=_KEPT)
        self.pushed: deque[Exchange] = deque(maxlen=_KEPT)
        self.ledger = Ledger(setup.ledger) if setup.ledger else None
        self.failures: list[str] = []
        self.fault_dice = self.dice("faults")
        self._jobs: set[asyncio.Task[None]] = set()
        self._lines = asyncio.Semaphore(_LINES)
        self._client: httpx.AsyncClient | None = None

    # What subclasses say

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The contract's doors."""

    @abstractmethod
    def create(self, number: int) -> str:
        """Let the `number`-th case happen (1, 2, ...): a function of seed and number alone. Returns its id."""

    @abstractmethod
    def items(self) -> list[dict[str, str]]:
        """Everything the system knows, oldest first; each with `id`, `no`, `state` and `title`."""

    # What goes wrong without a word

    def lose(self, item_id: str) -> bool:
        """Forget an item, as if it had never been there. False: there is none, or this system forgets nothing."""
        return False

    def change_silently(self, item_id: str, state: str) -> bool:
        """Put an item into another state and tell nobody. False: there is none, or no such state."""
        return False

    # What they use

    @property
    def busy(self) -> int:
        """Jobs at work: pushes under way and steps that wait for their pace."""
        return len(self._jobs)

    def now(self) -> datetime:
        """By the system's clock, in Shanghai."""
        return self.setup.clock().astimezone(SHANGHAI)

    def dice(self, *about: object) -> Random:
        """Dice that always fall the same way for the same seed and the same words."""
        return Random("/".join(map(str, (self.setup.seed, self.name, *about))))  # noqa: S311  # a simulation

    def emit(self, number: int = 1) -> list[str]:
        """Let this many cases happen now."""
        ids = []
        for _ in range(number):
            self.counts["emitted"] += 1
            ids.append(self.create(self.counts["emitted"]))
            self.write_down("report", id=ids[-1])
        return ids

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Do this beside everything else. What it raises is shown at `/_sim/state` and fails a test run."""
        job = asyncio.get_running_loop().create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self.noted)

    async def step(self) -> None:
        """One step of work."""
        await asyncio.sleep(self.behaviour.pace)

    async def call(self, request: Request, *, method: str = "POST") -> Answer | None:
        """Ask the hub once. None: no answer came."""
        assert self._client is not None  # started
        headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
        exchange = Exchange(self.now(), method, request.path, headers, shown(request.body))
        self.counts["calls"] += 1
        try:
            async with self._lines:
                response = await self._client.request(
                    method, self.setup.hub.rstrip("/") + request.path, content=request.body, headers=request.headers
                )
        except httpx.TransportError as error:
            self.pushed.append(replace(exchange, verdict=type(error).__name__))
            return None
        answer = Answer(response.status_code, response.content)
        self.pushed.append(replace(exchange, status=answer.status, answer=shown(answer.body)))
        return answer

    async def tell(
        self,
        about: str,
        request: Request,
        judge: Callable[[Answer], Verdict],
        *,
        again: frozenset[Verdict] = frozenset({Verdict.UNANSWERED}),
    ) -> Verdict:
        """Tell the hub until it has heard: with gaps, at most `attempts` times; now and then once too often."""
        dice = self.dice("tell", about)
        if dice.random() < self.behaviour.garbage:
            self.counts["garbage"] += 1
            answer = await self.call(spoiled(request, dice))
            self.counts["garbage_accepted"] += answer is not None and judge(answer) is Verdict.ACCEPTED
        verdict = await self._tried(request, judge, again)
        self.counts[verdict] += 1
        self.write_down("said", about=about, verdict=verdict)
        if verdict is Verdict.ACCEPTED and dice.random() < self.behaviour.repeat:
            self.counts["repeated"] += 1
            await self.call(request)
        return verdict

    def write_down(self, what: str, **facts: object) -> None:
        """A line of the ledger, where one is kept."""
        if self.ledger is not None:
            self.ledger.write(what, **facts)

    def noted(self, job: asyncio.Task[None]) -> None:
        """Take a job that has ended off the list; what it raised stays in `failures`."""
        self._jobs.discard(job)
        error = None if job.cancelled() else job.exception()
        if error is not None:
            # The kind and the line only: the text of an error may carry a citizen's words.
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "?"
            self.failures.append(f"{type(error).__name__} in {where}")
            _LOG.error("simulator.failed system=%s error=%s where=%s", self.name, type(error).__name__, where)

    # Living

    async def live(self) -> None:
        """Open the line to the hub and go on emitting until cancelled."""
        limits = httpx.Limits(max_connections=2 * _LINES)
        async with httpx.AsyncClient(timeout=self.setup.timeout, limits=limits, trust_env=False) as client:
            self._client = client
            try:
                await self.work()
            finally:
                for job in tuple(self._jobs):
                    job.cancel()
                await asyncio.gather(*self._jobs, return_exceptions=True)

    async def work(self) -> None:
        """What the system does by itself: emit at its rate."""
        loop = asyncio.get_running_loop()
        owed, before = 1.0, loop.time()
        while True:
            elapsed, before = loop.time() - before, loop.time()
            if not self.quiet and self.behaviour.rate:
                self.emit(int(owed))
                owed = owed - int(owed) + elapsed * self.behaviour.rate / 60
            await asyncio.sleep(_TICK)

    async def _tried(self, request: Request, judge: Callable[[Answer], Verdict], again: frozenset[Verdict]) -> Verdict:
        attempt = 1
        while True:
            answer = await self.call(request)
            verdict = Verdict.UNANSWERED if answer is None else judge(answer)
            if verdict not in again or attempt >= self.behaviour.attempts:
                return verdict
            self.counts["tried_again"] += 1
            await asyncio.sleep(self.behaviour.gap * attempt)
            attempt += 1
