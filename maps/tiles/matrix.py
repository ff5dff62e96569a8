"""Tile matrix sets: how the world is cut into tiles at each level.

`WebMercatorQuad` is that of OGC 17-083r4, and of every web map. `c` is how the national map service 天地图 cuts
CGCS2000 degrees: level 1 has two tiles, each of 180 degrees, and rows begin at 90 degrees north.
"""

from dataclasses import dataclass

from maps.crs import Crs, named
from maps.drawing.picture import METRES_A_DEGREE, PIXEL, Corners

SIDE = 256
"""Pixels of a tile."""
_HALF = 20037508.342789244


@dataclass(frozen=True, slots=True)
class MatrixSet:
    """One set. Levels are named by their numbers."""

    name: str
    crs: Crs
    left: float
    top: float
    """The corner that rows and columns count from, x and y."""
    span: float
    """Side of the one tile of level 0, in the CRS's unit."""
    first: int
    last: int
    whole_rows: int
    """Rows of level `first`."""

    def side(self, level: int) -> float:
        """Side of a tile in the CRS's unit."""
        return float(self.span / 2**level)

    def columns(self, level: int) -> int:
        """How many tiles a row has."""
        return int(2**level)

    def rows(self, level: int) -> int:
        """How many rows there are."""
        return int(self.whole_rows * 2 ** (level - self.first))

    def box(self, level: int, column: int, row: int) -> Corners:
        """West, south, east, north of a tile."""
        side = self.side(level)
        west, north = self.left + column * side, self.top - row * side
        return west, north - side, west + side, north

    def denominator(self, level: int) -> float:
        """Scale denominator of a level, as OGC reckons it."""
        metres = METRES_A_DEGREE if self.crs.degrees else 1.0
        return self.side(level) / SIDE * metres / PIXEL

    def holds(self, level: int, column: int, row: int) -> bool:
        """True for a tile that there is."""
        there = self.first <= level <= self.last
        return there and 0 <= column < self.columns(level) and 0 <= row < self.rows(level)


WEB = MatrixSet("WebMercatorQuad", named("EPSG:3857"), -_HALF, _HALF, 2 * _HALF, 0, 20, 1)
DEGREES = MatrixSet("c", named("EPSG:4490"), -180.0, 90.0, 360.0, 1, 20, 1)
SETS = {one.name: one for one in (WEB, DEGREES)}
