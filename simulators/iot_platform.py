"""The simulated IoT platform (CTWing AEP): devices whose messages are pushed to one address of the hub.

A push that is not answered with HTTP 200 is tried three times more. A receiver that fails too often is left alone for a
cool-down; what the devices say meanwhile is lost, and only counted here. Constructed: Alarm_Status 0 for a calm
detector, the course of the liquid level, that attempts are what counts as failures, and that the share of failures
counts from twenty attempts on.
"""

import asyncio
import base64
import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import wire
from simulators.door import happening
from simulators.system import Setup, System
from simulators.wire import Verdict

_DOOR = "/in/iot_platform"
_TENANT = "20000001"
_CALM, _SMOKE = 0, 2
"""Alarm_Status."""
_WINDOW = 10.0
"""Seconds over which the share of failures is taken."""
_FEW = 20
"""Attempts in the window below which no share is taken."""
_SHARE = 0.1
_LOW, _RISE, _TURN = 80, 45, 12
"""Liquid level: the lowest in mm, mm from one report to the next, reports from lowest to highest."""
NORMAL, ALARM, OFFLINE = "normal", "alarm", "offline"


@dataclass(frozen=True)
class Device:
    """A device of the ledger; position in WGS84."""

    id: str
    kind: str
    product: str
    topic: str
    name: str
    address: str
    lon: float
    lat: float
    imei: str = ""
    service: str | int = ""
    """serviceId of its envelopes: each product has its own idea of it."""


_LWM2M = "demo{0:04d}aaaa4bbb8cccddddeeee{0:04d}"
_HOST = Device("1501000401", "fire_host", "15010004", "ad", "示例商场消防主机", "弋江区示例商场", 118.3800, 31.2900)
DEVICES = (
    *(
        Device(_LWM2M.format(no), kind, product, topic, name, address, lon, lat, f"86000000000{no:04d}", service)
        for no, kind, product, topic, name, address, lon, lat, service in (
            (1, "smoke", "15010001", "v1/up/ad19prof", "示例大厦3层烟感", "镜湖区示例大厦3层", 118.3762, 31.3341, ""),
            (2, "level", "15010002", "v1/up/ad19", "示例路下穿积水点", "镜湖区示例路下穿通道", 118.3829, 31.3476, 1),
            (3, "manhole", "15010003", "v1/up/ad", "利民路示例段井盖", "镜湖区利民路示例段", 118.3700, 31.3460, ""),
            (5, "smoke", "15010001", "v1/up/ad19prof", "示例养老院2层烟感", "鸠江区示例养老院", 118.4200, 31.3700, ""),
            (6, "level", "15010002", "v1/up/ad19", "长江路示例段泵站", "镜湖区长江路示例段", 118.3750, 31.3300, 1),
        )
    ),
    _HOST,
)
_KINDS = {
    "smoke": "smoke", "calm": "smoke", "level": "level", "binary": "manhole", "base64_json": "fire_host",
    "offline": "level", "online": "level",
}  # fmt: skip
"""What can happen -> the kind of device it happens to."""
_OFTEN = ("level", "level", "level", "calm", "smoke", "binary", "base64_json", "offline")


