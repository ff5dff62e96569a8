"""Working time 工作时 of one city or unit: service windows on working days, with official days off and make-up days.

Every start, stop and due time goes through `Calendar`. It knows no case: instants go in and come out. A unit of time
has a measure: what lies between two instants, and the instant that comes after so much. A deadline is its budgets,
used up one after the other along the measure of each, with the pauses left out.

Rules: GB/T 30428.8-2020 as adopted by cities (工作时, 紧急工作时, 工作日).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from assessment.days import Days, DayType, Week, laid_out
from assessment.timetable import DEFAULT, MINUTE, Timetables
from canonical.time import SHANGHAI, Due, Limit, LimitUnit, Pause

_MICROSECOND = timedelta(microseconds=1)
_DAY_ZERO = datetime(1, 1, 1, tzinfo=SHANGHAI)
"""Midnight of ordinal 1. Sums on it are wall-clock sums: Shanghai has kept +08:00 without summer time since 1992."""

WALL_CLOCK = {
    LimitUnit.MINUTE: MINUTE,
    LimitUnit.URGENT_WORK_HOUR: 60 * MINUTE,
    LimitUnit.URGENT_WORK_DAY: 24 * 60 * MINUTE,
    LimitUnit.CALENDAR_DAY: 24 * 60 * MINUTE,
}
"""Microseconds of units that run through nights and holidays. They need no calendar and so are never provisional."""

WorkDay = Literal["hours", "end_of_day"]
"""How a 工作日 counts. `hours`: a service day's hours each, exactly. `end_of_day`: to the end of the n-th working day
after the day of the start (次日起算)."""


class _Measure(NamedTuple):
    after: Callable[[datetime, int], datetime]
    """The instant so many after another."""
    between: Callable[[datetime, datetime], int]
    """How many lie between two instants; negative when the second is earlier."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Implements `canonical.ports.WorkingCalendar`. Build it with `load_calendar` or `calendar_of`."""

    edition: str
    """The published years and a digest of days, windows and the work day rule: `2020-2026/3f0c9a1b`."""
    timetables: Timetables
    work_day: WorkDay
    published_years: frozenset[int] | None
    """None: every day is a service day, and nothing needs to be published."""
    _days: Days = field(repr=False)

    @property
    def service_day(self) -> timedelta:
        """The working time of one working day, by the timetable that is not bound to a season."""
        return self.timetables.first.length * _MICROSECOND

    def due(self, start: datetime, limit: Limit) -> Due:
        """When `limit` that starts to run at `start` (aware) runs out. Provisional past the published years.

        A count that ends with a window ends there, not at the start of the next one. A limit of 0 ends at its start.
        """
        due = self.run_out(start, [limit])
        assert due is not None  # nothing pauses
        return due

    def run_out(self, start: datetime, limits: Sequence[Limit], pauses: Sequence[Pause] = ()) -> Due | None:
        """When `limits`, one after the other, run out, with the pauses left out. None while it is paused.

        `pauses` in order, without overlap. One that begins after it ran out changes nothing any more.
        """
        at: datetime | None = start.astimezone(SHANGHAI)
        provisional = False
        for limit in limits:
            assert at is not None
            if limit.value == 0:
                continue
            begin = at
            measure, amount = self._measured(limit, at)
            at = _used_up(measure, at, amount, pauses)
            if at is None:
                return None
            by_calendar = limit.unit not in WALL_CLOCK
            provisional |= by_calendar and not self._published(begin.year, at.year)
        assert at is not None
        return Due(at=at, provisional=provisional)

    def spent(
        self, start: datetime, until: datetime, limits: Sequence[Limit], pauses: Sequence[Pause] = ()
    ) -> timedelta:
        """What of the limits was used up from `start` to `until`: working time, or wall time when all are of that."""
        between = self._common(limits).between
        ends = [(pause.since, pause.until or until) for pause in pauses]
        left_out = sum(between(max(a, start), min(b, until)) for a, b in ends if a < until and b > start)
        return (between(start, until) - left_out) * _MICROSECOND

    def share(
        self, start: datetime, limits: Sequence[Limit], pauses: Sequence[Pause], share: float, due: Due | None = None
    ) -> datetime | None:  # fmt: skip
        """The instant at which such a share (0 to 1) of the limits is used up. None when a pause keeps it open.

        `due`: when they run out, where that has been worked out already.
        """
        due = due or self.run_out(start, limits, pauses)
        if due is None:
            return None
        total = self.spent(start, due.at, limits, pauses) // _MICROSECOND
        return _used_up(self._common(limits), start.astimezone(SHANGHAI), round(total * share), pauses)

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two aware instants; negative when `end` lies before `start`."""
        return self._working_between(start, end) * _MICROSECOND

    def is_working(self, at: datetime) -> bool:
        """True inside a service window of a working day. In an unpublished year the weekday rule stands in."""
        local = at.astimezone(SHANGHAI)
        table = self._days.table(local.toordinal())
        return table is not None and table.holds(_since_midnight(local))

    def windows_on(self, day: date) -> tuple[tuple[int, int], ...]:
        """The service windows of a day, (start, end) in minutes since midnight, in order; none on a day off."""
        table = self._days.table(day.toordinal())
        return tuple((window.start // MINUTE, window.end // MINUTE) for window in table.windows) if table else ()

    def _common(self, limits: Sequence[Limit]) -> _Measure:
        return _WALL if all(limit.unit in WALL_CLOCK for limit in limits) else self._working

    def _measured(self, limit: Limit, at: datetime) -> tuple[_Measure, int]:
        """The measure of a limit, and how much of it the limit is. A day's hours are those of the day it starts on."""
        if limit.unit in WALL_CLOCK:
            return _WALL, limit.value * WALL_CLOCK[limit.unit]
        if limit.unit is LimitUnit.WORK_HOUR:
            return self._working, limit.value * 60 * MINUTE
        if self.work_day == "end_of_day":
            return _Measure(self._end_of_day, self._days_between), limit.value
        return self._working, limit.value * self._service_day(at)

    @property
    def _working(self) -> _Measure:
        return _Measure(self._working_after, self._working_between)

    def _service_day(self, at: datetime) -> int:
        """The hours of the working day that `at` is in, or of the next one."""
        table = self._days.table(at.toordinal())
        if table is None:
            table = self._days.table(self._days.count.day_of(self._days.count.at(at.toordinal()) + 1))
        assert table is not None
        return table.length

    def _published(self, first: int, last: int) -> bool:
        years = self.published_years
        if years is None:
            return True
        return first in years and (first == last or all(year in years for year in range(first + 1, last + 1)))

    def _position(self, local: datetime) -> int:
        """Working microseconds from the calendar's first day to `local`."""
        ordinal = local.toordinal()
        table = self._days.table(ordinal)
        return self._days.time.at(ordinal) + (table.worked(_since_midnight(local)) if table else 0)

    def _working_between(self, start: datetime, end: datetime) -> int:
        return self._position(end.astimezone(SHANGHAI)) - self._position(start.astimezone(SHANGHAI))

    def _working_after(self, local: datetime, working: int) -> datetime:
        if working == 0:
            return local
        reached = self._position(local) + working
        ordinal = self._days.time.day_of(reached)
        table = self._days.table(ordinal)
        assert table is not None  # a day that holds working time has windows
        return _instant(ordinal, table.reached(reached - self._days.time.at(ordinal)))

    def _end_of_day(self, local: datetime, days: int) -> datetime:
        """The end of the `days`-th working day after the day of `local`; of 0 days: of this one, or of the next."""
        ordinal, count = local.toordinal(), self._days.count
        day = count.day_of(max(count.at(ordinal + 1) + days, count.at(ordinal) + 1))
        table = self._days.table(day)
        assert table is not None
        return _instant(day, table.end)

    def _days_between(self, start: datetime, end: datetime) -> int:
        """Working days after the day of `start`, to the day of `end`."""
        first, last = (at.astimezone(SHANGHAI).toordinal() for at in (start, end))
        return self._days.count.at(last + 1) - self._days.count.at(first + 1)


