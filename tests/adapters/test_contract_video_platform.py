"""The video platform's own samples: the worked signature to the byte, and every fact of every event."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import adapters
from adapters import System
from canonical.errors import InDoubt, Refused, Unacceptable, Unauthenticated, Unavailable, Why
from canonical.message import Message, Verdict
from canonical.place import Coordinate
from canonical.reading import Outcome, Reading
from canonical.report import Report, Urgency
from canonical.time import SHANGHAI
from simulators.artemis import Gatekeeper
from tests.adapters.systems import FOLDERS, ID, NOW, inbound

CONTRACT = Path(__file__).parents[2].parent / "shared" / "contracts" / "video-platform-event-subscription"
pytestmark = pytest.mark.skipif(not CONTRACT.is_dir(), reason="the reference contracts are not beside this checkout")
[FOLDER] = [folder for folder in FOLDERS if folder.name == "video_platform"]
THAT_DAY = datetime(2026, 3, 16, 20, 0, tzinfo=SHANGHAI)
CAMERA = "d0de2c6a62ee428498a9a42c2db39ebc"


@pytest.fixture(scope="module")
def video() -> System:
    return adapters.load(
        FOLDER,
        {"key": "DEMO-AK", "secret": "DEMO-SECRET"},
        name="video-platform-event-subscription",
        ledgers={"cameras": CONTRACT / "cameras.csv"},
        hub_url="http://hub.example.gov.cn",
    )


def stored(name: str) -> bytes:
    return (CONTRACT / "samples" / name).read_bytes()


def received(video: System, body: bytes | dict[str, Any]) -> list[Reading | Unacceptable]:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return video.receive(inbound(raw, door="events", content_type="application/json", at=THAT_DAY))


def only(answers: list[Reading | Unacceptable]) -> Reading:
    [reading] = answers
    assert isinstance(reading, Reading), reading
    return reading


def report_of(reading: Reading) -> Report:
    assert reading.report is not None
    return reading.report


def test_the_worked_signature_is_reproduced_to_the_byte(video: System) -> None:
    [worked] = [one for one in json.loads(stored("index.json")) if one["id"] == "01"]
    wanted = worked["transport"]["headers"]
    now = datetime.fromtimestamp(int(wanted["x-ca-timestamp"]) / 1000, SHANGHAI)

    message = video.say("subscribe", now=now, id=UUID(wanted["x-ca-nonce"]))

    assert message.body == stored("01_subscribe_request.json")
    assert (message.method, message.path) == ("POST", worked["transport"]["path"])
    assert message.content_type == wanted["Content-Type"]
    assert dict(message.headers) == {
        name.lower(): value for name, value in wanted.items() if name not in {"Content-Type"}
    }


def test_another_moment_or_body_is_signed_otherwise(video: System) -> None:
    first = video.say("subscribe", now=NOW, id=ID)
    later = video.say("subscribe", now=NOW.replace(hour=13), id=ID)
    other = video.say("unsubscribe", now=NOW, id=ID)

    assert len({one.headers["x-ca-signature"] for one in (first, later, other)}) == 3
    assert "content-md5" in other.headers


def test_a_picture_is_asked_for_by_a_signed_get_without_a_body(video: System) -> None:
    file = {"url": "/pic?0d1=demo01&Vsm=1", "name": "", "id": ""}

    message = video.say("picture", now=NOW, id=ID, file=file)
    absolute = video.say("picture", now=NOW, id=ID, file=file | {"url": "http://video.example.gov.cn" + file["url"]})

    assert (message.method, message.path, message.body) == ("GET", file["url"], b"")
    assert message.headers["x-ca-signature"] == absolute.headers["x-ca-signature"]
    assert not {"content-md5", "content-type"} & set(message.headers)


@pytest.mark.parametrize("name", ["subscribe", "unsubscribe", "picture"])
def test_the_simulated_gateway_lets_in_what_is_signed_and_nothing_changed_afterwards(video: System, name: str) -> None:
    gate = Gatekeeper("DEMO-AK", "DEMO-SECRET", lambda: NOW, timedelta(minutes=15))
    file = {"url": "/pic?parking=777", "name": "", "id": ""}
    names: dict[str, Any] = {"file": file} if name == "picture" else {}

    message = video.say(name, now=NOW, id=ID, **names)
    headers = {**message.headers, **({"content-type": message.content_type} if message.content_type else {})}

    assert gate.problem(message.method, message.path, headers, message.body) == ""
    assert gate.problem(message.method, message.path + "0", headers, message.body) == "Invalid Signature"


def test_the_start_of_an_event_is_a_report_and_an_active_alarm(video: System) -> None:
    reading = only(received(video, stored("02_event_region_start.json")))
    report = report_of(reading)

    assert (reading.kind, reading.external_id) == ("event", "6DF7CA9A-7000-4AD5-8E73-17A83038BB4C")
    assert (report.title, report.given_class, report.class_code) == ("区域入侵 利民路口球机01", "131588 区域入侵", None)
    assert report.address == "镜湖区利民路与示例路交叉口"
    assert report.coordinate == Coordinate(x=118.381605, y=31.332248, crs="GCJ-02")
    assert report.reported_at == datetime(2026, 3, 16, 9, 12, 33, tzinfo=SHANGHAI)
    assert (report.urgency, [one.url for one in report.attachments]) == (Urgency.NORMAL, ["/pic?0d1=demo01&Vsm=1"])
    assert reading.alarm
    assert (reading.alarm.device, reading.alarm.kind, reading.alarm.active) == (CAMERA, "131588", True)


def test_later_pictures_are_added_to_the_same_event(video: System) -> None:
    start = only(received(video, stored("02_event_region_start.json")))
    later = only(received(video, stored("03_event_same_id_picture_later.json")))

    assert later.external_id == start.external_id
    assert (later.report, later.alarm) == (None, None)
    assert later.addition
    assert [one.url for one in later.addition.attachments] == ["/pic?0d1=demo02&Vsm=1"]


def test_the_stop_ends_the_alarm_and_reports_nothing(video: System) -> None:
    start = only(received(video, stored("02_event_region_start.json")))
    stop = only(received(video, stored("04_event_stop.json")))

    assert stop.external_id == start.external_id
    assert (stop.report, stop.addition) == (None, None)
    assert start.alarm
    assert stop.alarm
    assert (stop.alarm.device, stop.alarm.kind) == (start.alarm.device, start.alarm.kind)
    assert stop.alarm.active is False
    assert stop.alarm.at == datetime(2026, 3, 16, 9, 14, 1, tzinfo=SHANGHAI)


def test_illegal_parking_in_the_old_time_format_has_its_class_and_the_ledgers_name_and_datum(video: System) -> None:
    report = report_of(only(received(video, stored("05_event_illegal_parking_old_format.json"))))

    assert str(report.class_code) == "30428.2:E04-09"
    assert report.title == "违停 示例停车场入口"
    assert "皖B00000" in report.description
    assert report.coordinate == Coordinate(x=118.3762, y=31.3341, crs="EPSG:4326")
    assert report.reported_at == datetime(2026, 3, 16, 10, 4, 31, tzinfo=SHANGHAI)
    assert [one.url for one in report.attachments] == ["/pic?parking=777"]


def test_a_batch_gives_each_event_and_a_camera_unknown_to_the_ledger_has_no_place(video: System) -> None:
    first, second = received(video, stored("06_event_batch_two.json"))

    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert (first.external_id[-1], second.external_id[-1]) == ("1", "2")
    assert report_of(first).coordinate is not None
    assert (report_of(second).coordinate, report_of(second).address) == (None, "")
    assert report_of(second).title == "区域入侵 示例路卡口03"
    assert report_of(second).urgency is Urgency.NORMAL  # eventLvl 0: not set


@pytest.mark.parametrize(
    ("member", "value", "why"),
    [
        ("eventType", 131999, Why.UNMAPPED_CODE),
        ("eventLvl", 9, Why.UNMAPPED_CODE),
        ("happenTime", "yesterday at noon", Why.CONTRACT),
        ("eventId", "", Why.CONTRACT),
        ("srcIndex", None, Why.CONTRACT),
        ("status", 7, Why.UNKNOWN_MESSAGE),
    ],
)
def test_one_bad_event_does_not_lose_the_others(video: System, member: str, value: object, why: Why) -> None:
    document = json.loads(stored("06_event_batch_two.json"))
    document["params"]["events"][0][member] = value

    bad, good = received(video, document)

    assert isinstance(bad, Unacceptable)
    assert bad.why is why
    assert isinstance(good, Reading)


@pytest.mark.parametrize(("status", "kind"), [(0, "event"), (1, "event"), (3, "event"), (4, "linkage")])
def test_every_status_has_its_message(video: System, status: int, kind: str) -> None:
    document = json.loads(stored("02_event_region_start.json"))
    document["params"]["events"][0]["status"] = status

    assert only(received(video, document)).kind == kind


def test_vehicles_that_merely_pass_are_noted(video: System) -> None:
    document = json.loads(stored("05_event_illegal_parking_old_format.json"))
    document["params"]["events"][0]["eventType"] = 1157632001

    reading = only(received(video, document))

    assert (reading.kind, reading.report, reading.alarm) == ("passing", None, None)


def test_the_platform_is_answered_http_200_whatever_became_of_its_push(video: System) -> None:
    push = inbound(b"{", door="events")

    assert {video.reply(push, Outcome(verdict, why=why)).status for verdict in Verdict for why in (None, *Why)} == {200}


def test_the_platforms_answers_are_judged_by_code_and_status(video: System) -> None:
    def judged(body: bytes, status: int = 200) -> None:
        video.judge("subscribe", Message(system="video", body=body, at=NOW, id=ID, status=status))

    judged(stored("01_subscribe_response.json"))
    for body, status, error in (
        (b'{"code":"0x02409999","msg":"service busy"}', 200, Refused),
        (b'{"code":"0x02401003","msg":"signature"}', 401, Unauthenticated),
        (b"", 503, Unavailable),
        (b"<html/>", 200, InDoubt),
    ):
        with pytest.raises(error):
            judged(body, status)
