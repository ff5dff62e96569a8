"""`/api/switches`: stop and start what goes between the hub and a system, and who did so before."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from canonical.records import What
from canonical.rights import Right
from gateway.access import Who, acting, of_the_city
from gateway.board.who import Actor
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.views import View, row_view
from storage.switches import Switch, Switches

_MOST = 500
Limited = Annotated[int, Query(ge=1, le=_MOST, description="rows at most")]


class SwitchOrder(BaseModel):
    """Stop or start the traffic to a system."""

    model_config = ConfigDict(extra="forbid")

    off: bool = Field(description="true stops it, false starts it again")
    actor: Actor = ""
    reason: str = Field(min_length=1, max_length=500, description="why; kept with it")


def switch_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router = APIRouter()
    watch, operate = of_the_city(hub, Right.WATCH), of_the_city(hub, Right.OPERATE)
    switches = Switches(hub.store)

    @router.get(
        "/api/switches", summary="What was switched off or on for a system, by whom and why",
        dependencies=[Depends(watch)],
    )  # fmt: skip
    async def all_switches() -> View:
        return {"items": [row_view(row) for row in await switches.all()], "next": None}

    @router.get(
        "/api/switches/history", summary="Every turn of a switch, the newest first", dependencies=[Depends(watch)]
    )
    async def history(
        system: Annotated[str, Query(description="only of this system", max_length=200)] = "",
        after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="`next` of the answer before")] = None,
        limit: Limited = 100,
    ) -> View:
        found = await switches.turns(system=plain(system), before=after, limit=limit)
        return {"items": [row_view(one) for one in found], "next": found[-1].turn if len(found) == limit else None}

    @router.put("/api/systems/{system}/switches/{what}", summary="Stop or start the traffic to a system at once")
    async def switch(system: str, what: What, order: SwitchOrder, who: Annotated[Who, Depends(operate)]) -> View:
        """`sending`: nothing leaves. `retry`: nothing is tried twice. `fetching`: nothing is asked for or taken."""
        if system not in hub.configuration.systems:
            raise Refusal(404, "unknown_system", f"no system {plain(system)[:64]} is connected", "see /api/systems")
        actor = acting(who, plain(order.actor))
        turned = Switch(system, what, order.off, hub.now(), actor, plain(order.reason))
        changed = await switches.set(turned)
        parked = await hub.outbox.park_tried(now=hub.now()) if order.off and what is What.RETRY else 0
        return {"changed": changed, "parked": parked}

    return router