def _used_up(measure: _Measure, at: datetime, amount: int, pauses: Sequence[Pause]) -> datetime | None:
    """When `amount` is used up from `at` on; None when a pause that has no end comes first."""
    end = measure.after(at, amount)
    for pause in pauses:
        if pause.since >= end:
            break
        if pause.until is None:
            return None
        if pause.until <= at:
            continue
        amount -= measure.between(at, max(at, pause.since))
        at = pause.until.astimezone(SHANGHAI)
        end = measure.after(at, amount)
    return end


def _wall_after(at: datetime, amount: int) -> datetime:
    return at + amount * _MICROSECOND


def _wall_between(start: datetime, end: datetime) -> int:
    return (end - start) // _MICROSECOND


_WALL = _Measure(_wall_after, _wall_between)


def _since_midnight(local: datetime) -> int:
    seconds = (local.hour * 60 + local.minute) * 60 + local.second
    return seconds * 1_000_000 + local.microsecond


def _instant(ordinal: int, moment: int) -> datetime:
    return _DAY_ZERO + timedelta(days=ordinal - 1, microseconds=moment)


def calendar_of(
    days: Mapping[date, DayType],
    *,
    published_years: frozenset[int],
    timetables: Timetables | None = None,
    work_day: WorkDay = "hours",
    week: Week = "working",
) -> Calendar:
    """A calendar from its parts."""
    timetables = timetables or Timetables(DEFAULT)
    every = week == "every"
    parts = [f"{day} {days[day]}" for day in sorted(days)]
    parts += [str(timetables), work_day] + [week] * every
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return Calendar(
        edition=f"{'every day' if every else _spans(published_years)}/{digest}",
        timetables=timetables,
        work_day=work_day,
        published_years=None if every else published_years,
        _days=laid_out(days, timetables, week),
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
