"""The cockpit at the API."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, allowed
from gateway.cockpit.figures import Kept, View, shown
from gateway.cockpit.ranking import Rank, Sort, listed, page
from gateway.hub import Hub
from gateway.refusal import plain
from storage.tally_figures import By

MOST = 500
_ROW = {
    "code": "3402-lighting", "title": "市路灯管理处", "open": 41, "overdue": 3, "due_soon": 6, "taken": 12,
    "ended": 310, "on_time": 296, "late": 11, "on_time_share": 0.9642,
}  # fmt: skip


def cockpit_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router, see, kept = APIRouter(), allowed(hub, Right.SEE), Kept(hub)
    city = hub.configuration.city

    @router.get("/api/cockpit", summary="Live figures: intake, the seven steps, what is late, loops, rankings")
    async def cockpit(who: Annotated[Who, Depends(see)]) -> View:
        """Of what who asks may see, at `at`; good for a second. Days and months are those of Asia/Shanghai.

        A case counts with the unit that leads. `on_time_share` is null where nothing had a limit.
        """
        return shown(await kept.numbers(who.scope), city)

    @router.get(
        "/api/cockpit/ranking", summary="Districts, streets, units, systems, sources or classes in an order",
        responses={200: _example({"at": "2026-11-29T10:00:00+08:00", "items": [_ROW], "next": "3402-lighting"})},
    )  # fmt: skip
    async def ranking(
        who: Annotated[Who, Depends(see)],
        by: Annotated[Rank, Query(description="what is put in an order; `system` does the work, `source` reported")],
        sort: Annotated[Sort, Query(description="by which figure")] = Sort.OVERDUE,
        rising: Annotated[bool, Query(description="true: the least first")] = False,
        after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows at most")] = 50,
    ) -> View:  # fmt: skip
        """`taken` is of today; `ended`, `on_time` and `late` are of this month. `next` is null on the last page."""
        told = await kept.numbers(who.scope)
        items, following = page(listed(told, city, By(by), sort, rising=rising), plain(after), limit)
        return {"at": in_shanghai(told.at).isoformat(), "items": items, "next": following}

    return router


def _example(value: View) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}
