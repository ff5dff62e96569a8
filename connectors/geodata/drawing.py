"""DXF drawings: closed lines are cells, and the text inside one is its code. A drawing has no columns and no CRS."""

import re
from dataclasses import replace
from operator import gt
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyogrio
import shapely

from canonical.findings import Finding
from connectors.geodata.gdal import read_gdal
from connectors.geodata.packed import set_apart
from connectors.geodata.sheet import Layer, as_array, unreadable
from connectors.geodata.words import Encoding, declared

_CODE_LINE = re.compile(rb" *-?\d{1,4} *")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f]")
_WORD = re.compile(rb"[A-Za-z0-9_]{1,20}")
_VARIABLES = frozenset({b"$ACADVER", b"$DWGCODEPAGE"})
_DRAWN = (2, b"ENTITIES")
_CODE, _LAYER = "code", "layer"


def read_dxf(source: Path, layer: str, encoding: str) -> Layer:
    """Closed lines and filled areas, all or those of the drawing's layer of that name."""
    with TemporaryDirectory(prefix="gridhub-") as folder:
        path, _ = set_apart(source, Path(folder), (".dxf",), "")
        path.write_bytes(_plain(path.read_bytes(), source.name))
        said = declared(encoding, "the option") if encoding else None
        pyogrio.set_gdal_config_options({"DXF_ENCODING": said.name if said else None})
        made, _ = read_gdal(path, source.name, {"DXF"}, "", Encoding("utf-8", ""))
    why = f"{said.name} ({said.why})" if said else "encoding as its header says"
    return _cells(made, layer, source.name, f"DXF, {why}; closed lines, with the text inside as {_CODE}")


Group = tuple[int, bytes]
"""A group code and its value."""


def _plain(body: bytes, name: str) -> bytes:
    """The drawing anew with nothing but what is drawn and its code page: over broken headers GDAL reads for ever."""
    groups = _groups(body, name)
    ends = [at for at, group in enumerate(groups) if group == (0, b"ENDSEC")]
    starts = [at for at, group in enumerate(groups) if group == (0, b"SECTION")]
    if groups[-1:] != [(0, b"EOF")] or len(starts) != len(ends) or any(map(gt, starts, ends)):
        raise unreadable(f"{name}: the drawing is cut off or broken: save it again as ASCII DXF")
    drawn = [groups[start : end + 1] for start, end in zip(starts, ends, strict=True) if groups[start + 1] == _DRAWN]
    if len(drawn) != 1:
        raise unreadable(f"{name}: a DXF without a part for what is drawn: save it again as ASCII DXF")
    head: list[Group] = [(0, b"SECTION"), (2, b"HEADER")]
    for at, (_, variable) in enumerate(groups[: starts[0] + 1000]):
        if variable in _VARIABLES and at + 1 < len(groups) and _WORD.fullmatch(groups[at + 1][1]):
            head += [(9, variable), groups[at + 1]]
    made = [*head, (0, b"ENDSEC"), *drawn[0], (0, b"EOF")]
    return b"".join(b"%d\n%s\n" % group for group in made)


def _groups(body: bytes, name: str) -> list[Group]:
    """A drawing is pairs of lines: a number and a value."""
    lines = body.replace(b"\r\n", b"\n").rstrip(b"\n\x1a \0").split(b"\n")
    codes, values = lines[::2], [value.strip() for value in lines[1::2]]
    fine = len(codes) == len(values) and all(_CODE_LINE.fullmatch(code) for code in codes)
    if not fine or any(_CONTROL.search(value) for value in values):
        raise unreadable(f"{name}: not a DXF in text, or broken: save it again as ASCII DXF")
    return [(int(code), value) for code, value in zip(codes, values, strict=True)]


def _cells(drawn: Layer, layer: str, name: str, how: str) -> Layer:
    """Texts are put into the smallest cell around them; what is neither text nor area is a row that is refused."""
    shapes = as_array([_area(shape) for shape in drawn.shapes.tolist()])
    texts = [at for at, row in enumerate(drawn.rows) if row.get("Text") and shapely.get_type_id(shapes[at]) == 0]
    others = sorted(set(range(len(shapes))) - set(texts))
    meant = [at for at in others if not layer or drawn.rows[at].get("Layer") == layer]
    if not meant:
        layers = ", ".join(sorted({str(drawn.rows[at].get("Layer")) for at in others})[:10])
        raise unreadable(f"{name}: nothing is drawn there: say which layer: {layers or 'it has none'}")
    cells = shapes[meant]
    codes = _codes(cells, [str(drawn.rows[at]["Text"]).strip() for at in texts], shapes[texts])
    findings = [
        Finding(name, 0, f"row {number}", f"has {len(found)} texts inside, where its code was expected: leave one")
        for number, (cell, found) in enumerate(zip(cells, codes, strict=True), 1)
        if len(found) != 1 and shapely.get_dimensions(cell) == 2
    ]
    rows: list[dict[str, object]] = [
        {_CODE: found[0] if len(found) == 1 else "", _LAYER: drawn.rows[at].get("Layer")}
        for at, found in zip(meant, codes, strict=True)
    ]
    return replace(
        drawn, columns=(_CODE, _LAYER), rows=rows, shapes=cells, how=how, findings=[*drawn.findings, *findings]
    )


def _area(shape: object) -> object:
    """A closed line as the area within."""
    if isinstance(shape, shapely.LineString) and shape.is_closed and len(shape.coords) > 3:
        return shapely.Polygon(shape)
    return shape


def _codes(cells: np.ndarray, texts: list[str], points: np.ndarray) -> list[list[str]]:
    """The texts inside each cell."""
    found: list[list[str]] = [[] for _ in cells]
    areas = cells.copy()
    areas[shapely.get_dimensions(cells) != 2] = None
    tree = shapely.STRtree(areas)
    sizes = shapely.area(cells)
    inside: dict[int, int] = {}
    for point, cell in tree.query(points, predicate="within").T.tolist() if len(points) else []:
        if point not in inside or sizes[cell] < sizes[inside[point]]:
            inside[point] = cell
    for point, cell in inside.items():
        found[cell].append(texts[point])
    return found
