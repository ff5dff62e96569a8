"""Gauss-Krüger: degrees on the CGCS2000 ellipsoid to metres of a 3-degree zone.

The urban management platform writes EPSG:4548 (central meridian 117°E, easting 500 km, no zone prefix). The series is
written out here so that the hub's own conversion is checked against somebody else's arithmetic.
"""

from math import cos, radians, sin, sqrt, tan

_A = 6_378_137.0
_F = 1 / 298.257222101
_E2 = _F * (2 - _F)
_FALSE_EASTING = 500_000.0


def gauss_krueger(lon: float, lat: float, *, meridian: float = 117.0) -> tuple[float, float]:
    """(easting, northing) in metres of a position in degrees; good to a millimetre within 2 degrees of `meridian`."""
    phi, dlon = radians(lat), radians(lon - meridian)
    t2, eta2 = tan(phi) ** 2, _E2 / (1 - _E2) * cos(phi) ** 2
    radius = _A / sqrt(1 - _E2 * sin(phi) ** 2)
    m = dlon * cos(phi)
    north = _meridian_arc(phi) + radius * tan(phi) * (
        m**2 / 2
        + m**4 / 24 * (5 - t2 + 9 * eta2 + 4 * eta2**2)
        + m**6 / 720 * (61 - 58 * t2 + t2**2 + 270 * eta2 - 330 * t2 * eta2)
    )
    east = radius * (
        m
        + m**3 / 6 * (1 - t2 + eta2)
        + m**5 / 120 * (5 - 18 * t2 + t2**2 + 14 * eta2 - 58 * t2 * eta2)
        + m**7 / 5040 * (61 - 479 * t2 + 179 * t2**2 - t2**3)
    )
    return _FALSE_EASTING + east, north


def _meridian_arc(phi: float) -> float:
    n = _F / (2 - _F)
    scale = _A / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    a2 = -3 / 2 * n + 9 / 16 * n**3
    a4 = 15 / 16 * n**2 - 15 / 32 * n**4
    a6 = -35 / 48 * n**3
    a8 = 315 / 512 * n**4
    return scale * (phi + a2 * sin(2 * phi) + a4 * sin(4 * phi) + a6 * sin(6 * phi) + a8 * sin(8 * phi))
