"""Features as Mapnik reads them. What does not change between two pictures is made once for each thread."""

import threading
from collections import OrderedDict
from collections.abc import Callable
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

T = TypeVar("T")
_KEPT = 48
"""Sources kept in each thread."""
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


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a layer as one scope sees it, and the part each belongs to."""

    table: Table
    parts: np.ndarray


@dataclass(frozen=True, slots=True)
class Sources:
    """Gives each sheet its features. One for each process; threads have stocks of their own, for Mapnik's sake."""

    atlas: Atlas
    _stock: threading.local = field(default_factory=threading.local)

    def of(self, sheet: Sheet, picture: Picture) -> Source | None:
        """What to draw; None: nothing of it lies in the picture. Raises UnknownLayer, TooMany."""
        if sheet.style.shape is Shape.POINT:
            return self._points(sheet, picture)
        key = self._key(sheet, picture)
        return self._kept(key, lambda: _surfaces(self._table(sheet, picture), sheet.style))

    def _points(self, sheet: Sheet, picture: Picture) -> Source | None:
        points = self._kept(self._key(sheet, picture), lambda: _parted(self._table(sheet, picture), sheet.style))
        west, south, east, north = picture.box
        across, up = _MARGIN * (east - west) / picture.width, _MARGIN * (north - south) / picture.height
        window = picture.crs.native_box(west - across, south - up, east + across, north + up)
        low_x, low_y = points.table.bounds[:, 0], points.table.bounds[:, 1]
        rows = np.flatnonzero(
            (low_x >= window[0]) & (low_x <= window[2]) & (low_y >= window[1]) & (low_y <= window[3])
        )  # fmt: skip
        return _thinned(points, rows, picture) if len(rows) else None

    def _key(self, sheet: Sheet, picture: Picture) -> tuple[object, ...]:
        marker = self.atlas.marker(sheet.layer, picture.scope, picture.now)
        return sheet.layer, id(sheet.style), picture.scope, picture.when, marker

    def _table(self, sheet: Sheet, picture: Picture) -> Table:
        query = Query(picture.now, when=picture.when, exact=False)
        return self.atlas.select(sheet.layer, query, picture.scope)

    def _kept(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        stock: OrderedDict[tuple[object, ...], T] = self._stock.__dict__.setdefault("made", OrderedDict())
        if key not in stock:
            stock[key] = make()
            while len(stock) > _KEPT:
                stock.popitem(last=False)
        stock.move_to_end(key)
        return stock[key]


def shown(sheet: Sheet, picture: Picture, density: Style) -> Sheet:
    """The sheet as it is drawn at the picture's scale: above 1:100,000 cases become their density by cell.

    Where the scope may not see the density they stay points.
    """
    small = picture.denominator > POINTS_BELOW
    if sheet.style.shape is Shape.POINT and small and picture.scope.admits(CASE_DENSITY):
        return Sheet(CASE_DENSITY, density)
    return sheet


def _parted(table: Table, style: Style) -> Points:
    values = table.columns[style.by] if style.by else [None] * len(table)
    return Points(table, np.array(part_of(style, list(values)), np.int64))


def _surfaces(table: Table, style: Style) -> Source | None:
    if not len(table):
        return None
    parts = _parted(table, style).parts.tolist()
    labels = table.columns[table.layer.label] if table.layer.label else [""] * len(table)
    told = ("" if value in (None, 0) else str(value) for value in labels)
    shapes = shapely.to_geojson(table.geometry)
    features = b",".join(
        b'{"type":"Feature","properties":{"k":%d,"label":%s},"geometry":%s}'
        % (part, orjson.dumps(label), shape.encode())
        for part, label, shape in zip(parts, told, shapes, strict=True)
    )
    text = '{"type":"FeatureCollection","features":[' + features.decode() + "]}"
    return Source(mapnik.Datasource(type="geojson", inline=text), "epsg:4490")


def _thinned(points: Points, rows: np.ndarray, picture: Picture) -> Source | None:
    """The points of the picture, one of those of a part that would lie on each other."""
    places = picture.crs.from_native(points.table.bounds[rows, :2])
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
    return Source(mapnik.Datasource(type="csv", inline="\n".join(["lon,lat,k", *written])), proj_of(picture.crs))


def proj_of(crs: Crs) -> str:
    """The CRS for Mapnik, x and y in this order."""
    return f"epsg:{crs.code}"
