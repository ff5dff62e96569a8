"""Calendars as cities write them: `holidays.csv` of the State Council's notices, local days, service windows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from assessment.calendar import Calendar, WorkDay, calendar_of
from assessment.days import DayType, Week
from assessment.timetable import Dated, read_timetables
from canonical.findings import Finding, Severity
from canonical.tables import TableRow, read_table

COLUMNS = ("date", "day_type", "name", "notice")
LOCAL_COLUMNS = ("date", "day_type", "name", "source")
"""Days of this city or unit alone, each with the order that makes it so."""

_LONGEST = 60
"""Days of one row at most: a longer span is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Published:
    """Days off and make-up days, and the years whose notice is known."""

    days: Mapping[date, DayType]
    years: frozenset[int]


def load_calendar(
    path: Path, windows: Sequence[str | Dated], findings: list[Finding], *, work_day: WorkDay = "hours",
    local: Path | None = None,
) -> Calendar:  # fmt: skip
    """The calendar of `holidays.csv` (date, day_type, name, notice) and the city's service windows (`08:00-12:00`).

    `date` is a day, or a span of days with both ends in it (2026-10-01/2026-10-07). A year is published when a row of
    it names the notice it rests on; a row without one is a local day: it counts, but its year stays provisional.
    `local`: a table of local days that go before the notices'. What is wrong goes to `findings`; without a usable
    window the default windows stand in.
    """
    published = read_days(path, findings)
    return timed(published, windows, findings, work_day=work_day, local=local)


def timed(
    published: Published, windows: Sequence[str | Dated], findings: list[Finding], *, work_day: WorkDay = "hours",
    local: Path | None = None, week: Week = "working", key: str = "calendar",
) -> Calendar:  # fmt: skip
    """A calendar on days that were read already. `key`: where it stands in city.yaml."""
    timetables = read_timetables(windows, f"{key}.windows", findings)
    own = _read_local(local, published, findings) if local else {}
    if week == "every":
        days: Mapping[date, DayType] = own
    else:
        days = {**published.days, **own}
    return calendar_of(
        days, published_years=published.years, timetables=timetables, work_day=work_day, week=week
    )  # fmt: skip


def read_days(path: Path, findings: list[Finding]) -> Published:
    """The days of the notices. A day that two rows speak of is told, and the first one counts."""
    days: dict[date, DayType] = {}
    published: set[int] = set()
    unpublished: dict[int, TableRow] = {}
    for row, day, day_type in _days(read_table(path, COLUMNS, findings), findings):
        days[day] = day_type
        if row["notice"]:
            published.add(day.year)
        else:
            unpublished.setdefault(day.year, row)
    for year in unpublished.keys() - published:
        row = unpublished[year]
        text = f"no row of {year} names a notice: deadlines that reach {year} stay provisional"
        findings.append(Finding(row.file, row.line, "notice", text, Severity.WARNING))
    if published:
        for year in set(range(min(published), max(published))) - published - unpublished.keys():
            text = f"{year} is missing between published years: deadlines that reach it stay provisional"
            findings.append(Finding(path.name, 0, "date", text, Severity.WARNING))
    return Published(days, frozenset(published))


def _read_local(path: Path, published: Published, findings: list[Finding]) -> dict[date, DayType]:
    own: dict[date, DayType] = {}
    for row, day, day_type in _days(read_table(path, LOCAL_COLUMNS, findings), findings):
        if not row["source"]:
            findings.append(row.finding("source", f"{day}: which order makes this a local day?"))
        if published.days.get(day) is day_type:
            text = f"{day} is {day_type} by the notice already"
            findings.append(Finding(row.file, row.line, "date", text, Severity.WARNING))
        own[day] = day_type
    return own


def _days(rows: Iterable[TableRow], findings: list[Finding]) -> Iterator[tuple[TableRow, date, DayType]]:
    lines: dict[date, int] = {}
    for row in rows:
        span, day_type = _span(row, findings), _day_type(row, findings)
        if span is None or day_type is None:
            continue
        twice = [day for day in span if day in lines]
        if twice:
            findings.append(row.finding("date", f"{twice[0]} stands in line {lines[twice[0]]} already"))
        for day in span:
            if day not in lines:
                lines[day] = row.line
                yield row, day, day_type


def _span(row: TableRow, findings: list[Finding]) -> list[date] | None:
    first, _, last = row["date"].partition("/")
    try:
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last) if last else begin
    except ValueError:
        findings.append(row.finding("date", f"'{row['date']}' is not a date: write 2026-10-01"))
        return None
    length = (end - begin).days
    if not 0 <= length < _LONGEST:
        text = "ends before it begins" if length < 0 else f"is longer than {_LONGEST} days"
        findings.append(row.finding("date", f"'{row['date']}' {text}"))
        return None
    return [begin + timedelta(days=number) for number in range(length + 1)]


def _day_type(row: TableRow, findings: list[Finding]) -> DayType | None:
    try:
        return DayType(row["day_type"])
    except ValueError:
        findings.append(row.finding("day_type", f"'{row['day_type']}' is neither off nor work"))
        return None
