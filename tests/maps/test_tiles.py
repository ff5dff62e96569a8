"""WMTS and vector tiles: every tile shows its own piece of the world, and nothing of other scopes."""

import json
import math
from typing import Any

import mapbox_vector_tile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from owslib.wmts import WebMapTileService

from canonical.rights import Scope
from maps.drawing.painter import painter_of
from maps.tiles.matrix import DEGREES, SETS, WEB
from maps.tiles.vector import EXTENT, TileService
from maps.tiles.wmts import WmtsService
from tests.maps.asking import CENTRE, PUBLIC, WEST_HALF, asked, body_of, pixels
from tests.maps.small_city import NOW, atlas, marks

MARK = marks(40)[1]
assert MARK.lon is not None
assert MARK.lat is not None
LON, LAT = MARK.lon, MARK.lat
BLUE = (0x00, 0x72, 0xB2)
WMTS, TILES = WmtsService(atlas(), painter_of(atlas()), "网格一张图", ""), TileService(atlas())
GET: dict[str, Any] = {
    "SERVICE": "WMTS", "VERSION": "1.0.0", "REQUEST": "GetTile", "LAYER": "cases", "STYLE": "default",
    "FORMAT": "image/png",
}  # fmt: skip
_SCOPES = [CENTRE, PUBLIC, WEST_HALF, Scope("only", layers=("grids",)), Scope("none", areas=("999999",))]


def web_tile(level: int) -> tuple[int, int, float, float]:
    """Column, row, and where in the tile the case lies, from 0 to 1, from the upper left."""
    whole = 2**level
    x = (LON + 180) / 360 * whole
    y = (1 - math.asinh(math.tan(math.radians(LAT))) / math.pi) / 2 * whole
    return int(x), int(y), x % 1, y % 1


def degrees_tile(level: int) -> tuple[int, int, float, float]:
    side = 360 / 2**level
    x, y = (LON + 180) / side, (90 - LAT) / side
    return int(x), int(y), x % 1, y % 1


@pytest.mark.parametrize(("name", "level"), [("WebMercatorQuad", 14), ("WebMercatorQuad", 17), ("c", 14), ("c", 17)])
def test_a_case_lies_in_its_tile_and_pixel(name: str, level: int) -> None:
    column, row, x, y = web_tile(level) if name == "WebMercatorQuad" else degrees_tile(level)
    keys = GET | {"TILEMATRIXSET": name, "TILEMATRIX": level, "TILEROW": row, "TILECOL": column}

    picture = pixels(asked(WMTS.answer, **keys))
    rest = asked(WMTS.answer, path=f"/cases/default/{name}/{level}/{row}/{column}.png")
    beside = pixels(asked(WMTS.answer, **keys | {"TILECOL": column + 40}))

    assert tuple(picture[min(255, int(y * 256)), min(255, int(x * 256))]) == BLUE
    assert (pixels(rest) == picture).all()
    assert (beside == 255).all()


@pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")  # OWSLib 0.35
def test_owslib_reads_the_capabilities_and_both_matrix_sets() -> None:
    body = body_of(asked(WMTS.answer, SERVICE="WMTS", REQUEST="GetCapabilities"))
    read = WebMapTileService("https://maps.example/ogc/wmts", xml=body)

    assert {"grids", "cases", "cases_stage", "case_density"} <= set(read.contents)
    assert set(read.tilematrixsets) == set(SETS) == {"WebMercatorQuad", "c"}
    web, degrees = read.tilematrixsets["WebMercatorQuad"], read.tilematrixsets["c"]
    assert web.tilematrix["0"].scaledenominator == pytest.approx(559082264.0287178)
    assert degrees.tilematrix["1"].scaledenominator == pytest.approx(279541132.0143589)  # 0.703125 degrees a pixel
    assert (degrees.tilematrix["1"].matrixwidth, degrees.tilematrix["1"].matrixheight) == (2, 1)
    assert degrees.tilematrix["1"].topleftcorner == (90.0, -180.0)
    assert set(read["cases"].tilematrixsetlinks) == set(SETS)
    assert body_of(asked(WMTS.answer, path="/1.0.0/WMTSCapabilities.xml")) == body


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SERVICE": None}, "MissingParameterValue"), ({"VERSION": "2.0.0"}, "InvalidParameterValue"),
        ({"REQUEST": "GetFeatureInfo"}, "OperationNotSupported"), ({"LAYER": "nothing"}, "InvalidParameterValue"),
        ({"STYLE": "nothing"}, "InvalidParameterValue"), ({"TILEMATRIXSET": "w"}, "InvalidParameterValue"),
        ({"TILEMATRIX": "21"}, "InvalidParameterValue"), ({"TILEMATRIX": "x"}, "InvalidParameterValue"),
        ({"TILEROW": "99999"}, "TileOutOfRange"), ({"TILECOL": "-1"}, "InvalidParameterValue"),
        ({"TILECOL": None}, "MissingParameterValue"), ({"FORMAT": "image/tiff"}, "InvalidParameterValue"),
        ({"TIME": "soon"}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_exception_report(changes: dict[str, Any], code: str) -> None:
    keys = GET | {"TILEMATRIXSET": "c", "TILEMATRIX": "14", "TILEROW": "1", "TILECOL": "1"} | changes
    answer = asked(WMTS.answer, **keys)

    [one] = etree.fromstring(body_of(answer)).iter("{*}Exception")
    assert (answer.status, one.get("exceptionCode")) == (400, code)


def decoded(level: int, scope: Scope = CENTRE, layer: str = "cases", **query: Any) -> list[dict[str, Any]]:
    column, row, _, _ = web_tile(level)
    body = body_of(asked(TILES.answer, scope, path=f"/{layer}/{level}/{column}/{row}.mvt", **query))
    read: dict[str, Any] = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True}) if body else {}
    features: list[dict[str, Any]] = read.get(layer, {}).get("features", [])
    return features


