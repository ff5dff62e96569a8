"""The simulated video platform 综合安防平台: takes a signed subscription and pushes OnEventNotify to the address in it.

Nobody tells it where the hub is: it learns the address as `eventDest`. One occurrence is several messages with one
eventId (start, pictures later, stop); a picture is a reference that a second signed call fetches while it lives.
The contract has no words for refusals, so the codes `0x…` other than `0` are constructed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import wire
from simulators.artemis import Gatekeeper
from simulators.door import happening, json_object, sent_target
from simulators.picture import png
from simulators.system import Setup, System

_SERVICE = "/artemis/api/eventService/v1/"
_INSTANT, _START, _STOP, _PICTURES = 0, 1, 2, 5
"""status of an event."""
_MOST = 50
"""Events of one push."""
_OK, _BAD, _BAD_SIGNATURE, _REFUSED = "0", "0x02400001", "0x02401003", "0x02409999"


def spaced(moment: datetime) -> str:
    """`2026-03-16T 09:12:33.000+08:00`: with the space some devices write."""
    return iso(moment).replace("T", "T ")


def iso(moment: datetime) -> str:
    """`2026-03-16T10:59:58.000+08:00`."""
    return moment.isoformat(timespec="milliseconds")


def old(moment: datetime) -> str:
    """`2026-03-16 10:04:31`: no zone."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


class Kind(NamedTuple):
    """One event type as the platform writes it."""

    code: int
    title: str
    ability: str
    time: Callable[[datetime], str]
    src_type: str = "camera"
    data_type: str = ""
    level: int | None = None
    """eventLvl: only where a linkage rule exists."""
    timeout: int = 0


KINDS = {
    "intrusion": Kind(131588, "区域入侵", "event_vss", spaced, "camera", "fielddetection", 2, 30),
    "crossing": Kind(131585, "越界侦测", "event_vss", iso),
    "parking": Kind(1157632005, "违停", "event_pms", old, "parkspace"),
    "unknown": Kind(131999, "新增事件", "event_vss", iso),
}
_UNKNOWN = KINDS["unknown"].code
"""Not in the contract's table: a platform of a later release pushes it to every subscriber."""
_USUAL = ("intrusion", "intrusion", "intrusion", "crossing", "parking", "parking", "unknown", "batch")
_CAMERAS = (
    ("d0de2c6a62ee428498a9a42c2db39ebc", "利民路口球机01"),
    ("c5b1f0a2000000000000000000000043", "示例路卡口03"),
    ("c5b1f0a2000000000000000000000044", "体育场南门枪机02"),
)
_PARK = ("c5b1f0a2000000000000000000000042", "")


@dataclass(frozen=True)
class Occurrence:
    """Something a camera saw."""

    id: str
    kind: Kind
    source: tuple[str, str]
    at: datetime
    state: str = "seen"

    def event(self, status: int, data: dict[str, object], at: datetime | None = None) -> dict[str, object]:
        """One element of `events`."""
        level = {} if self.kind.level is None else {"eventLvl": self.kind.level}
        return {
            "eventId": self.id,
            "eventType": self.kind.code,
            "happenTime": self.kind.time(at or self.at),
            "srcIndex": self.source[0],
            "srcName": self.source[1],
            "srcParentIdex": "",
            "srcType": self.kind.src_type,
            "status": status,
            "timeout": self.kind.timeout,
            **level,
            "data": data,
        }


