"""The simulated IoT platform against the shared samples and a hub that records, fails and is gone."""

import base64
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

NAME = "iot_platform"
FOLDER = "iot-ctwing-aep-push"
KINDS = {
    "smoke": "01_smoke_alarm",
    "level": "02_liquid_level",
    "binary": "03_binary_appdata",
    "base64_json": "04_tcp_base64_json",
    "offline": "05_device_offline",
}
QUICK = {"every": "0.01", "lasts": "4"}


@pytest.fixture
def side(start: Any, hub: Any) -> Any:
    """The platform with quick alarms."""
    hub.answers[NAME] = ""
    return start(NAME, options=QUICK)


def happen(side: Any, *kinds: str) -> None:
    for kind in kinds:
        answer: httpx.Response = side.post("/_sim/happen", json={"kind": kind})
        assert answer.status_code == 200, answer.text


def messages(hub: Any) -> list[dict[str, Any]]:
    return [json.loads(body) for body in hub.bodies()]


def shape(value: Any) -> Any:
    """The names in their order and the kinds of the values."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    return type(value).__name__


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_has_the_shape_of_the_sample(
    side: Any, hub: Any, sample: Callable[[str, str], bytes], kind: str
) -> None:
    expected = json.loads(sample(FOLDER, f"{KINDS[kind]}.json"))
    happen(side, kind)
    side.drained()
    pushed = messages(hub)[0]
    assert shape(pushed) == shape(expected)
    same = ("topic", "tenantId", "serviceId", "protocol", "productId", "messageType", "deviceId", "IMSI", "IMEI")
    assert [pushed.get(name) for name in same] == [expected.get(name) for name in same]
    assert 1_500_000_000_000 < pushed["timestamp"] < 5_000_000_000_000
    assert hub.requests[0][1]["content-type"] == "application/json"


def test_smoke_is_told_again_while_it_lasts_and_calm_once_at_the_end(side: Any, hub: Any, until: Any) -> None:
    happen(side, "smoke")
    until(lambda: side.items()[0]["state"] == "alarm")
    side.drained()
    alarms = sorted(messages(hub), key=lambda message: message["timestamp"])
    status = [message["payload"]["serviceData"]["Alarm_Status"] for message in alarms]
    assert sorted(status, reverse=True) == [2, 2, 2, 2, 0]
    assert side.items()[0]["state"] == "normal"


def test_the_liquid_level_rises_and_falls_in_millimetres(side: Any, hub: Any) -> None:
    for _ in range(30):
        happen(side, "level")
        side.drained()
    levels = [message["payload"]["liquid_level"] for message in messages(hub)]
    steps = {after - before for before, after in pairwise(levels)}
    assert steps == {45, -45}
    assert (min(levels), max(levels)) == (80, 620)


def test_packed_payloads_open_as_the_products_bytes_and_json(
    side: Any, hub: Any, sample: Callable[[str, str], bytes]
) -> None:
    happen(side, "binary", "base64_json")
    side.drained()
    packed = {message["productId"]: base64.b64decode(message["payload"]["APPdata"]) for message in messages(hub)}
    expected = base64.b64decode(json.loads(sample(FOLDER, "03_binary_appdata.json"))["payload"]["APPdata"])
    assert (packed["15010003"][:6], len(packed["15010003"])) == (expected[:6], len(expected))
    assert packed["15010003"][10:] == expected[10:]
    inner = json.loads(packed["15010004"])
    assert [*inner] == ["b", "c", "id", "tm"]


def test_a_device_goes_offline_and_comes_back(side: Any, hub: Any) -> None:
    happen(side, "offline")
    side.drained()
    assert side.items()[1]["state"] == "offline"
    happen(side, "online")
    side.drained()
    assert [message["eventType"] for message in messages(hub)] == [0, 1]
    assert side.items()[1]["state"] == "normal"


def test_the_items_are_the_ledger_of_the_contract(side: Any, sample: Callable[[str, str], bytes]) -> None:
    lines = sample(FOLDER, "../devices.csv").decode().splitlines()[1:]
    known = {item["id"]: (item["product"], item["lon"], item["lat"]) for item in side.items()}
    for line in lines:
        cells = line.split(",")
        assert known[cells[0]] == (cells[1], cells[4], cells[5])


def test_a_failed_push_is_tried_three_times_more_and_then_lost(side: Any, hub: Any) -> None:
    hub.failing = 3
    happen(side, "level")
    assert (side.drained()["accepted"], len(hub.requests)) == (1, 4)
    hub.failing = 4
    happen(side, "level")
    summary = side.drained()
    assert (summary["accepted"], summary["lost"], len(hub.requests)) == (1, 1, 8)
    assert summary.get("cooldowns", 0) == 0


def test_failures_in_a_row_start_a_cool_down_whose_messages_are_lost_and_counted(
    start: Any, hub: Any, until: Callable[..., None]
) -> None:
    hub.answers[NAME] = ""
    side = start(NAME, options=QUICK | {"cooldown": "0.5", "failures": "3"})
    hub.failing = 4
    happen(side, "level")
    side.drained()
    happen(side, "level", "binary")
    summary = side.drained()
    assert (summary["cooldowns"], summary["lost"], len(hub.requests)) == (1, 3, 4)
    lost = side.client.get("/_sim/lost").json()
    assert {one["deviceId"][:8] for one in lost} == {"demo0002", "demo0003"}

    def heard() -> bool:
        happen(side, "level")
        return len(hub.requests) > 4

    until(heard)
    summary = side.drained()
    assert summary["messages"] == summary["accepted"] + summary["lost"]


def test_more_than_a_tenth_of_the_recent_pushes_failing_starts_one_too(side: Any, hub: Any) -> None:
    for _ in range(18):
        happen(side, "level")
    side.drained()
    hub.failing = 2
    happen(side, "level")
    assert side.drained().get("cooldowns", 0) == 0
    hub.failing = 1
    happen(side, "level")
    assert side.drained()["cooldowns"] == 1


def test_a_hub_that_is_gone_loses_messages_too(start: Any, hub: Any) -> None:
    side = start(NAME, options=QUICK | {"door": "/nowhere"}, attempts=2)
    happen(side, "level")
    summary = side.drained()
    assert (summary["calls"], summary["refused"], summary["lost"]) == (2, 1, 1)


def test_a_message_may_come_twice_and_a_broken_copy_before(side: Any, hub: Any) -> None:
    side.behave(repeat=1, garbage=1)
    happen(side, "level")
    side.drained()
    broken, one, other = hub.bodies()
    assert one == other != broken


def test_the_same_seed_makes_the_same_devices_speak(start: Any, hub: Any) -> None:
    def story(seed: int) -> list[str]:
        side = start(NAME, options=QUICK, seed=seed)
        return side.emit(20)  # type: ignore[no-any-return]

    assert story(3) == story(3) != story(4)


def test_what_cannot_happen_is_refused(side: Any) -> None:
    assert side.post("/_sim/happen", json={"kind": "earthquake"}).status_code == 400
