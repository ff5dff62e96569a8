"""Working days laid out once as running sums, so that a deadline of any length is one sum and one look-up.

Past both ends of what is laid out the week goes on as it was, by arithmetic.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import accumulate
from typing import Literal

from assessment.timetable import Timetable, Timetables

_WEEKDAYS = 5
_YEARS_ON = 3
"""So many years past the last published one are laid out, with their seasons."""

Week = Literal["working", "every"]
"""Which days are service days: working days with holidays and make-up days, or every day there is (值班)."""


class DayType(StrEnum):
    """What a row of the calendar says against the weekday rule (Monday to Friday)."""

    OFF = "off"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Line:
    """A running sum over days: of working microseconds, or of working days."""

    first: int
    """Ordinal of the first day laid out; a Monday."""
    before: Sequence[int]
    """The sum before each day laid out; the last element counts them all. Whole weeks."""
    early: Sequence[int]
    """The same within a week before `first`: eight elements."""
    late: Sequence[int]
    """And within a week after the last day laid out."""

    def at(self, ordinal: int) -> int:
        """The sum from `first` to the day before `ordinal`; negative when that lies earlier."""
        offset = ordinal - self.first
        if 0 <= offset < len(self.before):
            return self.before[offset]
        if offset < 0:
            weeks, days = divmod(offset, 7)
            return weeks * self.early[7] + self.early[days]
        weeks, days = divmod(offset - len(self.before) + 1, 7)
        return self.before[-1] + weeks * self.late[7] + self.late[days]

    def day_of(self, unit: int) -> int:
        """The ordinal of the day that holds the `unit`-th one, counted from 1 at `first`."""
        if unit <= 0:
            return self.first + _in_weeks(self.early, unit)
        if unit > self.before[-1]:
            return self.first + len(self.before) - 1 + _in_weeks(self.late, unit - self.before[-1])
        return self.first + bisect_left(self.before, unit) - 1


def _in_weeks(week: Sequence[int], unit: int) -> int:
    weeks, rest = divmod(unit - 1, week[7])
    return weeks * 7 + bisect_left(week, rest + 1) - 1


Pattern = Sequence[Timetable | None]
"""A timetable for each day; None: nobody works."""


@dataclass(frozen=True, slots=True)
class Days:
    """All days there are, each with its timetable."""

    first: int
    tables: Pattern
    early: Pattern
    late: Pattern
    time: Line
    """Of working microseconds."""
    count: Line
    """Of working days."""

    def table(self, ordinal: int) -> Timetable | None:
        """The windows of a day; None when it is a day off."""
        offset = ordinal - self.first
        if 0 <= offset < len(self.tables):
            return self.tables[offset]
        return (self.early if offset < 0 else self.late)[offset % 7]


def laid_out(rows: Mapping[date, DayType], timetables: Timetables, week: Week) -> Days:
    """From the Monday before the first year that is spoken of to a Sunday some years after the last."""
    dated = [begin for begin in timetables.later if isinstance(begin, date)]
    years = [day.year for day in (*rows, *dated)] or [2000]
    start = date(min(years), 1, 1)
    first = start.toordinal() - start.weekday()
    end = date(max(years) + _YEARS_ON, 12, 31).toordinal()
    end += -(end - first) % 7
    table = timetables.before(date.fromordinal(first))
    early = _week(table, week)
    tables: list[Timetable | None] = []
    for ordinal in range(first, end):
        day = date.fromordinal(ordinal)
        table = timetables.beginning(day) or table
        by_weekday = DayType.WORK if week == "every" or day.weekday() < _WEEKDAYS else DayType.OFF
        tables.append(table if rows.get(day, by_weekday) is DayType.WORK else None)
    late = _week(table, week)
    patterns = (tables, early, late)
    time, count = ([_sums(pattern, of) for pattern in patterns] for of in (_length, _one))
    return Days(first, tuple(tables), early, late, Line(first, *time), Line(first, *count))


def _week(table: Timetable, week: Week) -> Pattern:
    working = 7 if week == "every" else _WEEKDAYS
    return (*[table] * working, *[None] * (7 - working))


def _length(table: Timetable) -> int:
    return table.length


def _one(_table: Timetable) -> int:
    return 1


def _sums(pattern: Pattern, of: Callable[[Timetable], int]) -> Sequence[int]:
    return tuple(accumulate((of(table) if table else 0 for table in pattern), initial=0))
