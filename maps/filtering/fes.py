"""Filters in XML: FES 2.0, and the Filter Encoding 1.1 that older clients send, read into pygeofilter's tree.

pygeofilter's own reader wants a type on each literal and knows neither ResourceId nor a box without a property; real
clients send all of these.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree
from pygeofilter import ast, values

from maps.crs import Crs
from maps.filtering.evaluate import GEOMETRY
from maps.filtering.problem import BadFilter
from maps.filtering.shapes import shape_of
from maps.limits import Limits
from maps.writing.identity import ids_meant

_PARSER = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
}


def document(body: bytes) -> etree._Element:
    """The root of XML from outside: no entities, no DTD, no network. Raises BadFilter."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadFilter("a document type is not read")
    try:
        return etree.fromstring(body, etree.XMLParser(**_PARSER))  # type: ignore[arg-type]
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadFilter(f"not XML: {str(error)[:120]}") from None


def filter_of(node: etree._Element, crs: Crs, limits: Limits) -> Any:  # noqa: ANN401
    """The tree of a Filter element. `crs`: of geometries that name none. Raises BadFilter."""
    if sum(1 for _ in node.iter()) > limits.terms:
        raise BadFilter(f"more than {limits.terms} elements")
    return _Reader(crs, limits).all_of(node)


class _Reader:
    def __init__(self, crs: Crs, limits: Limits) -> None:
        self._crs, self._limits, self._depth = crs, limits, 0

    def all_of(self, node: etree._Element) -> Any:  # noqa: ANN401
        """What a Filter holds: one condition, or ids."""
        children = _children(node)
        ids = [one for one in children if _name(one) in _IDS]
        if ids:
            if len(ids) != len(children):
                raise BadFilter("ids and conditions stand in one filter")
            return ast.In(ast.Attribute("id"), [meant for one in ids for meant in ids_meant(_id_of(one))], False)
        if len(children) != 1:
            raise BadFilter(f"one condition is expected in Filter, not {len(children)}")
        return self.condition(children[0])

    def condition(self, node: etree._Element) -> Any:  # noqa: ANN401
        """One condition."""
        self._depth += 1
        if self._depth > self._limits.depth:
            raise BadFilter(f"conditions lie more than {self._limits.depth} deep")
        name = _name(node)
        read = _CONDITIONS.get(name)
        if read is None:
            raise BadFilter(f"{name[:60]} is not supported")
        made = read(self, node)
        self._depth -= 1
        return made

    def several(self, node: etree._Element, kind: type) -> Any:  # noqa: ANN401
        """Two or more conditions, as a tree that is as flat as can be."""
        parts = [self.condition(one) for one in _children(node)]
        if not parts:
            raise BadFilter(f"{_name(node)} holds no condition")
        while len(parts) > 1:
            parts = [kind(*parts[at : at + 2]) if at + 1 < len(parts) else parts[at] for at in range(0, len(parts), 2)]
        return parts[0]

    def value(self, node: etree._Element) -> Any:  # noqa: ANN401
        """A property, a literal, a time or a shape."""
        name = _name(node)
        if name in ("ValueReference", "PropertyName"):
            return ast.Attribute((node.text or "").strip())
        if name == "Literal":
            inner = _children(node)
            return self.value(inner[0]) if inner else (node.text or "")
        if name in ("TimeInstant", "TimePeriod"):
            return _time(node)
        if name == "Function":
            raise BadFilter("functions are not supported")
        return shape_of(node, self._crs)

    def two(self, node: etree._Element) -> tuple[Any, Any]:
        """The two sides of a comparison."""
        children = _children(node)
        if len(children) != len(("left", "right")):
            raise BadFilter(f"{_name(node)}: two values are expected")
        return self.value(children[0]), self.value(children[1])

    def compared(self, node: etree._Element, kind: type) -> Any:  # noqa: ANN401
        """A comparison; `matchCase="false"` compares letters whatever their case."""
        left, right = self.two(node)
        if node.get("matchCase") == "false" and kind is ast.Equal and isinstance(right, str):
            return ast.Like(left, _quoted(right), True, "\0", "\1", "\\", False)
        return kind(left, right)

    def like(self, node: etree._Element) -> Any:  # noqa: ANN401
        """A pattern, with the wildcards that the element names."""
        left, right = self.two(node)
        escape = node.get("escapeChar") or node.get("escape") or "\\"
        nocase = node.get("matchCase") == "false"
        return ast.Like(left, right, nocase, node.get("wildCard") or "*", node.get("singleChar") or "?", escape, False)

    def between(self, node: etree._Element) -> Any:  # noqa: ANN401
        """A value between two others, ends included."""
        parts = _children(node)
        if [_name(one) for one in parts[1:]] != ["LowerBoundary", "UpperBoundary"]:
            raise BadFilter(f"{_name(node)}: a value, LowerBoundary and UpperBoundary are expected")
        low, high = (self._only(one) for one in parts[1:])
        return ast.Between(self.value(parts[0]), self.value(low), self.value(high), False)

    def null(self, node: etree._Element) -> Any:  # noqa: ANN401
        """A missing value."""
        return ast.IsNull(self.value(self._only(node)), False)

    def _only(self, node: etree._Element) -> etree._Element:
        children = _children(node)
        if len(children) != 1:
            raise BadFilter(f"{_name(node)}: one value is expected")
        return children[0]

    def spatial(self, node: etree._Element, kind: type) -> Any:  # noqa: ANN401
        """A property and a shape; the property may be left out."""
        children = _children(node)
        attribute = next((one for one in children if _name(one) in ("ValueReference", "PropertyName")), None)
        shapes = [one for one in children if one is not attribute and _name(one) != "Distance"]
        if len(shapes) != 1:
            raise BadFilter(f"{_name(node)}: one shape is expected")
        name = ast.Attribute((attribute.text or "").strip() if attribute is not None else "geometry")
        shape = shape_of(shapes[0], self._crs)
        if kind in (ast.DistanceWithin, ast.DistanceBeyond):
            distance = next((one for one in children if _name(one) == "Distance"), None)
            if distance is None:
                raise BadFilter(f"{_name(node)}: Distance is missing")
            unit = distance.get("uom") or distance.get("units") or "m"
            return kind(name, shape, (distance.text or "").strip(), unit)
        return kind(name, shape)


