"""How long an extension 延期 may be by a city's rule, whatever unit it is asked in."""

from canonical.clock import Ledger
from canonical.time import Limit
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
