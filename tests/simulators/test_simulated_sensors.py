"""The simulated sensors at a real mosquitto, heard by a subscriber of the test's own."""

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.connectors.servers.mosquitto import PASSWORD, PROGRAM, USERNAME, Mosquitto, mosquitto
from tests.ports import find_port
from tests.simulators.conftest import SECRET

NAME = "sensors"
FOLDER = "mqtt-sensor-properties"
QUICK = {"every": "0.01", "lasts": "4"}
pytestmark = pytest.mark.skipif(not PROGRAM or not shutil.which("mosquitto_passwd"), reason="no mosquitto installed")


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    """One broker for the tests of this module."""
    with mosquitto(find_port) as broker:
        yield broker


class Subscriber:
    """Everything that is published below `$oc`, in the order of its arrival."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[tuple[str, bytes, int]] = []
        self.ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(USERNAME, PASSWORD)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", broker.port)
        self.client.subscribe("$oc/#", qos=1)
        self.client.loop_start()
        assert self.ready.wait(5)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload), message.qos))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    subscriber = Subscriber(broker)
    yield subscriber
    subscriber.close()


def address(broker: Mosquitto) -> str:
    return f"mqtt://{USERNAME}:{PASSWORD}@127.0.0.1:{broker.port}"


@pytest.fixture
def side(start: Any, broker: Mosquitto) -> Any:
    """The sensors with quick alarms."""
    return start(NAME, options=QUICK | {"broker": address(broker)})


def happen(side: Any, *kinds: str) -> dict[str, Any]:
    for kind in kinds:
        assert side.post("/_sim/happen", json={"kind": kind}).status_code == 200
    summary: dict[str, Any] = side.drained()
    return summary


def shape(value: Any) -> Any:
    """The names in their order and the kinds of the values; of a list its first element."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    return [shape(value[0])] if isinstance(value, list) else type(value).__name__


def time_shapes(text: str) -> list[str]:
    """Every event_time with nines for digits."""
    return [re.sub(r"\d", "9", time) for time in re.findall(r'"event_time": "([^"]*)"', text)]


@pytest.mark.parametrize(
    ("kind", "name", "index"),
    [
        ("level", "01_water_level", 0),
        ("manhole", "02_manhole_tilt_ms_time", 1),
        ("no_time", "03_no_event_time", 2),
        ("gateway", "04_gateway_sub_devices", 3),
        ("message", "05_message_up", 4),
    ],
)
def test_topic_and_message_are_those_of_the_sample(
    side: Any,
    subscriber: Subscriber,
    sample: Callable[[str, str], bytes],
    until: Any,
    kind: str,
    name: str,
    index: int,
) -> None:
    expected = json.loads(sample(FOLDER, f"{name}.json"))
    row = json.loads(sample(FOLDER, "index.json"))[index]
    happen(side, kind)
    until(lambda: subscriber.heard)
    topic, body, qos = subscriber.heard[0]
    assert (topic.split("?")[0], "?request_id=" in topic, qos) == (
        row["topic"].split("?")[0],
        "?" in row["topic"],
        row["qos"],
    )
    assert shape(json.loads(body)) == shape(expected)
    assert time_shapes(body.decode()) == time_shapes(json.dumps(expected))


def test_a_flood_is_a_property_told_again_while_it_lasts(side: Any, subscriber: Subscriber, until: Any) -> None:
    summary = happen(side, "flood")
    until(lambda: len(subscriber.heard) == 5)
    water = [json.loads(body)["services"][0]["properties"] for _, body, _ in subscriber.heard]
    assert [one["alarm"] for one in water] == [1, 1, 1, 1, 0]
    assert min(one["level_cm"] for one in water[:4]) > water[4]["level_cm"]
    assert (summary["accepted"], side.items()[0]["state"]) == (5, "normal")


