"""OGC API - Features: every feature once, in every CRS and its axis order; pages, times, filters."""

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pytest
from lxml import etree

from canonical.lifecycle import OPEN, Stage
from canonical.rights import Scope
from maps.cells import cell_set
from maps.crs import named
from maps.features.html import MOST_ROWS
from maps.features.order import CRS84, CRS_NAMES
from maps.features.service import FeaturesService
from maps.limits import Limits
from maps.request import Answer, Request
from tests.maps.asking import CENTRE, PUBLIC, WEST_HALF, asked, body_of
from tests.maps.small_city import NOW, SOUTH, STEP, WEST, askew, atlas, extent, grids, marks, scattered

URL = "https://maps.example/ogc/features"
SERVICE = FeaturesService(atlas(), Limits(), "网格一张图", "grids & cases")
ITEMS = "/collections/cases/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def got(path: str, scope: Scope = CENTRE, **keys: Any) -> Answer:
    return asked(SERVICE.answer, scope, path, URL, **{key.replace("_", "-"): value for key, value in keys.items()})


def told(path: str, scope: Scope = CENTRE, **keys: Any) -> Any:
    answer = got(path, scope, **keys)
    assert answer.status == 200, body_of(answer)
    return json.loads(body_of(answer))


def found(scope: Scope = CENTRE, path: str = ITEMS, **keys: Any) -> list[str]:
    return [one["id"] for one in told(path, scope, **keys)["features"]]


def linked(document: Any, rel: str) -> str:
    return next((one["href"] for one in document["links"] if one["rel"] == rel), "")


def followed(href: str, scope: Scope = CENTRE, service: FeaturesService = SERVICE) -> Any:
    parts = urlsplit(href)
    path = unquote(parts.path.removeprefix("/ogc/features"))
    answer = service.answer(Request("GET", path, parse_qsl(parts.query), scope, NOW, url=URL))
    assert answer.status == 200, body_of(answer)
    return json.loads(body_of(answer))


@pytest.mark.parametrize("name", [CRS84, *(f"{EPSG}{code}" for code in (4326, 4490, 3857, 4548, 4527))])
def test_points_and_polygons_come_in_the_axis_order_of_the_crs(name: str) -> None:
    crs, mark = named(name), marks(40)[1]
    [[x, y]] = crs.ordered(crs.from_native(np.array([[mark.lon, mark.lat]], float)))
    answer = got(f"{ITEMS}/cases.{mark.no}", crs=name)
    square = told("/collections/grids/items/grids.340202001001001", crs=name)["geometry"]
    corners = crs.to_native(crs.ordered(np.array(square["coordinates"]).reshape(-1, 2)))

    assert answer.headers["content-crs"] == f"<{name}>"
    assert json.loads(body_of(answer))["geometry"]["coordinates"] == pytest.approx([x, y], abs=1e-3)
    assert corners.min(axis=0) == pytest.approx([WEST, SOUTH], abs=1e-6)
    assert corners.max(axis=0) == pytest.approx([WEST + STEP, SOUTH + STEP], abs=1e-6)


@pytest.mark.parametrize("name", [CRS84, f"{EPSG}4490", f"{EPSG}4548", f"{EPSG}3857"])
def test_a_box_in_any_crs_finds_what_lies_in_it(name: str) -> None:
    crs = named(name)
    corners = crs.ordered(crs.from_native(np.array([[WEST, SOUTH], [WEST + STEP * 0.9, SOUTH + STEP * 0.9]])))
    box = ",".join(str(one) for one in corners.ravel())

    ids = found(path="/collections/grids/items", bbox=box, bbox_crs=name)

    assert "grids.340202001001001" in ids
    assert len(ids) <= 2  # a curved edge may touch a neighbour


