"""Capabilities of both versions, for one scope. Boxes are the city's, made once; nothing is counted or measured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from lxml import etree

from canonical.time import SHANGHAI
from maps.atlas import Atlas
from maps.contact import NOBODY, Contact, wms_contact
from maps.crs import CODES, GAUSS_KRUGER, Crs, named
from maps.limits import Limits
from maps.request import Request
from maps.table import Box
from maps.wms.layer import WmsLayer
from maps.wms.order import FORMATS, INFO_FORMATS
from maps.wms.version import V130, Version

_WMS, _XLINK, _XSI = (
    "http://www.opengis.net/wms", "http://www.w3.org/1999/xlink", "http://www.w3.org/2001/XMLSchema-instance",
)  # fmt: skip
_SCHEMA = f"{_WMS} http://schemas.opengis.net/wms/1.3.0/capabilities_1_3_0.xsd"
_DTD = '<!DOCTYPE WMT_MS_Capabilities SYSTEM "http://schemas.opengis.net/wms/1.1.1/WMS_MS_Capabilities.dtd">'
_REACH = 6.0
"""Degrees from its meridian to which a zone's box of the city is told; farther away its figures mean little."""
_FIRST_DAY = "2020-01-01"


@dataclass(frozen=True, slots=True)
class Face:
    """How the service introduces itself."""

    title: str
    abstract: str
    contact: Contact = NOBODY


@dataclass(frozen=True, slots=True)
class _Writer:
    """One document."""

    version: Version
    request: Request
    limits: Limits
    start: str

    def text(self, parent: etree._Element, name: str, text: str, /, **attributes: str) -> etree._Element:
        node = etree.SubElement(parent, self.name(name), attributes)
        node.text = text
        return node

    def node(self, parent: etree._Element, name: str, /, **attributes: str) -> etree._Element:
        return etree.SubElement(parent, self.name(name), attributes)

    def link(self, parent: etree._Element, url: str) -> None:
        node = etree.SubElement(parent, self.name("OnlineResource"), nsmap={"xlink": _XLINK})
        node.set(f"{{{_XLINK}}}type", "simple")
        node.set(f"{{{_XLINK}}}href", url)

    def name(self, name: str) -> str:
        """Of an element, in the version's namespace."""
        return f"{{{_WMS}}}{name}" if self.version is V130 else name


def capabilities(
    version: Version, face: Face, layers: Mapping[str, WmsLayer], atlas: Atlas, request: Request, limits: Limits
) -> bytes:  # fmt: skip
    """The document, UTF-8."""
    writer = _Writer(version, request, limits, request.start)
    spaces = {None: _WMS, "xlink": _XLINK, "xsi": _XSI} if version is V130 else {}  # the DTD knows none at the root
    root = etree.Element(writer.name(version.root), {"version": version.number}, nsmap=spaces)  # type: ignore[arg-type]
    if version is V130:
        root.set(f"{{{_XSI}}}schemaLocation", _SCHEMA)
    _service(writer, root, face)
    capability = writer.node(root, "Capability")
    _requests(writer, capability)
    exceptions = writer.node(capability, "Exception")
    for way in version.exceptions:
        writer.text(exceptions, "Format", way)
    _root_layer(writer, capability, face, layers.values(), atlas.extent)
    body = etree.tostring(root, encoding="unicode")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' + ("" if version is V130 else f"{_DTD}\n")
    return f"{head}{body}".encode()


def _service(writer: _Writer, root: etree._Element, face: Face) -> None:
    service = writer.node(root, "Service")
    writer.text(service, "Name", "WMS" if writer.version is V130 else "OGC:WMS")
    writer.text(service, "Title", face.title)
    writer.text(service, "Abstract", face.abstract)
    words = writer.node(service, "KeywordList")
    for word in ("网格", "案件", "城市治理", "grid management"):
        writer.text(words, "Keyword", word)
    writer.link(service, writer.start.rstrip("?&"))
    told = wms_contact(face.contact, writer.name(""))
    if told is not None:
        service.append(told)
    writer.text(service, "Fees", "none")
    terms = filter(None, (face.contact.terms, f"scope {writer.request.scope.name}"))
    writer.text(service, "AccessConstraints", "; ".join(terms))
    if writer.version is V130:
        writer.text(service, "LayerLimit", f"{writer.limits.layers}")
        writer.text(service, "MaxWidth", f"{writer.limits.side}")
        writer.text(service, "MaxHeight", f"{writer.limits.side}")


