"""Coordinates of every CRS in the field, brought to CGCS2000 degrees (EPSG:4490) in batches: the module of record.

x is longitude or easting and y latitude or northing, whatever axis order the EPSG registry gives a code. The CRS is the
one declared for the source; nothing is detected. Each conversion states how far it may be off. Field facts 7.1.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from pyproj import Transformer

from canonical.local_system import PREFIX, LocalSystem
from canonical.place import Coordinate
from canonical.shifted import (
    MANY,
    Floats,
    from_bd09,
    from_bd09mc,
    from_gcj02,
    to_bd09,
    to_gcj02,
)

__all__ = [
    "BD_09", "BD_09_MC", "GCJ_02", "OUTSIDE_CRS", "STANDARD", "UNKNOWN_CRS", "ZERO", "Converted", "NotConverted",
    "Systems", "from_bd09", "from_gcj02", "hypotheses", "known_crs", "to_bd09", "to_cgcs2000", "to_gcj02",
]  # fmt: skip

GCJ_02, BD_09, BD_09_MC = "GCJ-02", "BD-09", "BD-09MC"
UNNUMBERED = (GCJ_02, BD_09, BD_09_MC)
"""Without a number of the EPSG registry."""

Box = tuple[float, float, float, float]
"""West, south, east, north; the edges belong to it."""
Pairs = tuple[Floats, Floats]
"""x and y of many points."""
Convert = Callable[[Floats, Floats], Pairs]


@dataclass(frozen=True, slots=True)
class Converted:
    """A position in CGCS2000 degrees, and how it was made."""

    lon: float
    lat: float
    conversion: str
    error: float = 0.0
    """Metres that the conversion may be off, whatever the error of what was given."""


@dataclass(frozen=True, slots=True)
class NotConverted:
    """No position: `flag` is the remark for the place."""

    flag: str


ZERO = NotConverted("zero_coordinate")
OUTSIDE_CRS = NotConverted("outside_crs")
"""The numbers cannot be of the declared CRS: swapped axes, another zone, degrees for metres."""
UNKNOWN_CRS = NotConverted("unknown_crs")

_CHINA: Box = (72.004, 0.8293, 137.8347, 55.8271)
"""Degrees: outside this box GCJ-02 is not defined."""
_WORLD: Box = (-180.0, -90.0, 180.0, 90.0)
_WEB_MERCATOR: Box = (-20037508.35, -20037508.35, 20037508.35, 20037508.35)
"""Metres: beyond the edge the inverse wraps round the world and looks real."""
_BAIDU: Box = (8_000_000.0, 80_000.0, 15_400_000.0, 7_500_000.0)

PLANE_ERROR, DATUM_ERROR, SHIFT_ERROR, OLD_DATUM_ERROR = 0.01, 1.0, 2.0, 150.0
"""Metres. A projection within one datum; WGS 84 of today against CGCS2000 of epoch 2000.0, since when the ground has
moved some 3 cm a year; on top of that the published formulas of GCJ-02 against the providers' own (0.75 m over 390
places); Xian 1980 and Beijing 1954 without a city's own parameters."""


@dataclass(frozen=True, slots=True)
class _System:
    """How one CRS becomes degrees, and where it may be used."""

    conversion: str
    convert: Convert
    given: Box
    """What x and y may be, in the CRS's own unit."""
    degrees: Box
    error: float


@dataclass(frozen=True, slots=True)
class Systems:
    """Every CRS that coordinates can be declared in: those of the field, and the city's own. Immutable."""

    local: Mapping[str, LocalSystem] = field(default_factory=dict)
    """By their name after `LOCAL:`."""

    def known(self, crs: str) -> bool:
        """True for a CRS that can be declared."""
        return self._system(crs) is not None

    def error(self, crs: str) -> float:
        """Metres that its conversion may be off. Raises KeyError for an unknown CRS."""
        system = self._system(crs)
        if system is None:
            raise KeyError(crs)
        return system.error

    def conversion(self, crs: str) -> str:
        """How it becomes EPSG:4490, for people. Raises KeyError for an unknown CRS."""
        system = self._system(crs)
        if system is None:
            raise KeyError(crs)
        return system.conversion

    def degrees(self, crs: str, xs: Floats, ys: Floats) -> Pairs:
        """Longitudes and latitudes of many points; NaN where the numbers cannot be of the CRS. Raises KeyError."""
        system = self._system(crs)
        if system is None:
            raise KeyError(crs)
        good = _within(xs, ys, system.given)
        lons, lats = np.full(len(xs), np.nan), np.full(len(xs), np.nan)
        lons[good], lats[good] = system.convert(xs[good], ys[good])
        inside = _within(lons, lats, system.degrees)
        return np.where(inside, lons, np.nan), np.where(inside, lats, np.nan)

    def to_cgcs2000(self, coordinates: Sequence[Coordinate]) -> list[Converted | NotConverted]:
        """One answer for each coordinate, in order. Grouped by CRS, so that a batch costs one call a CRS."""
        answers: list[Converted | NotConverted] = [UNKNOWN_CRS] * len(coordinates)
        groups: dict[str, list[int]] = defaultdict(list)
        for index, coordinate in enumerate(coordinates):
            system = self._system(coordinate.crs)
            problem = _problem(coordinate, system)
            if problem is not None:
                answers[index] = problem
            else:
                groups[coordinate.crs].append(index)
        for crs, indexes in groups.items():
            system = self._system(crs)
            assert system is not None  # an unknown one is a problem above
            xs, ys = np.array([(coordinates[index].x, coordinates[index].y) for index in indexes]).T
            lons, lats = system.convert(xs, ys)
            for index, lon, lat in zip(indexes, lons.tolist(), lats.tolist(), strict=True):
                inside = _inside((lon, lat), system.degrees)
                answers[index] = Converted(lon, lat, system.conversion, system.error) if inside else OUTSIDE_CRS
        return answers

    def _system(self, crs: str) -> _System | None:
        if crs.startswith(PREFIX):
            local = self.local.get(crs.removeprefix(PREFIX))
            return None if local is None else _own(crs, local)
        return _system(crs)


