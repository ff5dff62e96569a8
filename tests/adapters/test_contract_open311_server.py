"""Requests as GeoReport v2 clients file them: forms in, numbers and errors out, in JSON and XML."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from lxml import etree

import adapters
from adapters import System
from canonical.codes import ClassCode
from canonical.errors import ContractViolation, Unacceptable, UnmappedCode, Why
from canonical.message import Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import NOW, inbound, loaded

FORM = "application/x-www-form-urlencoded"
LAMP = {"api_key": "demo-api_key", "service_code": "30428.2:P01-37", "address_string": "样板街12号"}


@pytest.fixture(scope="module")
def system() -> System:
    return loaded(adapters.shipped()["open311_server"])


def read(system: System, *, days: int = 0, body: str = "", **changes: str) -> Reading | Unacceptable:
    form = (body or urlencode(LAMP | changes)).encode()
    [one] = system.receive(inbound(form, door="requests_json", content_type=FORM, at=NOW + timedelta(days=days)))
    return one


def reading_of(system: System, *, days: int = 0, body: str = "", **changes: str) -> Reading:
    one = read(system, days=days, body=body, **changes)
    assert isinstance(one, Reading), one
    return one


def test_a_service_code_is_a_class_of_the_catalogue(system: System) -> None:
    report = reading_of(system).report

    assert report
    assert (report.class_code, report.title) == (ClassCode.parse("30428.2:P01-37"), "路灯")


def test_a_request_filed_again_the_same_day_is_the_same_and_another_day_another(system: System) -> None:
    first = reading_of(system).external_id

    assert reading_of(system).external_id == first
    assert reading_of(system, days=1).external_id != first
    assert reading_of(system, phone="13900000098").external_id != first
    assert "demo-api_key" not in first


def test_the_day_of_a_request_is_the_citys_whatever_zone_the_moment_of_receipt_is_kept_in(system: System) -> None:
    night = NOW.replace(hour=1)
    form = urlencode(LAMP).encode()
    [live], [kept] = (
        system.receive(inbound(form, door="requests_json", content_type=FORM, at=at))
        for at in (night, night.astimezone(UTC))
    )

    assert isinstance(live, Reading)
    assert isinstance(kept, Reading)
    assert live.external_id == kept.external_id
    assert live.external_id.startswith(f"{night:%Y-%m-%d}-")


def test_answers_to_a_services_questions_stand_behind_the_description(system: System) -> None:
    answers = [("attribute[POLE]", "L-17"), ("attribute[K][]", "A"), ("attribute[K][]", "B")]
    report = reading_of(system, body=urlencode([*LAMP.items(), ("description", "不亮"), *answers])).report

    assert report
    assert report.description == "不亮\nK: A、B\n灯杆编号: L-17"


def test_a_field_of_no_specification_is_kept_and_not_published(system: System) -> None:
    report = reading_of(system, description="不亮", resident="示例市民").report

    assert report
    assert (report.description, report.extra["other"]) == ("不亮", "resident: 示例市民")


def test_photographs_come_as_files_of_any_name_and_as_addresses(system: System) -> None:
    fields = [*LAMP.items(), ("media_url", "https://app.example/1.jpg"), ("media_url", "https://app.example/2.jpg")]
    files = [("media", "a.jpg", b"\xff\xd8a"), ("media", "b.jpg", b"\xff\xd8b"), ("photo1", "c.jpg", b"\xff\xd8c")]
    body = multipart(fields, files)
    [one] = system.receive(inbound(body, door="requests_json", content_type="multipart/form-data; boundary=cut"))

    assert isinstance(one, Reading), one
    assert one.report
    attachments = one.report.attachments
    assert [each.url for each in attachments[:2]] == ["https://app.example/1.jpg", "https://app.example/2.jpg"]
    assert [(each.name, each.content) for each in attachments[2:]] == [(name, content) for _, name, content in files]
    assert one.report.description == ""


def multipart(fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]]) -> bytes:
    parts = [f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    heads = [
        f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: image/jpeg\r\n\r\n'
        for name, file, _ in files
    ]
    pictures = b"".join(head.encode() + content + b"\r\n" for head, (_, _, content) in zip(heads, files, strict=True))
    return "".join(parts).encode() + pictures + b"--cut--\r\n"


def test_a_position_of_zero_is_none_and_one_off_the_earth_is_refused(system: System) -> None:
    nowhere, there = (
        reading_of(system, lat="0.0", long="0"),
        reading_of(system, lat="31.33410000000000123", long=" 118.4"),
    )

    assert nowhere.report
    assert nowhere.report.coordinate is None
    assert there.report
    assert there.report.coordinate
    assert (round(there.report.coordinate.x, 4), round(there.report.coordinate.y, 4)) == (118.4, 31.3341)
    assert isinstance(read(system, lat="91", long="118.4"), ContractViolation)
    assert isinstance(read(system, lat="31.3", long="181"), ContractViolation)


@pytest.mark.parametrize(("first", "last", "whole"), [("某某", "赵", "赵某某"), ("John", "Sample", "John Sample")])
def test_a_name_is_written_as_it_is_spoken(system: System, first: str, last: str, whole: str) -> None:
    report = reading_of(system, first_name=first, last_name=last).report

    assert report
    assert report.reporter.name == whole


def test_several_applications_have_keys_of_their_own(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"key-of-the-second").hexdigest()
    (tmp_path / "apps.csv").write_text(f"key,digest,name\n{digest},{digest},第二个应用\n", encoding="utf-8")
    folder, ledgers = adapters.shipped()["open311_server"], {"apps": tmp_path / "apps.csv"}
    system = adapters.load(folder, {"api_key": "demo-api_key"}, name="apps", ledgers=ledgers)

    second = reading_of(system, api_key="key-of-the-second").report
    first = reading_of(system).report
    wrong = read(system, api_key=digest)

    assert second
    assert first
    assert (second.extra["app"], first.extra.get("app", "")) == ("第二个应用", "")
    assert isinstance(wrong, Unacceptable)
    assert wrong.why is Why.UNAUTHENTICATED


def test_the_key_may_stand_in_the_query(system: System) -> None:
    body = urlencode(LAMP | {"api_key": ""}).encode()
    path = "requests.json?api_key=demo-api_key"
    [one] = system.receive(replace(inbound(body, door="requests_json", content_type=FORM), path=path))

    assert isinstance(one, Reading), one


def test_every_problem_is_an_error_of_its_own(system: System) -> None:
    wrong = read(system, service_code="", address_string="", description="长" * 4001)
    assert isinstance(wrong, ContractViolation)
    outcome = Outcome(Verdict.REFUSED, why=wrong.why, text=str(wrong))

    root = etree.fromstring(system.reply(inbound(b"", door="requests_xml"), outcome).body)
    rows = json.loads(system.reply(inbound(b"", door="requests_json"), outcome).body)

    assert len(rows) == len(root) == 3
    assert [one.findtext("description") for one in root] == [row["description"] for row in rows]
    assert {row["code"] for row in rows} == {400}


def test_a_request_needs_a_place(system: System) -> None:
    assert isinstance(read(system, address_string=""), ContractViolation)
    assert isinstance(read(system, address_string="", lat="31.3"), ContractViolation)
    assert isinstance(read(system, address_string="", lat="31.3", long="118.4"), Reading)
    assert isinstance(read(system, address_string="", address_id="A1"), Reading)


def test_a_wrong_key_or_service_is_told_apart(system: System) -> None:
    wrong = read(system, api_key="x")

    assert isinstance(wrong, Unacceptable)
    assert wrong.why is Why.UNAUTHENTICATED
    assert isinstance(read(system, service_code="X"), UnmappedCode)


@pytest.mark.parametrize(
    ("why", "status"), [(Why.UNAUTHENTICATED, 403), (Why.UNMAPPED_CODE, 404), (Why.CONTRACT, 400), (Why.TOO_LARGE, 400)]
)
def test_errors_are_written_as_the_specification_says(system: System, why: Why, status: int) -> None:
    outcome = Outcome(Verdict.REFUSED, why=why, text="a < b")
    reply = system.reply(inbound(b"", door="requests_xml"), outcome)

    root = etree.fromstring(reply.body)
    assert (reply.status, reply.content_type) == (status, "text/xml; charset=utf-8")
    assert (root.tag, root.findtext("error/code")) == ("errors", str(status))
    assert root.findtext("error/description")
    assert system.reply(inbound(b"", door="requests_json"), outcome).status == status


def test_a_taken_request_is_answered_with_its_number(system: System) -> None:
    taken = Outcome(Verdict.CASE, case_no="34022026052000001")

    row = system.reply(inbound(b"", door="requests_json"), taken)
    xml = etree.fromstring(system.reply(inbound(b"", door="requests_xml"), taken).body)

    assert row.body == b'[{"service_request_id":"34022026052000001","service_notice":null,"account_id":null}]'
    assert (xml.tag, xml.findtext("request/service_request_id")) == ("service_requests", "34022026052000001")
