"""One registered service: where it is, how it is told who we are, and what is asked of it. Pure: makes addresses.

Addresses are made here and go to the wire at once. The token is added last, by `signed`, and to no other host.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from canonical.errors import Misconfigured
from connectors.ogc.axes import by_registry, code_of, from_degrees, north_first
from connectors.ogc.capabilities import Box, Capabilities, Kind, Matrix
from connectors.ogc.pyramid import TILE, Pyramid, Tile, levels, pyramid_of

Pairs = Sequence[tuple[str, str]]


class TokenPlace(StrEnum):
    """Where the token goes."""

    QUERY = "query"
    HEADER = "header"
    BASIC = "basic"
    """HTTP Basic: the token is `user:password`."""


@dataclass(frozen=True, slots=True)
class Service:
    """How one service is asked."""

    name: str
    kind: Kind
    url: str
    """Without what makes it a request; parameters of its own, as MapServer's `map=`, stay."""
    version: str = ""
    layers: tuple[str, ...] = ()
    crs: str = ""
    matrix_set: str = ""
    style: str = ""
    format: str = "image/png"
    swap_axes: bool = False
    template: str = ""
    """Address of a tile with `{TileMatrix}`, `{TileRow}`, `{TileCol}`, or `{z}`, `{x}`, `{y}`, in it."""
    token: str = field(default="", repr=False)
    token_in: TokenPlace = TokenPlace.QUERY
    token_name: str = "token"  # noqa: S105 its name, not itself
    """Of the query parameter or header."""

    @property
    def origin(self) -> tuple[str, str]:
        """Scheme and host with port: only these get the token."""
        return origin_of(self.url)

    @property
    def asked_version(self) -> str:
        """The version that is asked for."""
        return self.version or {Kind.WMS: "1.3.0", Kind.WMTS: "1.0.0", Kind.WFS: "2.0.0"}[self.kind]

    def signed(self, url: str) -> tuple[str, dict[str, str]]:
        """The address and headers as they go to the wire. Only for the service's own scheme, host and port."""
        if not self.token or origin_of(url) != self.origin:
            return url, {}
        if self.token_in is TokenPlace.HEADER:
            return url, {self.token_name: self.token}
        if self.token_in is TokenPlace.BASIC:
            return url, {"authorization": "Basic " + base64.b64encode(self.token.encode()).decode()}
        return asking(url, [(self.token_name, self.token)]), {}

    def capabilities(self) -> str:
        """The address of the capabilities."""
        return asking(self.url, [("SERVICE", self.kind.upper()), ("REQUEST", "GetCapabilities"),
                                 ("VERSION", self.asked_version)])  # fmt: skip

    def hits(self) -> str:
        """How many features the first type has, of a WFS: a question that costs little."""
        types, count = ("TYPENAMES", "COUNT") if self.asked_version.startswith("2") else ("TYPENAME", "MAXFEATURES")
        pairs = [("SERVICE", "WFS"), ("REQUEST", "GetFeature"), ("VERSION", self.asked_version),
                 (types, self.layers[0] if self.layers else ""), (count, "1")]  # fmt: skip
        if self.asked_version != "1.0.0":
            pairs.append(("RESULTTYPE", "hits"))
        return asking(self.url, pairs)

    def features(self, name: str, start: int | None, count: int) -> str:
        """`count` features of a type from `start` on, as GML, of a WFS; all of them where `start` is None."""
        two = self.asked_version.startswith("2")
        pairs = [("SERVICE", "WFS"), ("REQUEST", "GetFeature"), ("VERSION", self.asked_version),
                 ("TYPENAMES" if two else "TYPENAME", name)]  # fmt: skip
        if start is not None:
            pairs.append(("COUNT", str(count)))
        if start:  # some servers order nothing, and refuse the word even with 0
            pairs.append(("STARTINDEX", str(start)))
        if self.crs:
            pairs.append(("SRSNAME", self.crs))
        return asking(self.url, pairs)

    def map(self, box: Sequence[float], size: tuple[int, int], *, swapped: bool = False) -> str:
        """A picture of x and y, east first, in units of the CRS. `swapped`: with the axes the other way round."""
        west, south, east, north = box
        three = self.asked_version == "1.3.0"
        turned = (three and north_first(self.crs)) != (self.swap_axes != swapped)
        corners = (south, west, north, east) if turned else (west, south, east, north)
        pairs = [
            ("SERVICE", "WMS"), ("REQUEST", "GetMap"), ("VERSION", self.asked_version),
            ("LAYERS", ",".join(self.layers)), ("STYLES", self.style), ("CRS" if three else "SRS", self.crs),
            ("BBOX", ",".join(f"{value:.10g}" if abs(value) < 1000 else f"{value:.4f}" for value in corners)),
            ("WIDTH", str(size[0])), ("HEIGHT", str(size[1])), ("FORMAT", self.format), ("TRANSPARENT", "TRUE"),
            ("EXCEPTIONS", "XML" if three else "application/vnd.ogc.se_xml"),
        ]  # fmt: skip
        return asking(self.url, pairs)

    def map_of(self, box: Box, size: tuple[int, int], *, swapped: bool = False) -> str | None:
        """The same of a box in degrees; None where the CRS cannot show it."""
        moved = box if code_of(self.crs) in {4326, 4490} else from_degrees(self.crs, box)
        return None if moved is None else self.map(moved, size, swapped=swapped)

    @property
    def ambiguous(self) -> bool:
        """True where servers disagree about which axis comes first: WMS 1.3.0 with latitude or northing first."""
        named = north_first(self.crs) and not by_registry(self.crs)
        return self.kind is Kind.WMS and self.asked_version == "1.3.0" and named


