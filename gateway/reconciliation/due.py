"""When a system's statement is due. Pure; days and hours are those of Shanghai."""

from datetime import datetime, time, timedelta

from adapters.reconcile_declaration import ReconcileDeclaration
from canonical.time import in_shanghai
from storage.statements import Statement

AGAIN = timedelta(hours=1)
"""After a statement that could not say all, another is tried."""
MOST_EDITIONS = 6
"""Statements of one day, after which the next day's schedule counts again."""
_NIGHT = "02:30"


def scheduled(declared: ReconcileDeclaration, now: datetime) -> datetime:
    """The latest moment until now at which a statement is due by the schedule."""
    here = in_shanghai(now)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if declared.every:
        passed = (here - midnight).total_seconds()
        return midnight + timedelta(seconds=passed - passed % declared.every)
    at = datetime.combine(here.date(), time.fromisoformat(declared.daily or _NIGHT), here.tzinfo)
    return at if at <= here else at - timedelta(days=1)


def due(
    declared: ReconcileDeclaration, last: Statement | None, now: datetime, *, alive_since: datetime
) -> datetime | None:
    """The moment for which a new statement is to be begun now; None: nothing is due.

    A system that never had one gets its first at its hour, not when the hub is first started.
    """
    at = scheduled(declared, now)
    if last is None:
        return at if at >= alive_since else None
    if at > last.due_at:
        return at
    again = last.finished_at is not None and last.trouble and now - last.finished_at >= AGAIN
    return now if again and now > last.due_at and last.edition < MOST_EDITIONS else None
