"""GCJ-02: the offset coordinates that phones and maps in China show, computed apart from the hub's arithmetic."""

from math import cos, pi, sin, sqrt

_A = 6_378_245.0
_E2 = 0.00669342162296594323


def gcj02(lon: float, lat: float) -> tuple[float, float]:
    """(lon, lat) in GCJ-02 of a WGS84 position in degrees."""
    x, y = lon - 105.0, lat - 35.0
    north = (
        -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + _ripple(x, 6, 2) + _ripple(y, 1, 1 / 3)
    )
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + _ripple(x, 6, 2) + _ripple(x, 1, 1 / 3)
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = lat / 180 * pi
    curve = 1 - _E2 * sin(phi) ** 2
    dlat = north * 180 / (_A * (1 - _E2) / (curve * sqrt(curve)) * pi)
    dlon = east * 180 / (_A / sqrt(curve) * cos(phi) * pi)
    return lon + dlon, lat + dlat


def _ripple(value: float, fast: float, slow: float) -> float:
    """The published waves: x has terms of 6 and 2 half turns, and both axes of 1 and 1/3."""
    return (20 * sin(fast * value * pi) + (40 if slow < 1 else 20) * sin(slow * value * pi)) * 2 / 3
