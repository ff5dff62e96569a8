"""What WMS 1.3.0 makes mandatory, clause by clause, asked as OGC's conformance tests ask: by what capabilities say.

docs/ogc-conformance.md lists the clauses and the tests that hold them.
"""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from lxml import etree
from PIL import Image

from maps.drawing.painter import painter_of
from maps.limits import Limits
from maps.request import Answer, Request
from maps.tiles.wmts import WmtsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.maps.asking import CENTRE, URL, asked, body_of, pixels
from tests.maps.schemas import faults
from tests.maps.small_city import NOW, SOUTH, STEP, WEST, atlas

WMS = WmsService(
    atlas(), painter_of(atlas()), Limits(side=1000, pixels=500_000, layers=5), Face("一张图", "grids & cases")
)
WMTS = WmtsService(atlas(), painter_of(atlas()), "一张图", "grids & cases")
XLINK = "{http://www.w3.org/1999/xlink}href"
EXCEPTIONS = "wms/1.3.0/exceptions_1_3_0.xsd"
EAST, NORTH = WEST + STEP * 10, SOUTH + STEP * 6
GET_MAP: dict[str, Any] = {
    "VERSION": "1.3.0", "REQUEST": "GetMap", "LAYERS": "grids", "STYLES": "", "CRS": "CRS:84",
    "BBOX": f"{WEST},{SOUTH},{EAST},{NORTH}", "WIDTH": 200, "HEIGHT": 120, "FORMAT": "image/png",
}  # fmt: skip
GET_INFO = GET_MAP | {
    "REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "grids", "INFO_FORMAT": "text/xml", "I": 100, "J": 60,
}  # fmt: skip


def document(**keys: Any) -> bytes:
    return body_of(asked(WMS.answer, SERVICE="WMS", REQUEST="GetCapabilities", **keys))


ROOT = etree.fromstring(document(VERSION="1.3.0"))
LAYERS = [one for one in ROOT.iter("{*}Layer") if one.find("{*}Name") is not None]
NAMES = [one.findtext("{*}Name") or "" for one in LAYERS]
CRSS = [one.text or "" for one in ROOT.iter("{*}CRS")]


def texts(path: str) -> list[str]:
    return [one.text or "" for one in ROOT.iterfind("/".join(f"{{*}}{name}" for name in path.split("/")))]


def code_of(answer: Answer) -> str:
    """The code of a valid exception."""
    assert answer.content_type == "text/xml"
    assert faults(body_of(answer), EXCEPTIONS) == []
    [one] = etree.fromstring(body_of(answer)).iter("{*}ServiceException")
    return one.get("code") or "-"


def colours(answer: Answer) -> set[tuple[int, ...]]:
    return {tuple(one) for one in pixels(answer).reshape(-1, 3).tolist()}


# --- 6: basic elements ---


@pytest.mark.parametrize(
    ("wanted", "given"),
    [(None, "1.3.0"), ("", "1.3.0"), ("1.3.0", "1.3.0"), ("1.1.1", "1.1.1"), ("100.0.0", "1.3.0"), ("1.4", "1.3.0"),
     ("0.0.0", "1.1.1"), ("1.0.0", "1.1.1"), ("1.2.9", "1.1.1"), ("x", "1.3.0")],
)  # fmt: skip
def test_the_version_is_negotiated(wanted: str | None, given: str) -> None:
    assert etree.fromstring(document(VERSION=wanted)).get("version") == given


@pytest.mark.parametrize("order", [GET_MAP, GET_INFO, {"SERVICE": "WMS", "REQUEST": "GetCapabilities"}])
def test_parameters_have_any_case_and_order_and_unknown_ones_are_ignored(order: dict[str, Any]) -> None:
    mixed = dict(reversed([(name.swapcase().title(), value) for name, value in order.items()]))

    assert body_of(asked(WMS.answer, **mixed, BoGuS="ignored")) == body_of(asked(WMS.answer, **order))


@pytest.mark.parametrize(
    "changes",
    [{"LAYERS": "x"}, {"CRS": "x"}, {"BBOX": "x"}, {"WIDTH": "x"}, {"FORMAT": "x"}, {"REQUEST": "x"}, {"LAYERS": None}],
)
@pytest.mark.parametrize("way", [None, "XML"])
def test_an_invalid_request_is_answered_by_a_valid_exception(changes: dict[str, Any], way: str | None) -> None:
    for order in (GET_MAP, GET_INFO):
        code_of(asked(WMS.answer, **order | changes, EXCEPTIONS=way))


# --- 7.2: GetCapabilities ---


