"""The IoT platform's own samples, as stored beside the checkout, and what its alarms come to."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import adapters
from adapters import System
from canonical.alarm import AlarmState
from canonical.coordinates import known_crs
from canonical.errors import Unacceptable, UnmappedCode, Why
from canonical.message import Verdict
from canonical.reading import Outcome, Reading
from canonical.time import SHANGHAI
from routing.storm import Decision, policy_of, tell
from tests.adapters.systems import NOW, inbound, loaded

SAMPLES = Path(__file__).parents[2].parent / "shared" / "contracts" / "iot-ctwing-aep-push" / "samples"
FOLDER = adapters.shipped()["iot_platform"]
THAT_DAY = datetime(2026, 3, 16, 20, 0, tzinfo=SHANGHAI)
stored = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the reference contracts are not beside this checkout")


@pytest.fixture(scope="module")
def system() -> System:
    return loaded(FOLDER)


def read(system: System, body: bytes, at: datetime = THAT_DAY) -> Reading | Unacceptable:
    [one] = system.receive(inbound(body, door="reports", content_type="application/json", at=at))
    return one


def reading_of(system: System, name: str) -> Reading:
    one = read(system, (SAMPLES / name).read_bytes())
    assert isinstance(one, Reading), one
    return one


def own(name: str) -> bytes:
    return (FOLDER / "samples" / name).read_bytes()


@stored
def test_a_smoke_alarm_is_an_active_alarm_of_its_device(system: System) -> None:
    reading = reading_of(system, "01_smoke_alarm.json")

    assert reading.alarm
    assert (reading.kind, reading.alarm.kind, reading.alarm.active) == ("smoke", "smoke", True)
    assert reading.alarm.device == "demo0001aaaa4bbb8cccddddeeee0001"
    assert reading.alarm.at == datetime(2026, 3, 16, 2, 15, 8, 277000, tzinfo=SHANGHAI)
    assert reading.external_id.startswith("demo0001aaaa4bbb8cccddddeeee0001-1773598508277-")
    assert reading.report


@stored
def test_a_level_is_a_value_that_the_policy_judges(system: System) -> None:
    reading = reading_of(system, "02_liquid_level.json")

    assert reading.alarm
    assert (reading.alarm.kind, reading.alarm.value, reading.alarm.active) == ("liquid_level", 402.0, False)
    assert policy_of(system.role.alarms, "liquid_level").raise_at == 300


@stored
def test_binary_is_kept_and_concerns_no_case(system: System) -> None:
    reading = reading_of(system, "03_binary_appdata.json")

    assert reading.kind == "binary"
    assert (reading.report, reading.alarm) == (None, None)


@stored
def test_json_inside_base64_inside_json_is_read(system: System) -> None:
    reading = reading_of(system, "04_tcp_base64_json.json")

    assert reading.alarm
    assert reading.report
    assert (reading.alarm.device, reading.alarm.active) == ("1501000401", True)
    assert "222=1" in reading.report.description


@stored
def test_offline_is_remembered_and_opens_nothing(system: System) -> None:
    reading = reading_of(system, "05_device_offline.json")

    assert reading.alarm
    assert (reading.alarm.kind, reading.alarm.active, reading.report) == ("offline", True, None)


def test_the_same_push_has_the_same_identity_and_another_value_another(system: System) -> None:
    push = json.loads(own("reports.level.in.json"))
    again = read(system, json.dumps(push, indent=3).encode(), NOW)
    other = read(system, json.dumps(push | {"payload": {"liquid_level": 403}}).encode(), NOW)
    first = read(system, own("reports.level.in.json"), NOW)

    assert isinstance(first, Reading)
    assert isinstance(again, Reading)
    assert isinstance(other, Reading)
    assert first.external_id == again.external_id != other.external_id


def levels(system: System, *values: float) -> list[Decision]:
    """What a row of levels, a minute apart, comes to."""
    state, decisions = AlarmState(system="s", device="d", kind="liquid_level"), []
    policy = policy_of(system.role.alarms, "liquid_level")
    push = json.loads(own("reports.level.in.json"))
    for minute, value in enumerate(values):
        at = NOW + timedelta(minutes=minute)
        body = push | {"payload": {"liquid_level": value}, "timestamp": int(at.timestamp() * 1000)}
        reading = read(system, json.dumps(body).encode(), at)
        assert isinstance(reading, Reading)
        assert reading.alarm
        told = tell(state, None, reading.alarm, policy, None, received_at=at, now=at)
        state = told.state
        decisions.append(told.decision)
    return decisions


def test_water_opens_a_case_when_told_twice_above_the_mark(system: System) -> None:
    assert levels(system, 299, 300, 299, 402) == [Decision.COUNT, Decision.COUNT, Decision.OPEN, Decision.OPEN]
    assert levels(system, 402, 199, 402, 199) == [Decision.COUNT] * 4


def test_an_unknown_alarm_status_waits_for_a_person(system: System) -> None:
    push = json.loads(own("reports.smoke.in.json"))
    push["payload"]["serviceData"]["Alarm_Status"] = 7

    assert isinstance(read(system, json.dumps(push).encode(), NOW), UnmappedCode)


def test_whatever_comes_of_a_push_it_is_answered_200(system: System) -> None:
    outcomes = [Outcome(Verdict.CASE), *(Outcome(Verdict.REFUSED, why=why) for why in Why)]

    assert {system.reply(inbound(b"", door="reports"), outcome).status for outcome in outcomes} == {200}


def test_an_undefined_imsi_is_a_text_and_no_error(system: System) -> None:
    assert b'"IMSI": "undefined"' in own("reports.smoke.in.json")
    assert isinstance(read(system, own("reports.smoke.in.json"), NOW), Reading)


def test_the_ledgers_place_is_in_a_crs_the_hub_knows(system: System) -> None:
    reading = read(system, own("reports.smoke.in.json"), NOW)

    assert isinstance(reading, Reading)
    assert reading.report
    assert reading.report.coordinate
    assert known_crs(reading.report.coordinate.crs)
