"""`/api/fusion`: who leads what, how both sides decide, and open cases that change their centre."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from canonical.lifecycle import ActionKind
from canonical.rights import Right
from gateway.access import Who, acting, of_the_city
from gateway.duty import instant
from gateway.fusion.moving import move, prefix_of
from gateway.fusion.view import comparison_view, moved_view, status_view
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.views import View
from storage.shadows import Shadows

WEEKS = timedelta(days=28)
"""What a comparison looks back, when nothing is said."""
MOST = 500


class MoveOrder(BaseModel):
    """Open cases of a class get another centre."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[ActionKind.TAKE_OVER, ActionKind.HAND_BACK]
    system: str = Field(max_length=64, description="the lead system")
    class_: str = Field(alias="class", max_length=64, description="such as 30428.2:E04-*")
    by: str = Field(default="", max_length=64, description="who decides, with the centre's token")
    reason: str = Field(min_length=1, max_length=500, description="why; stands in each case")
    dry_run: bool = Field(default=True, description="only say what would become of them")


def fusion_routes(hub: Hub) -> APIRouter:
    """The routes: of the whole city."""
    router = APIRouter(prefix="/api/fusion", dependencies=[Depends(of_the_city(hub, Right.WATCH))])

    @router.get("", summary="Who is the centre for which class, since when, and what is open under whom")
    async def status() -> View:
        return await status_view(hub.configuration.city.fusion, Shadows(hub.store), hub.now())

    @router.get("/comparison", summary="Lead systems' decisions beside what our tables would have done, by class")
    async def comparison(
        since: Annotated[str, Query(description="default: 28 days ago")] = "",
        until: Annotated[str, Query(description="default: now")] = "",
        class_: Annotated[str, Query(alias="class", description="only these, 30428.2:E04-*")] = "",
        limit: Annotated[int, Query(ge=0, le=MOST, description="differences at most")] = 50,
    ) -> View:
        last = instant(plain(until), "until") or hub.now()
        first = instant(plain(since), "since") or last - WEEKS
        if first > last:
            raise Refusal(422, "invalid", "since lies after until", "write since=2026-11-01&until=2026-12-01")
        return await comparison_view(Shadows(hub.store), first, last, prefix_of(plain(class_) or "*"), limit)

    @router.post("/move", summary="Take over the open cases of a class, or hand them back")
    async def moving(order: MoveOrder, who: Annotated[Who, Depends(of_the_city(hub, Right.OPERATE))]) -> Any:  # noqa: ANN401
        texts = {name: plain(text) for name, text in dict(order).items() if isinstance(text, str)}
        moved = await move(
            hub, order.kind, texts["system"], texts["class_"], reason=texts["reason"], by=acting(who, texts["by"]),
            dry=order.dry_run,
        )  # fmt: skip
        return moved_view(moved, dry=order.dry_run)

    return router