@dataclass(frozen=True, slots=True)
class Tiles:
    """How the tiles of one service are asked for."""

    service: Service
    pyramid: Pyramid
    matrices: Mapping[int, Matrix] = field(default_factory=dict)
    """By level, of a WMTS."""

    def address(self, tile: Tile) -> str | None:
        """The address of a tile, unsigned. None: the service has no such level or tile."""
        zoom, column, row = tile
        service = self.service
        if not self.pyramid.has(tile):
            return None
        if service.kind is Kind.WMS:
            return service.map(self.pyramid.box(tile), (TILE, TILE))
        matrix = self.matrices.get(zoom)
        name = matrix.name if matrix else str(zoom)
        if self.matrices and matrix is None:
            return None
        if service.template:
            return filled(service.template, {
                "tilematrix": name, "tilerow": str(row), "tilecol": str(column), "z": str(zoom), "x": str(column),
                "y": str(row), "style": service.style or "default", "tilematrixset": service.matrix_set,
                "layer": service.layers[0],
            })  # fmt: skip
        return asking(service.url, [
            ("SERVICE", "WMTS"), ("REQUEST", "GetTile"), ("VERSION", "1.0.0"), ("LAYER", service.layers[0]),
            ("STYLE", service.style or "default"), ("TILEMATRIXSET", service.matrix_set), ("TILEMATRIX", name),
            ("TILEROW", str(row)), ("TILECOL", str(column)), ("FORMAT", service.format),
        ])  # fmt: skip


def tiles_of(service: Service, found: Capabilities | None) -> Tiles:
    """How its tiles are asked for. Without capabilities levels are named by their numbers, as Tianditu's are.

    Raises Misconfigured when its tiles are not those of a base map: WFS, another CRS, another matrix set.
    """
    pyramid = pyramid_of(service.crs)
    if service.kind is Kind.WFS:
        raise Misconfigured(f"{service.name}: a WFS has no tiles")
    if pyramid is None:
        raise Misconfigured(f"{service.name}: base maps are kept in EPSG:3857 and EPSG:4490, not in '{service.crs}'")
    if not service.layers:
        raise Misconfigured(f"{service.name}: no layer is named")
    if service.kind is Kind.WMS or found is None:
        return Tiles(service, pyramid)
    matrix_set = found.matrix_set(service.matrix_set)
    if matrix_set is None:
        known = ", ".join(one.name for one in found.matrix_sets[:8])
        raise Misconfigured(f"{service.name}: no matrix set '{service.matrix_set}'; there are {known}")
    met = levels(pyramid, matrix_set)
    if not met:
        raise Misconfigured(
            f"{service.name}: the levels of '{service.matrix_set}' are not those of EPSG:{pyramid.crs} at 256 pixels"
        )
    return Tiles(service, pyramid, met)


def asking(url: str, pairs: Pairs) -> str:
    """The address with these parameters; those it has already stay, unless they are given anew, in whatever case."""
    parts = urlsplit(url)
    new = {name.upper() for name, _ in pairs}
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name.upper() not in new]
    return parts._replace(query=urlencode([*kept, *pairs], safe=",:/", quote_via=quote), fragment="").geturl()


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its places filled in; names in whatever case."""
    return _PLACE.sub(lambda match: quote(values.get(match[1].lower(), match[0]), safe=""), template)


def origin_of(url: str) -> tuple[str, str]:
    """Scheme, and host with port."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return parts.scheme, f"{parts.hostname or ''}:{port}"


def leads_to(url: str, location: str) -> str:
    """Where a redirect leads."""
    return urljoin(url, location)


_PLACE = re.compile(r"\{(\w+)\}")
