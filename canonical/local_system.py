"""A city's own plane system 城市独立坐标系, known by control points: points whose place is known in it and in CGCS2000.

An affine transformation is fitted to them by least squares, on the Gauss-Kruger plane of their own meridian. How far it
may be off is what each point says when the others alone are asked (leave one out): an error seen, not hoped for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from canonical.errors import Misconfigured

PREFIX = "LOCAL:"
"""Before the name of a city's own system, where a CRS is declared."""
Floats = npt.NDArray[np.float64]
FEWEST = 4
"""Three fix an affine transformation exactly, and nothing tells how good it is."""
_FLAT = 1e-6
"""Points whose second spread is less than this share of the first lie on a line."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control point 控制点."""

    x: float
    """Easting in the local system, metres."""
    y: float
    lon: float
    """CGCS2000 degrees."""
    lat: float


@dataclass(frozen=True, slots=True)
class LocalSystem:
    """A fitted system. Immutable."""

    meridian: float
    east: tuple[float, float, float]
    """Easting of the plane = a + b x + c y."""
    north: tuple[float, float, float]
    given: tuple[float, float, float, float]
    """Where it may be used: the control points' box and as much again on each side. x and y."""
    error: float
    """Metres: the largest residual when each point is left out once."""
    worst: int
    """The position of that point among the control points."""

    def to_degrees(self, xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
        """Local metres as CGCS2000 longitude and latitude."""
        (a, b, c), (d, e, f) = self.east, self.north
        lons, lats = _plane(self.meridian).transform(a + b * xs + c * ys, d + e * xs + f * ys, direction="INVERSE")
        return lons, lats

    def from_degrees(self, lons: Floats, lats: Floats) -> tuple[Floats, Floats]:
        """CGCS2000 longitude and latitude as local metres."""
        east, north = _plane(self.meridian).transform(lons, lats)
        (a, b, c), (d, e, f) = self.east, self.north
        xs, ys = np.linalg.solve(np.array([[b, c], [e, f]]), np.vstack([east - a, north - d]))
        return xs, ys


def fitted(points: Sequence[Control]) -> LocalSystem:
    """The system of these control points. Raises Misconfigured when they do not fix one."""
    if len(points) < FEWEST:
        raise Misconfigured(
            f"{len(points)} control points: at least {FEWEST} are needed, so that the error can be told"
        )
    meridian = float(np.mean([one.lon for one in points]))
    given = np.array([(one.x, one.y) for one in points])
    place = np.column_stack(_plane(meridian).transform([one.lon for one in points], [one.lat for one in points]))
    if not (np.isfinite(given).all() and np.isfinite(place).all()):
        raise Misconfigured("control points: a figure is no place")
    _spread(given)
    _spread(place)
    east, north = _fit(given, place)
    left_out = [_residual(given, place, index) for index in range(len(points))]
    (west, south), (right, top) = given.min(axis=0), given.max(axis=0)
    wide, high = right - west, top - south
    box = (float(west - wide), float(south - high), float(right + wide), float(top + high))
    return LocalSystem(meridian, east, north, box, max(left_out), int(np.argmax(left_out)))


def _spread(points: Floats) -> None:
    widths = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if widths[1] <= widths[0] * _FLAT:
        raise Misconfigured("control points: they lie on a line; take points on all sides of the city")


def _fit(given: Floats, place: Floats) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """(easting, northing), each as constant, factor of x, factor of y. About the middle, so that no digits are lost."""
    middle = given.mean(axis=0)
    solved = np.linalg.lstsq(np.column_stack([np.ones(len(given)), given - middle]), place, rcond=None)[0]
    constants = solved[0] - middle @ solved[1:]
    (a, d), ((b, e), (c, f)) = constants.tolist(), solved[1:].tolist()
    return (a, b, c), (d, e, f)


def _residual(given: Floats, place: Floats, index: int) -> float:
    """How far the others' transformation puts one point from where it is, metres."""
    others = np.arange(len(given)) != index
    try:
        _spread(given[others])
    except Misconfigured:  # without it the others lie on a line and say nothing
        return 0.0
    fit = np.array(_fit(given[others], place[others]))
    return float(np.hypot(*(fit @ np.array([1.0, *given[index]]) - place[index])))


@cache
def _plane(meridian: float) -> Transformer:
    """CGCS2000 degrees to the Gauss-Kruger plane of this meridian, false easting 500 km."""
    plane = f"+proj=tmerc +lat_0=0 +lon_0={meridian!r} +k=1 +x_0=500000 +y_0=0 +a=6378137 +rf=298.257222101 +units=m"
    return Transformer.from_crs(4490, plane, always_xy=True)
