"""The simulated Open311 server by hand-made requests, and its client against a hand-made server and against itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx
import pytest
from lxml import etree
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators import Behaviour, Running, Setup, running

NAME = "open311"
BASE = "/open311/v2"
SECRET = "a-secret-of-the-tests"
WUHU = ZoneInfo("Asia/Shanghai")
LIGHT = {"api_key": SECRET, "service_code": "LIGHT", "lat": "31.3341", "long": "118.3762", "description": "路灯不亮"}
STILL = {"rate": 0, "pace": 0.01, "gap": 0.01, "repeat": 0, "return": 0}
FIELDS = {
    "service_request_id", "status", "status_notes", "service_name", "service_code", "description",
    "agency_responsible", "service_notice", "requested_datetime", "updated_datetime", "expected_datetime", "address",
    "address_id", "zipcode", "lat", "long", "media_url",
}  # fmt: skip


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 16, 9, 12, tzinfo=WUHU)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def side(start: Callable[..., Any]) -> Any:
    return start(NAME)


def get(side: Any, path: str, **query: str) -> Any:
    answer = side.client.get(f"{BASE}/{path}.json", params=query)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return answer.json()


def file(side: Any, form: str = "json", **changes: str | None) -> httpx.Response:
    fields = {name: value for name, value in (LIGHT | changes).items() if value is not None}
    answer: httpx.Response = side.post(f"{BASE}/requests.{form}", data=fields)
    return answer


def errors(answer: httpx.Response) -> list[str]:
    rows = answer.json()
    assert all(row["code"] == answer.status_code for row in rows)
    return [row["description"] for row in rows]


# The server


def test_the_services_are_the_same_in_both_formats(side: Any) -> None:
    services = get(side, "services")
    answer = side.client.get(f"{BASE}/services.xml")
    root = etree.fromstring(answer.content)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.content.startswith(b"<?xml")
    assert [root.tag, *{child.tag for child in root}] == ["services", "service"]
    texts = [{field.tag: field.text for field in service} for service in root]
    assert texts == [
        {name: str(value).lower() if isinstance(value, bool) else value for name, value in one.items()}
        for one in services
    ]
    assert {one["type"] for one in services} == {"realtime", "batch"}


def test_a_definition_shows_its_attributes_in_both_formats(side: Any) -> None:
    definition = get(side, "services/MANHOLE")
    first = definition["attributes"][0]
    assert (definition["service_code"], first["code"], first["required"], first["order"]) == (
        "MANHOLE",
        "KIND",
        True,
        1,
    )
    root = etree.fromstring(side.client.get(f"{BASE}/services/MANHOLE.xml").content)
    assert root.findtext("attributes/attribute/values/value/key") == first["values"][0]["key"]
    unknown = side.client.get(f"{BASE}/services/NONE.json")
    assert (unknown.status_code, errors(unknown)) == (404, ["service_code provided was not found"])


def test_a_filed_request_is_open_and_then_closed(start: Callable[..., Any]) -> None:
    side = start(NAME, pace=600)
    [row] = file(side).json()
    assert set(row) == {"service_request_id", "service_notice", "account_id"}
    [one] = get(side, f"requests/{row['service_request_id']}")
    assert set(one) == FIELDS
    assert (one["status"], one["lat"], one["description"]) == ("open", 31.3341, "路灯不亮")
    assert datetime.fromisoformat(one["requested_datetime"]).utcoffset() == timedelta(hours=8)
    quick = start(NAME)
    [row] = file(quick).json()
    quick.drained()
    [closed] = get(quick, f"requests/{row['service_request_id']}")
    assert closed["status"] == "closed"
    assert closed["status_notes"]
    assert closed["updated_datetime"] >= closed["requested_datetime"]


def test_what_is_not_ours_is_closed_with_a_reason(start: Callable[..., Any]) -> None:
    side = start(NAME, **{"return": 1})
    [row] = file(side).json()
    assert side.drained()["returned"] == 1
    [one] = get(side, f"requests/{row['service_request_id']}")
    assert (one["status"], "不属于" in one["status_notes"]) == ("closed", True)


def test_a_batch_service_gives_a_token_and_the_number_later(start: Callable[..., Any]) -> None:
    side = start(NAME, pace=600)
    [row] = file(side, service_code="PARKING").json()
    assert list(row) == ["token"]
    assert get(side, f"tokens/{row['token']}") == [{"service_request_id": None, "token": row["token"]}]
    assert get(side, "requests") == []
    assert side.client.get(f"{BASE}/tokens/none.json").status_code == 404
    quick = start(NAME)
    [row] = file(quick, service_code="PARKING").json()
    quick.drained()
    [resolved] = get(quick, f"tokens/{row['token']}")
    assert get(quick, f"requests/{resolved['service_request_id']}")[0]["service_code"] == "PARKING"


def test_xml_carries_the_same_request(side: Any) -> None:
    root = etree.fromstring(file(side, "xml").content)
    number = root.findtext("request/service_request_id")
    side.drained()
    one = etree.fromstring(side.client.get(f"{BASE}/requests/{number}.xml").content)
    assert one.tag == "service_requests"
    assert {field.tag for field in one[0]} == FIELDS
    assert one.findtext("request/status") == "closed"
    refused = file(side, "xml", api_key="wrong")
    error = etree.fromstring(refused.content)
    assert (refused.status_code, error.findtext("error/code")) == (403, "403")


@pytest.mark.parametrize(
    ("changes", "status", "number"),
    [
        ({"api_key": None}, 403, 1),
        ({"api_key": "wrong"}, 403, 1),
        ({"service_code": None}, 400, 1),
        ({"service_code": "NONE"}, 400, 1),
        ({"lat": None}, 400, 1),
        ({"lat": "north"}, 400, 1),
        ({"lat": None, "long": None}, 400, 1),
        ({"description": "长" * 4001}, 400, 1),
        ({"service_code": "MANHOLE"}, 400, 1),
        ({"service_code": "MANHOLE", "attribute[KIND]": "GAS"}, 400, 1),
        ({"service_code": None, "lat": None, "long": None}, 400, 2),
    ],
)
def test_what_is_wrong_with_a_filing_is_listed(side: Any, changes: dict[str, Any], status: int, number: int) -> None:
    answer = file(side, **changes)
    assert (answer.status_code, len(errors(answer))) == (status, number)
    assert side.items() == []


def test_an_address_or_a_required_answer_is_enough(side: Any) -> None:
    assert file(side, lat=None, long=None, address_string="示例路1号").status_code == 200
    assert file(side, service_code="MANHOLE", **{"attribute[KIND]": "RAIN"}).status_code == 200
    side.drained()
    assert get(side, "requests", service_code="MANHOLE")[0]["service_name"] == "井盖问题"
    assert [one["lat"] for one in get(side, "requests", service_code="LIGHT")] == [None]


def test_filing_twice_makes_two_requests(side: Any) -> None:
    file(side)
    file(side)
    assert side.drained()["doubles"] == 1
    assert len(get(side, "requests")) == 2


@contextmanager
def aged() -> Iterator[tuple[Running, Clock]]:
    """A server whose clock stands still until it is moved."""
    clock = Clock()
    behaviour = Behaviour().changed(STILL)
    with running(NAME, Setup("", SECRET, 7, behaviour, quiet=True, clock=clock)) as up:
        yield up, clock


def test_requests_are_found_by_time_state_service_and_number(until: Callable[..., None]) -> None:
    with aged() as (up, clock), httpx.Client(base_url=f"{up.url}{BASE}", trust_env=False) as client:
        numbers = []
        for code in ("LIGHT", "WASTE", "LIGHT"):
            answer = client.post("/requests.json", data=LIGHT | {"service_code": code})
            numbers.append(answer.json()[0]["service_request_id"])
            clock.now += timedelta(days=40)
        until(lambda: up.system.busy == 0)

        def found(**query: str) -> list[int]:
            rows = client.get("/requests.json", params=query).json()
            return [numbers.index(row["service_request_id"]) for row in rows]

        assert found() == [2, 1]  # the most recent 90 days, newest first
        assert found(start_date="2026-03-01T00:00:00Z", end_date="2026-04-30T00:00:00+08:00") == [1, 0]
        assert found(start_date="2026-03-01T00:00:00Z") == [1, 0]
        assert found(service_code="WASTE") == [1]
        assert found(status="open") == []
        assert found(status="closed,open") == [2, 1]
        assert found(service_request_id=f"{numbers[0]},{numbers[2]},none") == [0, 2]
        for query in (
            {"start_date": "yesterday"},
            {"start_date": "2026-03-01T00:00:00"},
            {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"},
        ):
            assert client.get("/requests.json", params=query).status_code == 400


def test_residents_report_by_themselves(side: Any) -> None:
    side.emit(3)
    side.drained()
    assert [item["kind"] for item in side.items()] == ["resident"] * 3
    assert len(get(side, "requests", status="closed")) == 3


def test_a_jurisdiction_is_asked_for_when_there_is_one(start: Callable[..., Any]) -> None:
    side = start(NAME, options={"jurisdiction": "wuhu.example"})
    paths = [f"{BASE}/services.json", f"{BASE}/services.json?jurisdiction_id=x"]
    assert [side.client.get(path).status_code for path in paths] == [400, 404]
    assert side.client.get(f"{BASE}/services.json?jurisdiction_id=wuhu.example").status_code == 200
    assert file(side).status_code == 400
    assert file(side, jurisdiction_id="wuhu.example").status_code == 200
    side.drained()


def test_a_dropped_answer_leaves_the_request_standing(start: Callable[..., Any]) -> None:
    side = start(NAME, drop_answer=1)
    with pytest.raises(httpx.RemoteProtocolError):
        file(side)
    assert side.drained()["reported"] == 1


# The client


class HubServer:
    """A hand-made GeoReport server, as the hub would have it."""

    def __init__(self) -> None:
        self.filed: list[dict[str, str]] = []
        self.answer: Any = [{"service_request_id": "3402000001", "service_notice": None, "account_id": None}]
        self.status = 200
        self.request: dict[str, Any] = {"service_request_id": "3402000001", "status": "open", "status_notes": None}

    def __call__(self, request: Request, body: bytes) -> Response:
        path = request.url.path.removeprefix("/api/v2/")
        if request.method == "POST":
            assert path == "requests.json"
            self.filed.append({name: value for name, [value] in parse_qs(body.decode(), strict_parsing=True).items()})
            return JSONResponse(self.answer, status_code=self.status)
        return JSONResponse(self.pages()[path])

    def pages(self) -> dict[str, Any]:
        attribute = {
            "code": "SIZE",
            "required": True,
            "values": [{"key": 1, "name": "小"}],
            "datatype": "singlevaluelist",
        }
        return {
            "services.json": [{"service_code": "E0301", "service_name": "暴露垃圾", "metadata": True}],
            "services/E0301.json": {"service_code": "E0301", "attributes": [attribute]},
            "tokens/T1.json": [{"service_request_id": "3402000001", "token": "T1"}],
            "requests/3402000001.json": [self.request],
        }


@pytest.fixture
def server(hub: Any) -> HubServer:
    hub.api = HubServer()
    found: HubServer = hub.api
    return found


@pytest.fixture
def client(start: Callable[..., Any], server: HubServer) -> Any:
    return start(NAME, options={"door": "/api/v2", "mode": "client", "jurisdiction": "wuhu.example"})


def filed(client: Any) -> dict[str, str]:
    id_ = client.post("/_sim/file").json()["id"]
    client.drained()
    row: dict[str, str] = client.item(id_)
    return row


def test_a_client_files_what_the_hub_asks_for_and_follows_it(client: Any, server: HubServer, hub: Any) -> None:
    row = filed(client)
    assert (row["state"], row["no"]) == ("open", "3402000001")
    [form] = server.filed
    assert (form["service_code"], form["attribute[SIZE]"], form["api_key"]) == ("E0301", "1", SECRET)
    assert form["jurisdiction_id"] == "wuhu.example"
    assert 118 < float(form["long"]) < 119
    assert form["phone"].startswith("1380000")
    posted = next(headers for path, headers, body in hub.requests if body)
    assert posted["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"
    server.request |= {"status": "closed", "status_notes": "已办结"}
    assert client.post("/_sim/poll").json() == {row["id"]: "closed"}
    assert client.item(row["id"])["notes"] == "已办结"


def test_a_token_is_exchanged_for_a_number(client: Any, server: HubServer) -> None:
    server.answer = [{"token": "T1"}]
    row = filed(client)
    assert row["state"] == "token"
    client.post("/_sim/poll")
    assert (client.item(row["id"])["state"], client.item(row["id"])["no"]) == ("open", "3402000001")


@pytest.mark.parametrize(
    ("status", "answer", "state"),
    [(403, [{"code": 403, "description": "x"}], "refused"), (500, "no", "unanswered"), (200, [], "refused")],
)
def test_a_client_does_not_file_again(client: Any, server: HubServer, status: int, answer: Any, state: str) -> None:
    server.status, server.answer = status, answer
    assert filed(client)["state"] == state
    assert len(server.filed) == 1


def test_in_client_mode_residents_report_at_the_hub_and_ask_by_themselves(
    client: Any, server: HubServer, until: Callable[..., None]
) -> None:
    client.emit(2)
    client.drained()
    assert len(server.filed) == 2
    server.request |= {"status": "closed"}
    client.post("/_sim/quiet", json={"quiet": False})
    until(lambda: {item["state"] for item in client.items()} == {"closed"})


def test_two_of_them_understand_each_other_in_xml(start: Callable[..., Any], until: Callable[..., None]) -> None:
    server = start(NAME)
    setup = Setup(
        server.url, SECRET, 3, Behaviour().changed(STILL), quiet=True, options={"mode": "client", "format": "xml"}
    )
    with running(NAME, setup) as up:
        httpx.post(f"{up.url}/_sim/emit", json={"n": 12}, trust_env=False)
        until(lambda: up.system.busy == 0)
        server.drained()
        for _ in range(2):
            states = httpx.post(f"{up.url}/_sim/poll", trust_env=False).json()
        assert set(states.values()) == {"closed"}
        assert up.system.failures == []
    assert {item["kind"] for item in server.items()} == {"received"}
    assert {row["service_code"] for row in json.loads(server.client.get(f"{BASE}/requests.json").content)} == {
        "LIGHT", "MANHOLE", "WASTE", "PARKING",
    }  # fmt: skip


@pytest.mark.parametrize("options", [{"mode": "both"}, {"format": "yaml"}])
def test_an_option_that_means_nothing_stops_it(options: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)), running(NAME, Setup("", SECRET, options=options)):
        pytest.fail("it started")