def test_capabilities_are_valid() -> None:
    assert faults(document(VERSION="1.3.0"), "wms/1.3.0/capabilities_1_3_0.xsd") == []
    assert faults(document(VERSION="1.1.1"), "wms/1.1.1/WMS_MS_Capabilities.dtd") == []
    assert "http://www.opengis.net/wms" in (ROOT.get("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation") or "")


def test_exceptions_of_1_1_1_are_valid() -> None:
    answer = asked(WMS.answer, **GET_MAP | {"VERSION": "1.1.1", "SRS": "x"})

    assert faults(body_of(answer), "wms/1.1.1/exception_1_1_1.dtd") == []


def test_documents_of_wmts_are_valid() -> None:
    told = body_of(asked(WMTS.answer, SERVICE="WMTS", REQUEST="GetCapabilities"))
    wrong = body_of(asked(WMTS.answer, SERVICE="WMTS", REQUEST="x"))

    assert faults(told, "wmts/1.0/wmtsGetCapabilities_response.xsd") == []
    assert faults(wrong, "ows/1.1.0/owsExceptionReport.xsd") == []


@pytest.mark.parametrize("keys", [{}, {"FORMAT": "text/xml"}, {"FORMAT": "invalid"}, {"UPDATESEQUENCE": "7"}])
def test_capabilities_come_as_text_xml_whatever_else_is_asked(keys: dict[str, Any]) -> None:
    answer = asked(WMS.answer, SERVICE="WMS", REQUEST="GetCapabilities", **keys)

    assert answer.content_type == "text/xml"
    assert body_of(answer) == document()
    assert ROOT.get("updateSequence") is None


def test_the_service_has_its_name_a_title_and_an_address() -> None:
    assert texts("Service/Name") == ["WMS"]
    assert texts("Service/Title") == ["一张图"]
    [address] = ROOT.iterfind("{*}Service/{*}OnlineResource")
    assert (address.get(XLINK) or "").startswith("https://")


def test_operations_have_formats_and_a_prefix() -> None:
    [operations] = ROOT.iterfind("{*}Capability/{*}Request")

    assert [etree.QName(one).localname for one in operations] == ["GetCapabilities", "GetMap", "GetFeatureInfo"]
    assert texts("Capability/Request/GetCapabilities/Format") == ["text/xml"]
    assert "image/png" in texts("Capability/Request/GetMap/Format")
    assert texts("Capability/Exception/Format")[0] == "XML"
    for one in operations:
        [get] = one.iterfind("{*}DCPType/{*}HTTP/{*}Get/{*}OnlineResource")
        assert (get.get(XLINK) or "").endswith(("?", "&"))


def test_the_prefix_keeps_the_clients_token() -> None:
    pairs = [("SERVICE", "WMS"), ("REQUEST", "GetCapabilities")]
    body = body_of(WMS.answer(Request("GET", "", pairs, CENTRE, NOW, url=URL, token="token=abc")))

    for one in etree.fromstring(body).iter("{*}OnlineResource"):
        assert dict(parse_qsl(urlsplit(one.get(XLINK) or "").query)).get("token") == "abc"


def test_each_layer_says_what_it_must() -> None:
    [root] = ROOT.iterfind("{*}Capability/{*}Layer")

    assert root.findtext("{*}Title")
    assert len(NAMES) == len(set(NAMES))
    for layer in LAYERS:
        assert layer.findtext("{*}Title")
        assert layer.get("queryable") == "1"
        sides = [float(one.text or "nan") for one in layer.iterfind("{*}EX_GeographicBoundingBox/*")]
        assert sides[0] < sides[1]
        assert sides[2] < sides[3]
        styles = [one.text for one in layer.iterfind("{*}Style/{*}Name")]
        assert len(styles) == len(set(styles)) > 0
        assert all(one.text for one in layer.iterfind("{*}Style/{*}Title"))


def test_boxes_are_of_offered_crss_each_once_and_the_root_lists_those_of_all() -> None:
    [root] = ROOT.iterfind("{*}Capability/{*}Layer")

    assert [one.text for one in root.iterfind("{*}CRS")] == CRSS
    assert {"CRS:84", "EPSG:4326"} <= set(CRSS)
    for layer in LAYERS:
        boxes = [one.get("CRS") or "" for one in layer.iterfind("{*}BoundingBox")]
        assert len(boxes) == len(set(boxes)) > 0
        assert set(boxes) <= set(CRSS)


def _legends() -> Iterator[etree._Element]:
    return ROOT.iter("{*}LegendURL")


