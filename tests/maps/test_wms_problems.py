"""Whatever is wrong with a request of WMS is a service exception of its version, and shows nobody another's rows."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from canonical.rights import Scope
from maps.drawing.painter import painter_of
from maps.limits import Limits
from maps.request import Request
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.maps.asking import CENTRE, PUBLIC, URL, asked, body_of, pixels
from tests.maps.small_city import NOW, atlas

WMS = WmsService(atlas(), painter_of(atlas()), Limits(pixels=1_000_000, side=2000), Face("一张图", ""))
GOOD: dict[str, dict[str, Any]] = {
    "1.3.0": {
        "SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetMap", "LAYERS": "cases", "STYLES": "", "CRS": "EPSG:4490",
        "BBOX": "31.30,118.30,31.33,118.35", "WIDTH": "50", "HEIGHT": "30", "FORMAT": "image/png",
    },
    "1.1.1": {
        "SERVICE": "WMS", "VERSION": "1.1.1", "REQUEST": "GetMap", "LAYERS": "cases", "STYLES": "", "SRS": "EPSG:4490",
        "BBOX": "118.30,31.30,118.35,31.33", "WIDTH": "50", "HEIGHT": "30", "FORMAT": "image/png",
    },
}  # fmt: skip


ALL_OF_IT: dict[str, Any] = {
    "SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetFeatureInfo", "LAYERS": "cases,grids", "STYLES": "",
    "QUERY_LAYERS": "cases,grids", "CRS": "EPSG:4490", "BBOX": "31.30,118.30,31.33,118.35", "WIDTH": "11",
    "HEIGHT": "7", "I": "5", "J": "3", "INFO_FORMAT": "application/json", "FEATURE_COUNT": "200",
}  # fmt: skip
"""A pixel so large that it has every case."""
ASKED = [*GOOD.values(), ALL_OF_IT]


def code_of(answer_body: bytes) -> str:
    """The code of a service exception; `-` for none, an error when it is something else."""
    [one] = etree.fromstring(answer_body).iter("{*}ServiceException")
    assert (one.text or "").strip()
    return one.get("code") or "-"


@pytest.mark.parametrize("version", list(GOOD))
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"LAYERS": None}, "MissingParameterValue"), ({"LAYERS": ""}, "MissingParameterValue"),
        ({"LAYERS": "nothing"}, "LayerNotDefined"), ({"LAYERS": "cases,," }, "LayerNotDefined"),
        ({"LAYERS": "Cases"}, "LayerNotDefined"), ({"LAYERS": ",".join(["cases"] * 21)}, "-"),
        ({"STYLES": "red"}, "StyleNotDefined"), ({"STYLES": "stage,stage"}, "StyleNotDefined"),
        ({"BBOX": None}, "MissingParameterValue"), ({"BBOX": "1,2,3"}, "-"), ({"BBOX": "1,2,3,4,5"}, "-"),
        ({"BBOX": "a,b,c,d"}, "-"), ({"BBOX": "nan,nan,nan,nan"}, "-"), ({"BBOX": "-inf,0,inf,1"}, "-"),
        ({"BBOX": "118,31,118,31"}, "-"), ({"BBOX": "119,32,118,31"}, "-"), ({"BBOX": "1e300,0,2e300,1"}, "-"),
        ({"BBOX": "１,2,3,4"}, "-"),
        ({"WIDTH": None}, "MissingParameterValue"), ({"WIDTH": "0"}, "-"), ({"WIDTH": "-5"}, "-"),
        ({"WIDTH": "NaN"}, "-"), ({"WIDTH": "1.5"}, "-"), ({"WIDTH": "999999999999999999999"}, "-"),
        ({"WIDTH": "2001"}, "-"), ({"WIDTH": "1500", "HEIGHT": "1500"}, "-"), ({"HEIGHT": "1000000"}, "-"),
        ({"FORMAT": None}, "MissingParameterValue"), ({"FORMAT": "image/tiff"}, "InvalidFormat"),
        ({"TRANSPARENT": "maybe"}, "-"), ({"BGCOLOR": "red"}, "-"),
        ({"TIME": "yesterday"}, "InvalidDimensionValue"), ({"TIME": "2026-13"}, "InvalidDimensionValue"),
        ({"TIME": "2026-03-16/2026-03-01"}, "InvalidDimensionValue"), ({"TIME": "0001-01-01"}, "InvalidDimensionValue"),
        ({"TIME": "9999-12-31T23:59:59Z"}, "InvalidDimensionValue"), ({"TIME": "a/b/c/d"}, "InvalidDimensionValue"),
        ({"SLD": "http://evil.example/sld.xml"}, "-"), ({"SLD_BODY": "<x/>"}, "-"),
        ({"REQUEST": "GetCoverage"}, "OperationNotSupported"), ({"REQUEST": None}, "OperationNotSupported"),
        ({"REQUEST": "getmap"}, "OperationNotSupported"), ({"SERVICE": "WFS"}, "-"),
        ({"REQUEST": "GetFeatureInfo"}, "MissingParameterValue"),
        ({"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "grids"}, "LayerNotDefined"),
        ({"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "cases"}, "MissingParameterValue"),
        ({"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "cases", "I": 50, "J": 1, "X": 50, "Y": 1}, "InvalidPoint"),
        ({"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "cases", "I": -1, "J": 1, "X": -1, "Y": 1}, "InvalidPoint"),
        ({"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "cases", "I": 1, "J": 1, "X": 1, "Y": 1,
          "INFO_FORMAT": "text/csv"}, "InvalidFormat"),
        ({"REQUEST": "GetLegendGraphic"}, "MissingParameterValue"),
        ({"REQUEST": "GetLegendGraphic", "LAYER": "x"}, "LayerNotDefined"),
        ({"REQUEST": "GetLegendGraphic", "LAYER": "cases", "STYLE": "x"}, "StyleNotDefined"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_the_standards_code(version: str, changes: dict[str, Any], code: str) -> None:
    answer = asked(WMS.answer, **GOOD[version] | changes)

    assert answer.status == 200
    assert answer.content_type == ("text/xml" if version == "1.3.0" else "application/vnd.ogc.se_xml")
    assert code_of(body_of(answer)) == code


@pytest.mark.parametrize(
    ("version", "changes", "code"),
    [
        ("1.3.0", {"CRS": "EPSG:32650"}, "InvalidCRS"),
        ("1.3.0", {"CRS": None}, "MissingParameterValue"),
        ("1.3.0", {"CRS": None, "SRS": "EPSG:4490"}, "MissingParameterValue"),
        ("1.1.1", {"SRS": "EPSG:32650"}, "InvalidSRS"),
        ("1.1.1", {"SRS": None, "CRS": "EPSG:4490"}, "MissingParameterValue"),
        ("1.3.0", {"VERSION": "2.0.0"}, "-"),
        ("1.3.0", {"VERSION": None}, "-"),
    ],
)
def test_each_version_has_its_own_words(version: str, changes: dict[str, Any], code: str) -> None:
    assert code_of(body_of(asked(WMS.answer, **GOOD[version] | changes))) == code


def test_a_parameter_given_twice_is_refused_unless_it_says_the_same() -> None:
    pairs = [*GOOD["1.3.0"].items(), ("layers", "grids")]
    twice = WMS.answer(Request("GET", "", pairs, CENTRE, NOW, url=URL))
    same = WMS.answer(Request("GET", "", [*GOOD["1.3.0"].items(), ("Layers", "cases")], CENTRE, NOW, url=URL))

    assert code_of(body_of(twice)) == "-"
    older = WMS.answer(Request("GET", "", [*GOOD["1.1.1"].items(), ("layers", "grids")], CENTRE, NOW, url=URL))
    assert older.content_type == "application/vnd.ogc.se_xml"
    assert same.content_type == "image/png"


@pytest.mark.parametrize(
    ("version", "way", "coloured"),
    [
        ("1.3.0", "INIMAGE", True), ("1.3.0", "BLANK", False), ("1.1.1", "application/vnd.ogc.se_inimage", True),
        ("1.1.1", "application/vnd.ogc.se_blank", False),
    ],
)  # fmt: skip
def test_a_client_may_hear_of_it_in_a_picture(version: str, way: str, coloured: bool) -> None:
    changes = {"LAYERS": "nothing", "EXCEPTIONS": way, "WIDTH": "300", "HEIGHT": "90"}
    answer = asked(WMS.answer, **GOOD[version] | changes)

    assert pixels(answer).shape == (90, 300, 3)
    assert (pixels(answer) != 255).any() == coloured


@pytest.mark.parametrize(("version", "way"), [("1.3.0", "BLANK"), ("1.1.1", "application/vnd.ogc.se_blank")])
@pytest.mark.parametrize("format_", ["image/png", "image/png; mode=8bit", "image/jpeg"])
def test_a_blank_picture_has_the_background_and_the_format_that_were_asked_for(
    version: str, way: str, format_: str
) -> None:
    changes = {"LAYERS": "nothing", "EXCEPTIONS": way, "BGCOLOR": "0xFF0000", "FORMAT": format_}

    answer = asked(WMS.answer, **GOOD[version] | changes)

    assert answer.content_type == format_
    assert (np.abs(pixels(answer).astype(int) - (255, 0, 0)) < 4).all()


def test_a_blank_picture_is_transparent_where_that_was_asked_for() -> None:
    changes = {"LAYERS": "nothing", "EXCEPTIONS": "BLANK", "BGCOLOR": "0xFF0000", "TRANSPARENT": "TRUE"}

    answer = asked(WMS.answer, **GOOD["1.3.0"] | changes)

    assert (pixels(answer) == 255).all()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<GetMap/>", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b"\xff\xfe\x00", b"<" * 100_000,
    ],
)  # fmt: skip
def test_xml_by_post_is_not_read(body: bytes) -> None:
    request = Request("POST", "", [], CENTRE, NOW, url=URL, content_type="text/xml", body=body)

    assert code_of(body_of(WMS.answer(request))) == "OperationNotSupported"


def test_a_form_by_post_is_read_as_a_query() -> None:
    body = "&".join(f"{name}={value}" for name, value in GOOD["1.3.0"].items()).encode()
    request = Request("POST", "", [], CENTRE, NOW, url=URL, content_type="application/x-www-form-urlencoded", body=body)

    assert WMS.answer(request).content_type == "image/png"


_VALUES = st.one_of(
    st.sampled_from([
        "", "cases", "grids", "cases_overdue,grids", "EPSG:4490", "EPSG:4548", "EPSG:3857", "CRS:84", "GetMap",
        "GetFeatureInfo", "GetCapabilities", "GetLegendGraphic", "1.3.0", "1.1.1", "image/png", "image/jpeg",
        "application/json", "text/html", "application/vnd.ogc.gml", "0", "-1", "20", "64", "1e9", "NaN", "TRUE",
        "31.30,118.30,31.33,118.35", "118.30,31.30,118.35,31.33", "-1e12,-1e12,1e12,1e12", "31.3,118.3,31.3,118.3",
        "2026-03", "2026-03-16/..", "current", "INIMAGE", "BLANK", "stage", "%00", "\x00", "'; DROP TABLE cases",
    ]),
    st.text(max_size=20),
)  # fmt: skip
_NAMES = st.sampled_from([
    "SERVICE", "VERSION", "REQUEST", "LAYERS", "STYLES", "CRS", "SRS", "BBOX", "WIDTH", "HEIGHT", "FORMAT",
    "TRANSPARENT", "BGCOLOR", "EXCEPTIONS", "TIME", "QUERY_LAYERS", "INFO_FORMAT", "FEATURE_COUNT", "I", "J", "X", "Y",
    "LAYER", "STYLE", "SLD", "ELEVATION", "layers", "foo",
])  # fmt: skip
_SCOPES = st.sampled_from([
    CENTRE, PUBLIC, Scope("west", areas=("340202",)), Scope("only", layers=("grids",)),
    Scope("system", systems=("landscape",)), Scope("none", areas=("999999",)),
])  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(base=st.sampled_from(ASKED), scope=_SCOPES, changes=st.dictionaries(_NAMES, st.none() | _VALUES, max_size=4))
def test_any_parameters_in_any_scope_are_answered_and_show_nothing_of_others(
    base: dict[str, Any], scope: Scope, changes: dict[str, Any]
) -> None:
    answer = asked(WMS.answer, scope, **base | changes)

    assert answer.status == 200
    body = body_of(answer)
    if answer.content_type.startswith("image/"):
        pixels(answer)
        return
    text = body.decode("utf-8")
    numbers = set(re.findall(r"3402-20260316-\d{6}", text))
    if scope.public or scope.name in ("only", "none"):
        assert not numbers
    if not scope.texts:
        assert "未清理" not in text
        assert "东门社区 1 号" not in text
    if scope.name == "west":
        assert "340207001001" not in text
    if scope.name == "system":
        assert all(int(one[-6:]) % 2 == 0 for one in numbers)  # every second case is its own
    if answer.content_type in ("text/xml", "application/vnd.ogc.se_xml", "application/vnd.ogc.gml"):
        etree.fromstring(body)
