"""Requests of WMS read into what they ask for. Whatever is wrong is a Problem with the standard's own code."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from maps.atlas import Interval
from maps.crs import Crs, UnknownCrs, named
from maps.drawing.picture import Corners
from maps.drawing.style import Style
from maps.limits import Limits
from maps.when import interval
from maps.wms.layer import WmsLayer
from maps.wms.problem import Problem
from maps.wms.version import BY_NUMBER, Version

FORMATS = {"image/png": "png", "image/png; mode=8bit": "png8", "image/jpeg": "jpeg"}
"""Of pictures, as capabilities give them and answers repeat them, to what the painter calls them."""
_ALSO = {"image/png8": "image/png; mode=8bit", "image/png; mode=24bit": "image/png"}
"""Other names that clients use."""
INFO_FORMATS = (
    "text/html",
    "application/json",
    "application/geo+json",
    "application/vnd.ogc.gml",
    "text/xml",
    "text/plain",
)
_COLOUR = re.compile(r"0x([0-9A-Fa-f]{6})|#([0-9A-Fa-f]{6})")
_WHOLE = re.compile(r"[+]?[0-9]{1,9}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_FARTHEST = 1e12
_SHOWN = 60
MOST_FOUND = 200


@dataclass(frozen=True, slots=True)
class MapOrder:
    """A GetMap."""

    layers: tuple[tuple[WmsLayer, Style], ...]
    crs: Crs
    box: Corners
    width: int
    height: int
    format: str
    """A key of FORMATS."""
    background: str
    """Empty: transparent."""
    when: Interval | None
    assumed: bool
    """No time was given, and a layer has one: the default is used."""


@dataclass(frozen=True, slots=True)
class InfoOrder:
    """A GetFeatureInfo: the picture asked about, and where in it."""

    picture: MapOrder
    asked: tuple[WmsLayer, ...]
    column: int
    row: int
    count: int
    """Of each layer, at most."""
    format: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one request."""

    keys: Mapping[str, str]
    """By parameter, in upper case."""
    version: Version
    layers: Mapping[str, WmsLayer]
    limits: Limits
    now: datetime

    def map(self) -> MapOrder:
        """A GetMap. Raises Problem."""
        for name in ("SLD", "SLD_BODY", "REMOTE_OWS_URL"):
            if self.keys.get(name):
                raise Problem(
                    f"{name}: clients' own styles are not drawn; choose one of the capabilities", locator=name
                )
        width, height = self._pixels("WIDTH"), self._pixels("HEIGHT")
        if width * height > self.limits.pixels:
            most = f"more than {self.limits.pixels} pixels; ask for a smaller picture"
            raise Problem(f"WIDTH x HEIGHT: {width} x {height} are {most}", locator="WIDTH")
        layers = self._styled()
        crs = self._crs()
        when, timed = self._when(layers), any(layer.layer.timed for layer, _ in layers)
        return MapOrder(
            layers, crs, self._box(crs), width, height, self.format(), self.background(), when,
            assumed=timed and not self.keys.get("TIME"),
        )  # fmt: skip

    def info(self) -> InfoOrder:
        """A GetFeatureInfo. Raises Problem."""
        picture = self.map_of_info()
        asked = tuple(self._layer(name, "QUERY_LAYERS") for name in self._list("QUERY_LAYERS"))
        if not set(asked) <= {layer for layer, _ in picture.layers}:
            text = "QUERY_LAYERS: a layer of LAYERS is expected"
            raise Problem(text, "LayerNotDefined", "QUERY_LAYERS")
        column, row = self._pixel(self.version.column, picture.width), self._pixel(self.version.row, picture.height)
        format_ = self.keys.get("INFO_FORMAT") or "text/html"
        if format_ not in INFO_FORMATS:
            raise Problem(f"INFO_FORMAT: {', '.join(INFO_FORMATS)}", "InvalidFormat", "INFO_FORMAT")
        return InfoOrder(picture, asked, column, row, self._count(), format_)

    def map_of_info(self) -> MapOrder:
        """The picture a GetFeatureInfo asks about; its format may be left out. Raises Problem."""
        return Reader({"FORMAT": "image/png", **self.keys}, self.version, self.layers, self.limits, self.now).map()

    def needed(self, name: str) -> str:
        """A parameter that must be there. Raises Problem."""
        value = self.keys.get(name, "")
        if not value:
            raise Problem(f"{name}: missing", "MissingParameterValue", name)
        return value

    def _list(self, name: str) -> list[str]:
        values = [one.strip() for one in self.needed(name).split(",")]
        if len(values) > self.limits.layers:
            raise Problem(f"{name}: more than {self.limits.layers}", locator=name)
        return values

    def _layer(self, name: str, key: str) -> WmsLayer:
        if name not in self.layers:
            raise Problem(f"{key}: no layer '{name[:_SHOWN]}'; see the capabilities", "LayerNotDefined", key)
        return self.layers[name]

    def _styled(self) -> tuple[tuple[WmsLayer, Style], ...]:
        layers = [self._layer(name, "LAYERS") for name in self._list("LAYERS")]
        given = self.keys.get("STYLES", "")
        names = [one.strip() for one in given.split(",")] if given else [""] * len(layers)
        if len(names) != len(layers):
            raise Problem("STYLES: one for each layer, or none at all", "StyleNotDefined", "STYLES")
        styled = []
        for layer, name in zip(layers, names, strict=True):
            style = layer.style(name)
            if style is None:
                known = ", ".join(one.name for one in layer.styles)
                text = f"STYLES: {layer.name} has no style '{name[:_SHOWN]}'; known: {known}"
                raise Problem(text, "StyleNotDefined", "STYLES")
            styled.append((layer, style))
        return tuple(styled)

    def _crs(self) -> Crs:
        name = self.version.crs
        text = self.needed(name)
        try:
            return named(text.strip(), short_by_registry=self.version.by_registry)
        except UnknownCrs:
            known = "EPSG:4326, 4490, 3857, 4513-4554"
            raise Problem(f"{name}: '{text[:_SHOWN]}' is not offered; {known}", self.version.bad_crs, name) from None

    def _box(self, crs: Crs) -> Corners:
        parts = [part.strip() for part in self.needed("BBOX").split(",")]
        if len(parts) != len(("west", "south", "east", "north")) or not all(map(_NUMBER.fullmatch, parts)):
            raise Problem("BBOX: four numbers are expected: minx,miny,maxx,maxy", locator="BBOX")
        first, second, third, fourth = (float(part) for part in parts)
        west, south, east, north = (second, first, fourth, third) if crs.north_first else (first, second, third, fourth)
        if not all(math.isfinite(one) and abs(one) <= _FARTHEST for one in (west, south, east, north)):
            raise Problem("BBOX: a number is too large", locator="BBOX")
        if not (west < east and south < north):
            raise Problem("BBOX: the first corner must lie below and left of the second", locator="BBOX")
        return west, south, east, north

    def _pixels(self, name: str) -> int:
        text = self.needed(name)
        if not _WHOLE.fullmatch(text) or int(text) < 1:
            raise Problem(f"{name}: a whole number of pixels above 0 is expected", locator=name)
        if int(text) > self.limits.side:
            raise Problem(f"{name}: at most {self.limits.side} pixels; ask for a smaller picture", locator=name)
        return int(text)

    def _pixel(self, name: str, size: int) -> int:
        text = self.needed(name)
        if not _WHOLE.fullmatch(text) or int(text) >= size:
            raise Problem(f"{name}: a pixel from 0 to {size - 1} is expected", "InvalidPoint", name)
        return int(text)

    def _count(self) -> int:
        """What is no positive number counts as 1 (1.3.0, 7.4.3.6)."""
        digits = self.keys.get("FEATURE_COUNT", "").removeprefix("+").lstrip("0")
        return min(int(digits[:9]), MOST_FOUND) if digits.isascii() and digits.isdecimal() else 1

    def format(self) -> str:
        """The picture's format, a key of FORMATS. Raises Problem."""
        text = self.needed("FORMAT").lower()
        name = _ALSO.get(text, text)
        if name not in FORMATS:
            raise Problem(f"FORMAT: {', '.join(FORMATS)}", "InvalidFormat", "FORMAT")
        return name

    def background(self) -> str:
        """`#rrggbb`, or empty where the picture is to be transparent. Raises Problem."""
        transparent = self.keys.get("TRANSPARENT", "").upper() or "FALSE"
        if transparent not in ("TRUE", "FALSE"):
            raise Problem("TRANSPARENT: TRUE or FALSE", locator="TRANSPARENT")
        match = _COLOUR.fullmatch(self.keys.get("BGCOLOR") or "0xFFFFFF")
        if match is None:
            raise Problem("BGCOLOR: 0xRRGGBB is expected", locator="BGCOLOR")
        see_through = transparent == "TRUE" and FORMATS[self.format()] != "jpeg"
        return "" if see_through else f"#{match[1] or match[2]}"

    def _when(self, layers: tuple[tuple[WmsLayer, Style], ...]) -> Interval | None:
        text = self.keys.get("TIME", "")
        if not any(one.layer.timed for one, _ in layers):
            return None
        try:
            return interval(text, self.now)
        except (ValueError, OverflowError):
            said = "2026-03-16, 2026-03, 2026-03-01/2026-03-16 or current is expected"
            raise Problem(f"TIME: '{text[:_SHOWN]}' is no time: {said}", "InvalidDimensionValue", "TIME") from None


def version_of(keys: Mapping[str, str]) -> Version:
    """The version of a request other than GetCapabilities. Raises Problem."""
    number = keys.get("VERSION") or keys.get("WMTVER") or ""
    version = BY_NUMBER.get(number)
    if version is None:
        said = f"'{number[:_SHOWN]}' is not spoken" if number else "missing"
        raise Problem(f"VERSION: {said}; {' or '.join(BY_NUMBER)} is expected", locator="VERSION")
    return version
