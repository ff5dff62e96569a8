"""/api/appeals and /api/cases/{number}/appeal: appeals 申诉 there are, whether a case may have one, and a new one."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query
from pydantic import AwareDatetime

from canonical.case import Action, Actor, Case
from canonical.errors import ContractViolation, Unacceptable, Why
from canonical.lifecycle import BY_ACTION, ActionKind, Party
from canonical.reading import Outcome
from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, acting, allowed
from gateway.appeals.effect import effect
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.views import View, row_view
from routing.trade import check_trade
from storage.appeals import Appeal, Place, appeals

MOST = 500
_DAYS = timedelta(days=90)
Order = Callable[[str, bytes, Who], Awaitable[Outcome]]
"""Gives an order of somebody about a case the way of every message; raises Refusal where it is not accepted."""
_Number = Annotated[str, Path(description="any number of the case")]
_EXAMPLE = {
    "case_no": "34022026101200000017", "case": "/api/cases/34022026101200000017", "seq": 9, "state": "upheld",
    "filed_at": "2026-10-14T09:12:00+08:00", "filed_by": "lamp", "reason": "暴雨期间无法施工", "decided_seq": 10,
    "decided_at": "2026-10-15T10:00:00+08:00", "decided_by": "op-1", "decision": "属实", "unit": "3402-lighting",
    "area": "340202", "class_code": "30428.2:P01-01", "due_at": "2026-10-12T17:00:00+08:00",
    "disposed_at": "2026-10-13T11:00:00+08:00",
}  # fmt: skip
_LIST: dict[int | str, dict[str, object]] = {
    200: {"content": {"application/json": {"example": {"items": [_EXAMPLE], "next": None}}}}
}


def appeal_routes(hub: Hub, order: Order) -> APIRouter:
    """The routes. `order` gives an order about a case."""
    router = APIRouter()
    see, appeal = allowed(hub, Right.SEE), allowed(hub, Right.APPEAL)

    @router.get("/api/appeals", summary="Appeals, newest first: who, when, why, what was decided", responses=_LIST)
    async def listed(
        who: Annotated[Who, Depends(see)],
        state: Annotated[Literal["", "open", "upheld", "dismissed"], Query(description="empty: all")] = "",
        since: Annotated[AwareDatetime | None, Query(description="filed since; default: 90 days ago")] = None,
        case_no: Annotated[str, Query(max_length=64, description="of this case only")] = "",
        after: Annotated[str, Query(max_length=400, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="appeals at most")] = 50,
    ) -> View:
        found = await appeals(
            hub.store, since=since or hub.now() - _DAYS, state=state, case_no=plain(case_no),
            after=_read(plain(after)) if after else None, limit=limit + 1, scope=who.scope,
        )  # fmt: skip
        following = _written(found[limit - 1]) if len(found) > limit else None
        return {"items": [_view(one) for one in found[:limit]], "next": following}

    @router.get("/api/cases/{number}/appeal", summary="May this case be appealed, and what that would change")
    async def possible(number: _Number, who: Annotated[Who, Depends(see)]) -> View:
        case = await _case(hub, number, who)
        why = _forbidden(hub, case, who)
        changes = await effect(hub.store, hub.configuration, case, now=hub.now(), scope=who.scope)
        rule = hub.configuration.city.rules.appeals
        until = None
        if rule.within is not None and case.closed_at is not None:
            until = in_shanghai(hub.configuration.city.calendar.due(case.closed_at, rule.within).at)
        return {
            "case_no": case.no, "unit": case.assignment.unit if case.assignment else None, "may": not why,
            "why_not": why or None, "until": until, "appealing": case.appealing, "appeals": case.appeals,
            "exempt": case.exempt, "effect": row_view(changes) if changes else None,
        }  # fmt: skip

    @router.post("/api/cases/{number}/appeal", summary="Appeal against how a case counts")
    async def file(
        number: _Number,
        who: Annotated[Who, Depends(appeal)],
        reason: Annotated[str, Body(embed=True, min_length=1, max_length=2000)],
        actor: Annotated[str, Body(embed=True, max_length=64, description="who appeals, where a token asks")] = "",
    ) -> View:
        case = await _case(hub, number, who)
        by = acting(who, plain(actor))
        if not _theirs(case, who):
            raise Refusal(403, "forbidden", _NOT_THEIRS, "GET /api/cases/{number}/appeal says who may")
        said = {"kind": ActionKind.APPEAL, "reason": plain(reason)} | ({"by": by} if who.machine else {})
        await order(case.no, json.dumps(said, ensure_ascii=False).encode(), who)
        [filed, *_] = await appeals(hub.store, since=hub.now() - _DAYS, case_no=case.no, limit=1, scope=who.scope)
        return _view(filed)

    return router


_NOT_THEIRS = "the unit that led the case appeals, and that is not yours"


async def _case(hub: Hub, number: str, who: Who) -> Case:
    journey = await hub.casebook.journey(plain(number), scope=who.scope)
    if journey is None:
        raise Refusal(404, Why.UNKNOWN_CASE, f"nobody knows a case {number[:64]}")
    return journey.case


def _forbidden(hub: Hub, case: Case, who: Who) -> str:
    """Why nobody, or not they, may appeal now; empty: they may."""
    if not who.may(Right.APPEAL):
        return "you have not the right 'appeal'"
    if not _theirs(case, who):
        return _NOT_THEIRS
    row = BY_ACTION[ActionKind.APPEAL]
    if case.stage not in row.from_:
        return f"case {case.no} is {case.stage}: an appeal comes when it is over"
    actor = Actor(party=Party.CENTRE, id=who.login)
    action = Action(kind=ActionKind.APPEAL, actor=actor, at=hub.now(), reason="?")
    try:
        check_trade(action, case, hub.configuration.city, hub.now())
    except Unacceptable as error:
        return str(error)
    return ""


def _theirs(case: Case, who: Who) -> bool:
    """A unit appeals for the work that it led, and not for that to which it was called."""
    return not who.scope.units or (case.assignment is not None and case.assignment.unit in who.scope.units)


def _view(one: Appeal) -> View:
    shown = row_view(one)
    shown.pop("case_id")
    return shown | {"case": f"/api/cases/{one.case_no}"}


def _written(one: Appeal) -> str:
    said = [one.filed_at.isoformat(), str(one.case_id), one.seq]
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def _read(text: str) -> Place:
    try:
        at, case, seq = json.loads(base64.urlsafe_b64decode(text.encode()))
        place = Place(datetime.fromisoformat(at), UUID(case), int(seq))
        if place.at.tzinfo is None or not 0 <= place.seq < 2**31:
            raise ValueError
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise ContractViolation("after: this is no `next` of a page", at="after") from None
    return place
