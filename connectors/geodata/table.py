"""Tables with a column of WKT, which is found by what is in it: CSV and XLSX."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import cast

import openpyxl
import shapely
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.worksheet.worksheet import Worksheet

from canonical.errors import HubError
from canonical.findings import Finding
from connectors.geodata import crs
from connectors.geodata.packed import BROKEN, check_archive
from connectors.geodata.sheet import Layer, as_array, check_size, unreadable
from connectors.geodata.words import whole_text

_WKT = re.compile(
    r"\s*(?:SRID\s*=\s*(\d{1,6})\s*;\s*)?"
    r"((?:POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION)\s*(?:ZM|Z|M)?\s*(?:\(|EMPTY).*)",
    re.IGNORECASE | re.DOTALL,
)
_LOOKED_AT = 200
"""Rows by which the column is found."""
_DELIMITERS = (",", "\t", ";")
_FIELD = 64 * 1024 * 1024


def read_csv(path: Path, layer: str, encoding: str) -> Layer:
    """Comma, tab or semicolon: the one that stands most often in the first line."""
    text, found = whole_text(path.read_bytes(), encoding, path.name)
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(_FIELD)
    try:
        lines = [
            line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if any(line)
        ]
    except csv.Error as error:
        raise unreadable(f"{path.name}: not a table ({error}): save it again as CSV") from None
    shown = {"\t": "tab"}.get(delimiter, delimiter)
    return _layer(path.name, lines, f"CSV with '{shown}', {found.name} ({found.why})")


def read_xlsx(path: Path, layer: str, encoding: str) -> Layer:
    """The sheet that is meant, or the only one that is not empty. Formulas count by their last value."""
    check_archive(path)
    _check_types(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that it does not know
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                sheets = {
                    sheet.title: _lines(sheet, path.name) for sheet in book.worksheets if layer in ("", sheet.title)
                }
            finally:
                book.close()
    except HubError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever a broken part makes it stumble over
        raise unreadable(f"{path.name}: cannot be read ({type(error).__name__}): save it again as XLSX") from None
    full = {title: lines for title, lines in sheets.items() if lines}
    if len(full) != 1:
        names = ", ".join(book.sheetnames[:10])
        raise unreadable(f"{path.name}: say which layer, that is which sheet with rows: {names}")
    [(title, lines)] = full.items()
    return _layer(path.name, lines, f"XLSX, sheet {title}")


def _check_types(path: Path) -> None:
    """No part of a workbook declares types of its own: those are how a few bytes unfold to many."""
    try:
        with zipfile.ZipFile(path) as archive:
            starts = [_start(archive, one) for one in archive.infolist() if one.filename.endswith((".xml", ".rels"))]
    except BROKEN:
        raise unreadable(f"{path.name}: a part of it is broken: save it again as XLSX") from None
    if any(b"<!DOCTYPE" in start or b"<!ENTITY" in start for start in starts):
        raise unreadable(f"{path.name}: has XML with types of its own: save it again as XLSX")


def _start(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as part:
        return part.read(4096).replace(b"\0", b"")


def _lines(sheet: Worksheet, name: str) -> list[list[object]]:
    """The rows that are not empty."""
    cast("ReadOnlyWorksheet", sheet).reset_dimensions()  # what the file says of its size is not asked
    lines: list[list[object]] = []
    for row in sheet.iter_rows(values_only=True):
        filled = next((at for at in range(len(row), 0, -1) if row[at - 1] is not None), 0)
        if filled:
            lines.append([_value(value) for value in row[:filled]])
            check_size(name, len(lines) - 1, filled)
    return lines


def _value(value: object) -> object:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)  # a code that was typed as a number
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _layer(name: str, lines: Sequence[Sequence[object]], how: str) -> Layer:
    if len(lines) < 2:
        raise unreadable(f"{name}: no rows in it: the first line names the columns, the others are the cells")
    titles = [str(title if title is not None else "").strip() or f"column {at}" for at, title in enumerate(lines[0], 1)]
    check_size(name, len(lines) - 1, max(len(titles), *map(len, lines)))
    twice = next((title for title in titles if titles.count(title) > 1), "")
    if twice:
        raise unreadable(f"{name}: two columns are called {twice[:40]}: name one of them otherwise")
    at = _shape_column(name, titles, lines[1:])
    found: list[tuple[str, object]] = [_shape(line[at] if at < len(line) else None) for line in lines[1:]]
    columns = tuple(title for index, title in enumerate(titles) if index != at)
    rows = [_row(titles, at, line) for line in lines[1:]]
    said = {srid for srid, _ in found if srid}
    if len(said) > 1:
        raise unreadable(f"{name}: its rows are in several CRSs ({', '.join(sorted(said)[:5])}): bring them into one")
    named = crs.found(f"EPSG:{said.pop()}") if said else ""
    findings = [
        Finding(name, 0, f"row {number}", "has more fields than the first line names: those are left out")
        for number, line in enumerate(lines[1:], 1)
        if len(line) > len(titles)
    ]
    return Layer(columns, rows, as_array([shape for _, shape in found]), named, f"{how}; WKT in {titles[at]}", findings)


def _shape_column(name: str, titles: Sequence[str], lines: Sequence[Sequence[object]]) -> int:
    """The position of the one column in which most values are WKT."""
    looked = lines[:_LOOKED_AT]
    fit = []
    for at in range(len(titles)):
        values = [line[at] for line in looked if at < len(line) and line[at] not in (None, "")]
        wkt = sum(isinstance(value, str) and _WKT.match(value[:200]) is not None for value in values)
        if wkt * 2 > len(values):
            fit.append(at)
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise unreadable(f"{name}: several columns hold WKT ({', '.join(titles[at] for at in fit[:5])}): leave one")
    raise unreadable(
        f"{name}: no column holds WKT such as POLYGON ((118.3 31.3, ...)): add one, or export a GeoPackage"
    )


def _shape(value: object) -> tuple[str, object]:
    """The EPSG code before it, if one is, and the geometry."""
    match = _WKT.match(value) if isinstance(value, str) else None
    if match is None:
        return "", None
    return match[1] or "", shapely.from_wkt(match[2], on_invalid="ignore")


def _row(titles: Sequence[str], at: int, line: Sequence[object]) -> dict[str, object]:
    values = [*line, *[None] * (len(titles) - len(line))]
    return {title: value for index, (title, value) in enumerate(zip(titles, values, strict=False)) if index != at}
