"""CSV of features for spreadsheets: UTF-8 with its mark, a geometry column in WKT (x first), formulas made harmless."""

from collections.abc import Iterator, Sequence

import shapely

from canonical.tables import harmless
from maps.crs import Crs
from maps.table import Field, Table
from maps.writing.columns import DECIMALS_OF_DEGREES, DECIMALS_OF_METRES, parts, plain, texts

MARK = "\ufeff"


def lines(table: Table, crs: Crs, fields: Sequence[Field], *, shaped: bool = True) -> Iterator[list[str]]:
    """Rows, the header first, part by part."""
    yield [MARK + ",".join(["id", *(field.name for field in fields), *(["geometry"] if shaped else [])]) + "\r\n"]
    decimals = DECIMALS_OF_DEGREES if crs.degrees else DECIMALS_OF_METRES
    for part in parts(table):
        columns = [texts(part.columns[field.name], _cell) for field in fields]
        if shaped:
            moved = shapely.transform(part.geometry, crs.from_native)
            shapes = shapely.to_wkt(moved, rounding_precision=decimals)
            columns.append([f'"{one}"' for one in shapes])
        yield [",".join(row) + "\r\n" for row in zip(map(_cell, part.ids), *columns, strict=True)]


def _cell(value: object) -> str:
    text = harmless(value) if isinstance(value, str) else plain(value)
    return '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"\r\n') else text
