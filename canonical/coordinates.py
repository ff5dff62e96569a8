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


ZERO = NotConverted("zero_coordinate")
OUTSIDE_CRS = NotConverted("outside_crs")
"""The numbers cannot be of the declared CRS: swapped axes, another zone, degrees for metres."""
UNKNOWN_CRS = NotConverted("unknown_crs")

Box = tuple[float, float, float, float]
"""West, south, east, north; the edges belong to it."""

_CHINA: Box = (72.004, 0.8293, 137.8347, 55.8271)
"""Degrees: outside this box GCJ-02 is not defined."""
_WORLD: Box = (-180.0, -90.0, 180.0, 90.0)
_WEB_MERCATOR: Box = (-20037508.35, -20037508.35, 20037508.35, 20037508.35)
"""Metres: beyond the edge the inverse wraps round the world and looks real."""


@dataclass(frozen=True, slots=True)
class _System:
    """How one CRS becomes degrees, and where it may be used."""

    conversion: str
    to_degrees: Callable[[Sequence[Point]], Sequence[Point]]
    given: Box
    """What x and y may be, in the CRS's own unit."""
    degrees: Box


def known_crs(text: str) -> bool:
    """True for a CRS that can be declared: `GCJ-02`, `BD-09`, or `EPSG:` with 4490, 4326, 3857, 4491-4554."""
    return _system(text) is not None


def to_cgcs2000(coordinates: Sequence[Coordinate]) -> list[Converted | NotConverted]:
    """One answer for each coordinate, in order. Grouped by CRS, so that a batch costs one call a CRS."""
    answers: list[Converted | NotConverted] = [UNKNOWN_CRS] * len(coordinates)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, coordinate in enumerate(coordinates):
        system = _system(coordinate.crs)
        problem = _problem(coordinate, system)
        if problem is not None:
            answers[index] = problem
        else:
            groups[coordinate.crs].append(index)
    for crs, indexes in groups.items():
        system = _system(crs)
        assert system is not None  # an unknown one is a problem above
        points = system.to_degrees([(coordinates[index].x, coordinates[index].y) for index in indexes])
        for index, point in zip(indexes, points, strict=True):
            inside = _inside(point, system.degrees)
            answers[index] = Converted(*point, system.conversion) if inside else OUTSIDE_CRS
    return answers


def _problem(coordinate: Coordinate, system: _System | None) -> NotConverted | None:
    """What makes a conversion pointless."""
    if coordinate.x == 0 and coordinate.y == 0:
        return ZERO
    if system is None:
        return UNKNOWN_CRS
    return None if _inside((coordinate.x, coordinate.y), system.given) else OUTSIDE_CRS


def _inside(point: Point, box: Box) -> bool:
    west, south, east, north = box
    return west <= point[0] <= east and south <= point[1] <= north


# --- EPSG ---


@lru_cache(256)
def _system(crs: str) -> _System | None:
    to_web = _projected(3857, 4326)
    own = {
        GCJ_02: _System("GCJ-02 inverse", _each(from_gcj02), _CHINA, _CHINA),
        BD_09: _System("BD-09 inverse", _each(from_bd09), _CHINA, _CHINA),
        "EPSG:4490": _System("EPSG:4490", _unchanged, _CHINA, _CHINA),
        "EPSG:4326": _System("EPSG:4326 = EPSG:4490", _unchanged, _WORLD, _WORLD),
        "EPSG:3857": _System("EPSG:3857 -> EPSG:4326 = EPSG:4490", to_web, _WEB_MERCATOR, _WORLD),
    }
    return own.get(crs) or _gauss_kruger(crs)


@dataclass(frozen=True, slots=True)
class _Zones:
    """A run of EPSG codes: CGCS2000 / Gauss-Kruger zones side by side."""

    codes: range
    width: int
    """Degrees from one central meridian to the next; the first is 75 E."""
    first_prefix: int
    """Zone number before the easting (`39` in 39630970); 0 when the easting has none."""
    reach: float
    """Degrees from the central meridian: a city keeps one zone beyond its edge (Wuhu straddles 118.5 E)."""


_ZONES = (
    _Zones(range(4491, 4502), 6, 13, 5.0),
    _Zones(range(4502, 4513), 6, 0, 5.0),
    _Zones(range(4513, 4534), 3, 25, 3.5),
    _Zones(range(4534, 4555), 3, 0, 3.5),
)
_SPREAD = 560_000.0
"""Metres east or west of the central meridian: 5 degrees at the southern edge."""
_NORTHERNMOST = 6_300_000.0


def _gauss_kruger(crs: str) -> _System | None:
    authority, _, digits = crs.partition(":")
    code = int(digits) if authority == "EPSG" and digits.isascii() and digits.isdecimal() else 0
    zones = next((zones for zones in _ZONES if code in zones.codes), None)
    if zones is None:
        return None
    number = code - zones.codes.start
    meridian = 75.0 + number * zones.width
    middle = 500_000.0 + (1_000_000.0 * (zones.first_prefix + number) if zones.first_prefix else 0)
    given = (middle - _SPREAD, 0.0, middle + _SPREAD, _NORTHERNMOST)
    degrees = (meridian - zones.reach, _CHINA[1], meridian + zones.reach, _CHINA[3])
    return _System(f"EPSG:{code} -> EPSG:4490", _projected(code, 4490), given, degrees)


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
    """The point that `forward` moves to (x, y), found by taking back the shift it makes there."""
    lon, lat = x, y
    for _ in range(_ROUNDS):
        shown_lon, shown_lat = forward(lon, lat)
        lon, lat = lon + x - shown_lon, lat + y - shown_lat
        if abs(x - shown_lon) < _CLOSE and abs(y - shown_lat) < _CLOSE:
            break
    return lon, lat