STANDARD = Systems()
"""Without any city's own system."""


def known_crs(text: str) -> bool:
    """True for a CRS that any city can declare: `GCJ-02`, `BD-09`, `BD-09MC`, or `EPSG:` with 4490, 4326, 3857,
    4491-4554, 4610, 4214.
    """
    return STANDARD.known(text)


def to_cgcs2000(coordinates: Sequence[Coordinate]) -> list[Converted | NotConverted]:
    """As `Systems.to_cgcs2000`, without any city's own system."""
    return STANDARD.to_cgcs2000(coordinates)


def hypotheses(coordinate: Coordinate) -> Iterator[tuple[str, Coordinate]]:
    """What else the numbers could mean, likeliest first: a name for people, and the coordinate so understood.

    For reporting what looks wrong; nothing is ever located by one of these.
    """
    x, y = coordinate.x, coordinate.y
    for crs in _ALIKE if _inside((x, y), _WORLD) else _PLANES:
        if crs != coordinate.crs:
            yield crs, Coordinate(x=x, y=y, crs=crs)
    swapped = Coordinate(x=y, y=x, crs=coordinate.crs)
    yield "axes swapped", swapped
    for crs in _ALIKE if _inside((y, x), _WORLD) else _PLANES:
        if crs != coordinate.crs:
            yield f"{crs}, axes swapped", Coordinate(x=y, y=x, crs=crs)


def _problem(coordinate: Coordinate, system: _System | None) -> NotConverted | None:
    """What makes a conversion pointless."""
    if coordinate.x == 0 and coordinate.y == 0:
        return ZERO
    if system is None:
        return UNKNOWN_CRS
    return None if _inside((coordinate.x, coordinate.y), system.given) else OUTSIDE_CRS


def _inside(point: tuple[float, float], box: Box) -> bool:
    west, south, east, north = box
    return west <= point[0] <= east and south <= point[1] <= north


def _within(xs: Floats, ys: Floats, box: Box) -> np.ndarray:
    west, south, east, north = box
    return (xs >= west) & (xs <= east) & (ys >= south) & (ys <= north)


# --- EPSG ---


@lru_cache(256)
def _system(crs: str) -> _System | None:
    to_web = _projected(3857, 4326)
    own = {
        GCJ_02: _System("GCJ-02 inverse", _shifted(from_gcj02), _CHINA, _CHINA, SHIFT_ERROR),
        BD_09: _System("BD-09 inverse", _shifted(from_bd09), _CHINA, _CHINA, SHIFT_ERROR),
        BD_09_MC: _System("BD-09MC -> BD-09 inverse", _from_baidu, _BAIDU, _CHINA, SHIFT_ERROR),
        "EPSG:4490": _System("EPSG:4490", _unchanged, _CHINA, _CHINA, 0.0),
        "EPSG:4326": _System("EPSG:4326 = EPSG:4490", _unchanged, _WORLD, _WORLD, DATUM_ERROR),
        "EPSG:3857": _System("EPSG:3857 -> EPSG:4326 = EPSG:4490", to_web, _WEB_MERCATOR, _WORLD, DATUM_ERROR),
        "EPSG:4610": _System("EPSG:4610 -> EPSG:4490", _projected(4610, 4490), _CHINA, _CHINA, OLD_DATUM_ERROR),
        "EPSG:4214": _System("EPSG:4214 -> EPSG:4490", _projected(4214, 4490), _CHINA, _CHINA, OLD_DATUM_ERROR),
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

_ALIKE = ("EPSG:4490", GCJ_02, BD_09)
_PLANES = ("EPSG:3857", BD_09_MC, *(f"EPSG:{code}" for zones in reversed(_ZONES) for code in zones.codes))


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
    return _System(f"EPSG:{code} -> EPSG:4490", _projected(code, 4490), given, degrees, PLANE_ERROR)


def _projected(source: int, target: int) -> Convert:
    def convert(xs: Floats, ys: Floats) -> Pairs:
        lons, lats = _transformer(source, target).transform(xs, ys)
        return lons, lats

    return convert


@cache
def _transformer(source: int, target: int) -> Transformer:
    """Made once: 10-50 ms each. pyproj keeps one per thread inside, so sharing is safe."""
    return Transformer.from_crs(source, target, always_xy=True)


def _unchanged(xs: Floats, ys: Floats) -> Pairs:
    return xs, ys


# --- what has no EPSG code ---


def _shifted(inverse: Callable[..., tuple[float, float]]) -> Convert:
    def convert(xs: Floats, ys: Floats) -> Pairs:
        if len(xs) >= MANY:
            lons, lats = inverse(xs, ys, np)
            return lons, lats  # type: ignore[return-value]  # of arrays it makes arrays
        pairs = [inverse(x, y, math) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
        made = np.array(pairs, float).reshape(-1, 2)
        return made[:, 0], made[:, 1]

    return convert


def _from_baidu(xs: Floats, ys: Floats) -> Pairs:
    return from_bd09(*from_bd09mc(xs, ys), np)


def _own(crs: str, local: LocalSystem) -> _System:
    return _System(f"{crs} -> EPSG:4490", local.to_degrees, local.given, _CHINA, local.error)
