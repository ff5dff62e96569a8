"""Maps for people who signed in: their session opens their scope, through the gateway's own address."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import httpx
import pytest

from canonical.rights import Role
from tests.gateway.conftest import StartHub
from tests.gateway.maps_room import TOKENS, Maps, maps
from tests.gateway.people_desk import FORM, PASSWORD, Desk, sign_in
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import until

ITEMS = "/ogc/features/collections/cases/items"
CLASS = "30428.2:P01-03"
DISTRICTS = ("340202", "340207")


@dataclass
class Office:
    """A hub with a case in each of two districts, and a map process behind it."""

    desk: Desk
    room: Maps
    cases: dict[str, str]
    """District to the number of its case."""


@pytest.fixture
def office(start_hub: StartHub) -> Iterator[Office]:
    with ExitStack() as stack:
        hub = start_hub(doors=False)
        room = stack.enter_context(maps(hub.configuration, hub.database_url))
        hub.settings = replace(hub.settings, maps_url=room.url)
        hub.open_doors()
        desk = Desk(hub)
        stack.enter_context(desk.stack)
        cases = {}
        for district in DISTRICTS:
            grid = room.app.atlas.sets["grids"]
            [row, *_] = [row for row, area in enumerate(grid.table.columns["area"]) if area.startswith(district)]
            hotline(ticket(district, rqstAreaCode="", rqstAddress="")).to(hub)
            number = str(hub.case(f"t-{district}")["no"])
            lon, lat = grid.inner[row].tolist()
            hub.act(number, kind="file", class_code=CLASS, place={"lon": lon, "lat": lat})
            cases[district] = number
        until(lambda: len(room.app.feed.live.marks) == len(DISTRICTS), what="the feed")
        room.run(room.app.feed.read_all())
        yield Office(desk, room, cases)


def numbers(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {one["properties"].get("case_no", "") for one in answer.json()["features"]}


def test_a_session_opens_the_scope_of_its_person_and_no_more(office: Office) -> None:
    desk, cases = office.desk, office.cases
    city = desk.person("city", Role.CITY_CENTRE)
    district = desk.person("jinghu", Role.DISTRICT_CENTRE, areas=["340202"])
    keeper = desk.person("keeper", Role.ADMINISTRATOR)

    assert numbers(city.get(ITEMS)) == set(cases.values())
    assert numbers(district.get(ITEMS)) == {cases["340202"]}
    assert numbers(keeper.get(ITEMS)) == {""}  # as the public sees them
    assert numbers(desk.client().get(ITEMS)) == {""}
    shown = {"authorization": f"Bearer {TOKENS['jinghu']}"}
    assert numbers(city.get(ITEMS, headers=shown)) == {cases["340202"]}


def test_a_session_that_ended_opens_nothing_soon_after(office: Office) -> None:
    client = office.desk.person("city", Role.CITY_CENTRE)
    assert len(numbers(client.get(ITEMS))) == 2
    token = client.cookies["gridhub_session"]

    client.delete("/api/session", headers=FORM)

    client.cookies.set("gridhub_session", token)
    until(lambda: numbers(client.get(ITEMS)) == {""}, seconds=15, what="the end of the session")


def test_what_the_map_answers_passes_as_it_is(office: Office) -> None:
    client = office.desk.person("city", Role.CITY_CENTRE)
    path = "/ogc/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.3.0"
    here, there = (
        client.get(path),
        office.room.client.get(path, headers={"host": httpx.URL(client.base_url).netloc.decode()}),
    )

    assert here.status_code == there.status_code == 200
    assert here.headers["content-type"] == there.headers["content-type"]
    assert here.content != b""
    tagged = client.get("/ogc/tiles/cases/12/3386/1671")
    again = client.get("/ogc/tiles/cases/12/3386/1671", headers={"if-none-match": tagged.headers.get("etag", "")})
    assert (tagged.status_code, again.status_code) in {(200, 304), (204, 304), (404, 404), (204, 204)}


def test_map_processes_that_are_away_or_not_named_are_told(office: Office, start_hub: StartHub) -> None:
    lonely = start_hub(doors=False)
    lonely.settings = replace(lonely.settings, maps_url="http://127.0.0.1:9")
    lonely.open_doors()
    none = start_hub()

    assert lonely.client.get(ITEMS).status_code == 503
    assert none.client.get(ITEMS).status_code == 404
    assert "GRIDHUB_MAPS_URL" in none.client.get(ITEMS).json()["error"]["text"]


def test_who_signs_in_again_sees_at_once(office: Office) -> None:
    office.desk.person("city", Role.CITY_CENTRE)
    client = office.desk.client()
    assert numbers(client.get(ITEMS)) == {""}
    sign_in(client, "city", PASSWORD)
    assert len(numbers(client.get(ITEMS))) == 2
