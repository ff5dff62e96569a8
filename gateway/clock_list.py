"""Clocks of open cases that have run out or soon will, for people: API and command line share it."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from canonical.clock import Clock
from canonical.lifecycle import STAGE_TITLES
from canonical.rights import Scope
from gateway.access import Who, guard
from gateway.clock_view import ledger_view
from gateway.delivery.traffic_file import seconds
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from routing.city import City
from routing.timing import UNITS
from storage.open_clocks import Group, OpenClock, Place, Standing, Wanted, count_clocks, open_clocks
from storage.store import Store

View = dict[str, Any]
Within = Annotated[str, Query(description="due within so long: `30m`, `4h`, `2d`; `366d` at most")]
OfClock = Annotated[Clock | None, Query(description="of this kind")]
OfUnit = Annotated[str, Query(description="of the unit that has the work, or was called; see /api/units")]
OfSystem = Annotated[str, Query(description="of the system that reported the case, or has it")]
WITHIN = "4h"
MOST = 500
LONGEST = timedelta(days=366)
WORKING = UNITS | {Clock.OWNER}
"""Clocks of the unit that has the work; with all others the centre is late."""


async def clock_list(
    store: Store, city: City, wanted: Wanted, now: datetime, limit: int, *, scope: Scope
) -> View:  # fmt: skip
    """One page of the list, and where the next one begins."""
    found = await open_clocks(store, wanted, scope=scope, units=WORKING, limit=limit)
    following = place_text(found[-1].place) if len(found) == limit else None
    return {"at": now.isoformat(), "items": [_view(one, city, now) for one in found], "next": following}


def _view(one: OpenClock, city: City, now: datetime) -> View:
    case, ledger = one.case, one.ledger
    assignment = case.assignment
    unit = ledger.of or (assignment.unit if assignment and ledger.clock in WORKING else "")
    known = city.responsibility.units.get(unit)
    return {
        "case_no": case.no, "case_title": case.title, "stage": case.stage, "stage_title": STAGE_TITLES[case.stage],
        "source": case.source, "system": case.owner, "supervision": case.supervision,
        "resume_at": case.resume_at.isoformat() if case.resume_at else None,
    } | ledger_view(ledger, city, now) | {"unit": unit, "unit_title": known.name if known else ""}  # fmt: skip


def asked(
    city: City, now: datetime, *, within: str = WITHIN, overdue: bool = False, step: str = "",
    clock: Clock | None = None, unit: str = "", system: str = "", after: str = "",
    standing: Standing = Standing.RUNNING,
) -> Wanted:  # fmt: skip
    """What is looked for, from words. Raises Refusal, with what can be said instead."""
    return Wanted(
        until=now if overdue else now + _within(within),
        since=now if standing is Standing.NEAR else None,
        standing=standing,
        unit=_unit(city, plain(unit)),
        system=plain(system),
        clocks=(clock,) if clock else (),
        reached=_reached(city, plain(step)) if step else None,
        after=_place(plain(after)) if after else None,
    )


def _unit(city: City, unit: str) -> str:
    """An empty list for a typing error would say that nothing is late."""
    if unit and unit not in city.responsibility.units:
        raise Refusal(404, "unknown_unit", f"unit: '{unit[:64]}' is not in units.csv", "see units.csv, GET /api/units")
    return unit


def _within(text: str) -> timedelta:
    given = seconds(text)
    if isinstance(given, int) and timedelta(seconds=given) <= LONGEST:
        return timedelta(seconds=given)
    raise Refusal(422, "invalid", f"within: '{plain(text)[:32]}' is no span", "such as 30m, 4h, 2d; 366d at most")


def _reached(city: City, step: str) -> list[tuple[Clock, str]]:
    """Each clock with the step that comes next when this one was the last that was told."""
    steps = city.rules.steps
    found = [(clock, following) for clock in Clock if (following := steps.after(clock, step)) is not None]
    if not found:
        names = sorted({one.name for told in steps.of_clock.values() for one in told})
        raise Refusal(422, "invalid", f"step: no clock has '{step[:32]}'", f"there are: {', '.join(names) or 'none'}")
    return found


def place_text(place: Place) -> str:
    """A place in the list as text that stands in an address as it is."""
    at = f"{place.due_at.timestamp():.6f}"
    return "~".join((at, place.no, place.clock, place.of))


def _place(text: str) -> Place:
    parts = text.split("~", maxsplit=3)
    try:
        at, no, clock, of = parts
        return Place(datetime.fromtimestamp(float(at), tz=UTC), no, clock, of)
    except (ValueError, OverflowError, OSError):
        raise Refusal(422, "invalid", "after: not a place in this list", "take `next` of the page before") from None


def clock_routes(hub: Hub) -> APIRouter:
    """GET /api/clocks, and how many there are."""
    router, see = APIRouter(), guard(hub)

    @router.get("/api/clocks", summary="Clocks of open cases that have run out or soon will, the most urgent first")
    async def clocks(
        who: Annotated[Who, Depends(see)],
        within: Within = WITHIN, overdue: Annotated[bool, Query(description="true: only what has run out")] = False,
        step: Annotated[str, Query(description="the last that was told, such as `80%` or `due`")] = "",
        clock: OfClock = None, unit: OfUnit = "", system: OfSystem = "",
        state: Annotated[Standing, Query(description="how they stand; of those suspended, all")] = Standing.RUNNING,
        after: Annotated[str, Query(description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows at most")] = 50,
    ) -> View:  # fmt: skip
        city, now = hub.configuration.city, hub.now()
        wanted = asked(city, now, within=within, overdue=overdue, step=step, clock=clock, unit=unit, system=system,
                       after=after, standing=state)  # fmt: skip
        return await clock_list(hub.store, city, wanted, now, limit, scope=who.scope)

    @router.get("/api/clocks/counts", summary="How many clocks stand how, by unit, system or clock")
    async def counts(
        who: Annotated[Who, Depends(see)],
        by: Annotated[Group, Query(description="what they are counted by")] = Group.UNIT,
        within: Within = WITHIN, clock: OfClock = None, unit: OfUnit = "", system: OfSystem = "",
    ) -> View:  # fmt: skip
        """`key` is empty for the centre's own clocks. `near`: due `within` so long, and not overdue. A clock that is
        provisional or in arbitration is counted as overdue or near, too.
        """
        city, now = hub.configuration.city, hub.now()
        wanted = asked(city, now, within=within, clock=clock, unit=unit, system=system)
        found = await count_clocks(hub.store, wanted, by, scope=who.scope, units=WORKING, now=now)
        return {"at": now.isoformat(), "items": [asdict(one) for one in found], "next": None}

    return router
