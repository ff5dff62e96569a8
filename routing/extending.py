"""How long an extension 延期 is, and may be by a city's rule, whatever unit it is asked in."""

from datetime import datetime, timedelta

from canonical.clock import Ledger
from canonical.errors import IllegalAction
from canonical.time import Limit, LimitUnit
from routing.city import City


def within(limit: Limit, disposal: Ledger, city: City) -> Limit:
    """The limit itself, or the most that the rule allows. Compared by due time: their units may differ."""
    rule = city.rules.extension
    allowed = [rule.longest] if rule.longest else []
    if rule.original is not None and disposal.limits:
        first = disposal.limits[0]
        allowed.append(first.model_copy(update={"value": first.value * rule.original}))
    calendar = city.working_time(disposal.unit)

    def ends(more: Limit) -> float:
        due = calendar.run_out(disposal.started_at, (*disposal.limits, more), disposal.pauses)
        return due.at.timestamp() if due else float("inf")

    return min([limit, *allowed], key=ends)


_LARGEST_FIRST = (
    (LimitUnit.CALENDAR_DAY, timedelta(days=1)),
    (LimitUnit.URGENT_WORK_HOUR, timedelta(hours=1)),
    (LimitUnit.MINUTE, timedelta(minutes=1)),
)
"""Units of the wall clock: an extension to a moment ends there, whatever the unit's hours are."""
_AT_MOST = 100_000


def lasting(due: datetime, until: datetime) -> Limit:
    """The limit that moves `due` to `until`, in the largest unit that is exact to the minute.

    Raises IllegalAction where that moment is none that it could be moved to.
    """
    if until <= due:
        raise IllegalAction(f"an extension ends later than the limit it moves, {due:%Y-%m-%d %H:%M}", at="until")
    more = (until - due) // timedelta(minutes=1) * timedelta(minutes=1)
    unit, one = next(pair for pair in _LARGEST_FIRST if not more % pair[1])
    if not 0 < more // one <= _AT_MOST:
        raise IllegalAction(f"{until:%Y-%m-%d %H:%M} is no moment an extension could end at", at="until")
    return Limit(value=more // one, unit=unit)
