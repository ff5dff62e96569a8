"""Working time against the field vectors, the published calendar, and a minute-by-minute checker."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessment.calendar import Calendar
from assessment.calendar_file import load_calendar
from assessment.days import DayType
from canonical.findings import Finding, Severity
from canonical.ports import WorkingCalendar
from canonical.time import SHANGHAI, Limit, LimitUnit

HEADER = "date,day_type,name,notice\n"
WINDOWS = ["08:00-12:00", "14:00-18:00"]
DAYS_2026 = {
    "off": """01-01 01-02 01-03 02-15 02-16 02-17 02-18 02-19 02-20 02-21 02-22 02-23 04-04 04-05 04-06 05-01 05-02
        05-03 05-04 05-05 06-19 06-20 06-21 09-25 09-26 09-27 10-01 10-02 10-03 10-04 10-05 10-06 10-07""",
    "work": "01-04 02-14 02-28 05-09 09-20 10-10",
}
PUBLISHED = Path(__file__).parents[2].parent / "shared" / "reference" / "cn-holidays-2020-2026.csv"


def table(folder: Path, rows: str) -> Path:
    path = folder / "holidays.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def rows_2026() -> str:
    return "".join(
        f"2026-{day},{day_type},节日,notice of 2025-11\n"
        for day_type, days in DAYS_2026.items()
        for day in days.split()
    )


def loaded(path: Path, windows: list[str] = WINDOWS) -> Calendar:
    findings: list[Finding] = []
    calendar = load_calendar(path, windows, findings)
    assert findings == []
    return calendar


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    return loaded(table(tmp_path_factory.mktemp("calendar"), rows_2026()))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def hours(value: int) -> Limit:
    return Limit(value=value, unit=LimitUnit.WORK_HOUR)


VECTORS = [
    ("2026-09-18 17:30", 4, "work_hour", "2026-09-20 11:30"),
    ("2026-09-30 10:00", 40, "work_hour", "2026-10-13 10:00"),
    ("2026-09-30 10:00", 5, "work_day", "2026-10-13 10:00"),
    ("2026-02-13 16:00", 8, "work_hour", "2026-02-14 16:00"),
    ("2026-02-13 17:59", 16, "work_hour", "2026-02-24 17:59"),
    ("2026-09-19 09:00", 2, "work_hour", "2026-09-20 10:00"),
    ("2026-10-10 12:30", 4, "work_hour", "2026-10-10 18:00"),
    ("2026-10-03 23:10", 2, "urgent_work_hour", "2026-10-04 01:10"),
    ("2026-10-03 23:10", 2, "urgent_work_day", "2026-10-05 23:10"),
    ("2026-10-03 23:10", 90, "minute", "2026-10-04 00:40"),
    ("2026-10-03 23:10", 3, "calendar_day", "2026-10-06 23:10"),
    ("2026-11-23 08:00", 4, "work_hour", "2026-11-23 12:00"),
    ("2026-11-23 12:00", 4, "work_hour", "2026-11-23 18:00"),
    ("2026-11-23 18:00", 1, "work_hour", "2026-11-24 09:00"),
    ("2026-11-22 03:00", 0, "work_day", "2026-11-22 03:00"),
]


@pytest.mark.parametrize(("start", "value", "unit", "expected"), VECTORS)
def test_a_field_vector_runs_out_when_the_trade_says(
    calendar: Calendar, start: str, value: int, unit: str, expected: str
) -> None:
    due = calendar.due(at(start), Limit(value=value, unit=LimitUnit(unit)))

    assert (due.at, due.provisional) == (at(expected), False)


def test_a_count_into_an_unpublished_year_is_provisional(calendar: Calendar) -> None:
    due = calendar.due(at("2026-12-31 17:00"), hours(8))

    assert due.provisional
    assert due.at == at("2027-01-01 17:00")  # the weekday rule's answer, shown as provisional


def test_a_count_that_ends_with_the_published_year_is_firm(calendar: Calendar) -> None:
    due = calendar.due(at("2026-12-31 17:00"), hours(1))

    assert (due.at, due.provisional) == (at("2026-12-31 18:00"), False)


@pytest.mark.parametrize("unit", ["minute", "urgent_work_hour", "urgent_work_day", "calendar_day"])
def test_the_wall_clock_needs_no_calendar(calendar: Calendar, unit: str) -> None:
    due = calendar.due(at("2031-05-05 05:05"), Limit(value=7, unit=LimitUnit(unit)))

    assert not due.provisional


def test_a_year_missing_between_published_ones_is_provisional(tmp_path: Path) -> None:
    path = table(tmp_path, "2026-10-01,off,国庆节,n1\n2028-10-01,off,国庆节,n2\n")
    calendar = load_calendar(path, WINDOWS, [])

    assert calendar.edition.startswith("2026,2028/")
    assert calendar.due(at("2026-12-31 17:00"), Limit(value=300, unit=LimitUnit.WORK_DAY)).provisional
    assert not calendar.due(at("2028-03-01 09:00"), hours(8)).provisional


def test_years_that_are_missing_between_published_ones_are_told(tmp_path: Path) -> None:
    rows = "2020-10-01,off,国庆节,x\n2021-10-01,off,国庆节,\n2024-10-01,off,国庆节,x\n"
    findings: list[Finding] = []
    path = tmp_path / "holidays.csv"
    path.write_text("date,day_type,name,notice\n" + rows, encoding="utf-8")

    load_calendar(path, ["08:00-12:00"], findings)

    assert sorted(one.text[:4] for one in findings if "is missing between" in one.text) == ["2022", "2023"]
    assert {one.severity for one in findings} == {Severity.WARNING}  # 2021 is told by its row


def test_a_local_day_without_a_notice_counts_and_publishes_nothing(tmp_path: Path) -> None:
    findings: list[Finding] = []
    calendar = load_calendar(table(tmp_path, rows_2026() + "2027-01-01,off,元旦,\n"), WINDOWS, findings)

    [finding] = findings
    assert (finding.severity, finding.line) == (Severity.WARNING, 41)
    due = calendar.due(at("2026-12-31 17:00"), hours(8))
    assert due.provisional
    assert due.at == at("2027-01-04 17:00")


def test_end_of_day_counts_whole_days_from_the_next_one(tmp_path: Path) -> None:
    findings: list[Finding] = []
    calendar = load_calendar(
        table(tmp_path, rows_2026()), ["08:30-12:00", "14:00-17:30"], findings, work_day="end_of_day"
    )

    def due(start: str, days: int) -> datetime:
        return calendar.due(at(start), Limit(value=days, unit=LimitUnit.WORK_DAY)).at

    assert due("2026-11-23 10:00", 1) == at("2026-11-24 17:30")
    assert due("2026-11-21 10:00", 1) == at("2026-11-23 17:30")
    assert due("2026-09-30 23:00", 3) == at("2026-10-10 17:30")
    assert calendar.due(at("2026-11-23 10:00"), hours(1)).at == at("2026-11-23 11:00")


def test_the_service_day_is_the_length_of_its_windows(tmp_path: Path) -> None:
    summer = loaded(table(tmp_path, rows_2026()), ["14:30-18:00", "08:00-12:00"])

    assert summer.service_day == timedelta(hours=7, minutes=30)
    assert summer.due(at("2026-11-23 09:00"), Limit(value=1, unit=LimitUnit.WORK_DAY)).at == at("2026-11-24 09:00")


def test_an_instant_of_another_zone_is_the_same_instant(calendar: Calendar) -> None:
    start = at("2026-09-18 17:30").astimezone(UTC)

    due = calendar.due(start, hours(4)).at

    assert due == at("2026-09-20 11:30")
    assert due.utcoffset() == timedelta(hours=8)


def test_seconds_are_kept(calendar: Calendar) -> None:
    start = datetime(2026, 11, 23, 17, 59, 59, 999_999, tzinfo=SHANGHAI)

    assert calendar.due(start, hours(1)).at == datetime(2026, 11, 24, 8, 59, 59, 999_999, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("moment", "working"),
    [
        ("2026-11-23 08:00", True),
        ("2026-11-23 12:00", False),
        ("2026-11-23 07:59", False),
        ("2026-11-23 17:59", True),
        ("2026-11-23 18:00", False),
        ("2026-11-22 10:00", False),
        ("2026-10-10 10:00", True),
        ("2026-10-05 10:00", False),
    ],
)
def test_a_moment_is_working_inside_a_window_of_a_working_day(calendar: Calendar, moment: str, working: bool) -> None:
    assert calendar.is_working(at(moment)) is working


def test_the_calendar_is_the_port_the_hub_asks(calendar: Calendar) -> None:
    port: WorkingCalendar = calendar

    assert port.edition.startswith("2026/")


def test_another_timetable_is_another_edition(calendar: Calendar, tmp_path: Path) -> None:
    other = loaded(table(tmp_path, rows_2026()), ["09:00-12:00", "14:00-18:00"])

    assert other.edition != calendar.edition
    assert loaded(table(tmp_path, rows_2026())).edition == calendar.edition


# --- an independent checker: walks minute by minute and knows nothing of sums ---


OFF, MAKE_UP = (
    frozenset(date.fromisoformat(f"2026-{day}") for day in DAYS_2026[key].split()) for key in ("off", "work")
)


def works(moment: datetime) -> bool:
    if moment.hour not in {8, 9, 10, 11, 14, 15, 16, 17}:
        return False
    day = moment.date()
    return day in MAKE_UP or (day.weekday() < 5 and day not in OFF)


def walked(start: datetime, minutes: int) -> datetime:
    moment = start
    while minutes:
        minutes -= works(moment)
        moment += timedelta(minutes=1)
    return moment


minutes_of_2026 = st.integers(0, 366 * 24 * 60).map(lambda n: at("2025-12-31 00:00") + timedelta(minutes=n))
near_holidays = st.builds(
    lambda day, minute: at(day) + timedelta(minutes=minute),
    st.sampled_from(["2026-02-13", "2026-02-24", "2026-09-18", "2026-09-30", "2026-10-10", "2025-12-31", "2026-12-31"]),
    st.integers(0, 2 * 24 * 60),
)


@settings(max_examples=2000, deadline=None)
@given(start=st.one_of(minutes_of_2026, near_holidays), value=st.integers(1, 20))
def test_every_working_hour_agrees_with_walking_minute_by_minute(
    calendar: Calendar, start: datetime, value: int
) -> None:
    assert calendar.due(start, hours(value)).at == walked(start, value * 60)


@settings(max_examples=1000, deadline=None)
@given(start=minutes_of_2026, span=st.integers(0, 7 * 24 * 60))
def test_worked_time_agrees_with_counting_minutes(calendar: Calendar, start: datetime, span: int) -> None:
    counted = sum(works(start + timedelta(minutes=n)) for n in range(span))

    assert calendar.worked(start, start + timedelta(minutes=span)) == timedelta(minutes=counted)
    assert calendar.worked(start + timedelta(minutes=span), start) == -timedelta(minutes=counted)


@settings(max_examples=1000, deadline=None)
@given(
    start=st.datetimes(datetime(1995, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(tzinfo=SHANGHAI)),  # noqa: DTZ001
    value=st.integers(1, 3000),
)
def test_the_time_worked_until_the_due_time_is_the_limit(calendar: Calendar, start: datetime, value: int) -> None:
    due = calendar.due(start, hours(value)).at

    assert calendar.worked(start, due) == timedelta(hours=value)
    assert calendar.is_working(due - timedelta(microseconds=1))


# --- loading ---


def test_every_wrong_cell_is_found_at_once_with_its_line(tmp_path: Path) -> None:
    findings: list[Finding] = []
    rows = "2026-13-01,off,x,n\n2026-10-01,closed,x,n\n2026-10-02,off,x,n\n2026-10-02,work,x,n\n"

    calendar = load_calendar(table(tmp_path, rows), ["08:00-12:00", "11:00-13:00", "8-12", "18:00-17:00"], findings)

    assert [(f.line, f.key) for f in findings] == [
        (2, "date"),
        (3, "day_type"),
        (5, "date"),
        (0, "calendar.windows"),
        (0, "calendar.windows"),
        (0, "calendar.windows"),
    ]
    assert calendar.service_day == timedelta(hours=8)


def test_a_missing_calendar_makes_every_working_deadline_provisional(tmp_path: Path) -> None:
    findings: list[Finding] = []

    calendar = load_calendar(tmp_path / "none.csv", WINDOWS, findings)

    assert len(findings) == 1
    assert calendar.edition.startswith("unpublished/")
    assert calendar.due(at("2026-11-23 09:00"), hours(1)).provisional


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the reference calendar is not beside this checkout")
def test_every_published_day_is_read_as_the_notice_says(tmp_path: Path) -> None:
    published = {row["date"]: row for row in csv.DictReader(PUBLISHED.read_text(encoding="utf-8").splitlines())}
    rows = "".join(f"{day},{row['day_type']},{row['name']},notice\n" for day, row in published.items())
    calendar = loaded(table(tmp_path, rows))

    assert calendar.edition.startswith("2020-2026/")
    day = date(2020, 1, 1)
    while day < date(2027, 1, 1):
        row = published.get(day.isoformat())
        expected = row["day_type"] == DayType.WORK if row else day.weekday() < 5
        assert calendar.is_working(at(f"{day} 09:00")) is expected, day
        day += timedelta(days=1)