def test_a_vector_tile_holds_the_case_where_it_is() -> None:
    _, _, x, y = web_tile(15)
    found = [one for one in decoded(15) if one["properties"]["id"] == f"cases.{MARK.no}"]

    [one] = found
    assert one["geometry"]["coordinates"] == pytest.approx([x * EXTENT, y * EXTENT], abs=1)
    assert one["properties"]["stage"] == MARK.stage
    assert "description" not in one["properties"]
    assert decoded(15, time="2020-01-01") == []


def test_far_away_cases_are_counted_by_cell() -> None:
    far, near = decoded(11), decoded(14)

    assert {one["geometry"]["type"] for one in far} == {"Point"}
    assert sum(one["properties"]["cases"] for one in far) == 40
    assert all("stage" in one["properties"] for one in near)


def test_cells_are_polygons_that_reach_the_edge() -> None:
    [one, *_] = decoded(15, layer="grids")

    assert one["geometry"]["type"] == "Polygon"
    assert one["properties"]["code"].startswith("3402")


def test_a_tile_shows_its_scope_alone() -> None:
    assert {one["properties"]["grid"][:6] for one in decoded(13, WEST_HALF)} == {"340202"}
    assert {one["properties"]["grid"][:6] for one in decoded(13)} == {"340202", "340207"}
    assert all(
        "unit" not in one["properties"] and MARK.no not in one["properties"]["id"] for one in decoded(13, PUBLIC)
    )
    assert asked(TILES.answer, Scope("only", layers=("grids",)), path="/cases/13/1/1.mvt").status == 404


def test_tilejson_tells_what_tiles_have() -> None:
    told = json.loads(body_of(asked(TILES.answer, path="/cases.json", url="https://maps.example/ogc/tiles")))

    assert told["tiles"] == ["https://maps.example/ogc/tiles/cases/{z}/{x}/{y}.mvt"]
    assert set(told["vector_layers"][0]["fields"]) >= {"stage", "overdue", "class_code"}
    public = json.loads(body_of(asked(TILES.answer, PUBLIC, path="/cases.json")))
    assert "unit" not in public["vector_layers"][0]["fields"]


@pytest.mark.parametrize(
    "path", ["", "/", "/cases", "/nothing.json", "/cases/30/0/0.mvt", "/cases/3/8/0.mvt", "/a/b/c/d"]
)
def test_what_is_no_tile_is_not_found(path: str) -> None:
    answer = asked(TILES.answer, path=path)

    assert (answer.status, answer.content_type) == (404, "application/problem+json")


@settings(max_examples=200, deadline=None)
@given(
    scope=st.sampled_from(_SCOPES), layer=st.sampled_from(["cases", "grids", "case_density", "x"]),
    level=st.integers(0, 22), column=st.integers(0, 2**23), row=st.integers(0, 2**23),
    time=st.sampled_from([None, "2026-03", "x", "9999"]),
)  # fmt: skip
def test_any_tile_is_answered(scope: Scope, layer: str, level: int, column: int, row: int, time: str | None) -> None:
    vector = asked(TILES.answer, scope, path=f"/{layer}/{level}/{column}/{row}.mvt", time=time)
    keys = {"LAYER": layer, "TILEMATRIX": level, "TILEROW": row, "TILECOL": column, "TILEMATRIXSET": "c", "TIME": time}
    picture = asked(WMTS.answer, scope, **GET | keys)

    assert vector.status in (200, 400, 404)
    assert picture.status in (200, 400)


def test_the_sets_meet_at_their_corners() -> None:
    for tiles in (WEB, DEGREES):
        west, south, east, north = tiles.box(5, 3, 2)
        assert tiles.box(5, 4, 2)[0] == pytest.approx(east)
        assert tiles.box(5, 3, 3)[3] == pytest.approx(south)
        assert (north - south) == pytest.approx(east - west)
    assert NOW.tzinfo is not None
