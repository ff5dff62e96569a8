"""The simulated patrol app 网格巡查App: many phones, clocks that are off, and a queue for places without a signal.

`POST <door>` multipart/form-data: the part `meta` (JSON) and 0 to 3 parts `photos`; the answer is
`{"code":0,"msg":"ok","data":{"caseNo":...}}`. A phone repeats on any doubt with the same clientUuid and the same bytes;
what was written down offline is sent later, in any order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import city, wire
from simulators.door import json_object
from simulators.gcj02 import gcj02
from simulators.picture import png
from simulators.system import Setup, System

_DOOR = "/in/patrol_app"
_SKEW = 300
"""Seconds a phone's clock may be off, either way."""
_PHONES = 12


class Category(NamedTuple):
    """What patrollers report. Constructed codes."""

    code: str
    text: str


CATEGORIES = (
    Category("E0301", "沿街店铺门口堆放杂物，影响通行"),
    Category("E0402", "共享单车倒伏占用盲道"),
    Category("E0405", "流动摊贩占道经营"),
    Category("P0103", "雨水井盖松动，车辆经过有异响"),
    Category("P0107", "路灯不亮，附近多盏同时熄灭"),
    Category("E0110", "绿化带内有大量暴露垃圾"),
    Category("S0201", "楼道内堆放纸箱并停放电动自行车"),
)


@dataclass(frozen=True)
class Finding:
    """One report as a phone keeps it."""

    uuid: str
    meta: Mapping[str, object]
    photos: tuple[bytes, ...]
    offline: bool
    state: str = "kept"
    case_numbers: tuple[str, ...] = ()
    """All the hub ever answered; more than one means the hub took it twice."""

    def request(self, door: str, token: str) -> wire.Request:
        """As the app's HTTP library writes it; the boundary follows from the uuid, so repetitions are alike."""
        meta = json.dumps(self.meta, ensure_ascii=False).encode()
        parts: list[tuple[str, tuple[str | None, bytes, str]]] = [("meta", (None, meta, "application/json"))]
        parts += [
            ("photos", (f"{self.uuid[:8]}-{index}.png", photo, "image/png"))
            for index, photo in enumerate(self.photos, 1)
        ]
        kind = {"Content-Type": f"multipart/form-data; boundary=----patrol{self.uuid}"}
        built = httpx.Request("POST", "http://hub", files=parts, headers=kind)
        return _Posted(door, built.read(), kind | {"Authorization": f"Bearer {token}"}, uuid=self.uuid)


@dataclass(frozen=True)
class _Posted(wire.Request):
    """A request that knows whose it is."""

    uuid: str = ""


