"""WMS 1.1.1 and 1.3.0: pictures are where the world is, in every CRS and axis order, and clients can read all of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import shapely
from lxml import etree
from owslib.wms import WebMapService

from canonical.rights import Scope
from canonical.time import SHANGHAI
from maps.crs import named
from maps.drawing.painter import painter_of
from maps.limits import Limits
from maps.request import Request
from maps.wms.capabilities import Face
from maps.wms.order import INFO_FORMATS
from maps.wms.service import WmsService
from tests.maps.asking import CENTRE, PUBLIC, URL, WEST_HALF, asked, body_of, pixels
from tests.maps.small_city import NOW, SOUTH, STEP, WEST, atlas, marks

FACE = Face("网格一张图", "grids and cases")
FOUND = marks(40)[1]
"""A case whose point is known."""
BLUE, RED = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
WAYS = [
    ("1.3.0", "EPSG:4326"), ("1.3.0", "EPSG:4490"), ("1.3.0", "EPSG:3857"), ("1.3.0", "EPSG:4548"),
    ("1.3.0", "EPSG:4527"), ("1.3.0", "CRS:84"), ("1.1.1", "EPSG:4326"), ("1.1.1", "EPSG:4490"),
    ("1.1.1", "EPSG:3857"), ("1.1.1", "EPSG:4548"),
]  # fmt: skip


WMS = WmsService(atlas(), painter_of(atlas()), Limits(), FACE)


def box_around(lon: float, lat: float, crs: str, version: str, half: float = 0.004) -> list[float]:
    """A box with the place in its middle, in the axis order of the version."""
    known = named(crs, short_by_registry=version == "1.3.0")
    [[x, y]] = known.from_native(np.array([[lon, lat]]))
    reach = half if known.degrees else half * 100_000
    west, south, east, north = x - reach, y - reach, x + reach, y + reach
    return [south, west, north, east] if known.north_first else [west, south, east, north]


def map_of(version: str, crs: str, box: list[float], **changes: Any) -> dict[str, Any]:
    return {
        "SERVICE": "WMS", "VERSION": version, "REQUEST": "GetMap", "LAYERS": "cases", "STYLES": "",
        "CRS" if version == "1.3.0" else "SRS": crs, "BBOX": ",".join(map(repr, map(float, box))), "WIDTH": 101,
        "HEIGHT": 101, "FORMAT": "image/png", "TRANSPARENT": "TRUE",
    } | changes  # fmt: skip


def place() -> tuple[float, float]:
    assert FOUND.lon is not None
    assert FOUND.lat is not None
    return FOUND.lon, FOUND.lat


@pytest.mark.parametrize(("version", "crs"), WAYS)
def test_a_case_is_drawn_where_it_is(version: str, crs: str) -> None:
    picture = pixels(asked(WMS.answer, **map_of(version, crs, box_around(*place(), crs, version))))

    assert tuple(picture[50, 50]) == BLUE
    assert tuple(picture[5, 5]) == (255, 255, 255)


@pytest.mark.parametrize(("version", "crs"), [way for way in WAYS if way[1] not in ("EPSG:3857",)])
def test_swapped_axes_are_another_place_and_not_the_same(version: str, crs: str) -> None:
    first, second, third, fourth = box_around(*place(), crs, version)

    picture = pixels(asked(WMS.answer, **map_of(version, crs, [second, first, fourth, third])))

    assert (picture == 255).all()


@pytest.mark.parametrize(("version", "crs"), WAYS)
@pytest.mark.parametrize("format_", ["application/json", "text/html", "application/vnd.ogc.gml", "text/plain"])
def test_a_case_is_found_at_its_pixel(version: str, crs: str, format_: str) -> None:
    pixel = {"I": 51, "J": 49} if version == "1.3.0" else {"X": 51, "Y": 49}
    order = map_of(version, crs, box_around(*place(), crs, version), REQUEST="GetFeatureInfo", QUERY_LAYERS="cases")

    answer = asked(WMS.answer, **order | {"INFO_FORMAT": format_} | pixel)
    beside = asked(WMS.answer, **order | {"INFO_FORMAT": format_} | dict.fromkeys(pixel, 20))

    assert FOUND.no in body_of(answer).decode()
    assert FOUND.no not in body_of(beside).decode()


def test_feature_info_holds_the_columns_and_hides_nothing_in_markup() -> None:
    order = map_of("1.3.0", "EPSG:4490", box_around(*place(), "EPSG:4490", "1.3.0"), REQUEST="GetFeatureInfo")
    order |= {"QUERY_LAYERS": "cases", "I": 50, "J": 50}

    [feature] = json.loads(body_of(asked(WMS.answer, **order, INFO_FORMAT="application/json")))["features"]
    page = body_of(asked(WMS.answer, **order, INFO_FORMAT="text/html")).decode()
    gml = etree.fromstring(body_of(asked(WMS.answer, **order, INFO_FORMAT="application/vnd.ogc.gml")))

    assert feature["properties"]["description"] == FOUND.description
    assert feature["geometry"]["coordinates"] == pytest.approx(place())
    assert "<未清理>" not in page
    assert "&lt;未清理&gt;" in page
    assert gml.findtext(".//description") == FOUND.description


def test_several_layers_are_one_picture_from_the_bottom_to_the_top() -> None:
    box = box_around(*place(), "EPSG:4490", "1.3.0")
    both = pixels(asked(WMS.answer, **map_of("1.3.0", "EPSG:4490", box, LAYERS="grids,cases", STYLES=",overdue")))
    alone = pixels(asked(WMS.answer, **map_of("1.3.0", "EPSG:4490", box, LAYERS="grids")))

    assert tuple(both[50, 50]) in (BLUE, RED)
    assert tuple(alone[50, 50]) not in (BLUE, RED)
    assert not (alone == 255).all()


def test_an_overdue_case_is_red_as_a_style_and_as_a_layer() -> None:
    late = next(one for one in marks(40) if one.lon is not None and one.due_at is not None and one.due_at < NOW)
    assert late.lon is not None
    assert late.lat is not None
    box = box_around(late.lon, late.lat, "EPSG:4490", "1.3.0", 0.0005)

    for changes in ({"LAYERS": "cases_overdue"}, {"STYLES": "overdue"}):
        assert tuple(pixels(asked(WMS.answer, **map_of("1.3.0", "EPSG:4490", box, **changes)))[50, 50]) == RED


def test_where_the_density_may_not_be_seen_cases_stay_points_at_every_scale() -> None:
    box = [SOUTH, WEST, SOUTH + STEP * 6, WEST + STEP * 10]
    order = map_of("1.3.0", "EPSG:4490", box, WIDTH=100, HEIGHT=60)

    picture = pixels(asked(WMS.answer, Scope("points", layers=("cases",)), **order))

    assert BLUE in {tuple(one) for one in picture.reshape(-1, 3)}


def test_above_one_to_100_000_cases_become_their_density() -> None:
    box = [SOUTH, WEST, SOUTH + STEP * 6, WEST + STEP * 10]
    cases = asked(WMS.answer, **map_of("1.3.0", "EPSG:4490", box, WIDTH=100, HEIGHT=60))
    density = asked(WMS.answer, **map_of("1.3.0", "EPSG:4490", box, WIDTH=100, HEIGHT=60, LAYERS="case_density"))
    near = asked(WMS.answer, **map_of("1.3.0", "EPSG:4490", box, WIDTH=1000, HEIGHT=600))

    assert body_of(cases) == body_of(density)
    assert BLUE not in {tuple(one) for one in pixels(cases).reshape(-1, 3)}
    assert BLUE in {tuple(one) for one in pixels(near).reshape(-1, 3)}


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_time_asks_for_the_cases_received_then(version: str) -> None:
    crs = "EPSG:4490"
    order = map_of(version, crs, box_around(*place(), crs, version))
    day = FOUND.received_at.date()
    pixel = {"I": 50, "J": 50} if version == "1.3.0" else {"X": 50, "Y": 50}
    info = order | {"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "cases", "INFO_FORMAT": "application/json"} | pixel

    def found(time: str | None) -> int:
        return len(json.loads(body_of(asked(WMS.answer, **info, TIME=time)))["features"])

    for time in (str(day), f"{day:%Y-%m}", f"{day}/{day}", f"{day}T03:00:00Z", "current", None):
        assert tuple(pixels(asked(WMS.answer, **order, TIME=time))[50, 50]) == BLUE
        assert found(time) == 1
    for time in (str(day - timedelta(days=400)), "2025", f"{day + timedelta(days=1)}/.."):
        assert (pixels(asked(WMS.answer, **order, TIME=time)) == 255).all()
        assert found(time) == 0


@pytest.mark.parametrize("request_", ["GetMap", "GetFeatureInfo"])
def test_a_time_left_out_is_the_default_and_the_answer_says_so(request_: str) -> None:
    order = map_of("1.3.0", "EPSG:4490", box_around(*place(), "EPSG:4490", "1.3.0"), REQUEST=request_)
    order |= {"QUERY_LAYERS": "cases", "I": 50, "J": 50}

    left_out, given = asked(WMS.answer, **order), asked(WMS.answer, **order, TIME="current")

    assert left_out.headers["warning"] == "99 Default value used: time=current ISO8601"
    assert "warning" not in given.headers
    assert "warning" not in asked(WMS.answer, **order | {"LAYERS": "grids", "QUERY_LAYERS": "grids"}).headers
    assert body_of(left_out) == body_of(given)


def test_the_days_that_can_be_asked_for_end_with_shanghais_today() -> None:
    early = datetime(2026, 3, 16, 17, 0, tzinfo=UTC)
    pairs = [("SERVICE", "WMS"), ("REQUEST", "GetCapabilities")]

    body = body_of(WMS.answer(Request("GET", "", pairs, CENTRE, early, url=URL)))

    assert b"/2026-03-17/P1D" in body


@pytest.mark.parametrize(("count", "found"), [("3", 3), (None, 1), ("0", 1), ("-2", 1), ("x", 1), ("9" * 5000, 40)])
def test_feature_count_is_of_each_layer_and_1_where_it_is_no_positive_number(count: str | None, found: int) -> None:
    everything = [SOUTH, WEST, SOUTH + STEP * 6, WEST + STEP * 10]
    order = map_of("1.3.0", "EPSG:4490", everything, WIDTH=5, HEIGHT=3, REQUEST="GetFeatureInfo", LAYERS="cases,grids")
    order |= {"QUERY_LAYERS": "cases,grids", "I": 2, "J": 1, "INFO_FORMAT": "application/json", "FEATURE_COUNT": count}

    features = json.loads(body_of(asked(WMS.answer, **order)))["features"]

    layers = [one["id"].partition(".")[0] for one in features]
    assert layers.count("cases") == found
    assert layers.count("grids") >= 1


@pytest.mark.parametrize("format_", INFO_FORMATS)
def test_feature_info_is_what_was_asked_for(format_: str) -> None:
    order = map_of("1.3.0", "EPSG:4490", box_around(*place(), "EPSG:4490", "1.3.0"), REQUEST="GetFeatureInfo")

    answer = asked(WMS.answer, **order, QUERY_LAYERS="cases", I=50, J=50, INFO_FORMAT=format_)

    assert answer.content_type.partition(";")[0] == format_


def test_people_read_the_time_of_shanghai() -> None:
    order = map_of("1.3.0", "EPSG:4490", box_around(*place(), "EPSG:4490", "1.3.0"), REQUEST="GetFeatureInfo")

    page = body_of(asked(WMS.answer, **order, QUERY_LAYERS="cases", I=50, J=50, INFO_FORMAT="text/html")).decode()

    assert f"<td>{FOUND.received_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}</td>" in page
    assert "<td>否</td>" in page


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_owslib_reads_the_capabilities(version: str) -> None:
    body = body_of(asked(WMS.answer, SERVICE="WMS", REQUEST="GetCapabilities", VERSION=version))

    read = WebMapService(URL, version=version, xml=body)

    assert list(read.contents) == [
        "grids", "grids_landscape", "cases", "cases_stage", "cases_class", "cases_overdue", "case_density",
    ]  # fmt: skip
    cases = read["cases"]
    assert cases.title == "案件"
    assert set(cases.styles) == {"default", "stage", "class", "overdue"}
    assert cases.timepositions == ["2020-01-01/2026-03-16/P1D"]
    assert cases.defaulttimeposition == "current"
    assert cases.boundingBoxWGS84 == pytest.approx((WEST, SOUTH, WEST + STEP * 10, SOUTH + STEP * 6))
    assert {"EPSG:4326", "EPSG:4490", "EPSG:3857", "EPSG:4513", "EPSG:4554"} <= set(read["grids"].crsOptions)
    assert cases.styles["stage"]["legend"].startswith(f"{URL}?SERVICE=WMS")
    assert "image/png" in read.getOperationByName("GetMap").formatOptions


def test_boxes_of_both_versions_hold_the_city_in_their_own_axis_order() -> None:
    for version, name in (("1.1.1", "SRS"), ("1.3.0", "CRS")):
        root = etree.fromstring(body_of(asked(WMS.answer, SERVICE="WMS", REQUEST="GetCapabilities", VERSION=version)))
        boxes = {one.get(name): one for one in root.iter("{*}BoundingBox")}
        assert {"EPSG:4326", "EPSG:4490", "EPSG:3857", "EPSG:4548", "EPSG:4527"} <= set(boxes)
        first = float(boxes["EPSG:4490"].get("minx") or "nan")
        assert first == pytest.approx(SOUTH if version == "1.3.0" else WEST)
        northing = float(boxes["EPSG:4548"].get("minx") or "nan")
        assert (northing > 3_000_000) == (version == "1.3.0")


def test_every_scope_has_capabilities_of_its_own() -> None:
    only = Scope("only", layers=("grids",))
    read = WebMapService(URL, "1.3.0", body_of(asked(WMS.answer, only, SERVICE="WMS", REQUEST="GetCapabilities")))

    assert list(read.contents) == ["grids"]
    refused = asked(WMS.answer, only, **map_of("1.3.0", "EPSG:4490", box_around(*place(), "EPSG:4490", "1.3.0")))
    assert b'code="LayerNotDefined"' in body_of(refused)


def test_a_picture_shows_nothing_beyond_its_scope() -> None:
    empty = atlas([])
    nothing = WmsService(empty, painter_of(empty), Limits(), FACE)
    east = next(one for one in marks(40) if one.area and one.area.startswith("340207") and one.lon is not None)
    assert east.lon is not None
    assert east.lat is not None
    order = map_of("1.3.0", "EPSG:4490", box_around(east.lon, east.lat, "EPSG:4490", "1.3.0"))

    assert body_of(asked(WMS.answer, WEST_HALF, **order)) == body_of(asked(nothing.answer, WEST_HALF, **order))
    assert body_of(asked(WMS.answer, CENTRE, **order)) != body_of(asked(nothing.answer, CENTRE, **order))


def test_the_public_sees_a_case_in_the_middle_of_its_cell() -> None:
    order = map_of("1.3.0", "EPSG:4490", box_around(*place(), "EPSG:4490", "1.3.0", 0.001))
    assert (pixels(asked(WMS.answer, PUBLIC, **order)) == 255).all()
    point = shapely.Point(place()[0] + STEP / 4, place()[1] + STEP / 4)
    middle = map_of("1.3.0", "EPSG:4490", box_around(point.x, point.y, "EPSG:4490", "1.3.0", 0.001))
    assert tuple(pixels(asked(WMS.answer, PUBLIC, **middle))[50, 50]) == BLUE


@pytest.mark.parametrize(
    ("layer", "style", "rows"), [("cases", "stage", 7), ("case_density", "", 6), ("grids", "default", 1)]
)
def test_a_legend_has_a_row_for_each_part(layer: str, style: str, rows: int) -> None:
    answer = asked(WMS.answer, SERVICE="WMS", VERSION="1.3.0", REQUEST="GetLegendGraphic", LAYER=layer, STYLE=style)

    assert pixels(answer).shape[0] == rows * 24 + 8


@pytest.mark.parametrize(
    ("format_", "kind", "magic"),
    [
        ("image/png", "image/png", b"\x89PNG"), ("image/png; mode=8bit", "image/png; mode=8bit", b"\x89PNG"),
        ("image/png8", "image/png; mode=8bit", b"\x89PNG"), ("image/jpeg", "image/jpeg", b"\xff\xd8"),
    ],
)  # fmt: skip
def test_pictures_come_in_the_formats_of_the_capabilities(format_: str, kind: str, magic: bytes) -> None:
    box = box_around(*place(), "EPSG:4490", "1.3.0")
    answer = asked(
        WMS.answer, **map_of("1.3.0", "EPSG:4490", box, FORMAT=format_, TRANSPARENT="FALSE", BGCOLOR="0x00FF00")
    )

    assert answer.content_type == kind
    assert body_of(answer).startswith(magic)
    assert np.abs(pixels(answer)[5, 5].astype(int) - (0, 255, 0)).max() < 8


def test_what_has_changed_or_was_asked_for_once_is_not_kept_for_ever() -> None:
    city = atlas(marks(40))
    painter = painter_of(city)
    service = WmsService(city, painter, Limits(), FACE)
    order = map_of("1.3.0", "EPSG:4490", [SOUTH, WEST, SOUTH + STEP, WEST + STEP], LAYERS="cases,grids")

    for minute in range(300):
        now = NOW + timedelta(minutes=minute)
        pairs = [(name, str(value)) for name, value in order.items()]
        service.answer(Request("GET", "", pairs, CENTRE, now, url=URL))
    live = painter.sources.kept
    for day in range(300):
        asked(service.answer, **order, TIME=f"2020-01-01/{NOW.date() - timedelta(days=day)}")

    assert live == 2
    assert painter.sources.kept == 200