_COMPARISONS: Mapping[str, type] = {
    "PropertyIsEqualTo": ast.Equal, "PropertyIsNotEqualTo": ast.NotEqual, "PropertyIsLessThan": ast.LessThan,
    "PropertyIsGreaterThan": ast.GreaterThan, "PropertyIsLessThanOrEqualTo": ast.LessEqual,
    "PropertyIsGreaterThanOrEqualTo": ast.GreaterEqual, "After": ast.TimeAfter, "Before": ast.TimeBefore,
    "During": ast.TimeDuring, "TEquals": ast.TimeEquals, "Begins": ast.TimeBegins, "Ends": ast.TimeEnds,
}  # fmt: skip
_SPATIAL: Mapping[str, type] = {
    "BBOX": ast.GeometryIntersects, "Intersects": ast.GeometryIntersects, "Within": ast.GeometryWithin,
    "Contains": ast.GeometryContains, "Disjoint": ast.GeometryDisjoint, "Touches": ast.GeometryTouches,
    "Crosses": ast.GeometryCrosses, "Overlaps": ast.GeometryOverlaps, "Equals": ast.GeometryEquals,
    "DWithin": ast.DistanceWithin, "Beyond": ast.DistanceBeyond,
}  # fmt: skip
_IDS = frozenset({"ResourceId", "FeatureId", "GmlObjectId"})
COMPARISONS, SPATIAL = tuple(name for name in _COMPARISONS if name.startswith("P")), tuple(_SPATIAL)
TEMPORAL = tuple(name for name in _COMPARISONS if not name.startswith("P"))

_CONDITIONS: Mapping[str, Callable[[_Reader, etree._Element], Any]] = {
    "And": lambda reader, node: reader.several(node, ast.And),
    "Or": lambda reader, node: reader.several(node, ast.Or),
    "Not": lambda reader, node: ast.Not(reader.several(node, ast.And)),
    "PropertyIsLike": _Reader.like, "PropertyIsBetween": _Reader.between, "PropertyIsNull": _Reader.null,
    "PropertyIsNil": _Reader.null,
} | {
    name: (lambda reader, node, kind=kind: reader.compared(node, kind)) for name, kind in _COMPARISONS.items()
} | {
    name: (lambda reader, node, kind=kind: reader.spatial(node, kind)) for name, kind in _SPATIAL.items()
}  # fmt: skip


def _children(node: etree._Element) -> list[etree._Element]:
    return [one for one in node if isinstance(one.tag, str)]


def _name(node: etree._Element) -> str:
    return etree.QName(node).localname


def _id_of(node: etree._Element) -> str:
    return node.get("rid") or node.get("fid") or node.get("{http://www.opengis.net/gml/3.2}id") or ""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\")


def _time(node: etree._Element) -> Any:  # noqa: ANN401
    texts = [(one.text or "").strip() for one in node.iter("{*}timePosition", "{*}beginPosition", "{*}endPosition")]
    if _name(node) == "TimeInstant" and len(texts) == 1:
        return texts[0]
    if len(texts) == len(("begin", "end")):
        return values.Interval(*texts)
    raise BadFilter(f"{_name(node)}: its positions are missing")


assert "geometry" in GEOMETRY  # what a box without a property is asked of
