"""The formats by the ending of a file's name, and what each begins with: an ending alone is no proof."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from connectors.geodata.drawing import read_dxf
from connectors.geodata.features import read_geojson
from connectors.geodata.gdal import read_gdal
from connectors.geodata.marked import read_kml, read_mif, read_tab
from connectors.geodata.packed import set_apart
from connectors.geodata.sheet import Layer, unreadable
from connectors.geodata.table import read_csv, read_xlsx
from connectors.geodata.words import Encoding, dbf_widths, declared

Reader = Callable[[Path, str, str], Layer]
"""Of a file, the layer that is meant or an empty text, and the encoding or an empty text."""

_SHP = b"\x00\x00\x27\x0a"
_SQLITE = b"SQLite format 3\x00"


def read_shapefile(source: Path, layer: str, encoding: str) -> Layer:
    """A .shp with its sidecars, or a .zip of them."""
    with TemporaryDirectory(prefix="gridhub-") as folder:
        path, stem = set_apart(source, Path(folder), (".shp", ".shx", ".dbf", ".prj", ".cpg"), layer)
        _check_start(path, _SHP, source.name, "a shapefile")
        table = path.with_suffix(".dbf")
        widths = dbf_widths(table.read_bytes()) if table.exists() else []
        said = _encoding(encoding, path.with_suffix(".cpg"))
        for word in (".cpg", ".qpj"):  # GDAL reads bytes; what they mean is decided here
            path.with_suffix(word).unlink(missing_ok=True)
        made, found = read_gdal(path, source.name, {"ESRI Shapefile"}, "", said, widths)
    missing = "" if widths else "; without a .dbf, so without columns"
    how = f"Shapefile {stem}, {found.name} ({found.why}){missing}"
    return _told(made, how)


def _encoding(option: str, codepage: Path) -> Encoding | None:
    if option:
        return declared(option, "the option")
    text = codepage.read_bytes()[:100].decode("ascii", "replace").strip() if codepage.exists() else ""
    return declared(text, "the .cpg") if text else None


def read_geopackage(source: Path, layer: str, encoding: str) -> Layer:
    """A .gpkg; its text is UTF-8 by its standard."""
    with TemporaryDirectory(prefix="gridhub-") as folder:
        path, _ = set_apart(source, Path(folder), (".gpkg",), layer)
        _check_start(path, _SQLITE, source.name, "a GeoPackage")
        _check_database(path, source.name)
        said = Encoding("utf-8", "by the standard")
        made, found = read_gdal(path, source.name, {"GPKG"}, layer, said)
    return _told(made, f"GeoPackage, {found.name} ({found.why})")


def _check_database(path: Path, name: str) -> None:
    """The copy of a database: no tables that lie elsewhere, no virtual ones but the index of boxes, no kept counts."""
    try:
        link = sqlite3.connect(path)
        try:
            link.execute("PRAGMA trusted_schema = OFF")
            made = link.execute("SELECT name, sql FROM sqlite_master WHERE sql LIKE '%VIRTUAL%'").fetchall()
            tables = {title for (title,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if (
                "gpkg_ogr_contents" in tables
            ):  # a count that is kept beside the rows and may be wrong: rows would be lost
                link.execute("UPDATE gpkg_ogr_contents SET feature_count = NULL")
                link.commit()
        finally:
            link.close()
    except (sqlite3.Error, UnicodeDecodeError, OverflowError):
        raise unreadable(f"{name}: the database is broken: export it again") from None
    if "gpkg_contents" not in tables:
        raise unreadable(f"{name}: a database, but no GeoPackage: export it as one")
    foreign = [title for title, sql in made if "using rtree" not in " ".join(str(sql).lower().split())]
    if foreign:
        raise unreadable(f"{name}: has tables that lie elsewhere ({str(foreign[0])[:40]}): export the layer alone")


def _check_start(path: Path, start: bytes, name: str, what: str) -> None:
    with path.open("rb") as file:
        if file.read(len(start)) != start:
            raise unreadable(f"{name}: not {what}, whatever its name says: export it again")


def _told(layer: Layer, how: str) -> Layer:
    return Layer(layer.columns, layer.rows, layer.shapes, layer.crs, how, layer.findings, layer.assumed)


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".shp": read_shapefile, ".zip": read_shapefile, ".gpkg": read_geopackage, ".geojson": read_geojson,
        ".json": read_geojson, ".kml": read_kml, ".mif": read_mif, ".tab": read_tab, ".dxf": read_dxf, ".csv": read_csv,
        ".tsv": read_csv, ".txt": read_csv, ".xlsx": read_xlsx,
    }
)  # fmt: skip
