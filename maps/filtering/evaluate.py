"""A filter as a mask over the features of a table: whole columns at once.

A column that the scope does not see is unknown, so that nothing can be learned by filtering for it. A comparison with a
missing value is false. Times without a zone are Shanghai's.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pygeofilter import ast, values

from canonical.time import SHANGHAI
from maps.filtering.cost import bearable
from maps.filtering.like import matches
from maps.filtering.problem import BadFilter
from maps.table import Field, Kind, Objects, Table

Mask = npt.NDArray[np.bool_]
GEOMETRY = frozenset({"geometry", "shape", "the_geom", "geom", ""})
"""Names by which the one geometry of a feature is called."""
_SHOWN = 60
_METRES_A_DEGREE = 111_320.0


def mask_of(node: Any, table: Table) -> Mask:  # noqa: ANN401 pygeofilter's nodes
    """Which features the filter lets through. Raises BadFilter."""
    bearable(node, len(table))
    return _mask(node, table)


def _mask(node: Any, table: Table) -> Mask:  # noqa: ANN401
    evaluate = next((found for kind, found in _NODES.items() if isinstance(node, kind)), None)
    if evaluate is None:
        raise BadFilter(f"{type(node).__name__} is not supported")
    return evaluate(node, table)


def local(name: str) -> str:
    """`stage` of `gh:cases/gh:stage`, `@gml:id` as `id`."""
    return name.rpartition("/")[2].rpartition(":")[2].strip("@ ")


# --- logic ---


def _and(node: Any, table: Table) -> Mask:  # noqa: ANN401
    return _mask(node.lhs, table) & _mask(node.rhs, table)


def _or(node: Any, table: Table) -> Mask:  # noqa: ANN401
    return _mask(node.lhs, table) | _mask(node.rhs, table)


def _not(node: Any, table: Table) -> Mask:  # noqa: ANN401
    return ~_mask(node.sub_node, table)


def _everything(node: Any, table: Table) -> Mask:  # noqa: ANN401
    return np.full(len(table), not node.not_)


# --- values ---

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Equal: operator.eq, ast.NotEqual: operator.ne, ast.LessThan: operator.lt, ast.LessEqual: operator.le,
    ast.GreaterThan: operator.gt, ast.GreaterEqual: operator.ge,
}  # fmt: skip
_MIRRORED = {
    operator.lt: operator.gt, operator.le: operator.ge, operator.gt: operator.lt, operator.ge: operator.le,
}  # fmt: skip


def _compared(node: Any, table: Table) -> Mask:  # noqa: ANN401
    compare = _OPERATORS[type(node)]
    attribute, literal = node.lhs, node.rhs
    if not isinstance(attribute, ast.Attribute):
        attribute, literal, compare = literal, attribute, _MIRRORED.get(compare, compare)
    if not isinstance(attribute, ast.Attribute) or isinstance(literal, ast.Node):
        raise BadFilter("a property is compared with a value")
    return _asked(table, attribute.name, compare, literal)


def _between(node: Any, table: Table) -> Mask:  # noqa: ANN401
    name = _attribute(node.lhs)
    mask = _asked(table, name, operator.ge, node.low) & _asked(table, name, operator.le, node.high)
    return _unless(node, mask)


def _in(node: Any, table: Table) -> Mask:  # noqa: ANN401
    field, column = _column(table, _attribute(node.lhs))
    wanted = {_typed(field, value) for value in node.sub_nodes}
    return _unless(node, np.fromiter((value in wanted for value in column), bool, len(column)))


def _like(node: Any, table: Table) -> Mask:  # noqa: ANN401
    _, column = _column(table, _attribute(node.lhs))
    match = matches(str(node.pattern), node.wildcard, node.singlechar, node.escapechar, nocase=bool(node.nocase))
    known = {value: value is not None and match(_text(value)) for value in set(column)}
    return _unless(node, np.fromiter((known[value] for value in column), bool, len(column)))


def _null(node: Any, table: Table) -> Mask:  # noqa: ANN401
    _, column = _column(table, _attribute(node.lhs))
    return _unless(node, np.asarray(column == None, bool))  # noqa: E711 numpy compares element by element


def _unless(node: Any, mask: Mask) -> Mask:  # noqa: ANN401
    return ~mask if node.not_ else mask


def _asked(table: Table, name: str, compare: Callable[[Any, Any], Any], literal: Any) -> Mask:  # noqa: ANN401
    field, column = _column(table, name)
    wanted = _typed(field, literal)
    given = np.asarray(column != None, bool)  # noqa: E711 numpy compares element by element
    mask = np.zeros(len(column), bool)
    mask[given] = np.asarray(compare(column[given], wanted), bool)
    return mask


def _attribute(node: Any) -> str:  # noqa: ANN401
    if not isinstance(node, ast.Attribute):
        raise BadFilter("a property is expected before the comparison")
    return str(node.name)


_ID = Field("id", "")


def _column(table: Table, name: str) -> tuple[Field, Objects]:
    plain = local(name)
    if plain == "id":
        return _ID, table.ids
    for field in table.layer.fields:
        if field.name == plain:
            return field, table.columns[plain]
    raise BadFilter(f"no property '{plain[:_SHOWN]}' in {table.layer.name}")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _typed(field: Field, value: Any) -> Any:  # noqa: ANN401
    """The value as this column holds values. Raises BadFilter."""
    if not isinstance(value, str | int | float | date):
        raise BadFilter(f"{field.name}: a value is expected beside it")
    try:
        return _TYPED[field.kind](value)
    except (ValueError, TypeError, OverflowError, KeyError):
        raise BadFilter(f"{field.name}: '{str(value)[:_SHOWN]}' is no {field.kind}") from None


def _flag(value: Any) -> bool:  # noqa: ANN401
    return (
        value if isinstance(value, bool) else {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
    )


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _number(value: Any) -> float:  # noqa: ANN401
    number = float(value)
    if np.isnan(number):
        raise ValueError(value)
    return number


def _instant(value: Any) -> datetime:  # noqa: ANN401
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=SHANGHAI)
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


def _day(value: Any) -> date:  # noqa: ANN401
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value).strip()[:10])


def _word(value: Any) -> str:  # noqa: ANN401
    return ("true" if value else "false") if isinstance(value, bool) else _text(value)


_TYPED: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _word, Kind.WHOLE: _number, Kind.NUMBER: _number, Kind.FLAG: _flag,
    Kind.INSTANT: _instant, Kind.DAY: _day,
}  # fmt: skip


# --- times ---


def _temporal(node: Any, table: Table) -> Mask:  # noqa: ANN401
    attribute, literal, kind = node.lhs, node.rhs, type(node)
    if not isinstance(attribute, ast.Attribute):
        raise BadFilter("a property is expected before a time")
    if _column(table, attribute.name)[0].kind not in (Kind.INSTANT, Kind.DAY):
        raise BadFilter(f"'{attribute.name[:_SHOWN]}' is no time")
    span = (literal.start, literal.end) if isinstance(literal, values.Interval) else (literal, literal)
    tests = _TIMES.get(kind)
    if tests is None:
        raise BadFilter(f"{kind.__name__} is not supported")
    mask = np.ones(len(table), bool)
    for compare, end in tests:
        bound = span[end]
        if bound is not None and bound != "..":
            mask &= _asked(table, attribute.name, compare, bound)
    return mask


_TIMES: Mapping[type, tuple[tuple[Callable[[Any, Any], Any], int], ...]] = {
    ast.TimeBefore: ((operator.lt, 0),), ast.TimeAfter: ((operator.gt, 1),), ast.TimeEquals: ((operator.eq, 0),),
    ast.TimeDuring: ((operator.gt, 0), (operator.lt, 1)), ast.TimeBegins: ((operator.eq, 0),),
    ast.TimeEnds: ((operator.eq, 1),), ast.TimeBeforeOrDuring: ((operator.le, 1),),
    ast.TimeDuringOrAfter: ((operator.ge, 0),),
}  # fmt: skip
"""What an instant must be to the beginning (0) and the end (1) of the time it is compared with."""


# --- places ---

_SPATIAL: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.GeometryIntersects: shapely.intersects, ast.GeometryContains: shapely.within,
    ast.GeometryWithin: shapely.contains, ast.GeometryTouches: shapely.touches, ast.GeometryCrosses: shapely.crosses,
    ast.GeometryOverlaps: shapely.overlaps, ast.GeometryEquals: shapely.equals,
}  # fmt: skip
"""What the shape is to the features, the other way round: the one that is asked many times is prepared."""


def _spatial(node: Any, table: Table) -> Mask:  # noqa: ANN401
    _geometric(node.lhs)
    shape = _shape(node.rhs)
    if isinstance(node, ast.GeometryDisjoint):
        return ~_related(shapely.intersects, shape, table)
    return _related(_SPATIAL[type(node)], shape, table)


def _box(node: Any, table: Table) -> Mask:  # noqa: ANN401
    _geometric(node.lhs)
    return _related(shapely.intersects, shapely.box(node.minx, node.miny, node.maxx, node.maxy), table)


def _related(relate: Callable[[Any, Any], Any], shape: Any, table: Table) -> Mask:  # noqa: ANN401
    """What the relation says. Only features whose box meets that of the shape are looked at."""
    mask = _meeting(table, shapely.bounds(shape))
    shapely.prepare(shape)
    mask[mask] = relate(shape, table.geometry[mask])
    return mask


def _meeting(table: Table, box: Iterable[float]) -> Mask:
    west, south, east, north = box
    low_x, low_y, high_x, high_y = table.bounds.T
    mask: Mask = (high_x >= west) & (low_x <= east) & (high_y >= south) & (low_y <= north)
    return mask


def _near(node: Any, table: Table) -> Mask:  # noqa: ANN401
    """Distances in metres, on a plane through the shape: good for some kilometres."""
    _geometric(node.lhs)
    shape, metres = _shape(node.rhs), _metres(node.distance, node.units)
    scale = np.array([_METRES_A_DEGREE * np.cos(np.radians(shape.centroid.y)), _METRES_A_DEGREE])

    def plane(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        moved: npt.NDArray[np.float64] = points * scale
        return moved

    (west, south, east, north), (wide, high) = shapely.bounds(shape), metres / scale
    near: Mask = _meeting(table, (west - wide, south - high, east + wide, north + high))
    flat = shapely.transform(shape, plane)
    shapely.prepare(flat)
    near[near] = shapely.dwithin(flat, shapely.transform(table.geometry[near], plane), metres)
    return near if isinstance(node, ast.DistanceWithin) else ~near


_UNITS = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0, "kilometers": 1000.0,
          "urn:ogc:def:uom:epsg::9001": 1.0, "http://www.opengis.net/def/uom/ogc/1.0/metre": 1.0}  # fmt: skip


def _metres(distance: object, unit: str) -> float:
    try:
        metres = float(str(distance)) * _UNITS[str(unit).lower()]
    except (KeyError, ValueError):
        metres = np.nan
    if not np.isfinite(metres) or metres < 0:
        raise BadFilter(f"distance '{str(distance)[:_SHOWN]} {str(unit)[:_SHOWN]}': a number of m or km is expected")
    return metres


def _geometric(node: Any) -> None:  # noqa: ANN401
    if local(_attribute(node)) not in GEOMETRY:
        raise BadFilter(f"'{_attribute(node)[:_SHOWN]}' is no geometry; it is called geometry")


def _shape(value: Any) -> Any:  # noqa: ANN401
    """The shape in CGCS2000 degrees. Raises BadFilter."""
    try:
        shape = value if isinstance(value, shapely.Geometry) else shapely.geometry.shape(value.__geo_interface__)
    except (AttributeError, ValueError, TypeError, shapely.errors.ShapelyError):
        raise BadFilter("a shape is expected") from None
    if not shapely.is_valid(shape):
        raise BadFilter(f"the shape is broken: {shapely.is_valid_reason(shape)[:_SHOWN]}")
    return shape


_NODES: Mapping[Any, Callable[[Any, Table], Mask]] = {
    ast.And: _and, ast.Or: _or, ast.Not: _not, ast.Include: _everything, ast.Comparison: _compared,
    ast.Between: _between, ast.In: _in, ast.Like: _like, ast.IsNull: _null, ast.TemporalPredicate: _temporal,
    ast.SpatialComparisonPredicate: _spatial, ast.BBox: _box, ast.SpatialDistancePredicate: _near,
}  # fmt: skip
