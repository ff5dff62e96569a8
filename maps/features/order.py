"""Parameters of a request for items, read into one order. What is wrong is a Problem."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pygeofilter import ast

from maps.atlas import Interval
from maps.crs import CODES, Crs, UnknownCrs, named
from maps.features.problem import Problem
from maps.filtering import cql2_json, cql2_text
from maps.filtering.cql2 import balanced, box
from maps.filtering.problem import BadFilter
from maps.limits import Limits
from maps.table import Field, Kind, Layer
from maps.when import interval

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS_NAMES = (CRS84, *(f"http://www.opengis.net/def/crs/EPSG/0/{code}" for code in CODES))
LANGUAGES: Mapping[str, Callable[[str, Crs, Limits], Any]] = {
    "cql2-text": cql2_text.read, "cql2-json": cql2_json.read,
}  # fmt: skip
PLAIN = frozenset({
    "f", "limit", "offset", "bbox", "bbox-crs", "crs", "datetime", "filter", "filter-lang", "filter-crs", "sortby",
    "properties",
})  # fmt: skip
"""Parameters of items besides the columns."""
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Items:
    """What is asked of one collection."""

    crs: Crs
    limit: int
    offset: int
    when: Interval | None
    condition: Any
    """A tree of pygeofilter; None: no condition."""
    sort: tuple[tuple[str, bool], ...]
    """Columns, each with True for descending."""
    properties: tuple[str, ...] | None
    """Columns to show; None: all."""


def single(pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> dict[str, str]:
    """The parameters by name. Raises Problem where one is doubled, or is none of the known ones."""
    keys: dict[str, str] = {}
    allowed = frozenset(known)
    for name, value in pairs:
        if name not in allowed:
            raise Problem(f"{name[:_SHOWN]}: no such parameter here; there is {', '.join(sorted(allowed))}")
        if keys.setdefault(name, value) != value:
            raise Problem(f"{name}: given twice, with two values")
    return keys


def items_of(keys: Mapping[str, str], layer: Layer, now: datetime, limits: Limits) -> Items:
    """The order. Raises Problem."""
    conditions = [*_boxed(keys), *_filtered(keys, limits), *_by_property(keys, layer)]
    return Items(
        crs=crs_of(keys, "crs"),
        limit=min(_whole(keys, "limit", limits.page, least=1), limits.features),
        offset=_whole(keys, "offset", 0),
        when=when_of(keys, now),
        condition=balanced(conditions, ast.And) if conditions else None,
        sort=tuple(_sort(keys.get("sortby", ""), layer)),
        properties=_properties(keys.get("properties"), layer),
    )


def crs_of(keys: Mapping[str, str], name: str) -> Crs:
    """The CRS that a parameter names; longitude and latitude without one. Raises Problem."""
    text = keys.get(name) or CRS84
    try:
        crs = named(text)
    except UnknownCrs:
        raise Problem(f"{name}: '{text[:_SHOWN]}' is not offered; the collection tells which are") from None
    if text not in CRS_NAMES:
        raise Problem(f"{name}: an address is expected, such as {CRS_NAMES[1]}")
    return crs


def _boxed(keys: Mapping[str, str]) -> list[Any]:
    text, crs = keys.get("bbox"), crs_of(keys, "bbox-crs")
    if text is None:
        return []
    try:
        shape = box([float(one) for one in text.split(",")], crs)
    except ValueError:
        raise Problem("bbox: four numbers with commas are expected") from None
    except BadFilter as bad:
        raise Problem(f"bbox: {bad}") from None
    return [ast.GeometryIntersects(ast.Attribute("geometry"), shape)]


def _filtered(keys: Mapping[str, str], limits: Limits) -> list[Any]:
    crs, language = crs_of(keys, "filter-crs"), keys.get("filter-lang", "cql2-text")
    read = LANGUAGES.get(language)
    if read is None:
        raise Problem(f"filter-lang: '{language[:_SHOWN]}' is not read; {' or '.join(LANGUAGES)}")
    return [read(keys["filter"], crs, limits)] if keys.get("filter") else []


def _by_property(keys: Mapping[str, str], layer: Layer) -> list[Any]:
    """`stage=filed`; commas part values of which one will do. GDAL asks so for a text that has a comma itself."""
    return [
        ast.In(ast.Attribute(field.name), _values(keys[field.name], field), False)
        for field in layer.fields
        if field.name in keys
    ]


def _values(text: str, field: Field) -> list[str]:
    return [*text.split(","), *([text] if field.kind is Kind.TEXT else [])]


def when_of(keys: Mapping[str, str], now: datetime) -> Interval | None:
    """What `datetime` says: an instant is a second; otherwise as everywhere in these services. Raises Problem."""
    text = keys.get("datetime", "")
    if not text:
        return None
    try:
        if "T" in text and "/" not in text:
            begin = datetime.fromisoformat(text)
            if begin.tzinfo is None:
                raise ValueError(text)
            return begin, begin + timedelta(seconds=1)
        return interval(text, now)
    except (ValueError, OverflowError):
        said = "2026-03-16T08:00:00Z, 2026-03-16 or two of these with / between, .. for an open end"
        raise Problem(f"datetime: '{text[:_SHOWN]}' is no time: {said}") from None


def _sort(text: str, layer: Layer) -> Iterable[tuple[str, bool]]:
    """`+stage,-received_at`; in an address + may have become a space."""
    names = {field.name for field in layer.fields}
    for part in filter(None, text.split(",")):
        name = part.lstrip("+- ")
        if name not in names:
            raise Problem(f"sortby: no property '{name[:_SHOWN]}'")
        yield name, part.startswith("-")


def _properties(text: str | None, layer: Layer) -> tuple[str, ...] | None:
    if text is None:
        return None
    names: Sequence[str] = [one for one in text.split(",") if one]
    known = {field.name for field in layer.fields}
    for name in names:
        if name not in known:
            raise Problem(f"properties: no property '{name[:_SHOWN]}'")
    return tuple(names)


def _whole(keys: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
    text = keys.get(name, str(default))
    if not _WHOLE.fullmatch(text) or int(text) < least:
        raise Problem(f"{name}: a whole number from {least} on is expected")
    return int(text)
