"""WMS: requests answered from the atlas, drawn by the painter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import parse_qsl

import numpy as np

from maps.atlas import Atlas, Query, TooMany, UnknownLayer
from maps.drawing.cache import Cache
from maps.drawing.legend import blank, legend
from maps.drawing.painter import Painter
from maps.drawing.picture import Picture, Sheet
from maps.limits import Limits
from maps.request import Answer, Doubled, Effort, Request
from maps.table import Shape, Table
from maps.wms.capabilities import Face, capabilities
from maps.wms.info import written
from maps.wms.layer import WmsLayer, wms_layers
from maps.wms.order import FORMATS, InfoOrder, MapOrder, Reader, version_of
from maps.wms.problem import Problem, report
from maps.wms.version import V111, V130, Version, negotiated

_REACH = 5
"""Pixels around the one asked about in which a point is found."""
_FORM = "application/x-www-form-urlencoded"
_LARGEST_REPORT = 4096


@dataclass(frozen=True, slots=True)
class WmsService:
    """Safe to share between threads."""

    atlas: Atlas
    painter: Painter
    limits: Limits
    face: Face
    cache: Cache = field(default_factory=Cache)

    def answer(self, request: Request) -> Answer:
        """The answer to any request; what is wrong with it is a service exception."""
        keys: Mapping[str, str] = {}
        version = _spoken(request.pairs)
        try:
            keys = _keys(request)
            version = _spoken([*keys.items()])
            if keys.get("SERVICE", "WMS").upper() != "WMS":
                raise Problem("SERVICE: WMS is expected", locator="SERVICE")
            return self._operation(keys)(keys, version, request)
        except Problem as problem:
            return self._told(problem, keys, version, request.now)
        except Doubled as doubled:
            return report(Problem(f"{doubled}: given twice, with two values"), version)
        except UnknownLayer as unknown:  # gone since it was looked up
            return report(Problem(f"no layer '{unknown}'", "LayerNotDefined"), version)
        except TooMany as too_many:
            crowded = Problem(f"TIME: {too_many}", "InvalidDimensionValue", "TIME")
            return self._told(crowded, keys, version, request.now)

    def _operation(self, keys: Mapping[str, str]) -> Callable[[Mapping[str, str], Version, Request], Answer]:
        name = keys.get("REQUEST", "")
        operation = {
            "GetCapabilities": self._capabilities, "capabilities": self._capabilities, "GetMap": self._map,
            "map": self._map, "GetFeatureInfo": self._info, "feature_info": self._info,
            "GetLegendGraphic": self._legend,
        }.get(name)  # fmt: skip
        if operation is None:
            said = f"no operation '{name[:60]}'" if name else "missing"
            text = f"REQUEST: {said}; GetCapabilities, GetMap, GetFeatureInfo or GetLegendGraphic is expected"
            raise Problem(text, "OperationNotSupported", "REQUEST")
        return operation

    def _capabilities(self, keys: Mapping[str, str], _: Version, request: Request) -> Answer:
        version = negotiated(keys.get("VERSION") or keys.get("WMTVER") or "")
        layers = wms_layers(self.atlas, request.scope)
        body = capabilities(version, self.face, layers, self.atlas, request, self.limits)
        return Answer(version.capabilities_type, body)

    def _map(self, keys: Mapping[str, str], version: Version, request: Request) -> Answer:
        version_of(keys)
        order = self._reader(keys, version, request).map()
        body, kept = self._drawn(order, request)
        headers = {"cache-control": _lasting(request), **_warning(order)}
        return Answer(
            order.format, body, headers=headers, effort=Effort.of_picture(order.width * order.height, kept=kept)
        )

    def _drawn(self, order: MapOrder, request: Request) -> tuple[bytes, bool]:
        names = tuple(layer.layer.name for layer, _ in order.layers)
        marks = tuple(self.atlas.marker(name, request.scope, request.now) for name in names)
        styles = tuple(id(style) for _, style in order.layers)
        key = (
            request.scope, marks, styles, order.crs.code, order.box, order.width, order.height, order.format,
            order.background, order.when,
        )  # fmt: skip
        sheets = tuple(Sheet(layer.layer.name, style) for layer, style in order.layers)
        picture = Picture(
            sheets, order.crs, order.box, order.width, order.height, request.scope, request.now, order.when,
            FORMATS[order.format], order.background,
        )  # fmt: skip
        return self.cache.get(key, lambda: self.painter.draw(picture))

    def _info(self, keys: Mapping[str, str], version: Version, request: Request) -> Answer:
        version_of(keys)
        order = self._reader(keys, version, request).info()
        names = dict.fromkeys(layer.layer.name for layer in order.asked)
        tables = [self._found(name, order, request).take(slice(0, order.count)) for name in names]
        answer = written(order.format, tables)
        effort = Effort(features=sum(map(len, tables)))
        return replace(answer, headers={**answer.headers, **_warning(order.picture)}, effort=effort)

    def _found(self, name: str, order: InfoOrder, request: Request) -> Table:
        """The features at the pixel: points near it, the nearest first, and polygons that it lies in."""
        picture = order.picture
        point = self.atlas.layer(name, request.scope).shape is Shape.POINT
        west, south, east, north = picture.box
        wide, high = (east - west) / picture.width, (north - south) / picture.height
        x, y = west + (order.column + 0.5) * wide, north - (order.row + 0.5) * high
        reach = _REACH if point else 0.01
        window = picture.crs.native_box(x - reach * wide, y - reach * high, x + reach * wide, y + reach * high)
        if not all(np.isfinite(window)):
            return self.atlas.select(name, Query(request.now, ids=frozenset()), request.scope)
        table = self.atlas.select(name, Query(request.now, window=window, when=picture.when), request.scope)
        if not point or not len(table):
            return table
        middle = np.array([(window[0] + window[2]) / 2, (window[1] + window[3]) / 2])
        return table.take(np.argsort(((table.bounds[:, :2] - middle) ** 2).sum(axis=1), kind="stable"))

    def _legend(self, keys: Mapping[str, str], version: Version, request: Request) -> Answer:
        reader = self._reader(keys, version, request)
        name = reader.needed("LAYER")
        layer = reader.layers.get(name)
        if layer is None:
            raise Problem(f"LAYER: no layer '{name[:60]}'; see the capabilities", "LayerNotDefined", "LAYER")
        style = layer.style(keys.get("STYLE", ""))
        if style is None:
            raise Problem(f"STYLE: {layer.name} has none of this name", "StyleNotDefined", "STYLE")
        if keys.get("FORMAT", "image/png").partition(";")[0].lower() != "image/png":
            raise Problem("FORMAT: image/png", "InvalidFormat", "FORMAT")
        return Answer("image/png", legend(style), headers={"cache-control": "max-age=3600"})

    def _reader(self, keys: Mapping[str, str], version: Version, request: Request) -> Reader:
        layers: dict[str, WmsLayer] = wms_layers(self.atlas, request.scope)
        return Reader(keys, version, layers, self.limits, request.now)

    def _told(self, problem: Problem, keys: Mapping[str, str], version: Version, now: datetime) -> Answer:
        """The exception as the client wants to hear of it: as XML, in a picture, or as an empty picture."""
        way = version.exceptions.get(keys.get("EXCEPTIONS", ""), "xml")
        if way == "xml" or keys.get("REQUEST") not in ("GetMap", "map"):
            return report(problem, version)
        width, height = (_size(keys.get(name, ""), self.limits) for name in ("WIDTH", "HEIGHT"))
        reader = Reader(keys, version, {}, self.limits, now)
        format_, background = _else("image/png", reader.format), _else("#ffffff", reader.background)
        text = str(problem) if way == "inimage" else ""
        body = blank(width, height, FORMATS[format_], background, text)
        return Answer(format_, body, effort=Effort(problem=True))


def _keys(request: Request) -> Mapping[str, str]:
    if request.method == "GET":
        return request.keys()
    if request.content_type.partition(";")[0].strip().lower() == _FORM:
        text = request.body.decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=500)
        except ValueError:
            raise Problem("too many parameters") from None
        return Request("GET", "", [*request.pairs, *pairs], request.scope, request.now).keys()
    raise Problem("POST: only key-value pairs as a form are read, no XML", "OperationNotSupported")


def _spoken(pairs: Sequence[tuple[str, str]]) -> Version:
    """The version in which to speak to this client, whatever else is wrong."""
    number = next((value for key, value in pairs if key.upper() in ("VERSION", "WMTVER") and value), "")
    return V111 if number.startswith(("1.1", "1.0")) else V130


def _size(text: str, limits: Limits) -> int:
    """A side of a picture that only tells an exception."""
    whole = int(text) if text.isascii() and text.isdecimal() and len(text) < len("100000") else 256
    return max(1, min(whole, limits.side, _LARGEST_REPORT))


def _else(otherwise: str, read: Callable[[], str]) -> str:
    try:
        return read()
    except Problem:
        return otherwise


def _warning(order: MapOrder) -> Mapping[str, str]:
    """That a default was used must be said in the answer's head (1.3.0, C.4.2)."""
    return {"warning": "99 Default value used: time=current ISO8601"} if order.assumed else {}


def _lasting(request: Request) -> str:
    return f"{'public' if request.scope.public else 'private'}, max-age=10"
