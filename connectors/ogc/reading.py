"""Capabilities documents into the model. Cleaned here first, then OWSLib reads them; it is never given an address."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.error import URLError

from lxml import etree
from owslib.feature.wfs100 import WebFeatureService_1_0_0
from owslib.feature.wfs110 import WebFeatureService_1_1_0
from owslib.feature.wfs200 import WebFeatureService_2_0_0
from owslib.map.wms111 import WebMapService_1_1_1
from owslib.map.wms130 import WebMapService_1_3_0
from owslib.util import ServiceException
from owslib.wmts import WebMapTileService

from canonical.errors import ContractViolation, Why
from connectors.ogc.axes import north_first, to_degrees
from connectors.ogc.capabilities import Box, Capabilities, Kind, Layer, Matrix, MatrixSet
from connectors.ogc.document import SHOWN, exception_in, local, parsed, without_doctype

MOST_LAYERS = 20_000
_LONGEST = 300
_NOWHERE = "http://nowhere.invalid/"
"""OWSLib wants an address. It must not be one that answers."""
_SLACK = 1e-3
"""Degrees by which the edge of the world may be missed: servers project it there and back."""
_STUMBLES = (
    AttributeError, KeyError, ValueError, TypeError, IndexError, LookupError, ArithmeticError, NotImplementedError,
    RuntimeError, RecursionError, etree.LxmlError, ServiceException, URLError,
)  # fmt: skip
"""What OWSLib raises where a document lacks what the standard asks for."""

Read = Callable[[etree._Element, str], Capabilities]
_Named = Mapping[str, list[tuple[str, tuple[float, ...]]]]


def read(body: bytes) -> Capabilities:
    """The service that this document describes. Raises ContractViolation with one text that says what it is instead."""
    if said := exception_in(body):
        raise ContractViolation(f"an exception, not capabilities: {said[:SHOWN]}")
    root = parsed(body)
    name, version = local(root), root.get("version") or ""
    reader = _READERS.get(name)
    if reader is None or (name == "Capabilities" and "/wmts/" not in str(etree.QName(root).namespace)):
        raise ContractViolation(f"no capabilities of a WMS, WMTS or WFS: the document is <{name}>")
    kind, versions = reader
    if version not in versions:
        raise ContractViolation(f"{kind.upper()} version '{version[:20]}' is not read, only {', '.join(versions)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names given twice: the last one counts
            found = versions[version](root, version)
    except _STUMBLES as error:
        where = f"{type(error).__name__}: {str(error)[:100]}"
        raise ContractViolation(f"{kind.upper()} capabilities that lack what the standard asks for ({where})") from None
    if not found.layers:
        raise ContractViolation(f"{kind.upper()} capabilities without any layer that has a name")
    if len(found.layers) > MOST_LAYERS:
        raise ContractViolation(f"more than {MOST_LAYERS} layers", why=Why.TOO_LARGE)
    return found


def _wms(service: Callable[..., Any], known_as: str) -> Read:
    def of(root: etree._Element, version: str) -> Capabilities:
        found = service(_NOWHERE, version=known_as, xml=without_doctype(root))
        asked = next((one for one in found.operations if one.name == "GetMap"), None)
        formats, boxes = _names(asked.formatOptions if asked else ()), _boxes(root, version)
        layers = tuple(_wms_layer(one, formats, boxes) for one in found.contents.values() if one.name)
        return Capabilities(Kind.WMS, version, _text(found.identification.title), layers)

    return of


def _boxes(root: etree._Element, version: str) -> _Named:
    """All boxes of each layer, east first: OWSLib keeps one."""
    found: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
    for layer in root.iter("{*}Layer"):
        name = layer.findtext("{*}Name")
        for box in layer.iterfind("{*}BoundingBox") if name else ():
            crs = box.get("CRS") or box.get("SRS") or ""
            order = _NORTH_FIRST if version == "1.3.0" and north_first(crs) else _EAST_FIRST
            values = tuple(float(box.get(side) or "nan") for side in order)
            found.setdefault(_name(name), []).append((crs, values))
    return found


_EAST_FIRST, _NORTH_FIRST = ("minx", "miny", "maxx", "maxy"), ("miny", "minx", "maxy", "maxx")


def _wms_layer(one: Any, formats: tuple[str, ...], boxes: _Named) -> Layer:  # noqa: ANN401 OWSLib has no types
    dimensions = getattr(one, "dimensions", None) or {}  # of 1.1.1 there are none, but extents
    dimension: Any = next((value for name, value in dimensions.items() if str(name).lower() == "time"), {})
    times = one.timepositions or dimension.get("values") or []
    return Layer(
        name=_name(one.name), title=_text(one.title) or _name(one.name), crs=_names(one.crsOptions or ()),
        box=_box(one.boundingBoxWGS84, boxes.get(_name(one.name), ())), styles=_names(one.styles), formats=formats,
        time=_text(",".join(str(time).strip() for time in times if time)),
    )  # fmt: skip


def _wmts(root: etree._Element, version: str) -> Capabilities:
    found = WebMapTileService(_NOWHERE, version, xml=without_doctype(root))
    sets = tuple(_matrix_set(one) for one in found.tilematrixsets.values())
    crs_of = {one.name: one.crs for one in sets}
    layers = tuple(_wmts_layer(one, crs_of) for one in found.contents.values() if one.name)
    title = getattr(found, "identification", None)
    return Capabilities(Kind.WMTS, version, _text(title.title if title else ""), layers, sets)


def _wmts_layer(one: Any, crs_of: Mapping[str, str]) -> Layer:  # noqa: ANN401
    links = _names(one.tilematrixsetlinks)
    named = [(box.crs, box.extent) for box in one.boundingBox if box.crs]
    templates = [url["template"] for url in one.resourceURLs if url["resourceType"] == "tile"]
    time: Any = next((value for name, value in one.dimensions.items() if str(name).lower() == "time"), {})
    styles = sorted(one.styles.items(), key=lambda style: not style[1]["isDefault"])
    return Layer(
        name=_name(one.name), title=_text(one.title) or _name(one.name),
        crs=_names(crs_of[link] for link in links if link in crs_of),
        box=_box(getattr(one, "boundingBoxWGS84", None), named), styles=_names(name for name, _ in styles),
        formats=_names(one.formats), matrix_sets=links, templates=_names(templates, longest=2000),
        time=_text(",".join(map(str, time.get("values", ())))),
    )  # fmt: skip


def _matrix_set(one: Any) -> MatrixSet:  # noqa: ANN401
    matrices = tuple(
        Matrix(
            _name(level.identifier), float(level.scaledenominator),
            (float(level.topleftcorner[0]), float(level.topleftcorner[1])),
            (int(level.tilewidth), int(level.tileheight)), (int(level.matrixwidth), int(level.matrixheight)),
        )
        for level in one.tilematrix.values()
    )  # fmt: skip
    return MatrixSet(_name(one.identifier), _text(one.crs), matrices)


def _wfs(service: Callable[..., Any]) -> Read:
    def of(root: etree._Element, version: str) -> Capabilities:
        found = service(_NOWHERE, version, without_doctype(root), False)
        layers = tuple(_feature_type(one) for one in found.contents.values() if one.id)
        return Capabilities(Kind.WFS, version, _text(found.identification.title), layers)

    return of


def _feature_type(one: Any) -> Layer:  # noqa: ANN401
    return Layer(
        name=_name(one.id), title=_text(one.title) or _name(one.id),
        crs=_names(crs.id for crs in (one.crsOptions or ()) if crs is not None),
        box=_box(one.boundingBoxWGS84, ()), formats=_names(getattr(one, "outputFormats", None) or ()),
    )  # fmt: skip


def _box(said: Any, others: Iterable[tuple[str, Any]]) -> Box | None:  # noqa: ANN401
    """The box in degrees; where it cannot be one (SuperMap writes metres there), made of the box in another CRS."""
    if (found := _on_the_globe(said)) is not None:
        return found
    for crs, box in others:
        moved = to_degrees(str(crs), box)
        if moved is not None and (found := _on_the_globe(moved)) is not None:
            return found
    return None


def _on_the_globe(box: Any) -> Box | None:  # noqa: ANN401
    if box is None or len(box) < 4:
        return None
    west, south, east, north = (float(value) for value in box[:4])
    if not all(map(math.isfinite, (west, south, east, north))) or west > east or south > north:
        return None
    if west < -180 - _SLACK or east > 180 + _SLACK or south < -90 - _SLACK or north > 90 + _SLACK:
        return None
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def _names(values: Iterable[Any], *, longest: int = _LONGEST) -> tuple[str, ...]:
    """Each once, in the server's order."""
    return tuple(dict.fromkeys(text for value in values if value and (text := str(value).strip()[:longest])))


def _name(value: object) -> str:
    return str(value).strip()[:_LONGEST]


def _text(value: object) -> str:
    return " ".join(str(value or "").split())[:_LONGEST]


_WMS = {
    "1.1.0": _wms(WebMapService_1_1_1, "1.1.1"), "1.1.1": _wms(WebMapService_1_1_1, "1.1.1"),
    "1.3.0": _wms(WebMapService_1_3_0, "1.3.0"),
}  # fmt: skip
_READERS: Mapping[str, tuple[Kind, Mapping[str, Read]]] = {
    "WMT_MS_Capabilities": (Kind.WMS, _WMS),
    "WMS_Capabilities": (Kind.WMS, _WMS),  # SuperMap iServer calls its 1.1.1 so
    "Capabilities": (Kind.WMTS, {"1.0.0": _wmts}),
    "WFS_Capabilities": (Kind.WFS, {
        "1.0.0": _wfs(WebFeatureService_1_0_0), "1.1.0": _wfs(WebFeatureService_1_1_0),
        "2.0.0": _wfs(WebFeatureService_2_0_0),
    }),
}  # fmt: skip
