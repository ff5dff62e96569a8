"""The hub as a GeoReport v2 server: what apps file, ask and are never told. Also with the simulated app."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from lxml import etree

import adapters
from canonical.time import SHANGHAI
from gateway.configuration import Configuration, ConnectedSystem
from tests.gateway.outside import push
from tests.gateway.running import SECRET, HubUnderTest, until

BASE = "/open311/v2"
APP = "citizens_app"
LAMP = {
    "api_key": SECRET, "service_code": "30428.2:P01-37", "lat": "31.3341", "long": "118.3762",
    "address_string": "镜湖区赭山街道凤凰山社区", "description": "路灯不亮，联系赵某某13900000099",
    "last_name": "赵", "first_name": "某某", "phone": "13900000099", "email": "demo@example.com",
}  # fmt: skip
FIELDS = {
    "service_request_id", "status", "status_notes", "service_name", "service_code", "description",
    "agency_responsible", "service_notice", "requested_datetime", "updated_datetime", "expected_datetime", "address",
    "address_id", "zipcode", "lat", "long", "media_url",
}  # fmt: skip


@pytest.fixture(scope="module")
def with_app(configuration: Configuration) -> Configuration:
    """The example city with one app connected."""
    folder = adapters.shipped()["open311_server"]
    system = adapters.load(folder, {"api_key": SECRET}, name=APP)
    connected = ConnectedSystem(system=system, url="", every=None, concurrency=1, paused=False, folder=folder)
    city = replace(configuration.city, systems={**configuration.city.systems, APP: system.role})
    return Configuration(city, {**configuration.systems, APP: connected})


@pytest.fixture
def app_hub(start_hub: Callable[..., HubUnderTest], with_app: Configuration) -> HubUnderTest:
    return start_hub(loaded=with_app)


def file(hub: HubUnderTest, form: str = "json", **changes: str) -> httpx.Response:
    return hub.client.post(f"{BASE}/requests.{form}", data=LAMP | changes)


def filed(hub: HubUnderTest, **changes: str) -> str:
    answer = file(hub, **changes)
    assert answer.status_code == 200, answer.text
    [row] = answer.json()
    return str(row["service_request_id"])


def asked(hub: HubUnderTest, path: str, **query: Any) -> Any:
    answer = hub.client.get(f"{BASE}/{path}.json", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    return answer.json()


def refused(hub: HubUnderTest, path: str, **query: Any) -> tuple[int, str]:
    """Status and words of an answer that must hold one error in the specification's form."""
    answer = hub.client.get(f"{BASE}/{path}", params=query)
    [row] = answer.json()
    assert row["code"] == answer.status_code
    return answer.status_code, row["description"]


def numbers(hub: HubUnderTest, **query: Any) -> list[str]:
    return [row["service_request_id"] for row in asked(hub, "requests", **query)]


def closed(hub: HubUnderTest, number: str) -> None:
    hub.act(number, kind="cancel", reason="示例: 重复")


def test_a_filed_request_is_a_case_and_can_be_asked_for_by_its_number(app_hub: HubUnderTest) -> None:
    number = filed(app_hub)

    [row] = asked(app_hub, f"requests/{number}")

    assert set(row) == FIELDS
    assert (row["service_request_id"], row["status"], row["service_name"]) == (number, "open", "路灯")
    assert row["requested_datetime"].endswith("+08:00")
    assert datetime.fromisoformat(row["requested_datetime"]).tzinfo is not None
    assert abs(row["lat"] - 31.3341) < 0.001
    assert app_hub.case(number)["source"] == APP


def test_nothing_personal_is_told(app_hub: HubUnderTest) -> None:
    number = filed(app_hub)

    told = json.dumps([asked(app_hub, f"requests/{number}"), asked(app_hub, "requests")], ensure_ascii=False)

    assert "路灯不亮" in told
    for personal in ("赵某某", "13900000099", "demo@example.com"):
        assert personal not in told


