"""The patrol app: its forms as the simulated phones write them, and every answer they understand."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters import System
from canonical.errors import Unacceptable, Why
from canonical.lifecycle import ActionKind
from canonical.message import Message, Verdict
from canonical.place import Coordinate
from canonical.reading import Outcome, Reading
from canonical.report import Report
from canonical.time import SHANGHAI
from simulators.patrol_app import CATEGORIES, Finding
from tests.adapters.systems import FOLDERS, ID, NOW

[FOLDER] = [folder for folder in FOLDERS if folder.name == "patrol_app"]
UUID = "5a000000-0000-4000-8000-0000000000aa"
PHOTO = b"\x89PNG\r\n\x1a\n--not a boundary\r\n\x00"
META: dict[str, Any] = {
    "clientUuid": UUID,
    "gridCode": "340207002001003",
    "categoryCode": "P0107",
    "content": "路灯不亮（样板街）",
    "lng": 118.4213,
    "lat": 31.3689,
    "deviceTime": int((NOW - timedelta(minutes=4)).timestamp() * 1000),
    "deviceUtcOffset": 480,
    "patrolName": "示例巡查员01",
    "patrolPhone": "13800000001",
    "isOffline": False,
}


@pytest.fixture(scope="module")
def patrol() -> System:
    return adapters.load(FOLDER, {"token": "T"})


def posted(meta: dict[str, Any], *photos: bytes, token: str = "T") -> Message:
    """As a phone's HTTP library writes it."""
    request = Finding(UUID, meta, photos, offline=False).request("/in/patrol_app", token)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Message(
        system="s", body=request.body, at=NOW, id=ID, door="reports", content_type=headers["content-type"],
        headers=headers,
    )  # fmt: skip


def only(answers: list[Reading | Unacceptable]) -> Reading:
    [reading] = answers
    assert isinstance(reading, Reading), reading
    return reading


def refused(answers: list[Reading | Unacceptable]) -> Unacceptable:
    [error] = answers
    assert isinstance(error, Unacceptable), error
    return error


def report_of(reading: Reading) -> Report:
    assert reading.report is not None
    return reading.report


def test_a_form_carries_every_fact(patrol: System) -> None:
    reading = only(patrol.receive(posted(META, PHOTO)))
    report = report_of(reading)

    assert (reading.external_id, report.title, report.description) == (UUID, "路灯", "路灯不亮（样板街）")
    assert (str(report.class_code), report.given_class) == ("30428.2:P01-37", "P0107 路灯")
    assert (report.given_area, report.channel) == ("340207002001003", "网格巡查")
    assert report.coordinate == Coordinate(x=118.4213, y=31.3689, crs="GCJ-02")
    assert (report.reporter.name, report.reporter.phone) == ("示例巡查员01", "13800000001")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_photos_come_inside_the_form_byte_for_byte(patrol: System, count: int) -> None:
    report = report_of(only(patrol.receive(posted(META, *[PHOTO + bytes([n]) for n in range(count)]))))

    assert [one.content for one in report.attachments] == [PHOTO + bytes([n]) for n in range(count)]
    assert [one.name for one in report.attachments] == [f"5a000000-{n}.png" for n in range(1, count + 1)]


@pytest.mark.parametrize("skew", [-300, 0, 300, 7 * 86_400 * -1])
def test_the_time_is_the_phones_own_however_it_is_off(patrol: System, skew: int) -> None:
    at = datetime.fromtimestamp(int(NOW.timestamp()) + skew, SHANGHAI)

    report = report_of(only(patrol.receive(posted(META | {"deviceTime": int(at.timestamp() * 1000)}))))

    assert report.reported_at == at


def test_the_same_finding_sent_again_has_the_same_identity(patrol: System) -> None:
    first, again = (only(patrol.receive(posted(META, PHOTO))) for _ in range(2))

    assert first == again


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.code)
def test_every_category_of_the_simulated_app_has_a_class(patrol: System, category: Any) -> None:
    report = report_of(only(patrol.receive(posted(META | {"categoryCode": category.code}))))

    assert report.class_code is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"categoryCode": "E9999"}, Why.UNMAPPED_CODE),
        ({"clientUuid": ""}, Why.CONTRACT),
        ({"deviceTime": "yesterday"}, Why.CONTRACT),
        ({"lng": "east"}, Why.CONTRACT),
        ({"deviceTime": int((NOW + timedelta(days=3)).timestamp() * 1000)}, Why.IMPLAUSIBLE),
    ],
)
def test_what_cannot_be_taken_says_why(patrol: System, change: dict[str, Any], why: Why) -> None:
    assert refused(patrol.receive(posted(META | change))).why is why


def test_a_wrong_token_or_none_is_not_let_in(patrol: System) -> None:
    assert refused(patrol.receive(posted(META, token="other"))).why is Why.UNAUTHENTICATED
    bare = Message(system="s", body=posted(META).body, at=NOW, id=ID, door="reports")
    assert refused(patrol.receive(bare)).why in {Why.UNAUTHENTICATED, Why.UNREADABLE}


def test_a_form_without_its_part_or_with_a_broken_one_is_refused(patrol: System) -> None:
    whole = posted(META)
    without = Message(
        system="s", body=whole.body.replace(b'name="meta"', b'name="mata"'), at=NOW, id=ID, door="reports",
        content_type=whole.content_type, headers=whole.headers,
    )  # fmt: skip
    broken = Message(
        system="s", body=whole.body.replace(b'{"clientUuid"', b'{clientUuid"'), at=NOW, id=ID, door="reports",
        content_type=whole.content_type, headers=whole.headers,
    )  # fmt: skip

    assert refused(patrol.receive(without)).why is Why.CONTRACT
    assert refused(patrol.receive(broken)).why is Why.UNREADABLE


@pytest.mark.parametrize("verdict", [Verdict.CASE, Verdict.JOINED, Verdict.REPEATED])
def test_a_report_is_answered_with_its_case_number_also_when_it_is_repeated(patrol: System, verdict: Verdict) -> None:
    reply = patrol.reply(posted(META), Outcome(verdict, case_no="34020720260520001"))

    assert (reply.status, json.loads(reply.body)) == (
        200, {"code": 0, "msg": "ok", "data": {"caseNo": "34020720260520001"}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "why", "code"),
    [
        (Verdict.REFUSED, Why.UNAUTHENTICATED, 4010),
        (Verdict.REFUSED, Why.CONTRACT, 4001),
        (Verdict.REFUSED, Why.IMPLAUSIBLE, 4002),
        (Verdict.REFUSED, Why.NOT_TAKEN, 5000),
        (Verdict.QUARANTINED, Why.UNMAPPED_CODE, 2001),
    ],
)
def test_a_refusal_has_its_own_code_and_no_case(patrol: System, verdict: Verdict, why: Why, code: int) -> None:
    document = json.loads(patrol.reply(posted(META), Outcome(verdict, why=why)).body)

    assert (document["code"], document["data"]) == (code, None)
    assert document["msg"]


def test_the_dispatcher_is_told_that_the_app_hears_nothing(patrol: System) -> None:
    assert patrol.role.tells == {}
    assert {ActionKind.FILE, ActionKind.CLOSE, ActionKind.CANCEL} <= set(patrol.role.unsupported["source"])
    assert ActionKind.DISPATCH in patrol.role.unsupported["owner"]


def test_the_folders_own_samples_are_forms_with_invented_people() -> None:
    samples = list(Path(FOLDER, "samples").glob("*.in.http"))

    assert len(samples) >= 3
    assert all(b"138000000" in path.read_bytes() for path in samples)
