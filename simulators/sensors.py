"""The simulated sensors: they publish properties to an MQTT broker on the `$oc` topics of the Huawei device model.

Nobody is called and nobody calls: the hub subscribes at the same broker. Times are UTC, compact for the level sensors,
with milliseconds for the manhole; batteries tell none. Constructed: property names, and that a broker which is away
gets everything later, up to 10 000 messages.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from starlette.routing import BaseRoute

from simulators import wire
from simulators.door import happening
from simulators.system import Setup, System

_BROKER = "mqtt://127.0.0.1:1883"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_QUEUED = 10_000
"""Messages kept for a broker that is away."""
_REPORT = "$oc/devices/{}/sys/properties/report"
_GATEWAY_REPORT = "$oc/devices/{}/sys/gateway/sub_devices/properties/report"
_MESSAGE = "$oc/devices/{}/sys/messages/up"
NORMAL, ALARM = "normal", "alarm"


def compact(moment: datetime) -> str:
    """`20260316T011233Z`."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def dashed(moment: datetime) -> str:
    """`2026-03-16T01:12:33.456Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class Sensor(NamedTuple):
    """A device of the ledger; position in WGS84."""

    id: str
    kind: str
    name: str
    lon: float
    lat: float


SENSORS = (
    Sensor("65f0demo_LEVEL0001", "level", "示例路下穿积水监测", 118.3829, 31.3476),
    Sensor("65f0demo_LEVEL0002", "level", "长江路示例段积水监测", 118.3750, 31.3300),
    Sensor("65f0demo_MANHOLE0007", "manhole", "利民路示例段井盖", 118.3700, 31.3460),
    Sensor("65f0demo_GAS0001", "gas", "示例小区燃气阀井一", 118.3762, 31.3341),
    Sensor("65f0demo_GAS0002", "gas", "示例小区燃气阀井二", 118.3764, 31.3343),
    Sensor("65f0demo_GW01", "gateway", "示例小区采集网关", 118.3763, 31.3342),
)
_KINDS = {
    "level": "level", "flood": "level", "no_time": "level", "bad_time": "level", "message": "level",
    "manhole": "manhole", "gateway": "gateway",
}  # fmt: skip
"""What can happen -> the kind of sensor it happens to."""
_OFTEN = ("level", "level", "level", "flood", "no_time", "message", "manhole", "manhole", "gateway", "gateway")


@dataclass(frozen=True)
class Telegram:
    """One message as it is published."""

    topic: str
    body: bytes


class Sensors(System):
    """MQTT 传感器. A case is one thing a sensor does; a flood is one thing and many messages.

    Options: `broker`, such as `mqtt://name:password@host:1883` or `mqtts://…` (without a password the agreed secret);
    `ca`, a file with the authority of an `mqtts` broker that the machine does not know;
    `qos` 0 or 1; `every` seconds between the repeats of an alarm; `lasts`, how many messages one alarm makes.
    `/_sim/happen` takes what can happen, and `again`: the last message published once more, as QoS 1 allows.
    """

    name = "sensors"
    title = "模拟 MQTT 传感器"
    state_titles = {NORMAL: "正常", ALARM: "报警"}
    options = frozenset({"broker", "ca", "qos", "every", "lasts"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        given = setup.options
        self._url = given.get("broker", _BROKER)
        if urlsplit(self._url).scheme not in _PORTS or not urlsplit(self._url).hostname:
            raise ValueError("broker is expected as mqtt://host:port or mqtts://host:port")
        self._qos = int(given.get("qos", "1"))
        self._every = float(given.get("every", "1"))
        self._lasts = int(given.get("lasts", "10"))
        self._states = {sensor.id: NORMAL for sensor in SENSORS}
        self._level_reports = 0
        self._last: Telegram | None = None
        self._broker: Client | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        """Published and not acknowledged, by packet identifier."""

    def routes(self) -> list[BaseRoute]:
        """Only the control door."""
        return [happening((*_KINDS, "again"), self._happen)]

    def items(self) -> list[dict[str, str]]:
        """The sensors with their positions: the ledger the hub needs."""
        return [
            {
                "id": sensor.id, "no": sensor.name, "state": self._states[sensor.id], "title": sensor.kind,
                "lon": str(sensor.lon), "lat": str(sensor.lat),
            }
            for sensor in SENSORS
        ]  # fmt: skip

    def create(self, number: int) -> str:
        """A sensor does something."""
        dice = self.dice("case", number)
        kind = dice.choice(_OFTEN)
        sensor = dice.choice([one for one in SENSORS if one.kind == _KINDS[kind]])
        return self._act(sensor, kind, dice, number)

    async def work(self) -> None:
        """As every system, with a line to the broker."""
        self._broker = self._connecting()
        self._broker.loop_start()
        try:
            await super().work()
        finally:
            self._broker.disconnect()
            self._broker.loop_stop()

    # What sensors do

    def _happen(self, kind: str) -> str:
        if kind == "again" and self._last is not None:
            self.counts["repeated"] += 1
            self.spawn(self._published(self._last))
            return self._last.topic
        self.counts["emitted"] += 1
        kind = "level" if kind == "again" else kind
        number = self.counts["emitted"]
        sensor = next(one for one in SENSORS if one.kind == _KINDS[kind])
        return self._act(sensor, kind, self.dice("case", number), number)

    def _act(self, sensor: Sensor, kind: str, dice: Random, number: int) -> str:
        if kind == "flood" and self._states[sensor.id] != ALARM:
            self._states[sensor.id] = ALARM
            self.spawn(self._flood(sensor))
        elif kind == "gateway":
            self._tell(_GATEWAY_REPORT.format(sensor.id), _sub_devices(dice, compact(self.now())))
        elif kind == "message":
            self._tell(_MESSAGE.format(sensor.id), {"content": {"hello": str(dice.randrange(1000))}})
        elif kind == "manhole":
            # Some publishers put a query behind the topic's name.
            topic = f"{_REPORT.format(sensor.id)}?request_id=req-{number:04d}"
            self._tell(topic, {"services": [_service("Manhole", _cover(dice), dashed(self.now()))]})
        elif kind == "no_time":
            self._tell(_REPORT.format(sensor.id), {"services": [_service("Battery", {"level": 79}, None)]})
        else:
            time = f"{self.now():%Y-%m-%d %H:%M:%S}" if kind == "bad_time" else compact(self.now())
            self._tell_level(sensor, time)
        return sensor.id

    async def _flood(self, sensor: Sensor) -> None:
        """The alarm is a property that is told again and again while it lasts."""
        for _ in range(self._lasts):
            self._tell_level(sensor, compact(self.now()))
            await asyncio.sleep(self._every)
        self._states[sensor.id] = NORMAL
        self._tell_level(sensor, compact(self.now()))

    def _tell_level(self, sensor: Sensor, time: str) -> None:
        alarm = int(self._states[sensor.id] == ALARM)
        self._level_reports += 1
        level = 12.5 + 30 * alarm + self._level_reports % 8 / 2
        water = _service("WaterLevel", {"level_cm": level, "alarm": alarm}, time)
        self._tell(_REPORT.format(sensor.id), {"services": [water, _service("Battery", {"level": 80}, time)]})

    # The broker

    def _tell(self, topic: str, document: Mapping[str, object]) -> None:
        telegram = Telegram(topic, json.dumps(document, ensure_ascii=False).encode())
        self._last = telegram
        self.counts["messages"] += 1
        self.spawn(self._told(telegram, self.dice("tell", self.counts["messages"])))

    async def _told(self, telegram: Telegram, dice: Random) -> None:
        """Published, after a broken copy or before a second one when the behaviour says so."""
        if dice.random() < self.behaviour.garbage:
            self.counts["garbage"] += 1
            await self._published(Telegram(telegram.topic, wire.spoiled(_request(telegram), dice).body))
        await self._published(telegram)
        if dice.random() < self.behaviour.repeat:
            self.counts["repeated"] += 1
            await self._published(telegram)

    async def _published(self, telegram: Telegram) -> None:
        """Until the broker has acknowledged it, however long it is away."""
        assert self._broker is not None  # at work
        self.counts["calls"] += 1
        at, done = self.now(), asyncio.get_running_loop().create_future()
        info: MQTTMessageInfo = self._broker.publish(telegram.topic, telegram.body, qos=self._qos)
        kept = info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS or (
            self._qos > 0 and info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN
        )
        if kept:
            self._waiting[info.mid] = done
            await done
        verdict = "acknowledged" if kept else "lost"
        self.counts["accepted" if kept else "lost"] += 1
        text, headers = wire.shown(telegram.body), {"qos": str(self._qos)}
        self.pushed.append(wire.Exchange(at, "PUBLISH", telegram.topic, headers, text, verdict=verdict))

    def _connecting(self) -> Client:
        """A client on its way to the broker. It tries for as long as it lives."""
        url = urlsplit(self._url)
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"simulated-sensors-{secrets.token_hex(4)}")
        client.max_queued_messages_set(_QUEUED)
        client.reconnect_delay_set(1, 5)
        if url.username:
            password = unquote(url.password) if url.password else self.setup.secret
            client.username_pw_set(unquote(url.username), password)
        if url.scheme == "mqtts":
            client.tls_set(ca_certs=self.setup.options.get("ca"))
        # paho calls back in a thread of its own; books are kept in the loop's.
        later = asyncio.get_running_loop().call_soon_threadsafe

        def on_connect(_: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object) -> None:
            later(self._count, "connections_refused" if reason.is_failure else "connections")

        def on_disconnect(
            _: Client, _data: object, _flags: DisconnectFlags, _reason: ReasonCode, _more: Properties | None
        ) -> None:
            later(self._count, "disconnections")

        def on_publish(_: Client, _data: object, mid: int, _reason: ReasonCode, _more: Properties) -> None:
            later(self._acknowledge, mid)

        client.on_connect, client.on_disconnect, client.on_publish = on_connect, on_disconnect, on_publish
        client.connect_async(str(url.hostname), url.port or _PORTS[url.scheme], keepalive=30)
        return client

    def _count(self, what: str) -> None:
        self.counts[what] += 1

    def _acknowledge(self, mid: int) -> None:
        waiting = self._waiting.pop(mid, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _request(telegram: Telegram) -> wire.Request:
    return wire.Request(telegram.topic, telegram.body, {})


def _service(name: str, properties: Mapping[str, object], time: str | None) -> dict[str, object]:
    service: dict[str, object] = {"service_id": name, "properties": dict(properties)}
    return service if time is None else service | {"event_time": time}


def _cover(dice: Random) -> dict[str, object]:
    opened = dice.random() < 0.5
    temperature = round(dice.uniform(5, 25), 1)
    return {"tilt": dice.randrange(25, 70) if opened else 0, "opened": opened, "temperature": temperature}


def _sub_devices(dice: Random, time: str) -> dict[str, object]:
    """What a gateway tells of the sensors behind it: the first leaks now and then."""
    leak = round(dice.uniform(8, 30), 1) if dice.random() < 0.5 else 0.0
    sensors = [sensor for sensor in SENSORS if sensor.kind == "gas"]
    readings = dict.fromkeys((sensor.id for sensor in sensors), 0.0) | {sensors[0].id: leak}
    devices = [
        {"device_id": id_, "services": [_service("Gas", {"concentration_lel": value}, time)]}
        for id_, value in readings.items()
    ]
    return {"devices": devices}
