"""Whatever is wrong with a request of OGC API - Features is a problem document, and nobody learns of another's rows."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical.rights import Scope
from maps.features.service import FeaturesService
from maps.limits import Limits
from maps.request import Request
from tests.maps.asking import CENTRE, PUBLIC, asked, body_of
from tests.maps.small_city import NOW, atlas, marks

URL = "https://maps.example/ogc/features"
SERVICE = FeaturesService(atlas(), Limits(terms=500), "一张图", "")
ITEMS = "/collections/cases/items"


@pytest.mark.parametrize(
    ("path", "keys", "status", "word"),
    [
        ("/nothing", {}, 404, "landing page"),
        ("/collections/nothing", {}, 404, "nothing"),
        ("/collections/cases/nothing", {}, 404, "/collections"),
        (f"{ITEMS}/nothing", {}, 404, "nothing"),
        (f"{ITEMS}/cases.1/more", {}, 404, "cases.1/more"),
        (f"{ITEMS}/cases.1", {"datetime": "soon"}, 400, "datetime"),
        (f"{ITEMS}/cases.1", {"stage": "filed"}, 400, "stage"),
        ("/collections/grids/items/grids.1", {"datetime": "2026"}, 400, "datetime"),
        ("", {"f": "csv", "filter": "TRUE"}, 400, "filter"),
        ("", {"f": "xml"}, 400, "json or html"),
        ("", {"f": "csv"}, 400, "json or html"),
        ("", {"limit": "1"}, 400, "limit"),
        (ITEMS, {"LIMIT": "1"}, 400, "LIMIT"),
        (ITEMS, {"limit": "0"}, 400, "limit"),
        (ITEMS, {"limit": "-1"}, 400, "limit"),
        (ITEMS, {"limit": "x"}, 400, "limit"),
        (ITEMS, {"limit": "9" * 5000}, 400, "limit"),
        (ITEMS, {"offset": "1.5"}, 400, "offset"),
        (ITEMS, {"bbox": "1,2,3"}, 400, "bbox"),
        (ITEMS, {"bbox": "a,b,c,d"}, 400, "bbox"),
        (ITEMS, {"bbox": ""}, 400, "bbox"),
        (ITEMS, {"bbox": "nan,nan,nan,nan"}, 400, "bbox"),
        (ITEMS, {"bbox": "1,9,2,3"}, 400, "bbox"),
        (ITEMS, {"bbox": "1,2,3,4", "bbox-crs": "EPSG:4490"}, 400, "bbox-crs"),
        (ITEMS, {"crs": "http://www.opengis.net/def/crs/EPSG/0/32650"}, 400, "crs"),
        (ITEMS, {"crs": "EPSG:4490"}, 400, "crs"),
        (ITEMS, {"datetime": "soon"}, 400, "datetime"),
        (ITEMS, {"datetime": "2026-03-16T08:00:00"}, 400, "datetime"),
        (ITEMS, {"datetime": "2026-03-17/2026-03-16"}, 400, "datetime"),
        (ITEMS, {"datetime": "2026-13-01"}, 400, "datetime"),
        (ITEMS, {"datetime": "0001-01-01T00:00:00Z/.."}, 400, "datetime"),
        (ITEMS, {"sortby": "nothing"}, 400, "sortby"),
        (ITEMS, {"properties": "nothing"}, 400, "properties"),
        (ITEMS, {"received_at": "soon"}, 400, "received_at"),
        (ITEMS, {"filter": "nothing = 1"}, 400, "nothing"),
        (ITEMS, {"filter": "stage ="}, 400, "filter"),
        (ITEMS, {"filter": "stage = 'a'", "filter-lang": "ecql"}, 400, "filter-lang"),
        (ITEMS, {"filter": "{", "filter-lang": "cql2-json"}, 400, "JSON"),
        (ITEMS, {"filter": "stage = 'a'", "filter-crs": "x"}, 400, "filter-crs"),
        (ITEMS, {"nothing": "1"}, 400, "nothing"),
    ],
)
def test_what_is_wrong_is_said(path: str, keys: dict[str, str], status: int, word: str) -> None:
    answer = asked(SERVICE.answer, CENTRE, path, URL, **keys)
    told = json.loads(body_of(answer))

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert told["status"] == status
    assert word in told["detail"]


def test_a_parameter_given_twice_and_a_post_are_refused() -> None:
    twice = Request("GET", ITEMS, [("limit", "1"), ("limit", "2")], CENTRE, NOW, url=URL)
    post = Request("POST", ITEMS, [], CENTRE, NOW, url=URL, body=b"{}")

    assert SERVICE.answer(twice).status == 400
    assert (SERVICE.answer(post).status, SERVICE.answer(post).headers["allow"]) == (405, "GET, HEAD")


_FILTERS = st.recursive(
    st.sampled_from(
        [
            "stage = 'filed'",
            "area LIKE '3402%'",
            "area = '340207001001'",
            "case_no > '3402'",
            "unit IN ('U1', 'U2')",
            "description LIKE '%'",
            "id = 'cases.3402-20260316-000002'",
            "received_at > DATE('2026-03-16')",
            "TRUE",
            "nothing",
            "S_INTERSECTS(geometry, BBOX(118, 31, 119, 32))",
            "S_DISJOINT(geometry, POINT(118.31 31.31))",
            "overdue = 5",
            "class_code IS NULL",
            "T_DURING(received_at, INTERVAL('..', '2026-03-16T09:00:00Z'))",
            "cases > 0",
            "(",
            "'",
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: f"NOT ({one})"),
        st.tuples(inner, st.sampled_from(["AND", "OR", "and", ","]), inner).map(" ".join),
    ),
    max_leaves=5,
)
_VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "0",
            "-1",
            "json",
            "html",
            "csv",
            "5",
            "nan",
            "stage",
            "-stage",
            "unit",
            "2026-03-16",
            "../..",
            "a/b",
            "2026-03-15/2026-03-16",
            "118.3,31.3,118.4,31.4",
            "31.3,118.3,31.4,118.4",
            "-1e308,-1e308,1e308,1e308",
            "http://www.opengis.net/def/crs/EPSG/0/4548",
            "http://www.opengis.net/def/crs/EPSG/0/4326",
            "cql2-json",
            "cql2-text",
            '{"op":"like","args":[{"property":"area"},"%"]}',
            "\x00",
            "<script>",
            "cases.3402-20260316-000002",
        ]
    ),
    st.text(max_size=20),
    _FILTERS,
)
_NAMES = st.sampled_from([
    "f", "limit", "offset", "bbox", "bbox-crs", "crs", "datetime", "filter-lang", "filter-crs", "sortby", "properties",
    "stage", "area", "unit", "case_no", "received_at", "cases", "foo",
])  # fmt: skip
_PATHS = st.one_of(
    st.sampled_from([
        "", "/api", "/conformance", "/collections", "/collections/cases", "/collections/cases/queryables", ITEMS, ITEMS,
        "/collections/grids/items", "/collections/case_density/items", f"{ITEMS}/cases.3402-20260316-000002",
        "/collections/grids/items/grids.340207001001031",
    ]),
    st.text(max_size=20).map("/".__add__),
)  # fmt: skip
_SCOPES = st.sampled_from([
    CENTRE, PUBLIC, Scope("west", areas=("340202",)), Scope("only", layers=("grids",)),
    Scope("system", systems=("landscape",)), Scope("none", areas=("999999",)),
])  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    scope=_SCOPES, path=_PATHS, changes=st.dictionaries(_NAMES, _VALUES, max_size=3),
    condition=st.none() | _FILTERS, accept=st.sampled_from(["", "text/html", "*/*"]),
)  # fmt: skip
def test_any_request_in_any_scope_is_answered_and_shows_nothing_of_others(
    scope: Scope, path: str, changes: dict[str, str], condition: str | None, accept: str
) -> None:
    pairs = [*changes.items(), *([("filter", condition)] if condition is not None else [])]
    answer = SERVICE.answer(Request("GET", path, pairs, scope, NOW, url=URL, accept=accept))
    text = body_of(answer).decode("utf-8")

    assert answer.status in (200, 400, 404)
    if answer.status != 200:
        assert json.loads(text)["status"] == answer.status
        return
    if "json" in answer.content_type:
        document = json.loads(text)
        if scope.name == "west" and "features" in document:
            assert document["numberMatched"] <= WESTERN
        features = document.get("features", [document] if document.get("type") == "Feature" else [])
        for one in features:
            assert scope.texts or not TEXTS & one["properties"].keys()
            assert not scope.public or not TOLD & one["properties"].keys()
        text = json.dumps(features, ensure_ascii=False)  # links repeat what was asked
    elif "csv" not in answer.content_type:
        assert "script-src" not in answer.headers["content-security-policy"]
        text = text.partition("<tbody>")[2]
    numbers = set(re.findall(r"cases\.3402-20260316-(\d{6})", text))
    if scope.public or scope.name in ("only", "none"):
        assert not numbers
    if not scope.texts:
        assert "未清理" not in text
    if scope.name == "west" and "/items" in path:
        assert "340207001001" not in text
    if scope.name == "system":
        assert all(int(one) % 2 == 0 for one in numbers)


TEXTS = {"description", "address"}
TOLD = {"case_no", "unit", "source", "owner", "received_at", "due_at"}
"""Columns by which somebody who may not see a case could know it."""
WESTERN = max(sum((mark.area or "").startswith("340202") for mark in marks(40)), 30)
"""No layer of the western half has more than its cells, or its cases."""