def test_the_same_filing_again_is_the_same_request(app_hub: HubUnderTest) -> None:
    assert filed(app_hub) == filed(app_hub)
    assert filed(app_hub) != filed(app_hub, description="另一盏路灯不亮")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"api_key": "wrong"}, 403),
        ({"service_code": "NONSENSE"}, 404),
        ({"lat": "", "long": "", "address_string": ""}, 400),
        ({"lat": "north"}, 400),
        ({"description": "长" * 4001}, 400),
    ],
)
@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_wrong_filing_is_refused_in_the_specifications_form(
    app_hub: HubUnderTest, form: str, changes: dict[str, str], status: int
) -> None:
    answer = file(app_hub, form, **changes)

    assert answer.status_code == status
    if form == "json":
        [row] = answer.json()
        code, text = row["code"], row["description"]
    else:
        root = etree.fromstring(answer.content)
        assert root.tag == "errors"
        code, text = int(root.findtext("error/code") or 0), root.findtext("error/description")
    assert code == status
    assert text
    assert app_hub.counts()["cases"] == 0


def test_xml_says_the_same_as_json(app_hub: HubUnderTest) -> None:
    answer = file(app_hub, "xml")
    number = etree.fromstring(answer.content).findtext("request/service_request_id")

    root = etree.fromstring(app_hub.client.get(f"{BASE}/requests/{number}.xml").content)
    [row] = asked(app_hub, f"requests/{number}")

    assert root.tag == "service_requests"
    [element] = root
    assert element.tag == "request"
    assert {child.tag: child.text or None for child in element} == {
        name: None if value is None else str(value) for name, value in row.items()
    }


def test_an_app_that_knows_only_the_address_finds_everything_else(app_hub: HubUnderTest) -> None:
    told = app_hub.client.get(f"{BASE}/discovery.json").json()
    root = etree.fromstring(app_hub.client.get(f"{BASE}/discovery.xml").content)

    [endpoint] = told["endpoints"]
    assert endpoint["url"] == f"{app_hub.url}{BASE}"
    assert endpoint["formats"] == ["application/json", "text/xml"]
    assert root.findtext("endpoints/endpoint/url") == endpoint["url"]
    assert [one.text for one in root.iterfind("endpoints/endpoint/formats/format")] == endpoint["formats"]
    assert app_hub.client.get(f"{endpoint['url']}/services.json").status_code == 200


def test_services_are_the_citys_classes_that_can_be_filed(app_hub: HubUnderTest, with_app: Configuration) -> None:
    services = asked(app_hub, "services")

    codes = {one["service_code"] for one in services}
    refusing = {str(code) for code, one in with_app.city.catalogue.classes.items() if one.acceptance == "refuse"}
    assert "30428.2:P01-37" in codes
    assert refusing
    assert not codes & refusing
    assert len(codes) == len(with_app.city.catalogue.classes) - len(refusing)
    code = quote("30428.2:P01-39")
    assert asked(app_hub, f"services/{code}") == {"service_code": "30428.2:P01-39", "attributes": []}
    root = etree.fromstring(app_hub.client.get(f"{BASE}/services.xml").content)
    assert (root.tag, {child.tag for child in root}, len(root)) == ("services", {"service"}, len(services))
    assert refused(app_hub, "services/NONSENSE.json") == (404, "service_code provided was not found")


