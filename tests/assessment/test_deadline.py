"""The source's own deadline."""

from datetime import datetime, timedelta

import pytest

from assessment.calendar import DayType, calendar_of
from assessment.deadline import source_due
from canonical.report import SourceDeadline
from canonical.time import SHANGHAI, Limit, LimitUnit

CALENDAR = calendar_of({datetime(2026, 10, 1, tzinfo=SHANGHAI).date(): DayType.OFF}, published_years=frozenset({2026}))
RECEIVED = datetime(2026, 11, 20, 17, 0, tzinfo=SHANGHAI)
HOURS_2 = Limit(value=2, unit=LimitUnit.WORK_HOUR)


@pytest.mark.parametrize(
    ("deadline", "expected"),
    [
        (None, None),
        (SourceDeadline(), None),
        (SourceDeadline(at=RECEIVED + timedelta(days=1)), "2026-11-21 17:00"),
        (SourceDeadline(limit=HOURS_2), "2026-11-23 09:00"),
        (SourceDeadline(limit=HOURS_2, since=RECEIVED - timedelta(hours=1)), "2026-11-20 18:00"),
        (SourceDeadline(at=RECEIVED, limit=HOURS_2), "2026-11-20 17:00"),
    ],
)
def test_a_source_deadline_becomes_an_instant(deadline: SourceDeadline | None, expected: str | None) -> None:
    due = source_due(deadline, RECEIVED, CALENDAR)

    assert (due and f"{due.at:%Y-%m-%d %H:%M}") == expected


def test_a_budget_past_the_published_years_is_provisional() -> None:
    due = source_due(SourceDeadline(limit=Limit(value=60, unit=LimitUnit.WORK_DAY)), RECEIVED, CALENDAR)

    assert due is not None
    assert due.provisional
