"""How far a table in sequence mode has been taken: a ledger of one pass, and positions as text.

Pure: no database, no clock.
"""

from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from canonical.errors import ContractViolation
from connectors.exchange_columns import Column, instant_for

Position = Decimal | datetime | str

TEXT_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y/%m/%d %H:%M:%S")
"""Times in text columns that sort as they run, so that looking back in seconds has a meaning."""


@dataclass(slots=True)
class _Entry:
    value: Position | None
    settled: bool


class Ledger:
    """The rows of one pass in the order of their sequence, and which of them are settled."""

    def __init__(self) -> None:
        self._line: deque[_Entry] = deque()
        self._open: dict[str, _Entry] = {}
        self._reached: Position | None = None

    def add(self, key: str, value: Position | None, *, settled: bool) -> None:
        """The next row. A row without a sequence (None) holds nothing up and moves nothing."""
        entry = _Entry(value, settled)
        self._line.append(entry)
        if not settled:
            self._open[key] = entry

    def settle(self, key: str) -> None:
        """The row has its verdict. Nothing when this pass has not met it."""
        if entry := self._open.pop(key, None):
            entry.settled = True

    def reached(self) -> Position | None:
        """The sequence up to which every row is settled; None when there is none yet."""
        while self._line and self._line[0].settled:
            entry = self._line.popleft()
            if entry.value is not None:
                self._reached = entry.value
        return self._reached


def position_of(value: object, column: Column, zone: ZoneInfo) -> Position | None:
    """A sequence value as a position; None when it is none (NULL, a time no calendar has)."""
    if column.is_number:
        return Decimal(str(value)) if isinstance(value, int | float | Decimal) else None
    if column.is_time:
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        return instant_for(value, column, zone) if isinstance(value, datetime) else None
    return str(value) if value is not None else None


def written(position: Position) -> str:
    """How a position is remembered."""
    if isinstance(position, datetime):
        return position.isoformat(" ")
    return f"{position:f}" if isinstance(position, Decimal) else position


def read(text: str, column: Column) -> Position:
    """A remembered position. Raises ContractViolation when the column holds other things now."""
    try:
        if column.is_number:
            return Decimal(text)
        if column.is_time:
            return datetime.fromisoformat(text)
    except (ValueError, InvalidOperation):
        raise ContractViolation(
            f"column {column.name} has changed its type: the remembered position does not fit", at=column.name
        ) from None
    return text


def looked_back(position: Position, overlap: float, column: Column) -> object:
    """Where reading starts again: `overlap` seconds or units before `position`, as a value for the driver."""
    if isinstance(position, Decimal):
        lower = position - Decimal(str(overlap))
        return int(lower) if lower == lower.to_integral_value() else lower
    if isinstance(position, datetime):
        return position - timedelta(seconds=overlap)
    return _earlier(position, overlap, column) if overlap else position


def _earlier(text: str, overlap: float, column: Column) -> str:
    for shape in TEXT_TIMES:
        try:
            at = datetime.strptime(text, shape)  # noqa: DTZ007 - the other side's wall clock, read and written back
        except ValueError:
            continue
        return (at - timedelta(seconds=overlap)).strftime(shape)
    raise ContractViolation(f"column {column.name} holds text that is no time: nothing to look back by", at=column.name)
