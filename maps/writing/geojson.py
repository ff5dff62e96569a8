"""GeoJSON (RFC 7946) of features: x first, whatever the CRS's registry says, but where a standard wants its order."""

from collections.abc import Iterator, Sequence

import numpy as np
import orjson
import shapely

from maps.crs import Crs, Points
from maps.table import Field, Kind, Shape, Table
from maps.writing.columns import DECIMALS_OF_DEGREES, DECIMALS_OF_METRES, parts, plain, texts


def features(
    table: Table, crs: Crs, fields: Sequence[Field], *, shaped: bool = True, by_registry: bool = False
) -> Iterator[list[str]]:
    """Feature objects as text, part by part. `by_registry`: in the axis order of the CRS's name."""
    for part in parts(table):
        columns = [_members(part, field) for field in fields]
        shapes = _shapes(part, crs, by_registry) if shaped else ["null"] * len(part)
        rows = zip(*columns, strict=True) if columns else ([] for _ in range(len(part)))
        ids = [orjson.dumps(one).decode() for one in part.ids]
        yield [
            f'{{"type":"Feature","id":{id_},"geometry":{shape},"properties":{{{",".join(row)}}}}}'
            for id_, shape, row in zip(ids, shapes, rows, strict=True)
        ]


def _members(table: Table, field: Field) -> list[str]:
    begin = f'"{field.name}":'
    quoted = field.kind in (Kind.INSTANT, Kind.DAY)

    def write(value: object) -> str:
        return begin + orjson.dumps(plain(value) if quoted and value is not None else value).decode()

    return texts(table.columns[field.name], write)


def _shapes(table: Table, crs: Crs, by_registry: bool) -> list[str]:
    decimals = DECIMALS_OF_DEGREES if crs.degrees else DECIMALS_OF_METRES

    def figures(points: Points) -> Points:
        moved = crs.from_native(points)
        return crs.ordered(moved) if by_registry else moved

    if table.layer.shape is Shape.POINT:
        places = figures(table.bounds[:, :2]).tolist()
        return [f'{{"type":"Point","coordinates":[{x:.{decimals}f},{y:.{decimals}f}]}}' for x, y in places]
    moved = np.asarray(shapely.transform(table.geometry, lambda points: np.round(figures(points), decimals)), object)
    return [str(one) for one in shapely.to_geojson(moved)]
