"""The clocks of a case for people: what each may take, what it has used and has left, and what was told of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from canonical.case import Event, runs_of
from canonical.clock import CLOCK_TITLES, Ledger
from canonical.ports import WorkingCalendar
from routing.city import City

View = dict[str, Any]
_Key = tuple[int, str, str]


def clocks_view(events: Sequence[Event], city: City, now: datetime) -> list[View]:
    """Every run of every clock of a case, in the order in which they started."""
    told: Mapping[_Key, list[View]] = defaultdict(list)
    for event in events:
        if (one := event.action.told) is not None:
            steps = {"step": one.step, "at": _at(one.at), "told_at": _at(event.action.at), "late": one.late}
            told[one.since, one.clock, one.of].append(steps)
    return [ledger_view(one, city, now) | {"told": told[one.since, one.clock, one.of]} for one in runs_of(events)]


def ledger_view(one: Ledger, city: City, now: datetime) -> View:
    """One clock: by its calendar, what it used and has left now or at its end."""
    calendar = city.working_time(one.unit) if one.unit else city.calendar
    end = one.stopped_at or now
    used = calendar.spent(one.started_at, end, one.limits, one.pauses) if one.limits else end - one.started_at
    budget = _budget(one, city)
    left = None if budget is None else budget - used
    return {
        "clock": one.clock, "title": CLOCK_TITLES[one.clock], "of": one.of, "unit": one.unit, "basis": one.basis,
        "state": "stopped" if one.stopped_at else "paused" if one.paused else "running",
        "started_at": _at(one.started_at), "stopped_at": _at(one.stopped_at),
        "due_at": _at(one.due.at if one.due else None), "provisional": bool(one.due and one.due.provisional),
        "overdue": one.overdue(now), "extensions": one.extensions,
        "limits": [limit.model_dump(mode="json") for limit in one.limits],
        "pauses": [{"since": _at(pause.since), "until": _at(pause.until)} for pause in one.pauses],
        "spans": _spans(one, calendar, end),
        "used_seconds": round(used.total_seconds()),
        "remaining_seconds": None if left is None else round(left.total_seconds()),
        "next_step": one.step if one.step_at else "", "next_step_at": _at(one.step_at), "calendar": one.calendar,
    }  # fmt: skip


def _spans(one: Ledger, calendar: WorkingCalendar, end: datetime) -> list[View]:
    """What its time went by, in order: it ran, or it stood still; seconds in the measure of its limits.

    `until` is null where it does so still.
    """
    edges: list[tuple[bool, datetime, datetime]] = []
    at = one.started_at
    for pause in one.pauses:
        until = min(pause.until or end, end)
        edges += [(False, at, pause.since), (True, pause.since, until)]
        at = until
    return [
        {
            "paused": paused, "since": _at(since),
            "until": _at(until if until < end else one.stopped_at),
            "seconds": _seconds(one, calendar, since, until),
        }
        for paused, since, until in [*edges, (False, at, end)]
        if since < until
    ]  # fmt: skip


def _seconds(one: Ledger, calendar: WorkingCalendar, since: datetime, until: datetime) -> int:
    taken = calendar.spent(since, until, one.limits) if one.limits else until - since
    return round(taken.total_seconds())


def _budget(one: Ledger, city: City) -> timedelta | None:
    """All that the clock may take, in the measure of its limits."""
    if not one.limits:
        return None if one.due is None else one.due.at - one.started_at
    calendar = city.working_time(one.unit) if one.unit else city.calendar
    due = calendar.run_out(one.started_at, one.limits)
    return None if due is None else calendar.spent(one.started_at, due.at, one.limits)


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