def test_legends_are_what_they_are_said_to_be() -> None:
    assert list(_legends())
    for legend in _legends():
        [address] = legend.iterfind("{*}OnlineResource")
        query: dict[str, Any] = dict(parse_qsl(urlsplit(address.get(XLINK) or "").query))
        answer = asked(WMS.answer, **query)
        size = Image.open(io.BytesIO(body_of(answer))).size
        assert answer.content_type == legend.findtext("{*}Format")
        assert size == (int(legend.get("width") or 0), int(legend.get("height") or 0))


def test_time_is_declared_with_its_unit_and_default_where_a_layer_has_it() -> None:
    timed = [layer for layer in LAYERS if layer.find("{*}Dimension") is not None]

    assert [one.findtext("{*}Name") for one in timed] == [one for one in NAMES if one.startswith("case")]
    for layer in timed:
        [time] = layer.iterfind("{*}Dimension")
        assert (time.get("name"), time.get("units"), time.get("default")) == ("time", "ISO8601", "current")
        assert (time.text or "").count("/") == 2


# --- 7.3: GetMap ---


@pytest.mark.parametrize("name", NAMES)
def test_each_layer_is_drawn_in_each_of_its_styles(name: str) -> None:
    layer = LAYERS[NAMES.index(name)]
    for style in layer.iterfind("{*}Style/{*}Name"):
        assert asked(WMS.answer, **GET_MAP | {"LAYERS": name, "STYLES": style.text}).content_type == "image/png"


@pytest.mark.parametrize("crs", CRSS)
def test_each_offered_crs_is_drawn(crs: str) -> None:
    boxes = {one.get("CRS"): one for one in LAYERS[0].iterfind("{*}BoundingBox")}
    box = boxes.get(crs)
    bbox = (
        "0,0,1000,1000" if box is None else ",".join(box.get(name) or "" for name in ("minx", "miny", "maxx", "maxy"))
    )

    answer = asked(WMS.answer, **GET_MAP | {"CRS": crs, "BBOX": bbox})

    assert (len(colours(answer)) > 1) == (box is not None)


@pytest.mark.parametrize("format_", texts("Capability/Request/GetMap/Format"))
def test_each_format_of_pictures_is_given(format_: str) -> None:
    answer = asked(WMS.answer, **GET_MAP | {"FORMAT": format_})

    assert answer.content_type == format_
    assert pixels(answer).shape == (120, 200, 3)


@pytest.mark.parametrize(
    "layers", ["grids,cases", "grids,cases,grids_landscape", "grids,cases,cases_stage,case_density,grids"]
)
def test_as_many_layers_as_the_limit_says_are_one_picture(layers: str) -> None:
    assert texts("Service/LayerLimit") == ["5"]
    assert asked(WMS.answer, **GET_MAP | {"LAYERS": layers}).content_type == "image/png"
    assert code_of(asked(WMS.answer, **GET_MAP | {"LAYERS": f"{layers},cases,cases,cases,cases"})) == "-"


@pytest.mark.parametrize("layers", ["x", "x,grids", "grids,x"])
def test_an_unknown_layer_is_not_defined(layers: str) -> None:
    assert code_of(asked(WMS.answer, **GET_MAP | {"LAYERS": layers})) == "LayerNotDefined"


@pytest.mark.parametrize("styles", ["", ",", "default,", ",stage", "default,stage"])
def test_an_empty_style_is_the_default(styles: str) -> None:
    order = GET_MAP | {"LAYERS": "grids,cases"}
    expected = body_of(asked(WMS.answer, **order)) if "stage" not in styles else None

    answer = asked(WMS.answer, **order | {"STYLES": styles})

    assert answer.content_type == "image/png"
    assert expected in (None, body_of(answer))


@pytest.mark.parametrize("styles", ["x,", ",x", "stage,stage", "x"])
def test_an_unknown_style_is_not_defined(styles: str) -> None:
    assert code_of(asked(WMS.answer, **GET_MAP | {"LAYERS": "grids,cases", "STYLES": styles})) == "StyleNotDefined"


def test_an_unknown_crs_is_invalid() -> None:
    assert code_of(asked(WMS.answer, **GET_MAP | {"CRS": "CRS:UNDEFINED"})) == "InvalidCRS"


@pytest.mark.parametrize("bbox", ["2,0,1,1", "1,0,1,1", "0,2,1,1", "0,1,1,1"])
def test_a_box_without_area_is_refused(bbox: str) -> None:
    assert code_of(asked(WMS.answer, **GET_MAP | {"BBOX": bbox})) == "-"


