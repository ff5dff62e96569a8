"""What the city calls its classes, divisions and systems, for whoever chooses one or shows a name beside a code."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from canonical.codes import ClassKind
from canonical.organisation import Level
from canonical.rights import Right
from gateway.access import Who, allowed
from gateway.hub import Hub
from gateway.refusal import plain
from gateway.views import View
from routing.catalogue import CatalogueClass, Standard
from routing.divisions import Division

MOST = 2000
_After = Annotated[str, Query(max_length=64, description="`next` of the page before")]
_Limit = Annotated[int, Query(ge=1, le=MOST, description="rows at most")]
_Words = Annotated[str, Query(max_length=64, description="in the name, or the beginning of the code")]


def vocabulary_routes(hub: Hub) -> APIRouter:
    """The routes. The lists go by code, and are the same for everyone: they tell of no case."""
    router, see = APIRouter(), allowed(hub, Right.SEE, Right.ADMINISTER)
    city = hub.configuration.city

    @router.get("/api/classes", summary="The city's classes with their standard rows, by code")
    async def classes(
        _: Annotated[Who, Depends(see)],
        q: _Words = "",
        kind: Annotated[ClassKind | None, Query(description="part 部件 or event 事件")] = None,
        after: _After = "",
        limit: _Limit = MOST,
    ) -> View:
        """Limits are those of the standard rows; `default`: the row that is taken when no keyword speaks."""
        known = [one for one in city.catalogue.classes.values() if kind is None or one.code.kind is kind]
        views = [_class_view(one, city.catalogue.of_class.get(one.code, ())) for one in known]
        return _page(views, plain(q), plain(after), limit)

    @router.get("/api/divisions", summary="The city's divisions, by code")
    async def divisions(
        _: Annotated[Who, Depends(see)],
        q: _Words = "",
        within: Annotated[str, Query(pattern="^[0-9]{0,12}$", description="beginning of their codes: 340202")] = "",
        level: Annotated[Level | None, Query(description="city, district, street or community")] = None,
        after: _After = "",
        limit: _Limit = MOST,
    ) -> View:
        """`parent` is the code of the division above; empty for the city."""
        found = [one for one in city.divisions.by_code.values() if one.code.startswith(within)]
        views = [_division_view(one) for one in found if level is None or one.level is level]
        return _page(views, plain(q), plain(after), limit)

    @router.get("/api/system-titles", summary="What the connected systems are called, by id")
    async def system_titles(_: Annotated[Who, Depends(see)], q: _Words = "") -> View:
        """How they are doing, `/api/systems` tells whoever watches the city."""
        roles = hub.configuration.city.systems
        views = [
            {"code": id_, "name": role.title, "source": role.source, "owner": role.owner} for id_, role in roles.items()
        ]
        return _page(views, plain(q), "", MOST)

    return router


def _page(views: Iterable[View], wanted: str, after: str, limit: int) -> View:
    found = sorted((one for one in views if _named(one, wanted) and one["code"] > after), key=lambda one: one["code"])
    shown = found[:limit]
    return {"items": shown, "next": shown[-1]["code"] if len(found) > limit else None}


def _named(one: View, wanted: str) -> bool:
    """`E04` finds `30428.2:E04-06`: nobody says the edition."""
    code = str(one["code"])
    return wanted in one["name"] or code.startswith(wanted) or code.rpartition(":")[2].startswith(wanted)


def _class_view(one: CatalogueClass, standards: Iterable[Standard]) -> View:
    rows = [
        {
            "id": row.id, "condition": row.condition, "closing": row.closing, "default": row.default,
            "limit": row.limit.model_dump(mode="json"),
        }
        for row in standards
    ]  # fmt: skip
    return {
        "code": str(one.code), "name": one.name, "kind": one.code.kind, "acceptance": one.acceptance,
        "reason": one.reason, "standards": rows,
    }  # fmt: skip


def _division_view(one: Division) -> View:
    return {"code": one.code, "level": one.level, "name": one.name, "parent": one.parent}