def test_the_same_message_comes_twice_on_demand_and_by_chance(side: Any, subscriber: Subscriber, until: Any) -> None:
    happen(side, "level", "again")
    side.behave(repeat=1)
    summary = happen(side, "manhole")
    until(lambda: len(subscriber.heard) == 4)
    first, second, third, fourth = subscriber.heard
    assert (first, third) == (second, fourth)
    assert summary["repeated"] == 2


def test_a_time_nobody_can_read_and_a_broken_body_happen(side: Any, subscriber: Subscriber, until: Any) -> None:
    happen(side, "bad_time")
    side.behave(garbage=1)
    happen(side, "level")
    until(lambda: len(subscriber.heard) == 3)
    bodies = [body for _, body, _ in subscriber.heard]
    assert re.fullmatch(r"[\d-]{10} [\d:]{8}", json.loads(bodies[0])["services"][0]["event_time"])
    with pytest.raises(ValueError):  # noqa: PT011  # not JSON, or not UTF-8
        json.loads(bodies[1])
    json.loads(bodies[2])


def test_the_story_has_every_topic(side: Any, subscriber: Subscriber, until: Any) -> None:
    side.emit(40)
    told = side.drained()["messages"]
    until(lambda: len(subscriber.heard) == told)
    kinds = {topic.split("?")[0].split("/", 3)[3] for topic, _, _ in subscriber.heard}
    assert kinds == {"sys/properties/report", "sys/gateway/sub_devices/properties/report", "sys/messages/up"}
    known = {item["id"] for item in side.items()}
    assert {topic.split("/")[2] for topic, _, _ in subscriber.heard} <= known
    assert all(118 < float(item["lon"]) < 119 and 31 < float(item["lat"]) < 32 for item in side.items())


def test_a_broker_that_went_away_gets_everything_later(start: Any, until: Any) -> None:
    with mosquitto(find_port) as broker, ExitStack() as stack:
        side = start(NAME, options=QUICK | {"broker": address(broker)})
        until(lambda: side.summary().get("connections"))
        broker.stop()
        until(lambda: side.summary().get("disconnections"))
        side.post("/_sim/happen", json={"kind": "level"})
        until(lambda: side.summary()["calls"] == 1)
        waiting = side.summary()
        assert (waiting["busy"], waiting["accepted"]) == (1, 0)
        broker.start()
        subscriber = Subscriber(broker)
        stack.callback(subscriber.close)
        until(lambda: side.summary()["busy"] == 0, seconds=10)
        assert (side.summary()["accepted"], side.system.failures) == (1, [])


def test_a_wrong_password_is_counted_and_tried_again(start: Any, broker: Mosquitto, until: Any) -> None:
    side = start(NAME, options={"broker": f"mqtt://{USERNAME}@127.0.0.1:{broker.port}"})
    until(lambda: side.summary().get("connections_refused"))
    state = side.client.get("/_sim/state").text
    assert SECRET not in state
    assert side.summary().get("connections") is None


def test_qos_0_and_tls_are_settings(start: Any, broker: Mosquitto, subscriber: Subscriber, until: Any) -> None:
    url = f"mqtts://{USERNAME}:{PASSWORD}@127.0.0.1:{broker.secure_port}"
    side = start(NAME, options={"broker": url, "ca": str(broker.ca), "qos": "0"})
    until(lambda: side.summary().get("connections"))
    assert happen(side, "level")["accepted"] == 1
    until(lambda: subscriber.heard)
    assert subscriber.heard[0][2] == 0


def test_qos_0_without_a_broker_is_lost_and_counted(start: Any) -> None:
    side = start(NAME, options={"broker": f"mqtt://127.0.0.1:{find_port()}", "qos": "0"})
    summary = happen(side, "level")
    assert (summary["lost"], summary["accepted"]) == (1, 0)


@pytest.mark.parametrize("url", ["127.0.0.1:1883", "http://127.0.0.1", "mqtt://"])
def test_a_broker_that_is_no_address_is_refused_at_the_start(start: Any, url: str) -> None:
    with pytest.raises(ValueError, match="mqtt://host:port"):
        start(NAME, options={"broker": url})
