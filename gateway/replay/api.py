"""`/api/replays`: plan, run, stop, list, show. What is asked with GET changes nothing."""

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from canonical.errors import Unacceptable, Why
from canonical.replay import ItemState, ReplayState
from canonical.rights import Right
from gateway.access import Who, acting, of_the_city
from gateway.board.who import Actor
from gateway.hub import Hub
from gateway.refusal import plain
from gateway.replay.plan import Order
from gateway.replay.run import Replayer
from gateway.replay.view import item_view, replay_view
from gateway.views import View

MOST_BYTES = 512 * 1024
"""Of a body: room for some thousands of ids."""
_M = TypeVar("_M", bound=BaseModel)
_Rows = Annotated[int, Query(ge=1, le=500, description="rows at most")]


class Approval(BaseModel):
    """Who carries a plan out, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Actor = ""
    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$", description="why")
    count: int | None = Field(
        default=None, ge=0, description="how many items the plan showed; refused if it has others"
    )


class Halt(BaseModel):
    """Who stops it, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Actor = ""
    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$", description="why")


def replay_routes(hub: Hub) -> APIRouter:
    """The routes. A replay may touch any case: it wants the whole city."""
    router = APIRouter()
    watch, operate = Depends(of_the_city(hub, Right.WATCH)), Depends(of_the_city(hub, Right.OPERATE))
    replayer = Replayer(hub)

    @router.post(
        "/api/replays",
        status_code=201,
        summary="Plan a replay: counted and shown, nothing is done",
        openapi_extra=_described(Order),
        dependencies=[operate],
    )
    async def plan(request: Request) -> View:
        return replay_view(await replayer.plan(await _told(request, Order)))

    @router.post(
        "/api/replays/{replay}/run",
        status_code=202,
        summary="Carry a plan out; workers do, item by item",
        openapi_extra=_described(Approval),
    )
    async def run(replay: UUID, request: Request, who: Annotated[Who, operate]) -> View:
        approval = await _told(request, Approval)
        by = acting(who, plain(approval.by))
        return replay_view(await replayer.start(replay, by, approval.reason, count=approval.count))

    @router.post("/api/replays/{replay}/stop", summary="Begin no further item", openapi_extra=_described(Halt))
    async def stop(replay: UUID, request: Request, who: Annotated[Who, operate]) -> View:
        halt = await _told(request, Halt)
        await replayer.stop(replay, f"stopped by {acting(who, plain(halt.by))}: {halt.reason}")
        return replay_view(await replayer.get(replay))

    @router.get("/api/replays", summary="Replays, the newest first", dependencies=[watch])
    async def listed(
        state: Annotated[ReplayState | None, Query(description="only in this state")] = None,
        after: Annotated[UUID | None, Query(description="`next` of the answer before")] = None, limit: _Rows = 50,
    ) -> View:  # fmt: skip
        found = await replayer.replays.listed(state=state or "", after=after, limit=limit)
        following = str(found[-1].id) if len(found) == limit else None
        return {"items": [replay_view(one) for one in found], "next": following}

    @router.get("/api/replays/{replay}", summary="One replay, and its items in their order", dependencies=[watch])
    async def show(
        replay: UUID, state: Annotated[ItemState | None, Query(description="only items in this state")] = None,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the answer before")] = 0,
        limit: _Rows = 100,
    ) -> View:  # fmt: skip
        found = await replayer.get(replay)
        lines = await replayer.replays.items(replay, state=state or "", after=after, limit=limit)
        following: Any = lines[-1].no if len(lines) == limit else None
        return replay_view(found) | {"lines": [item_view(one) for one in lines], "next": following}

    return router


async def _told(request: Request, model: type[_M]) -> _M:
    """The body as what it must be. Read by ourselves: nobody without a token may fill our memory."""
    body = b""
    async for chunk in request.stream():
        body += chunk[: MOST_BYTES + 1 - len(body)]
    if len(body) > MOST_BYTES:
        raise Unacceptable(f"larger than {MOST_BYTES} bytes", why=Why.TOO_LARGE)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Unacceptable(wrong(error), why=Why.CONTRACT) from None


def wrong(error: ValidationError) -> str:
    """Everything that is wrong with an order, in one line, without quoting it."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found[:5])


def _described(model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
