"""Filters as CQL2 JSON (OGC 21-065), read into the tree that CQL2 text gives too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import shapely
from pygeofilter import ast, values

from maps.crs import Crs
from maps.filtering.cql2 import (
    COMPARISONS,
    SPATIAL,
    TEMPORAL,
    CaseInsensitive,
    alike,
    balanced,
    box,
    either_case,
    placed,
    timed,
)
from maps.filtering.problem import BadFilter
from maps.limits import Limits

_SHOWN = 40
_TWO, _THREE = 2, 3


def read(text: str, crs: Crs, limits: Limits) -> Any:  # noqa: ANN401 pygeofilter's nodes
    """The tree. `crs`: of its shapes. Raises BadFilter."""
    if len(text) > limits.body:
        raise BadFilter(f"longer than {limits.body} letters")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadFilter("not JSON") from None
    return _Reader(crs, limits).condition(document)


@dataclass(slots=True)
class _Reader:
    crs: Crs
    limits: Limits
    depth: int = 0
    terms: int = 0

    def condition(self, node: Any) -> Any:  # noqa: ANN401
        """One condition."""
        if isinstance(node, bool):
            return ast.Include(not node)
        self._count()
        op, parts = _operation(node)
        self.depth += 1
        if self.depth > self.limits.depth:
            raise BadFilter(f"conditions lie more than {self.limits.depth} deep")
        made = self._made(op, parts)
        self.depth -= 1
        return made

    def _made(self, op: str, parts: list[Any]) -> Any:  # noqa: ANN401
        if op in ("and", "or") and parts:
            return balanced([self.condition(one) for one in parts], ast.And if op == "and" else ast.Or)
        if op == "not" and len(parts) == 1:
            return ast.Not(self.condition(parts[0]))
        if op == "isNull" and len(parts) == 1:
            return ast.IsNull(self.value(parts[0]), False)
        if op in _RANGED:
            return _RANGED[op](self, parts)
        if len(parts) != _TWO:
            raise BadFilter(f"{op[:_SHOWN]} of {len(parts)} is not supported")
        left, right = map(self.value, parts)
        if op in COMPARISONS:
            return alike(COMPARISONS[op], left, right)
        if op.upper() in SPATIAL:
            return SPATIAL[op.upper()](left, right)
        if op.upper() in TEMPORAL:
            return timed(op.upper(), left, right)
        raise BadFilter(f"{op[:_SHOWN]} is not supported")

    def between(self, parts: list[Any]) -> Any:  # noqa: ANN401
        """A value between two others, ends included."""
        flat = [*parts[:1], *parts[1]] if len(parts) == _TWO and isinstance(parts[1], list) else parts
        if len(flat) != _THREE:
            raise BadFilter("between: a property and two values are expected")
        left, low, high = map(self.value, flat)
        return ast.Between(left, low, high, False)

    def among(self, parts: list[Any]) -> Any:  # noqa: ANN401
        """A value in a list."""
        if len(parts) != _TWO or not isinstance(parts[1], list) or not parts[1]:
            raise BadFilter("in: a property and a list are expected")
        left, options = self.value(parts[0]), [self.value(one) for one in parts[1]]
        if isinstance(left, CaseInsensitive):
            return balanced([alike(ast.Equal, left, one) for one in options], ast.Or)
        return ast.In(left, options, False)

    def like(self, parts: list[Any]) -> Any:  # noqa: ANN401
        """A pattern with % and _."""
        if len(parts) != _TWO:
            raise BadFilter("like: a property and a pattern are expected")
        return either_case(self.value(parts[0]), self.value(parts[1]))

    def value(self, node: Any) -> Any:  # noqa: ANN401
        """A property, a literal, a time or a shape."""
        self._count()
        if isinstance(node, str | int | float):
            return node
        if not isinstance(node, Mapping):
            raise BadFilter("a value is expected")
        if isinstance(node.get("property"), str):
            return ast.Attribute(node["property"])
        if node.get("op") == "casei" and isinstance(node.get("args"), list) and len(node["args"]) == 1:
            [inner] = node["args"]
            if not isinstance(inner, str) and not (isinstance(inner, Mapping) and "property" in inner):
                raise BadFilter("casei: a property or a text is expected")
            return CaseInsensitive(self.value(inner))
        for name in ("timestamp", "date"):
            if isinstance(node.get(name), str):
                return node[name]
        if "interval" in node:
            return _interval(node["interval"])
        if isinstance(node.get("bbox"), list):
            return box(node["bbox"], self.crs)
        if "type" in node:
            return placed(lambda: shapely.from_geojson(orjson.dumps(node)), self.crs, self.limits)
        raise BadFilter(f"a value cannot be read: {', '.join(map(str, node))[:_SHOWN]}")

    def _count(self) -> None:
        self.terms += 1
        if self.terms > self.limits.terms:
            raise BadFilter(f"more than {self.limits.terms} conditions and values")


_RANGED: dict[str, Callable[[_Reader, list[Any]], Any]] = {
    "between": _Reader.between, "in": _Reader.among, "like": _Reader.like,
}  # fmt: skip


def _operation(node: Any) -> tuple[str, list[Any]]:  # noqa: ANN401
    if not isinstance(node, Mapping) or not isinstance(node.get("op"), str) or not isinstance(node.get("args"), list):
        raise BadFilter('a condition is expected: {"op": ..., "args": [...]}')
    return node["op"], node["args"]


def _interval(ends: Any) -> values.Interval:  # noqa: ANN401
    if not isinstance(ends, list) or len(ends) != _TWO or not all(isinstance(one, str) for one in ends):
        raise BadFilter("interval: two times are expected")
    begin, end = (None if one == ".." else one for one in ends)
    return values.Interval(begin, end)
