"""The crosswalk between unit grids and an industry's grids 网格对照: how much of each lies in the other.

Made by laying one over the other. Areas are geodesic on CGCS2000's ellipsoid, square metres.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Geod

from routing.grids import GridIndex

_SLIVER = 0.001
"""Share of both cells below which a common area is what two surveys of one line make of each other."""
_GEOD = Geod(ellps="GRS80")  # CGCS2000's differs from it in the eleventh digit of the flattening


@dataclass(frozen=True, slots=True)
class Share:
    """A unit grid and an industry grid that have an area in common."""

    unit_grid: str
    industry_grid: str
    area: float
    """Square metres in common."""
    of_unit_grid: float
    """Share of the unit grid's area, 0 to 1."""
    of_industry_grid: float
    cases: int
    """Cases known in both."""
    of_cases: float | None
    """Share of the unit grid's cases; None where it has none."""


def crosswalk(base: GridIndex, industry: GridIndex, cases: Mapping[tuple[str, str], int]) -> list[Share]:
    """Every pair with an area in common or with cases in both, by unit grid, the larger share first.

    `cases`: how many by (unit grid, industry grid); an empty industry grid for those in none.
    """
    units, others = list(base.cells.values()), list(industry.cells.values())
    if not units or not others:
        return []
    shapes = np.array([cell.geometry for cell in others], object)
    pairs = shapely.STRtree(shapes).query([cell.geometry for cell in units], predicate="intersects").T.tolist()
    unit_areas = {cell.code: area_of(cell.geometry) for cell in units}
    other_areas = {cell.code: area_of(cell.geometry) for cell in others}
    common = {
        (units[row].code, others[column].code): area_of(shapely.intersection(units[row].geometry, shapes[column]))
        for row, column in pairs
    }
    totals: dict[str, int] = {}
    for (unit, _), count in cases.items():
        totals[unit] = totals.get(unit, 0) + count
    known = {pair for pair in cases if pair[1] in other_areas and pair[0] in unit_areas}
    real = {
        (unit, other) for (unit, other), area in common.items()
        if area > _SLIVER * min(unit_areas[unit], other_areas[other])
    }  # fmt: skip
    found = real | known
    shares = [
        Share(
            unit, other, area := common.get((unit, other), 0.0), area / unit_areas[unit], area / other_areas[other],
            count := cases.get((unit, other), 0), count / totals[unit] if totals.get(unit) else None,
        )
        for unit, other in found
    ]  # fmt: skip
    return sorted(shares, key=lambda one: (one.unit_grid, -one.of_unit_grid, one.industry_grid))


def area_of(shape: shapely.Geometry) -> float:
    """Square metres of a polygon in degrees; 0 for points and lines."""
    if shape.geom_type not in ("Polygon", "MultiPolygon", "GeometryCollection"):  # type: ignore[attr-defined]
        return 0.0
    parts = [one for one in shapely.get_parts(shape) if one.geom_type == "Polygon"]
    return float(sum(abs(_GEOD.geometry_area_perimeter(one)[0]) for one in parts))
