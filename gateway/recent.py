"""An answer that may be dear: computed once for all who ask at the same time, and kept for a while where that helps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

CHEAP = 0.5
"""Seconds: an answer that is had sooner is never kept."""
AT_MOST = 0.1
"""Share of the time that a dear answer may be computed: one that takes 20 s is kept for 180 s more."""


class Recent(Generic[Answer]):
    """The answer of `compute`. One that fails is not kept; whoever waits for it hears why."""

    def __init__(
        self, compute: Callable[[], Awaitable[Answer]], *, good_for: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """`good_for`: seconds that any answer is kept, counted from when it was asked for."""
        self._compute, self._good_for, self._monotonic = compute, good_for, monotonic
        self._task: asyncio.Task[Answer] | None = None
        self._good_until = 0.0

    async def get(self) -> Answer:
        """Raises what computing it raises."""
        task = self._task
        if task is None or (task.done() and (self._monotonic() >= self._good_until or _failed(task))):
            task = self._task = asyncio.create_task(self._timed())
        return await asyncio.shield(task)

    async def _timed(self) -> Answer:
        began = self._monotonic()
        answer = await self._compute()
        took = self._monotonic() - began
        dear = began + took / AT_MOST if took > CHEAP else 0.0
        self._good_until = max(dear, began + self._good_for)
        return answer


def _failed(task: "asyncio.Task[Answer]") -> bool:
    return task.cancelled() or task.exception() is not None
