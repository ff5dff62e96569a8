"""The sensors' own samples, as stored beside the checkout, with the topics they came by."""

import json
from datetime import datetime
from pathlib import Path

import pytest

import adapters
from adapters import System
from adapters.samples import ID
from canonical.alarm import AlarmState
from canonical.coordinates import known_crs
from canonical.errors import Unacceptable
from canonical.message import Message
from canonical.reading import Reading
from canonical.time import SHANGHAI
from routing.storm import Decision, policy_of, tell
from tests.adapters.systems import NOW, loaded

SAMPLES = Path(__file__).parents[2].parent / "shared" / "contracts" / "mqtt-sensor-properties" / "samples"
FOLDER = adapters.shipped()["sensors"]
THAT_DAY = datetime(2026, 3, 16, 10, 0, tzinfo=SHANGHAI)
REPORT = "$oc/devices/{}/sys/properties/report"
stored = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the reference contracts are not beside this checkout")


@pytest.fixture(scope="module")
def system() -> System:
    return loaded(FOLDER)


def received(
    system: System, body: bytes, topic: str, *, at: datetime = NOW, door: str = "properties"
) -> list[Reading | Unacceptable]:
    return system.receive(Message(system="s", body=body, at=at, id=ID, door=door, path=topic))


def readings(system: System, name: str, door: str = "properties") -> list[Reading]:
    topic = next(one["topic"] for one in json.loads((SAMPLES / "index.json").read_bytes()) if one["file"] == name)
    read = received(system, (SAMPLES / name).read_bytes(), topic, at=THAT_DAY, door=door)
    good = [one for one in read if isinstance(one, Reading)]
    assert len(good) == len(read), read
    return good


def water(alarm: object, event_time: str | None = None, level: float = 42.5) -> bytes:
    service = {"service_id": "WaterLevel", "properties": {"level_cm": level, "alarm": alarm}}
    return json.dumps({"services": [service | ({} if event_time is None else {"event_time": event_time})]}).encode()


@stored
def test_each_service_of_a_message_is_read_by_itself(system: System) -> None:
    level, battery = readings(system, "01_water_level.json")

    assert level.alarm
    assert (level.alarm.device, level.alarm.active, level.alarm.value) == ("65f0demo_LEVEL0001", True, 42.5)
    assert level.alarm.at == datetime(2026, 3, 16, 9, 12, 33, tzinfo=SHANGHAI)
    assert (battery.kind, battery.alarm, battery.report) == ("battery", None, None)


@stored
def test_a_query_behind_the_topic_is_no_part_of_the_device(system: System) -> None:
    [cover] = readings(system, "02_manhole_tilt_ms_time.json")

    assert cover.alarm
    assert (cover.alarm.device, cover.alarm.kind, cover.alarm.active) == ("65f0demo_MANHOLE0007", "manhole", True)
    assert cover.alarm.at == datetime(2026, 3, 16, 9, 12, 33, 456000, tzinfo=SHANGHAI)


@stored
def test_a_battery_without_a_time_is_noted(system: System) -> None:
    [battery] = readings(system, "03_no_event_time.json")

    assert battery.external_id.startswith("65f0demo_LEVEL0001-Battery-")


@stored
def test_devices_behind_a_gateway_are_called_by_their_own_ids(system: System) -> None:
    first, second = readings(system, "04_gateway_sub_devices.json", door="sub_devices")

    assert first.alarm
    assert second.alarm
    assert (first.alarm.device, first.alarm.value) == ("65f0demo_GAS0001", 12.5)
    assert (second.alarm.device, second.alarm.value) == ("65f0demo_GAS0002", 0.0)


@stored
def test_free_content_is_kept_and_concerns_no_case(system: System) -> None:
    [message] = readings(system, "05_message_up.json", door="messages")

    assert (message.kind, message.alarm, message.report) == ("message_up", None, None)


@pytest.mark.parametrize(
    "told", [None, "", "2026-05-20 11:00:00", "20261320T010000Z", "20260520T010000+0800", "20260520T250000Z"]
)
def test_a_missing_or_malformed_time_is_that_of_receipt(system: System, told: str | None) -> None:
    [reading] = received(system, water(1, told), REPORT.format("d1"))

    assert isinstance(reading, Reading)
    assert reading.alarm
    assert reading.alarm.at == NOW


@pytest.mark.parametrize(("told", "active"), [(1, True), (0, False), (True, True), (False, False)])
def test_an_alarm_is_a_property_number_or_boolean(system: System, told: object, active: bool) -> None:
    [reading] = received(system, water(told, "20260520T030000Z"), REPORT.format("d1"))

    assert isinstance(reading, Reading)
    assert reading.alarm
    assert reading.alarm.active is active


def test_a_flood_told_again_opens_one_case_and_the_same_telling_counts_once(system: System) -> None:
    state, decisions = AlarmState(system="s", device="d1", kind="water_level"), []
    policy = policy_of(system.role.alarms, "water_level")
    for second in (0, 0, 10, 20):
        [reading] = received(system, water(1, f"20260520T0300{second:02d}Z"), REPORT.format("d1"))
        assert isinstance(reading, Reading)
        assert reading.alarm
        told = tell(state, None, reading.alarm, policy, None, received_at=NOW, now=NOW)
        state = told.state
        decisions.append(told.decision)
        if told.decision is Decision.OPEN:
            break

    assert decisions == [Decision.COUNT, Decision.COUNT, Decision.OPEN]


def test_topics_with_a_query_are_subscribed_too(system: System) -> None:
    filters = {topic for one in system.receivers if one.declared.mqtt for topic in one.declared.mqtt.topics}

    assert "$oc/devices/+/sys/properties/+" in filters
    assert all(topic.startswith("$oc/") for topic in filters)


def test_a_broker_without_a_password_needs_no_secret() -> None:
    assert [one.account.username for one in adapters.load(FOLDER, {}).receivers] == ["", "", ""]


def test_the_ledgers_place_is_in_a_crs_the_hub_knows(system: System) -> None:
    [reading] = received(system, water(1), REPORT.format("sampleprod_LEVEL0091"))

    assert isinstance(reading, Reading)
    assert reading.report
    assert reading.report.coordinate
    assert known_crs(reading.report.coordinate.crs)
