"""Who of the officers is there at an instant: shifts 班次 with their days and hours, leave 请假, stand-ins 替班.

A shift belongs to the day on which it begins, also one that crosses midnight. Leave goes before every shift. An officer
without any shift row works in the working time of the unit. What is there is told in minutes of a day, so that reading
the roster for one instant, and laying it out for a year, is the same.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from canonical.ports import WorkingCalendar
from canonical.tables import TableRow
from canonical.time import SHANGHAI

DAY = 24 * 60
"""Minutes."""
_ONE = timedelta(days=1)

Span = tuple[int, int]
"""(start, end) in minutes since a day's midnight, the end not in it; past 24:00 it goes on into the next day."""


class Kind(StrEnum):
    """What a row of the roster says."""

    SHIFT = "shift"
    LEAVE = "leave"


class DayKind(StrEnum):
    """Days that the calendar of the officer's unit tells apart."""

    EVERY = "every"
    WORKING = "working"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Cycle:
    """The `turn`-th day of every `length` days, counted from the row's first: 四班三倒 and the like."""

    turn: int
    length: int


DayRule = DayKind | frozenset[int] | Cycle
"""Also days of the week, 0 for Monday."""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One row: when one officer is there, or is not."""

    id: str
    officer: str
    kind: Kind
    days: DayRule
    hours: tuple[Span, ...] | None
    """None: the service windows of the unit's calendar."""
    stand_in: str
    """With leave: who takes the officer's place; may be empty."""
    valid_from: date
    valid_to: date
    """Inclusive; `date.max` when open."""
    line: TableRow = field(repr=False, compare=False)

    def spans(self, day: date, calendar: WorkingCalendar) -> Sequence[Span]:
        """The row's spans that begin on a day."""
        if not (self.valid_from <= day <= self.valid_to and self._on(day, calendar)):
            return ()
        return calendar.windows_on(day) if self.hours is None else self.hours

    def _on(self, day: date, calendar: WorkingCalendar) -> bool:
        if self.days is DayKind.EVERY:
            return True
        if isinstance(self.days, Cycle):
            return (day - self.valid_from).days % self.days.length == self.days.turn - 1
        if isinstance(self.days, DayKind):
            return bool(calendar.windows_on(day)) == (self.days is DayKind.WORKING)
        return day.weekday() in self.days


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one officer and one kind: long ones, and those of single days by their day."""

    long: tuple[RosterRow, ...] = ()
    dated: Mapping[date, tuple[RosterRow, ...]] = field(default_factory=dict)

    def at(self, moment: datetime, calendar: WorkingCalendar) -> list[RosterRow]:
        """Rows that cover an instant in Shanghai, in the order of the table."""
        day, minute = moment.date(), moment.hour * 60 + moment.minute
        days = [(day, minute)] + [(day - _ONE, minute + DAY)] * (day > date.min)
        found = [
            row
            for begun, reached in days
            for row in (*self.long, *self.dated.get(begun, ()))
            if any(start <= reached < end for start, end in row.spans(begun, calendar))
        ]
        return sorted(dict.fromkeys(found), key=lambda row: row.line.line)


_NONE = _Rows()


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether an officer is there, by which rows, and who takes the place of one on leave."""

    there: bool
    due: bool
    """Would be there, but for leave."""
    why: str
    stand_ins: tuple[tuple[str, RosterRow], ...] = ()


