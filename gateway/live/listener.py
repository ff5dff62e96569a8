"""One open console: what waits to be written to it, never more than so much."""

import asyncio
from collections import deque

from gateway.access import Who
from gateway.live.position import Position
from gateway.live.words import Audience
from storage.moves import Snapshot

MOST_WAITING = 512 * 1024
"""Bytes that may wait for one listener; most are shared with others who hear the same."""


class Listener:
    """What is to be told to one console, in its order."""

    def __init__(self, who: Who, given: str, *, joined: int, most: int = MOST_WAITING) -> None:
        """`given`: the id of what it heard last; empty: it is new. `joined`: looks that had begun when it came."""
        self.who, self.joined = who, joined
        self.audience = Audience.of(who)
        self.fresh = not given
        self.position = Position.read(given) if given else None
        """How far it had heard; None: it is new, or nobody knows. A look that began later has seen all of it."""
        self.attached = False
        """It hears what happens; until then it waits for a look."""
        self.greeted = False
        self.ended = False
        self._most = most
        self._parts: deque[bytes | Snapshot] = deque()
        self._size = 0
        self._news = asyncio.Event()

    def put(self, part: bytes) -> bool:
        """Tell it this. False: it has not taken what was told before, and must be reset."""
        if self.ended:
            return True
        if self._size + len(part) > self._most:
            return False
        self._parts.append(part)
        self._size += len(part)
        self._news.set()
        return True

    def catch_up(self, until: Snapshot) -> None:
        """Tell it first what it missed up to this moment."""
        self._parts.append(until)
        self._news.set()

    def instead(self, part: bytes) -> None:
        """Forget what waits, tell it this."""
        self._parts.clear()
        self._parts.append(part)
        self._size = len(part)
        self._news.set()

    def end(self, last: bytes = b"") -> None:
        """After what waits, and `last`, nothing more."""
        if last:
            self._parts.append(last)
        self.ended = True
        self._news.set()

    async def next(self) -> bytes | Snapshot | None:
        """All that waits, or the moment up to which it has to catch up; None: it is over."""
        while not self._parts:
            if self.ended:
                return None
            self._news.clear()
            await self._news.wait()
        if isinstance(self._parts[0], Snapshot):
            first = self._parts.popleft()
            assert isinstance(first, Snapshot)
            return first
        parts: list[bytes] = []
        while self._parts and isinstance(part := self._parts[0], bytes):
            parts.append(part)
            self._parts.popleft()
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        self._size = max(0, self._size - len(whole))
        return whole
