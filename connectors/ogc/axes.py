"""CRS names of other servers: which axis comes first, and boxes in degrees. Field facts 7.1 and 7.3."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

Box = tuple[float, float, float, float]
_CODE = re.compile(r"(?:EPSG:|urn:(?:x-)?ogc:def:crs:EPSG:[0-9.]*:|https?://www\.opengis\.net/(?:def/crs/EPSG/[0-9.]+/|gml/srs/epsg\.xml#))(?P<code>[0-9]{4,6})",
                   re.IGNORECASE | re.ASCII)  # fmt: skip
_BY_URN = re.compile(r"urn:|https?://www\.opengis\.net/def/", re.IGNORECASE)
_LON_LAT = re.compile(r".*\bCRS:?84", re.IGNORECASE)
_OTHER_NAMES = {900913: 3857, 102100: 3857, 102113: 3857, 3785: 3857}
"""Codes that were in use before 3857 was registered."""


def code_of(crs: str) -> int | None:
    """The EPSG code; 4326 for CRS:84. None: no registry has it."""
    if _LON_LAT.fullmatch(crs.strip()):
        return 4326
    match = _CODE.fullmatch(crs.strip())
    if match is None:
        return None
    code = int(match["code"])
    return _OTHER_NAMES.get(code, code)


def north_first(crs: str) -> bool:
    """True when the registry puts latitude or northing first, as WMS 1.3.0 and urn names want it."""
    code = code_of(crs)
    if code is None or _LON_LAT.fullmatch(crs.strip()):
        return False
    return _north_first(code)


def by_registry(crs: str) -> bool:
    """True for names that always follow the registry's order: `urn:ogc:def:crs:EPSG::4490`."""
    return bool(_BY_URN.match(crs))


def to_degrees(crs: str, box: Sequence[float]) -> Box | None:
    """A box of x and y, east first, as west, south, east, north in degrees. None where that cannot be said."""
    return _moved(crs, box, inverse=True)


def from_degrees(crs: str, box: Sequence[float]) -> Box | None:
    """The other way; east first. None where that cannot be said."""
    return _moved(crs, box, inverse=False)


def _moved(crs: str, box: Sequence[float], *, inverse: bool) -> Box | None:
    code = code_of(crs)
    transformer = _transformer(code) if code is not None else None
    if transformer is None:
        return None
    direction = "INVERSE" if inverse else "FORWARD"
    try:
        low_x, low_y, high_x, high_y = (float(value) for value in box[:4])
        moved = transformer.transform_bounds(low_x, low_y, high_x, high_y, direction=direction)
    except (ProjError, ValueError, TypeError):
        return None
    west, south, east, north = (float(value) for value in moved)
    return (west, south, east, north) if all(map(math.isfinite, moved)) else None


@lru_cache(maxsize=64)
def _north_first(code: int) -> bool:
    try:
        axes = CRS.from_epsg(code).axis_info
    except ProjError:
        return False
    return bool(axes) and axes[0].direction in {"north", "south"}


@lru_cache(maxsize=64)
def _transformer(code: int) -> Transformer | None:
    """From degrees. None for a code that pyproj does not have."""
    try:
        return Transformer.from_crs(4326, code, always_xy=True)
    except ProjError:
        return None
