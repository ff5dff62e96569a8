"""Periods as people write them, and what they are told when there is no such period."""

from datetime import datetime

import pytest

from assessment.period import Period, begun, period_of
from canonical.errors import Unacceptable
from canonical.time import SHANGHAI


@pytest.mark.parametrize(
    ("written", "first", "last", "title", "before"),
    [
        ("2026-10-12", "2026-10-12", "2026-10-13", "2026年10月12日", "2026-10-11"),
        ("2026-03-01", "2026-03-01", "2026-03-02", "2026年3月1日", "2026-02-28"),
        ("2026-W42", "2026-10-12", "2026-10-19", "2026年第42周（10月12日至10月18日）", "2026-W41"),
        ("2026-W01", "2025-12-29", "2026-01-05", "2026年第1周（12月29日至1月4日）", "2025-W52"),
        ("2026-W53", "2026-12-28", "2027-01-04", "2026年第53周（12月28日至1月3日）", "2026-W52"),
        ("2026-10", "2026-10-01", "2026-11-01", "2026年10月", "2026-09"),
        ("2026-01", "2026-01-01", "2026-02-01", "2026年1月", "2025-12"),
        ("2026-Q4", "2026-10-01", "2027-01-01", "2026年第4季度", "2026-Q3"),
        ("2026-Q1", "2026-01-01", "2026-04-01", "2026年第1季度", "2025-Q4"),
        ("2026", "2026-01-01", "2027-01-01", "2026年", "2025"),
    ],
)
def test_a_period_has_its_days_its_title_and_the_one_before(
    written: str, first: str, last: str, title: str, before: str
) -> None:
    period = period_of(f" {written} ")

    assert (period.begins.isoformat(), period.ends.isoformat()) == (first, last)
    assert (period.title, period.name, period.before().name) == (title, written, before)
    assert period.before().ends == period.begins
    assert period.first == datetime.fromisoformat(f"{first}T00:00:00+08:00")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2026-13", "month 月 13"),
        ("2026-00", "month 月 0"),
        ("2026-02-30", "2026-02 has 28 days"),
        ("2026-13-01", "month 月 13"),
        ("2025-W53", "1 to 52"),
        ("2026-W00", "1 to 53"),
        ("2026-Q5", "1 to 4"),
        ("0000-01", "no period of the years"),
        ("9999-12", "no period of the years"),
        ("10/2026", "no period of the years"),
        ("2026-1", "is not a period"),
        ("2026年10月", "is not a period"),
        ("２０２６-10", "no period of the years"),
        ("20261012", "no period of the years"),
        ("", "no period of the years"),
        ("x" * 5000, "no period of the years"),
    ],
)
def test_what_is_no_period_is_refused_with_how_to_write_one(written: str, said: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        period_of(written)

    assert said in str(refused.value)
    assert "2026-W42" in str(refused.value)
    assert len(str(refused.value)) < 300
    assert refused.value.at == "period"


def test_a_period_that_has_not_begun_is_refused_and_one_that_runs_is_not() -> None:
    now = datetime(2026, 10, 12, 0, 0, tzinfo=SHANGHAI)

    assert begun(period_of("2026-10-12"), now) == period_of("2026-10-12")
    assert isinstance(begun(period_of("2026"), now), Period)
    with pytest.raises(Unacceptable, match="today is 2026-10-12"):
        begun(period_of("2026-10-13"), now)
