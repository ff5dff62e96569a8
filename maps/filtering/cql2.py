"""What both ways of writing CQL2 (OGC 21-065) have in common: operators, shapes, times, letters whatever their case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pygeofilter import ast, values

from maps.crs import Crs
from maps.filtering.problem import BadFilter
from maps.limits import Limits

Node = Any
"""One of pygeofilter's, or a value."""

COMPARISONS: Mapping[str, type] = {
    "=": ast.Equal, "<>": ast.NotEqual, "<": ast.LessThan, "<=": ast.LessEqual,
    ">": ast.GreaterThan, ">=": ast.GreaterEqual,
}  # fmt: skip
SPATIAL: Mapping[str, type] = {
    "S_INTERSECTS": ast.GeometryIntersects, "S_DISJOINT": ast.GeometryDisjoint, "S_CONTAINS": ast.GeometryContains,
    "S_WITHIN": ast.GeometryWithin, "S_TOUCHES": ast.GeometryTouches, "S_CROSSES": ast.GeometryCrosses,
    "S_OVERLAPS": ast.GeometryOverlaps, "S_EQUALS": ast.GeometryEquals,
}  # fmt: skip
TEMPORAL = frozenset({"T_AFTER", "T_BEFORE", "T_DISJOINT", "T_DURING", "T_EQUALS", "T_INTERSECTS"})
"""Those that an instant can be asked; the others compare intervals, and no column is one."""
_BOX, _TALL_BOX = 4, 6


@dataclass(frozen=True, slots=True)
class CaseInsensitive:
    """CASEI(...): a property or a text whose letters count whatever their case."""

    inner: Node


def alike(kind: type, left: Node, right: Node) -> Node:
    """A comparison; of texts whatever their case only where it asks for equality. Raises BadFilter."""
    if not isinstance(left, CaseInsensitive) and not isinstance(right, CaseInsensitive):
        return kind(left, right)
    left, right = _bare(left), _bare(right)
    if not isinstance(left, ast.Attribute):
        left, right = right, left
    if kind not in (ast.Equal, ast.NotEqual) or not isinstance(right, str):
        raise BadFilter("CASEI is supported for =, <>, LIKE and IN of texts")
    return ast.Like(left, _escaped(right), True, "%", "_", "\\", kind is ast.NotEqual)


def either_case(left: Node, pattern: Node) -> Node:
    """LIKE. Raises BadFilter."""
    nocase = isinstance(left, CaseInsensitive) or isinstance(pattern, CaseInsensitive)
    pattern = _bare(pattern)
    if not isinstance(pattern, str):
        raise BadFilter("LIKE: a text is expected")
    return ast.Like(_bare(left), pattern, nocase, "%", "_", "\\", False)


def timed(word: str, left: Node, right: Node) -> Node:
    """A function of time, of a property and a time. Raises BadFilter."""
    if not isinstance(left, ast.Attribute) or isinstance(right, ast.Node):
        raise BadFilter(f"{word}: a property and a time are expected")
    span = right if isinstance(right, values.Interval) else values.Interval(right, right)
    if word == "T_EQUALS" and span.start != span.end:
        raise BadFilter("T_EQUALS: an instant equals no interval; T_DURING or T_INTERSECTS ask for what lies in one")
    if word in ("T_INTERSECTS", "T_DISJOINT"):
        parts = [
            kind(left, end)
            for kind, end in ((ast.GreaterEqual, span.start), (ast.LessEqual, span.end))
            if end is not None
        ]
        made = balanced(parts, ast.And) if parts else ast.IsNull(left, True)
        return made if word == "T_INTERSECTS" else ast.And(ast.Not(made), ast.IsNull(left, True))
    return _TIMES[word](left, span)


_TIMES: Mapping[str, type] = {
    "T_AFTER": ast.TimeAfter, "T_BEFORE": ast.TimeBefore, "T_DURING": ast.TimeDuring, "T_EQUALS": ast.TimeEquals,
}  # fmt: skip


def balanced(parts: Sequence[Node], kind: type) -> Node:
    """Many conditions as a tree that is as flat as can be."""
    left = list(parts)
    while len(left) > 1:
        left = [kind(*left[at : at + 2]) if at + 1 < len(left) else left[at] for at in range(0, len(left), 2)]
    return left[0]


def box(figures: Sequence[object], crs: Crs) -> shapely.Geometry:
    """A box of four or six numbers as a shape in CGCS2000 degrees. Raises BadFilter."""
    numbers = [float(one) for one in figures if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != len(figures) or len(numbers) not in (_BOX, _TALL_BOX) or not all(map(isfinite, numbers)):
        raise BadFilter("BBOX: four numbers are expected")
    half = len(numbers) // 2
    (first, second), (third, fourth) = numbers[:2], numbers[half : half + 2]
    west, south, east, north = (second, first, fourth, third) if crs.north_first else (first, second, third, fourth)
    if south > north:
        raise BadFilter("BBOX: the first corner must lie below the second")
    if west > east and not crs.degrees:
        raise BadFilter("BBOX: the first corner must lie left of the second")
    spans = [(west, 180.0), (-180.0, east)] if west > east else [(west, east)]
    made: shapely.Geometry = shapely.union_all([crs.native_shape(begin, south, end, north) for begin, end in spans])
    return made


def placed(make: Callable[[], shapely.Geometry], crs: Crs, limits: Limits) -> shapely.Geometry:
    """A shape in CGCS2000 degrees. `make` may fail as shapely does. Raises BadFilter."""
    try:
        with np.errstate(all="ignore"):  # what is too large becomes infinite, and is refused below
            shape = make()
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise BadFilter("a shape cannot be read") from None
    if shape is None or shapely.is_empty(shape):
        raise BadFilter("a shape is empty")
    if shapely.get_num_coordinates(shape) > limits.points:
        raise BadFilter(f"more than {limits.points} points")

    def native(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return crs.to_native(crs.ordered(points))

    moved: shapely.Geometry = shapely.transform(shapely.force_2d(shape), native)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise BadFilter("a shape lies outside its CRS")
    return moved


def _bare(node: Node) -> Node:
    return node.inner if isinstance(node, CaseInsensitive) else node


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