def test_a_service_with_questions_says_so_and_tells_them(app_hub: HubUnderTest) -> None:
    code = "30428.2:P01-03"
    asking = {one["service_code"] for one in asked(app_hub, "services") if one["metadata"]}

    told = asked(app_hub, f"services/{quote(code)}")
    root = etree.fromstring(app_hub.client.get(f"{BASE}/services/{quote(code)}.xml").content)

    assert code in asking
    assert "30428.2:P01-39" not in asking
    [attribute] = told["attributes"]
    assert (attribute["code"], attribute["datatype"], attribute["required"]) == ("STATE", "singlevaluelist", False)
    assert (attribute["variable"], attribute["order"], attribute["description"]) == (True, 1, "井盖怎么了")
    assert attribute["values"][0] == {"key": "MISSING", "name": "缺失"}
    values = root.iterfind("attributes/attribute/values/value")
    assert [(one.findtext("key"), one.findtext("name")) for one in values] == [
        (one["key"], one["name"]) for one in attribute["values"]
    ]
    number = filed(app_hub, service_code=code, **{"attribute[STATE]": "LOOSE"})
    assert asked(app_hub, f"requests/{number}")[0]["description"].endswith("\n井盖怎么了: LOOSE")


def test_applications_in_a_browser_may_read_every_answer(app_hub: HubUnderTest) -> None:
    answers = [
        file(app_hub), file(app_hub, "xml", api_key="wrong"), app_hub.client.get(f"{BASE}/services.json"),
        app_hub.client.get(f"{BASE}/requests/none.json"),
    ]  # fmt: skip

    assert [one.status_code for one in answers] == [200, 403, 200, 404]
    assert [one.headers["access-control-allow-origin"] for one in answers] == ["*"] * 4


@pytest.mark.parametrize("path", ["nothing.json", "requests/1/2.json"])
def test_what_is_not_there_is_a_404_in_the_form_that_was_asked_for(app_hub: HubUnderTest, path: str) -> None:
    assert refused(app_hub, path)[0] == 404
    xml = app_hub.client.get(f"{BASE}/{path.replace('json', 'xml')}")
    assert (xml.status_code, etree.fromstring(xml.content).tag) == (404, "errors")


def test_a_photograph_of_some_megabytes_is_taken_and_nothing_of_it_is_published(app_hub: HubUnderTest) -> None:
    picture = b"\xff\xd8\xff\xe0" + bytes(3_000_000)
    answer = app_hub.client.post(f"{BASE}/requests.json", data=LAMP, files={"media": ("a.jpg", picture, "image/jpeg")})

    assert answer.status_code == 200, answer.text
    number = answer.json()[0]["service_request_id"]
    assert [one["name"] for one in app_hub.case(number)["attachments"]] == ["a.jpg"]
    assert len(app_hub.client.get(f"{BASE}/requests/{number}.json").content) < 2000


@pytest.mark.parametrize(
    "personal",
    [
        "13900000098",
        "139-0000-0098",
        "139 0000 0098",
        "+8613900000098",
        "0553-1234567",
        "someone@mail.example.com",
    ],
)
def test_numbers_and_addresses_of_others_in_a_description_are_masked(app_hub: HubUnderTest, personal: str) -> None:
    number = filed(app_hub, description=f"请联系{personal}。")

    [row] = asked(app_hub, f"requests/{number}")

    assert personal not in row["description"]
    assert not {"0098", "4567", "someone"} & set(re.findall("[a-z]+|[0-9]{4}", row["description"]))
    assert row["description"].startswith("请联系")
    assert row["description"].endswith("。")


