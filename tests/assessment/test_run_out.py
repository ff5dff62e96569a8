"""Deadlines with several budgets and pauses, against a checker that counts minute by minute and knows no sums."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise
from random import Random

import pytest

from assessment.calendar import Calendar, calendar_of
from assessment.days import DayType
from assessment.timetable import read_timetables
from canonical.findings import Finding
from canonical.time import SHANGHAI, Limit, LimitUnit, Pause
from tests.assessment.test_calendar import DAYS_2026

BEGIN = datetime(2025, 12, 1, tzinfo=SHANGHAI)
MINUTES = 800 * 24 * 60
_MINUTE = timedelta(minutes=1)
SEASONS = [
    {"from": "05-01", "windows": ["08:00-12:00", "15:00-18:30"]},
    {"from": "10-01", "windows": ["08:30-12:00", "14:00-17:30"]},
]
TWO = ["08:00-12:00", "14:00-18:00"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def limit(text: str) -> Limit:
    value, unit = text.split()
    return Limit(value=int(value), unit=LimitUnit(unit))


def calendar(windows: Sequence[object] = TWO, **more: str) -> Calendar:
    days = {
        date.fromisoformat(f"2026-{day}"): DayType(kind) for kind, given in DAYS_2026.items() for day in given.split()
    }
    findings: list[Finding] = []
    timetables = read_timetables(windows, "calendar.windows", findings)  # type: ignore[arg-type]
    assert findings == []
    return calendar_of(days, published_years=frozenset({2026}), timetables=timetables, **more)  # type: ignore[arg-type]


PAUSED = [
    # start, limits, pauses, due
    ("2026-11-23 09:00", ["4 work_hour"], [], "2026-11-23 15:00"),
    ("2026-11-23 09:00", ["4 work_hour"], [("2026-11-23 10:00", "2026-11-24 10:00")], "2026-11-24 15:00"),
    ("2026-11-23 09:00", ["4 work_hour"], [("2026-11-23 20:00", "2026-11-24 10:00")], "2026-11-23 15:00"),
    ("2026-11-23 09:00", ["2 urgent_work_hour"], [("2026-11-23 10:00", "2026-11-25 10:00")], "2026-11-25 11:00"),
    ("2026-11-23 09:00", ["4 work_hour", "2 urgent_work_hour"], [], "2026-11-23 17:00"),
    ("2026-11-23 09:00", ["1 work_day", "1 work_day"], [], "2026-11-25 09:00"),
    ("2026-11-23 09:00", ["4 work_hour", "1 urgent_work_hour"],
     [("2026-11-23 11:00", "2026-11-23 14:00"), ("2026-11-23 16:30", "2026-11-23 17:30")], "2026-11-23 18:00"),
    ("2026-11-23 09:00", ["4 work_hour"], [("2026-11-23 10:00", None)], None),
    ("2026-11-23 09:00", ["4 work_hour"], [("2026-11-23 15:00", None)], "2026-11-23 15:00"),
    ("2026-11-23 09:00", ["4 work_hour"], [("2026-11-22 09:00", "2026-11-23 10:00")], "2026-11-23 16:00"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "limits", "pauses", "due"), PAUSED)
def test_budgets_run_one_after_the_other_and_stand_still_in_pauses(
    start: str, limits: list[str], pauses: list[tuple[str, str | None]], due: str | None
) -> None:
    spans = [Pause(since=at(since), until=at(until) if until else None) for since, until in pauses]

    found = calendar().run_out(at(start), [limit(one) for one in limits], spans)

    assert (found.at if found else None) == (at(due) if due else None)


DAYS = [
    # To the end of the n-th working day: each working day that began while it was paused is given back.
    ("2026-11-23 09:00", 3, [], "2026-11-26 18:00"),
    ("2026-11-23 09:00", 3, [("2026-11-24 10:00", "2026-11-24 11:00")], "2026-11-26 18:00"),
    ("2026-11-23 09:00", 3, [("2026-11-24 10:00", "2026-11-25 10:00")], "2026-11-27 18:00"),
    ("2026-11-23 09:00", 3, [("2026-11-26 10:00", "2026-11-27 10:00")], "2026-11-27 18:00"),
    ("2026-11-23 09:00", 3, [("2026-11-26 10:00", "2026-11-28 10:00")], "2026-11-30 18:00"),
    ("2026-11-21 09:00", 1, [], "2026-11-23 18:00"),
]


@pytest.mark.parametrize(("start", "days", "pauses", "due"), DAYS)
def test_ends_of_working_days_move_by_whole_days(
    start: str, days: int, pauses: list[tuple[str, str]], due: str
) -> None:
    spans = [Pause(since=at(since), until=at(until)) for since, until in pauses]

    found = calendar(work_day="end_of_day").run_out(at(start), [limit(f"{days} work_day")], spans)

    assert found is not None
    assert found.at == at(due)


def test_a_day_has_the_hours_of_its_season() -> None:
    seasons = calendar(SEASONS)

    assert seasons.due(at("2026-04-30 09:00"), limit("1 work_day")).at == at("2026-05-06 08:30")
    assert seasons.due(at("2026-05-07 17:30"), limit("2 work_hour")).at == at("2026-05-08 09:00")
    assert seasons.due(at("2026-09-30 17:30"), limit("2 work_hour")).at == at("2026-10-08 09:30")
    assert seasons.is_working(at("2026-07-15 18:15"))
    assert not seasons.is_working(at("2026-12-15 18:15"))


def test_a_changed_timetable_holds_from_its_day_on_and_a_season_after_it() -> None:
    changed = calendar([*TWO, {"from": "2026-03-02", "windows": ["09:00-17:00"]}, *SEASONS])

    working = [changed.is_working(at(f"{day} 13:00")) for day in ("2026-02-27", "2026-03-02", "2026-05-06")]
    assert working == [False, True, False]


def test_who_is_on_duty_every_day_needs_no_notice() -> None:
    always = read_timetables(["00:00-24:00"], "calendars.duty.windows", [])
    duty = calendar_of({}, published_years=frozenset(), timetables=always, week="every")

    due = duty.due(at("2027-02-05 23:00"), limit("10 work_hour"))
    assert (due.at, due.provisional) == (at("2027-02-06 09:00"), False)
    assert duty.due(at("2026-10-01 09:00"), limit("1 work_day")).at == at("2026-10-02 09:00")


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, "2026-11-23 10:30"), (0.5, "2026-11-24 11:00"), (1.0, "2026-11-24 16:00")]
)
def test_half_of_a_limit_is_half_of_what_runs(share: float, expected: str) -> None:
    pauses = [Pause(since=at("2026-11-23 11:00"), until=at("2026-11-24 10:00"))]

    half = calendar().share(at("2026-11-23 09:00"), [limit("6 work_hour")], pauses, share)

    assert half == at(expected)


# --- the checker ---


class Minutes:
    """Every minute of two years by itself: is it worked in? Nothing is skipped and nothing laid out."""

    def __init__(self, seasons: bool) -> None:
        self.seasons = seasons
        worked = [self.works(BEGIN + number * _MINUTE) for number in range(MINUTES)]
        self.counted = {False: list(range(MINUTES + 1)), True: list(accumulate(worked, initial=0))}

    def works(self, moment: datetime) -> bool:
        day, clock = moment.strftime("%m-%d"), moment.strftime("%H:%M")
        if day in DAYS_2026["off"] and moment.year == 2026:
            return False
        if moment.weekday() >= 5 and not (day in DAYS_2026["work"] and moment.year == 2026):
            return False
        if not self.seasons:
            return "08:00" <= clock < "12:00" or "14:00" <= clock < "18:00"
        if "05-01" <= day < "10-01":
            return "08:00" <= clock < "12:00" or "15:00" <= clock < "18:30"
        return "08:30" <= clock < "12:00" or "14:00" <= clock < "17:30"

    def due(self, start: int, budgets: list[tuple[bool, int]], pauses: list[tuple[int, int]]) -> int:
        """The first minute at whose beginning everything is used up."""
        for by_calendar, amount in budgets:
            counted = self.counted[by_calendar]

            def used(end: int, start: int = start, counted: list[int] = counted) -> int:
                out = sum(counted[min(b, end)] - counted[max(a, start)] for a, b in pauses if a < end and b > start)
                return counted[end] - counted[start] - out

            start = bisect_left(range(MINUTES), amount, key=used)
        return start


def intervals(dice: Random, number: int) -> Iterator[tuple[int, list[tuple[bool, int]], list[tuple[int, int]]]]:
    for _ in range(number):
        start = dice.randrange(380 * 24 * 60)
        budgets = [
            (dice.random() < 0.7, 60 * dice.randint(1, dice.choice((4, 16, 80))))
            for _ in range(dice.choice((1, 1, 1, 2)))
        ]
        marks = sorted({start + dice.randrange(8 * 24 * 60) for _ in range(2 * dice.choice((0, 0, 1, 2)))})
        yield start, budgets, list(pairwise(marks))[::2] if len(marks) % 2 == 0 else []


@pytest.mark.parametrize("seasons", [False, True])
def test_fifty_thousand_random_intervals_agree_with_counting_minutes(seasons: bool) -> None:
    checker, ours = Minutes(seasons), calendar(SEASONS if seasons else TWO)
    units = {True: LimitUnit.WORK_HOUR, False: LimitUnit.URGENT_WORK_HOUR}
    instant = [BEGIN + number * _MINUTE for number in range(MINUTES)]
    paused = 0
    for start, budgets, pauses in intervals(Random(7 + seasons), 50_000):
        limits = [Limit(value=amount // 60, unit=units[by_calendar]) for by_calendar, amount in budgets]
        spans = [Pause(since=instant[since], until=instant[until]) for since, until in pauses]

        found = ours.run_out(instant[start], limits, spans)

        paused += bool(spans)
        assert found is not None
        assert found.at == instant[checker.due(start, budgets, pauses)], (instant[start], limits, spans)
    assert paused > 10_000
