"""Coordinates of every CRS in the field, brought to CGCS2000 degrees in batches.

x is longitude or easting and y latitude or northing, whatever axis order the EPSG registry gives a code. The CRS is the
one declared for the source; nothing is detected. CGCS2000 and WGS 84 are taken as equal (they part by centimetres).
GCJ-02 and BD-09 have no EPSG code: their published formulas are written out here, and inverted by iteration.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from pyproj import Transformer

from canonical.place import Coordinate

GCJ_02, BD_09 = "GCJ-02", "BD-09"

Point = tuple[float, float]
"""(x, y): longitude and latitude in degrees, or easting and northing in metres."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A position in CGCS2000 degrees, and how it was made."""

    lon: float
    lat: float
    conversion: str


@dataclass(frozen=True, slots=True)
class NotConverted:
    """No position: `flag` is the remark for the place."""

    flag: str


NOT_FINITE = NotConverted("not_finite")
ZERO = NotConverted("zero_coordinate")
OUTSIDE_CRS = NotConverted("outside_crs")
"""The numbers cannot be of the declared CRS: swapped axes, another zone, degrees for metres."""
UNKNOWN_CRS = NotConverted("unknown_crs")

_CHINA = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north in degrees: outside this box GCJ-02 is not defined."""
_WORLD = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True, slots=True)
class _System:
    """How one CRS becomes degrees, and the degrees it may be used for."""

    conversion: str
    to_degrees: Callable[[Sequence[Point]], Sequence[Point]]
    bounds: tuple[float, float, float, float]


def known_crs(text: str) -> bool:
    """True for a CRS that can be declared: `GCJ-02`, `BD-09`, or `EPSG:` with 4490, 4326, 3857, 4491-4554."""
    return _system(text) is not None


def to_cgcs2000(coordinates: Sequence[Coordinate]) -> list[Converted | NotConverted]:
    """One answer for each coordinate, in order. Grouped by CRS, so that a batch costs one call a CRS."""
    answers: list[Converted | NotConverted] = [UNKNOWN_CRS] * len(coordinates)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, coordinate in enumerate(coordinates):
        if not (math.isfinite(coordinate.x) and math.isfinite(coordinate.y)):
            answers[index] = NOT_FINITE
        elif coordinate.x == 0 and coordinate.y == 0:
            answers[index] = ZERO
        else:
            groups[coordinate.crs].append(index)
    for crs, indexes in groups.items():
        system = _system(crs)
        if system is None:
            continue
        points = system.to_degrees([(coordinates[index].x, coordinates[index].y) for index in indexes])
        west, south, east, north = system.bounds
        for index, (lon, lat) in zip(indexes, points, strict=True):
            inside = west <= lon <= east and south <= lat <= north
            answers[index] = Converted(lon, lat, system.conversion) if inside else OUTSIDE_CRS
    return answers


# --- EPSG ---

_ZONE_PREFIXED, _CENTRAL_MERIDIAN = range(4513, 4534), range(4534, 4555)
_SIX_DEGREE = range(4491, 4513)
_REACH_3, _REACH_6 = 3.5, 5.0
"""Degrees from the central meridian: a city keeps one zone beyond its edge (Wuhu straddles 118.5 E), never further."""


@lru_cache(256)
def _system(crs: str) -> _System | None:
    own = {
        GCJ_02: _System("GCJ-02 inverse", _each(from_gcj02), _CHINA),
        BD_09: _System("BD-09 inverse", _each(from_bd09), _CHINA),
        "EPSG:4490": _System("EPSG:4490", _unchanged, _CHINA),
        "EPSG:4326": _System("EPSG:4326 = EPSG:4490", _unchanged, _WORLD),
        "EPSG:3857": _System("EPSG:3857 -> EPSG:4326 = EPSG:4490", _projected(3857, 4326), _WORLD),
    }
    return own.get(crs) or _gauss_kruger(crs)


def _gauss_kruger(crs: str) -> _System | None:
    """CGCS2000 / Gauss-Kruger in 3-degree zones (4513-4554) and 6-degree zones (4491-4512)."""
    authority, _, digits = crs.partition(":")
    code = int(digits) if authority == "EPSG" and digits.isascii() and digits.isdecimal() else 0
    if code in _ZONE_PREFIXED or code in _CENTRAL_MERIDIAN:
        meridian, reach = 75 + (code - _ZONE_PREFIXED.start) % len(_ZONE_PREFIXED) * 3, _REACH_3
    elif code in _SIX_DEGREE:
        meridian, reach = 75 + (code - _SIX_DEGREE.start) % 11 * 6, _REACH_6
    else:
        return None
    _, south, _, north = _CHINA
    bounds = (meridian - reach, south, meridian + reach, north)
    return _System(f"EPSG:{code} -> EPSG:4490", _projected(code, 4490), bounds)


def _projected(source: int, target: int) -> Callable[[Sequence[Point]], Sequence[Point]]:
    def to_degrees(points: Sequence[Point]) -> Sequence[Point]:
        xs, ys = zip(*points, strict=True)
        lons, lats = _transformer(source, target).transform(xs, ys)
        return list(zip(lons, lats, strict=True))

    return to_degrees


@cache
def _transformer(source: int, target: int) -> Transformer:
    """Made once: 10-50 ms each. pyproj keeps one per thread inside, so sharing is safe."""
    return Transformer.from_crs(source, target, always_xy=True)


def _unchanged(points: Sequence[Point]) -> Sequence[Point]:
    return points


def _each(convert: Callable[[float, float], Point]) -> Callable[[Sequence[Point]], Sequence[Point]]:
    return lambda points: [convert(x, y) for x, y in points]


# --- GCJ-02 and BD-09 ---

_AXIS = 6378245.0
"""Krasovsky 1940, metres: the ellipsoid GCJ-02's shift is computed on."""
_ECCENTRICITY_2 = 0.00669342162296594323
_BD_TURN = math.pi * 3000 / 180
_CLOSE = 1e-9
"""Degrees; 0.1 mm on the ground."""
_ROUNDS = 20
"""A shift changes by less than 1 % over its own length, so 4 or 5 rounds are usual."""


