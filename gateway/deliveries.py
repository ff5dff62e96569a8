"""Deliveries at the API: what is under way, what waits for a person, and how the traffic to each system stands."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from canonical.message import Message
from canonical.records import STUCK, DeliveryState
from canonical.rights import Right
from gateway.access import Who, acting, guard, of_the_city
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.standing import standing
from gateway.views import View, row_view
from routing.commands import CENTRE
from storage.deliveries import Decision, Deliveries

LONGEST_AGE = 10 * 366 * 86_400
MOST = 500


class DecisionOrder(BaseModel):
    """What a person decided about a delivery, who it was, and why."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field(default="", max_length=64, description="who decides, with the centre's token")
    reason: str = Field(min_length=1, max_length=500, description="why; kept with the delivery and in the journal")


def delivery_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router, see, operate = APIRouter(), guard(hub), of_the_city(hub, Right.OPERATE)
    deliveries = Deliveries(hub.store)

    @router.get("/api/deliveries", summary="Deliveries, the newest first; counts of what is unfinished")
    async def listed(
        who: Annotated[Who, Depends(see)],
        system: str = "", state: Annotated[list[DeliveryState] | None, Query()] = None, case: str = "",
        min_age: Annotated[int, Query(ge=0, le=LONGEST_AGE, description="seconds since it was made")] = 0,
        order: Literal["newest", "oldest"] = "newest", after: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows at most")] = 50,
    ) -> View:  # fmt: skip
        found = await deliveries.find(
            scope=who.scope, system=plain(system), states=state or (), case_no=plain(case), after=after,
            oldest=order == "oldest", before=hub.now() - timedelta(seconds=min_age) if min_age else None, limit=limit,
        )  # fmt: skip
        following = str(found[-1].id) if len(found) == limit else None
        known = await standing(hub) if who.scope.whole else {}
        counts = {name: one["deliveries"] for name, one in known.items()}
        return {"items": [row_view(row) for row in found], "next": following, "counts": counts}

    @router.get("/api/deliveries/{delivery}", summary="One delivery: each attempt and answer, what is before it")
    async def one(delivery: UUID, who: Annotated[Who, Depends(see)]) -> View:
        traced = await deliveries.one(delivery, scope=who.scope)
        if traced is None:
            raise Refusal(404, "unknown_delivery", f"there is no delivery {delivery}", "see /api/deliveries")
        possible = list(Decision) if traced.delivery.state in STUCK else []
        return row_view(traced.delivery) | {
            "messages": [row_view(row) for row in traced.messages],
            "waits_for": [row_view(row) for row in traced.ahead], "possible": possible,
        }  # fmt: skip

    @router.post("/api/deliveries/{delivery}/release", summary="Send a refused or parked delivery again")
    async def release(delivery: UUID, order: DecisionOrder, who: Annotated[Who, Depends(operate)]) -> View:
        return await decided(hub, delivery, Decision.RELEASE, order, who)

    @router.post("/api/deliveries/{delivery}/withdraw", summary="Never send it; its lane goes on without it")
    async def withdraw(delivery: UUID, order: DecisionOrder, who: Annotated[Who, Depends(operate)]) -> View:
        return await decided(hub, delivery, Decision.WITHDRAW, order, who)

    @router.get("/api/traffic", summary="Each system's traffic: unfinished, oldest, breakers, switches")
    async def traffic(_: Annotated[Who, Depends(of_the_city(hub, Right.WATCH))]) -> View:
        return {"items": [{"system": name} | one for name, one in (await standing(hub)).items()]}

    return router


async def decided(hub: Hub, delivery: UUID, what: Decision, order: DecisionOrder, who: Who) -> View:
    """Do it, with the order in the journal."""
    actor, reason = acting(who, plain(order.actor)), plain(order.reason)
    if not actor.strip() or not reason.strip():
        raise Refusal(422, "contract", "say who decides (actor) and why (reason)")
    message = made(delivery, what, actor, reason, now=hub.now(), id_=hub.ids())
    words = said(actor, reason)
    if not await Deliveries(hub.store).decide(delivery, what, message, words, now=hub.now()):
        raise Refusal(
            409, "not_waiting", f"{delivery} is neither refused nor parked (any more)", f"/api/deliveries/{delivery}"
        )
    return {"id": str(delivery), "done": what}


def made(delivery: UUID, what: Decision, actor: str, reason: str, *, now: datetime, id_: UUID) -> Message:
    """The order as the journal keeps it."""
    return Message(
        system=CENTRE, body=orjson.dumps({"actor": actor, "reason": reason}), at=now, id=id_, door="deliveries",
        content_type="application/json", path=f"/api/deliveries/{delivery}/{what}",
    )  # fmt: skip


def said(actor: str, reason: str) -> str:
    """Who decided it and why, in one text."""
    return f"{actor}: {reason}"
