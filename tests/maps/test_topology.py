"""The topology check of a grid set: ground."""

import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from maps.topology import INDUSTRY, TITLES, FlawKind, Rules, Topology, TopologyArea, TopologyCell, check
from maps.topology.measure import areas, widths
from tests.maps.topology_city import SIDE, SOUTH, WEST, area, cell, moved, partitions, square, squares

GROUND = {
    FlawKind.INVALID, FlawKind.OVERLAP, FlawKind.GAP, FlawKind.NESTED, FlawKind.SLIVER_OVERLAP, FlawKind.SLIVER_GAP,
}  # fmt: skip


def exact(shape: shapely.Geometry) -> float:
    """Square metres, by the geodesics along a shape's edges."""
    return abs(float(Geod(ellps="GRS80").geometry_area_perimeter(shape)[0]))


def ground(found: Topology) -> dict[FlawKind, int]:
    """How many flaws of the ground there are."""
    return {kind: count for kind, count in found.counts.items() if kind in GROUND}


def wrong(found: Topology, kind: FlawKind) -> float:
    """Square metres of this kind."""
    return next((one.area for one in found.tallies if one.kind is kind), 0.0)


# --- laws ---


@given(partitions())
def test_what_was_cut_by_lines_has_no_flaw(cells: list[TopologyCell]) -> None:
    assert ground(check(cells, areas=[area("340202", 0, 4, 0, 3)])) == {}


@given(partitions(), st.randoms(use_true_random=False))
def test_a_cell_taken_away_is_a_gap_of_its_size(cells: list[TopologyCell], dice: random.Random) -> None:
    whole = area("340202", 0, 4, 0, 3)
    large = [one for one in cells if widths(np.array([one.geometry], object))[0] > 1]
    gone = dice.choice(large)

    found = check([one for one in cells if one is not gone], areas=[whole])

    assert ground(found) == {FlawKind.GAP: 1}
    assert wrong(found, FlawKind.GAP) == pytest.approx(float(areas(np.array([gone.geometry], object))[0]), rel=1e-5)


@given(partitions(), st.randoms(use_true_random=False))
def test_the_order_of_delivery_tells_nothing(cells: list[TopologyCell], dice: random.Random) -> None:
    twice = replace(cells[-1], geometry=square(0.3, 0.2))
    spoilt = [*moved(cells, 0, 3e-4, 2e-5), replace(cells[-1], name=""), twice]
    other = dice.sample(spoilt, len(spoilt))

    assert check(other) == check(spoilt)


@given(st.floats(2e-5, 9e-3), st.integers(0, 2))
def test_a_shifted_cell_leaves_a_gap_and_overlaps_its_neighbour(east: float, row: int) -> None:
    found = check(moved(squares(3, 3), 3 + row, east), areas=[area("340202", 0, 3, 0, 3)])

    strip = exact(square(1, row, east / SIDE, 1))
    assert ground(found) == {FlawKind.OVERLAP: 1, FlawKind.GAP: 1}
    assert wrong(found, FlawKind.GAP) == pytest.approx(strip, rel=1e-4)
    assert wrong(found, FlawKind.OVERLAP) == pytest.approx(strip, rel=1e-4)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(0.1, 4)), min_size=2, max_size=12))
def test_every_pair_that_overlaps_is_found(boxes: list[tuple[float, float, float]]) -> None:
    shapes = [square(x, y, side, side) for x, y, side in boxes]
    pairs = [(a, b) for n, a in enumerate(shapes) for b in shapes[n + 1 :]]
    common = np.array([shapely.intersection(*pair) for pair in pairs], object)

    counts = check([cell(n + 1, shape) for n, shape in enumerate(shapes)]).counts

    found = sum(counts.get(kind, 0) for kind in (FlawKind.OVERLAP, FlawKind.NESTED, FlawKind.SLIVER_OVERLAP))
    assert found == int((widths(common) >= Rules().rounding).sum())


@given(st.floats(-60, 60), st.floats(0.001, 0.1), st.floats(0.001, 0.1))
def test_areas_are_those_on_the_ellipsoid(south: float, width: float, height: float) -> None:
    box = shapely.segmentize(shapely.box(118, south, 118 + width, south + height), 1e-4)

    assert areas(np.array([box], object))[0] == pytest.approx(exact(box), rel=3e-6)


# --- kinds ---