def to_gcj02(lon: float, lat: float) -> Point:
    """WGS 84 degrees as GCJ-02 shows them."""
    x, y = lon - 105.0, lat - 35.0
    wave = 20 * math.sin(6 * math.pi * x) + 20 * math.sin(2 * math.pi * x)
    root = math.sqrt(abs(x))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (wave + _waves(y) + 160 * math.sin(math.pi * y / 12) + 320 * math.sin(math.pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (wave + _waves(x) + 150 * math.sin(math.pi * x / 12) + 300 * math.sin(math.pi * x / 30)) * 2 / 3
    sine = math.sin(math.radians(lat))
    flat = 1 - _ECCENTRICITY_2 * sine * sine
    meridian_radius = _AXIS * (1 - _ECCENTRICITY_2) / flat**1.5
    parallel_radius = _AXIS / math.sqrt(flat) * math.cos(math.radians(lat))
    return lon + math.degrees(east / parallel_radius), lat + math.degrees(north / meridian_radius)


def _waves(value: float) -> float:
    return 20 * math.sin(math.pi * value) + 40 * math.sin(math.pi * value / 3)


def from_gcj02(lon: float, lat: float) -> Point:
    """GCJ-02 as WGS 84 degrees; its own forward returns within 0.01 m."""
    return _inverse(to_gcj02, lon, lat)


def to_bd09(lon: float, lat: float) -> Point:
    """WGS 84 degrees as BD-09 shows them (degrees, not BD-09MC metres)."""
    return _bd09_of_gcj02(*to_gcj02(lon, lat))


def from_bd09(lon: float, lat: float) -> Point:
    """BD-09 as WGS 84 degrees; its own forward returns within 0.01 m."""
    return from_gcj02(*_inverse(_bd09_of_gcj02, lon, lat))


def _bd09_of_gcj02(lon: float, lat: float) -> Point:
    radius = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _BD_TURN)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _BD_TURN)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


def _inverse(forward: Callable[[float, float], Point], x: float, y: float) -> Point:
    """The point that `forward` moves to (x, y), found by taking back the shift it makes; NaN when it never settles."""
    lon, lat = x, y
    for _ in range(_ROUNDS):
        try:
            shown_lon, shown_lat = forward(lon, lat)
        except (OverflowError, ValueError, ZeroDivisionError):  # numbers far from any degree
            break
        lon, lat = lon + x - shown_lon, lat + y - shown_lat
        if abs(x - shown_lon) < _CLOSE and abs(y - shown_lat) < _CLOSE:
            return lon, lat
    return math.nan, math.nan
