"""Working time 工作时 of one city: service windows on working days, with the official days off and make-up days.

Every start, stop and due time goes through `Calendar`. It knows no case and no clock: instants go in and come out.
The days are laid out once as a list of working days with running counts, so a deadline of any length is one sum, one
division and one look-up. Rules: GB/T 30428.8-2020 as adopted by cities (工作时, 紧急工作时, 工作日).
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Literal

from canonical.findings import Finding, Severity
from canonical.tables import TableRow, read_table
from canonical.time import SHANGHAI, Due, Limit, LimitUnit

COLUMNS = ("date", "day_type", "name", "notice")

_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_WEEKDAYS = 5
_DAY_ZERO = datetime(1, 1, 1, tzinfo=SHANGHAI)
"""Midnight of ordinal 1. Sums on it are wall-clock sums: Shanghai has kept +08:00 without summer time since 1992."""

WALL_CLOCK = {
    LimitUnit.MINUTE: timedelta(minutes=1),
    LimitUnit.URGENT_WORK_HOUR: timedelta(hours=1),
    LimitUnit.URGENT_WORK_DAY: timedelta(days=1),
    LimitUnit.CALENDAR_DAY: timedelta(days=1),
}
"""Units that run through nights and holidays. They need no calendar and so are never provisional."""

WorkDay = Literal["hours", "end_of_day"]
"""How a 工作日 counts. `hours`: a service day's hours each, exactly. `end_of_day`: to the end of the n-th working day
after the day of the start (次日起算)."""


class DayType(StrEnum):
    """What a row of the calendar says against the weekday rule (Monday to Friday)."""

    OFF = "off"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Window:
    """A service window of a working day: microseconds since midnight, the start inside it, the end not."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """In microseconds."""
        return self.end - self.start


DEFAULT_WINDOWS = (Window(8 * 60 * _MINUTE, 12 * 60 * _MINUTE), Window(14 * 60 * _MINUTE, 18 * 60 * _MINUTE))


@dataclass(frozen=True, slots=True)
class _Days:
    """The working days around the published years, and the weekday rule on both sides of them."""

    first: int
    """Ordinal of the first day laid out; a Monday."""
    before: tuple[int, ...]
    """How many working days lie between `first` and each day laid out; the last element counts them all."""
    working: tuple[int, ...]
    """Ordinals of the working days laid out, in order."""

    @classmethod
    def laid_out(cls, rows: Mapping[date, DayType]) -> "_Days":
        """From the Monday before the first row's year to the Sunday after the last row's year."""
        years = [day.year for day in rows] or [2000]
        start, stop = date(min(years), 1, 1), date(max(years), 12, 31)
        first = start.toordinal() - start.weekday()
        end = stop.toordinal() + 7 - stop.weekday()
        before, working = [0], []
        for ordinal in range(first, end):
            day = date.fromordinal(ordinal)
            by_weekday = DayType.WORK if day.weekday() < _WEEKDAYS else DayType.OFF
            if rows.get(day, by_weekday) is DayType.WORK:
                working.append(ordinal)
            before.append(len(working))
        return cls(first, tuple(before), tuple(working))

    def count_before(self, ordinal: int) -> int:
        """Working days from `first` to the day before `ordinal`; negative when that lies earlier."""
        offset = ordinal - self.first
        if 0 <= offset < len(self.before):
            return self.before[offset]
        base = 0
        if offset >= len(self.before):
            offset, base = offset - len(self.before) + 1, self.before[-1]
        weeks, days = divmod(offset, 7)
        return base + weeks * _WEEKDAYS + min(days, _WEEKDAYS)

    def ordinal_of(self, number: int) -> int:
        """The ordinal of the working day that has `number` working days before it."""
        if 0 <= number < len(self.working):
            return self.working[number]
        start = self.first
        if number >= len(self.working):
            number, start = number - len(self.working), self.first + len(self.before) - 1
        weeks, days = divmod(number, _WEEKDAYS)
        return start + weeks * 7 + days

    def is_working(self, ordinal: int) -> bool:
        return self.count_before(ordinal + 1) > self.count_before(ordinal)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Implements `canonical.ports.WorkingCalendar`. Build it with `load_calendar` or `calendar_of`."""

    edition: str
    """The published years and a digest of days, windows and the work day rule: `2020-2026/3f0c9a1b`."""
    windows: tuple[Window, ...]
    """In order, without overlap."""
    work_day: WorkDay
    published_years: frozenset[int]
    _days: _Days = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)
    _before: tuple[int, ...] = field(repr=False)
    """Working microseconds of a day before each window; the last element is the whole service day."""

    @property
    def service_day(self) -> timedelta:
        """The working time of one working day."""
        return self._before[-1] * _MICROSECOND

    def due(self, start: datetime, limit: Limit) -> Due:
        """When `limit` that starts to run at `start` (aware) runs out. Provisional past the published years.

        A count that ends with a window ends there, not at the start of the next one. A limit of 0 ends at its start.
        """
        local = start.astimezone(SHANGHAI)
        step = WALL_CLOCK.get(limit.unit)
        if step is not None:
            return Due(at=local + limit.value * step)
        if limit.value == 0:
            return Due(at=local)
        if limit.unit is LimitUnit.WORK_HOUR:
            at = self._after(local, limit.value * 60 * _MINUTE)
        elif self.work_day == "hours":
            at = self._after(local, limit.value * self._before[-1])
        else:
            at = self._end_of_day(local, limit.value)
        return Due(at=at, provisional=not self._published(local.year, at.year))

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two aware instants; negative when `end` lies before `start`."""
        return (self._position(end.astimezone(SHANGHAI)) - self._position(start.astimezone(SHANGHAI))) * _MICROSECOND

    def is_working(self, at: datetime) -> bool:
        """True inside a service window of a working day. In an unpublished year the weekday rule stands in."""
        local = at.astimezone(SHANGHAI)
        index = bisect_right(self._starts, moment := _since_midnight(local)) - 1
        return index >= 0 and moment < self.windows[index].end and self._days.is_working(local.toordinal())

    def _published(self, first: int, last: int) -> bool:
        years = self.published_years
        return first in years and (first == last or all(year in years for year in range(first + 1, last + 1)))

    def _position(self, local: datetime) -> int:
        """Working microseconds from the calendar's first day to `local`."""
        ordinal = local.toordinal()
        whole = self._days.count_before(ordinal) * self._before[-1]
        index = bisect_right(self._starts, moment := _since_midnight(local)) - 1
        if index < 0 or not self._days.is_working(ordinal):
            return whole
        window = self.windows[index]
        return whole + self._before[index] + min(moment, window.end) - window.start

    def _after(self, local: datetime, working: int) -> datetime:
        """The instant `working` (> 0) microseconds of working time after `local`."""
        day, rest = divmod(self._position(local) + working - 1, self._before[-1])
        index = bisect_right(self._before, rest) - 1
        moment = self.windows[index].start + rest - self._before[index] + 1
        return _instant(self._days.ordinal_of(day), moment)

    def _end_of_day(self, local: datetime, days: int) -> datetime:
        """The end of the last window of the `days`-th working day after the day of `local`."""
        number = self._days.count_before(local.toordinal() + 1) + days - 1
        return _instant(self._days.ordinal_of(number), self.windows[-1].end)


