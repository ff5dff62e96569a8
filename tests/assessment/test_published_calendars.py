"""Our table of national days beside two calendars that others keep: day by day, for every year that is published.

`holidays` (MIT) and `chinesecalendar` (MIT) are kept by hand, as ours is. Where one differs, the notice of the State
Council decides: the day goes into `DIFFERS` with the notice's words, or into our table.
"""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import holidays
import pytest

from assessment.calendar import Calendar
from assessment.calendar_file import load_calendar
from canonical.findings import Finding

HOLIDAYS = Path(__file__).parents[2] / "config" / "calendar" / "holidays.csv"
IN_FORCE = range(2020, 2027)
OTHERS: dict[str, Callable[[date], bool]] = {
    "chinesecalendar": chinese_calendar.is_workday,
    "holidays": holidays.country_holidays("CN", years=IN_FORCE).is_working_day,
}
DIFFERS: dict[tuple[str, date], str] = {}
"""(whose calendar, day): what the notice says of it, and where it stands. `chinesecalendar` 1.11.0 and `holidays` 0.109
have none, the Spring Festival of 2020, which a second notice made longer (2020-01/27/content_5472352), included."""


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    """The national calendar of the example city."""
    findings: list[Finding] = []
    calendar = load_calendar(HOLIDAYS, ["08:00-12:00", "14:00-18:00"], findings)
    assert findings == []
    return calendar


def days(year: int) -> list[date]:
    """All days of a year."""
    first = date(year, 1, 1)
    return [first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days)]


def test_no_published_year_goes_unchecked(calendar: Calendar) -> None:
    assert calendar.published_years == frozenset(IN_FORCE)


@pytest.mark.parametrize("year", IN_FORCE)
@pytest.mark.parametrize("whose", OTHERS)
def test_each_day_is_a_working_day_in_both_or_the_notice_has_been_read(
    calendar: Calendar, whose: str, year: int
) -> None:
    differing = {day for day in days(year) if bool(calendar.windows_on(day)) is not OTHERS[whose](day)}

    assert differing == {day for name, day in DIFFERS if name == whose and day.year == year}
