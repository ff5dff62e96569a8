"""WFS 2.0: every feature once, where it is, in every CRS and format; filters find what they say; pages are stable."""

import csv
import io
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from lxml import etree
from owslib.fes2 import PropertyIsEqualTo
from owslib.wfs import WebFeatureService

from canonical.rights import Scope
from maps.crs import named
from maps.limits import Limits
from maps.request import Answer, Request
from maps.wfs.order import BY_ID
from maps.wfs.service import WfsService
from tests.maps.asking import CENTRE, PUBLIC, WEST_HALF, asked, body_of
from tests.maps.small_city import NOW, SOUTH, STEP, WEST, askew, atlas, marks, scattered

WFS = WfsService(atlas(), Limits(), "网格一张图", "grids and cases")
SCATTERED = WfsService(atlas(scattered(200)), Limits(), "City", "")
GET: dict[str, Any] = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": "gh:cases"}
FES = 'xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"'
WAYS = [
    "urn:ogc:def:crs:EPSG::4490", "urn:ogc:def:crs:EPSG::4326", "urn:ogc:def:crs:EPSG::3857",
    "urn:ogc:def:crs:EPSG::4548", "urn:ogc:def:crs:EPSG::4527", "http://www.opengis.net/def/crs/EPSG/0/4490",
    "EPSG:4490", "EPSG:4548", "CRS:84",
]  # fmt: skip


BODY_BY_ID = (
    '<GetFeature xmlns="http://www.opengis.net/wfs/2.0" service="WFS" version="2.0.0">'
    f'<StoredQuery id="{BY_ID}"><Parameter name="ID">{{}}</Parameter></StoredQuery></GetFeature>'
)


def found(scope: Scope = CENTRE, **changes: Any) -> list[str]:
    """Ids of the features found, in order, as JSON has them."""
    answer = asked(WFS.answer, scope, **GET | {"OUTPUTFORMAT": "application/json"} | changes)
    assert answer.status == 200, body_of(answer)
    return [one["id"] for one in json.loads(body_of(answer))["features"]]


def posted(body: str, scope: Scope = CENTRE) -> Answer:
    return WFS.answer(
        Request("POST", "", [], scope, NOW, url="http://h/wfs", content_type="text/xml", body=body.encode())
    )


def root_of(answer: Answer) -> etree._Element:
    return etree.fromstring(body_of(answer))


def fes(condition: str) -> str:
    return f"<fes:Filter {FES}>{condition}</fes:Filter>"


@pytest.mark.parametrize("name", WAYS)
def test_points_and_polygons_come_in_the_axis_order_of_the_name(name: str) -> None:
    mark, crs = marks(40)[1], named(name)
    [[x, y]] = crs.ordered(crs.from_native(np.array([[mark.lon, mark.lat]], float)))

    cases = root_of(asked(WFS.answer, **GET, SRSNAME=name, RESOURCEID=f"cases.{mark.no}"))
    [point] = cases.iter("{*}Point")
    grids = root_of(asked(WFS.answer, **GET | {"TYPENAMES": "grids", "COUNT": 1}, SRSNAME=name))
    ring = [float(one) for one in (grids.findtext(".//{*}posList") or "").split()]
    [[left, low]] = crs.ordered(crs.from_native(np.array([[WEST, SOUTH]])))

    assert point.get("srsName") == name
    assert [float(one) for one in (point.findtext("{*}pos") or "").split()] == pytest.approx([x, y], abs=1e-3)
    assert min(ring[0::2]) == pytest.approx(left, abs=10 if not crs.degrees else 1e-6)
    assert min(ring[1::2]) == pytest.approx(low, abs=10 if not crs.degrees else 1e-6)


@pytest.mark.parametrize("name", WAYS)
def test_a_box_in_any_crs_finds_what_lies_in_it(name: str) -> None:
    crs = named(name)
    corners = crs.ordered(crs.from_native(np.array([[WEST, SOUTH], [WEST + STEP * 0.9, SOUTH + STEP * 0.9]])))
    box = ",".join(f"{one}" for one in corners.ravel())

    ids = found(TYPENAMES="grids", BBOX=f"{box},{name}")

    assert "grids.340202001001001" in ids
    assert len(ids) <= 2  # a curved edge may touch a neighbour