def _requests(writer: _Writer, capability: etree._Element) -> None:
    node = writer.node(capability, "Request")
    legend = [] if writer.version is V130 else [("GetLegendGraphic", ["image/png"])]
    pictures = list(FORMATS)
    asked: Sequence[tuple[str, Sequence[str]]] = [
        ("GetCapabilities", [writer.version.capabilities_type]), ("GetMap", pictures), ("GetFeatureInfo", INFO_FORMATS),
        *legend,
    ]  # fmt: skip
    for name, formats in asked:
        one = writer.node(node, name)
        for format_ in formats:
            writer.text(one, "Format", format_)
        get = writer.node(writer.node(writer.node(one, "DCPType"), "HTTP"), "Get")
        writer.link(get, writer.start)


def _root_layer(
    writer: _Writer, capability: etree._Element, face: Face, layers: Iterable[WmsLayer], extent: Box
) -> None:  # fmt: skip
    root = writer.node(capability, "Layer")
    writer.text(root, "Title", face.title)
    for code in CODES:
        writer.text(root, writer.version.crs, f"EPSG:{code}")
    if writer.version is V130:
        writer.text(root, "CRS", "CRS:84")
    _boxes(writer, root, extent)
    for layer in layers:
        _layer(writer, root, layer)


def _boxes(writer: _Writer, node: etree._Element, extent: Box) -> None:
    west, south, east, north = extent
    if writer.version is V130:
        geographic = writer.node(node, "EX_GeographicBoundingBox")
        for name, value in (
            ("westBoundLongitude", west), ("eastBoundLongitude", east), ("southBoundLatitude", south),
            ("northBoundLatitude", north),
        ):  # fmt: skip
            writer.text(geographic, name, f"{value:.6f}")
    else:
        writer.node(
            node, "LatLonBoundingBox", minx=f"{west:.6f}", miny=f"{south:.6f}", maxx=f"{east:.6f}", maxy=f"{north:.6f}"
        )
    for name, box in _boxes_of(extent, writer.version.by_registry):
        low_x, low_y, high_x, high_y = (f"{value:.6f}" for value in box)
        attributes = {writer.version.crs: name, "minx": low_x, "miny": low_y, "maxx": high_x, "maxy": high_y}
        writer.node(node, "BoundingBox", **attributes)


@lru_cache(16)
def _boxes_of(extent: Box, by_registry: bool) -> tuple[tuple[str, Box], ...]:
    """The city's box in every CRS that can show it well, axes in the order of the version."""
    return tuple(_each_box(extent, by_registry=by_registry))


def _each_box(extent: Box, *, by_registry: bool) -> Iterator[tuple[str, Box]]:
    west, south, east, north = extent
    steps = np.linspace(0.0, 1.0, 21)
    xs, ys = np.meshgrid(west + (east - west) * steps, south + (north - south) * steps)
    points = np.column_stack([xs.ravel(), ys.ravel()])
    names = [f"EPSG:{code}" for code in CODES if _near(code, (west + east) / 2)]
    for name in [*(["CRS:84"] if by_registry else []), *names]:
        crs: Crs = named(name, short_by_registry=by_registry)
        placed = crs.ordered(crs.from_native(points))
        (low_x, low_y), (high_x, high_y) = placed.min(axis=0), placed.max(axis=0)
        yield name, (float(low_x), float(low_y), float(high_x), float(high_y))


def _near(code: int, longitude: float) -> bool:
    if code not in GAUSS_KRUGER:
        return True
    meridian = 75 + 3 * ((code - GAUSS_KRUGER.start) % 21)
    return abs(meridian - longitude) <= _REACH


def _layer(writer: _Writer, root: etree._Element, layer: WmsLayer) -> None:
    node = writer.node(root, "Layer", queryable="1", opaque="0")
    writer.text(node, "Name", layer.name)
    writer.text(node, "Title", layer.title)
    writer.text(node, "Abstract", layer.layer.abstract)
    _boxes(writer, node, layer.layer.extent)
    if layer.layer.timed:
        _time(writer, node)
    for style in layer.styles:
        one = writer.node(node, "Style")
        writer.text(one, "Name", style.name)
        writer.text(one, "Title", style.title)
        legend = writer.node(one, "LegendURL", width="220", height=f"{24 * len(style.parts) + 8}")
        writer.text(legend, "Format", "image/png")
        asked = f"SERVICE=WMS&VERSION={writer.version.number}&REQUEST=GetLegendGraphic&FORMAT=image/png"
        writer.link(legend, f"{writer.start}{asked}&LAYER={layer.name}&STYLE={style.name}")


def _time(writer: _Writer, node: etree._Element) -> None:
    """The days from which on cases can be asked for, up to today."""
    days = f"{_FIRST_DAY}/{writer.request.now.astimezone(SHANGHAI).date().isoformat()}/P1D"
    if writer.version is V130:
        writer.text(node, "Dimension", days, name="time", units="ISO8601", default="current", current="1")
        return
    writer.node(node, "Dimension", name="time", units="ISO8601")
    writer.text(node, "Extent", days, name="time", default="current")
