"""Unit grids and district polygons: points into cells, and what makes a cell unusable."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from canonical.findings import Finding
from routing.divisions import Divisions, load_divisions
from routing.grids import Cell, GridIndex, load_districts, load_grids

ROWS = """code,level,name,parent
3402,city,芜湖市,
340202,district,镜湖区,3402
340202016,street,赭山街道,340202
340202016003,community,凤凰山社区居民委员会,340202016
"""


@pytest.fixture(scope="module")
def divisions(tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    path = tmp_path_factory.mktemp("grids") / "divisions.csv"
    path.write_text(ROWS, encoding="utf-8")
    return load_divisions(path, [])


def square(code: str, west: float, south: float, size: float = 1.0) -> dict[str, Any]:
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    return feature(code, {"type": "Polygon", "coordinates": [ring]})


def feature(code: str, geometry: object) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"code": code, "name": f"grid {code}"}, "geometry": geometry}


def write(folder: Path, features: list[Any]) -> Path:
    path = folder / "unit-grids.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


A, B, C = ("340202016003001", "340202016003002", "340202016003003")


def test_a_point_is_found_in_its_cell(tmp_path: Path, divisions: Divisions) -> None:
    findings: list[Finding] = []
    grids = load_grids(write(tmp_path, [square(B, 119, 31), square(A, 118, 31)]), divisions, findings)

    assert findings == []
    assert grids.find([118.5, 119.5, 120.5, 118.5], [31.5, 31.5, 31.5, 29.0]) == [A, B, None, None]
    assert grids.cells[A].name == f"grid {A}"
    assert A in grids
    assert len(grids) == 2
    assert grids.find([], []) == []


def test_on_a_shared_edge_the_lowest_code_wins(tmp_path: Path, divisions: Divisions) -> None:
    cells = [square(C, 118, 32), square(B, 119, 31), square(A, 118, 31)]
    grids = load_grids(write(tmp_path, cells), divisions, [])

    assert grids.find([119.0, 118.5, 119.0], [31.5, 32.0, 32.0]) == [A, A, A]
    assert grids.find([118.5, 119.0], [32.5, 32.5]) == [C, C]


@given(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), max_size=30))
def test_the_index_answers_as_asking_every_cell(points: list[tuple[int, int]]) -> None:
    cells = [
        Cell(f"{34020201600300 + n:014d}{n % 10}", "", shapely.box(x, y, x + 4, y + 4))
        for n, (x, y) in enumerate([(8, 0), (0, 0), (4, 4), (4, 0), (0, 8)])
    ]
    lons, lats = [float(x) for x, _ in points], [float(y) for _, y in points]

    naive = [
        min((c.code for c in cells if shapely.intersects(c.geometry, shapely.Point(x, y))), default=None)
        for x, y in points
    ]
    assert GridIndex(cells).find(lons, lats) == naive


def test_an_empty_index_finds_nothing() -> None:
    assert GridIndex([]).find([118.0], [31.0]) == [None]


def test_a_county_may_have_several_parts(tmp_path: Path, divisions: Divisions) -> None:
    parts = [square("", 118, 31)["geometry"]["coordinates"], square("", 120, 31)["geometry"]["coordinates"]]
    path = write(tmp_path, [feature("340202", {"type": "MultiPolygon", "coordinates": parts})])
    findings: list[Finding] = []

    districts = load_districts(path, divisions, findings)

    assert findings == []
    assert districts.find([118.5, 119.5, 120.5], [31.5] * 3) == ["340202", None, "340202"]


def test_every_unusable_cell_is_found_and_the_others_work(tmp_path: Path, divisions: Divisions) -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    features = [
        square(A, 118, 31),
        square(A, 119, 31),
        square("34020201600300", 118, 31),
        square("340202016009001", 120, 31),
        feature(B, bow_tie),
        feature(C, {"type": "Point", "coordinates": [118, 31]}),
        feature("340202016003004", None),
        feature("340202016003005", {"type": "Polygon", "coordinates": "?"}),
        square("340202016003006", 630970, 3467936),
        {"type": "Feature", "geometry": None},
        "nothing",
    ]
    findings: list[Finding] = []

    grids = load_grids(write(tmp_path, features), divisions, findings)

    assert [(f.key, f.text.split(":")[0]) for f in findings] == [
        (A, "features[1] repeats this code"),
        ("features[2]", "code '34020201600300' is not 15 digits"),
        ("340202016009001", "340202016009 is no division of this city"),
        (B, "the polygon is broken"),
        (C, "no polygon"),
        ("340202016003004", "no polygon"),
        ("340202016003005", "no polygon"),
        ("340202016003006", "coordinates are not degrees as longitude, latitude"),
        ("features[9]", "code '' is not 15 digits"),
        ("features[10]", "code '' is not 15 digits"),
    ]
    assert grids.find([118.5], [31.5]) == [A]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"features": 3}', "\xff"])
def test_a_file_that_is_no_collection_is_one_finding(tmp_path: Path, divisions: Divisions, text: str) -> None:
    path = tmp_path / "unit-grids.geojson"
    path.write_bytes(text.encode("latin-1"))
    findings: list[Finding] = []

    assert len(load_grids(path, divisions, findings)) == 0
    assert len(findings) == 1


def test_a_missing_file_is_one_finding(tmp_path: Path, divisions: Divisions) -> None:
    findings: list[Finding] = []

    assert len(load_grids(tmp_path / "none.geojson", divisions, findings)) == 0
    assert [f.text.split(";")[0] for f in findings] == ["missing"]
