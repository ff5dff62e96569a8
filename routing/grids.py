"""Unit grids 单元网格 and district polygons as one spatial index: which cell does a point lie in?

Cells are lon/lat CGCS2000. Codes: GB/T 30428.1, 15 digits, the first 12 of them the community's. Asked in batches:
ten times cheaper than point by point.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import shapely
from shapely.geometry.base import BaseGeometry

from canonical.findings import Finding
from routing.divisions import Divisions

_GRID_CODE = re.compile(r"\d{15}", re.ASCII)
_DISTRICT_CODE = re.compile(r"\d{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cell:
    """One polygon with its code and name."""

    code: str
    name: str
    geometry: BaseGeometry


class GridIndex:
    """Polygons by position and by code. Immutable after it is made; safe to share between threads."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        ordered = sorted(cells, key=lambda cell: cell.code)
        self.cells = {cell.code: cell for cell in ordered}
        """By code, in order."""
        self._codes = [cell.code for cell in ordered]
        self._tree = shapely.STRtree([cell.geometry for cell in ordered])

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, code: str) -> bool:
        return code in self.cells

    def find(self, lons: Sequence[float], lats: Sequence[float]) -> list[str | None]:
        """The code of the cell each point lies in; None outside all. On a shared edge the lowest code wins."""
        if not lons or not self._codes:
            return [None] * len(lons)
        points, cells = self._tree.query(shapely.points(lons, lats), predicate="intersects")
        lowest = np.full(len(lons), len(self._codes))
        np.minimum.at(lowest, points, cells)
        codes: list[str | None] = [*self._codes, None]
        return [codes[index] for index in lowest.tolist()]


def load_grids(path: Path, divisions: Divisions, findings: list[Finding]) -> GridIndex:
    """`unit-grids.geojson`: cells with 15-digit codes under known communities. What is no cell is left out."""
    return _load(path, divisions, findings, code_form=_GRID_CODE, expected="15 digits", parent_width=12)


def load_districts(path: Path, divisions: Divisions, findings: list[Finding]) -> GridIndex:
    """`districts.geojson`: one feature a county, with its 6-digit code."""
    return _load(path, divisions, findings, code_form=_DISTRICT_CODE, expected="6 digits", parent_width=6)


def _load(
    path: Path,
    divisions: Divisions,
    findings: list[Finding],
    *,
    code_form: re.Pattern[str],
    expected: str,
    parent_width: int,
) -> GridIndex:
    def found(key: str, text: str) -> None:
        findings.append(Finding(path.name, 0, key, text))

    features = _features(path, findings)
    geometries = _geometries(features)
    cells: dict[str, Cell] = {}
    for number, (feature, geometry) in enumerate(zip(features, geometries, strict=True)):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        code, name = (str((properties or {}).get(key) or "") for key in ("code", "name"))
        if not code_form.fullmatch(code):
            found(f"features[{number}]", f"code '{code}' is not {expected}")
        elif code in cells:
            found(code, f"features[{number}] repeats this code")
        elif problem := _problem(geometry):
            found(code, problem)
        else:
            if not divisions.known(code[:parent_width]):
                found(code, f"{code[:parent_width]} is no division of this city")
            assert geometry is not None
            cells[code] = Cell(code, name, geometry)
    return GridIndex(list(cells.values()))


def _features(path: Path, findings: list[Finding]) -> list[object]:
    """The features of a collection; empty, with a finding, when the file is not one."""
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        findings.append(Finding(path.name, 0, "", "missing; a GeoJSON FeatureCollection is expected"))
        return []
    except orjson.JSONDecodeError as error:
        findings.append(Finding(path.name, error.lineno, "", "not JSON in UTF-8"))
        return []
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        findings.append(Finding(path.name, 0, "features", "not a GeoJSON FeatureCollection"))
        return []
    return features


def _geometries(features: Sequence[object]) -> list[BaseGeometry | None]:
    """The geometry of each feature; None for what is not GeoJSON. Read in one call: 20,000 cells take a second."""
    texts = [orjson.dumps(feature.get("geometry") if isinstance(feature, dict) else None) for feature in features]
    read = shapely.from_geojson([text.decode() for text in texts], on_invalid="ignore")
    return list(read)


def _problem(geometry: BaseGeometry | None) -> str:
    """Why a geometry cannot be a cell; empty when it can."""
    if geometry is None or geometry.geom_type not in {"Polygon", "MultiPolygon"} or geometry.is_empty:
        return "no polygon"
    west, south, east, north = geometry.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        return "coordinates are not degrees as longitude, latitude"
    if not geometry.is_valid:
        return f"the polygon is broken: {shapely.is_valid_reason(geometry)}"
    return ""
