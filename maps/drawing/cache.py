"""Answers kept for some seconds, so that clients that pan together are drawn for once. Bounded by bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Cache:
    """Bytes by key, the longest unused thrown away first. Safe to share between threads."""

    def __init__(self, most: int = 64 * 1024 * 1024) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> tuple[bytes, bool]:
        """What is kept under the key and True, else what is made and False.

        A key must tell all that the answer depends on.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key], True
        made = make()
        with self._lock:
            if key not in self._kept and len(made) <= self._most:
                self._kept[key] = made
                self._size += len(made)
                while self._size > self._most:
                    self._size -= len(self._kept.popitem(last=False)[1])
        return made, False

    def __len__(self) -> int:
        return len(self._kept)
