"""Requests filed at another GeoReport v2 server, the simulated one, and what it says became of them."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

import adapters
from adapters import System
from canonical.errors import ContractViolation, InDoubt, Refused, Unauthenticated, Unavailable, UnmappedCode
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message
from canonical.reading import Outbound, Reading
from connectors.http import HttpConnector
from simulators import Behaviour, Setup, running
from tests.adapters.systems import ID, NOW, inbound, loaded, outbound_of

SECRET = "a-secret-of-the-tests"
DISPATCH = {"kind": "dispatch", "at": NOW, "actor": {"party": "centre", "id": "desk"}}
LAMP, COVER, CARS = ({"edition": "GB/T 30428.2-2013", "kind": kind, "major": major, "minor": minor} for kind, major, minor in (("part", "01", "37"), ("part", "01", "03"), ("event", "04", "09")))  # fmt: skip  # noqa: E501


@pytest.fixture(scope="module")
def system() -> System:
    return loaded(adapters.shipped()["open311_client"], api_key=SECRET)


@pytest.fixture(scope="module")
def side() -> Iterator[str]:
    """A server that works at once, and lets nothing go wrong."""
    still = {"rate": 0, "pace": 0.02, "gap": 0.05, "repeat": 0, "return": 0}
    with running(
        "open311", Setup("http://127.0.0.1:9", SECRET, 7, Behaviour().changed(still), quiet=True, clock=lambda: NOW)
    ) as up:
        yield up.url


@pytest.fixture(scope="module")
def line(side: str) -> Iterator[HttpConnector]:
    connector = HttpConnector(f"{side}/open311/v2", timeout=10, now=lambda: NOW, ids=lambda: ID)
    yield connector
    connector.close()


def dispatched(class_code: dict[str, str], **case: Any) -> Outbound:
    facts = {"description": "示例问题", "class_code": class_code, "place": {"address": "样板街12号", "lon": 118.3762, "lat": 31.3341}}  # fmt: skip  # noqa: E501
    return outbound_of("file_request", {"case": facts | case, "action": DISPATCH})


def sent(line: HttpConnector, message: Message) -> Message:
    return line.send(line.seal(message))


def filed(system: System, line: HttpConnector, outbound: Outbound) -> str:
    answer = sent(line, system.write(outbound, now=NOW, id=ID))
    return system.judge("file_request", answer).external_id


def told(system: System, line: HttpConnector, pull: str, external_id: str) -> list[Reading]:
    """What one turn of a pull reads about one binding."""
    asked = system.ask(
        pull, since=NOW - timedelta(days=1), until=NOW, page=1, now=NOW, id=ID, binding={"external_id": external_id}
    )
    page = system.page(pull, sent(line, asked), now=NOW, ids=lambda: ID)
    messages = page.items
    if detail := system.pull(pull).detail:
        asks = [system.say(detail.ask, now=NOW, id=ID, pull={"item": row}) for row in page.rows]
        messages = tuple(one for ask in asks for one in system.details(pull, sent(line, ask), now=NOW, ids=lambda: ID))
    readings = [one for message in messages for one in system.read(message)]
    assert all(isinstance(one, Reading) for one in readings), readings
    return [one for one in readings if isinstance(one, Reading)]


def finished(system: System, line: HttpConnector, pull: str, external_id: str) -> Reading:
    """The reading of the end: asked again until the server has closed the request."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for reading in told(system, line, pull, external_id):
            if reading.action and reading.action.given == "closed":
                return reading
    raise AssertionError("the request was never closed")


def test_a_filed_request_is_followed_to_its_end(system: System, line: HttpConnector) -> None:
    external_id = filed(system, line, dispatched(COVER))

    reading = finished(system, line, "statuses", external_id)

    assert reading.external_id == external_id
    assert reading.reference == "34022026052000001-1"
    assert reading.action
    assert reading.action.kinds == {Party.OWNER: ActionKind.DISPOSE}
    assert reading.action.result
    assert told(system, line, "tokens", external_id) == []


