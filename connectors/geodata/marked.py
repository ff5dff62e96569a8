"""KML and MapInfo's MIF and TAB: text that could point elsewhere, so it is looked through before GDAL sees it."""

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lxml import etree

from canonical.findings import Finding, Severity
from connectors.geodata import crs
from connectors.geodata.gdal import read_gdal
from connectors.geodata.packed import set_apart
from connectors.geodata.sheet import Layer, unreadable
from connectors.geodata.words import Encoding, declared

_OF_GDAL = frozenset(
    {"id", "timestamp", "begin", "end", "altitudemode", "tessellate", "extrude", "visibility", "draworder", "icon"}
)
"""Columns that GDAL makes of any KML."""
_CHARSET = re.compile(rb'charset\s+"?(\w+)"?', re.IGNORECASE)
_TYPE = re.compile(rb"\btype\s+(native|dbf)\b", re.IGNORECASE)
_ELSEWHERE = re.compile(rb"seamless|create\s+view|open\s+table", re.IGNORECASE)


def read_kml(source: Path, layer: str, encoding: str) -> Layer:
    """A .kml: its folders are the layers, its CRS is WGS 84 by the standard."""
    with TemporaryDirectory(prefix="gridhub-") as folder:
        path, _ = set_apart(source, Path(folder), (".kml",), "")
        _check_kml(path, source.name)
        made, _ = read_gdal(path, source.name, {"KML", "LIBKML"}, layer, Encoding("utf-8", "by the standard"))
    kept = tuple(
        title for title in made.columns
        if title.lower() not in _OF_GDAL
        and (title not in ("Name", "description", "Description") or any(row[title] for row in made.rows))
    )  # fmt: skip
    rows: list[dict[str, object]] = [{title: row[title] for title in kept} for row in made.rows]
    return replace(made, columns=kept, rows=rows, crs=crs.WGS_84, how="KML, encoding as XML says", assumed=True)


def _check_kml(path: Path, name: str) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.parse(path, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        raise unreadable(f"{name}: not XML: export it again as KML") from None
    root = tree.getroot()
    told: Any = tree.docinfo
    if etree.QName(root).localname != "kml":
        raise unreadable(f"{name}: not KML, whatever its name says: export it again as KML")
    if told.doctype or next(root.iter("{*}NetworkLink"), None) is not None:
        raise unreadable(f"{name}: points to what lies elsewhere: export the cells themselves")


def read_mif(source: Path, layer: str, encoding: str) -> Layer:
    """A .mif with its .mid."""
    return _mapinfo(source, (".mif", ".mid"), encoding, re.compile(rb"\s*version\b", re.IGNORECASE))


def read_tab(source: Path, layer: str, encoding: str) -> Layer:
    """A .tab with its .dat, .map and .id."""
    return _mapinfo(source, (".tab", ".dat", ".map", ".id"), encoding, re.compile(rb"\s*!table\b", re.IGNORECASE))


def _mapinfo(source: Path, endings: tuple[str, ...], encoding: str, start: re.Pattern[bytes]) -> Layer:
    with TemporaryDirectory(prefix="gridhub-") as folder:
        path, _ = set_apart(source, Path(folder), endings, "")
        with path.open("rb") as file:
            head = file.read(1 << 20)
        if not start.match(head):
            raise unreadable(f"{source.name}: not of MapInfo, whatever its name says: export it again")
        if endings[0] == ".tab" and (not _TYPE.search(head) or _ELSEWHERE.search(head)):
            raise unreadable(f"{source.name}: points to what lies elsewhere: export the table itself as MapInfo TAB")
        made, found = read_gdal(path, source.name, {"MapInfo File"}, "", _encoding(head, encoding))
    findings = list(made.findings)
    assumed = made.crs == crs.WGS_84
    if assumed:  # its words for datums are older than CGCS2000
        text = "MapInfo has no word for CGCS2000: WGS 84 is taken, unless a CRS is passed"
        findings.append(Finding(source.name, 0, "", text, Severity.WARNING))
    how = f"MapInfo {endings[0][1:].upper()}, {found.name} ({found.why})"
    return replace(made, how=how, findings=findings, assumed=assumed)


def _encoding(head: bytes, option: str) -> Encoding | None:
    """GDAL makes UTF-8 of a charset that it knows, and leaves what is Neutral as it is."""
    match = _CHARSET.search(head)
    charset = match[1].decode("ascii", "replace") if match else "Neutral"
    if charset.lower() != "neutral":
        return Encoding("utf-8", f"the file says {charset}, which is converted")
    return declared(option, "the option") if option else None
