"""Requests as GeoReport v2 clients file them: forms in, numbers and errors out, in JSON and XML."""

from datetime import timedelta
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


def test_answers_to_a_services_questions_stand_behind_the_description(system: System) -> None:
    body = urlencode([*LAMP.items(), ("description", "不亮"), ("attribute[K]", "A"), ("attribute[K]", "B")])
    report = reading_of(system, body=body).report

    assert report
    assert report.description == '不亮\nattribute[K]: ["A","B"]'


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

    json = system.reply(inbound(b"", door="requests_json"), taken)
    xml = etree.fromstring(system.reply(inbound(b"", door="requests_xml"), taken).body)

    assert json.body == b'[{"service_request_id":"34022026052000001","service_notice":null,"account_id":null}]'
    assert (xml.tag, xml.findtext("request/service_request_id")) == ("service_requests", "34022026052000001")