@pytest.mark.parametrize("way", ["BBOX", "FILTER"])
@pytest.mark.parametrize("zone", ["EPSG::4547", "EPSG::4546"])
def test_a_box_of_a_zone_far_off_is_no_larger_than_it_is(zone: str, way: str) -> None:
    # Four or seven degrees from its meridian a zone is turned by two or four: the box around its box is larger.
    name = f"urn:ogc:def:crs:{zone}"
    inside, near, (west, south, east, north) = askew(name)
    low, high = f"{south} {west}", f"{north} {east}"
    corners = f"<gml:lowerCorner>{low}</gml:lowerCorner><gml:upperCorner>{high}</gml:upperCorner>"
    envelope = f'<gml:Envelope srsName="{name}">{corners}</gml:Envelope>'
    asked_for: dict[str, Any] = {
        "BBOX": {"BBOX": f"{low.replace(' ', ',')},{high.replace(' ', ',')},{name}"},
        "FILTER": {"FILTER": fes(f"<fes:BBOX>{envelope}</fes:BBOX>")},
    }[way]

    answer = asked(SCATTERED.answer, **GET, OUTPUTFORMAT="application/json", **asked_for)

    assert near
    assert sorted(one["id"] for one in json.loads(body_of(answer))["features"]) == sorted(inside)


def test_pages_hold_every_feature_once_in_a_stable_order() -> None:
    whole = found(SORTBY="stage DESC,area")
    pages = [one for start in range(0, 40, 7) for one in found(SORTBY="stage DESC,area", COUNT=7, STARTINDEX=start)]

    assert pages == whole
    assert len(set(whole)) == 40
    root = root_of(asked(WFS.answer, **GET, COUNT=7, STARTINDEX=7))
    assert (root.get("numberMatched"), root.get("numberReturned")) == ("40", "7")
    assert "STARTINDEX=14" in (root.get("next") or "")
    assert "STARTINDEX=0" in (root.get("previous") or "")
    assert root_of(asked(WFS.answer, **GET, COUNT=7, STARTINDEX=35)).get("next") is None


def test_a_page_asked_by_post_links_to_the_next_one() -> None:
    body = (
        f'<GetFeature xmlns="http://www.opengis.net/wfs/2.0" {FES} service="WFS" version="2.0.0" count="5">'
        '<Query typeNames="gh:cases" srsName="EPSG:4548"><PropertyName>stage</PropertyName><fes:Filter>'
        "<fes:PropertyIsNotEqualTo><fes:ValueReference>unit</fes:ValueReference><fes:Literal>U3</fes:Literal>"
        "</fes:PropertyIsNotEqualTo></fes:Filter><fes:SortBy><fes:SortProperty><fes:ValueReference>stage"
        "</fes:ValueReference><fes:SortOrder>DESC</fes:SortOrder></fes:SortProperty></fes:SortBy></Query></GetFeature>"
    )
    root, ids = root_of(posted(body)), []
    while True:
        ids += [one.get("{http://www.opengis.net/gml/3.2}id") for one in root.iter("{*}cases")]
        assert not list(root.iter("{*}unit"))
        link = root.get("next")
        if link is None:
            break
        root = root_of(WFS.answer(Request("GET", "", parse_qsl(urlsplit(link).query), CENTRE, NOW, url="http://h/wfs")))

    chosen = [mark for mark in marks(40) if mark.unit != "U3"]
    assert ids == [f"cases.{mark.no}" for mark in sorted(chosen, key=lambda mark: mark.stage, reverse=True)]


@pytest.mark.parametrize("name", WAYS)
def test_the_box_of_a_collection_is_around_its_features(name: str) -> None:
    root = root_of(asked(WFS.answer, **GET | {"TYPENAMES": "grids"}, SRSNAME=name))
    corners = [
        [float(one) for one in (root.findtext(f"{{*}}boundedBy/{{*}}Envelope/{{*}}{end}") or "").split()]
        for end in ("lowerCorner", "upperCorner")
    ]
    figures = np.array([[float(one) for one in (ring.text or "").split()] for ring in root.iter("{*}posList")])

    low, high = figures.reshape(-1, 2).min(axis=0), figures.reshape(-1, 2).max(axis=0)
    near = 1e-6 if named(name).degrees else 0.1
    assert corners == [pytest.approx(low, abs=near), pytest.approx(high, abs=near)]


def test_a_column_to_sort_by_named_again_changes_nothing() -> None:
    assert found(SORTBY="stage DESC,unit,stage ASC,unit DESC") == found(SORTBY="stage DESC,unit")
    assert found(SORTBY="stage DESC,unit") != found(SORTBY="stage,unit")


def test_clients_of_geoserver_may_filter_by_cql() -> None:
    assert found(CQL_FILTER="stage = 'filed' OR unit = 'U1' AND overdue = true") == [
        f"cases.{mark.no}" for mark in marks(40)
        if mark.stage == "filed" or (mark.unit == "U1" and mark.due_at is not None and mark.due_at < NOW)
    ]  # fmt: skip
    assert asked(WFS.answer, **GET, CQL_FILTER="nothing = 1").status == 400
    assert asked(WFS.answer, **GET, CQL_FILTER="TRUE", FILTER=fes("")).status == 400


