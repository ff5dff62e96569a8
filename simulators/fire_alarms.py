"""The simulated fire alarm gateway 消防报警: a handshake, then signed alarms that repeat while they last, and restores.

Before the first alarm `GET <door>?echostr=&timestamp=&nonce=&signature=` must be answered with the echostr as plain
text; the signature is the SHA-1 of secret, timestamp and nonce, sorted and joined. Each message carries `sign`: upper
case MD5 of its other non-empty fields, sorted, `k=v` joined by `&`, and `&key=secret`. A repetition of a lasting alarm
is a new message (`msgId`) with the same eventTime; a message without a good answer is sent again unchanged.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import wire
from simulators.door import happening
from simulators.system import Setup, System

_DOOR = "/in/fire_alarms"
_TIMES = (1, 4)
"""How often an alarm is repeated while it lasts: at least and at most."""


class Device(NamedTuple):
    """A part of an alarm system: its gateway id, its kind, where it hangs, and its loop and address on the panel."""

    id: str
    type: str
    unit: str
    building: str
    loop: str
    address: str


DEVICES = (
    Device("FA0001-01-023", "smoke", "示例商场有限公司", "镜湖区利民路示例商场3层", "01", "023"),
    Device("FA0001-01-101", "manual", "示例商场有限公司", "镜湖区利民路示例商场1层东门", "01", "101"),
    Device("FA0002-02-007", "heat", "示例宾馆", "弋江区中山路示例宾馆地下车库", "02", "007"),
    Device("FA0003-01-055", "sprinkler", "示例养老服务中心", "鸠江区赤铸山路示例养老服务中心2层", "01", "055"),
    Device("FA0004-01-001", "electrical", "示例小区物业", "镜湖区北京路示例小区7栋", "", ""),
)
LASTING = ("fire", "fault", "shield")
"""Event types that last and end in a restore."""
_TITLES = {"fire": "火警", "fault": "故障", "shield": "屏蔽", "test": "自检"}
_USUAL = ("fire", "fire", "fault", "shield", "test", "test")


def signed(fields: Mapping[str, str], secret: str) -> str:
    """The `sign` of a message."""
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value and name != "sign")
    return hashlib.md5(f"{text}&key={secret}".encode()).hexdigest().upper()  # noqa: S324  # the recipe's checksum


@dataclass(frozen=True)
class Alarm:
    """What one device reports from its beginning to its restore."""

    id: str
    kind: str
    device: Device
    at: datetime
    state: str = "waiting"
    messages: int = 0


class FireAlarms(System):
    """消防报警网关. Alarms: waiting (no handshake yet), lasting, restored, told (tests), unheard."""

    name = "fire_alarms"
    title = "模拟消防报警网关"
    state_titles = {
        "waiting": "待推送",
        "lasting": "报警持续",
        "restored": "已恢复",
        "told": "已推送",
        "unheard": "未握手",
    }
    options = frozenset({"door", "every"})
    """`door`: path of the hub's door (/in/fire_alarms); `every`: seconds between two repetitions (3)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._door = setup.options.get("door", _DOOR)
        self._every = float(setup.options.get("every", "3"))
        self._alarms: dict[str, Alarm] = {}
        self._shaken = False
        self._shaking = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        """Nobody calls the gateway; it can be made to shake hands again, and to raise one alarm."""
        return [Route("/_sim/handshake", self._again, methods=["POST"]), happening(_TITLES, self._happen)]

    def items(self) -> list[dict[str, str]]:
        """The alarms."""
        return [
            {
                "id": one.id,
                "no": one.id,
                "state": one.state,
                "title": f"{_TITLES[one.kind]} {one.device.building}",
                "kind": one.kind,
                "messages": str(one.messages),
            }
            for one in self._alarms.values()
        ]

    def create(self, number: int) -> str:
        """A detector trips."""
        dice = self.dice("alarm", number)
        return self._raise(dice.choice(_USUAL), f"A{number:06d}", dice)

    def _happen(self, kind: str) -> str:
        self.counts["happened"] += 1
        number = self.counts["happened"]
        return self._raise(kind, f"H{number:06d}", self.dice("happen", kind, number))

    def _raise(self, kind: str, alarm_id: str, dice: Random) -> str:
        one = Alarm(alarm_id, kind, dice.choice(DEVICES), self.now().replace(microsecond=0))
        self._alarms[one.id] = one
        self.spawn(self._report(one, dice))
        return one.id

    # The handshake

    async def _again(self, _request: Request) -> Response:
        self._shaken = False
        return JSONResponse({"shaken": await self._shake()})

    async def _shake(self) -> bool:
        """True once the door has echoed; tried with gaps, at most `attempts` times."""
        async with self._shaking:
            for attempt in range(1, self.behaviour.attempts + 1):
                if self._shaken:
                    break
                self.counts["handshakes"] += 1
                self._shaken = await self._echoed()
                if not self._shaken:
                    await asyncio.sleep(self.behaviour.gap * attempt)
            return self._shaken

    async def _echoed(self) -> bool:
        dice = self.dice("handshake", self.counts["handshakes"])
        echo, nonce = f"{dice.getrandbits(64):016x}", str(dice.randrange(10**8, 10**9))
        timestamp = str(int(self.now().timestamp()))
        text = "".join(sorted((self.setup.secret, timestamp, nonce)))
        query = {
            "echostr": echo,
            "timestamp": timestamp,
            "nonce": nonce,
            "signature": hashlib.sha1(text.encode()).hexdigest(),  # noqa: S324  # the recipe's checksum
        }
        answer = await self.call(wire.Request(f"{self._door}?{urlencode(query)}", b"", {}), method="GET")
        return answer is not None and answer.status == 200 and answer.body == echo.encode()

    # The alarms

    async def _report(self, one: Alarm, dice: Random) -> None:
        if not await self._shake():
            self._change(one.id, state="unheard")
            return
        if one.kind not in LASTING:
            await self._send(one, one.kind, one.at)
            self._change(one.id, state="told")
            return
        self._change(one.id, state="lasting")
        await self._send(one, one.kind, one.at)
        for _ in range(dice.randint(*_TIMES)):
            await asyncio.sleep(self._every)
            await self._send(one, one.kind, one.at)
        await self.step()
        await self._send(one, "restore", self.now())
        self._change(one.id, state="restored")

    async def _send(self, one: Alarm, event: str, at: datetime) -> None:
        number = self._alarms[one.id].messages + 1
        self._change(one.id, messages=number)
        device = one.device
        fields = {
            "msgId": f"{self.setup.seed}-{one.id}-{number}",
            "deviceId": device.id,
            "deviceType": device.type,
            "eventType": event,
            "eventTime": f"{at:%Y-%m-%d %H:%M:%S}",
            "unitName": device.unit,
            "buildingAddress": device.building,
            "loop": device.loop,
            "address": device.address,
        }
        body = json.dumps(fields | {"sign": signed(fields, self.setup.secret)}, ensure_ascii=False).encode()
        request = wire.Request(self._door, body, {"Content-Type": "application/json;charset=UTF-8"})
        await self.tell(f"{one.id}/{number}", request, _judged)

    def _change(self, alarm_id: str, **changes: object) -> None:
        self._alarms[alarm_id] = replace(self._alarms[alarm_id], **changes)  # type: ignore[arg-type]


def _judged(answer: wire.Answer) -> wire.Verdict:
    """`{"result":"ok"}` and nothing else is a yes; another result is a no."""
    try:
        result = json.loads(answer.body)["result"]
    except (ValueError, KeyError, TypeError):
        return wire.Verdict.UNANSWERED
    return wire.Verdict.ACCEPTED if result == "ok" else wire.Verdict.REFUSED
