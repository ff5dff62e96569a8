"""WMTS 1.0.0, by key-value pairs and by REST addresses, with the layers and styles of WMS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

from canonical.time import SHANGHAI
from maps.atlas import Atlas, TooMany
from maps.contact import NOBODY, Contact, ows_constraints, ows_provider
from maps.drawing.cache import Cache
from maps.drawing.painter import Painter
from maps.drawing.picture import Picture, Sheet
from maps.request import Answer, Doubled, Effort, Request
from maps.table import Box
from maps.tiles.matrix import SETS, SIDE, MatrixSet
from maps.when import interval
from maps.wms.layer import WmsLayer, wms_layers
from maps.writing.gml import legal

T = TypeVar("T")
_TYPES = {"image/png": "png", "image/jpeg": "jpeg"}
_ENDINGS = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}
_REST = re.compile(r"/(?P<LAYER>\w{1,60})/(?P<STYLE>\w{1,60})/(?P<TILEMATRIXSET>\w{1,30})/(?P<TILEMATRIX>\d{1,2})"
                   r"/(?P<TILEROW>\d{1,8})/(?P<TILECOL>\d{1,8})\.(?P<ending>png|jpg|jpeg)", re.ASCII)  # fmt: skip
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_SPACES = (
    'xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.opengis.net/wmts/1.0 '
    'http://schemas.opengis.net/wmts/1.0/wmtsGetCapabilities_response.xsd"'
)
_WELL_KNOWN = {"WebMercatorQuad": "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible"}


class Problem(Exception):
    """What is wrong with a request, with a code of OWS Common 1.1 or WMTS."""

    def __init__(self, text: str, code: str = "InvalidParameterValue", locator: str = "", status: int = 400) -> None:
        super().__init__(text)
        self.code, self.locator, self.status = code, locator, status


@dataclass(frozen=True, slots=True)
class WmtsService:
    """Safe to share between threads."""

    atlas: Atlas
    painter: Painter
    title: str
    abstract: str
    contact: Contact = NOBODY
    cache: Cache = field(default_factory=Cache)

    def answer(self, request: Request) -> Answer:
        """The answer to any request; what is wrong with it is an exception report."""
        try:
            return self._answer(request)
        except Problem as problem:
            return _report(problem)
        except Doubled as doubled:
            return _report(Problem(f"{doubled}: given twice, with two values", locator=f"{doubled}"))
        except TooMany as too_many:
            return _report(Problem(f"TIME: {too_many}", locator="TIME"))

    def _answer(self, request: Request) -> Answer:
        if request.path.strip("/") == "1.0.0/WMTSCapabilities.xml":
            return self._capabilities(request)
        if match := _REST.fullmatch(request.path):
            keys = {**request.keys(), **match.groupdict(), "FORMAT": _ENDINGS[match["ending"]]}
            return self._tile(keys, request)
        if request.path:
            raise Problem("there is /1.0.0/WMTSCapabilities.xml and /LAYER/STYLE/SET/Z/ROW/COLUMN.png", status=404)
        if request.method != "GET":
            raise Problem("POST is not read; ask by GET", "OperationNotSupported")
        keys = request.keys()
        if keys.get("SERVICE", "").upper() != "WMTS":
            raise Problem("SERVICE: WMTS is expected", _missing(keys, "SERVICE"), "SERVICE")
        name = keys.get("REQUEST", "")
        if name == "GetCapabilities":
            return self._capabilities(request)
        if name != "GetTile":
            code = "OperationNotSupported" if name else "MissingParameterValue"
            raise Problem("REQUEST: GetCapabilities or GetTile is expected", code, "REQUEST")
        if keys.get("VERSION") != "1.0.0":
            raise Problem("VERSION: 1.0.0 is expected", _missing(keys, "VERSION"), "VERSION")
        return self._tile(keys, request)

    def _tile(self, keys: Mapping[str, str], request: Request) -> Answer:
        layer = _chosen(wms_layers(self.atlas, request.scope), keys, "LAYER", "layer")
        style = layer.style(keys.get("STYLE", ""))
        if style is None:
            raise Problem(f"STYLE: {layer.name} has none of this name", locator="STYLE")
        tiles: MatrixSet = _chosen(SETS, keys, "TILEMATRIXSET", "matrix set")
        level, row, column = (_whole(keys, name) for name in ("TILEMATRIX", "TILEROW", "TILECOL"))
        if not tiles.holds(level, column, row):
            inside = tiles.first <= level <= tiles.last
            locator = "TILEMATRIX" if not inside else "TILEROW" if row >= tiles.rows(level) else "TILECOL"
            code = "TileOutOfRange" if inside else "InvalidParameterValue"
            raise Problem("no such tile in the matrix set", code, locator)
        kind = keys.get("FORMAT") or "image/png"
        if kind not in _TYPES:
            raise Problem(f"FORMAT: {' or '.join(_TYPES)}", locator="FORMAT")
        try:
            when = interval(keys.get("TIME", ""), request.now) if layer.layer.timed else None
        except (ValueError, OverflowError):
            raise Problem("TIME: 2026-03-16, 2026-03 or current is expected", locator="TIME") from None
        picture = Picture(
            (Sheet(layer.layer.name, style),), tiles.crs, tiles.box(level, column, row), SIDE, SIDE, request.scope,
            request.now, when, _TYPES[kind], "#ffffff" if kind == "image/jpeg" else "",
        )  # fmt: skip
        marker = self.atlas.marker(layer.layer.name, request.scope, request.now)
        key = (request.scope, marker, id(style), tiles.name, level, column, row, kind, when)
        body, kept = self.cache.get(key, lambda: self.painter.draw(picture))
        held = f"{'public' if request.scope.public else 'private'}, max-age=10"
        return Answer(kind, body, headers={"cache-control": held}, effort=Effort.of_picture(SIDE * SIDE, kept=kept))

    def _capabilities(self, request: Request) -> Answer:
        layers = "".join(
            _layer(one, request, self.atlas.extent) for one in wms_layers(self.atlas, request.scope).values()
        )  # fmt: skip
        operations = "".join(
            f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={quoteattr(request.start)}>'
            '<ows:Constraint name="GetEncoding"><ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues>'
            "</ows:Constraint></ows:Get></ows:HTTP></ows:DCP></ows:Operation>"
            for name in ("GetCapabilities", "GetTile")
        )
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Capabilities {_SPACES} version="1.0.0">'
            f"<ows:ServiceIdentification><ows:Title>{escape(self.title)}</ows:Title><ows:Abstract>"
            f"{escape(self.abstract)}</ows:Abstract><ows:ServiceType>OGC WMTS</ows:ServiceType>"
            f"<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion>{ows_constraints(self.contact)}"
            f"</ows:ServiceIdentification>{ows_provider(self.title, self.contact)}"
            f"<ows:OperationsMetadata>{operations}</ows:OperationsMetadata>"
            f"<Contents>{layers}{''.join(map(_matrix_set, SETS.values()))}</Contents></Capabilities>\n"
        )
        return Answer("text/xml", body.encode())


def _layer(layer: WmsLayer, request: Request, extent: Box) -> str:
    west, south, east, north = extent
    styles = "".join(
        f"<Style{' isDefault=' + quoteattr('true') if one is layer.styles[0] else ''}><ows:Title>{escape(one.title)}"
        f"</ows:Title><ows:Identifier>{one.name}</ows:Identifier></Style>"
        for one in layer.styles
    )
    today = request.now.astimezone(SHANGHAI).date().isoformat()
    time = (
        "<Dimension><ows:Identifier>TIME</ows:Identifier><ows:UOM>ISO8601</ows:UOM><Default>current</Default>"
        f"<Current>true</Current><Value>current</Value><Value>{today}</Value></Dimension>"
    )
    key = f"?{request.token}" if request.token else ""
    address = f"{request.url}/{layer.name}/{{Style}}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png{key}"
    links = "".join(f"<TileMatrixSetLink><TileMatrixSet>{name}</TileMatrixSet></TileMatrixSetLink>" for name in SETS)
    return (
        f"<Layer><ows:Title>{escape(layer.title)}</ows:Title><ows:Abstract>{escape(layer.layer.abstract)}</ows:Abstract>"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{west:.6f} {south:.6f}</ows:LowerCorner><ows:UpperCorner>{east:.6f} "
        f"{north:.6f}</ows:UpperCorner></ows:WGS84BoundingBox><ows:Identifier>{layer.name}</ows:Identifier>{styles}"
        f"{''.join(f'<Format>{one}</Format>' for one in _TYPES)}{time if layer.layer.timed else ''}{links}"
        f'<ResourceURL format="image/png" resourceType="tile" template={quoteattr(address)}/></Layer>'
    )


def _matrix_set(one: MatrixSet) -> str:
    corner = f"{one.top} {one.left}" if one.crs.degrees else f"{one.left} {one.top}"
    known = f"<WellKnownScaleSet>{_WELL_KNOWN[one.name]}</WellKnownScaleSet>" if one.name in _WELL_KNOWN else ""
    levels = "".join(
        f"<TileMatrix><ows:Identifier>{level}</ows:Identifier><ScaleDenominator>{one.denominator(level):.10f}"
        f"</ScaleDenominator><TopLeftCorner>{corner}</TopLeftCorner><TileWidth>{SIDE}</TileWidth><TileHeight>{SIDE}"
        f"</TileHeight><MatrixWidth>{one.columns(level)}</MatrixWidth><MatrixHeight>{one.rows(level)}</MatrixHeight>"
        "</TileMatrix>"
        for level in range(one.first, one.last + 1)
    )
    crs = f"<ows:SupportedCRS>urn:ogc:def:crs:EPSG::{one.crs.code}</ows:SupportedCRS>"
    return f"<TileMatrixSet><ows:Identifier>{one.name}</ows:Identifier>{crs}{known}{levels}</TileMatrixSet>"


def _chosen(known: Mapping[str, T], keys: Mapping[str, str], name: str, what: str) -> T:
    value = keys.get(name, "")
    if value not in known:
        raise Problem(f"{name}: no {what} '{value[:60]}'; see the capabilities", _missing(keys, name), name)
    return known[value]


def _whole(keys: Mapping[str, str], name: str) -> int:
    text = keys.get(name, "")
    if not _WHOLE.fullmatch(text):
        raise Problem(f"{name}: a whole number is expected", _missing(keys, name), name)
    return int(text)


def _missing(keys: Mapping[str, str], name: str) -> str:
    return "InvalidParameterValue" if keys.get(name) else "MissingParameterValue"


def _report(problem: Problem) -> Answer:
    locator = f" locator={quoteattr(problem.locator)}" if problem.locator else ""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" '
        f'version="1.1.0"><ows:Exception exceptionCode="{problem.code}"{locator}><ows:ExceptionText>'
        f"{escape(legal(str(problem)))}</ows:ExceptionText></ows:Exception></ows:ExceptionReport>\n"
    )
    return Answer("application/xml", body.encode(), status=problem.status)
