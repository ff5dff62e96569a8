"""A receiver's memory as the receiver's own thread sees it: blocking calls, answered by the event loop's database."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from canonical.errors import Unavailable
from storage.memories import Memories

_Answer = TypeVar("_Answer")

PATIENCE = 30.0
"""Seconds a receiver waits for the database. After that it knows nothing, and its work comes again."""


@dataclass(frozen=True, slots=True)
class BlockingMemory:
    """canonical.ports.Memory of one receiver, claimed by `by`. Never call it from the loop's own thread."""

    memories: Memories
    system: str
    name: str
    by: UUID
    loop: asyncio.AbstractEventLoop
    now: Callable[[], datetime]
    patience: float = PATIENCE

    def position(self) -> str:
        """How far it has come, in its own notation; empty at first. Raises Unavailable."""
        return self._ask(self.memories.position(self.system, self.name))

    def move(self, position: str) -> None:
        """Remember how far it has come. Raises Unavailable, also when another process has the receiver by now."""
        self._ask(self.memories.move(self.system, self.name, position, now=self.now(), by=self.by))

    def news(self, digests: Mapping[str, str]) -> frozenset[str]:
        """Those keys that are new, or whose digest differs from the remembered one. Raises Unavailable."""
        return self._ask(self.memories.news(self.system, self.name, digests, now=self.now()))

    def remember(self, digests: Mapping[str, str]) -> None:
        """Key to digest of things that are durable with us now. Raises Unavailable."""
        self._ask(self.memories.remember(self.system, self.name, digests, now=self.now()))

    def absent(self, keys: Collection[str], *, told: str) -> frozenset[str]:
        """Remembered keys that are not among these; without those whose digest is `told`. Raises Unavailable."""
        return self._ask(self.memories.absent(self.system, self.name, keys, told=told))

    def _ask(self, question: Coroutine[Any, Any, _Answer]) -> _Answer:
        try:
            answer = asyncio.run_coroutine_threadsafe(question, self.loop)
        except RuntimeError:  # the loop is closed: the process is ending
            question.close()
            raise Unavailable(f"{self.system}: the worker of '{self.name}' has ended") from None
        try:
            return answer.result(self.patience)
        except TimeoutError:
            answer.cancel()
            raise Unavailable(f"{self.system}: no memory for '{self.name}' in {self.patience:g} seconds") from None
        except CancelledError:
            raise Unavailable(f"{self.system}: the worker of '{self.name}' is ending") from None
