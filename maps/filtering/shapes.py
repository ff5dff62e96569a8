"""GML geometries of filters, read into CGCS2000 degrees. The axis order is that of their srsName."""

import numpy as np
import shapely
from lxml import etree

from maps.crs import Crs, UnknownCrs, named
from maps.filtering.problem import BadFilter

MOST_POINTS = 20_000


def shape_of(node: etree._Element, given: Crs) -> shapely.Geometry:
    """A geometry element. `given`: the CRS where it does not say one. Raises BadFilter."""
    name = etree.QName(node).localname
    crs = _crs(node, given)
    read = _SHAPES.get(name)
    if read is None:
        raise BadFilter(f"{name[:60]} is no geometry that filters may have")
    try:
        return read(node, crs)
    except (ValueError, IndexError, shapely.errors.ShapelyError):
        raise BadFilter(f"{name}: its coordinates cannot be read") from None


def _crs(node: etree._Element, given: Crs) -> Crs:
    name = node.get("srsName") or ""
    try:
        return named(name) if name else given
    except UnknownCrs:
        raise BadFilter(f"srsName '{name[:60]}' is not offered") from None


def _points(node: etree._Element, crs: Crs) -> np.ndarray:
    """All positions below the node, as longitude and latitude."""
    placed = crs.to_native(_figures(node, crs))
    if not len(placed) or not np.isfinite(placed).all():
        raise ValueError("no position")
    return placed


def _figures(node: etree._Element, crs: Crs) -> np.ndarray:
    """The same, as x and y of the CRS."""
    text = " ".join(
        (one.text or "") for one in node.iter("{*}pos", "{*}posList", "{*}lowerCorner", "{*}upperCorner")
    )  # fmt: skip
    legacy = node.find(".//{*}coordinates")
    if not text.strip() and legacy is not None:
        text = (legacy.text or "").replace(",", " ")
    figures = np.array([float(one) for one in text.split()])
    if len(figures) > 2 * MOST_POINTS:
        raise BadFilter(f"more than {MOST_POINTS} points")
    return crs.ordered(figures.reshape(-1, 2))


def _point(node: etree._Element, crs: Crs) -> shapely.Geometry:
    return shapely.Point(_points(node, crs)[0])


def _line(node: etree._Element, crs: Crs) -> shapely.Geometry:
    return shapely.LineString(_points(node, crs))


def _envelope(node: etree._Element, crs: Crs) -> shapely.Geometry:
    corners = _figures(node, crs)[:2]
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    if len(corners) != len("xy") or not np.isfinite(corners).all():
        raise ValueError("no two corners")
    return crs.native_shape(west, south, east, north)


def _polygon(node: etree._Element, crs: Crs) -> shapely.Geometry:
    outer = next(node.iter("{*}exterior", "{*}outerBoundaryIs"), None)
    if outer is None:
        raise ValueError("no exterior")
    holes = [_points(one, crs) for one in node.iter("{*}interior", "{*}innerBoundaryIs")]
    return shapely.Polygon(_points(outer, crs), holes)


def _several(node: etree._Element, crs: Crs) -> shapely.Geometry:
    members = list(node.iter("{*}Polygon", "{*}Point", "{*}LineString"))
    whole: shapely.Geometry = shapely.union_all(
        [_SHAPES[etree.QName(one).localname](one, _crs(one, crs)) for one in members]
    )
    return whole


_SHAPES = {
    "Point": _point, "LineString": _line, "Envelope": _envelope, "Box": _envelope, "Polygon": _polygon,
    "MultiSurface": _several, "MultiPolygon": _several, "MultiPoint": _several, "Surface": _polygon,
}  # fmt: skip