def test_a_box_beside_the_layer_or_beyond_the_crs_is_an_empty_picture() -> None:
    for bbox in ("0,0,1,1", "400,80,500,120"):
        assert colours(asked(WMS.answer, **GET_MAP | {"BBOX": bbox})) == {(255, 255, 255)}


def test_a_box_may_have_exponents_and_is_that_of_the_pixels_outer_edges() -> None:
    west, east = WEST - STEP, WEST + STEP
    plain = GET_MAP | {"BBOX": f"{west},{SOUTH},{east},{SOUTH + 2 * STEP}", "WIDTH": 100, "HEIGHT": 100}
    exponents = f"{west / 100!r}E2,{SOUTH * 10!r}e-1,{east / 100!r}e+2,{(SOUTH + 2 * STEP) / 100!r}e2"

    picture = pixels(asked(WMS.answer, **plain))

    assert (picture[:, :49] == 255).all()  # the city begins at the edge between pixels 49 and 50
    assert (picture[:, 51:] != 255).any(axis=2).all()
    assert np.abs(pixels(asked(WMS.answer, **plain | {"BBOX": exponents})).astype(int) - picture).max() < 8


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 5), (1000, 500), (500, 1000)])
def test_a_picture_has_the_size_asked_for_whatever_the_box(width: int, height: int) -> None:
    assert pixels(asked(WMS.answer, **GET_MAP | {"WIDTH": width, "HEIGHT": height})).shape == (height, width, 3)
    assert texts("Service/MaxWidth") == texts("Service/MaxHeight") == ["1000"]
    assert code_of(asked(WMS.answer, **GET_MAP | {"WIDTH": 1001})) == "-"


def test_a_box_of_another_shape_than_the_picture_is_stretched() -> None:
    square = pixels(asked(WMS.answer, **GET_MAP | {"WIDTH": 100, "HEIGHT": 300}))

    assert (square != 255).any(axis=2).all()  # the city fills it to all edges


def _corner(**keys: object) -> tuple[int, int, int, int]:
    """Red, green, blue and opacity of a pixel where there is no city."""
    answer = asked(WMS.answer, **GET_MAP | {"BBOX": "0,0,1,1"} | keys)
    pixel = Image.open(io.BytesIO(body_of(answer))).convert("RGBA").getpixel((1, 1))
    assert isinstance(pixel, tuple)
    return int(pixel[0]), int(pixel[1]), int(pixel[2]), int(pixel[3])


@pytest.mark.parametrize("format_", ["image/png", "image/png; mode=8bit"])
def test_the_background_is_white_or_as_asked_for_and_clear_where_transparent(format_: str) -> None:
    assert _corner(FORMAT=format_) == _corner(FORMAT=format_, TRANSPARENT="FALSE") == (255, 255, 255, 255)
    assert _corner(FORMAT=format_, BGCOLOR="0x0000FF") == (0, 0, 255, 255)
    assert _corner(FORMAT=format_, TRANSPARENT="TRUE", BGCOLOR="0x0000FF")[3] == 0


# --- 7.4: GetFeatureInfo ---


@pytest.mark.parametrize("format_", texts("Capability/Request/GetFeatureInfo/Format"))
@pytest.mark.parametrize("name", NAMES)
def test_each_queryable_layer_answers_in_each_format(name: str, format_: str) -> None:
    answer = asked(WMS.answer, **GET_INFO | {"LAYERS": name, "QUERY_LAYERS": name, "INFO_FORMAT": format_})

    assert answer.content_type.partition(";")[0] == format_
    assert body_of(answer)


def test_several_layers_or_fewer_than_drawn_can_be_asked_about() -> None:
    drawn = GET_INFO | {"LAYERS": "grids,grids_landscape,case_density", "INFO_FORMAT": "application/json"}

    for asked_about in ("grids", "grids,case_density", "case_density,grids,grids_landscape"):
        body = body_of(asked(WMS.answer, **drawn | {"QUERY_LAYERS": asked_about}))
        assert all(f'"{name}.'.encode() in body for name in asked_about.split(","))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"QUERY_LAYERS": "x"}, "LayerNotDefined"), ({"INFO_FORMAT": "x"}, "InvalidFormat"),
        ({"I": 200}, "InvalidPoint"), ({"J": 120}, "InvalidPoint"), ({"I": -1}, "InvalidPoint"),
        ({"J": "x"}, "InvalidPoint"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_about_has_its_code(changes: dict[str, Any], code: str) -> None:
    assert code_of(asked(WMS.answer, **GET_INFO | changes)) == code