def test_a_list_can_be_narrowed_by_status_service_range_and_numbers(app_hub: HubUnderTest) -> None:
    lamp, cover = filed(app_hub), filed(app_hub, service_code="30428.2:P01-03", description="井盖松动")
    closed(app_hub, cover)
    now = datetime.now(SHANGHAI)

    assert numbers(app_hub) == [cover, lamp]
    assert numbers(app_hub, status="open") == [lamp]
    assert numbers(app_hub, status="closed") == [cover]
    assert numbers(app_hub, status="CLOSED") == [cover]
    assert numbers(app_hub, status="open,closed", service_code="30428.2:P01-03") == [cover]
    assert numbers(app_hub, service_request_id=f"{lamp},{cover},999") == [lamp, cover]
    assert numbers(app_hub, start_date=(now + timedelta(hours=1)).isoformat()) == []
    assert numbers(app_hub, end_date=(now - timedelta(hours=1)).isoformat()) == []
    assert numbers(app_hub, start_date=(now - timedelta(days=89)).isoformat(), end_date=now.isoformat()) == [
        cover,
        lamp,
    ]
    today = f"{now:%Y-%m-%d}"
    assert numbers(app_hub, start_date=today, end_date=today) == [cover, lamp]
    assert numbers(app_hub, end_date=f"{now - timedelta(days=1):%Y-%m-%d}") == []
    assert numbers(app_hub, updated_after=(now + timedelta(hours=1)).isoformat()) == []
    assert numbers(app_hub, updated_after=(now - timedelta(hours=1)).isoformat()) == [cover, lamp]
    assert numbers(app_hub, updated_before=(now - timedelta(hours=1)).isoformat()) == []
    assert numbers(app_hub, page=1, page_size=1) == [cover]
    assert numbers(app_hub, page=2, page_size=1) == [lamp]
    assert numbers(app_hub, page=3, page_size=1) == []


@pytest.mark.parametrize(
    "query",
    [
        {"start_date": "yesterday"},
        {"start_date": "2026-05-20T00:00:00"},
        {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-05-01T00:00:00Z"},
        {"start_date": "2026-05-02T00:00:00Z", "end_date": "2026-05-01T00:00:00Z"},
        {"status": "lost"},
        {"page": "0"},
        {"page_size": "1001"},
        {"page": "٣"},
        {"service_request_id": ",".join(map(str, range(51)))},
        {"status": "\0"},
    ],
)
def test_a_question_that_makes_no_sense_is_a_400(app_hub: HubUnderTest, query: dict[str, str]) -> None:
    assert refused(app_hub, "requests.json", **query)[0] == 400


def test_what_other_sources_reported_is_not_shown(app_hub: HubUnderTest) -> None:
    number = push(app_hub, "1")

    assert numbers(app_hub) == []
    assert numbers(app_hub, service_request_id=number) == []
    assert refused(app_hub, f"requests/{number}.json") == (404, "service_request_id provided was not found")
    assert refused(app_hub, f"tokens/{number}.json") == (404, "token provided was not found")


def test_a_token_is_answered_with_the_number(app_hub: HubUnderTest) -> None:
    number = filed(app_hub)

    assert asked(app_hub, f"tokens/{number}") == [{"service_request_id": number, "token": number}]


def updates(hub: HubUnderTest, **query: Any) -> list[tuple[str, str, str]]:
    rows = asked(hub, "servicerequestupdates", **query)
    return [(row["service_request_id"], row["status"], row["external_status_code"]) for row in rows]


def test_an_app_follows_its_requests_by_what_moved(app_hub: HubUnderTest) -> None:
    number = filed(app_hub)
    before = datetime.now(SHANGHAI)
    closed(app_hub, number)

    assert updates(app_hub) == [
        (number, "OPEN", "filed"), (number, "OPEN", "dispatched"), (number, "CLOSED", "cancelled"),
    ]  # fmt: skip
    assert updates(app_hub, start_date=before.isoformat()) == [(number, "CLOSED", "cancelled")]
    assert updates(app_hub, end_date=(before - timedelta(hours=1)).isoformat()) == []


def test_an_update_has_an_id_of_its_own_and_says_the_same_in_xml(app_hub: HubUnderTest) -> None:
    closed(app_hub, filed(app_hub))

    rows = asked(app_hub, "servicerequestupdates")
    root = etree.fromstring(app_hub.client.get(f"{BASE}/servicerequestupdates.xml").content)

    assert len({row["update_id"] for row in rows}) == len(rows) > 1
    assert root.tag == "service_request_updates"
    assert [{child.tag: child.text or None for child in one} for one in root.iterfind("request_update")] == rows


def test_updates_tell_nothing_of_other_sources(app_hub: HubUnderTest) -> None:
    push(app_hub, "1")
    number = filed(app_hub)

    assert {row[0] for row in updates(app_hub)} == {number}


def test_updates_of_more_than_a_quarter_are_not_asked_at_once(app_hub: HubUnderTest) -> None:
    query = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-11-01T00:00:00Z"}

    assert refused(app_hub, "servicerequestupdates.json", **query)[0] == 400


def follow_up(hub: HubUnderTest, number: str, form: str = "json", **changes: str) -> httpx.Response:
    told = {
        "api_key": SECRET, "service_request_id": number, "update_id": "u-1", "status": "OPEN",
        "updated_datetime": datetime.now(SHANGHAI).isoformat(), "description": "还是不亮",
    }  # fmt: skip
    return hub.client.post(f"{BASE}/servicerequestupdates.{form}", data=told | changes)


def remarks(hub: HubUnderTest, number: str) -> list[str]:
    journey = hub.case(number)
    return [event["action"]["reason"] for event in journey["events"] if event["action"]["kind"] == "comment"]


def test_a_citizen_s_update_is_a_remark_of_the_case_and_told_twice_it_is_one(app_hub: HubUnderTest) -> None:
    number = filed(app_hub)

    first, again = follow_up(app_hub, number), follow_up(app_hub, number, "xml")
    other = follow_up(app_hub, number, update_id="u-2", description="现在亮了", status="FIXED")

    assert (first.status_code, first.json()) == (200, [{"update_id": "u-1"}])
    root = etree.fromstring(again.content)
    assert (root.tag, root.findtext("request_update/update_id")) == ("service_request_updates", "u-1")
    assert other.status_code == 200
    assert remarks(app_hub, number) == ["[OPEN] 还是不亮", "[FIXED] 现在亮了"]


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"api_key": "wrong"}, 403),
        ({"service_request_id": "3402209901010000001"}, 404),
        ({"service_request_id": ""}, 400),
        ({"description": "", "status": ""}, 400),
        ({"updated_datetime": "yesterday"}, 400),
    ],
)
def test_a_wrong_update_is_refused_in_the_specifications_form(
    app_hub: HubUnderTest, form: str, changes: dict[str, str], status: int
) -> None:
    number = filed(app_hub)

    answer = follow_up(app_hub, number, form, **changes)

    assert answer.status_code == status, answer.text
    if form == "xml":
        root = etree.fromstring(answer.content)
        assert (root.tag, root.findtext("error/code")) == ("errors", str(status))
    else:
        assert [row["code"] for row in answer.json()] == [status]
    assert remarks(app_hub, number) == []


