"""The cells of a delivered file as the registry keeps them: one GeoJSON feature each, checked by its own reader."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import shapely

from canonical.findings import Finding
from connectors.geodata import Sheet
from gateway.grids.columns import CODE, HOUSEHOLDS, MANAGER, NAME, POPULATION
from routing.divisions import Divisions
from routing.grid_sets import LOADERS
from routing.grids import GridIndex, load_industry_grids

_DIGITS = 9
"""Of a degree: a tenth of a millimetre. Neighbours with one corner keep one corner."""
_FEATURE = re.compile(r"features\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Cells that the registry takes, and what it does not take of the file."""

    index: GridIndex
    body: bytes
    """The GeoJSON file of them."""
    findings: list[Finding]


def drawn(
    sheet: Sheet, columns: Mapping[str, str], name: str, divisions: Divisions, *, file: str, note: str
) -> Drawn:  # fmt: skip
    """The sheet's polygons as cells of the set `name`. What is no cell is left out and told by its row in the file."""
    body = _written(sheet, columns, note)
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="gridhub-") as folder:
        path = Path(folder) / "cells.geojson"
        path.write_bytes(body)
        index = LOADERS.get(name, load_industry_grids)(path, divisions, findings)
    return Drawn(index, body, [_by_row(one, sheet.numbers, file) for one in findings])


def _by_row(finding: Finding, numbers: Sequence[int], file: str) -> Finding:
    """The finding by the row of the delivered file, not by the feature made of it."""

    def row(match: re.Match[str]) -> str:
        return f"row {numbers[int(match[1])]}"

    key, text = _FEATURE.sub(row, finding.key), _FEATURE.sub(row, finding.text)
    return Finding(file, 0, key, text, finding.severity)


def _written(sheet: Sheet, columns: Mapping[str, str], note: str) -> bytes:
    shapes = shapely.transform(sheet.shapes, lambda points: np.round(points, _DIGITS))
    geometries: list[str] = shapely.to_geojson(shapes).tolist()
    lines = [
        orjson.dumps({
            "type": "Feature", "properties": _properties(row, columns), "geometry": orjson.Fragment(geometry),
        })
        for row, geometry in zip(sheet.rows, geometries, strict=True)
    ]  # fmt: skip
    head = orjson.dumps({"type": "FeatureCollection", "note": note, "crs_name": "EPSG:4490, lon lat"})
    return head[:-1] + b', "features": [\n' + b",\n".join(lines) + b"\n]}\n"


def _properties(row: Mapping[str, object], columns: Mapping[str, str]) -> dict[str, object]:
    made: dict[str, object] = {word: _text(row.get(columns[word])) for word in (CODE, NAME) if word in columns}
    for word in (MANAGER, HOUSEHOLDS, POPULATION):
        value = row.get(columns[word]) if word in columns else None
        if value not in (None, ""):
            made[word] = _text(value) if word == MANAGER else _count(value)
    return made


def _text(value: object) -> str:
    """A cell as text; whole numbers without a fraction, as a table that keeps codes as numbers has them."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _count(value: object) -> object:
    """A number of households or people; None where the file has something else there."""
    text = _text(value).replace(",", "")
    return int(text) if text.isascii() and text.isdecimal() else None
