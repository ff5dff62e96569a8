"""The platform: REST doors in the .NET envelope, and the work whose every change is pushed as a record."""

import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import wire
from simulators.social_governance.event import (
    DONE,
    ES_TITLES,
    QUALIFIED,
    REFUSED,
    TO_EXAMINE,
    WORKING,
    Event,
    Place,
    snapshot,
)
from simulators.social_governance.form import EXAMINE, REPORT, REPORT_H5, finding
from simulators.system import Setup, System

_DOOR = "/in/social_governance"
_LOGIN = "/city/v3/Account/Login"
_RESULTS = ("已清理完毕，现场恢复整洁。", "网格员已到场劝导并处理。", "已联系物业整改完成。")
_REASONS = ("不属于网格事项，请转相关部门。", "地点不在本网格范围内。")
_DISPOSERS = ("示例网格员01", "示例网格员02", "示例网格员03")


class Ret(NamedTuple):
    """The code that decides, and its words."""

    code: int
    text: str


OK, BAD, LIMITED, BAD_TOKEN = Ret(0, "成功"), Ret(1, "参数错误"), Ret(2, "频率受限"), Ret(3, "Token无效")
USER_ERROR, EXPIRED = Ret(5, "用户名或密码错误"), Ret(7, "身份已过期")


class SocialGovernance(System):
    """社会治理. Events by ES: 0 待审核, 1 已入格, 2 处置中, 3 已办结, 9 不予受理."""

    name = "social_governance"
    title = "模拟社会治理平台"
    state_titles = {str(code): title for code, title in ES_TITLES.items()}
    options = frozenset({"token_life"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._events: dict[int, Event] = {}
        self._last_id = self.dice("id").randrange(10_000, 900_000_000)
        self._answers = self.dice("answers").randrange(100_000)
        self._sessions: dict[str, datetime] = {}
        self._token_life = timedelta(seconds=float(setup.options.get("token_life", "7200")))

    def routes(self) -> list[BaseRoute]:
        """Login and the three operations, the first one misspelt as the real platform has it."""
        return [
            Route(_LOGIN, self._login, methods=["POST"]),
            Route("/city/v3/ShootAnyTimeWW/ReprotEvent", self._door(REPORT, self._report), methods=["POST"]),
            Route("/city/v3/QualifiedMattersH5/ReportEvent", self._door(REPORT_H5, self._report_h5), methods=["POST"]),
            Route("/city/v3/ShootAnyTimeH5/ExamineQualified", self._door(EXAMINE, self._examine), methods=["POST"]),
        ]

    def items(self) -> list[dict[str, str]]:
        """The events."""
        return [event.row() for event in self._events.values()]

    def create(self, number: int) -> str:
        """A resident takes a picture."""
        event = snapshot(self.dice("snapshot", number), self._next_id(), self.now())
        self._events[event.id] = event
        self.spawn(self._offer(event.id))
        return str(event.id)

    # Inwards

    def _door(
        self, fields: dict[str, str], take: Callable[[dict[str, object]], Ret | str]
    ) -> Callable[[Request], Coroutine[object, object, Response]]:
        async def door(request: Request) -> Response:
            refused = self._stopped(request)
            if refused:
                return self._envelope(refused, None)
            document = _document(request, await request.body())
            problem = "内容类型或JSON错误" if document is None else finding(document, fields)
            if problem or document is None:
                self.counts["refusals"] += 1
                return self._envelope(Ret(BAD.code, problem), None)
            if self.fault_dice.random() < self.behaviour.refuse:
                self.counts["refusals"] += 1
                return self._envelope(Ret(5, "不予受理"), None)
            outcome = take(document)
            if isinstance(outcome, str):
                self.counts["refusals"] += bool(outcome)
                outcome = Ret(BAD.code, outcome) if outcome else OK
            return self._envelope(outcome, outcome is OK or None)

        return door

    def _stopped(self, request: Request) -> Ret | None:
        token = request.headers.get("token", "")
        if token in self._sessions:
            if self._sessions[token] <= self.now():
                self.counts["expired"] += 1
                return EXPIRED
        elif not compare_digest(token.encode(), self.setup.secret.encode()):
            self.counts["unauthenticated"] += 1
            return BAD_TOKEN
        if self.fault_dice.random() < self.behaviour.limited:
            self.counts["limited"] += 1
            return LIMITED
        return None

    async def _login(self, request: Request) -> Response:
        document = _document(request, await request.body()) or {}
        user, password = document.get("UserName"), document.get("Password")
        known = isinstance(password, str) and compare_digest(password.encode(), self.setup.secret.encode())
        if not known or not isinstance(user, str) or not user:
            self.counts["unauthenticated"] += 1
            return self._envelope(USER_ERROR, None)
        self.counts["logins"] += 1
        token = f"{self.dice('session', self.counts['logins']).getrandbits(128):032x}"
        self._sessions[token] = self.now() + self._token_life
        return self._envelope(OK, {"Token": token, "ExpiresIn": int(self._token_life.total_seconds())})

    def _report(self, document: dict[str, object]) -> str:
        """ReprotEvent: always a new event; the caller's number has no field, CollectorOpenId is echoed as given."""
        open_id = str(document.get("CollectorOpenId") or "")
        if open_id and any(event.open_id == open_id and not event.ours for event in self._events.values()):
            self.counts["doubles"] += 1  # not idempotent: it becomes a second event all the same
        where = document["Range"]
        assert isinstance(where, dict)
        event = self._new(document, open_id, float(where["Longitude"]), float(where["Latitude"]), Place())
        self.counts["reported"] += 1
        self._begin(event.id)
        return ""

    def _report_h5(self, document: dict[str, object]) -> str:
        """QualifiedMattersH5/ReportEvent: work on the snapshot ShootAnyTimeId, or on a new event when that is 0."""
        if document["ReportSource"] not in {1, 2, 3}:
            return "参数ReportSource错误"
        snapshot_id = document["ShootAnyTimeId"]
        assert isinstance(snapshot_id, int)
        if snapshot_id:
            if snapshot_id not in self._events:
                return "ShootAnyTimeId不存在"
            if self._events[snapshot_id].es in {QUALIFIED, WORKING} and self._events[snapshot_id].round:
                return "事件正在处置中"
        else:
            where = document["PM"]
            assert isinstance(where, dict)
            place = Place(*(_pair(document, name) for name in ("County", "Town", "Village")))
            open_id = str(document.get("CollectorOpenId") or "")
            snapshot_id = self._new(document, open_id, float(where["Lon"]), float(where["Lat"]), place).id
        self.counts["reported_h5"] += 1
        self._begin(snapshot_id)
        return ""

    def _examine(self, document: dict[str, object]) -> str:
        """ExamineQualified: the snapshot is taken into the grid flow (ES 1) or not (ES 9). Twice does no harm."""
        event_id, verdict = document["Id"], document["IsQualified"]
        assert isinstance(event_id, int)
        if event_id not in self._events:
            return "Id不存在"
        if verdict not in {0, 1}:
            return "参数IsQualified错误"
        self.counts["examined"] += 1
        event = self._events[event_id]
        if verdict == 0:
            self._change(event_id, es=REFUSED, qualified=0, round=event.round + 1)
        elif event.es == TO_EXAMINE:
            self._change(event_id, es=QUALIFIED, qualified=1)
        return ""

    def _new(self, document: dict[str, object], open_id: str, lon: float, lat: float, place: Place) -> Event:
        big, photos = document["BCategoryId"], document["EventPhotos"]
        assert isinstance(big, int)
        assert isinstance(photos, list)
        event = Event(
            id=self._next_id(),
            big=big,
            big_name=_text(document, "BCategoryName"),
            small=_text(document, "SCategoryId"),
            small_name=_text(document, "SCategoryName"),
            open_id=open_id,
            name=_text(document, "CollectorName"),
            phone=_text(document, "CollectorMobilePhone"),
            text=_text(document, "EventDesc"),
            address=_text(document, "EventAddress"),
            photos=tuple(photos),
            lon=lon,
            lat=lat,
            created_at=self.now(),
            place=place,
            qualified=1,
            ours=False,
        )
        self._events[event.id] = event
        return event

    # Work

    def _begin(self, event_id: int) -> None:
        event = self._events[event_id]
        self._change(event_id, round=event.round + 1, reply="", disposer="", disposed_at=None)
        self.spawn(self._work(event_id, event.round + 1))

    async def _work(self, event_id: int, round_: int) -> None:
        """ES 1, then 2 and 3, or 9 when it is returned; a snapshot was qualified before and starts at 2."""
        event = self._events[event_id]
        dice = self.dice("work", event.open_id if not event.ours else event.id, round_)
        returns = dice.random() < self.behaviour.returned
        disposer = dice.choice(_DISPOSERS)
        for es in (WORKING,) if event.ours else (QUALIFIED, WORKING):
            await self.step()
            if es == WORKING and returns:
                reason = dice.choice(_REASONS)
                await self._become(event_id, round_, es=REFUSED, reply=reason, disposer=disposer)
                return
            await self._become(event_id, round_, es=es, qualified=1)
        await self.step()
        result = dice.choice(_RESULTS)
        await self._become(event_id, round_, es=DONE, reply=result, disposer=disposer, disposed_at=self.now())

    async def _become(self, event_id: int, round_: int, **changes: object) -> None:
        if self._events[event_id].round != round_:
            return  # the hub withdrew it, or asked for it again
        self._change(event_id, **changes)
        verdict = await self._tell(event_id)
        if verdict is wire.Verdict.ACCEPTED and changes["es"] in _COUNTS:
            self.counts[_COUNTS[int(str(changes["es"]))]] += 1

    async def _offer(self, event_id: int) -> None:
        await self._tell(event_id)

    async def _tell(self, event_id: int) -> wire.Verdict:
        event = self._events[event_id]
        body = json.dumps(event.record(), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "token": self.setup.secret}
        return await self.tell(f"{event.id}/{event.round}/{event.es}", wire.Request(_DOOR, body, headers), _judged)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _change(self, event_id: int, **changes: object) -> None:
        self._events[event_id] = replace(self._events[event_id], **changes)  # type: ignore[arg-type]

    def _envelope(self, ret: Ret, data: object) -> Response:
        self._answers += 1
        return JSONResponse(
            {"Data": data, "Ret": ret.code, "ErrCode": 0, "Msg": ret.text, "SeqId": self._answers, "InfoMsg": None}
        )


_COUNTS = {WORKING: "signed", DONE: "finished", REFUSED: "returned"}


def _judged(answer: wire.Answer) -> wire.Verdict:
    """Ret decides: 0 done; 2, 4, 6 later; everything else is a no."""
    try:
        ret = json.loads(answer.body)["Ret"]
    except (ValueError, KeyError, TypeError):
        return wire.Verdict.UNANSWERED
    if ret in {2, 4, 6}:
        return wire.Verdict.UNANSWERED
    return wire.Verdict.ACCEPTED if ret == 0 else wire.Verdict.REFUSED


def _document(request: Request, body: bytes) -> dict[str, object] | None:
    """The JSON object of the body; None when it is no JSON by type or content."""
    if request.headers.get("content-type", "").split(";")[0].strip() not in {"application/json", "text/json"}:
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _text(document: dict[str, object], name: str) -> str:
    return str(document.get(name) or "")


def _pair(document: dict[str, object], name: str) -> tuple[str, str]:
    return _text(document, f"{name}Id"), _text(document, f"{name}Name")