def test_another_source_s_case_takes_no_updates_of_an_app(app_hub: HubUnderTest) -> None:
    number = push(app_hub, "1")

    assert follow_up(app_hub, number).status_code == 404


def test_another_format_is_refused(app_hub: HubUnderTest) -> None:
    answer = app_hub.client.get(f"{BASE}/requests.csv")

    assert answer.status_code == 400
    assert etree.fromstring(answer.content).tag == "errors"


def test_a_city_without_such_an_app_has_no_such_pages(hub: HubUnderTest) -> None:
    assert hub.client.get(f"{BASE}/services.json").status_code == 404
    assert file(hub).status_code in {404, 405}


@pytest.mark.parametrize("form", ["json", "xml"])
def test_the_simulated_app_files_and_learns_of_the_end(
    app_hub: HubUnderTest, start_side: Callable[..., Any], form: str
) -> None:
    side = start_side("open311", app_hub.url, options={"mode": "client", "format": form})
    id_ = side.client.post("/_sim/file").json()["id"]

    def seen() -> dict[str, str]:
        return next(dict(one) for one in side.client.get("/_sim/items").json() if one["id"] == id_)

    until(lambda: seen()["state"] != "filing", what="filing")
    one = seen()
    assert one["state"] == "open", one
    closed(app_hub, one["no"])
    assert side.client.post("/_sim/poll").json()[id_] == "closed"