def test_the_width_of_a_strip_is_its_width() -> None:
    strip = shapely.box(118.3, 31.3, 118.3 + 0.1, 31.3 + 1e-5)

    assert widths(np.array([strip], object))[0] == pytest.approx(1.109, rel=0.01)


def test_a_narrow_overlap_is_a_sliver_until_it_is_a_kilometre_long() -> None:
    metre = 1 / 95_000 / SIDE
    narrow = [cell(1, square(0)), cell(2, square(1 - 0.5 * metre, 0, 1, 1))]
    long = [cell(1, square(0, 0, 1, 9)), cell(2, square(1 - 0.5 * metre, 0, 1, 9))]

    assert ground(check(narrow)) == {FlawKind.SLIVER_OVERLAP: 1}
    assert ground(check(long)) == {FlawKind.OVERLAP: 1}


def test_edges_drawn_twice_are_counted_and_a_few_of_them_listed() -> None:
    dice = np.random.default_rng(1)
    corners = [shapely.get_coordinates(shapely.segmentize(one.geometry, SIDE / 9))[:-1] for one in squares(8, 8)]
    shapes = [shapely.Polygon(points + dice.normal(0, 1e-7, points.shape)) for points in corners]
    cells = [replace(one, geometry=shape) for one, shape in zip(squares(8, 8), shapes, strict=True)]

    found = check(cells, rules=Rules(listed=5))

    assert found.severe == 0
    assert ground(found).keys() == {FlawKind.SLIVER_GAP, FlawKind.SLIVER_OVERLAP}
    assert min(ground(found).values()) > 90
    for kind in (FlawKind.SLIVER_GAP, FlawKind.SLIVER_OVERLAP):
        sizes = [one.area for one in found.flaws if one.kind is kind]
        assert len(sizes) == 5
        assert sizes == sorted(sizes, reverse=True)


def test_a_corner_in_the_middle_of_a_neighbours_edge_is_no_flaw() -> None:
    cells = [cell(1, square(0, 0, 2, 1)), cell(2, square(0, 1, 1 / 3, 1)), cell(3, square(1 / 3, 1, 5 / 3, 1))]

    assert ground(check(cells)) == {}


def test_a_cell_carved_out_of_another_without_cutting_it_is_nested() -> None:
    found = check([cell(1, square(0)), cell(2, square(0.4, 0.4, 0.2, 0.2))])

    [flaw] = found.flaws
    assert (flaw.kind, flaw.codes, flaw.severe) == (FlawKind.NESTED, ("340202012001002", "340202012001001"), False)


def test_a_cell_drawn_twice_is_an_overlap() -> None:
    assert ground(check([cell(1, square(0)), cell(2, square(0))])) == {FlawKind.OVERLAP: 1}


def test_a_gap_around_a_cell_is_a_ring() -> None:
    ring = square(0, 0, 3, 3).difference(square(1, 1))
    found = check([cell(1, ring), cell(2, square(1.2, 1.2, 0.6, 0.6))])

    [gap] = [one for one in found.flaws if one.kind is FlawKind.GAP]
    assert gap.area == pytest.approx(exact(square(1, 1)) - exact(square(1.2, 1.2, 0.6, 0.6)), rel=1e-4)
    assert gap.codes == ("340202012001001", "340202012001002")


def test_a_neighbour_city_inside_ours_is_no_gap() -> None:
    ring = square(0, 0, 3, 3).difference(square(1, 1))
    ours = TopologyArea("340202", "镜湖区", ring)

    assert ground(check([cell(1, ring)])) == {FlawKind.GAP: 1}
    assert ground(check([cell(1, ring)], areas=[ours])) == {}


def test_without_cells_the_areas_are_one_gap() -> None:
    found = check([], areas=[area("340202", 0, 2)])

    assert (found.cells, found.counts) == (0, {FlawKind.GAP: 1})
    assert "beside no cell" in found.flaws[0].text
    assert check([]).tallies == ()


def test_gaps_between_an_industrys_grids_are_not_severe() -> None:
    ring = square(0, 0, 3, 3).difference(square(1, 1))
    cells = [TopologyCell("YL-1", "第一养护片", ring)]

    assert check(cells, rules=INDUSTRY).severe == 0
    assert check(cells, rules=INDUSTRY).counts == {FlawKind.GAP: 1}


BOW = shapely.Polygon([(WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE), (WEST + SIDE, SOUTH), (WEST, SOUTH + SIDE)])

