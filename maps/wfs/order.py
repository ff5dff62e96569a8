"""GetFeature and its kin read, from key-value pairs or XML, into one order. What is wrong is a Problem."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import shapely
from lxml import etree
from pygeofilter import ast

from maps.crs import Crs, UnknownCrs, named
from maps.filtering import cql2_text
from maps.filtering.evaluate import local
from maps.filtering.fes import document, filter_of
from maps.filtering.problem import BadFilter
from maps.limits import Limits
from maps.table import Box
from maps.wfs.problem import Problem
from maps.writing.identity import ids_meant

DEFAULT_CRS, LON_LAT = named("urn:ogc:def:crs:EPSG::4490"), named("CRS:84")
FES = "urn:ogc:def:queryLanguage:OGC-FES:Filter"
GML_TYPE, JSON_TYPE, CSV_TYPE = "application/gml+xml; version=3.2", "application/json", "text/csv"
FORMATS: Mapping[str, str] = {
    GML_TYPE: "gml", "text/xml; subtype=gml/3.2": "gml", "application/xml; subtype=gml/3.2": "gml", "gml32": "gml",
    "text/xml; subtype=gml/3.2.1": "gml", "application/gml+xml": "gml", "gml3": "gml", "text/xml": "gml",
    "application/xml": "gml", JSON_TYPE: "json", "application/geo+json": "json", "json": "json", "geojson": "json",
    CSV_TYPE: "csv", "csv": "csv",
}  # fmt: skip
"""What OUTPUTFORMAT may say, in small letters."""
BY_ID = "urn:ogc:def:query:OGC-WFS::GetFeatureById"
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_SHOWN = 60
_CORNERS = 4


@dataclass(frozen=True, slots=True)
class OneQuery:
    """One query of a GetFeature."""

    type_name: str
    """The layer; empty: whatever the ids say."""
    crs: Crs = DEFAULT_CRS
    properties: tuple[str, ...] = ()
    """Names of columns, and perhaps `geometry`; none: all."""
    window: Box | None = None
    ids: tuple[str, ...] = ()
    condition: Any = None
    """A tree of pygeofilter."""
    sort: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A GetFeature or GetPropertyValue."""

    queries: tuple[OneQuery, ...]
    count: int | None
    start: int
    hits: bool
    format: str
    by_id: bool = False
    """The stored query GetFeatureById: the feature alone is the answer."""
    value: str = ""
    """Of GetPropertyValue: the property."""


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Reads key-value pairs."""

    keys: Mapping[str, str]
    limits: Limits

    def order(self) -> Order:
        """Raises Problem."""
        count = self.keys.get("COUNT") or self.keys.get("MAXFEATURES") or ""
        order = Order(
            self._queries(), _whole("COUNT", count) if count else None,
            _whole("STARTINDEX", self.keys.get("STARTINDEX") or "0"), _hits(self.keys.get("RESULTTYPE", "")),
            format_of(self.keys.get("OUTPUTFORMAT", "")), value=self.keys.get("VALUEREFERENCE", ""),
        )  # fmt: skip
        return replace(order, by_id=True) if "STOREDQUERY_ID" in self.keys else order

    def _queries(self) -> tuple[OneQuery, ...]:
        if "STOREDQUERY_ID" in self.keys:
            return (_stored(self.keys["STOREDQUERY_ID"], self.keys.get("ID", "")),)
        names = self._names()
        filters = _bracketed(self._filter(), len(names), "FILTER")
        properties = _bracketed(self.keys.get("PROPERTYNAME", ""), len(names), "PROPERTYNAME")
        sorts = _bracketed(self.keys.get("SORTBY", ""), len(names), "SORTBY")
        crs = crs_of(self.keys.get("SRSNAME", ""))
        ids = tuple(filter(None, (self.keys.get("RESOURCEID") or self.keys.get("FEATUREID") or "").split(",")))
        if len(ids) > self.limits.terms:
            raise Problem(f"RESOURCEID: more than {self.limits.terms} ids", locator="RESOURCEID")
        shape = self._shape()
        ids = tuple(meant for one in ids for meant in ids_meant(one))
        given = [
            name
            for name, value in (("BBOX", shape is not None), ("FILTER", any(filters)), ("RESOURCEID", ids))
            if value
        ]
        if len(given) > 1:
            raise Problem(f"{' and '.join(given)} exclude each other: put all into FILTER", locator=given[1])
        window = None if shape is None else _around(shape)
        askew = None if shape is None or _upright(shape) else _meeting(shape)
        return tuple(
            OneQuery(
                name, crs, _listed(properties[at]), window, ids, askew or self._condition(filters[at], crs),
                sort_of(sorts[at]),
            )
            for at, name in enumerate(names)
        )  # fmt: skip

    def _names(self) -> list[str]:
        text = self.keys.get("TYPENAMES") or self.keys.get("TYPENAME") or ""
        if not text and (self.keys.get("RESOURCEID") or self.keys.get("FEATUREID")):
            return [""]
        if not text:
            raise Problem("TYPENAMES: missing", "MissingParameterValue", "TYPENAMES")
        names = _bracketed(text, 0, "TYPENAMES")
        if any("," in name for name in names):
            text = "TYPENAMES: joins are not supported; write (a)(b) for several layers"
            raise Problem(text, "OptionNotSupported", "TYPENAMES")
        if len(names) > self.limits.layers:
            raise Problem(f"TYPENAMES: more than {self.limits.layers}", locator="TYPENAMES")
        return [local(name) for name in names]

    def _shape(self) -> shapely.Geometry | None:
        """Of BBOX, in CGCS2000 degrees."""
        text = self.keys.get("BBOX", "")
        if not text:
            return None
        parts = [part.strip() for part in text.split(",")]
        crs = crs_of(parts[_CORNERS], "BBOX") if len(parts) == _CORNERS + 1 else DEFAULT_CRS
        try:
            figures = [float(part) for part in parts[:_CORNERS]]
        except ValueError:
            figures = []
        if len(figures) != _CORNERS or len(parts) > _CORNERS + 1 or not all(map(math.isfinite, figures)):
            raise Problem("BBOX: four numbers and perhaps a CRS are expected", locator="BBOX")
        first, second, third, fourth = figures
        west, south, east, north = (second, first, fourth, third) if crs.north_first else figures
        if west > east or south > north:
            raise Problem("BBOX: the first corner must lie below and left of the second", locator="BBOX")
        return crs.native_shape(west, south, east, north)

    def _filter(self) -> str:
        """FES; or CQL, in the parameter that clients of GeoServer send it in."""
        language = self.keys.get("FILTER_LANGUAGE") or FES
        if language != FES:
            raise Problem(f"FILTER_LANGUAGE: {FES}", locator="FILTER_LANGUAGE")
        if self.keys.get("FILTER") and self.keys.get("CQL_FILTER"):
            raise Problem("FILTER and CQL_FILTER exclude each other", locator="CQL_FILTER")
        return self.keys.get("FILTER") or self.keys.get("CQL_FILTER") or ""

    def _condition(self, text: str, crs: Crs) -> Any:  # noqa: ANN401
        if not text:
            return None
        try:
            if self.keys.get("CQL_FILTER"):
                return cql2_text.read(text, LON_LAT, self.limits)
            return filter_of(document(text.encode()), crs, self.limits)
        except BadFilter as bad:
            raise Problem(f"FILTER: {bad}", "OperationParsingFailed", "FILTER") from None


def _around(shape: shapely.Geometry) -> Box:
    west, south, east, north = (float(one) for one in shapely.bounds(shape))
    return west, south, east, north


def _upright(shape: shapely.Geometry) -> bool:
    return bool(shapely.is_empty(shape) or shapely.equals(shape, shapely.envelope(shape)))


def _meeting(shape: shapely.Geometry) -> ast.GeometryIntersects:
    return ast.GeometryIntersects(ast.Attribute("geometry"), shape)


def order_of(root: etree._Element, limits: Limits) -> Order:
    """A GetFeature or GetPropertyValue element. Raises Problem."""
    queries, by_id = [], False
    if len(root) > limits.layers:
        raise Problem(f"more than {limits.layers} queries", locator="Query")
    for node in root:
        name = etree.QName(node).localname if isinstance(node.tag, str) else ""
        if name == "Query":
            queries.append(_query(node, limits))
        elif name == "StoredQuery":
            values = {one.get("name", "").lower(): "".join(map(str, one.itertext())).strip() for one in node}
            queries.append(_stored(node.get("id", ""), values.get("id", "")))
            by_id = True
    if not queries:
        raise Problem("a Query is missing", "MissingParameterValue", "Query")
    count = root.get("count") or root.get("maxFeatures") or ""
    return Order(
        tuple(queries), _whole("count", count) if count else None, _whole("startIndex", root.get("startIndex", "0")),
        _hits(root.get("resultType", "")), format_of(root.get("outputFormat", "")), by_id,
        root.get("valueReference", ""),
    )  # fmt: skip


def pairs_of(root: etree._Element) -> dict[str, str]:
    """A GetFeature element with one query as key-value pairs, for links to its other pages; else nothing."""
    if [etree.QName(node).localname for node in root if isinstance(node.tag, str)] != ["Query"]:
        return {}
    [node] = root.iterchildren(tag=etree.Element)
    sort = ",".join(" ".join([name, "DESC" if down else "ASC"]) for name, down in _sorted(node))
    pairs = {
        "SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature",
        "TYPENAMES": node.get("typeNames") or node.get("typeName") or "", "SRSNAME": node.get("srsName", ""),
        "OUTPUTFORMAT": root.get("outputFormat", ""), "SORTBY": sort,
        "PROPERTYNAME": ",".join((one.text or "").strip() for one in node.iterchildren("{*}PropertyName")),
        "FILTER": "".join(
            etree.tostring(one, encoding="unicode", with_tail=False) for one in node.iterchildren("{*}Filter")
        ),
    }  # fmt: skip
    return {name: value for name, value in pairs.items() if value}


def _sorted(node: etree._Element) -> list[tuple[str, bool]]:
    made = []
    for part in node.iterfind("{*}SortBy/{*}SortProperty"):
        of = part.findtext("{*}ValueReference") or part.findtext("{*}PropertyName") or ""
        made.append((local(of.strip()), (part.findtext("{*}SortOrder") or "ASC").strip().upper() == "DESC"))
    return made


def _query(node: etree._Element, limits: Limits) -> OneQuery:
    names = (node.get("typeNames") or node.get("typeName") or "").split()
    if not names:
        raise Problem("typeNames: missing", "MissingParameterValue", "typeNames")
    if len(names) > 1 or "," in names[0]:
        raise Problem("typeNames: joins are not supported", "OptionNotSupported", "typeNames")
    crs = crs_of(node.get("srsName", ""))
    properties, condition = [], None
    for one in node:
        name = etree.QName(one).localname if isinstance(one.tag, str) else ""
        if name == "PropertyName":
            properties.append(local((one.text or "").strip()))
        elif name == "Filter":
            try:
                condition = filter_of(one, crs, limits)
            except BadFilter as bad:
                raise Problem(f"Filter: {bad}", "OperationParsingFailed", "Filter") from None
    return OneQuery(local(names[0]), crs, tuple(properties), None, (), condition, tuple(_sorted(node)))


def crs_of(text: str, locator: str = "SRSNAME") -> Crs:
    """The CRS of a name; latitude-first CGCS2000 for none. Raises Problem."""
    try:
        return named(text.strip()) if text.strip() else DEFAULT_CRS
    except UnknownCrs:
        raise Problem(f"{locator}: '{text[:_SHOWN]}' is not offered; see the capabilities", locator=locator) from None


def format_of(text: str) -> str:
    """`gml`, `json` or `csv`. Raises Problem."""
    found = FORMATS.get(
        text.strip().lower().replace(";version", "; version").replace(";subtype", "; subtype") or "gml32"
    )
    if found is None:
        text = f"OUTPUTFORMAT: '{text[:_SHOWN]}' is not written; {GML_TYPE}, {JSON_TYPE} or {CSV_TYPE}"
        raise Problem(text, locator="OUTPUTFORMAT")
    return found


def sort_of(text: str) -> tuple[tuple[str, bool], ...]:
    """`a,b DESC`, `a ASC`, `a+D` as columns with True for descending."""
    made = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, way = part.replace("+", " ").partition(" ")
        made.append((local(name), way.strip().upper() in ("D", "DESC")))
    return tuple(made)


def _stored(query: str, id_: str) -> OneQuery:
    if query not in (BY_ID, "urn:ogc:def:storedQuery:OGC-WFS::GetFeatureById"):
        text = f"STOREDQUERY_ID: no stored query '{query[:_SHOWN]}'; there is {BY_ID}"
        raise Problem(text, locator="STOREDQUERY_ID")
    if not id_:
        raise Problem("ID: missing", "MissingParameterValue", "ID")
    return OneQuery("", ids=ids_meant(id_))


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text.strip()):
        raise Problem(f"{name}: a whole number from 0 on is expected", locator=name)
    return int(text)


def _hits(text: str) -> bool:
    if text.lower() not in ("", "results", "hits"):
        raise Problem("RESULTTYPE: results or hits", locator="RESULTTYPE")
    return text.lower() == "hits"


def _listed(text: str) -> tuple[str, ...]:
    names = tuple(local(one) for one in text.split(",") if one.strip())
    return () if "*" in names else names


def _bracketed(text: str, wanted: int, name: str) -> Sequence[str]:
    """`(a)(b)` as two; otherwise the same for each of `wanted`."""
    text = text.strip()
    parts = text[1:-1].split(")(") if text.startswith("(") and text.endswith(")") else [text] * max(1, wanted)
    if wanted and len(parts) != wanted:
        raise Problem(f"{name}: {len(parts)} for {wanted} of TYPENAMES", locator=name)
    return parts
