"""Unit grids 单元网格 and district polygons as one spatial index: which cell does a point lie in?

Cells are lon/lat CGCS2000. Codes: GB/T 30428.1, 15 digits, the first 12 of them the community's. Asked in batches:
ten times cheaper than point by point.
"""

import math
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

EDGE, SEVERAL = "grid_edge", "several_grids"
"""Flags: the point lies on a shared edge, and the lowest code won; inside several cells, and the smallest won."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One polygon with its code and name."""

    code: str
    name: str
    geometry: BaseGeometry
    manager: str = ""
    """The division that manages it, where that is not its own by code: a development zone 开发区."""
    households: int | None = None
    population: int | None = None


class GridIndex:
    """Polygons by position and by code. Immutable after it is made; safe to share between threads."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        ordered = sorted(cells, key=lambda cell: cell.code)
        self.cells = {cell.code: cell for cell in ordered}
        """By code, in order."""
        self._codes = [cell.code for cell in ordered]
        self._answers: list[str | None] = [*self._codes, None]
        """By position; the last is for a point in no cell."""
        self._shapes = np.array([cell.geometry for cell in ordered], object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, code: str) -> bool:
        return code in self.cells

    def find(self, lons: Sequence[float], lats: Sequence[float]) -> list[str | None]:
        """The code of the cell each point lies in; None outside all. On a shared edge the lowest code wins."""
        return self.place(lons, lats)[0]

    def place(self, lons: Sequence[float], lats: Sequence[float]) -> tuple[list[str | None], dict[int, str]]:
        """The code of the cell of each point, and the flags of those that more than one cell claims, by position.

        Inside several cells the smallest wins: it is what was carved out 专属网格. On an edge the lowest code does.
        """
        if not lons or not self._codes:
            return [None] * len(lons), {}
        shapes = shapely.points(lons, lats)
        points, cells = self._tree.query(shapes, predicate="intersects")
        chosen = np.full(len(lons), len(self._codes))
        chosen[points] = cells
        flags: dict[int, str] = {}
        claims = np.bincount(points, minlength=len(lons))
        for point in np.flatnonzero(claims > 1).tolist():
            chosen[point], flags[point] = self._one_of(shapes[point], cells[points == point])
        codes = self._answers
        return [codes[index] for index in chosen.tolist()], flags

    def near(self, lon: float, lat: float, metres: float) -> str | None:
        """The code of the nearest cell, when it is no farther than this; of several as near the lowest."""
        if not self._codes or metres <= 0:
            return None
        wide = metres / (METRES_A_DEGREE * math.cos(math.radians(lat)))
        point = shapely.Point(lon, lat)
        found = [
            (_metres(shapely.shortest_line(point, self._shapes[index]), lat), index)
            for index in self._tree.query(point.buffer(wide)).tolist()
        ]
        best = min(found, default=(math.inf, 0))
        return self._codes[best[1]] if best[0] <= metres else None

    def _one_of(self, point: BaseGeometry, cells: np.ndarray) -> tuple[int, str]:
        inside = cells[shapely.contains(self._shapes[cells], point)]
        if not len(inside):
            return int(cells.min()), EDGE
        if len(inside) == 1:
            return int(inside[0]), SEVERAL if len(inside) != len(cells) else EDGE
        sizes = shapely.area(self._shapes[inside])
        return int(inside[sizes == sizes.min()].min()), SEVERAL


METRES_A_DEGREE = 111_195.0
"""On a sphere of 6,371 km: for distances of some metres."""


def _metres(line: BaseGeometry, lat: float) -> float:
    (west, south), (east, north) = shapely.get_coordinates(line).tolist()
    return METRES_A_DEGREE * math.hypot((east - west) * math.cos(math.radians(lat)), north - south)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the codes of a layer look like."""

    code: re.Pattern[str]
    expected: str
    parent: int
    """Digits of the division that a code begins with; 0: none."""


_UNIT_GRIDS = _Form(re.compile(r"\d{15}", re.ASCII), "15 digits", 12)
_DISTRICTS = _Form(re.compile(r"\d{6}", re.ASCII), "6 digits", 6)
_INDUSTRY = _Form(re.compile(r"[^\s,|;]{1,40}"), "1 to 40 characters without spaces, commas, bars or semicolons", 0)


def load_grids(path: Path, divisions: Divisions, findings: list[Finding]) -> GridIndex:
    """`unit-grids.geojson`: cells with 15-digit codes under known communities. What is no cell is left out."""
    return _load(path, divisions, findings, _UNIT_GRIDS)


def load_industry_grids(path: Path, divisions: Divisions, findings: list[Finding]) -> GridIndex:
    """Cells of an industry 行业网格, with codes of its own."""
    return _load(path, divisions, findings, _INDUSTRY)


def load_districts(path: Path, divisions: Divisions, findings: list[Finding]) -> GridIndex:
    """`districts.geojson`: one feature a county, with its 6-digit code."""
    return _load(path, divisions, findings, _DISTRICTS)


def _load(path: Path, divisions: Divisions, findings: list[Finding], form: _Form) -> GridIndex:
    def found(key: str, text: str) -> None:
        findings.append(Finding(path.name, 0, key, text))

    features = _features(path, findings)
    geometries = _geometries(features)
    cells: dict[str, Cell] = {}
    for number, (feature, geometry) in enumerate(zip(features, geometries, strict=True)):
        properties = (feature.get("properties") if isinstance(feature, dict) else None) or {}
        code, name, manager = (str(properties.get(key) or "") for key in ("code", "name", "manager"))
        if not form.code.fullmatch(code):
            found(f"features[{number}]", f"code '{code}' is not {form.expected}")
        elif code in cells:
            found(code, f"features[{number}] repeats this code")
        elif problem := _problem(geometry):
            found(code, problem)
        else:
            if form.parent and not divisions.known(code[: form.parent]):
                found(code, f"{code[: form.parent]} is no division of this city")
            if manager and not divisions.known(manager):
                found(code, f"manager: {manager} is no division of this city")
            assert geometry is not None
            people = (_count(properties.get(key)) for key in ("households", "population"))
            cells[code] = Cell(code, name, geometry, manager, *people)
    return GridIndex(list(cells.values()))


def _count(value: object) -> int | None:
    """A number of households or people; None for what is none."""
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == int(value)
    return int(value) if whole else None  # type: ignore[call-overload]


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