@pytest.mark.parametrize("way", ["bbox", "filter"])
def test_a_box_of_a_zone_far_off_is_no_larger_than_it_is(way: str) -> None:
    zone = f"{EPSG}4547"
    inside, near, (west, south, east, north) = askew(zone)
    box = f"{south},{west},{north},{east}"
    query: dict[str, Any] = {
        "bbox": {"bbox": box, "bbox-crs": zone},
        "filter": {"filter": f"S_INTERSECTS(geometry, BBOX({box}))", "filter-crs": zone},
    }[way]
    service = FeaturesService(atlas(scattered(200)), Limits(), "City", "")

    answer = asked(service.answer, path=f"{ITEMS}", limit=1000, f="json", **query)

    assert near
    assert sorted(one["id"] for one in json.loads(body_of(answer))["features"]) == sorted(inside)


def test_a_box_over_the_date_line_goes_round_the_world_the_other_way() -> None:
    assert len(found(bbox="118.31,31,-170,32")) < len(found(bbox="118,31,-170,32")) == 40
    assert found(bbox="170,31,-170,32") == []


def test_the_answer_carries_attributes_as_they_are() -> None:
    mark = marks(40)[1]
    properties = told(f"{ITEMS}/cases.{mark.no}")["properties"]

    assert properties["description"] == mark.description
    assert properties["received_at"] == mark.received_at.isoformat()
    assert properties["overdue"] is False
    assert set(told(ITEMS, properties="stage,unit")["features"][0]["properties"]) == {"stage", "unit"}


def test_the_link_to_the_next_page_leads_through_all_of_them_once() -> None:
    page, seen = told(ITEMS, limit=7, sortby="-stage", filter="unit <> 'U3'"), []
    while True:
        seen += [one["id"] for one in page["features"]]
        if not linked(page, "next"):
            break
        page = followed(linked(page, "next"))

    assert seen == found(limit=100, sortby="-stage", filter="unit <> 'U3'")
    assert len(set(seen)) == page["numberMatched"] == sum(mark.unit != "U3" for mark in marks(40))
    assert followed(linked(page, "prev"))["numberReturned"] == 7


def test_a_token_in_the_address_goes_into_the_links() -> None:
    answer = SERVICE.answer(Request("GET", ITEMS, [("limit", "3")], CENTRE, NOW, url=URL, token="token=t%26"))

    assert all("token=t%26" in one["href"] for one in json.loads(body_of(answer))["links"])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"stage": "filed,signed"}, lambda m: m.stage in ("filed", "signed")),
        ({"overdue": "true", "unit": "U1"}, lambda m: m.due_at < NOW and m.unit == "U1"),
        ({"filter": "stage = 'filed'", "unit": "U2"}, lambda m: m.stage == "filed" and m.unit == "U2"),
        ({"filter": '{"op":"=","args":[{"property":"stage"},"filed"]}', "filter_lang": "cql2-json"},
         lambda m: m.stage == "filed"),
        ({"filter": f"S_WITHIN(geometry, BBOX({SOUTH}, {WEST}, {SOUTH + 1}, {WEST + STEP * 4.9}))",
          "filter_crs": f"{EPSG}4490"}, lambda m: m.area.startswith("340202")),
    ],
)  # fmt: skip
def test_columns_and_filters_choose(keys: dict[str, str], expected: Any) -> None:
    assert found(CENTRE, **keys) == [f"cases.{mark.no}" for mark in marks(40) if expected(mark)]


def test_a_time_shows_what_was_received_then_whatever_became_of_it() -> None:
    given = [mark for mark in marks(40) if mark.stage in OPEN]
    day = [f"cases.{mark.no}" for mark in given if mark.received_at.day == 15]

    assert found(datetime="2026-03-15") == day
    assert found(datetime="2026-03-15T00:00:00+08:00/2026-03-15T23:59:59+08:00") == day
    assert found(datetime="2026-03-16T01:00:00Z") == [f"cases.{marks(40)[1].no}"]
    assert found(datetime="../2026-03-13") == []
    assert found(path="/collections/grids/items", datetime="2026-03-15", limit=1) == ["grids.340202001001001"]