def _since_midnight(local: datetime) -> int:
    seconds = (local.hour * 60 + local.minute) * 60 + local.second
    return seconds * 1_000_000 + local.microsecond


def _instant(ordinal: int, moment: int) -> datetime:
    return _DAY_ZERO + timedelta(days=ordinal - 1, microseconds=moment)


def calendar_of(
    days: Mapping[date, DayType],
    *,
    published_years: frozenset[int],
    windows: Sequence[Window] = DEFAULT_WINDOWS,
    work_day: WorkDay = "hours",
) -> Calendar:
    """A calendar from its parts. `windows` in order, without overlap, at least one."""
    before = [0]
    for window in windows:
        before.append(before[-1] + window.length)
    parts = [f"{day} {days[day]}" for day in sorted(days)]
    parts += [f"{window.start}-{window.end}" for window in windows] + [work_day]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return Calendar(
        edition=f"{_spans(published_years)}/{digest}",
        windows=tuple(windows),
        work_day=work_day,
        published_years=published_years,
        _days=_Days.laid_out(days),
        _starts=tuple(window.start for window in windows),
        _before=tuple(before),
    )


def _spans(years: frozenset[int]) -> str:
    """`2020-2022,2024`, or `unpublished`."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and spans[-1][-1] == year - 1:
            spans[-1].append(year)
        else:
            spans.append([year])
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans) or "unpublished"


def load_calendar(
    path: Path, windows: Sequence[str], findings: list[Finding], *, work_day: WorkDay = "hours"
) -> Calendar:
    """The calendar of `holidays.csv` (date, day_type, name, notice) and the city's service windows (`08:00-12:00`).

    A year is published when a row of it names the notice it rests on; a row without one is a local day: it counts, but
    its year stays provisional. What is wrong goes to `findings`; without a usable window the default windows stand in.
    """
    days: dict[date, DayType] = {}
    published: set[int] = set()
    unpublished: dict[int, TableRow] = {}
    for row in read_table(path, COLUMNS, findings):
        day, day_type = _day(row, findings), _day_type(row, findings)
        if day is None or day_type is None:
            continue
        if day in days:
            findings.append(row.finding("date", f"{day} stands in the table twice"))
            continue
        days[day] = day_type
        if row["notice"]:
            published.add(day.year)
        else:
            unpublished.setdefault(day.year, row)
    for year in unpublished.keys() - published:
        row = unpublished[year]
        text = f"no row of {year} names a notice: deadlines that reach {year} stay provisional"
        findings.append(Finding(row.file, row.line, "notice", text, Severity.WARNING))
    parsed = _windows(windows, findings)
    return calendar_of(days, published_years=frozenset(published), windows=parsed, work_day=work_day)


def _day(row: TableRow, findings: list[Finding]) -> date | None:
    try:
        return date.fromisoformat(row["date"])
    except ValueError:
        findings.append(row.finding("date", f"'{row['date']}' is not a date: write 2026-10-01"))
        return None


def _day_type(row: TableRow, findings: list[Finding]) -> DayType | None:
    try:
        return DayType(row["day_type"])
    except ValueError:
        findings.append(row.finding("day_type", f"'{row['day_type']}' is neither off nor work"))
        return None


_WINDOW = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def _windows(texts: Sequence[str], findings: list[Finding]) -> tuple[Window, ...]:
    def wrong(text: str) -> None:
        findings.append(Finding("city.yaml", 0, "calendar.windows", text))

    windows = []
    for text in texts:
        window = _window(text)
        if window is None:
            wrong(f"'{text}' is not a service window of one day: write 08:00-12:00")
        else:
            windows.append(window)
    windows.sort(key=lambda window: window.start)
    if any(later.start < earlier.end for earlier, later in pairwise(windows)):
        wrong("service windows overlap")
        return DEFAULT_WINDOWS
    if not windows:
        wrong("no service window; 08:00-12:00 and 14:00-18:00 stand in")
        return DEFAULT_WINDOWS
    return tuple(windows)


def _window(text: str) -> Window | None:
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        return None
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    window = Window((from_hour * 60 + from_minute) * _MINUTE, (to_hour * 60 + to_minute) * _MINUTE)
    sound = from_minute < 60 and to_minute < 60 and window.start < window.end <= _DAY
    return window if sound else None
