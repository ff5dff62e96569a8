"""Coordinate reference systems that the map services speak, with the axis order that each way of naming them has.

EPSG registry v11: geographic codes are latitude first, Gauss-Kruger codes northing first, 3857 easting first. WMS 1.3.0
and `urn:` and `http:` names follow the registry; WMS 1.1.1, GeoJSON and `CRS:84` are always x (east) first, and so is
the short `EPSG:n` in WFS, by the convention of GeoServer. Field facts 7.1, 7.3.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

Points = npt.NDArray[np.float64]
"""n x 2: x and y, that is longitude and latitude, or easting and northing."""

NATIVE, WEB_MERCATOR = 4490, 3857
GAUSS_KRUGER = range(4513, 4555)
CODES = (4326, NATIVE, WEB_MERCATOR, *GAUSS_KRUGER)
"""EPSG codes, in the order of capabilities."""
_ALIKE = frozenset({4326, 4490})
"""Taken as equal: they part by centimetres."""
_NAMES = re.compile(
    r"(?:(?P<short>EPSG:)|(?P<urn>urn:(?:x-)?ogc:def:crs:EPSG:[0-9.]*:)|(?P<uri>https?://www\.opengis\.net/def/crs/EPSG/[0-9.]+/)"
    r"|(?P<gml>https?://www\.opengis\.net/gml/srs/epsg\.xml#))(?P<code>[0-9]{4,5})",
    re.IGNORECASE | re.ASCII,
)
_LON_LAT = re.compile(
    r"CRS:84|OGC:CRS84|urn:(?:x-)?ogc:def:crs:(?:OGC:[0-9.]*:|OGC::)CRS84|https?://www\.opengis\.net/def/crs/OGC/(?:0|1\.3)/CRS84",
    re.IGNORECASE | re.ASCII,
)


class UnknownCrs(Exception):
    """Not a CRS of these services; the text is the name as it was given."""


@dataclass(frozen=True, slots=True)
class Crs:
    """One CRS as it was named."""

    code: int
    """EPSG; 4326 for CRS:84."""
    name: str
    """As it was given, and as an answer in it names it."""
    by_registry: bool
    """True: this way of naming it follows the registry's axis order."""

    @property
    def degrees(self) -> bool:
        """True for geographic coordinates."""
        return self.code in _ALIKE

    @property
    def north_first(self) -> bool:
        """True when latitude or northing comes first."""
        return self.by_registry and self.code != WEB_MERCATOR

    def from_native(self, points: Points) -> Points:
        """CGCS2000 longitude and latitude as x and y of this CRS; what it cannot show becomes infinite."""
        return points if self.degrees else _moved(points, NATIVE, self.code)

    def to_native(self, points: Points) -> Points:
        """x and y of this CRS as CGCS2000 longitude and latitude; what is no place becomes infinite."""
        return points if self.degrees else _moved(points, self.code, NATIVE)

    def ordered(self, points: Points) -> Points:
        """x and y in the order that this name means, or the other way: the same exchange."""
        return points[:, ::-1] if self.north_first else points

    def native_box(self, west: float, south: float, east: float, north: float) -> tuple[float, float, float, float]:
        """The box of CGCS2000 degrees around a box of x and y. Its edges are curves: eleven points of each are asked.

        Infinite where no point of the box is a place.
        """
        if self.degrees:
            return west, south, east, north
        steps = np.linspace(0.0, 1.0, _STEPS)
        xs, ys = np.meshgrid(west + (east - west) * steps, south + (north - south) * steps)
        points = self.to_native(np.column_stack([xs.ravel(), ys.ravel()]))
        good = points[np.isfinite(points).all(axis=1)]
        if not len(good):
            return np.inf, np.inf, -np.inf, -np.inf
        (low_x, low_y), (high_x, high_y) = good.min(axis=0), good.max(axis=0)
        return float(low_x), float(low_y), float(high_x), float(high_y)

    def native_shape(self, west: float, south: float, east: float, north: float) -> shapely.Geometry:
        """A box of x and y as the shape it has in CGCS2000 degrees: a Gauss-Kruger box stands askew there.

        Empty where no point of the box is a place. A box too large for its zone is the box around it.
        """
        around = self.native_box(west, south, east, north)
        if not np.isfinite(around).all():
            return shapely.Polygon()
        if self.code not in GAUSS_KRUGER or around[2] - around[0] > _WIDEST or west == east or south == north:
            return shapely.box(*around)
        ring = shapely.segmentize(shapely.box(west, south, east, north), max(east - west, north - south) / _EDGE)
        placed = self.to_native(shapely.get_coordinates(ring))
        made = shapely.Polygon(placed) if np.isfinite(placed).all() else None
        return made if made is not None and made.is_valid else shapely.box(*around)


_STEPS = 11
_EDGE = 32
"""Points along an edge: of one of 100 km they miss the curve by a decimetre."""
_WIDEST = 6.0
"""Degrees: a zone is not wider."""


def named(text: str, *, short_by_registry: bool = False) -> Crs:
    """The CRS of a name. `short_by_registry`: `EPSG:n` follows the registry too, as in WMS 1.3.0. Raises UnknownCrs."""
    if _LON_LAT.fullmatch(text):
        return Crs(4326, text, by_registry=False)
    match = _NAMES.fullmatch(text)
    if match is None or int(match["code"]) not in CODES:
        raise UnknownCrs(text[:100])
    east_first = bool(match["gml"]) or (bool(match["short"]) and not short_by_registry)
    return Crs(int(match["code"]), text, by_registry=not east_first)


def urns() -> Iterator[str]:
    """The names that WFS 2.0 capabilities give."""
    return (f"urn:ogc:def:crs:EPSG::{code}" for code in CODES)


def _moved(points: Points, source: int, target: int) -> Points:
    xs, ys = _transformer(source, target).transform(points[:, 0], points[:, 1])
    return np.column_stack([xs, ys])


@cache
def _transformer(source: int, target: int) -> Transformer:
    """Made once: 10-50 ms each. pyproj keeps one per thread inside, so sharing is safe."""
    degrees = 4326 if WEB_MERCATOR in (source, target) else NATIVE  # the datum 3857 is defined on
    begin, end = (degrees if code == NATIVE else code for code in (source, target))
    return Transformer.from_crs(begin, end, always_xy=True)
