"""Whatever is wrong with a request of WFS is an exception report, and nobody learns of another's rows or columns."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from canonical.rights import Scope
from maps.limits import Limits
from maps.request import Request
from maps.wfs.service import WfsService
from tests.maps.asking import CENTRE, PUBLIC, asked, body_of
from tests.maps.small_city import NOW, atlas

WFS = WfsService(atlas(), Limits(terms=500), "一张图", "")
GET: dict[str, Any] = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": "cases"}
FES = 'xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"'


def answered(text: str) -> str:
    """The answer without the links to other pages, which say again what was asked."""
    return re.sub(r' (?:next|previous)="[^"]*"', "", text)


def equal(name: str, value: str) -> str:
    inner = f"<fes:ValueReference>{name}</fes:ValueReference><fes:Literal>{value}</fes:Literal>"
    return f"<fes:Filter {FES}><fes:PropertyIsEqualTo>{inner}</fes:PropertyIsEqualTo></fes:Filter>"


@pytest.mark.parametrize(
    ("changes", "status", "code", "locator"),
    [
        ({"SERVICE": None}, 400, "MissingParameterValue", "SERVICE"),
        ({"SERVICE": "WMS"}, 400, "InvalidParameterValue", "SERVICE"),
        ({"VERSION": None}, 400, "MissingParameterValue", "VERSION"),
        ({"VERSION": "1.0.0"}, 400, "InvalidParameterValue", "VERSION"),
        ({"REQUEST": None}, 400, "MissingParameterValue", "REQUEST"),
        ({"REQUEST": "GetNothing"}, 400, "InvalidParameterValue", "REQUEST"),
        ({"REQUEST": "Transaction"}, 400, "OperationNotSupported", "REQUEST"),
        ({"REQUEST": "GetCapabilities", "ACCEPTVERSIONS": "1.0.0,1.1.0"}, 400, "VersionNegotiationFailed",
         "ACCEPTVERSIONS"),
        ({"TYPENAMES": None}, 400, "MissingParameterValue", "TYPENAMES"),
        ({"TYPENAMES": "nothing"}, 400, "InvalidParameterValue", "TYPENAMES"),
        ({"TYPENAMES": "cases,grids"}, 400, "OptionNotSupported", "TYPENAMES"),
        ({"SRSNAME": "EPSG:32650"}, 400, "InvalidParameterValue", "SRSNAME"),
        ({"BBOX": "1,2,3"}, 400, "InvalidParameterValue", "BBOX"),
        ({"BBOX": "nan,nan,nan,nan"}, 400, "InvalidParameterValue", "BBOX"),
        ({"BBOX": "2,2,1,1"}, 400, "InvalidParameterValue", "BBOX"),
        ({"BBOX": "1,1,2,2,EPSG:1"}, 400, "InvalidParameterValue", "BBOX"),
        ({"COUNT": "-1"}, 400, "InvalidParameterValue", "COUNT"),
        ({"COUNT": "99999999999"}, 400, "InvalidParameterValue", "COUNT"),
        ({"STARTINDEX": "x"}, 400, "InvalidParameterValue", "STARTINDEX"),
        ({"RESULTTYPE": "all"}, 400, "InvalidParameterValue", "RESULTTYPE"),
        ({"OUTPUTFORMAT": "shape-zip"}, 400, "InvalidParameterValue", "OUTPUTFORMAT"),
        ({"PROPERTYNAME": "nothing"}, 400, "InvalidParameterValue", "PROPERTYNAME"),
        ({"SORTBY": "nothing"}, 400, "InvalidParameterValue", "SORTBY"),
        ({"RESOURCEID": ",".join("a" * 501)}, 400, "InvalidParameterValue", "RESOURCEID"),
        ({"BBOX": "1,1,2,2", "RESOURCEID": "cases.1"}, 400, "InvalidParameterValue", "RESOURCEID"),
        ({"FILTER": "<a"}, 400, "OperationParsingFailed", "FILTER"),
        ({"FILTER": equal("nothing", "1")}, 400, "InvalidParameterValue", "FILTER"),
        ({"FILTER": equal("received_at", "soon")}, 400, "InvalidParameterValue", "FILTER"),
        ({"FILTER": f"<fes:Filter {FES}/>"}, 400, "OperationParsingFailed", "FILTER"),
        ({"FILTER": f"<fes:Filter {FES}><fes:Sounds/></fes:Filter>"}, 400, "OperationParsingFailed", "FILTER"),
        ({"FILTER": f"<fes:Filter {FES}>{'<fes:Not>' * 60}{'</fes:Not>' * 60}</fes:Filter>"}, 400,
         "OperationParsingFailed", "FILTER"),
        ({"FILTER": f"<fes:Filter {FES}>{'<fes:a/>' * 600}</fes:Filter>"}, 400, "OperationParsingFailed", "FILTER"),
        ({"STOREDQUERY_ID": "urn:x", "ID": "1"}, 400, "InvalidParameterValue", "STOREDQUERY_ID"),
        ({"REQUEST": "GetPropertyValue"}, 400, "MissingParameterValue", "VALUEREFERENCE"),
        ({"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "nothing"}, 400, "InvalidParameterValue", "VALUEREFERENCE"),
        ({"REQUEST": "DescribeFeatureType", "TYPENAMES": "nothing"}, 400, "InvalidParameterValue", "TYPENAMES"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_standards_words(
    changes: dict[str, Any], status: int, code: str, locator: str
) -> None:
    answer = asked(WFS.answer, **GET | changes)

    assert answer.status == status
    [one] = etree.fromstring(body_of(answer)).iter("{*}Exception")
    assert (one.get("exceptionCode"), one.get("locator")) == (code, locator)
    assert (one.findtext("{*}ExceptionText") or "").strip()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"not xml", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>', b"\xff\xfe\x00\x00", b"<a>" * 5000,
        b'<Transaction xmlns="http://www.opengis.net/wfs/2.0"/>', b"<GetFeature/>",
        b'<GetFeature version="3.0.0"/>', b'<GetFeature><Query typeNames="a b"/></GetFeature>',
    ],
)  # fmt: skip
def test_hostile_xml_is_refused_and_reads_no_file(body: bytes) -> None:
    request = Request("POST", "", [], CENTRE, NOW, url="http://h/wfs", content_type="text/xml", body=body)
    answer = WFS.answer(request)

    assert answer.status == 400
    assert b"root:" not in body_of(answer)
    assert b"ExceptionReport" in body_of(answer)


def test_a_column_that_is_not_seen_cannot_be_asked() -> None:
    for name in ("case_no", "unit", "description", "received_at"):
        for changes in ({"FILTER": equal(name, "x")}, {"SORTBY": name}, {"PROPERTYNAME": name}):
            answer = asked(WFS.answer, PUBLIC, **GET | changes)
            assert answer.status == 400
            assert f"no property '{name}'" in body_of(answer).decode()


def test_a_pattern_cannot_make_the_service_slow() -> None:
    pattern = "*".join("a" * 200) + "b"
    inner = f"<fes:ValueReference>stage_name</fes:ValueReference><fes:Literal>{pattern}</fes:Literal>"
    like = f'<fes:PropertyIsLike wildCard="*" singleChar="?" escapeChar="!">{inner}</fes:PropertyIsLike>'

    answer = asked(WFS.answer, **GET, FILTER=f"<fes:Filter {FES}>{like}</fes:Filter>", RESULTTYPE="hits")

    assert b'numberMatched="0"' in body_of(answer)


_VALUES = st.one_of(
    st.sampled_from([
        "", "cases", "gh:grids", "(cases)(grids)", "case_density", "GetFeature", "GetPropertyValue",
        "DescribeFeatureType",
        "GetCapabilities", "ListStoredQueries", "DescribeStoredQueries", "2.0.0", "1.1.0", "json", "csv", "text/xml",
        "hits", "0", "1", "5", "-1", "stage", "received_at D", "geometry", "urn:ogc:def:crs:EPSG::4548", "EPSG:3857",
        "31.3,118.3,31.4,118.4", "118.3,31.3,118.4,31.4,CRS:84", "-1e308,-1e308,1e308,1e308",
        "urn:ogc:def:query:OGC-WFS::GetFeatureById", "cases.3402-20260316-000002", "grids.340207001001031",
        equal("stage", "filed"), equal("area", "340207001001"), equal("id", "cases.3402-20260316-000002"),
        "\x00", "]]>",
    ]),
    st.text(max_size=20),
)  # fmt: skip
_NAMES = st.sampled_from([
    "SERVICE", "VERSION", "REQUEST", "TYPENAMES", "TYPENAME", "PROPERTYNAME", "SRSNAME", "BBOX", "RESOURCEID", "FILTER",
    "SORTBY", "COUNT", "STARTINDEX", "RESULTTYPE", "OUTPUTFORMAT", "VALUEREFERENCE", "STOREDQUERY_ID", "ID", "foo",
])  # fmt: skip
_SCOPES = st.sampled_from([
    CENTRE, PUBLIC, Scope("west", areas=("340202",)), Scope("only", layers=("grids",)),
    Scope("system", systems=("landscape",)), Scope("none", areas=("999999",)),
])  # fmt: skip
_CHANGES = st.dictionaries(_NAMES, st.none() | _VALUES, max_size=4)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scope=_SCOPES, changes=_CHANGES)
def test_any_parameters_in_any_scope_are_answered_and_show_nothing_of_others(
    scope: Scope, changes: dict[str, Any]
) -> None:
    answer = asked(WFS.answer, scope, **GET | changes)

    body = body_of(answer)
    assert answer.status in (200, 400, 403, 404)
    if answer.status == 200 and "xml" in answer.content_type:
        etree.fromstring(body)
    if answer.status != 200:
        assert b"ExceptionReport" in body
        return
    text = answered(body.decode("utf-8"))
    numbers = set(re.findall(r"cases\.3402-20260316-(\d{6})", text))
    if scope.public or scope.name in ("only", "none"):
        assert not numbers
    if not scope.texts:
        assert "未清理" not in text
    if scope.name == "west":
        assert "340207001001" not in text.replace(str(changes.get("ID")), "")
    if scope.name == "system":
        assert all(int(one) % 2 == 0 for one in numbers)


_TEXTS = st.sampled_from([
    "", "stage", "gh:cases/gh:stage", "unit", "case_no", "area", "geometry", "received_at", "filed", "%", "*",
    "340207001001", "2026-03-16T08:00:00Z", "2026-03-16", "118.31 31.31", "31.31 118.31", "1 1 2 2 3 1 1 1",
    "@gml:id", "1e308 1e308", "nan nan", "118.3,31.3 118.4,31.4", "-5", "true", "cases", "\u4e00",
    "0 0 1 1 0 1 1 0 0 0",
])  # fmt: skip
_ELEMENTS = st.sampled_from([
    *(f"fes:{one}" for one in (
        "And", "Or", "Not", "PropertyIsEqualTo", "PropertyIsLessThan", "PropertyIsLike", "PropertyIsNull",
        "PropertyIsBetween", "LowerBoundary", "UpperBoundary", "BBOX", "Intersects", "Within", "Disjoint", "DWithin",
        "Beyond", "Distance", "During", "After", "TEquals", "ResourceId", "ValueReference", "ValueReference", "Literal",
        "Literal", "Function", "Filter",
    )),
    *(f"gml:{one}" for one in (
        "Point", "pos", "posList", "Polygon", "exterior", "interior", "LinearRing", "Envelope", "lowerCorner",
        "upperCorner", "MultiSurface", "surfaceMember", "TimeInstant", "timePosition", "TimePeriod", "beginPosition",
        "endPosition", "coordinates", "LineString",
    )),
])  # fmt: skip
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(["srsName", "uom", "rid", "wildCard", "singleChar", "escapeChar", "matchCase"]),
    st.sampled_from(["", "EPSG:4490", "urn:ogc:def:crs:EPSG::4548", "x", "m", "%", "false",
                     "cases.3402-20260316-000002"]), max_size=2,
).map(lambda given: "".join(f' {name}="{value}"' for name, value in given.items()))  # fmt: skip


def _element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inside = st.lists(children, max_size=3).map("".join)
    return st.builds(
        lambda name, attributes, text: f"<{name}{attributes}>{text}</{name}>", _ELEMENTS, _ATTRIBUTES, inside
    )


_WHOLE = st.sampled_from([
    "<fes:PropertyIsEqualTo><fes:ValueReference>area</fes:ValueReference><fes:Literal>340207001001</fes:Literal>"
    "</fes:PropertyIsEqualTo>",
    "<fes:PropertyIsLike wildCard='%' singleChar='_' escapeChar='!'><fes:ValueReference>case_no</fes:ValueReference>"
    "<fes:Literal>%</fes:Literal></fes:PropertyIsLike>",
    "<fes:BBOX><gml:Envelope srsName='CRS:84'><gml:lowerCorner>118 31</gml:lowerCorner><gml:upperCorner>119 32"
    "</gml:upperCorner></gml:Envelope></fes:BBOX>",
    "<fes:PropertyIsNull><fes:ValueReference>class_code</fes:ValueReference></fes:PropertyIsNull>",
])  # fmt: skip
_TREES = st.recursive(_TEXTS | _WHOLE, _element, max_leaves=8)
_CONDITIONS = st.one_of(
    _TREES, _WHOLE, _WHOLE.map("<fes:Not>{}</fes:Not>".format),
    st.tuples(_WHOLE, _TREES).map(lambda two: f"<fes:Or>{two[0]}{two[1]}</fes:Or>"),
)  # fmt: skip


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    scope=_SCOPES, condition=_CONDITIONS, layer=st.sampled_from(["cases", "grids", "case_density", ""]),
    rest=st.sampled_from(["", "<fes:SortBy/>", "<PropertyName>stage</PropertyName>", "<!-- --><?a b?>",
                          "<fes:SortBy><fes:SortProperty><fes:ValueReference>unit</fes:ValueReference>"
                          "</fes:SortProperty></fes:SortBy>"]),
    head=st.sampled_from(["<GetFeature {}>", "<GetFeature {} count='3' startIndex='1'>",
                          "<GetFeature {} resultType='hits'>", "<GetPropertyValue {} valueReference='stage'>",
                          "<GetFeature {} outputFormat='text/csv'>"]),
)  # fmt: skip
def test_any_filter_in_any_scope_is_answered_and_shows_nothing_of_others(
    scope: Scope, condition: str, layer: str, rest: str, head: str
) -> None:
    spaces = f'xmlns="http://www.opengis.net/wfs/2.0" {FES} service="WFS" version="2.0.0"'
    name = head[1:].partition(" ")[0]
    body = (
        f'{head.format(spaces)}<Query typeNames="{layer}">{rest}<fes:Filter>{condition}</fes:Filter></Query></{name}>'
    )
    answer = WFS.answer(
        Request("POST", "", [], scope, NOW, url="http://h/wfs", content_type="text/xml", body=body.encode())
    )

    text = answered(body_of(answer).decode())
    assert answer.status in (200, 400)
    if answer.status != 200:
        assert "ExceptionReport" in text
        return
    numbers = set(re.findall(r"cases\.3402-20260316-(\d{6})", text))
    if scope.public or scope.name in ("only", "none"):
        assert not numbers
    assert scope.texts or "未清理" not in text
    if scope.name == "west":
        assert "340207001001" not in text
    if scope.name == "system":
        assert all(int(one) % 2 == 0 for one in numbers)
