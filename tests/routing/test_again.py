"""Places put into the grids of another day are where a report of that day would be put."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from canonical.place import Coordinate, Place, PlaceMethod
from canonical.report import Report
from routing.divisions import load_divisions
from routing.grid_sets import GridRegistry, GridSet
from routing.grids import GridIndex
from routing.locate import Locator
from tests.routing.test_grid_sets import NEW, OLD, PARK, ROWS, A, B, cell, locator

END = date(2026, 6, 30)


def city() -> Locator:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "divisions.csv"
        path.write_text(ROWS, encoding="utf-8")
        divisions = load_divisions(path, [])
    old = GridIndex([cell(A, 118.30, 31.30, 118.34, 31.40), cell(B, 118.34, 31.30, 118.40, 31.40)])
    new = GridIndex([
        cell(A, 118.30, 31.30, 118.36, 31.40), cell(B, 118.36, 31.30, 118.38, 31.40, manager="340271"),
        cell(PARK, 118.31, 31.31, 118.32, 31.32),
    ])  # fmt: skip
    green = GridIndex([cell("YL-1", 118.2, 31.2, 118.35, 31.5), cell("YL-2", 118.35, 31.2, 118.5, 31.5)])
    return locator(divisions, GridRegistry([
        GridSet("base", "单元网格", old, date(2026, 1, 1), END), GridSet("base", "单元网格", new, NEW),
        GridSet("landscape", "园林", green, NEW),
    ]))  # fmt: skip


CITY = city()
LONS = st.sampled_from([118.3, 118.31, 118.34, 118.36, 118.38, 118.4]) | st.floats(118.25, 118.45)
LATS = st.sampled_from([31.3, 31.31, 31.32, 31.4]) | st.floats(31.25, 31.45)


@given(st.lists(st.tuples(LONS, LATS), max_size=20), st.sampled_from(["", "340202016003", A]))
def test_a_place_with_a_position_is_where_a_report_of_that_day_would_be(
    points: list[tuple[float, float]], area: str
) -> None:
    reports = [Report(coordinate=Coordinate(x=x, y=y, crs="EPSG:4490"), given_area=area) for x, y in points]

    assert CITY.again(CITY.locate(reports, OLD), NEW) == CITY.locate(reports, NEW)
    assert CITY.again(CITY.locate(reports, NEW), OLD) == CITY.locate(reports, OLD)


def test_a_place_without_a_position_keeps_a_code_that_is_there_still() -> None:
    coded = Place(grid=B, grid_set="base@2026-01-01", area=B[:12], method=PlaceMethod.GRID_CODE)
    gone = Place(grid=PARK, grid_set="base@2026-07-01", area=B[:12], method=PlaceMethod.GRID_CODE)
    nowhere = Place(area="340202", method=PlaceMethod.NAME, flags=("area_unknown",))

    after = CITY.again([coded, nowhere], NEW)

    assert after == [coded.model_copy(update={"grid_set": "base@2026-07-01"}), nowhere]
    assert CITY.again([gone], OLD) == [gone]
