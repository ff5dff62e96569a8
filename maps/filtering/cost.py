"""What a filter costs, known before it is asked: many conditions, long patterns and large shapes over many features."""

from typing import Any

import shapely
from pygeofilter import ast

from maps.filtering.problem import BadFilter

MOST = 60_000_000
"""Steps of some 50 ns: about three seconds of one processor."""
_LIKE, _LETTERS = 6, 16
"""Steps of a pattern, and how many of its letters are one more."""
_SHAPE, _POINTS = 20, 9
"""The same for a shape and its points, where it cannot be prepared."""
_PREPARED = (ast.GeometryIntersects, ast.GeometryDisjoint, ast.GeometryContains, ast.GeometryWithin)


def bearable(node: Any, features: int) -> None:  # noqa: ANN401 pygeofilter's nodes
    """Raises BadFilter where the filter asks too much of so many features."""
    if _steps(node) * features > MOST:
        text = f"asks too much of {features} features: fewer conditions, shorter patterns or simpler shapes"
        raise BadFilter(text)


def _steps(node: Any) -> int:  # noqa: ANN401
    """Steps for one feature."""
    if isinstance(node, ast.Combination):
        return _steps(node.lhs) + _steps(node.rhs)
    if isinstance(node, ast.Not):
        return _steps(node.sub_node)
    if isinstance(node, ast.Like):
        return _LIKE + len(str(node.pattern)) // _LETTERS
    if isinstance(node, ast.SpatialComparisonPredicate | ast.SpatialDistancePredicate):
        return _SHAPE + (0 if isinstance(node, _PREPARED) else _points(node.rhs) // _POINTS)
    return 1


def _points(shape: Any) -> int:  # noqa: ANN401
    return int(shapely.get_num_coordinates(shape)) if isinstance(shape, shapely.Geometry) else 0
