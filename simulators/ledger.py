"""A simulated system's own book: a JSON line for everything it was asked, answered and said, written before it goes on.

The book is all that a killed system keeps. Each line is one write, so that it is there whole or not at all.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Ledger:
    """Append only. `n` counts the lines over restarts, `t` is the machine's clock in seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = sum(1 for _ in lines(path)) + 1 if path.exists() else 1
        self._together: list[bytes] | None = None
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        if path.stat().st_size and path.read_bytes()[-1:] != b"\n":
            os.write(self._file, b"\n")

    def write(self, what: str, **facts: object) -> int:
        """One line; its number."""
        number, self._next = self._next, self._next + 1
        line = {"n": number, "t": round(time.time(), 3), "what": what, **facts}
        written = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if self._together is None:
            os.write(self._file, written)
        else:
            self._together.append(written)
        return number

    @contextmanager
    def together(self) -> Iterator[None]:
        """All lines of the block in one write: a killed system has done all of it, or nothing."""
        self._together = []
        try:
            yield
        finally:
            written, self._together = b"".join(self._together), None
            os.write(self._file, written)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The book as it stands; a line that a kill cut off is no line."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue
