"""The coordinate systems of map providers in China: GCJ-02, BD-09, and Baidu's plane metres BD-09MC.

None has an EPSG code. The published formulas are written out once and run on single numbers and on arrays alike; they
are inverted by iteration. Figures of BD-09MC: as every public implementation has them, such as gcoord 1.0 (MIT).
Longitude and latitude, or x and y, in this order.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
N = TypeVar("N", float, Floats)
"""A number, or an array of them."""
Shift = Callable[[Any, Any, Any], tuple[Any, Any]]

MANY = 32
"""Points from which on arrays are quicker than numbers one by one."""
_AXIS = 6378245.0
"""Krasovsky 1940, metres: the ellipsoid GCJ-02's shift is computed on."""
_ECCENTRICITY_2 = 0.00669342162296594323
_BD_TURN = math.pi * 3000 / 180
_CLOSE = 1e-9
"""Degrees; 0.1 mm on the ground."""
_ROUNDS = 20
"""A shift changes by less than 1 % over its own length, so 4 or 5 rounds are usual."""


def to_gcj02(lon: N, lat: N, m: Any = math) -> tuple[N, N]:  # noqa: ANN401 math or numpy
    """WGS 84 degrees as GCJ-02 shows them. `m`: numpy for arrays."""
    x, y = lon - 105.0, lat - 35.0
    wave = 20 * m.sin(6 * m.pi * x) + 20 * m.sin(2 * m.pi * x)
    root = m.sqrt(m.fabs(x))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (wave + _waves(y, m) + 160 * m.sin(m.pi * y / 12) + 320 * m.sin(m.pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (wave + _waves(x, m) + 150 * m.sin(m.pi * x / 12) + 300 * m.sin(m.pi * x / 30)) * 2 / 3
    sine = m.sin(m.radians(lat))
    flat = 1 - _ECCENTRICITY_2 * sine * sine
    meridian_radius = _AXIS * (1 - _ECCENTRICITY_2) / flat**1.5
    parallel_radius = _AXIS / m.sqrt(flat) * m.cos(m.radians(lat))
    return lon + m.degrees(east / parallel_radius), lat + m.degrees(north / meridian_radius)


def _waves(value: N, m: Any) -> N:  # noqa: ANN401
    made: N = 20 * m.sin(m.pi * value) + 40 * m.sin(m.pi * value / 3)
    return made


def from_gcj02(lon: N, lat: N, m: Any = math) -> tuple[N, N]:  # noqa: ANN401
    """GCJ-02 as WGS 84 degrees; its own forward returns within 0.01 m."""
    return _inverse(to_gcj02, lon, lat, m)


def to_bd09(lon: N, lat: N, m: Any = math) -> tuple[N, N]:  # noqa: ANN401
    """WGS 84 degrees as BD-09 shows them (degrees, not BD-09MC metres)."""
    return _bd09_of_gcj02(*to_gcj02(lon, lat, m), m)


def from_bd09(lon: N, lat: N, m: Any = math) -> tuple[N, N]:  # noqa: ANN401
    """BD-09 as WGS 84 degrees; its own forward returns within 0.01 m."""
    return from_gcj02(*_inverse(_bd09_of_gcj02, lon, lat, m), m)


def _bd09_of_gcj02(lon: N, lat: N, m: Any) -> tuple[N, N]:  # noqa: ANN401
    radius = m.hypot(lon, lat) + 0.00002 * m.sin(lat * _BD_TURN)
    angle = m.atan2(lat, lon) + 0.000003 * m.cos(lon * _BD_TURN)
    return radius * m.cos(angle) + 0.0065, radius * m.sin(angle) + 0.006


def _inverse(forward: Shift, x: N, y: N, m: Any) -> tuple[N, N]:  # noqa: ANN401
    """The point that `forward` moves to (x, y), found by taking back the shift it makes there."""
    lon, lat = x, y
    for _ in range(_ROUNDS):
        shown_lon, shown_lat = forward(lon, lat, m)
        lon, lat = lon + x - shown_lon, lat + y - shown_lat
        if _close(x - shown_lon, m) and _close(y - shown_lat, m):
            break
    return lon, lat


def _close(rest: N, m: Any) -> bool:  # noqa: ANN401
    return bool(m.fabs(rest) < _CLOSE if m is math else (m.fabs(rest) < _CLOSE).all())


# --- BD-09MC ---

_BANDS = np.array([0.0, 15.0, 30.0, 45.0, 60.0, 75.0])
"""Degrees north from which on the row of _PLANE holds."""
_PLANE = np.array([
    (-0.0003218135878613132, 111320.7020701615, 0.00369383431289, 823725.6402795718, 0.46104986909093,
     2351.343141331292, 1.58060784298199, 8.77738589078284, 0.37238884252424, 7.45),
    (-0.0003441963504368392, 111320.7020576856, 278.2353980772752, 2485758.690035394, 6070.750963243378,
     54821.18345352118, 9540.606633304236, -2710.55326746645, 1405.483844121726, 22.5),
    (0.00220636496208, 111320.7020209128, 51751.86112841131, 3796837.749470245, 992013.7397791013,
     -1221952.21711287, 1340652.697009075, -620943.6990984312, 144416.9293806241, 37.5),
    (0.00337398766765, 111320.7020202162, 4481351.045890365, -23393751.19931662, 79682215.47186455,
     -115964993.2797253, 97236711.15602145, -43661946.33752821, 8477230.501135234, 52.5),
    (0.0008277824516172526, 111320.7020463578, 647795574.6671607, -4082003173.641316, 10774905663.51142,
     -15171875531.51559, 12053065338.62167, -5124939663.577472, 913311935.9512032, 67.5),
    (-0.0015702102444, 111320.7020616939, 1704480524535203, -10338987376042340, 26112667856603880,
     -35149669176653700, 26595700718403920, -10725012454188240, 1800819912950474, 82.5),
])  # fmt: skip
"""x = a + b lon; y a polynomial of sixth degree in latitude / the last figure. Northern half only."""
_SPHERE = 6378137.0
_NEWTON = 6


def to_bd09mc(lons: Floats, lats: Floats) -> tuple[Floats, Floats]:
    """BD-09 degrees as Baidu's plane metres; agrees with published pairs within 0.01 m."""
    rows = _rows(lats)
    return rows[:, 0] + rows[:, 1] * lons, _north(rows, lats)[0]


def from_bd09mc(xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
    """Baidu's plane metres as BD-09 degrees: the latitude whose own metres these are, by Newton's method.

    The published way back, a second polynomial, parts from the way there by up to 0.27 m; this one by less than
    1 mm, but for half a metre at 15, 30 and 45 degrees, where the published pieces do not meet.
    """
    lats = np.degrees(2 * np.arctan(np.exp(ys / _SPHERE)) - np.pi / 2)
    for _ in range(_NEWTON):
        rows = _rows(lats)
        north, slope = _north(rows, lats)
        lats = lats - (north - ys) / slope
    rows = _rows(lats)
    return (xs - rows[:, 0]) / rows[:, 1], lats


def _rows(lats: Floats) -> Floats:
    return _PLANE[np.clip(np.searchsorted(_BANDS, lats, side="right") - 1, 0, len(_BANDS) - 1)]


def _north(rows: Floats, lats: Floats) -> tuple[Floats, Floats]:
    """Metres north, and their change for each degree."""
    part = lats / rows[:, 9]
    value, slope = np.zeros_like(part), np.zeros_like(part)
    for power in range(6, -1, -1):
        slope = slope * part + value
        value = value * part + rows[:, 2 + power]
    return value, slope / rows[:, 9]
