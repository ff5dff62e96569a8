"""GML 3.2 (ISO 19136, simple features level 0) of features, in any CRS and its axis order."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

import numpy as np
import shapely

from maps.crs import Crs
from maps.table import Field, Shape, Table
from maps.writing.columns import DECIMALS_OF_DEGREES, DECIMALS_OF_METRES, parts, plain, texts
from maps.writing.identity import xml_id

NAMESPACE, PREFIX = "urn:x-gridhub:maps", "gh"
GML = "http://www.opengis.net/gml/3.2"
GEOMETRY = "geometry"


def members(table: Table, crs: Crs, fields: Sequence[Field], *, shaped: bool = True) -> Iterator[list[str]]:
    """Feature elements without a wrapper, part by part. `shaped`: with their geometry."""
    name = f"{PREFIX}:{table.layer.name}"
    for part in parts(table):
        columns = [_elements(part, field) for field in fields]
        shapes = _shapes(part, crs) if shaped else [""] * len(part)
        ids = [xml_id(one) for one in part.ids]
        rows = zip(*columns, strict=True) if columns else ([] for _ in ids)
        yield [
            f'<{name} gml:id="{id_}">{"".join(row)}{shape}</{name}>'
            for id_, row, shape in zip(ids, rows, shapes, strict=True)
        ]


def legal(text: str) -> str:
    """Without what XML cannot hold."""
    return text if text.isprintable() else "".join(one for one in text if one >= " " or one in "\t\n\r")


def _elements(table: Table, field: Field) -> list[str]:
    """A missing value has no element."""
    begin, end = f"<{PREFIX}:{field.name}>", f"</{PREFIX}:{field.name}>"

    def write(value: object) -> str:
        return "" if value is None else f"{begin}{escape(legal(plain(value)))}{end}"

    return texts(table.columns[field.name], write)


def _shapes(table: Table, crs: Crs) -> list[str]:
    begin, end = f"<{PREFIX}:{GEOMETRY}>", f"</{PREFIX}:{GEOMETRY}>"
    decimals = DECIMALS_OF_DEGREES if crs.degrees else DECIMALS_OF_METRES
    if table.layer.shape is Shape.POINT:
        places = crs.ordered(crs.from_native(table.bounds[:, :2]))
        return [
            f'{begin}<gml:Point gml:id="g.{id_}" srsName="{crs.name}"><gml:pos>{x:.{decimals}f} {y:.{decimals}f}'
            f"</gml:pos></gml:Point>{end}"
            for id_, (x, y) in zip(map(xml_id, table.ids), places.tolist(), strict=True)
        ]
    moved = _moved(table, crs)
    return [
        f"{begin}{_surface(shape, xml_id(id_), crs.name, decimals)}{end}"
        for shape, id_ in zip(moved, table.ids, strict=True)
    ]  # fmt: skip


def _moved(table: Table, crs: Crs) -> np.ndarray:
    """The shapes with coordinates as they are to be written."""
    return np.asarray(shapely.transform(table.geometry, lambda points: crs.ordered(crs.from_native(points))), object)


def _surface(shape: shapely.Geometry, id_: str, srs: str, decimals: int) -> str:
    polygons = shapely.get_parts(shape).tolist()
    inside = "".join(
        f'<gml:surfaceMember><gml:Polygon gml:id="g{number}.{id_}">{_polygon(one, decimals)}</gml:Polygon>'
        "</gml:surfaceMember>"
        for number, one in enumerate(polygons, 1)
    )
    return f'<gml:MultiSurface gml:id="g.{id_}" srsName="{srs}">{inside}</gml:MultiSurface>'


def _polygon(shape: shapely.Polygon, decimals: int) -> str:
    holes = "".join(f"<gml:interior>{_ring(ring, decimals)}</gml:interior>" for ring in shape.interiors)
    return f"<gml:exterior>{_ring(shape.exterior, decimals)}</gml:exterior>{holes}"


def _ring(ring: shapely.LinearRing, decimals: int) -> str:
    figures = " ".join(f"{one:.{decimals}f}" for one in shapely.get_coordinates(ring).ravel().tolist())
    return f"<gml:LinearRing><gml:posList>{figures}</gml:posList></gml:LinearRing>"
