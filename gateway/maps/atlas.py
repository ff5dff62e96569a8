"""The city's atlas: cell sets of the registry as they hold today, and cases as the feed brings them."""

from collections.abc import Callable, Collection, Sequence
from datetime import date

import shapely

from gateway.configuration import Configuration
from maps.atlas import Atlas, Interval
from maps.cases import CaseTable, Names, case_table
from maps.cells import CellSet, cell_set
from maps.table import Box
from routing.grid_sets import BASE, GridSet
from routing.grids import GridIndex

GRIDS, DISTRICTS = "grids", "districts"
_COMMUNITY = 12
_LEVELS = (12, 9, 6, 4)
"""Digits of divisions, the finest first."""


def city_sets(configuration: Configuration, day: date) -> dict[str, CellSet]:
    """Layers of cells by name: unit grids, each industry's grids that hold on that day, districts."""
    city = configuration.city
    locator = city.locator
    extent = extent_of(configuration)
    made = {GRIDS: _unit_grids(configuration, locator.registry.base(day), extent)}
    for one in locator.registry.on(day):
        if one.name != BASE:
            name = f"{GRIDS}_{one.name}"
            made[name] = _industry_grids(configuration, name, one, made[GRIDS])
    districts = [_row(configuration, cell.code, cell.name, cell.code) for cell in locator.districts.cells.values()]
    made[DISTRICTS] = cell_set(
        DISTRICTS, "区县", "Districts 区县行政区划", extent, "1", districts, _shapes(locator.districts)
    )
    return made


def extent_of(configuration: Configuration) -> Box:
    """The box around the city: of its districts, else of its grids."""
    shapes = _shapes(configuration.city.locator.districts) or [
        shape for one in configuration.city.locator.registry.sets for shape in _shapes(one.index)
    ]
    if not shapes:
        return (73.0, 3.0, 136.0, 54.0)
    west, south, east, north = (float(value) for value in shapely.total_bounds(shapes))
    return west, south, east, north


def names_of(configuration: Configuration) -> Names:
    """What classes and divisions are called."""
    catalogue, divisions = configuration.city.catalogue, configuration.city.divisions
    classes = {str(code): entry.name for code, entry in catalogue.classes.items()}
    return Names(classes, lambda code: divisions.name(code) if divisions.known(code) else "")


def atlas_of(
    configuration: Configuration, sets: dict[str, CellSet], live: Callable[[], CaseTable],
    past: Callable[[Interval], CaseTable],
) -> Atlas:  # fmt: skip
    """The atlas of this city."""
    return Atlas(configuration.city.name, extent_of(configuration), sets, live, past, base=GRIDS)


def empty(sets: dict[str, CellSet], names: Names) -> CaseTable:
    """No cases yet."""
    return case_table([], sets[GRIDS], names, "0")


def _unit_grids(configuration: Configuration, one: GridSet, extent: Box) -> CellSet:
    cells = list(one.index.cells.values())
    rows = [
        _row(configuration, cell.code, cell.name, cell.manager or cell.code[:_COMMUNITY])
        | {
            "manager": cell.manager or None, "households": cell.households, "population": cell.population,
            "valid_from": _day(one),
        }
        for cell in cells
    ]  # fmt: skip
    text = f"Unit grids 单元网格 (GB/T 30428.1), {one.edition or 'always'}"
    return cell_set(GRIDS, "单元网格", text, extent, one.edition or "1", rows, _shapes(one.index))


def _industry_grids(configuration: Configuration, name: str, one: GridSet, base: CellSet) -> CellSet:
    """Cells of an industry. Each has a part in the divisions whose unit grids lie in it, and in that of its middle."""
    shapes = _shapes(one.index)
    parts: dict[str, set[str]] = {code: set() for code in one.index.cells}
    lons, lats = base.inner[:, 0].tolist(), base.inner[:, 1].tolist()
    for code, area in zip(one.index.find(lons, lats), base.table.columns["area"].tolist(), strict=True):
        if code is not None:
            parts[code].add(area)
    inner = shapely.get_coordinates([shapely.point_on_surface(shape) for shape in shapes]).reshape(-1, 2)
    middles = configuration.city.locator.districts.find(inner[:, 0].tolist(), inner[:, 1].tolist())
    for code, district in zip(parts, middles, strict=True):
        if not parts[code]:
            parts[code].add(district or configuration.city.code)
    rows = [
        _row(configuration, cell.code, cell.name, _common(parts[cell.code])) | {"valid_from": _day(one)}
        for cell in one.index.cells.values()
    ]
    text, reach = f"Industry grids 行业网格, {one.edition}", [tuple(sorted(found)) for found in parts.values()]
    return cell_set(name, one.title, text, base.layer.extent, one.edition, rows, shapes, reach)


def _common(areas: Collection[str]) -> str:
    """The finest division that holds all of these."""
    first, last = min(areas), max(areas)  # what these two begin with, all between them do
    return next((first[:width] for width in _LEVELS if len(first) >= width and first[:width] == last[:width]), "")


def _row(configuration: Configuration, code: str, name: str, area: str) -> dict[str, object]:
    divisions = configuration.city.divisions
    return {
        "code": code,
        "name": name,
        "area": area,
        "area_name": divisions.name(area) if divisions.known(area) else None,
    }


def _day(one: GridSet) -> date | None:
    return one.valid_from if one.valid_from > date.min else None


def _shapes(index: GridIndex) -> Sequence[shapely.Geometry]:
    return [cell.geometry for cell in index.cells.values()]