def test_the_public_sees_cells_and_nothing_by_which_a_case_is_known() -> None:
    page = told(ITEMS, PUBLIC)
    shown = set(told("/collections/cases/queryables", PUBLIC)["properties"]) - {"id", "geometry"}

    assert set(page["features"][0]["properties"]) == shown
    assert not shown & {"case_no", "unit", "received_at", "description", "address", "source", "owner"}
    assert got(ITEMS, PUBLIC, unit="U1").status == 400
    assert got(ITEMS, PUBLIC, filter="unit = 'U1'").status == 400
    assert got(ITEMS, PUBLIC, sortby="unit").status == 400
    assert got(f"{ITEMS}/cases.{marks(40)[1].no}", PUBLIC).status == 404
    assert "unit" not in str(told("/api", PUBLIC)["paths"][ITEMS])


def test_counts_are_of_what_the_scope_sees() -> None:
    west = sum((mark.area or "").startswith("340202") for mark in marks(40))

    assert told(ITEMS, WEST_HALF, limit=1)["numberMatched"] == west
    assert found(WEST_HALF, "/collections/grids/items", filter="area LIKE '340207%'") == []
    assert got("/collections/cases", Scope("only", layers=("grids",))).status == 404


def test_every_page_for_people_is_well_formed_and_has_no_script() -> None:
    first = marks(40)[1].no
    for path in ("", "/conformance", "/api", "/collections", "/collections/cases", "/collections/cases/queryables",
                 ITEMS, f"{ITEMS}/cases.{first}"):  # fmt: skip
        answer = got(path, f="html")
        text = body_of(answer).decode()

        assert answer.content_type == "text/html; charset=utf-8"
        root = etree.fromstring(text.replace("<!DOCTYPE html>", "").replace('<meta charset="utf-8">', "").replace(
            '<meta name="viewport" content="width=device-width">', ""))  # fmt: skip
        assert not list(root.iter("script", "img", "iframe"))
        assert "<未清理>" not in text
    browser = Request("GET", ITEMS, [], CENTRE, NOW, url=URL, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert SERVICE.answer(browser).content_type.startswith("text/html")
    assert "垃圾 &amp; &lt;未清理&gt;" in body_of(SERVICE.answer(browser)).decode()


def test_pages_for_people_run_nothing_and_are_in_both_languages() -> None:
    for path, words in {
        "": "接口说明 the API", "/api": "地址 path", "/collections/cases/queryables": "字段 column", ITEMS: "标识 id",
        f"{ITEMS}/cases.{marks(40)[1].no}": "值 value",
    }.items():  # fmt: skip
        answer = got(path, f="html")
        text = body_of(answer).decode()
        [style] = re.findall("<style>(.*?)</style>", text)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", f"style-src 'sha256-{digest}'", "form-action 'none'"} <= set(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"  # an address may hold a token
        assert words in text
    assert "共 40 个要素，本页 3 个 3 of 40 features" in body_of(got(ITEMS, f="html", limit=3)).decode()


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "geo+json"), ("*/*", "geo+json"), ("image/png", "geo+json"), ("text/html", "html"), ("TEXT/HTML", "html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("text/html;q=0.5, application/geo+json", "geo+json"), ("application/json, text/html", "geo+json"),
        ("text/html;q=0", "geo+json"), ("text/html;q=soon", "geo+json"), ("text/csv", "csv"), (";,q=1;;", "geo+json"),
    ],
)  # fmt: skip
def test_the_answer_is_in_the_form_that_the_client_likes_best(accept: str, form: str) -> None:
    answer = SERVICE.answer(Request("GET", ITEMS, [], CENTRE, NOW, url=URL, accept=accept))

    assert form in answer.content_type
    assert "accept" in answer.headers["vary"]
    asked_for = SERVICE.answer(Request("GET", ITEMS, [("f", "json")], CENTRE, NOW, url=URL, accept=accept))
    assert "geo+json" in asked_for.content_type


