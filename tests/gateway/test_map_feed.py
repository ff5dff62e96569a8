"""Cases on the map: there within seconds, gone when they have ended, and there again for their own day."""

from copy import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from canonical.rights import Scope
from canonical.time import SHANGHAI
from gateway.configuration import Configuration
from gateway.hub import clock
from gateway.maps.atlas import city_sets
from gateway.maps.feed import STALE
from maps.atlas import Query, TooMany
from maps.table import Table
from routing.grid_sets import GridRegistry
from tests.gateway.maps_room import SCOPES, SETTINGS, Maps, maps
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest, until

CLASS = "30428.2:P01-03"
IN_GRID = {"lon": 118.3650, "lat": 31.3400}


def told(hub: HubUnderTest, number: str, **fields: Any) -> str:
    """The number of a case that the hotline told of."""
    assert hotline(ticket(number, **fields)).to(hub).status_code == 200
    return str(hub.cases()[-1]["no"])


def seen(room: Maps, scope: str = "centre", when: tuple[datetime, datetime] | None = None) -> Table:
    return room.app.atlas.select("cases", Query(clock(), when=when), SCOPES[scope])


def test_a_case_comes_moves_and_goes(hub: HubUnderTest, configuration: Configuration, database_url: str) -> None:
    with maps(configuration, database_url) as room:
        assert len(seen(room)) == 0
        number = told(hub, "1", rqstAreaCode="", rqstAddress="")
        hub.act(number, kind="file", class_code=CLASS, place=IN_GRID)

        until(lambda: len(seen(room)) == 1, what="the case on the map")
        row = seen(room)
        case = hub.case(number)
        assert row.columns["case_no"][0] == number
        assert (row.geometry[0].x, row.geometry[0].y) == (IN_GRID["lon"], IN_GRID["lat"])
        assert row.columns["grid"][0] == case["place"]["grid"]
        assert row.columns["description"][0] == "反映示例路灯不亮。"
        assert "description" not in seen(room, "jinghu").columns

        hub.act(number, kind="cancel", reason="示例")
        until(lambda: len(seen(room)) == 0, what="the case gone from the map")

        day = datetime.now(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        today, before = (day, day + timedelta(days=1)), (day - timedelta(days=1), day)
        assert seen(room, when=today).columns["stage"].tolist() == ["cancelled"]
        assert len(seen(room, when=before)) == 0


def test_cases_that_were_there_before_are_there_and_the_public_sees_cells(
    hub: HubUnderTest, configuration: Configuration, database_url: str
) -> None:
    number = told(hub, "1", rqstAreaCode="", rqstAddress="")
    hub.act(number, kind="file", class_code=CLASS, place=IN_GRID)

    with maps(configuration, database_url) as room:
        [point] = seen(room, "public").geometry
        spot = Query(clock(), window=(point.x, point.y, point.x, point.y))
        cells = room.app.atlas.select("grids", spot, SCOPES["public"])
        assert (point.x, point.y) != (IN_GRID["lon"], IN_GRID["lat"])
        assert cells.columns["code"].tolist() == seen(room, "public").columns["grid"].tolist()
        assert not {"case_no", "unit", "description", "received_at"} & set(seen(room, "public").columns)
        outside = Scope("wuwei", areas=("340281",))
        assert len(room.app.atlas.select("cases", Query(clock()), outside)) == 0


def test_a_time_with_more_cases_than_one_question_may_look_at_is_refused(
    hub: HubUnderTest, configuration: Configuration, database_url: str
) -> None:
    for number in "12":
        told(hub, number)

    with (
        maps(configuration, database_url, replace(SETTINGS, past=1)) as room,
        pytest.raises(TooMany, match="more than 1"),
    ):
        seen(room, when=(clock() - timedelta(days=1), clock() + timedelta(days=1)))


def test_layers_are_the_registrys_sets_of_today(configuration: Configuration, database_url: str) -> None:
    with maps(configuration, database_url) as room:
        names = [layer.name for layer in room.app.atlas.layers(SCOPES["centre"])]
        assert names == ["grids", "grids_landscape", "districts", "cases", "case_density"]
        jinghu = room.app.atlas.select("grids_landscape", Query(clock()), SCOPES["jinghu"])
        assert {area[:6] for area in jinghu.columns["area"].tolist()} == {"340202"}
        health = room.client.get("/health").json()
        assert 0 <= health.pop("age") < STALE
        assert health == {"status": "ok", "open_cases": 0, "layers": 5}


def test_a_street_sees_the_industry_grids_that_it_has_a_part_in(configuration: Configuration) -> None:
    sets = city_sets(configuration, date(2026, 3, 16))
    base, landscape = configuration.city.locator.registry.on(date(2026, 3, 16))
    street = next(iter(base.index.cells))[:9]
    mine = [cell.geometry.representative_point() for code, cell in base.index.cells.items() if code.startswith(street)]
    inside = {code for code, cell in landscape.index.cells.items() if any(cell.geometry.covers(one) for one in mine)}

    seen_by_street = sets["grids_landscape"].seen(Scope("street", areas=(street,)))
    seen_by_all = sets["grids_landscape"].seen(Scope("centre"))

    assert inside
    assert set(seen_by_street.columns["code"]) == inside
    assert len(seen_by_street) < len(seen_by_all) == 4
    assert not len(sets["grids_landscape"].seen(Scope("other", areas=("340299",))))
    assert all(len(area) >= 6 for area in seen_by_all.columns["area"])


def test_a_new_edition_of_the_grids_is_shown_from_its_day_on(configuration: Configuration, database_url: str) -> None:
    registry = configuration.city.locator.registry
    base = registry.base(date(2026, 3, 16))
    industry = next(one for one in registry.on(date(2026, 3, 16)) if one.name == "landscape")
    sets = [replace(base, valid_to=date(2026, 6, 30)), replace(base, valid_from=date(2026, 7, 1)), industry]
    sets[2] = replace(industry, valid_to=date(2026, 6, 30))
    locator = copy(configuration.city.locator)
    locator.registry = GridRegistry(sets)
    later = replace(configuration, city=replace(configuration.city, locator=locator))

    with maps(later, database_url, now=lambda: datetime(2026, 6, 30, 23, 59, tzinfo=SHANGHAI)) as room:
        before = {one.name for one in room.app.atlas.layers(SCOPES["centre"])}
        room.run(room.app.turn_to(date(2026, 7, 1)))
        after = {one.name for one in room.app.atlas.layers(SCOPES["centre"])}
        days = room.app.atlas.select("grids", Query(clock()), SCOPES["centre"]).columns["valid_from"]

    assert before - after == {"grids_landscape"}
    assert set(days) == {date(2026, 7, 1)}
