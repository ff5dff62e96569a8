"""What processes use: processor time and memory of a process and everything it started, as Linux tells it."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARENT, _TIMES, _RESIDENT = 1, slice(11, 15), 21
"""Places in /proc/<pid>/stat, counted from what follows the name. Times: its own, and of children that ended."""


def _facts() -> dict[int, list[int | str]]:
    found: dict[int, list[int | str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # ended meanwhile
                continue
            found[int(entry.name)] = list(text.rpartition(")")[2].split())
    return found


def family(pid: int) -> Iterator[tuple[int, float, int]]:
    """(process, seconds of processor time, bytes in memory) of the process and of all that it started.

    What has ended counts with whoever started it: a database ends its helpers now and then.
    """
    facts = _facts()
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        if one in facts:
            row = facts[one]
            seconds = sum(map(int, row[_TIMES])) / _TICKS
            yield one, seconds, int(row[_RESIDENT]) * _PAGE
            waiting += [child for child, other in facts.items() if int(other[_PARENT]) == one]


def processor_time(pid: int) -> float:
    """Seconds of processor time that the process and its children have used so far."""
    return sum(seconds for _, seconds, _ in family(pid))


def largest(pid: int) -> float:
    """Megabytes in memory of the largest process of the family."""
    return max((size for _, _, size in family(pid)), default=0) / 1e6


def postgres_of(pid: int) -> int:
    """The server that this process started; 0 when there is none."""
    for one, row in _facts().items():
        if int(row[_PARENT]) == pid:
            command = (Path("/proc") / str(one) / "cmdline").read_bytes().split(b"\0")
            if command[0].endswith(b"postgres"):
                return one
    return 0
