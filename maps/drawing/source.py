"""Features as Mapnik reads them. What does not change between two pictures is made once for each thread."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sized
from dataclasses import dataclass, field
from typing import TypeVar

import mapnik
import numpy as np
import orjson
import shapely

from maps.atlas import CASE_DENSITY, Atlas, Query
from maps.crs import Crs
from maps.drawing.picture import Picture, Sheet
from maps.drawing.style import POINTS_BELOW, Style, part_of
from maps.table import Shape, Table

T = TypeVar("T", bound=Sized)
_MOST = 200_000
"""Features kept in each thread, over all that is kept there: 0.2 KB each with five corners, more with more."""
_LEAST = 1_000
"""What anything that is kept counts as at least: times without cases are many, too."""
_APART = 2
"""Pixels: of two points of one part that are nearer than this only one is drawn."""
_DECIMALS = 7
_MARGIN = 8
"""Of the picture, in steps of _APART pixels: what lies there reaches into it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A datasource, and the CRS its coordinates are in."""

    data: mapnik.Datasource
    crs: str
    size: int
    """Features."""

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a layer as one scope sees it, and the part each belongs to."""

    places: np.ndarray
    """Longitude and latitude, one row a point."""
    parts: np.ndarray

    def __len__(self) -> int:
        return len(self.parts)


@dataclass(frozen=True, slots=True)
class Sources:
    """Gives each sheet its features. One for each process; threads have stocks of their own, for Mapnik's sake."""

    atlas: Atlas
    _stock: threading.local = field(default_factory=threading.local)

    def of(self, sheet: Sheet, picture: Picture) -> Source | None:
        """What to draw; None: nothing of it lies in the picture. Raises UnknownLayer, TooMany."""
        if sheet.style.shape is Shape.POINT:
            return self._points(sheet, picture)
        source = self._kept(sheet, picture, lambda table: _surfaces(table, sheet.style))
        return source if len(source) else None

    @property
    def kept(self) -> int:
        """How many layers this thread keeps, ready to be drawn."""
        return len(self._stock.__dict__.get("made", ()))

    def _points(self, sheet: Sheet, picture: Picture) -> Source | None:
        points = self._kept(sheet, picture, lambda table: _points_of(table, sheet.style))
        west, south, east, north = picture.box
        across, up = _MARGIN * (east - west) / picture.width, _MARGIN * (north - south) / picture.height
        window = picture.crs.native_box(west - across, south - up, east + across, north + up)
        x, y = points.places.T
        rows = np.flatnonzero((x >= window[0]) & (x <= window[2]) & (y >= window[1]) & (y <= window[3]))
        return _thinned(points, rows, picture) if len(rows) else None

    def _kept(self, sheet: Sheet, picture: Picture, make: Callable[[Table], T]) -> T:
        """Made anew when the layer has changed. What changed is not kept beside what it became."""
        stock: OrderedDict[tuple[object, ...], tuple[str, T]] = self._stock.__dict__.setdefault("made", OrderedDict())
        when = picture.when if self.atlas.layer(sheet.layer, picture.scope).timed else None
        key = sheet.layer, id(sheet.style), picture.scope, when
        marker = self.atlas.marker(sheet.layer, picture.scope, picture.now)
        kept = stock.get(key)
        if kept is None or kept[0] != marker:
            query = Query(picture.now, when=picture.when, exact=False)
            kept = stock[key] = (marker, make(self.atlas.select(sheet.layer, query, picture.scope)))
        stock.move_to_end(key)
        while len(stock) > 1 and sum(max(len(made), _LEAST) for _, made in stock.values()) > _MOST:
            stock.popitem(last=False)
        return kept[1]


def shown(sheet: Sheet, picture: Picture, density: Style) -> Sheet:
    """The sheet as it is drawn at the picture's scale: above 1:100,000 cases become their density by cell.

    Where the scope may not see the density they stay points.
    """
    small = picture.denominator > POINTS_BELOW
    if sheet.style.shape is Shape.POINT and small and picture.scope.admits(CASE_DENSITY):
        return Sheet(CASE_DENSITY, density)
    return sheet


def _parts(table: Table, style: Style) -> list[int]:
    values = table.columns[style.by] if style.by else [None] * len(table)
    return part_of(style, list(values))


def _points_of(table: Table, style: Style) -> Points:
    return Points(table.bounds[:, :2].copy(), np.array(_parts(table, style), np.int64))


def _surfaces(table: Table, style: Style) -> Source:
    parts = _parts(table, style)
    labels = table.columns[table.layer.label] if table.layer.label else [""] * len(table)
    told = ("" if value in (None, 0) else str(value) for value in labels)
    shapes = shapely.to_geojson(table.geometry)
    features = b",".join(
        b'{"type":"Feature","properties":{"k":%d,"label":%s},"geometry":%s}'
        % (part, orjson.dumps(label), shape.encode())
        for part, label, shape in zip(parts, told, shapes, strict=True)
    )
    text = '{"type":"FeatureCollection","features":[' + features.decode() + "]}"
    data = mapnik.Datasource(type="geojson", inline=text) if len(table) else None
    return Source(data, "epsg:4490", len(table))


def _thinned(points: Points, rows: np.ndarray, picture: Picture) -> Source | None:
    """The points of the picture, one of those of a part that would lie on each other."""
    places = picture.crs.from_native(points.places[rows])
    parts = points.parts[rows]
    west, south, east, north = picture.box
    columns = (places[:, 0] - west) / ((east - west) / picture.width) / _APART
    lines = (places[:, 1] - south) / ((north - south) / picture.height) / _APART
    wide, high = picture.width // _APART + _MARGIN, picture.height // _APART + _MARGIN
    inside = np.flatnonzero((columns >= -_MARGIN) & (columns < wide) & (lines >= -_MARGIN) & (lines < high))
    if not len(inside):
        return None
    spot = np.floor(columns[inside]).astype(np.int64) * (high + 2 * _MARGIN) + np.floor(lines[inside]).astype(np.int64)
    spot = spot * (int(parts.max()) + 1) + parts[inside]
    first = inside[np.unique(spot, return_index=True)[1]]
    chosen = first[np.argsort(parts[first], kind="stable")]  # what is late lies on top
    written = [
        f"{x:.{_DECIMALS}f},{y:.{_DECIMALS}f},{part}"
        for (x, y), part in zip(places[chosen].tolist(), parts[chosen].tolist(), strict=True)
    ]
    text = "\n".join(["lon,lat,k", *written])
    return Source(mapnik.Datasource(type="csv", inline=text), proj_of(picture.crs), len(written))


def proj_of(crs: Crs) -> str:
    """The CRS for Mapnik, x and y in this order."""
    return f"epsg:{crs.code}"