@dataclass(frozen=True, slots=True)
class Roster:
    """Shifts and leave of all officers; immutable, made once."""

    rows: tuple[RosterRow, ...]
    file: str
    units: Mapping[str, str] = field(repr=False)
    """Officer to unit."""
    working_time: Callable[[str], WorkingCalendar] = field(repr=False)
    _shifts: Mapping[str, _Rows] = field(repr=False)
    _leave: Mapping[str, _Rows] = field(repr=False)
    _lately: dict[str, tuple[int, Presence]] = field(default_factory=dict, repr=False, compare=False)
    """By officer: the minute of which it was asked last, and the answer. Shifts and windows begin with a minute."""

    def calendar(self, officer: str) -> WorkingCalendar:
        """The working time of the officer's unit."""
        return self.working_time(self.units[officer])

    def has_shifts(self, officer: str) -> bool:
        """False: there in the working time of the unit."""
        return officer in self._shifts

    def shifts_of(self, officer: str) -> tuple[RosterRow, ...]:
        """All rows of shifts of an officer."""
        rows = self._shifts.get(officer, _NONE)
        return (*rows.long, *(row for ones in rows.dated.values() for row in ones))

    def rows_of(self, officer: str) -> tuple[RosterRow, ...]:
        """All rows of an officer, leave too."""
        away = self._leave.get(officer, _NONE)
        return (*self.shifts_of(officer), *away.long, *(row for ones in away.dated.values() for row in ones))

    def leave(self, officer: str, at: datetime) -> list[RosterRow]:
        """The rows of leave that cover an instant."""
        rows = self._leave.get(officer)
        return rows.at(at.astimezone(SHANGHAI), self.calendar(officer)) if rows else []

    def presence(self, officer: str, at: datetime) -> Presence:
        """Of one officer, at an instant (aware)."""
        minute, known = int(at.timestamp() // 60), self._lately.get(officer)
        if known is None or known[0] != minute:
            known = self._lately[officer] = minute, self._presence(officer, at)
        return known[1]

    def _presence(self, officer: str, at: datetime) -> Presence:
        calendar, local = self.calendar(officer), at.astimezone(SHANGHAI)
        if self.has_shifts(officer):
            shifts = self._shifts[officer].at(local, calendar)
            due, why = bool(shifts), _named(self.file, shifts)
            why = why or f"no shift in {self.file} at that time"
        else:
            due = calendar.is_working(at)
            why = f"{'working time' if due else 'outside the working time'} of {self.units[officer]}"
        away = self.leave(officer, at)
        if not away:
            return Presence(due, due, why)
        instead = tuple((row.stand_in, row) for row in away if row.stand_in)
        return Presence(False, due, f"on leave: {_named(self.file, away)}", instead)

    def spans(self, officer: str, day: date) -> tuple[list[Span], list[Span]]:
        """(shifts, leave) that begin on a day, as minutes."""
        calendar = self.calendar(officer)
        shifts, leave = (
            [span for row in _of_day(rows.get(officer, _NONE), day) for span in row.spans(day, calendar)]
            for rows in (self._shifts, self._leave)
        )
        return (shifts if self.has_shifts(officer) else list(calendar.windows_on(day))), leave


def _of_day(rows: _Rows, day: date) -> Iterable[RosterRow]:
    return (*rows.long, *rows.dated.get(day, ()))


def _named(file: str, rows: Sequence[RosterRow]) -> str:
    return f"{file} {', '.join(row.id for row in rows)}" if rows else ""


def roster_of(
    rows: Sequence[RosterRow], units: Mapping[str, str], working_time: Callable[[str], WorkingCalendar], file: str
) -> Roster:
    """The roster of these rows. `units`: officer to unit; every officer a row names is in it."""
    shifts, leave = (_by_officer([row for row in rows if row.kind is kind]) for kind in (Kind.SHIFT, Kind.LEAVE))
    return Roster(tuple(rows), file, units, working_time, shifts, leave)


def _by_officer(rows: Sequence[RosterRow]) -> dict[str, _Rows]:
    long: dict[str, list[RosterRow]] = defaultdict(list)
    dated: dict[str, dict[date, list[RosterRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        single = row.valid_from == row.valid_to
        (dated[row.officer][row.valid_from] if single else long[row.officer]).append(row)
    return {
        officer: _Rows(tuple(long.get(officer, ())), {day: tuple(ones) for day, ones in dated[officer].items()})
        for officer in dict.fromkeys(row.officer for row in rows)
    }
