"""The period 统计周期 of a report or an assessment: a day, week, month, quarter or year of Asia/Shanghai."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from canonical.errors import Unacceptable
from canonical.time import SHANGHAI, in_shanghai

WRITTEN = "2026-10-12 (day 日), 2026-W42 (week 周), 2026-10 (month 月), 2026-Q3 (quarter 季) or 2026 (year 年)"
_YEARS = range(1949, 9999)


class NoPeriod(Unacceptable, ValueError):
    """What was written is no period, or none yet."""


class Span(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


SPAN_TITLES = {Span.DAY: "日", Span.WEEK: "周", Span.MONTH: "月", Span.QUARTER: "季度", Span.YEAR: "年"}


@dataclass(frozen=True, slots=True)
class Period:
    """One period, as whole days."""

    span: Span
    begins: date
    ends: date
    """The day after the last one."""

    @property
    def first(self) -> datetime:
        """When it begins."""
        return datetime.combine(self.begins, time(), SHANGHAI)

    @property
    def last(self) -> datetime:
        """When it ends; that instant is not in it."""
        return datetime.combine(self.ends, time(), SHANGHAI)

    @property
    def ends_a_month(self) -> bool:
        """True when it ends with a month: any month, quarter or year."""
        return self.ends.day == 1

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.ends - self.begins).days

    @property
    def name(self) -> str:
        """As it is written: `2026-W42`."""
        return str(self)

    def before(self) -> "Period":
        """The period of the same kind that ends where this one begins."""
        return _HOLDING[self.span](self.begins - timedelta(days=1))

    def __str__(self) -> str:
        year, week, _ = self.begins.isocalendar()
        return {
            Span.DAY: self.begins.isoformat(),
            Span.WEEK: f"{year}-W{week:02}",
            Span.MONTH: f"{self.begins:%Y-%m}",
            Span.QUARTER: f"{self.begins.year}-Q{_quarter(self.begins)}",
            Span.YEAR: str(self.begins.year),
        }[self.span]

    @property
    def title(self) -> str:
        """As it stands in a heading: `2026年第42周（10月12日至10月18日）`."""
        day, end = self.begins, self.ends - timedelta(days=1)
        year, week, _ = day.isocalendar()
        return {
            Span.DAY: f"{day.year}年{day.month}月{day.day}日",
            Span.WEEK: f"{year}年第{week}周（{day.month}月{day.day}日至{end.month}月{end.day}日）",
            Span.MONTH: f"{day.year}年{day.month}月",
            Span.QUARTER: f"{day.year}年第{_quarter(day)}季度",
            Span.YEAR: f"{day.year}年",
        }[self.span]


def period_of(text: str) -> Period:
    """The period that is written so. Raises NoPeriod with what was expected."""
    written = text.strip()
    try:
        year = next((int(match[1]) for match in [re.match(r"([0-9]{4})(?![0-9])", written)] if match), 0)
        if year not in _YEARS:
            raise ValueError(f"is no period of the years {_YEARS.start} to {_YEARS.stop - 1}")
        return _read(written, year)
    except ValueError as error:
        problem = f"period '{written[:40]}' {error}. 统计周期写作 write {WRITTEN}"
        raise NoPeriod(problem, at="period") from None


def begun(period: Period, now: datetime) -> Period:
    """The period itself. Raises NoPeriod when it lies in the future: there is nothing to tell of it yet."""
    if period.first > in_shanghai(now):
        today = in_shanghai(now).date()
        text = f"period {period} has not begun: today is {today}. 统计周期尚未开始，请选择 {today} 或以前的周期"
        raise NoPeriod(text, at="period")
    return period


def day_of(day: date) -> Period:
    """This day."""
    return Period(Span.DAY, day, day + timedelta(days=1))


def week_of(day: date) -> Period:
    """The week, from Monday, that holds this day."""
    monday = day - timedelta(days=day.weekday())
    return Period(Span.WEEK, monday, monday + timedelta(days=7))


def containing(span: Span, day: date) -> Period:
    """The period of this kind that holds the day."""
    return _HOLDING[span](day)


def _month(day: date) -> Period:
    begins = day.replace(day=1)
    return Period(Span.MONTH, begins, _month_on(begins, 1))


def _quarter_of(day: date) -> Period:
    begins = date(day.year, 3 * _quarter(day) - 2, 1)
    return Period(Span.QUARTER, begins, _month_on(begins, 3))


def _year(day: date) -> Period:
    return Period(Span.YEAR, date(day.year, 1, 1), date(day.year + 1, 1, 1))


_HOLDING: Mapping[Span, Callable[[date], Period]] = {
    Span.DAY: day_of,
    Span.WEEK: week_of,
    Span.MONTH: _month,
    Span.QUARTER: _quarter_of,
    Span.YEAR: _year,
}


def _quarter(day: date) -> int:
    return (day.month + 2) // 3


def _month_on(begins: date, months: int) -> date:
    years, month = divmod(begins.month - 1 + months, 12)
    return date(begins.year + years, month + 1, 1)


def _read(written: str, year: int) -> Period:
    for pattern, reader in _FORMS:
        found = re.fullmatch(pattern, written, re.ASCII)
        if found:
            return reader(year, *(int(one) for one in found.groups()))
    raise ValueError("is not a period")


def _days(year: int, month: int, day: int) -> Period:
    _within("month 月", month, 12)
    try:
        return day_of(date(year, month, day))
    except ValueError:
        last = (_month_on(date(year, month, 1), 1) - timedelta(days=1)).day
        raise ValueError(f"has no such day: {year}-{month:02} has {last} days") from None


def _weeks(year: int, week: int) -> Period:
    last = date(year, 12, 28).isocalendar().week
    _within(f"week 周 of {year}", week, last)
    return week_of(date.fromisocalendar(year, week, 1))


def _months(year: int, month: int) -> Period:
    _within("month 月", month, 12)
    return _month(date(year, month, 1))


def _quarters(year: int, quarter: int) -> Period:
    _within("quarter 季度", quarter, 4)
    return _quarter_of(date(year, 3 * quarter, 1))


def _years(year: int) -> Period:
    return _year(date(year, 1, 1))


def _within(what: str, number: int, last: int) -> None:
    if not 1 <= number <= last:
        raise ValueError(f"has the {what} {number}, which there is not: 1 to {last}")


_FORMS: tuple[tuple[str, Callable[..., Period]], ...] = (
    (r"\d{4}-(\d{2})-(\d{2})", _days),
    (r"\d{4}-[Ww](\d{1,2})", _weeks),
    (r"\d{4}-(\d{2})", _months),
    (r"\d{4}-[Qq](\d)", _quarters),
    (r"\d{4}", _years),
)
