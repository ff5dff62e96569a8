"""Whatever bytes a file has: a sheet, or an error of ours that says what to do. Nothing outside the file is read."""

import random
import sqlite3
import struct
import zipfile
from pathlib import Path

import pytest

from canonical.errors import ContractViolation, HubError, Why
from connectors.geodata import read, sheet
from tests.connectors.test_geodata import CELLS, drawing, pack, write, write_csv, write_xlsx

ENDINGS = ("shp", "gpkg", "geojson", "csv", "xlsx", "zip", "kml", "mif", "tab", "dxf")
SIDECARS = {
    "shp": ("shp", "dbf", "shx", "prj", "cpg"),
    "mif": ("mif", "mid"),
    "tab": ("tab", "dat", "map", "id"),
}
ELSEWHERE = (
    '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
)


def written(folder: Path, ending: str) -> Path:
    if ending == "zip":
        return pack(write(folder / "a.shp", "EPSG:4490", encoding="GBK"), folder / "a.zip")
    if ending == "kml":
        return write(folder / "a.kml", "EPSG:4326", "LIBKML")
    if ending in ("mif", "tab"):
        return write(folder / f"a.{ending}", "EPSG:4326", "MapInfo File", title="name", FORMAT=ending.upper())
    if ending == "dxf":
        return drawing(folder / "a.dxf", CELLS)
    if ending == "csv":
        return write_csv(folder / "a.csv", encoding="gb18030")
    return write_xlsx(folder / "a.xlsx") if ending == "xlsx" else write(folder / f"a.{ending}", "EPSG:4490")


def outcome(path: Path) -> str:
    """How it ends; any error but ours ends the test."""
    try:
        read(path, crs="EPSG:4490")
    except HubError as error:
        return str(error)
    return "a sheet"


def damaged(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body))
    if chance.random() < 0.25:
        return body[:at]
    made = bytearray(body)
    for _ in range(chance.choice((1, 1, 4, 32))):
        made[chance.randrange(len(made))] = chance.choice((0, 255, 0x7F, chance.randrange(256)))
    if chance.random() < 0.2:
        made[at : at + 4] = struct.pack("<I", chance.choice((2**31 - 1, 2**32 - 1, 2**20)))
    return bytes(made)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_damaged_file_is_a_sheet_or_an_error_of_ours(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending)
    parts = [path.with_suffix(f".{one}") for one in SIDECARS.get(ending, (ending,))]
    whole = {part: part.read_bytes() for part in parts}
    chance = random.Random(ending)
    seen: set[str] = set()

    for _ in range(120):
        part = chance.choice(parts)
        part.write_bytes(damaged(whole[part], chance))
        seen.add(outcome(path))
        part.write_bytes(whole[part])

    assert outcome(path) == "a sheet"
    assert len(seen) > 2, "it was damaged indeed"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"\0", b"\xff" * 5000, b"hello", b"[" * 100_000, b'{"type": "FeatureCollection", "features": 5}',
        ELSEWHERE.format(source="/etc/hostname").encode(),
        ELSEWHERE.format(source="/vsicurl/http://192.0.2.1/a").encode(),
        b'{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/hostname"}',
        b"SQLite format 3\0",
        b"\x00\x00\x27\x0a" + b"\0" * 96, b"PK\x03\x04" + b"\0" * 60, b"\n\n\n", b"code,wkt\n1,2\n",
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_such_file_is_refused(tmp_path: Path, ending: str, body: bytes) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(body)

    with pytest.raises(ContractViolation, match=r"^a\.\w+: "):
        read(path)


def test_a_file_that_is_not_there_and_one_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractViolation, match="no such file"):
        read(tmp_path / "a.shp")
    with pytest.raises(ContractViolation, match=r"none of \.shp"):
        read(tmp_path / "a.vrt")


@pytest.mark.parametrize("name", ["../a.shp", "/a.shp", "b/../../a.shp", "C:\\a.shp", "..\\a.shp"])
def test_an_archive_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"\x00\x00\x27\x0a")

    with pytest.raises(ContractViolation, match="would leave its folder"):
        read(path)


@pytest.mark.parametrize("ending", ["zip", "xlsx"])
def test_an_archive_that_unfolds_to_too_much_is_refused(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, ending)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.shp", bytes(30 << 20))
    monkeypatch.setattr("connectors.geodata.packed.MOST_BYTES", 20 << 20)

    with pytest.raises(ContractViolation, match="divide it") as caught:
        read(path, layer="a")

    assert caught.value.why is Why.TOO_LARGE


def test_many_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"c{n}" for n in range(sheet.MOST_COLUMNS + 1)) + "\n" + "1," * sheet.MOST_COLUMNS + "1\n")

    with pytest.raises(ContractViolation, match="columns, and 500 are read at most"):
        read(path)


@pytest.mark.parametrize("count", [900_000, 2_000_000, 2**40, -5, 2])
def test_a_false_count_of_rows_is_not_believed(tmp_path: Path, count: int) -> None:
    path = written(tmp_path, "gpkg")
    link = sqlite3.connect(path)
    link.execute("UPDATE gpkg_ogr_contents SET feature_count = ?", [count])
    link.commit()
    link.close()

    assert len(read(path).rows) == 4


def test_a_workbook_with_types_of_its_own_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "xlsx")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    shown = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "' + "b" * 1000 + '">]>'
    parts["xl/worksheets/sheet1.xml"] = shown.encode() + parts["xl/worksheets/sheet1.xml"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in parts.items():
            archive.writestr(name, body)

    with pytest.raises(ContractViolation, match="types of its own"):
        read(path)


def test_a_database_with_foreign_tables_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "gpkg")
    link = sqlite3.connect(path)
    link.execute("CREATE VIRTUAL TABLE other USING fts5(body)")
    link.commit()
    link.close()

    with pytest.raises(ContractViolation, match="tables that lie elsewhere"):
        read(path)


def test_what_points_elsewhere_is_refused(tmp_path: Path) -> None:
    link = "<NetworkLink><Link><href>http://192.0.2.1/a.kml</href></Link></NetworkLink>"
    kml = tmp_path / "a.kml"
    for inside in (f"<kml><Document>{link}</Document></kml>", '<!DOCTYPE kml [<!ENTITY a "b">]><kml>&a;</kml>'):
        kml.write_text(inside)
        with pytest.raises(ContractViolation, match="lies elsewhere"):
            read(kml)
    tab = written(tmp_path, "tab")
    own = tab.read_text()
    for other in (own.replace("NATIVE", "LINKED"), own + '\nbegin_metadata\n"\\IsSeamless" = "TRUE"\nend_metadata\n'):
        tab.write_text(other)
        with pytest.raises(ContractViolation, match="lies elsewhere"):
            read(tab)


def test_a_drawing_whose_header_has_no_end_is_refused(tmp_path: Path) -> None:
    """GDAL 3.12 reads such a header for ever."""
    path = written(tmp_path, "dxf")
    path.write_bytes(path.read_bytes().replace(b"HEADER\r\n9\r\n", b"HEADER\r\x00\x00\x10\x00"))

    assert "save it again as ASCII DXF" in outcome(path)