class PatrolApp(System):
    """网格巡查. Findings: kept (on the phone), sent (case number known), refused, unanswered."""

    name = "patrol_app"
    title = "模拟网格巡查App"
    state_titles = {"kept": "离线暂存", "sent": "已上报", "refused": "未受理", "unanswered": "无应答"}
    options = frozenset({"door", "offline", "skew"})
    """`door`: path of the hub's door (/in/patrol_app); `offline`: share of findings written down offline (0.2); `skew`:
    seconds every phone's clock is off (each phone its own, up to 300)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._door = setup.options.get("door", _DOOR)
        self._share = float(setup.options.get("offline", "0.2"))
        self._skew = setup.options.get("skew")
        self._offline = False
        self._findings: dict[str, Finding] = {}
        self._queue: list[str] = []

    def routes(self) -> list[BaseRoute]:
        """Nobody calls an app; the signal can be taken away and given back."""
        return [Route("/_sim/offline", self._signal, methods=["POST"])]

    def items(self) -> list[dict[str, str]]:
        """The findings."""
        return [
            {
                "id": one.uuid,
                "no": one.case_numbers[0] if one.case_numbers else one.uuid,
                "state": one.state,
                "title": str(one.meta["content"]),
                "case_numbers": ",".join(one.case_numbers),
                "offline": "true" if one.offline else "false",
            }
            for one in self._findings.values()
        ]

    def create(self, number: int) -> str:
        """A patroller sees something."""
        dice = self.dice("finding", number)
        one = self._found(dice)
        self._findings[one.uuid] = one
        if self._offline:
            self._queue.append(one.uuid)
        elif one.offline:
            self.spawn(self._later(one.uuid))
        else:
            self.spawn(self._send(one.uuid))
        return one.uuid

    def _found(self, dice: Random) -> Finding:
        where, what, phone = city.spot(dice), dice.choice(CATEGORIES), dice.randrange(1, _PHONES + 1)
        uuid = str(UUID(int=dice.getrandbits(128), version=4))
        lon, lat = gcj02(where.lon, where.lat)
        offline = self._offline or dice.random() < self._share
        meta = {
            "clientUuid": uuid,
            "gridCode": f"{where.community.code}{dice.randrange(1, 9):03d}",
            "categoryCode": what.code,
            "content": f"{what.text}（{where.address}）",
            "lng": round(lon, 6),
            "lat": round(lat, 6),
            "deviceTime": self._device_time(phone, self.now()),
            "deviceUtcOffset": 480,
            "patrolName": f"示例巡查员{phone:02d}",
            "patrolPhone": f"1380000{phone:04d}",
            "isOffline": offline,
        }
        return Finding(uuid, meta, tuple(png(dice) for _ in range(dice.randrange(4))), offline)

    def _device_time(self, phone: int, now: datetime) -> int:
        """Epoch milliseconds by this phone's clock."""
        own = self.dice("clock", phone).uniform(-_SKEW, _SKEW)
        skew = own if self._skew is None else float(self._skew)
        return int((now + timedelta(seconds=skew)).timestamp() * 1000)

    async def _later(self, uuid: str) -> None:
        await self.step()
        await self._send(uuid)

    async def _signal(self, request: Request) -> Response:
        """`{"offline": true}`: no phone has a signal; false: all send what they kept, in any order."""
        self._offline = (json_object(await request.body()) or {}).get("offline") is True
        kept = len(self._queue)
        if not self._offline:
            self.counts["flushed"] += kept
            self.spawn(self._flush())
        return JSONResponse({"offline": self._offline, "kept": kept})

    async def _flush(self) -> None:
        """One after the other: a phone has one line."""
        waiting, self._queue = self._queue, []
        self.dice("flush", self.counts["flushed"]).shuffle(waiting)
        for uuid in waiting:
            await self._send(uuid)

    async def _send(self, uuid: str) -> None:
        request = self._findings[uuid].request(self._door, self.setup.secret)
        verdict = await self.tell(uuid, request, _judged)
        state = "sent" if verdict is wire.Verdict.ACCEPTED else str(verdict)
        self._findings[uuid] = replace(self._findings[uuid], state=state)

    async def call(self, request: wire.Request, *, method: str = "POST") -> wire.Answer | None:
        """As every system does; each case number is written down, also of a repetition."""
        answer = await super().call(request, method=method)
        number = _case_number(answer) if answer is not None and isinstance(request, _Posted) else ""
        if number and isinstance(request, _Posted):
            one = self._findings[request.uuid]
            if number not in one.case_numbers:
                self.counts["doubled"] += bool(one.case_numbers)
                self._findings[one.uuid] = replace(one, case_numbers=(*one.case_numbers, number))
        return answer


def _judged(answer: wire.Answer) -> wire.Verdict:
    """code 0 with a case number is a yes; a server in trouble is asked again; any other code is a no."""
    code = (json_object(answer.body) or {}).get("code")
    if answer.status >= 500 or code is None:
        return wire.Verdict.UNANSWERED
    return wire.Verdict.ACCEPTED if code == 0 and _case_number(answer) else wire.Verdict.REFUSED


def _case_number(answer: wire.Answer) -> str:
    data = (json_object(answer.body) or {}).get("data")
    return str(data.get("caseNo") or "") if isinstance(data, dict) else ""
