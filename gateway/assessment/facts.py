"""How facts are made here: of the events, with what clocks used by the calendars of the city's units."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from assessment.facts import folded
from canonical.case import Event
from canonical.fact import Fact
from canonical.time import Limit, Pause
from gateway.configuration import Configuration
from storage.facts import Fold


def spending(configuration: Configuration) -> Fold:
    """Facts of a case; of a clock with a budget what it used by the calendar of the unit that has it."""
    city = configuration.city

    def spent(
        unit: str, start: datetime, end: datetime, limits: Sequence[Limit], pauses: Sequence[Pause]
    ) -> timedelta:  # fmt: skip
        calendar = city.working_time(unit)
        if limits:
            return calendar.spent(start, end, limits, pauses)
        stood = sum((min(one.until or end, end) - max(one.since, start) for one in pauses), timedelta(0))
        return end - start - stood

    def fold(no: str, events: Sequence[Event], ends: Iterable[datetime]) -> list[Fact]:
        return folded(no, events, ends, spent=spent)

    return fold
