"""The fire alarm gateway: handshake, signed pushes as the simulated gateway signs them, alarms and restores."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

import adapters
from adapters import System
from adapters.door import Door
from canonical.errors import Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from canonical.report import Urgency
from simulators.fire_alarms import DEVICES, LASTING, signed
from tests.adapters.systems import FOLDERS, ID, NOW, inbound

[FOLDER] = [folder for folder in FOLDERS if folder.name == "fire_alarms"]
SECRET = "DEMO-FIRE"
FIELDS = {
    "msgId": "7-A000001-1",
    "deviceId": "FA0001-01-023",
    "deviceType": "smoke",
    "eventType": "fire",
    "eventTime": "2026-05-20 11:59:30",
    "unitName": "样板商场有限公司",
    "buildingAddress": "镜湖区样板街1号3层",
    "loop": "01",
    "address": "023",
}


@pytest.fixture(scope="module")
def fire() -> System:
    return adapters.load(FOLDER, {"secret": SECRET})


@pytest.fixture
def door(fire: System) -> Door:
    [door] = fire.doors
    return door


def pushed(*, secret: str = SECRET, **changes: Any) -> Message:
    fields = FIELDS | changes
    body = fields | {"sign": signed(fields, secret)}
    return inbound(json.dumps(body, ensure_ascii=False).encode(), door="alarms", content_type="application/json")


def only(answers: list[Reading | Unacceptable]) -> Reading:
    [reading] = answers
    assert isinstance(reading, Reading), reading
    return reading


def refused(answers: list[Reading | Unacceptable]) -> Unacceptable:
    [error] = answers
    assert isinstance(error, Unacceptable), error
    return error


def question(*, seconds: int = 0, secret: str = SECRET, nonce: str = "123456789", **changes: str) -> Message:
    stamp = str(int((NOW - timedelta(seconds=seconds)).timestamp()))
    text = "".join(sorted((secret, stamp, nonce)))
    query = {
        "echostr": "00ff00ff", "timestamp": stamp, "nonce": nonce,
        "signature": hashlib.sha1(text.encode()).hexdigest(),
    }  # fmt: skip
    path = f"?{urlencode(query | changes)}"
    return Message(system="s", body=b"", at=NOW, id=ID, door="alarms", method="GET", path=path)


@pytest.mark.parametrize("nonce", ["123456789", "zzz", "A", "0"])
def test_a_handshake_gets_its_echo_back_as_plain_text(door: Door, nonce: str) -> None:
    reply = door.handshake(question(nonce=nonce))

    assert reply
    assert (reply.status, reply.body) == (200, b"00ff00ff")
    assert reply.content_type.startswith("text/plain")


@pytest.mark.parametrize(
    "asked",
    [
        question(secret="other"),
        question(signature="0" * 40),
        question(seconds=301),
        question(seconds=-301),
        question(nonce="1", timestamp="1779249601"),
    ],
    ids=["secret", "signature", "stale", "ahead", "changed"],
)
def test_a_handshake_that_is_not_signed_now_by_who_knows_the_secret_is_not_answered(door: Door, asked: Message) -> None:
    with pytest.raises(Unacceptable) as caught:
        door.handshake(asked)

    assert caught.value.why is Why.UNAUTHENTICATED


def test_a_push_is_no_handshake(door: Door) -> None:
    assert door.handshake(pushed()) is None


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.id)
def test_what_the_simulated_gateway_signs_is_let_in_with_empty_fields_too(fire: System, device: Any) -> None:
    reading = only(
        fire.receive(pushed(deviceId=device.id, deviceType=device.type, loop=device.loop, address=device.address))
    )

    assert reading.alarm
    assert reading.alarm.device == device.id


@pytest.mark.parametrize("member", [name for name in FIELDS if name != "msgId"])
def test_a_field_changed_on_the_way_is_not_let_in(fire: System, member: str) -> None:
    body = json.loads(pushed().body) | {member: "fault" if member == "eventType" else "x"}
    raw = json.dumps(body, ensure_ascii=False).encode()

    assert refused(fire.receive(inbound(raw, door="alarms"))).why is Why.UNAUTHENTICATED
    assert refused(fire.receive(pushed(secret="other"))).why is Why.UNAUTHENTICATED


def test_a_fire_is_an_urgent_report_whose_class_the_centre_decides(fire: System) -> None:
    reading = only(fire.receive(pushed()))

    assert reading.external_id == "7-A000001-1"
    assert reading.report
    assert (reading.report.title, reading.report.urgency) == ("火警 样板商场有限公司", Urgency.URGENT)
    assert (reading.report.class_code, reading.report.given_class) == (None, "fire 火警")
    assert (reading.report.address, reading.report.coordinate is not None) == ("镜湖区样板街1号3层", True)
    assert reading.alarm
    assert (reading.alarm.kind, reading.alarm.active) == ("fire", True)


@pytest.mark.parametrize("kind", [kind for kind in LASTING if kind != "fire"])
def test_other_lasting_events_are_reports_without_haste(fire: System, kind: str) -> None:
    reading = only(fire.receive(pushed(eventType=kind)))

    assert reading.report
    assert (reading.report.urgency, reading.report.class_code) == (Urgency.NORMAL, None)
    assert reading.alarm
    assert reading.alarm.kind == kind


def test_a_repetition_is_the_same_alarm_at_the_same_moment(fire: System) -> None:
    first, again = (only(fire.receive(pushed(msgId=f"7-A000001-{number}"))) for number in (1, 2))

    assert first.external_id != again.external_id
    assert first.alarm == again.alarm


def test_a_restore_ends_the_fire_alarm_and_reports_nothing(fire: System) -> None:
    reading = only(fire.receive(pushed(eventType="restore", eventTime="2026-05-20 12:00:00")))

    assert reading.report is None
    assert reading.alarm
    assert (reading.alarm.device, reading.alarm.kind, reading.alarm.active) == ("FA0001-01-023", "fire", False)


def test_a_test_is_noted(fire: System) -> None:
    reading = only(fire.receive(pushed(eventType="test")))

    assert (reading.kind, reading.report, reading.alarm) == ("test", None, None)


def test_an_unknown_event_waits_for_a_row(fire: System) -> None:
    assert refused(fire.receive(pushed(eventType="flood"))).why is Why.UNMAPPED_CODE


def test_a_unit_unknown_to_the_ledger_has_no_coordinate(fire: System) -> None:
    reading = only(fire.receive(pushed(unitName="示例宾馆")))

    assert reading.report
    assert reading.report.coordinate is None


def test_the_gateway_is_answered_ok_for_what_was_taken_and_fail_for_what_was_not(fire: System) -> None:
    def result(verdict: Verdict, why: Why | None = None) -> str:
        told: str = json.loads(fire.reply(pushed(), Outcome(verdict, why=why)).body)["result"]
        return told

    assert {result(one) for one in (Verdict.CASE, Verdict.COUNTED, Verdict.APPLIED, Verdict.NOTED)} == {"ok"}
    assert result(Verdict.QUARANTINED, Why.UNMAPPED_CODE) == "ok"  # it is kept; sending it again would not help
    assert {result(Verdict.REFUSED, why) for why in Why} == {"fail"}