def test_a_value_may_hold_a_comma() -> None:
    made = [replace(marks(2)[0], description="垃圾, 树枝"), replace(marks(2)[1], description="垃圾")]
    service = FeaturesService(atlas(made), Limits(), "", "")

    def ids(text: str) -> list[str]:
        page = json.loads(body_of(asked(service.answer, CENTRE, ITEMS, URL, description=text)))
        return [one["id"] for one in page["features"]]

    assert ids("垃圾, 树枝") == [f"cases.{made[0].no}", f"cases.{made[1].no}"]
    assert ids("垃圾,nothing") == [f"cases.{made[1].no}"]


def test_an_id_of_any_letters_is_found_behind_its_link() -> None:
    city, code = atlas(), "A/1 甲?#&'"
    shape = grids().table.geometry[0]
    odd = cell_set("grids_odd", "网格", "Grids", extent(), "1", [{"code": code, "area": "3402"}], [shape])
    service = FeaturesService(replace(city, sets={**city.sets, "grids_odd": odd}), Limits(), "", "")
    page = body_of(asked(service.answer, CENTRE, "/collections/grids_odd/items", URL, f="html")).decode()
    [href] = re.findall('<td><a href="(.*?)"', page)

    one = followed(f"{unescape(href)}?f=json", service=service)

    assert one["id"] == f"grids_odd.{code}"
    assert followed(linked(one, "self"), service=service) == one


def test_a_feature_of_the_past_is_found_behind_its_link() -> None:
    given = marks(3)
    service = FeaturesService(atlas([replace(given[0], stage=Stage.CLOSED), *given[1:]]), Limits(), "", "")
    id_ = f"cases.{given[0].no}"
    page = body_of(asked(service.answer, CENTRE, ITEMS, URL, f="html", datetime="2026-03-16")).decode()
    [href] = [one for one in re.findall('<td><a href="(.*?)"', page) if id_ in one]
    one = followed(f"{unescape(href)}&f=json", service=service)

    assert one["id"] == id_
    assert followed(linked(one, "self"), service=service) == one
    assert asked(service.answer, CENTRE, f"{ITEMS}/{id_}", URL).status == 404  # it is not live any more


def test_a_long_list_for_people_goes_on_on_its_next_page() -> None:
    service = FeaturesService(atlas(marks(MOST_ROWS + 5)), Limits(), "", "")
    keys: dict[str, object] = {"f": "html", "limit": 50_000}
    first = body_of(asked(service.answer, CENTRE, ITEMS, URL, **keys)).decode()
    [href] = re.findall('<a rel="next" href="(.*?)"', first)
    rest = service.answer(Request("GET", ITEMS, parse_qsl(urlsplit(unescape(href)).query), CENTRE, NOW, url=URL))
    rows = [re.findall('<td><a href=".*?">(.*?)<', text) for text in (first, body_of(rest).decode())]

    assert [len(one) for one in rows] == [MOST_ROWS, 5]
    assert len({*rows[0], *rows[1]}) == MOST_ROWS + 5


def test_spreadsheets_get_every_row() -> None:
    rows = list(csv.DictReader(io.StringIO(body_of(got(ITEMS, f="csv")).decode("utf-8-sig"))))

    assert [row["id"] for row in rows] == found()
    assert rows[1]["geometry"] == "POINT (118.33625 31.31625)"


def test_all_that_is_linked_and_described_is_there() -> None:
    waiting, seen = [told("")], set()
    while waiting:
        for one in waiting.pop()["links"]:
            if one["type"].partition(";")[0].endswith("json") and one["href"] not in seen:
                seen.add(one["href"])
                waiting.append(followed(one["href"]) if "json" in one["type"] else {"links": []})
                waiting[-1].setdefault("links", [])
    described = told("/api")["paths"]

    assert {path for path in described if "{" not in path} >= {"/", "/conformance", ITEMS, "/collections/grids"}
    for path in described:
        assert got(path.replace("{id}", f"cases.{marks(40)[1].no}")).status in (200, 404)
    assert "core" in str(told("/conformance")["conformsTo"][0])
    assert [one["id"] for one in told("/collections")["collections"]] == [
        "grids", "grids_landscape", "cases", "case_density",
    ]  # fmt: skip
    assert told("/collections/cases")["crs"] == list(CRS_NAMES)
