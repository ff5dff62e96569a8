"""The grid registry: editions by day, what is wrong with its table, and the rules where several cells claim a point."""

import json
from datetime import date
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from canonical.findings import Finding
from canonical.place import Coordinate, Place
from canonical.report import Report
from routing.divisions import Divisions, load_divisions
from routing.grid_sets import GridRegistry, GridSet, always, load_registry
from routing.grids import EDGE, SEVERAL, Cell, GridIndex
from routing.locate import Locator, PlacingRules

ROWS = """code,level,name,parent
3402,city,芜湖市,
340202,district,镜湖区,3402
340271,district,芜湖经济技术开发区,3402
340202016,street,赭山街道,340202
340202016003,community,凤凰山社区居民委员会,340202016
"""
HEAD = "set,title,file,valid_from,valid_to,source,crs\n"
A, B, PARK = ("340202016003001", "340202016003002", "340202016003016")
OLD, NEW = date(2026, 3, 1), date(2026, 7, 1)


@pytest.fixture(scope="module")
def divisions(tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    path = tmp_path_factory.mktemp("sets") / "divisions.csv"
    path.write_text(ROWS, encoding="utf-8")
    return load_divisions(path, [])


def cell(code: str, west: float, south: float, east: float, north: float, manager: str = "") -> Cell:
    return Cell(code, f"{code[-2:]}格", shapely.box(west, south, east, north), manager)


def put(folder: Path, name: str, *cells: Cell) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"code": one.code, "name": one.name, "manager": one.manager, "households": 300},
            "geometry": json.loads(shapely.to_geojson(one.geometry)),
        }
        for one in cells
    ]
    (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def read(folder: Path, table: str, divisions: Divisions) -> tuple[GridRegistry, list[str]]:
    (folder / "sets.csv").write_text(HEAD + table, encoding="utf-8")
    findings: list[Finding] = []
    return load_registry(folder / "sets.csv", divisions, findings), [str(one) for one in findings]


def locator(divisions: Divisions, registry: GridRegistry, **rules: float) -> Locator:
    districts = GridIndex([Cell("340202", "镜湖区", shapely.box(118.0, 31.0, 119.0, 32.0))])
    return Locator(divisions, registry, districts, "3402", rules=PlacingRules(**rules))


def at(found: Locator, lon: float, lat: float, day: date = OLD, crs: str = "EPSG:4490") -> Place:
    [place] = found.locate([Report(coordinate=Coordinate(x=lon, y=lat, crs=crs))], day)
    return place


def test_a_place_is_looked_up_in_the_grids_of_its_day(tmp_path: Path, divisions: Divisions) -> None:
    put(tmp_path, "old.geojson", cell(A, 118.3, 31.3, 118.4, 31.4))
    put(tmp_path, "new.geojson", cell(B, 118.3, 31.3, 118.4, 31.4))
    put(tmp_path, "green.geojson", cell("YL-1", 118.2, 31.2, 118.5, 31.5))
    table = (
        "base,单元网格,old.geojson,2026-01-01,2026-06-30,survey,EPSG:4548\n"
        "base,单元网格,new.geojson,2026-07-01,,survey,EPSG:4548\n"
        "landscape,园林,green.geojson,2026-05-01,,,\n"
    )
    registry, findings = read(tmp_path, table, divisions)
    assert findings == []

    found = locator(divisions, registry)
    before, after, never = (at(found, 118.35, 31.35, day) for day in (OLD, NEW, date(2025, 1, 1)))

    assert (before.grid, before.grid_set, before.grids) == (A, "base@2026-01-01", {})
    assert (after.grid, after.grid_set, after.grids) == (B, "base@2026-07-01", {"landscape@2026-05-01": "YL-1"})
    assert (never.grid, never.grid_set, never.flags) == (None, "", ("no_grid",))
    assert list(registry.codes) == [A, B]
    assert registry.base(OLD).index.cells[A].households == 300
    edition = registry.edition("base@2026-07-01")
    assert edition is not None
    assert edition.title == "单元网格"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "no row 'base'"),
        ("base,,old.geojson,2026-01-01,,,\nBase 2,,old.geojson,2026-01-01,,,\n", "'Base 2' is no name"),
        ("base,,old.geojson,tomorrow,,,\n", "'tomorrow' is no day"),
        ("base,,old.geojson,2026-07-01,2026-01-01,,\n", "lies before valid_from"),
        ("base,,../old.geojson,2026-01-01,,,\n", "a GeoJSON file of this folder"),
        ("base,,none.geojson,2026-01-01,,,\n", "missing"),
        ("base,,old.geojson,2026-01-01,,,\nbase,,old.geojson,2026-06-01,,,\n", "two editions on 2026-06-01"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(tmp_path: Path, divisions: Divisions, table: str, said: str) -> None:
    put(tmp_path, "old.geojson", cell(A, 118.3, 31.3, 118.4, 31.4))

    _, findings = read(tmp_path, table, divisions)

    assert any(said in one for one in findings), findings


def test_an_edge_goes_to_the_lowest_code_and_an_overlap_to_the_smallest_cell(divisions: Divisions) -> None:
    whole, beside = cell(A, 118.3, 31.3, 118.4, 31.4), cell(B, 118.4, 31.3, 118.5, 31.4)
    park = cell(PARK, 118.32, 31.32, 118.34, 31.34)
    found = locator(divisions, always(GridIndex([whole, beside, park])))

    assert [(one.grid, one.flags) for one in (at(found, *point) for point in [
        (118.35, 31.35), (118.4, 31.35), (118.33, 31.33), (118.32, 31.33), (118.3, 31.3),
    ])] == [(A, ()), (A, (EDGE,)), (PARK, (SEVERAL,)), (A, (SEVERAL,)), (A, ())]  # fmt: skip


def test_a_point_just_outside_every_grid_goes_to_the_nearest_when_the_city_says_so(divisions: Divisions) -> None:
    registry = always(GridIndex([cell(A, 118.3, 31.3, 118.4, 31.4), cell(B, 118.4002, 31.3, 118.5, 31.4)]))
    east = 118.40015  # 14 m east of A, 5 m west of B

    near, never = locator(divisions, registry, near=10), locator(divisions, registry)

    assert (at(near, east, 31.35).grid, at(near, east, 31.35).flags) == (B, ("near_grid",))
    assert (at(near, 118.45, 31.4002).grid, at(near, 118.45, 31.4002).flags) == (None, ("no_grid",))
    assert (at(never, east, 31.35).grid, at(never, east, 31.35).flags) == (None, ("no_grid",))


def test_a_grid_of_a_development_zone_belongs_to_who_manages_it(divisions: Divisions) -> None:
    found = locator(divisions, always(GridIndex([cell(A, 118.3, 31.3, 118.4, 31.4, manager="340271")])))

    place = at(found, 118.35, 31.35)
    [told] = found.locate([Report(coordinate=Coordinate(x=118.35, y=31.35, crs="EPSG:4490"), given_area="340271")], OLD)

    assert (place.grid, place.area, place.responsible, place.county) == (A, "340271", "340271", "340271")
    assert place.flags == ("managed_elsewhere",) == told.flags


@pytest.mark.parametrize(
    ("given", "suspect"),
    [
        ((31.35, 118.35, "EPSG:4490"), "axes swapped"),
        ((628_500.0, 3_470_500.0, "EPSG:4549"), "EPSG:4548"),
        ((117.0, 30.0, "EPSG:4490"), ""),
    ],
)
def test_a_crs_that_looks_wrong_is_told_and_not_used(
    divisions: Divisions, given: tuple[float, float, str], suspect: str
) -> None:
    found = locator(divisions, always(GridIndex([cell(A, 118.0, 31.0, 119.0, 32.0)])))

    place = at(found, given[0], given[1], crs=given[2])

    assert (place.lon, place.grid, place.suspect) == (None, None, suspect)
    assert ("crs_suspicious" in place.flags) == bool(suspect)
    assert place.raw is not None


def test_how_far_a_coordinate_may_be_off_is_kept_with_it(divisions: Divisions) -> None:
    found = locator(divisions, always(GridIndex([cell(A, 118.0, 31.0, 119.0, 32.0)])))

    assert [at(found, 118.5, 31.5, crs=crs).error for crs in ("EPSG:4490", "EPSG:4326", "BD-09")] == [0.0, 1.0, 2.0]


@given(points=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30))
def test_a_batch_is_placed_as_its_points_one_by_one(points: list[tuple[int, int]]) -> None:
    index = GridIndex(
        [cell(A, 0, 0, 2, 4), cell(B, 2, 0, 4, 4), cell(PARK, 1, 1, 3, 2)]
    )  # fmt: skip
    lons, lats = [x / 10 for x, _ in points], [y / 10 for _, y in points]

    codes, flags = index.place(lons, lats)

    single = [index.place([lon], [lat]) for lon, lat in zip(lons, lats, strict=True)]
    assert codes == [one for [one], _ in single]
    assert flags == {number: marks[0] for number, (_, marks) in enumerate(single) if marks}


def test_editions_are_named_by_their_first_day() -> None:
    assert GridSet("base", "", GridIndex([])).edition == ""
    assert GridSet("landscape", "", GridIndex([]), date(2026, 7, 1)).edition == "landscape@2026-07-01"
