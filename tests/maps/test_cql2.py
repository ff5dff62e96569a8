"""CQL2 as text and as JSON: what a filter says is what it finds, in every CRS; hostile ones are refused quickly."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from canonical.mark import CaseMark
from maps.atlas import Query
from maps.crs import named
from maps.filtering import cql2_json, cql2_text
from maps.filtering.evaluate import mask_of
from maps.filtering.like import matches
from maps.filtering.problem import BadFilter
from maps.limits import Limits
from tests.maps.asking import CENTRE
from tests.maps.small_city import NOW, SOUTH, STEP, WEST, atlas, marks

CITY, LIMITS = atlas(), Limits()
LON_LAT = named("CRS:84")
WESTERN = shapely.box(WEST, SOUTH, WEST + STEP * 4.9, SOUTH + STEP * 6)
RING = shapely.to_wkt(WESTERN)
MORNING = "2026-03-16T00:00:00+08:00", "2026-03-16T08:00:00+08:00"


def in_west(mark: CaseMark) -> bool:
    return (mark.area or "").startswith("340202")


def found(tree: Any) -> set[str]:
    table = CITY.select("cases", Query(NOW), CENTRE)
    return set(table.columns["case_no"][mask_of(tree, table)])


def expected(holds: Callable[[CaseMark], bool]) -> set[str]:
    chosen = {mark.no for mark in marks(40) if holds(mark)}
    assert 0 < len(chosen) < 40  # a filter that lets all or nothing through tells nothing
    return chosen


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("stage = 'filed'", lambda m: m.stage == "filed"),
        ("'filed' = stage", lambda m: m.stage == "filed"),
        ("\"stage\" <> 'filed'", lambda m: m.stage != "filed"),
        (
            "unit = 'U1' OR unit = 'U2' AND stage = 'filed'",
            lambda m: m.unit == "U1" or (m.unit == "U2" and m.stage == "filed"),
        ),
        (
            "unit = 'U1' AND stage = 'filed' OR unit = 'U2'",
            lambda m: (m.unit == "U1" and m.stage == "filed") or m.unit == "U2",
        ),
        ("(unit = 'U1' OR unit = 'U2')\n AND stage = 'filed'", lambda m: m.unit in ("U1", "U2") and m.stage == "filed"),
        ("NOT (unit = 'U1' OR unit = 'U2')", lambda m: m.unit not in ("U1", "U2")),
        ("NOT unit = 'U1' AND source = 'sensors'", lambda m: m.unit != "U1" and m.source == "sensors"),
        ("NOT NOT unit = 'U1'", lambda m: m.unit == "U1"),
        ("unit LIKE 'U_' AND stage LIKE 'd%'", lambda m: m.stage.startswith("d")),
        ("source LIKE 'hotline\\_%'", lambda m: m.source == "hotline_12345"),
        ("stage NOT LIKE 'd%'", lambda m: not m.stage.startswith("d")),
        ("CASEI(stage) = casei('FILED')", lambda m: m.stage == "filed"),
        ("CASEI(stage) LIKE CASEI('FI%')", lambda m: m.stage.startswith("fi")),
        ("CASEI(stage) IN (CASEI('FILED'), casei('Signed'))", lambda m: m.stage in ("filed", "signed")),
        ("unit IN ('U1', 'U3')", lambda m: m.unit in ("U1", "U3")),
        ("unit not in ('U1', 'U3')", lambda m: m.unit not in ("U1", "U3")),
        ("class_code IS NULL", lambda m: m.class_code is None),
        ("class_code IS NOT NULL", lambda m: m.class_code is not None),
        ("overdue = TRUE", lambda m: m.due_at is not None and m.due_at < NOW),
        ("overdue = false and TRUE", lambda m: m.due_at is None or m.due_at >= NOW),
        (
            "case_no BETWEEN '3402-20260316-000003' AND '3402-20260316-000005' AND NOT FALSE",
            lambda m: m.no[-2:] in ("03", "04", "05"),
        ),
        (f"received_at > TIMESTAMP('{MORNING[1]}')", lambda m: m.received_at.isoformat() > MORNING[1]),
        ("received_at >= DATE('2026-03-16')", lambda m: m.received_at.day == 16),
        (
            f"T_DURING(received_at, INTERVAL('{MORNING[0]}', '{MORNING[1]}'))",
            lambda m: MORNING[0] < m.received_at.isoformat() < MORNING[1],
        ),
        (
            f"T_INTERSECTS(received_at, INTERVAL('{MORNING[0]}', '..'))",
            lambda m: m.received_at.isoformat() >= MORNING[0],
        ),
        (
            f"T_DISJOINT(received_at, INTERVAL('{MORNING[0]}', '{MORNING[1]}'))",
            lambda m: not MORNING[0] <= m.received_at.isoformat() <= MORNING[1],
        ),
        (f"T_BEFORE(received_at, TIMESTAMP('{MORNING[0]}'))", lambda m: m.received_at.isoformat() < MORNING[0]),
        (f"T_AFTER(received_at, INTERVAL('..', '{MORNING[1]}'))", lambda m: m.received_at.isoformat() > MORNING[1]),
        (f"T_EQUALS(received_at, TIMESTAMP('{MORNING[1]}'))", lambda m: m.received_at.isoformat() == MORNING[1]),
        (f"S_INTERSECTS(geometry, {RING})", in_west),
        (f"S_WITHIN(geometry, BBOX({WEST}, {SOUTH}, {WEST + STEP * 4.9}, {SOUTH + 1}))", in_west),
        (f"S_DISJOINT(geometry, {RING})", lambda m: not in_west(m)),
        (f"NOT S_INTERSECTS(geometry, {RING}) AND unit = 'U1'", lambda m: not in_west(m) and m.unit == "U1"),
    ],
)
def test_text_finds_what_it_says(text: str, holds: Callable[[CaseMark], bool]) -> None:
    assert found(cql2_text.read(text, LON_LAT, LIMITS)) == expected(holds)


def prop(name: str) -> dict[str, str]:
    return {"property": name}


@pytest.mark.parametrize(
    ("node", "holds"),
    [
        ({"op": "=", "args": [prop("stage"), "filed"]}, lambda m: m.stage == "filed"),
        ({"op": "and", "args": [{"op": "=", "args": [prop("stage"), "filed"]},
                                {"op": "not", "args": [{"op": "=", "args": [prop("unit"), "U1"]}]}]},
         lambda m: m.stage == "filed" and m.unit != "U1"),
        ({"op": "or", "args": [{"op": "=", "args": [prop("unit"), one]} for one in ("U1", "U2", "U3")]},
         lambda m: m.unit in ("U1", "U2", "U3")),
        ({"op": "in", "args": [prop("unit"), ["U1", "U2"]]}, lambda m: m.unit in ("U1", "U2")),
        ({"op": "like", "args": [prop("stage"), "d%"]}, lambda m: m.stage.startswith("d")),
        ({"op": "=", "args": [{"op": "casei", "args": [prop("stage")]}, {"op": "casei", "args": ["FILED"]}]},
         lambda m: m.stage == "filed"),
        ({"op": "isNull", "args": [prop("class_code")]}, lambda m: m.class_code is None),
        ({"op": "between", "args": [prop("case_no"), "3402-20260316-000003", "3402-20260316-000005"]},
         lambda m: m.no[-2:] in ("03", "04", "05")),
        ({"op": "=", "args": [prop("overdue"), True]}, lambda m: m.due_at is not None and m.due_at < NOW),
        ({"op": ">=", "args": [prop("received_at"), {"date": "2026-03-16"}]}, lambda m: m.received_at.day == 16),
        ({"op": "t_during", "args": [prop("received_at"), {"interval": list(MORNING)}]},
         lambda m: MORNING[0] < m.received_at.isoformat() < MORNING[1]),
        ({"op": "t_after", "args": [prop("received_at"), {"timestamp": MORNING[1]}]},
         lambda m: m.received_at.isoformat() > MORNING[1]),
        ({"op": "s_intersects", "args": [prop("geometry"), json.loads(shapely.to_geojson(WESTERN))]}, in_west),
        ({"op": "s_within", "args": [prop("geometry"), {"bbox": list(WESTERN.bounds)}]}, in_west),
    ],
)  # fmt: skip
def test_json_finds_what_it_says(node: dict[str, Any], holds: Callable[[CaseMark], bool]) -> None:
    assert found(cql2_json.read(json.dumps(node), LON_LAT, LIMITS)) == expected(holds)


@pytest.mark.parametrize("name", ["http://www.opengis.net/def/crs/EPSG/0/4490", "urn:ogc:def:crs:EPSG::4548"])
def test_shapes_are_read_in_their_crs_and_its_axis_order(name: str) -> None:
    crs = named(name)
    moved = shapely.transform(WESTERN, lambda points: crs.ordered(crs.from_native(points)))

    assert found(cql2_text.read(f"S_INTERSECTS(geometry, {moved.wkt})", crs, LIMITS)) == expected(in_west)


def test_quotes_and_letters_of_any_script_are_text() -> None:
    tree = cql2_text.read("address = '东门社区 1 号' AND description <> 'it''s'", LON_LAT, LIMITS)

    assert len(found(tree)) == 40
    assert found(cql2_text.read("address = 'it''s'", LON_LAT, LIMITS)) == set()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stage",
        "stage =",
        "= 'a'",
        "stage = 'a",
        "stage = 'a' AND",
        "stage = 'a' 'b'",
        "(stage = 'a'",
        "stage IN ()",
        "stage LIKE 1",
        "NOT",
        "stage BETWEEN 'a'",
        "stage IS 'a'",
        "AND = 1",
        "nothing = 1",
        "received_at > 'soon'",
        "overdue = 'perhaps'",
        "avg(stage) = 1",
        "stage = unit",
        "stage + 1 = 2",
        "1 = 1",
        "stage = POINT(1 1)",
        "S_INTERSECTS(geometry, POINT(1 1)",
        "S_INTERSECTS(stage, POINT(1 1))",
        "S_INTERSECTS(geometry, geometry)",
        "S_INTERSECTS(geometry, 'POINT(1 1)')",
        "S_INTERSECTS(geometry, POINT(1))",
        "S_INTERSECTS(geometry, POINT EMPTY)",
        "S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 0 1, 1 0, 0 0)))",
        "S_INTERSECTS(geometry, BBOX(1, 2, 3))",
        "S_INTERSECTS(geometry, BBOX(1, 4, 3, 2))",
        "S_INTERSECTS(geometry, POINT(1e999 1))",
        "T_AFTER(stage, TIMESTAMP('2026-03-16T00:00:00Z'))",
        "T_AFTER(received_at, stage)",
        "T_MEETS(received_at, 'a')",
        "T_EQUALS(received_at, INTERVAL('2026-03-16', '2026-03-17'))",
        "CASEI(stage) < 'a'",
        "stage IN (CASEI('a'))",
        "stage BETWEEN CASEI('a') AND 'b'",
        "case_no > " + "9" * 5000 + "x",
        "received_at = INTERVAL('..', '..')",
        "stage = 'a' ; DROP TABLE",
        "\x00",
        "(" * 60 + "stage = 'a'" + ")" * 60,
        " AND ".join(["stage = 'a'"] * 600),
        "unit IN (" + "'a'," * 600 + "'b')",
        "S_INTERSECTS(geometry, " + "GEOMETRYCOLLECTION(" * 100_000,
        "NOT " * 200_000,
        "'" * 9999,
        "a" * 300_000,
        "S_INTERSECTS(geometry, MULTIPOINT(" + ",".join(["118 31"] * 1200) + "))",
    ],
)
def test_what_cannot_be_asked_is_refused(text: str) -> None:
    table = CITY.select("cases", Query(NOW), CENTRE)
    with pytest.raises(BadFilter):
        mask_of(cql2_text.read(text, LON_LAT, Limits(terms=500, points=1000, body=1_000_000)), table)


@pytest.mark.parametrize(
    "node",
    [
        None,
        1,
        "stage",
        [],
        {},
        {"op": "=", "args": []},
        {"op": "=", "args": [prop("stage")]},
        {"op": "and", "args": []},
        {"op": "not", "args": []},
        {"op": "in", "args": [prop("stage"), []]},
        {"op": "in", "args": [prop("stage"), [{}]]},
        {"op": "like", "args": [prop("stage"), 5]},
        {"op": "between", "args": [prop("stage"), [1]]},
        {"op": "s_intersects", "args": [prop("geometry"), {"type": "Point"}]},
        {"op": "s_intersects", "args": [prop("geometry"), {"type": "Point", "coordinates": ["a"]}]},
        {"op": "s_intersects", "args": [prop("geometry"), {"bbox": [1, 2, True, 4]}]},
        {"op": "t_after", "args": [prop("received_at"), {"interval": [1, 2]}]},
        {"op": 5, "args": [1]},
        {"op": "=", "args": [{"op": "casei", "args": [{"op": "casei", "args": []}]}, "a"]},
        {"op": "or", "args": [{"op": "=", "args": [prop("stage"), "a"]}] * 600},
        {"op": "+", "args": [1, 2]},
    ],
)
def test_json_that_cannot_be_asked_is_refused(node: Any) -> None:
    table = CITY.select("cases", Query(NOW), CENTRE)
    with pytest.raises(BadFilter):
        mask_of(cql2_json.read(json.dumps(node), LON_LAT, Limits(terms=500)), table)


@pytest.mark.parametrize("depth", [60, 2000, 100_000])
def test_deep_json_is_refused(depth: int) -> None:
    text = '{"op":"not","args":[' * depth + "true" + "]}" * depth
    with pytest.raises(BadFilter):
        cql2_json.read(text, LON_LAT, Limits(body=10_000_000))


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join([f"description LIKE '%{'a' * 200}%'"] * 1900), "description LIKE '" + "%_" * 400_000 + "'",
        " OR ".join([f"S_TOUCHES(geometry, {shapely.to_wkt(WESTERN.buffer(0.01, quad_segs=100))})"] * 60),
    ],
    ids=["many patterns", "a long pattern", "many shapes"],
)  # fmt: skip
def test_what_would_take_long_is_refused_before_it_is_asked(text: str) -> None:
    large = atlas(marks(20_000, 60, 50), 60, 50).select("cases", Query(NOW), CENTRE)
    tree = cql2_text.read(text, LON_LAT, Limits(points=100_000))

    with pytest.raises(BadFilter, match="asks too much of 20000 features"):
        mask_of(tree, large)


def _fits(pattern: str, text: str) -> bool:
    """By the definition, letter by letter."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(_fits(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and _fits(pattern[1:], text[1:])


@settings(max_examples=500, deadline=None)
@given(st.text("ab_%", max_size=6), st.text("ab\n", max_size=6))
@example("ab%b", "ab")
@example("a%a", "a")
@example("%a_%", "aab")
def test_a_pattern_fits_what_its_definition_says(pattern: str, text: str) -> None:
    assert matches(pattern, "%", "_", "\\", nocase=False)(text) == _fits(pattern, text)
