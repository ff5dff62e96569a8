"""Where a report lies: coordinate, code, names, and the flags when they do not agree."""

from datetime import date

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from canonical.coordinates import to_bd09, to_gcj02
from canonical.place import Coordinate, Place, PlaceMethod
from canonical.report import Report
from routing.divisions import Divisions, load_divisions
from routing.grid_sets import always
from routing.grids import Cell, GridIndex
from routing.locate import Locator

ROWS = """code,level,name,parent
3402,city,芜湖市,
340202,district,镜湖区,3402
340207,district,鸠江区,3402
340202016,street,赭山街道,340202
340207003,street,官陡街道,340207
340202016003,community,凤凰山社区居民委员会,340202016
340207003018,community,鸠兹社区居民委员会,340207003
"""
GRID = "340202016003001"
DAY = date(2026, 3, 16)
IN_GRID, BESIDE, ACROSS, FAR = (118.35, 31.35), (118.35, 31.45), (118.45, 31.35), (117.0, 30.0)
"""In the grid; in 340202 but no grid; in 340207 but no grid; outside the city."""


@pytest.fixture(scope="module")
def divisions(tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    path = tmp_path_factory.mktemp("locate") / "divisions.csv"
    path.write_text(ROWS, encoding="utf-8")
    return load_divisions(path, [])


@pytest.fixture(scope="module")
def locator(divisions: Divisions) -> Locator:
    grids = GridIndex([Cell(GRID, "第一网格", shapely.box(118.3, 31.3, 118.4, 31.4))])
    west, east = shapely.box(118.3, 31.3, 118.4, 31.5), shapely.box(118.4, 31.3, 118.5, 31.5)
    return Locator(divisions, always(grids), GridIndex([Cell("340202", "", west), Cell("340207", "", east)]), "3402")


def coordinate(point: tuple[float, float], crs: str = "EPSG:4490") -> Coordinate:
    return Coordinate(x=point[0], y=point[1], crs=crs)


def locate(locator: Locator, report: Report) -> Place:
    [place] = locator.locate([report], DAY)
    return place


def short(place: Place) -> tuple[str | None, str | None, str, tuple[str, ...]]:
    return place.area, place.grid, place.method, place.flags


@pytest.mark.parametrize(
    ("point", "crs"),
    [(IN_GRID, "EPSG:4490"), (IN_GRID, "EPSG:4326"), (to_gcj02(*IN_GRID), "GCJ-02"), (to_bd09(*IN_GRID), "BD-09")],
)
def test_a_coordinate_is_found_in_its_grid(locator: Locator, point: tuple[float, float], crs: str) -> None:
    place = locate(locator, Report(coordinate=coordinate(point, crs), address="鸠江区官陡街道"))

    assert short(place) == ("340202016003", GRID, PlaceMethod.COORDINATE, ())
    assert place.lon == pytest.approx(IN_GRID[0], abs=1e-7)
    assert place.lat == pytest.approx(IN_GRID[1], abs=1e-7)
    assert place.raw == coordinate(point, crs)
    assert crs in place.conversion
    assert place.usable


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (Report(coordinate=coordinate(BESIDE)), ("340202", None, "coordinate", ("no_grid",))),
        (
            Report(coordinate=coordinate(BESIDE), given_area="340202016000"),
            ("340202016", None, "coordinate", ("no_grid",)),
        ),
        (
            Report(coordinate=coordinate(BESIDE), address="赭山街道凤凰山社区"),
            ("340202016003", None, "coordinate", ("no_grid",)),
        ),
        (Report(coordinate=coordinate(BESIDE), address="官陡街道"), ("340202", None, "coordinate", ("no_grid",))),
        (
            Report(coordinate=coordinate(ACROSS), given_area="340202016"),
            ("340207", None, "coordinate", ("no_grid", "area_disagrees")),
        ),
        (
            Report(coordinate=coordinate(IN_GRID), given_area="340207"),
            ("340202016003", GRID, "coordinate", ("area_disagrees",)),
        ),
        (Report(coordinate=coordinate(IN_GRID), given_area="3402"), ("340202016003", GRID, "coordinate", ())),
        (Report(coordinate=coordinate(FAR)), (None, None, "unknown", ("outside_city",))),
        (
            Report(coordinate=coordinate(FAR), given_area="340207003"),
            ("340207003", None, "area_code", ("outside_city",)),
        ),
        (
            Report(coordinate=coordinate((0, 0)), address="芜湖市鸠江区"),
            ("340207", None, "name", ("zero_coordinate",)),
        ),
        (
            Report(coordinate=coordinate((31.35, 118.35))),
            (None, None, "unknown", ("outside_crs", "crs_suspicious")),
        ),
        (Report(coordinate=coordinate(IN_GRID, "CRS:1")), (None, None, "unknown", ("unknown_crs",))),
        (Report(given_area=GRID), ("340202016003", GRID, "grid_code", ())),
        (Report(given_area="340202016003009"), ("340202016003", None, "area_code", ("grid_unknown",))),
        (Report(given_area="340202016099001"), (None, None, "unknown", ("area_unknown",))),
        (Report(given_area="340202016003"), ("340202016003", None, "area_code", ())),
        (Report(given_area="340202000000"), ("340202", None, "area_code", ())),
        (Report(given_area="340202", address="赭山街道"), ("340202016", None, "name", ())),
        (Report(given_area="340202", address="官陡街道"), ("340202", None, "area_code", ())),
        (Report(given_area="340200", address="赭山街道"), ("340202016", None, "name", ())),
        (Report(given_area="340200"), ("3402", None, "area_code", ())),
        (Report(given_area="340299"), (None, None, "unknown", ("area_unknown",))),
        (Report(given_area="镜湖区"), (None, None, "unknown", ("area_unknown",))),
        (Report(given_area="440304", address="赭山街道"), ("340202016", None, "name", ("area_outside_city",))),
        (Report(address="镜湖区赭山街道凤凰山社区"), ("340202016003", None, "name", ())),
        (Report(title="镜湖区赭山街道", description="镜湖区"), (None, None, "unknown", ())),
        (Report(), (None, None, "unknown", ())),
    ],
)
def test_a_place_is_what_the_best_evidence_says(
    locator: Locator, report: Report, expected: tuple[str | None, str | None, str, tuple[str, ...]]
) -> None:
    place = locate(locator, report)

    assert short(place) == expected
    assert (place.address, place.given_area) == (report.address, report.given_area)


@pytest.mark.parametrize("point", [FAR, (0, 0)])
def test_a_coordinate_that_is_not_used_is_kept_as_given(locator: Locator, point: tuple[float, float]) -> None:
    place = locate(locator, Report(coordinate=coordinate(point)))

    assert (place.lon, place.lat, place.conversion) == (None, None, "")
    assert place.raw == coordinate(point)
    assert not place.usable


def test_without_any_polygon_a_coordinate_is_not_used(divisions: Divisions) -> None:
    bare = Locator(divisions, always(GridIndex([])), GridIndex([]), "3402")

    assert short(locate(bare, Report(coordinate=coordinate(IN_GRID)))) == (None, None, "unknown", ("outside_city",))


REPORTS = [
    Report(coordinate=coordinate(IN_GRID)),
    Report(given_area=GRID),
    Report(coordinate=coordinate((0, 0)), address="官陡街道"),
    Report(coordinate=coordinate(to_gcj02(*BESIDE), "GCJ-02")),
    Report(coordinate=coordinate(FAR)),
    Report(),
]


@given(st.lists(st.sampled_from(REPORTS), max_size=12))
def test_a_batch_is_answered_as_one_by_one(locator: Locator, reports: list[Report]) -> None:
    assert locator.locate(reports, DAY) == [locate(locator, report) for report in reports]