def test_a_request_with_a_token_is_found_by_our_number(system: System, line: HttpConnector) -> None:
    token = filed(system, line, dispatched(CARS))

    assert token.startswith("T")
    assert told(system, line, "statuses", token) == []
    reading = finished(system, line, "tokens", token)
    assert reading.external_id == token.removeprefix("T")
    assert reading.reference == "34022026052000001-1"


def test_nothing_of_the_reporter_is_filed(system: System) -> None:
    outbound = dispatched(LAMP, reporter={"name": "赵某某", "phone": "13900000099"})

    body = system.write(outbound, now=NOW, id=ID).body.decode()

    fields = httpx.QueryParams(body)
    assert "赵某某" not in str(fields)
    assert "13900000099" not in str(fields)
    assert set(fields) == {"api_key", "service_code", "lat", "long", "address_string", "description"}


def test_a_class_without_a_service_and_a_case_without_a_place_wait_for_a_person(system: System) -> None:
    with pytest.raises(UnmappedCode):
        system.write(dispatched(LAMP | {"minor": "46"}), now=NOW, id=ID)
    with pytest.raises(ContractViolation):
        system.write(dispatched(LAMP, place={}), now=NOW, id=ID)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(404, b"", "absent"), (200, b'[{"code":404,"description":"not found"}]', "absent"), (200, b"[]", "taken")],
)
def test_a_request_that_is_not_there_yet_is_no_trouble(system: System, status: int, body: bytes, said: str) -> None:
    answer = Message(system="s", body=body, at=NOW, id=ID, status=status, door="get_request")

    assert system.judge("get_request", answer).absent == (said == "absent")


def test_statuses_are_read_in_any_letter_case_and_times_without_a_zone_are_the_citys(system: System) -> None:
    row = (
        b'{"service_request_id":638344,"status":"Closed","updated_datetime":"2026-05-20T08:00:00","status_notes":null}'
    )
    [reading] = system.read(inbound(row, door="statuses"))

    assert isinstance(reading, Reading)
    assert reading.action
    assert (reading.external_id, reading.action.given) == ("638344", "closed")
    assert reading.action.stated_at == NOW.replace(hour=8, minute=0, second=0, microsecond=0)


def test_a_status_of_no_specification_waits_for_a_row(system: System) -> None:
    [reading] = system.read(inbound(b'{"service_request_id":"1","status":"in progress"}', door="statuses"))

    assert isinstance(reading, UnmappedCode)


def test_a_number_in_a_citizens_words_is_not_taken_for_ours(system: System) -> None:
    row = b'{"service_request_id":"SR-1","status":"open","description":"\xef\xbc\x88\xe4\xb8\xad\xe5\xbf\x83\xe7\xbc\x96\xe5\x8f\xb7 999-1\xef\xbc\x89 ha"}'  # noqa: E501
    [reading] = system.read(inbound(row, door="statuses"))

    assert isinstance(reading, Reading)
    assert reading.reference == ""


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'[{"code":400,"description":"lat must be given"}]', Refused),
        (403, b'[{"code":403,"description":"Missing api_key"}]', Unauthenticated),
        (503, b"", Unavailable),
        (429, b"", Unavailable),
        (500, b"<html>", InDoubt),
        (200, b"[]", InDoubt),
        (200, b'[{"code":412,"description":"out of area"}]', Refused),
        (200, b'[{"code":"403","description":"Invalid api_key"}]', Unauthenticated),
        (404, b"<html>", Refused),
        (200, b"<html>", InDoubt),
    ],
)
def test_a_bad_answer_to_a_filing_is_judged(system: System, status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        system.judge("file_request", Message(system="s", body=body, at=NOW, id=ID, status=status))


def test_a_wrong_key_is_told_by_the_server(line: HttpConnector) -> None:
    stranger = loaded(adapters.shipped()["open311_client"], api_key="wrong")

    with pytest.raises(Unauthenticated):
        filed(stranger, line, dispatched(LAMP))


def test_what_cannot_be_told_is_said_to_the_dispatcher(system: System) -> None:
    assert set(system.role.unsupported["owner"]) == {ActionKind.REWORK, ActionKind.CANCEL, ActionKind.MERGE}
    assert system.outbound["file_request"].repeat == "never"
