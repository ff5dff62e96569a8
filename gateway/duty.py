"""Who is on duty in a grid, as the API and the command line tell it. Officers' names are masked for all who have no
right to them; what is logged, and what travels with a case, is the id alone."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from canonical.codes import ClassCode
from canonical.organisation import Officer, Post
from canonical.time import SHANGHAI, in_shanghai
from gateway.access import guard
from gateway.hub import Hub
from gateway.masking import masked_name
from gateway.refusal import Refusal, plain
from gateway.views import View
from routing.city import City
from routing.team import Team
from routing.team_load import TeamLoad, load_on
from routing.team_tables import near

POST_TITLES: dict[Post, str] = {
    Post.COLLECTOR: "采集员",
    Post.GRID_OFFICER: "网格员",
    Post.HANDLER: "处置人员",
    Post.ACCEPTOR: "受理员",
    Post.DUTY_CHIEF: "值班长",
    Post.DISPATCHER: "派遣员",
}
_SHOWN = 48
"""Characters of what was given that an answer repeats."""
_STREET = 9


def duty_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router = APIRouter(dependencies=[Depends(guard(hub))])
    now = "; default: now"

    @router.get("/api/duty", summary="Who is on duty in a unit grid for a class, in which order, and why")
    async def duty(
        grid: Annotated[str, Query(description="unit grid, 15 digits, or a division")],
        class_: Annotated[str, Query(alias="class", description="such as 30428.2:E04-06")],
        at: Annotated[str, Query(description="such as 2026-10-03T23:10, Shanghai time without a zone" + now)] = "",
    ) -> View:
        return duty_view(hub.configuration.city, plain(grid), plain(class_), instant(plain(at)) or hub.now())

    @router.get("/api/duty/load", summary="Grids with several officers, officers with several grids, each one's load")
    async def load(
        at: Annotated[str, Query(description="the day, such as 2026-10-03" + now)] = "",
    ) -> View:
        return load_view(hub.configuration.city, instant(plain(at)) or hub.now())

    return router


def instant(text: str, name: str = "at") -> datetime | None:
    """A time as people write it, in Shanghai where it has no zone; None for an empty one. Raises Refusal, which names
    the parameter it stood in.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return in_shanghai(at if at.tzinfo else at.replace(tzinfo=SHANGHAI))
    except ValueError:
        hint = "write 2026-10-03T23:10, or with a zone 2026-10-03T15:10Z; in an address + is written %2B"
        raise Refusal(422, "invalid", f"{name}: '{text[:_SHOWN]}' is not a time", hint) from None


def duty_view(city: City, grid: str, class_code: str, at: datetime, *, names: bool = False) -> View:
    """Who is on duty and who is not. `names`: in full. Raises Refusal for a grid or class the city does not have."""
    team = _team(city)
    where = _grid_title(city, grid)
    code, title = _class(city, class_code)
    answer = team.asked(grid, code, at)
    units = city.responsibility.units
    on = [
        _officer_view(duty.officer, names=names)
        | {
            "order": duty.order, "for_unit": duty.unit, "unit_title": units[duty.unit].name,
            "stands_in_for": duty.stands_in_for, "row": duty.row, "why": duty.why,
        }
        for duty in answer.on
    ]  # fmt: skip
    off = [_officer_view(one.officer, names=names) | {"row": one.row, "why": one.why} for one in answer.off]
    asked = {"grid": grid, "grid_title": where, "class": str(code), "class_title": title, "at": in_shanghai(at)}
    return asked | {"on": on, "off": off, "nobody": answer.nobody}


def load_view(city: City, at: datetime, *, names: bool = False) -> View:
    """How the team is laid over the grids on a day."""
    load: TeamLoad = load_on(
        _team(city), city.locator.registry.base(in_shanghai(at).date()).index, in_shanghai(at).date()
    )
    officers = [
        _officer_view(one.officer, names=names)
        | {
            "grids": one.grids, "in_charge": one.in_charge, "industry_grids": list(one.industry_grids),
            "square_kilometres": round(one.square_kilometres, 3),
        }
        for one in load.loads
    ]  # fmt: skip
    return {
        "day": load.day.isoformat(),
        "grids": {
            "all": load.grids, "without_officer": load.without, "from_above": load.from_above,
            "one_officer": load.single, "several_officers": load.several, "most": load.most, "fullest": load.fullest,
        },
        "officers": {
            "all": len(officers), "several_grids": load.many_grids, "several_industry_grids": load.many_industry_grids,
        },
        "items": officers,
    }  # fmt: skip


def _officer_view(officer: Officer, *, names: bool) -> View:
    name = officer.name if names else masked_name(officer.name)
    return {"officer": officer.id, "name": name, "unit": officer.unit, "post": officer.post}


def _team(city: City) -> Team:
    if city.team is None:
        raise Refusal(404, "no_team", "this city keeps no officers here", "add team: to city.yaml")
    return city.team


def _grid_title(city: City, grid: str) -> str:
    grids = city.locator.registry.codes
    if grid in grids:
        return grids[grid]
    if city.divisions.known(grid):
        return city.divisions.name(grid)
    pool = [code for code in grids if code.startswith(grid[:_STREET])] if len(grid) >= _STREET else []
    hint = near(grid[:_SHOWN], pool, show=False).removeprefix("; ") or "a unit grid has 15 digits, see the folder grids"
    raise Refusal(404, "unknown_grid", f"grid: '{grid[:_SHOWN]}' is no unit grid or division of this city", hint)


def _class(city: City, text: str) -> tuple[ClassCode, str]:
    try:
        code = ClassCode.parse(text[:_SHOWN])
    except ValueError:
        hint = "write edition, kind, major and minor: 30428.2:E04-06"
        raise Refusal(422, "invalid", f"class: '{text[:_SHOWN]}' is not a class code", hint) from None
    entry = city.catalogue.classes.get(code)
    if entry is None:
        hint = near(text[:_SHOWN], map(str, city.catalogue.classes), show=False).removeprefix("; ")
        raise Refusal(404, "unknown_class", f"class: '{code}' is no class of this city", hint or "see classes.csv")
    return code, entry.name