class IotPlatform(System):
    """物联网平台. A case here is one thing a device does; a smoke alarm is one thing and many messages.

    Options: `door`, the hub's path; `cooldown` seconds; `failures` in a row that start it (more than this many);
    `every` seconds between the repeats of an alarm; `lasts`, how many messages one alarm makes.
    """

    name = "iot_platform"
    title = "模拟物联网平台"
    state_titles = {NORMAL: "正常", ALARM: "报警", OFFLINE: "离线"}
    options = frozenset({"door", "cooldown", "failures", "every", "lasts"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        given = setup.options
        self._door = given.get("door", _DOOR)
        self._cooldown = float(given.get("cooldown", "60"))
        self._limit = int(given.get("failures", "100"))
        self._every = float(given.get("every", "1"))
        self._lasts = int(given.get("lasts", "10"))
        self._states = {device.id: NORMAL for device in DEVICES}
        self._reports: Counter[str] = Counter()
        """Messages made of each device."""
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._cold_until = 0.0
        self._lost: list[dict[str, object]] = []

    def routes(self) -> list[BaseRoute]:
        """Only control doors: `/_sim/happen`, and `/_sim/lost` with what no receiver will ever see."""
        return [happening(tuple(_KINDS), self._happen), Route("/_sim/lost", self._show_lost)]

    def items(self) -> list[dict[str, str]]:
        """The devices with their positions: the ledger the hub needs."""
        return [self._row(device) for device in DEVICES]

    def create(self, number: int) -> str:
        """A device does something."""
        dice = self.dice("case", number)
        kind = dice.choice(_OFTEN)
        device = dice.choice([one for one in DEVICES if one.kind == _KINDS[kind]])
        if kind == "offline" and self._states[device.id] == OFFLINE:
            kind = "online"
        return self._act(device, kind)

    def _happen(self, kind: str) -> str:
        self.counts["emitted"] += 1
        return self._act(next(one for one in DEVICES if one.kind == _KINDS[kind]), kind)

    def _row(self, device: Device) -> dict[str, str]:
        return {
            "id": device.id,
            "no": device.name,
            "state": self._states[device.id],
            "title": device.kind,
            "product": device.product,
            "address": device.address,
            "lon": str(device.lon),
            "lat": str(device.lat),
            "reports": str(self._reports[device.id]),
        }

    async def _show_lost(self, _request: Request) -> Response:
        return JSONResponse(self._lost)

    # What devices do

    def _act(self, device: Device, kind: str) -> str:
        if kind in {"offline", "online"}:
            self._states[device.id] = OFFLINE if kind == "offline" else NORMAL
            self._send(device, self._connection(device, online=kind == "online"))
        elif kind == "smoke" and self._states[device.id] != ALARM:
            self._states[device.id] = ALARM
            self.spawn(self._alarm(device))
        else:
            status = _SMOKE if self._states[device.id] == ALARM else _CALM
            self._send(device, self._data(device, self._payload(device, status)))
        return device.id

    async def _alarm(self, device: Device) -> None:
        """Smoke: the same alarm again and again while it lasts, and one calm report at the end."""
        for _ in range(self._lasts):
            self._send(device, self._data(device, self._payload(device, _SMOKE)))
            await asyncio.sleep(self._every)
        self._states[device.id] = NORMAL
        self._send(device, self._data(device, self._payload(device, _CALM)))

    def _payload(self, device: Device, status: int) -> dict[str, object]:
        reports = self._reports[device.id]
        if device.kind == "smoke":
            return _detector(device, status)
        if device.kind == "level":
            return {"liquid_level": _LOW + _RISE * (_TURN - abs(reports % (2 * _TURN) - _TURN))}
        if device.kind == "manhole":
            return {"APPdata": _packed(_frame(device, reports))}
        moment = self._milliseconds()
        value = {"b": [{"id": "222", "v": str(reports % 2)}], "c": 27, "id": moment, "tm": moment}
        return {"APPdata": _packed(json.dumps(value, indent=3).encode())}

    def _data(self, device: Device, payload: dict[str, object]) -> dict[str, object]:
        """dataReport, fields in the platform's order."""
        wireless = device.imei != ""
        return {
            "upPacketSN": -1,
            "upDataSN": -1,
            "topic": device.topic,
            "timestamp": self._milliseconds(),
            "tenantId": _TENANT,
            "serviceId": device.service,
            "protocol": "lwm2m" if wireless else "tcp",
            "productId": device.product,
            "payload": payload,
            "messageType": "dataReport",
            "deviceType": "",
            "deviceId": device.id,
            "assocAssetId": "",
            "IMSI": "undefined" if wireless else "",  # the platform's own text, not a missing value
            "IMEI": device.imei,
        }

    def _connection(self, device: Device, *, online: bool) -> dict[str, object]:
        """deviceOnlineOfflineReport."""
        return {
            "timestamp": self._milliseconds(),
            "tenantId": _TENANT,
            "protocol": "lwm2m",
            "productId": device.product,
            "messageType": "deviceOnlineOfflineReport",
            "iotId": "",
            "eventType": int(online),
            "deviceId": device.id,
        }

    def _milliseconds(self) -> int:
        return int(self.now().timestamp() * 1000)

    # What the platform does with it

    def _send(self, device: Device, message: dict[str, object]) -> None:
        self._reports[device.id] += 1
        self.counts["messages"] += 1
        self.spawn(self._push(message, f"{device.id}/{self._reports[device.id]}"))

    async def _push(self, message: dict[str, object], about: str) -> None:
        if self._cold():
            self._lose(message)
            return
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        request = wire.Request(self._door, body, {"Content-Type": "application/json"})
        verdict = await self.tell(about, request, _judged)
        if verdict is not Verdict.ACCEPTED:
            self._lose(message)

    async def _tried(
        self, request: wire.Request, judge: Callable[[wire.Answer], Verdict], again: frozenset[Verdict]
    ) -> Verdict:
        # Whatever is not HTTP 200 is tried again, so `again` has nothing to say here.
        verdict = Verdict.UNANSWERED
        for attempt in range(1, self.behaviour.attempts + 1):
            answer = await self.call(request)
            verdict = Verdict.UNANSWERED if answer is None else judge(answer)
            self._learn(failed=verdict is not Verdict.ACCEPTED)
            if verdict is Verdict.ACCEPTED or attempt == self.behaviour.attempts:
                break
            await asyncio.sleep(self.behaviour.gap * attempt)
            if self._cold():
                break
            self.counts["tried_again"] += 1
        return verdict

    def _learn(self, *, failed: bool) -> None:
        now = asyncio.get_running_loop().time()
        self._in_a_row = self._in_a_row + 1 if failed else 0
        self._recent.append((now, failed))
        while self._recent[0][0] < now - _WINDOW:
            self._recent.popleft()
        failures = sum(bad for _, bad in self._recent)
        often = len(self._recent) >= _FEW and failures > _SHARE * len(self._recent)
        if failed and (often or self._in_a_row > self._limit) and not self._cold():
            self._cold_until = now + self._cooldown
            self.counts["cooldowns"] += 1
            self._in_a_row = 0
            self._recent.clear()

    def _cold(self) -> bool:
        return asyncio.get_running_loop().time() < self._cold_until

    def _lose(self, message: dict[str, object]) -> None:
        self.counts["lost"] += 1
        self._lost.append({name: message[name] for name in ("deviceId", "timestamp", "messageType")})


def _judged(answer: wire.Answer) -> Verdict:
    return Verdict.ACCEPTED if answer.status == 200 else Verdict.REFUSED


def _packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _detector(device: Device, status: int) -> dict[str, object]:
    alarmed = status == _SMOKE
    data: dict[str, object] = {
        "TData": 46 if alarmed else 24,
        "SNR": 1,
        "RSRP": 114,
        "IMEI": device.imei,
        "Cell_ID_Length": 8,
        "Cell_ID": "00000001",
        "CSQ": 5,
        "Battery_Level": 100,
        "Alarm_Status": status,
        "AlarmLevel": 100 if alarmed else 0,
    }
    return {"serviceId": "notification", "serviceData": data}


def _frame(device: Device, reports: int) -> bytes:
    """The product's binary: head, version, counter, IMEI, tail."""
    head = b"\x01\x01V1.0" + reports.to_bytes(4, "big") + b"#\x00\x00\x00\x07\xff\x00%"
    return head + device.imei.encode() + b"\x00\x01\x002\x005"