with np.errstate(invalid="ignore"):
    NO_NUMBER = shapely.from_wkt("POLYGON ((118 31, 118 nan, 119 31, 118 31))")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (None, "no polygon"),
        (shapely.Point(WEST, SOUTH), "no polygon"),
        (shapely.Polygon(), "no polygon"),
        (shapely.GeometryCollection([square(0)]), "no polygon"),
        (shapely.box(500_000, 3_400_000, 501_000, 3_401_000), "not degrees"),
        (NO_NUMBER, "no number"),
        (shapely.Polygon([(WEST, SOUTH), (WEST, SOUTH), (WEST, SOUTH)]), "broken"),
        (BOW, "Self-intersection"),
    ],
)  # fmt: skip
def test_a_broken_shape_is_told_and_stops_nothing(shape: shapely.Geometry | None, said: str) -> None:
    found = check([cell(9, shape), *squares(2)], areas=[area("340202", 0, 2)])

    [flaw] = [one for one in found.flaws if one.kind is FlawKind.INVALID]
    assert said in flaw.text
    assert flaw.severe
    assert found.cells == 3


def test_narrow_cells_and_cells_of_several_parts_are_told() -> None:
    islands = shapely.MultiPolygon([square(1), square(3, 0, 0.5, 0.5)])
    found = check([cell(1, square(0, 0, 0.003, 1)), cell(2, islands)])

    told = {one.kind: one for one in found.flaws}
    assert told[FlawKind.SLIVER_CELL].codes == ("340202012001001",)
    assert "2 parts" in told[FlawKind.PARTS].text
    assert found.severe == 0


# --- code against geometry ---

HALVES = [area("340202", 0, 2), area("340207", 2, 2)]


def place(x: float, **others: str) -> Topology:
    """The check of one cell of 340202, whose half ends at 2."""
    return check([cell(1, square(x), **others)], areas=HALVES)


def test_a_cell_in_another_district_than_its_code_says_is_misplaced() -> None:
    [flaw] = [one for one in place(2.5).flaws if one.kind is FlawKind.MISPLACED]

    assert flaw.severe
    assert "100% of 340202012001001 lies outside 340202" in flaw.text
    assert "340207" in flaw.text
    assert flaw.area == pytest.approx(exact(square(2.5)), rel=1e-4)


def test_a_cell_partly_across_the_border_is_told() -> None:
    [flaw] = [one for one in place(1.2).flaws if one.kind is FlawKind.CROSSING]

    assert not flaw.severe
    assert flaw.area == pytest.approx(exact(square(2, 0, 0.2)), rel=1e-4)
    assert FlawKind.CROSSING not in place(1.04).counts


def test_a_manager_where_the_cell_lies_explains_it() -> None:
    assert FlawKind.MISPLACED not in place(2.5, manager="340207003").counts
    assert FlawKind.MISPLACED in place(2.5, manager="340209").counts


def test_a_cell_outside_all_divisions_is_misplaced() -> None:
    assert "in no division" in next(one.text for one in place(9).flaws if one.kind is FlawKind.MISPLACED)


def test_a_division_without_a_boundary_is_told_once() -> None:
    zone = [replace(one, code=one.code.replace("340202", "340271")) for one in squares(4)]
    found = check([*zone, cell(1, square(0, 1))], areas=HALVES)

    [flaw] = [one for one in found.flaws if one.kind is FlawKind.NO_AREA]
    assert found.counts[FlawKind.NO_AREA] == 4
    assert "340271" in flaw.text


def test_community_boundaries_go_before_those_of_districts() -> None:
    community = TopologyArea("340202012001", "方塘社区", square(0))
    found = check([cell(1, square(1))], areas=[*HALVES, community])

    assert "lies outside 340202012001" in next(one.text for one in found.flaws if one.kind is FlawKind.MISPLACED)


def test_every_kind_has_both_titles_and_notes() -> None:
    texts: Iterable[str] = (text for title in TITLES.values() for text in (title.chinese, title.note_chinese))

    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in texts)
    assert all(title.english and title.note.endswith((".", "?")) for title in TITLES.values())


def test_progress_goes_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    check(squares(2), progress=lambda _, done, whole: seen.append((done, whole)))

    assert [done for done, _ in seen] == list(range(len(seen)))
    assert seen[-1][0] == seen[-1][1]