def test_ids_are_values_too() -> None:
    keys = GET | {"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "@gml:id", "COUNT": 2}

    assert [one.text for one in root_of(asked(WFS.answer, **keys))] == [f"cases.{mark.no}" for mark in marks(40)[:2]]


def test_hits_count_and_send_nothing() -> None:
    root = root_of(asked(WFS.answer, **GET, RESULTTYPE="hits"))

    assert (root.get("numberMatched"), root.get("numberReturned"), len(root)) == ("40", "0", 0)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("<fes:PropertyIsEqualTo>{stage}<fes:Literal>filed</fes:Literal></fes:PropertyIsEqualTo>",
         lambda m: m.stage == "filed"),
        ("<fes:PropertyIsNotEqualTo>{stage}<fes:Literal>filed</fes:Literal></fes:PropertyIsNotEqualTo>",
         lambda m: m.stage != "filed"),
        ("<fes:Not><fes:PropertyIsEqualTo>{stage}<fes:Literal>filed</fes:Literal></fes:PropertyIsEqualTo></fes:Not>",
         lambda m: m.stage != "filed"),
        ("<fes:PropertyIsLike wildCard='%' singleChar='_' escapeChar='!'>{stage}<fes:Literal>d%_ed</fes:Literal>"
         "</fes:PropertyIsLike>", lambda m: m.stage.startswith("d") and m.stage.endswith("ed")),
        ("<fes:PropertyIsNull>{class_code}</fes:PropertyIsNull>", lambda m: m.class_code is None),
        ("<fes:PropertyIsEqualTo>{overdue}<fes:Literal>true</fes:Literal></fes:PropertyIsEqualTo>",
         lambda m: m.due_at < NOW),
        ("<fes:Or><fes:PropertyIsEqualTo>{unit}<fes:Literal>U1</fes:Literal></fes:PropertyIsEqualTo>"
         "<fes:PropertyIsEqualTo>{unit}<fes:Literal>U2</fes:Literal></fes:PropertyIsEqualTo></fes:Or>",
         lambda m: m.unit in ("U1", "U2")),
        ("<fes:PropertyIsGreaterThan>{received_at}<fes:Literal>2026-03-16T01:30:00Z</fes:Literal>"
         "</fes:PropertyIsGreaterThan>", lambda m: m.no.endswith("000001")),
        ("<fes:PropertyIsBetween>{case_no}<fes:LowerBoundary><fes:Literal>3402-20260316-000003</fes:Literal>"
         "</fes:LowerBoundary><fes:UpperBoundary><fes:Literal>3402-20260316-000005</fes:Literal></fes:UpperBoundary>"
         "</fes:PropertyIsBetween>", lambda m: m.no[-1] in "345" and m.no[-2] == "0"),
        ("<fes:During>{received_at}<gml:TimePeriod><gml:beginPosition>2026-03-16T00:00:00+08:00</gml:beginPosition>"
         "<gml:endPosition>2026-03-16T12:00:00+08:00</gml:endPosition></gml:TimePeriod></fes:During>",
         lambda m: m.received_at.day == 16 and m.received_at.hour > 0),
        ("<fes:BBOX><fes:ValueReference>geometry</fes:ValueReference><gml:Envelope "
         "srsName='urn:ogc:def:crs:EPSG::4490'><gml:lowerCorner>31.3 118.3</gml:lowerCorner><gml:upperCorner>31.33 "
         "118.325</gml:upperCorner></gml:Envelope></fes:BBOX>", lambda m: m.area.startswith("340202")),
        ("<fes:DWithin><fes:ValueReference>geometry</fes:ValueReference><gml:Point srsName='EPSG:4490'><gml:pos>"
         "118.33625 31.31625</gml:pos></gml:Point><fes:Distance uom='m'>5</fes:Distance></fes:DWithin>",
         lambda m: m.grid == marks(2)[1].grid and m.lon is not None),
        ("<fes:And><fes:PropertyIsEqualTo>{stage}<fes:Literal>filed</fes:Literal></fes:PropertyIsEqualTo>"
         "<fes:PropertyIsEqualTo>{source}<fes:Literal>sensors</fes:Literal></fes:PropertyIsEqualTo></fes:And>",
         lambda m: m.stage == "filed" and m.source == "sensors"),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_says_by_key_values_and_by_xml(condition: str, expected: Any) -> None:
    for name in ("stage", "class_code", "overdue", "unit", "received_at", "case_no", "source"):
        condition = condition.replace(f"{{{name}}}", f"<fes:ValueReference>gh:{name}</fes:ValueReference>")
    wanted = sorted(f"cases.{one.no}" for one in marks(40) if expected(one))

    assert sorted(found(FILTER=fes(condition))) == wanted
    body = f'<wfs:GetFeature xmlns:wfs="http://www.opengis.net/wfs/2.0" {FES} service="WFS" version="2.0.0">'
    root = root_of(posted(f'{body}<wfs:Query typeNames="gh:cases">{fes(condition)}</wfs:Query></wfs:GetFeature>'))
    ids = [one.get("{http://www.opengis.net/gml/3.2}id") for one in root.iter("{*}cases")]
    assert sorted(map(str, ids)) == wanted
    assert wanted


def test_owslib_reads_the_capabilities_the_schema_and_filtered_features() -> None:
    document = body_of(asked(WFS.answer, SERVICE="WFS", REQUEST="GetCapabilities"))
    read = WebFeatureService("https://maps.example/ogc/wfs", "2.0.0", xml=document)

    assert list(read.contents) == ["gh:grids", "gh:grids_landscape", "gh:cases", "gh:case_density"]
    assert read["gh:cases"].boundingBoxWGS84 == pytest.approx((WEST, SOUTH, WEST + STEP * 10, SOUTH + STEP * 6))
    assert {crs.code for crs in read["gh:grids"].crsOptions} >= {4326, 4490, 3857, 4513, 4554}
    condition = etree.tostring(PropertyIsEqualTo("gh:stage", "filed").toXML()).decode()
    assert len(found(FILTER=fes(condition))) == sum(one.stage == "filed" for one in marks(40))


def test_the_schema_has_the_columns_of_the_scope_alone() -> None:
    def columns(scope: Scope) -> list[str | None]:
        root = root_of(asked(WFS.answer, scope, **GET | {"REQUEST": "DescribeFeatureType"}))
        return [one.get("name") for one in root.iter("{*}sequence").__next__()]

    assert {"case_no", "description", "unit", "geometry"} <= set(columns(CENTRE))
    assert not {"case_no", "description", "unit", "received_at"} & set(columns(PUBLIC))


def test_columns_and_their_order_can_be_chosen() -> None:
    root = root_of(asked(WFS.answer, **GET, PROPERTYNAME="stage,gh:case_no", COUNT=1))
    [feature] = root.iter("{*}cases")

    assert [etree.QName(one).localname for one in feature] == ["case_no", "stage"]
    values = root_of(asked(WFS.answer, **GET | {"REQUEST": "GetPropertyValue"}, VALUEREFERENCE="gh:stage", COUNT=3))
    assert [one.text for one in values.iter("{*}stage")] == [one.stage for one in marks(3)]


def test_a_feature_is_had_by_its_id() -> None:
    id_ = f"cases.{marks(40)[1].no}"
    by_key = root_of(asked(WFS.answer, **GET | {"TYPENAMES": None}, STOREDQUERY_ID=BY_ID, ID=id_))
    by_body = root_of(posted(BODY_BY_ID.format(id_)))

    assert etree.QName(by_key).localname == "cases"
    assert by_key.get("{http://www.opengis.net/gml/3.2}id") == id_
    assert etree.tostring(by_body) == etree.tostring(by_key)
    lost = asked(WFS.answer, WEST_HALF, **GET | {"TYPENAMES": None}, STOREDQUERY_ID=BY_ID, ID="cases.nobody")
    assert (lost.status, b"NotFound" in body_of(lost)) == (404, True)


def test_csv_is_what_a_spreadsheet_reads_and_runs_nothing() -> None:
    made = marks(3)
    object.__setattr__(made[0], "description", '=HYPERLINK("http://evil.example")')
    wild = WfsService(atlas(made), Limits(), "", "")

    answer = asked(wild.answer, **GET, OUTPUTFORMAT="csv")
    rows = list(csv.DictReader(io.StringIO(body_of(answer).decode("utf-8-sig"), newline="")))

    assert [one["case_no"] for one in rows] == [one.no for one in made]
    assert rows[0]["description"].startswith("'=")
    assert rows[1]["geometry"] == "POINT (118.33625 31.31625)"


def test_several_layers_are_asked_at_once() -> None:
    root = root_of(asked(WFS.answer, **GET | {"TYPENAMES": "(gh:cases)(gh:grids)"}, COUNT=45))
    inner = root.findall("{*}member/{*}FeatureCollection")

    assert [one.get("numberReturned") for one in inner] == ["40", "5"]
    assert root.get("numberMatched") == "100"
