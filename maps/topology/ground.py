"""Cells made ready: sorted, broken shapes repaired for the comparisons that follow, what is no polygon left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from maps.topology.flaw import FlawKind
from maps.topology.given import TopologyCell
from maps.topology.measure import Floats, Shapes, areas
from maps.topology.tray import Told, Tray

_SURFACES = (3, 6)
"""Polygon, MultiPolygon."""


@dataclass(frozen=True)
class Ground:
    """The cells that have a shape."""

    cells: Sequence[TopologyCell]
    """By code."""
    shapes: Shapes
    """Valid."""

    @cached_property
    def areas(self) -> Floats:
        """Square metres."""
        return areas(self.shapes)

    @cached_property
    def tree(self) -> shapely.STRtree:
        """To find cells by place."""
        return shapely.STRtree(self.shapes)

    @cached_property
    def suspects(self) -> np.ndarray:
        """Positions of cells with an edge that is not shared as it should be. Where there are none, all fit."""
        return np.flatnonzero(~shapely.is_empty(shapely.coverage_invalid_edges(self.shapes)))

    @cached_property
    def whole(self) -> BaseGeometry:
        """All cells as one."""
        join = shapely.union_all if len(self.suspects) else shapely.coverage_union_all
        return join(self.shapes)

    @cached_property
    def _by_code(self) -> dict[str, int]:
        return {cell.code: at for at, cell in enumerate(self.cells)}

    def shape_of(self, code: str) -> BaseGeometry | None:
        """Of the cell with this code; None where it has no ground."""
        at = self._by_code.get(code)
        return None if at is None else self.shapes[at]

    def code(self, at: int) -> str:
        """Of the cell at this position."""
        return self.cells[at].code


def in_order(cells: Sequence[TopologyCell]) -> list[TopologyCell]:
    """By code; those of one code by name and shape, so that the order of delivery tells nothing."""
    ordered = sorted(cells, key=lambda cell: (cell.code, cell.name))
    if len({cell.code for cell in ordered}) < len(ordered):
        ordered.sort(key=lambda cell: (cell.code, cell.name, b"" if cell.geometry is None else cell.geometry.wkb))
    return ordered


def ground(ordered: Sequence[TopologyCell], tray: Tray) -> Ground:
    """The cells' shapes. Those that are broken are put into the tray, and repaired if they have any ground."""
    given = np.array([cell.geometry for cell in ordered], object)
    broken = np.flatnonzero(~_sound(given)).tolist()
    problems = {at: _problem(given[at]) for at in broken}
    shapes = given.copy()
    for at in broken:
        shapes[at] = None if problems[at] else _repaired(given[at])
    sizes = [float(areas(shapes[[at]])[0]) if shapes[at] is not None else 0.0 for at in broken]

    def tell(number: int) -> Told:
        cell, shape = ordered[broken[number]], shapes[broken[number]]
        english, chinese = problems[broken[number]] or _broken(given[broken[number]])
        return Told((cell.code,), shape, f"{cell.code}: {english}", f"{cell.code}：{chinese}")

    tray.add(FlawKind.INVALID, sizes, tell)
    kept = [at for at, shape in enumerate(shapes) if shape is not None]
    return Ground([ordered[at] for at in kept], shapes[kept])


def _sound(shapes: Shapes) -> np.ndarray:
    """Which are valid polygons in degrees. Asked of all at once: one by one takes as long as the rest of the check."""
    within = (np.abs(shapely.bounds(shapes)) <= (180, 90, 180, 90)).all(axis=1)
    return within & np.isin(shapely.get_type_id(shapes), _SURFACES) & shapely.is_valid(shapes)


def _problem(shape: BaseGeometry | None) -> tuple[str, str] | None:
    """Why it has no ground at all, in both languages."""
    if shape is None or shape.is_empty or shapely.get_type_id(shape) not in _SURFACES:
        return "no polygon", "不是多边形"
    points = shapely.get_coordinates(shape)
    if not np.isfinite(points).all():
        return "a coordinate is no number", "坐标不是数字"
    if (np.abs(points) > (180, 90)).any():
        return "coordinates are not degrees as longitude, latitude", "坐标不是经纬度"
    return None


def _repaired(shape: BaseGeometry) -> BaseGeometry | None:
    """The polygons of what can be repaired."""
    made = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    return made if shapely.get_type_id(made) in _SURFACES and not made.is_empty else None


def _broken(shape: BaseGeometry) -> tuple[str, str]:
    reason = shapely.is_valid_reason(shape)
    return f"the polygon is broken: {reason}", f"图形无效：{reason}"
