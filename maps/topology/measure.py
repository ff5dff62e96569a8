"""Square metres and widths of many shapes at once, on CGCS2000's ellipsoid.

Edges are straight in degrees, as every client draws them. The area is that in square degrees times what one
measures at the centroid: within 1e-6 of the exact one for shapes of some kilometres, within 1e-4 for a whole city.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]

_AXIS, _FLATTENING = 6_378_137.0, 1 / 298.257222101
"""CGCS2000 (GB 22021-2008)."""
_SQUARE = _FLATTENING * (2 - _FLATTENING)
_RADIAN = np.pi / 180


def areas(shapes: Shapes) -> Floats:
    """Square metres; 0 for what has no area."""
    east, north = _scales(_lats(shapes))
    return np.asarray(shapely.area(shapes) * east * north)


def widths(shapes: Shapes) -> Floats:
    """Metres: the mean width, twice the area by the edge. Of a long strip its width, of a square half its side."""
    if not len(shapes):
        return np.zeros(0)
    east, north = _scales(_lats(shapes))
    metre = float(east.mean()), float(north.mean())  # of one place: a hundredth is lost over a degree
    edges = np.asarray(shapely.length(shapely.transform(shapes, lambda points: points * metre)))
    return np.divide(2 * shapely.area(shapes) * east * north, edges, out=np.zeros(len(shapes)), where=edges > 0)


def _lats(shapes: Shapes) -> Floats:
    """Of the centroids; 0 for what is empty, whose centroid has none."""
    return np.nan_to_num(shapely.bounds(shapely.centroid(shapes))[..., 1])


def _scales(lats: Floats) -> tuple[Floats, Floats]:
    """Metres of a degree to the east and to the north."""
    sine = np.sin(lats * _RADIAN)
    bend = 1 - _SQUARE * sine**2
    return (
        _RADIAN * _AXIS * np.sqrt(1 - sine**2) / np.sqrt(bend),
        _RADIAN * _AXIS * (1 - _SQUARE) / bend**1.5,
    )
