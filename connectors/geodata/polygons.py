"""Geometries of a file made polygons in degrees. What is none is left out and told; nothing is repaired."""

from collections.abc import Callable

import numpy as np
import shapely

from canonical.coordinates import Systems
from canonical.findings import Finding, Severity
from connectors.geodata.sheet import NOWHERE, Layer, Sheet

_AT_ONCE = 5_000
"""Shapes converted between two words of progress."""
_POLYGONS = (3, 6)
"""Polygon and MultiPolygon, as shapely numbers them."""


def converted(layer: Layer, crs: str, systems: Systems, name: str, progress: Callable[[int, int], None]) -> Sheet:
    """The layer's polygons from `crs` to CGCS2000 degrees."""
    findings = list(layer.findings)

    def told(row: int, text: str) -> None:
        findings.append(Finding(name, 0, f"row {row + 1}", text))

    kept = _polygons(layer.shapes, told)
    heights = int((shapely.has_z(layer.shapes[kept]) | shapely.has_m(layer.shapes[kept])).sum())
    if heights:
        text = f"{heights} shapes have heights or measures, which are left out"
        findings.append(Finding(name, 0, "", text, Severity.WARNING))
    flat = shapely.force_2d(layer.shapes[kept])
    first = _corner(flat)
    good = np.zeros(len(flat), bool)
    progress(0, len(flat))
    for start in range(0, len(flat), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        flat[part], good[part] = _degrees(flat[part], crs, systems)
        progress(min(start + _AT_ONCE, len(flat)), len(flat))
    for row in kept[~good].tolist():
        told(row, f"has positions that cannot be of {crs}: swapped axes, another zone or another CRS")
    kept, flat = kept[good], flat[good]
    for index in np.flatnonzero(~shapely.is_valid(flat)).tolist():
        told(int(kept[index]), f"the polygon is broken, draw it again: {shapely.is_valid_reason(flat[index])}")
    rows = [layer.rows[row] for row in kept.tolist()]
    how = f"{layer.how}; {systems.conversion(crs)}"
    return Sheet(layer.columns, rows, flat, crs, how, findings, first, [row + 1 for row in kept.tolist()])


def _corner(shapes: np.ndarray) -> tuple[float, float]:
    if not len(shapes):
        return NOWHERE
    x, y = shapely.get_coordinates(shapes[0])[0].tolist()
    return x, y


def _polygons(shapes: np.ndarray, told: Callable[[int, str], None]) -> np.ndarray:
    """Positions of what is a polygon."""
    kinds = shapely.get_type_id(shapes)
    empty = shapely.is_empty(shapes)
    good = np.isin(kinds, _POLYGONS) & ~empty
    for row in np.flatnonzero(~good).tolist():
        if shapes[row] is None:
            told(row, "has no geometry that can be read: left out")
        elif empty[row]:
            told(row, "has an empty geometry: left out")
        else:
            told(row, f"is a {shapes[row].geom_type}, not a polygon: left out")
    return np.flatnonzero(good)


def _degrees(shapes: np.ndarray, crs: str, systems: Systems) -> tuple[np.ndarray, np.ndarray]:
    """The shapes in degrees, and which of them are good; the others stay as they were."""
    points, owners = shapely.get_coordinates(shapes, return_index=True)
    lons, lats = systems.degrees(crs, np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1]))
    bad = np.isnan(lons) | np.isnan(lats)
    good = np.ones(len(shapes), bool)
    good[owners[bad]] = False
    fine = good[owners]
    made = shapes.copy()
    if good.any():
        made[good] = shapely.set_coordinates(shapes[good].copy(), np.column_stack([lons[fine], lats[fine]]))
    return made, good
