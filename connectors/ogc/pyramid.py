"""The two ways in which base maps are cut into tiles: web Mercator, and degrees. Pure arithmetic, 256 pixels a tile.

Tiles are named as in XYZ: level, column from the west, row from the north. In degrees level 1 is two tiles wide and one
high (0.703125 degrees a pixel), which is how Tianditu counts its levels, and WorldCRS84Quad one less.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from connectors.ogc.axes import code_of
from connectors.ogc.capabilities import Box, Matrix, MatrixSet

TILE = 256
MOST_ZOOM = 22
_HALF = 20037508.342789244
_LIMIT = 85.0511287798066
"""Latitude at which web Mercator ends."""
_PIXEL = 0.00028
"""Metres of a pixel, by which scale denominators are reckoned."""
_DEGREE = math.pi * 6378137 / 180
_NEAR = 0.005
"""Part by which a scale may differ: servers reckon with different radii and digits."""

Tile = tuple[int, int, int]
"""Level, column, row."""


@dataclass(frozen=True, slots=True)
class Pyramid:
    """All tiles of the world in one CRS."""

    crs: int
    """EPSG code."""
    least_zoom: int
    west: float
    north: float
    width: float
    """Of level 0, in units of the CRS; the next level halves a tile's side."""
    unit: float
    """Metres of one unit, for scale denominators."""

    @property
    def degrees(self) -> bool:
        """True for geographic coordinates."""
        return self.crs != 3857

    def resolution(self, zoom: int) -> float:
        """Units of a pixel."""
        return self.width / TILE / (1 << zoom)

    def scale(self, zoom: int) -> float:
        """Scale denominator."""
        return self.resolution(zoom) * self.unit / _PIXEL

    def size(self, zoom: int) -> tuple[int, int]:
        """Tiles across and down."""
        return 2**zoom, 2**zoom // 2 if self.degrees else 2**zoom

    def has(self, tile: Tile) -> bool:
        """True when there is such a tile."""
        zoom, column, row = tile
        if not self.least_zoom <= zoom <= MOST_ZOOM:
            return False
        across, down = self.size(zoom)
        return 0 <= column < across and 0 <= row < down

    def box(self, tile: Tile) -> tuple[float, float, float, float]:
        """West, south, east, north in units of the CRS."""
        zoom, column, row = tile
        side = self.resolution(zoom) * TILE
        west, north = self.west + column * side, self.north - row * side
        return west, north - side, west + side, north

    def columns_and_rows(self, zoom: int, box: Box) -> tuple[range, range]:
        """The tiles of a level that a box in degrees touches."""
        west, south, east, north = box
        (left, top), (right, bottom) = self._at(west, north), self._at(east, south)
        across, down = self.size(zoom)
        side = self.resolution(zoom) * TILE
        return _range((left - self.west) / side, (right - self.west) / side, across), _range(
            (self.north - top) / side, (self.north - bottom) / side, down
        )

    def tiles(self, zooms: range, box: Box) -> Iterator[Tile]:
        """Every tile of these levels that the box touches, the coarse levels first."""
        for zoom in zooms:
            columns, rows = self.columns_and_rows(zoom, box)
            yield from ((zoom, column, row) for column in columns for row in rows)

    def count(self, zooms: range, box: Box) -> int:
        """How many those are."""
        spans = (self.columns_and_rows(zoom, box) for zoom in zooms)
        return sum(len(columns) * len(rows) for columns, rows in spans)

    def _at(self, longitude: float, latitude: float) -> tuple[float, float]:
        if self.degrees:
            return longitude, latitude
        latitude = math.radians(min(max(latitude, -_LIMIT), _LIMIT))
        return longitude / 180 * _HALF, math.asinh(math.tan(latitude)) / math.pi * _HALF


MERCATOR = Pyramid(3857, 0, -_HALF, _HALF, 2 * _HALF, 1.0)
DEGREES = Pyramid(4490, 1, -180.0, 90.0, 360.0, _DEGREE)
PYRAMIDS = MappingProxyType({3857: MERCATOR, 4490: DEGREES, 4326: DEGREES})
"""By EPSG code. 4326 and 4490 part by centimetres, and are kept as one."""


def pyramid_of(crs: str) -> Pyramid | None:
    """None: no base map can be kept in this CRS."""
    code = code_of(crs)
    return PYRAMIDS.get(code) if code is not None else None


def levels(pyramid: Pyramid, found: MatrixSet) -> dict[int, Matrix]:
    """Which matrix of a server's set is which level; empty: its tiles are not those of the pyramid."""
    met = {}
    for matrix in found.matrices:
        zoom = _zoom(pyramid, matrix)
        if zoom is not None:
            met[zoom] = matrix
    return met


def _zoom(pyramid: Pyramid, matrix: Matrix) -> int | None:
    if matrix.tile != (TILE, TILE) or matrix.scale <= 0 or not math.isfinite(matrix.scale):
        return None
    zoom = round(math.log2(pyramid.scale(0) / matrix.scale))
    if not pyramid.least_zoom <= zoom <= MOST_ZOOM or abs(pyramid.scale(zoom) / matrix.scale - 1) > _NEAR:
        return None
    near = pyramid.resolution(zoom) / 2
    corner = pyramid.west, pyramid.north
    given = (matrix.corner, matrix.corner[::-1])  # the order of axes is told by few servers as it is
    placed = any(abs(x - corner[0]) <= near and abs(y - corner[1]) <= near for x, y in given)
    return zoom if placed else None


def _range(first: float, last: float, most: int) -> range:
    """Whole tiles between two places; one that is only touched by its edge is not among them."""
    begin, end = math.floor(first + 1e-9), math.ceil(last - 1e-9)
    return range(min(max(begin, 0), most - 1), min(max(end, begin + 1, 1), most))
