"""WMTS 1.0.0 over the base maps: its capabilities and its exceptions. Pure."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from connectors.ogc.pyramid import DEGREES, MERCATOR, TILE, Pyramid
from maps.request import Answer

SETS: Mapping[int, str] = {MERCATOR.crs: "w", DEGREES.crs: "c"}
"""Names of the matrix sets, as Tianditu has them, so that clients made for it need only another address."""
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Capabilities xmlns="http://www.opengis.net/wmts/1.0" '
    'xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">'
)
_ABOUT = (
    "<ows:ServiceIdentification><ows:Title>底图 Base maps</ows:Title><ows:ServiceType>OGC WMTS</ows:ServiceType>"
    "<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion></ows:ServiceIdentification>"
)


class Problem(Exception):
    """An OWS exception."""

    def __init__(self, code: str, text: str, locator: str) -> None:
        super().__init__(text)
        self.code, self.locator = code, locator


def exception(problem: Problem, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """The exception report."""
    locator = f" locator={quoteattr(problem.locator)}" if problem.locator else ""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ExceptionReport xmlns="http://www.opengis.net/ows/1.1" version="1.1.0">'
        f'<Exception exceptionCode="{problem.code}"{locator}>'
        f"<ExceptionText>{escape(str(problem))}</ExceptionText></Exception></ExceptionReport>"
    )
    return Answer("text/xml", body.encode(), status, dict(headers or {}))


def capabilities(sources: Mapping[str, Any], url: str) -> bytes:
    """What there is, asked for by query or by path."""
    gets = "".join(_operation(name, url) for name in ("GetCapabilities", "GetTile"))
    layers = "".join(_layer(name, source, url) for name, source in sources.items())
    zooms: dict[int, set[int]] = {}
    for source in sources.values():
        zooms.setdefault(source.pyramid.crs, set()).update(source.cache.zooms)
    sets = "".join(_set(DEGREES if crs == DEGREES.crs else MERCATOR, sorted(found)) for crs, found in zooms.items())
    return (
        f"{_HEAD}{_ABOUT}<ows:OperationsMetadata>{gets}</ows:OperationsMetadata>"
        f"<Contents>{layers}{sets}</Contents></Capabilities>"
    ).encode()


def _operation(name: str, url: str) -> str:
    return (
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={quoteattr(url + "?")}>'
        '<ows:Constraint name="GetEncoding"><ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues>'
        "</ows:Constraint></ows:Get></ows:HTTP></ows:DCP></ows:Operation>"
    )


def _layer(name: str, source: Any, url: str) -> str:  # noqa: ANN401 a Source, which this must not import
    west, south, east, north = source.cache.box
    kind = "image/jpeg" if "jpeg" in source.registered.service.format else "image/png"
    crs = SETS[source.pyramid.crs]
    template = f"{url}/{name}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}"
    return (
        f"<Layer><ows:Title>{escape(source.registered.title or name)}</ows:Title>"
        f"<ows:Abstract>{escape(source.registered.attribution)}</ows:Abstract>"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{west} {south}</ows:LowerCorner>"
        f"<ows:UpperCorner>{east} {north}</ows:UpperCorner></ows:WGS84BoundingBox>"
        f"<ows:Identifier>{name}</ows:Identifier>"
        '<Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style>'
        f"<Format>{kind}</Format><TileMatrixSetLink><TileMatrixSet>{crs}</TileMatrixSet></TileMatrixSetLink>"
        f'<ResourceURL format="{kind}" resourceType="tile" template={quoteattr(template)}/></Layer>'
    )


def _set(pyramid: Pyramid, zooms: list[int]) -> str:
    corner = "90 -180" if pyramid.degrees else f"{pyramid.west} {pyramid.north}"  # the registry's order of axes
    rows = []
    for zoom in zooms:
        across, down = pyramid.size(zoom)
        rows.append(
            f"<TileMatrix><ows:Identifier>{zoom}</ows:Identifier>"
            f"<ScaleDenominator>{pyramid.scale(zoom)!r}</ScaleDenominator><TopLeftCorner>{corner}</TopLeftCorner>"
            f"<TileWidth>{TILE}</TileWidth><TileHeight>{TILE}</TileHeight>"
            f"<MatrixWidth>{across}</MatrixWidth><MatrixHeight>{down}</MatrixHeight></TileMatrix>"
        )
    return (
        f"<TileMatrixSet><ows:Identifier>{SETS[pyramid.crs]}</ows:Identifier>"
        f"<ows:SupportedCRS>urn:ogc:def:crs:EPSG::{pyramid.crs}</ows:SupportedCRS>{''.join(rows)}</TileMatrixSet>"
    )
