"""The image database's own samples (GA/T 1400): session, subscription, notifications and their statuses."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters import System
from canonical.errors import Refused, Unacceptable, Unauthenticated, Unavailable, Why
from canonical.message import Message, Verdict
from canonical.place import Coordinate
from canonical.reading import Outcome, Reading
from canonical.report import Report
from canonical.time import SHANGHAI
from tests.adapters.systems import FOLDERS, ID, NOW, inbound

CONTRACT = Path(__file__).parents[2].parent / "shared" / "contracts" / "video-gat1400-subscribe"
pytestmark = pytest.mark.skipif(not CONTRACT.is_dir(), reason="the reference contracts are not beside this checkout")
[FOLDER] = [folder for folder in FOLDERS if folder.name == "image_database"]
THAT_DAY = datetime(2026, 3, 16, 9, 12, 36, tzinfo=SHANGHAI)
DEVICE, CAMERA = "34020200005030000001", "34020200001190000001"
SUBSCRIPTION = "340202000000032026031609120000001"
VEHICLE = "340202000011900000010220260316091233000010200001"
NOTIFICATION = "340202000000042026031609123500001"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> System:
    [device] = document("05_device_catalog.json")["APEListObject"]["APEObject"]
    ledger = tmp_path_factory.mktemp("ledgers") / "devices.csv"
    row = ",".join(str(device[name]) for name in ("ApeID", "Name", "Longitude", "Latitude", "Place"))
    ledger.write_text(f"ApeID,name,lon,lat,place\n{row}\n", encoding="utf-8")
    secrets = {
        "user": "hub", "password": "p", "device": DEVICE, "subscription": SUBSCRIPTION, "resource": CAMERA,
        "applicant": "示例用户", "applicant_org": "示例单位",
    }  # fmt: skip
    return adapters.load(FOLDER, secrets, ledgers={"devices": ledger}, hub_url="http://hub.example.gov.cn")


def stored(name: str) -> bytes:
    return (CONTRACT / "samples" / name).read_bytes()


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stored(name))
    return found


def pushed(body: bytes | dict[str, Any], door: str = "notifications") -> Message:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return inbound(raw, door=door, content_type="application/viid+json", at=THAT_DAY)


def vehicle_of(whole: dict[str, Any]) -> dict[str, Any]:
    notification = whole["SubscribeNotificationListObject"]["SubscribeNotificationObject"][0]
    vehicle: dict[str, Any] = notification["MotorVehicleObjectList"]["MotorVehicleObject"][0]
    return vehicle


def only(answers: list[Reading | Unacceptable]) -> Reading:
    [reading] = answers
    assert isinstance(reading, Reading), reading
    return reading


def report_of(reading: Reading) -> Report:
    assert reading.report is not None
    return reading.report


@pytest.mark.parametrize(
    ("name", "file", "path"),
    [
        ("register", "01_register.json", "/VIID/System/Register"),
        ("keepalive", "02_keepalive.json", "/VIID/System/Keepalive"),
    ],
)
def test_what_keeps_the_session_is_as_the_stored_one(images: System, name: str, file: str, path: str) -> None:
    message = images.say(name, now=THAT_DAY, id=ID)

    assert json.loads(message.body) == document(file)
    assert (message.method, message.path) == ("POST", path)
    assert message.content_type == "application/VIID+JSON;charset=utf-8"
    assert message.headers["user-identify"] == DEVICE
    assert (images.connector.account.scheme, images.connector.account.username) == ("digest", "hub")


def test_the_subscription_is_the_stored_one_but_for_the_address_of_this_hub(images: System) -> None:
    message = images.say("subscribe", now=THAT_DAY, id=ID)
    [written] = json.loads(message.body)["SubscribeListObject"]["SubscribeObject"]
    [wanted] = document("03_subscribe.json")["SubscribeListObject"]["SubscribeObject"]

    address = "http://hub.example.gov.cn/in/image_database/VIID/SubscribeNotifications"
    assert written == wanted | {"ReceiveAddr": address}
    assert list(written) == list(wanted)


def test_a_subscription_of_the_last_days_of_a_year_reaches_over_its_end(images: System) -> None:
    message = images.say("subscribe", now=datetime(2026, 12, 30, 9, 0, tzinfo=SHANGHAI), id=ID)

    assert json.loads(message.body)["SubscribeListObject"]["SubscribeObject"][0]["EndTime"] == "20271231235959"


def test_a_notified_vehicle_carries_every_fact(images: System) -> None:
    reading = only(images.receive(pushed(stored("04_notification_motorvehicle.json"))))
    report = report_of(reading)

    assert (reading.kind, reading.external_id) == ("motor_vehicle", VEHICLE)
    assert (report.title, str(report.class_code)) == ("违停机动车 皖B00000", "30428.2:E04-09")
    assert (report.address, report.given_area) == ("镜湖区利民路与示例路交叉口", "340202")
    assert report.coordinate == Coordinate(x=118.3762, y=31.3341, crs="EPSG:4490")
    assert report.reported_at == datetime(2026, 3, 16, 9, 12, 33, tzinfo=SHANGHAI)
    assert "2026-03-16 09:12:03 出现" in report.description
    [picture] = report.attachments  # StorageUrl1 and the sub-image are the same picture
    assert picture.url == "http://viid.example.gov.cn/img/00001.jpg"


def test_a_picture_inside_the_message_becomes_an_attachment(images: System) -> None:
    whole = document("04_notification_motorvehicle.json")
    vehicle = vehicle_of(whole)
    del vehicle["StorageUrl1"], vehicle["SubImageList"]["SubImageInfoObject"][0]["StoragePath"]
    vehicle["SubImageList"]["SubImageInfoObject"][0]["Data"] = base64.b64encode(b"jpeg").decode()

    [picture] = report_of(only(images.receive(pushed(whole)))).attachments

    assert (picture.content, picture.url[:14]) == (b"jpeg", "inline:sha256:")


@pytest.mark.parametrize(
    ("given", "told"), [(True, "号牌未识别"), (1, "号牌未识别"), ("0", "无号牌"), (False, "无号牌")]
)
def test_a_vehicle_without_a_number_says_why_however_booleans_are_written(
    images: System, given: object, told: str
) -> None:
    whole = document("04_notification_motorvehicle.json")
    vehicle_of(whole).update(PlateNo="", HasPlate=given)

    assert told in report_of(only(images.receive(pushed(whole)))).description


def test_a_vehicle_without_a_device_id_is_placed_by_its_source_id(images: System) -> None:
    whole = document("04_notification_motorvehicle.json")
    del vehicle_of(whole)["DeviceID"]

    assert report_of(only(images.receive(pushed(whole)))).address == "镜湖区利民路与示例路交叉口"


@pytest.mark.parametrize(
    ("member", "value"), [("MotorVehicleID", "12"), ("SourceID", VEHICLE), ("MarkTime", "2026-03-16 09:12")]
)
def test_ids_and_times_of_another_composition_are_refused(images: System, member: str, value: str) -> None:
    whole = document("04_notification_motorvehicle.json")
    vehicle_of(whole)[member] = value

    [refused] = images.receive(pushed(whole))

    assert isinstance(refused, Unacceptable)
    assert refused.why is Why.CONTRACT


def test_an_unknown_title_waits_for_a_row(images: System) -> None:
    whole = document("04_notification_motorvehicle.json")
    whole["SubscribeNotificationListObject"]["SubscribeNotificationObject"][0]["Title"] = "别的订阅"

    [refused] = images.receive(pushed(whole))

    assert isinstance(refused, Unacceptable)
    assert refused.why is Why.UNMAPPED_CODE


def statuses(images: System, message: Message, *outcomes: tuple[str, Outcome]) -> list[dict[str, Any]]:
    reply = images.reply(message, outcomes[0][1], outcomes)
    assert reply.status == 200
    assert reply.content_type == "application/VIID+JSON;charset=utf-8"
    found: list[dict[str, Any]] = json.loads(reply.body)["ResponseStatusListObject"]["ResponseStatusObject"]
    return found


def test_a_notification_is_answered_in_the_stored_form(images: System) -> None:
    push = pushed(stored("04_notification_motorvehicle.json"))
    [wanted] = document("06_response_status_list.json")["ResponseStatusListObject"]["ResponseStatusObject"]

    [status] = statuses(images, push, (VEHICLE, Outcome(Verdict.CASE, case_no="1")))

    assert status == wanted | {"Id": NOTIFICATION}
    assert list(status) == list(wanted)


def test_every_notification_of_a_push_has_its_own_status(images: System) -> None:
    whole = document("04_notification_motorvehicle.json")
    listed = whole["SubscribeNotificationListObject"]["SubscribeNotificationObject"]
    other = json.loads(json.dumps(listed[0]))
    other["NotificationID"] = NOTIFICATION[:-1] + "2"
    other["MotorVehicleObjectList"]["MotorVehicleObject"][0]["MotorVehicleID"] = VEHICLE[:-1] + "2"
    faces = {"NotificationID": NOTIFICATION[:-1] + "3", "FaceObjectList": {"FaceObject": []}}
    listed += [other, faces]
    push = pushed(whole)

    first, second, third = images.receive(push)
    answered = statuses(
        images,
        push,
        (VEHICLE, Outcome(Verdict.CASE)),
        (VEHICLE[:-1] + "2", Outcome(Verdict.REFUSED, why=Why.CONTRACT)),
        ("", Outcome(Verdict.REFUSED, why=Why.CONTRACT)),
    )

    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert isinstance(third, Unacceptable)  # other objects are not subscribed
    assert [(one["Id"][-1], one["StatusCode"]) for one in answered] == [("1", 0), ("2", 1), ("3", 4)]


def test_a_vehicle_that_waits_for_a_row_was_taken(images: System) -> None:
    push = pushed(stored("04_notification_motorvehicle.json"))

    [status] = statuses(images, push, (VEHICLE, Outcome(Verdict.QUARANTINED, why=Why.UNMAPPED_CODE)))

    assert status["StatusCode"] == 0


def test_what_cannot_be_read_gets_one_status(images: System) -> None:
    [status] = statuses(images, pushed(b"{"), ("", Outcome(Verdict.REFUSED, why=Why.UNREADABLE)))

    assert status["StatusCode"] == 5


def test_the_device_catalogue_is_noted_and_answered_device_by_device(images: System) -> None:
    push = pushed(stored("05_device_catalog.json"), "catalogue")

    reading = only(images.receive(push))
    [status] = statuses(images, push, (reading.external_id, Outcome(Verdict.NOTED)))

    assert (reading.kind, reading.external_id, reading.report) == ("device", CAMERA, None)
    assert (status["Id"], status["StatusCode"], status["LocalTime"]) == (CAMERA, 0, "20260316091236")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [(1, 200, Refused), (2, 200, Unavailable), (4, 200, Unauthenticated), (0, 401, Unauthenticated)],
)
@pytest.mark.parametrize("listed", [True, False])
def test_its_answers_are_judged_by_status_code(
    images: System, code: int, status: int, error: type[Exception], listed: bool
) -> None:
    one: Any = {"StatusCode": code, "StatusString": "x"}
    body = json.dumps({"ResponseStatusListObject": {"ResponseStatusObject": [one] if listed else one}}).encode()

    with pytest.raises(error):
        images.judge("register", Message(system="images", body=body, at=NOW, id=ID, status=status))


def test_the_stored_answer_is_a_yes(images: System) -> None:
    body = stored("06_response_status_list.json")

    images.judge("subscribe", Message(system="images", body=body, at=NOW, id=ID, status=200))
