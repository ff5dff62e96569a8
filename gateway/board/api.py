"""`/api/board`: one card for each connected system, all in one answer."""

from datetime import datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from canonical.rights import Right
from gateway.access import of_the_city
from gateway.board.card import cards
from gateway.board.known import known
from gateway.board.opened import opened
from gateway.board.state import State
from gateway.hub import Hub
from gateway.recent import Recent
from gateway.refusal import Refusal, plain
from gateway.views import View

MOST = 500
After = Annotated[str, Query(description="`next` of the answer before", max_length=200)]
Limited = Annotated[int, Query(ge=1, le=MOST, description="rows at most")]


def board_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router = APIRouter(dependencies=[Depends(of_the_city(hub, Right.WATCH))])

    async def looked() -> tuple[datetime, list[View]]:
        at = hub.now()
        return at, cards(hub, await known(hub, at))

    board = Recent(looked)

    @router.get(
        "/api/board", response_class=Response, responses={200: _ANSWER},
        summary="A card for each system: alive, age of its data, what waits, errors, switches, agreement",
    )  # fmt: skip
    async def all_cards(
        state: Annotated[list[State] | None, Query(description="only cards in this state; may be repeated")] = None,
        after: After = "", limit: Limited = MOST,
    ) -> Response:  # fmt: skip
        """`state` is the gravest of `reasons`. Figures of a card whose `stale` is true are those of `data_at`."""
        at, shown = await board.get()
        after = plain(after)
        fit = [one for one in shown if one["id"] > after and (not state or one["state"] in state)]
        following = fit[limit - 1]["id"] if len(fit) > limit else None
        counts = {str(one): sum(card["state"] == one for card in shown) for one in State}
        return _json({"at": at, "counts": counts, "items": fit[:limit], "next": following})

    @router.get(
        "/api/board/{system}", response_class=Response,
        summary="A card opened: declaration, mapping, codes without a row, samples, newest messages",
    )  # fmt: skip
    async def one_card(system: str) -> Response:
        """Samples are those of the declaration's folder: invented, and masked all the same."""
        name = plain(system)
        shown = [one for one in (await board.get())[1] if one["id"] == name]
        if not shown:
            raise Refusal(404, "unknown_system", f"no system {name[:64]} is connected", "see /api/board")
        return _json(shown[0] | await opened(hub, name))

    return router


def _json(view: View) -> Response:
    """Encoded at once: FastAPI would look at each of ten thousand values first."""
    return Response(orjson.dumps(view), media_type="application/json")


_EXAMPLE = {
    "at": "2026-11-29T09:00:00+08:00",
    "counts": {"stopped": 0, "failing": 1, "never": 0, "silent": 0, "late": 0, "ok": 4},
    "items": [
        {
            "id": "hotline_12345", "title": "12345热线", "connected": True, "state": "failing", "state_title": "故障",
            "reason": {"zh": "tasks：连接被拒绝", "en": "tasks: connection refused"}, "data_age_seconds": 912.0,
            "stale": True, "quarantined": 3, "waits_for_a_person": 1,
        }
    ],
    "next": None,
}  # fmt: skip
_ANSWER = {"description": "the cards, by name", "content": {"application/json": {"example": _EXAMPLE}}}