class VideoPlatform(System):
    """综合安防平台. Occurrences: seen, started, pictured, stopped, told (instantaneous), unheard (no subscriber)."""

    name = "video_platform"
    title = "模拟视频综合安防平台"
    state_titles = {
        "seen": "已产生",
        "started": "已开始",
        "pictured": "图片已补传",
        "stopped": "已结束",
        "told": "已推送",
        "unheard": "无人订阅",
    }
    options = frozenset({"key", "picture_life", "window"})
    """`key`: the AK (DEMO-AK), its SK is the secret; `picture_life`: seconds a picture lives (600); `window`: seconds a
    signature may be old (900)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(replace(setup, hub=""))  # addresses come with the subscription and are whole
        chosen = setup.options
        window = timedelta(seconds=float(chosen.get("window", "900")))
        self._gate = Gatekeeper(chosen.get("key", "DEMO-AK"), setup.secret, self.now, window)
        self._picture_life = timedelta(seconds=float(chosen.get("picture_life", "600")))
        self._subscriptions: dict[str, frozenset[int]] = {}
        """eventDest -> event types."""
        self._pictures: dict[str, tuple[datetime, bytes]] = {}
        """Query of the reference -> when it was taken, and its bytes."""
        self._occurrences: dict[str, Occurrence] = {}

    def routes(self) -> list[BaseRoute]:
        """Subscribe, unsubscribe, pictures; subscriptions to read and one occurrence to trigger."""
        return [
            Route(f"{_SERVICE}eventSubscriptionByEventTypes", self._door(self._subscribe), methods=["POST"]),
            Route(f"{_SERVICE}eventUnSubscriptionByEventTypes", self._door(self._unsubscribe), methods=["POST"]),
            Route("/pic", self._picture, methods=["GET"]),
            Route("/_sim/subscriptions", self._subscribed),
            happening((*KINDS, "batch"), self._happen),
        ]

    def items(self) -> list[dict[str, str]]:
        """The occurrences."""
        return [
            {"id": one.id, "no": one.id, "state": one.state, "title": f"{one.kind.title} {one.source[1]}".strip()}
            for one in self._occurrences.values()
        ]

    def create(self, number: int) -> str:
        """A camera sees something."""
        dice = self.dice("event", number)
        return self._let(dice.choice(_USUAL), dice)

    # Inwards

    def _door(self, take: Callable[[dict[str, object]], str]) -> Callable[[Request], object]:
        async def door(request: Request) -> Response:
            body = await request.body()
            refused = self._refused(request, body)
            if refused is not None:
                return refused
            document = json_object(body)
            problem = "body is not a JSON object" if document is None else take(document)
            return _answered(_BAD, problem) if problem else _answered(_OK, "success")

        return door

    def _refused(self, request: Request, body: bytes) -> Response | None:
        problem = self._gate.problem(request.method, sent_target(request), request.headers, body)
        if problem:
            self.counts["unauthenticated"] += 1
            return _answered(_BAD_SIGNATURE, problem, status=401)
        if self.fault_dice.random() < self.behaviour.refuse:
            self.counts["refusals"] += 1
            return _answered(_REFUSED, "service busy")
        return None

    def _subscribe(self, document: dict[str, object]) -> str:
        types, destination = _types(document), document.get("eventDest")
        if not types:
            return "eventTypes must be a list of numbers"
        if not isinstance(destination, str) or not _is_address(destination):
            return "eventDest must be an address"
        self._subscriptions[destination] = self._subscriptions.get(destination, frozenset()) | types
        self.counts["subscribed"] += 1
        return ""

    def _unsubscribe(self, document: dict[str, object]) -> str:
        types = _types(document)
        if not types:
            return "eventTypes must be a list of numbers"
        left = {address: mine - types for address, mine in self._subscriptions.items()}
        self._subscriptions = {address: mine for address, mine in left.items() if mine}
        self.counts["unsubscribed"] += 1
        return ""

    async def _picture(self, request: Request) -> Response:
        refused = self._refused(request, b"")
        if refused is not None:
            return refused
        found = self._pictures.get(request.url.query)
        if found is None:
            return Response(status_code=404)
        taken, content = found
        if self.now() - taken > self._picture_life:
            self.counts["pictures_expired"] += 1
            return Response(status_code=410)
        self.counts["pictures_fetched"] += 1
        return Response(content, media_type="image/png")

    async def _subscribed(self, _request: Request) -> Response:
        return JSONResponse({address: sorted(types) for address, types in self._subscriptions.items()})

    # What happens

    def _happen(self, kind: str) -> str:
        self.counts["happened"] += 1
        return self._let(kind, self.dice("happen", kind, self.counts["happened"]))

    def _let(self, kind: str, dice: Random) -> str:
        if kind == "batch":
            seen = [self._seen(name, dice) for name in ("crossing", "intrusion")]
            self.spawn(self._at_once(seen, [one.event(_INSTANT, {}) for one in seen]))
            return seen[0].id
        one = self._seen(kind, dice)
        if one.kind.data_type:
            self.spawn(self._lasting(one, dice))
        else:
            self.spawn(self._at_once([one], [one.event(_INSTANT, self._instant_data(one, dice))]))
        return one.id

    def _seen(self, kind: str, dice: Random) -> Occurrence:
        described = KINDS[kind]
        source = _PARK if described.src_type == "parkspace" else dice.choice(_CAMERAS)
        guid = str(UUID(int=dice.getrandbits(128), version=4)).upper()
        one = Occurrence(guid, described, source, self.now().replace(microsecond=0))
        self._occurrences[one.id] = one
        return one

    def _instant_data(self, one: Occurrence, dice: Random) -> dict[str, object]:
        if one.kind.src_type != "parkspace":
            return {}
        number = dice.randrange(100, 100_000)
        return {
            "eventIndex": f"idx-{number}",
            "plateNo": f"皖B{dice.randrange(100):05d}",
            "plateType": "0",
            "plateTypeName": "标准民用车",
            "vehicleType": "1",
            "crossTime": (one.at - timedelta(seconds=1)).isoformat(),
            "picUri": self._taken(f"parking={number}", dice),
        }

    def _taken(self, query: str, dice: Random) -> str:
        self._pictures[query] = self.now(), png(dice)
        return f"/pic?{query}"

    async def _at_once(self, seen: list[Occurrence], events: list[dict[str, object]]) -> None:
        heard = await self._push(seen[0].kind, events)
        for one in seen:
            self._become(one.id, "told" if heard else "unheard")

    async def _lasting(self, one: Occurrence, dice: Random) -> None:
        """Start with a first picture, a better one later under the same id, and the stop."""
        kind, pictures = one.kind, [self._taken(f"0d1={one.id[:8]}{index}&Vsm=1", dice) for index in (1, 2)]
        described = {"dataType": kind.data_type, "eventDescription": kind.data_type, "channelID": 1}
        first = {"attributes": {"regionIndex": "1"}, "imageUrl": pictures[0]}
        later = {"dataType": kind.data_type, "channelID": 1, kind.data_type: [{"imageUrl": pictures[1]}]}
        parts: tuple[tuple[int, str, dict[str, object]], ...] = (
            (_START, "started", {**described, kind.data_type: [first]}),
            (_PICTURES, "pictured", later),
            (_STOP, "stopped", {}),
        )
        for status, state, data in parts:
            at = self.now().replace(microsecond=0) if status == _STOP else one.at
            heard = await self._push(kind, [one.event(status, data, at)])
            self._become(one.id, state if heard else "unheard")
            await self.step()

    async def _push(self, kind: Kind, events: list[dict[str, object]]) -> bool:
        """To everyone who subscribed to at least one of the events; True: there was somebody."""
        heard = False
        for address, types in tuple(self._subscriptions.items()):
            wanted = [event for event in events if event["eventType"] in types | {_UNKNOWN}][:_MOST]
            if not wanted:
                continue
            heard = True
            sent = (iso if kind.time is not old else old)(self.now())
            params = {"sendTime": sent, "ability": kind.ability, "uids": "", "events": wanted}
            body = json.dumps({"method": "OnEventNotify", "params": params}, ensure_ascii=False).encode()
            request = wire.Request(address, body, {"Content-Type": "application/json;charset=UTF-8"})
            await self.tell(f"{wanted[0]['eventId']}/{wanted[0]['status']}/{address}", request, _judged)
        self.counts["unheard"] += not heard
        return heard

    def _become(self, occurrence_id: str, state: str) -> None:
        self._occurrences[occurrence_id] = replace(self._occurrences[occurrence_id], state=state)


def _judged(answer: wire.Answer) -> wire.Verdict:
    """The body is ignored; a server in trouble is told again."""
    if answer.status == 200:
        return wire.Verdict.ACCEPTED
    return wire.Verdict.UNANSWERED if answer.status >= 500 else wire.Verdict.REFUSED


def _answered(code: str, message: str, *, status: int = 200) -> Response:
    return JSONResponse({"code": code, "msg": message, "data": None}, status_code=status)


def _types(document: dict[str, object]) -> frozenset[int]:
    types = document.get("eventTypes")
    if not isinstance(types, list) or not all(type(one) is int for one in types):
        return frozenset()
    return frozenset(types)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
