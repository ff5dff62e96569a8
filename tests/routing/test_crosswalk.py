"""The crosswalk of unit grids and an industry's grids: shares by area and by cases."""

from itertools import pairwise

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.crosswalk import area_of, crosswalk
from routing.grids import Cell, GridIndex

A, B = "340202016003001", "340202016003002"


def cell(code: str, west: float, south: float, east: float, north: float) -> Cell:
    return Cell(code, code, shapely.box(west, south, east, north))


BASE = GridIndex([cell(A, 118.30, 31.30, 118.31, 31.31), cell(B, 118.31, 31.30, 118.32, 31.31)])


def test_a_cell_that_is_cut_has_its_shares() -> None:
    industry = GridIndex([cell("YL-1", 118.30, 31.30, 118.3125, 31.31), cell("YL-2", 118.3125, 31.30, 118.33, 31.31)])

    shares = crosswalk(BASE, industry, {(A, "YL-1"): 3, (B, "YL-1"): 1, (B, "YL-2"): 2, (B, ""): 1})

    told = [(one.unit_grid, one.industry_grid, round(one.of_unit_grid, 4), one.cases, one.of_cases) for one in shares]
    assert told == [(A, "YL-1", 1.0, 3, 1.0), (B, "YL-2", 0.75, 2, 0.5), (B, "YL-1", 0.25, 1, 0.25)]
    assert round(shares[0].of_industry_grid, 3) == 0.8
    assert shares[0].area == pytest.approx(951.9 * 1108.8, rel=0.001)  # sides of 0.01 degrees at 31.3 north


def test_cells_that_only_touch_have_nothing_in_common() -> None:
    industry = GridIndex([cell("YL-9", 118.32, 31.30, 118.33, 31.31), cell("YL-8", 119, 31, 119.1, 31.1)])

    assert crosswalk(BASE, industry, {}) == []
    assert crosswalk(BASE, GridIndex([]), {}) == []


def test_cases_show_a_pair_that_geometry_does_not() -> None:
    [one] = crosswalk(BASE, GridIndex([cell("YL-8", 119, 31, 119.1, 31.1)]), {(A, "YL-8"): 2, (A, ""): 2})

    assert (one.area, one.cases, one.of_cases) == (0.0, 2, 0.5)


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(1, 19), max_size=6, unique=True))
def test_grids_that_cover_a_unit_grid_share_it_out_wholly(cuts: list[int]) -> None:
    edges = [118.30, *(118.30 + cut / 1000 for cut in sorted(cuts)), 118.32]
    strips = [cell(f"S{n}", west, 31.29, east, 31.32) for n, (west, east) in enumerate(pairwise(edges))]

    shares = crosswalk(BASE, GridIndex(strips), {})

    for code in (A, B):
        mine = [one for one in shares if one.unit_grid == code]
        assert sum(one.of_unit_grid for one in mine) == pytest.approx(1, abs=1e-6)
        assert sum(one.area for one in mine) == pytest.approx(area_of(BASE.cells[code].geometry), rel=1e-6)
