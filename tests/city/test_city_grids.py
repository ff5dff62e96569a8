"""The unit grids of the example city tile its districts, and their codes hang on real communities."""

import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import shapely
from shapely import Point, STRtree
from shapely.geometry.base import BaseGeometry

from canonical.tables import TableRow

DISTRICTS = ("340202", "340207", "340209", "340210", "340212", "340223", "340281")
SEED = 340200
Table = Callable[[str], list[TableRow]]
Layer = Callable[[str], dict[str, BaseGeometry]]


@pytest.fixture(scope="module")
def districts(layer: Layer) -> dict[str, BaseGeometry]:
    return layer("districts.geojson")


@pytest.fixture(scope="module")
def grids(layer: Layer) -> dict[str, BaseGeometry]:
    return layer("unit-grids.geojson")


def points_in(shape: BaseGeometry, count: int) -> list[Point]:
    """Reproducible points inside a shape."""
    chance = random.Random(SEED)
    west, south, east, north = shape.bounds
    found: list[Point] = []
    while len(found) < count:
        point = Point(chance.uniform(west, east), chance.uniform(south, north))
        if shapely.contains(shape, point):
            found.append(point)
    return found


def cells_at(grids: dict[str, BaseGeometry], points: list[Point]) -> list[list[str]]:
    """For each point the codes of the cells that hold it."""
    codes = list(grids)
    answers: list[list[str]] = [[] for _ in points]
    for point, cell in STRtree(list(grids.values())).query(points, predicate="intersects").T.tolist():
        answers[point].append(codes[cell])
    return answers


def test_the_seven_districts_have_an_outline_and_the_development_zones_have_none(
    districts: dict[str, BaseGeometry],
) -> None:
    assert tuple(districts) == DISTRICTS
    assert all(shapely.is_valid(shape) for shape in districts.values())


def test_districts_do_not_overlap(districts: dict[str, BaseGeometry]) -> None:
    together = shapely.union_all(list(districts.values()))

    assert sum(shape.area for shape in districts.values()) == pytest.approx(together.area, rel=1e-6)


@pytest.mark.parametrize("district", DISTRICTS)
def test_any_point_of_a_district_lies_in_exactly_one_cell_and_it_is_that_districts(
    district: str, districts: dict[str, BaseGeometry], grids: dict[str, BaseGeometry]
) -> None:
    answers = cells_at(grids, points_in(districts[district], 500))

    assert [len(cells) for cells in answers] == [1] * 500
    assert {cells[0][:6] for cells in answers} == {district}


@pytest.mark.parametrize("district", DISTRICTS)
def test_the_cells_of_a_district_cover_it_without_overlap(
    district: str, districts: dict[str, BaseGeometry], grids: dict[str, BaseGeometry]
) -> None:
    cells = [shape for code, shape in grids.items() if code.startswith(district)]
    outline = districts[district]

    assert sum(cell.area for cell in cells) == pytest.approx(outline.area, rel=1e-5)
    assert shapely.union_all(cells).symmetric_difference(outline).area < 1e-5 * outline.area


def test_every_community_of_the_seven_districts_has_two_to_four_cells_numbered_from_one(
    table: Table, grids: dict[str, BaseGeometry]
) -> None:
    communities = {row["code"] for row in table("divisions.csv") if row["level"] == "community"}
    counts = Counter(code[:12] for code in grids)

    assert set(counts) == {code for code in communities if code[:6] in DISTRICTS}
    assert set(counts.values()) <= {2, 3, 4}
    assert set(grids) == {f"{code}{number:03d}" for code, count in counts.items() for number in range(1, count + 1)}


def test_cells_of_a_community_are_numbered_from_north_to_south(grids: dict[str, BaseGeometry]) -> None:
    wrong = 0
    for (one, upper), (other, lower) in pairwise(grids.items()):
        height = upper.bounds[3] - upper.bounds[1]
        wrong += one[:12] == other[:12] and lower.centroid.y > upper.centroid.y + height

    assert wrong == 0


def test_cells_of_a_community_lie_together(grids: dict[str, BaseGeometry]) -> None:
    communities: dict[str, list[BaseGeometry]] = {}
    for code, shape in grids.items():
        communities.setdefault(code[:12], []).append(shape)
    torn = [code for code, cells in communities.items() if shapely.union_all(cells).geom_type != "Polygon"]

    assert len(torn) < 0.01 * len(communities), torn


def test_a_known_place_in_the_centre_lies_in_a_cell_of_its_district(grids: dict[str, BaseGeometry]) -> None:
    [[cell]] = cells_at(grids, [Point(118.3762, 31.3341)])

    assert cell.startswith("340202")


def test_a_place_of_the_former_sanshan_district_belongs_to_yijiang(grids: dict[str, BaseGeometry]) -> None:
    [[cell]] = cells_at(grids, [Point(118.249, 31.201)])

    assert cell.startswith("340209")


def test_a_place_across_the_river_from_the_city_lies_in_no_cell(grids: dict[str, BaseGeometry]) -> None:
    assert cells_at(grids, [Point(118.80, 32.06)]) == [[]]


def test_every_cell_is_one_valid_polygon_with_a_name(city: Path, grids: dict[str, BaseGeometry]) -> None:
    text = (city / "grids" / "unit-grids.geojson").read_text(encoding="utf-8")
    names = [one["properties"]["name"] for one in json.loads(text)["features"]]

    assert all(shape.geom_type == "Polygon" and shapely.is_valid(shape) for shape in grids.values())
    assert all(name.partition(" ")[2] in {"第一网格", "第二网格", "第三网格", "第四网格"} for name in names)


def test_the_demonstration_layer_says_so_and_is_small(city: Path) -> None:
    path = city / "grids" / "unit-grids.geojson"
    document = json.loads(path.read_text(encoding="utf-8"))

    assert document["note"].startswith("DEMONSTRATION DATA")
    assert "MIT" in document["licence"]
    assert path.stat().st_size < 1_200_000
