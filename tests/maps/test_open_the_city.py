"""docs/open-the-city.md: QGIS opens every service, and the pages for OpenLayers show in a browser what they should."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.maps.clients import gdal
from tests.maps.open_the_city import (
    BLUE,
    GREEN,
    MARKS,
    PURPLE,
    RED,
    Picture,
    gdal_commands,
    in_openlayers,
    in_qgis,
    in_window,
    on_page,
    opened,
)
from tests.maps.small_city import NOW, SOUTH, STEP, WEST

WHITE, GROUND = "#ffffff", "#f5f5f5"
"""GROUND: of a unit grid in a picture of ours, on white."""
WRITTEN = {".gpkg", ".json", ".png"}
Place = tuple[float, float]
Served = tuple[str, str, Path]


def _first(*, late: bool) -> Place:
    """Where the first case stands that is, or is not, beyond its time limit, and has no other one beside it."""
    places = {(one.lon, one.lat) for one in MARKS}
    for one in MARKS:
        if one.lon and one.lat and one.due_at and (one.due_at < NOW) is late:
            apart = [max(abs(one.lon - (x or 0)), abs(one.lat - (y or 0))) for x, y in places]
            if sorted(apart)[1] > STEP / 5:
                return one.lon, one.lat
    raise AssertionError("no case stands alone")


LATE, IN_TIME = _first(late=True), _first(late=False)
OUTSIDE = (WEST - 0.2 * STEP, SOUTH + 1.5 * STEP)
BETWEEN_LANDSCAPE = (WEST + 5.5 * STEP, SOUTH + 4.8 * STEP)
"""On the line between the two grids of landscape, and on no other."""
BETWEEN_GRIDS = (WEST + 2 * STEP, SOUTH + 1.4 * STEP)
BETWEEN_LARGE_GRIDS = (WEST + 8 * STEP, SOUTH + 1.4 * STEP)
"""On the line between two unit grids, of at most and of more than 350 households."""
EMPTY = (WEST + 1.2 * STEP, SOUTH + 4.2 * STEP)
"""Inside a unit grid without cases, beside its name."""


@pytest.fixture(scope="module")
def city() -> Iterator[Served]:
    with opened() as served:
        yield served


@pytest.fixture(scope="module")
def pages(city: Served) -> dict[str, Picture]:
    return in_openlayers(*city)


def colours(picture: Picture, middle: tuple[int, int]) -> set[str]:
    """Of the pixels within two of it."""
    column, row = middle
    around = picture[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3)
    return {f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in around}


def rgb(colour: str) -> list[str]:
    return [str(one) for one in bytes.fromhex(colour[1:])]


def alike(found: set[str], colour: str) -> bool:
    """One of them is this colour, but for what the edge of a line mixes into it."""
    wanted = bytes.fromhex(colour[1:])
    return any(max(abs(a - b) for a, b in zip(bytes.fromhex(one[1:]), wanted, strict=True)) < 24 for one in found)


def test_the_page_for_openlayers_shows_grids_landscape_and_cases(pages: dict[str, Picture]) -> None:
    def seen(place: Place) -> set[str]:
        return colours(pages["city.html"], on_page("city.html", place))

    assert (seen(LATE), seen(IN_TIME), seen(OUTSIDE), seen(EMPTY)) == ({RED}, {BLUE}, {WHITE}, {GROUND})
    assert alike(seen(BETWEEN_LANDSCAPE), PURPLE)
    assert not alike(seen(BETWEEN_GRIDS), PURPLE)
    assert len(seen(BETWEEN_GRIDS)) > 1


def test_the_page_in_degrees_has_its_axes_right(pages: dict[str, Picture]) -> None:
    def seen(place: Place) -> set[str]:
        return colours(pages["degrees.html"], on_page("degrees.html", place))

    assert (seen(OUTSIDE), seen(EMPTY)) == ({WHITE}, {GROUND})
    assert len(seen(BETWEEN_GRIDS)) > 1
    assert GROUND not in seen(LATE) | seen(IN_TIME)


def test_qgis_opens_every_service(city: Served, tmp_path: Path) -> None:
    places = [LATE, OUTSIDE, BETWEEN_LANDSCAPE, BETWEEN_LARGE_GRIDS, EMPTY, IN_TIME]

    told = in_qgis(city[0], tmp_path / "qgis.png", [in_window(place) for place in places])

    assert {name: (one["valid"], one["error"]) for name, one in told.items()} == dict.fromkeys(told, (True, ""))
    assert [(name, one["pixels"][:5]) for name, one in told.items() if name.endswith(("(WFS)", "API)", "tiles)"))] == [
        ("园林绿化网格，紫线 (vector tiles)", [WHITE, WHITE, PURPLE, WHITE, WHITE]),
        ("户数 > 350 的网格 (OGC API)", [WHITE, WHITE, WHITE, GREEN, WHITE]),
        ("案件 (WFS)", [RED, WHITE, WHITE, WHITE, WHITE]),
    ]
    assert told["案件 (WFS)"]["pixels"][5] == BLUE
    density, grids = told["案件密度，橙色 (WMTS)"]["pixels"], told["单元网格 (WMS)"]["pixels"]
    assert (density[0], density[1], density[4]) == ("#fdcba3", WHITE, WHITE)
    assert (grids[1], grids[4]) == (WHITE, GROUND)
    assert (tmp_path / "qgis.png").stat().st_size > 10_000


def test_the_commands_for_gdal_work(city: Served, tmp_path: Path) -> None:
    for command in gdal_commands(city[0]):
        program, *words = command
        gdal(program, *[tmp_path / word if Path(word).suffix in WRITTEN else word for word in words])

    filed = gdal("ogrinfo", "-ro", "-so", "-al", tmp_path / "filed.gpkg")
    assert f"Feature Count: {sum(one.stage == 'filed' for one in MARKS)}" in filed
    assert f"Feature Count: {len(MARKS)}" in gdal("ogrinfo", "-ro", "-so", "-al", tmp_path / "cases.gpkg")
    assert "Feature Count: 60" in gdal("ogrinfo", "-ro", "-so", "-al", tmp_path / "grids.json")
    column, row = (LATE[0] - 118.3) / 0.1 * 800, (31.4 - LATE[1]) / 0.1 * 800
    assert gdal("gdallocationinfo", "-valonly", tmp_path / "map.png", f"{column}", f"{row}").split()[:3] == rgb(BLUE)
