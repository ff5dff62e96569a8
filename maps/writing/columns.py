"""Columns as text, each value made once: most of them repeat."""

from collections.abc import Callable, Iterator
from datetime import date, datetime

from maps.table import Objects, Table

PART = 2000
"""Features written at once."""
DECIMALS_OF_DEGREES, DECIMALS_OF_METRES = 7, 3


def parts(table: Table) -> Iterator[Table]:
    """The table in pieces."""
    for begin in range(0, len(table), PART):
        yield table.take(slice(begin, begin + PART))


def texts(column: Objects, write: Callable[[object], str]) -> list[str]:
    """The column as text; a value that stands there again is not written again."""
    known: dict[object, str] = {}
    made = []
    for value in column:
        text = known.get(value)
        if text is None:
            text = known[value] = write(value)
        made.append(text)
    return made


def plain(value: object) -> str:
    """A value as text: times in ISO 8601, flags as true and false, nothing for a missing one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
