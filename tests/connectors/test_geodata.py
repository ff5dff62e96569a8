"""Files of cells in every format, CRS and encoding come out as the same polygons in degrees."""

import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import orjson
import pytest
import shapely
from pyogrio import raw
from pyproj import Transformer

from canonical.coordinates import GCJ_02, to_gcj02
from canonical.errors import ContractViolation
from canonical.findings import Severity
from connectors.geodata import Sheet, read

CELLS = np.array(
    [shapely.box(118.40 + 0.003 * i, 31.30, 118.403 + 0.003 * i, 31.304).segmentize(0.001) for i in range(4)], object
)
NAMES = ["镜湖区网格一", "镜湖区网格二", "鸠江区网格三", "弋江区网格四"]
CODES = [f"34020300100100{i}" for i in range(4)]
FIELDS = (np.array(CODES, object), np.array(NAMES, object))
METRE = 1 / 111_195
PLANES = ("EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:4548", "EPSG:4527", "EPSG:4509", "EPSG:4498")


def in_crs(crs: str, cells: np.ndarray = CELLS) -> np.ndarray:
    def moved(points: np.ndarray) -> np.ndarray:
        if crs == GCJ_02:
            return np.array([to_gcj02(x, y) for x, y in points.tolist()])
        source = "EPSG:4326" if crs in ("EPSG:4326", "EPSG:3857") else "EPSG:4490"
        return np.column_stack(Transformer.from_crs(source, crs, always_xy=True).transform(points[:, 0], points[:, 1]))

    made: np.ndarray = shapely.transform(cells, moved)
    return made


def write(
    path: Path,
    crs: str | None = None,
    driver: str = "",
    cells: np.ndarray = CELLS,
    title: str = "名称",
    **options: object,
) -> Path:
    kind = "Unknown" if len(set(shapely.get_type_id(cells))) > 1 else cells[0].geom_type
    raw.write(
        path, shapely.to_wkb(cells, output_dimension=4), [*FIELDS, np.arange(len(cells))],
        ["code", title, "households"], crs=crs, driver=driver or None, geometry_type=kind, **options,
    )  # fmt: skip
    return path


def write_csv(path: Path, delimiter: str = ",", encoding: str = "utf-8-sig", cells: np.ndarray = CELLS) -> Path:
    lines = [delimiter.join(["code", "名称", "范围"])]
    lines += [
        delimiter.join([code, name, f'"{shape.wkt}"']) for code, name, shape in zip(CODES, NAMES, cells, strict=True)
    ]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def write_xlsx(path: Path, cells: np.ndarray = CELLS) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["code", "名称", "范围"])
    for code, name, shape in zip(CODES, NAMES, cells, strict=True):
        sheet.append([int(code), name, shape.wkt])
    book.save(path)
    return path


def errors(sheet: Sheet) -> list[str]:
    return [str(one) for one in sheet.findings if one.severity is Severity.ERROR]


def assert_same(sheet: Sheet, metres: float = 0.05, title: str = "名称") -> None:
    assert errors(sheet) == []
    assert [str(row["code"]) for row in sheet.rows] == CODES
    assert [row[title] for row in sheet.rows] == NAMES
    off = [shapely.hausdorff_distance(one, other) for one, other in zip(sheet.shapes, CELLS, strict=True)]
    assert max(off) < metres * METRE


@pytest.mark.parametrize("crs", PLANES)
@pytest.mark.parametrize("ending", ["shp", "gpkg", "geojson"])
def test_a_file_says_its_crs(tmp_path: Path, ending: str, crs: str) -> None:
    sheet = read(write(tmp_path / f"网格.{ending}", crs, cells=in_crs(crs)))

    assert_same(sheet)
    assert sheet.columns == ("code", "名称", "households")
    assert [row["households"] for row in sheet.rows] == [0, 1, 2, 3]
    equal = {"EPSG:4509": "EPSG:4548"}  # zones of six and of three degrees around one meridian
    assert equal.get(sheet.crs, sheet.crs) == equal.get(crs, crs)


@pytest.mark.parametrize("crs", [*PLANES, GCJ_02])
@pytest.mark.parametrize("ending", ["shp", "gpkg", "csv", "xlsx", "geojson"])
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_crs_is_passed_for_a_file_that_does_not_say_it(tmp_path: Path, ending: str, crs: str) -> None:
    cells = in_crs(crs)
    path = tmp_path / f"cells.{ending}"
    if ending == "csv":
        write_csv(path, cells=cells)
    elif ending == "xlsx":
        write_xlsx(path, cells)
    else:
        write(path, cells=cells)

    assert_same(read(path, crs=crs), 2 if crs == GCJ_02 else 0.05)
    if ending != "geojson":
        with pytest.raises(ContractViolation, match=r"does not say its CRS: pass it: EPSG:4490"):
            read(path)


@pytest.mark.parametrize(
    ("written", "cpg", "passed", "why"),
    [
        ("GBK", "keep", "", "the .cpg says GBK"),
        ("GBK", "drop", "", "gb18030 (some of the text is not UTF-8"),
        ("UTF-8", "drop", "", "utf-8 (all of the text is UTF-8)"),
        ("GBK", "drop", "GB18030", "the option says GB18030"),
        ("GBK", "936", "", "the .cpg says 936"),
    ],
)
def test_text_of_a_shapefile_is_read_as_the_file_says_or_as_it_fits(
    tmp_path: Path, written: str, cpg: str, passed: str, why: str
) -> None:
    path = write(tmp_path / "a.shp", "EPSG:4490", encoding=written)
    if cpg == "drop":
        path.with_suffix(".cpg").unlink()
    elif cpg != "keep":
        path.with_suffix(".cpg").write_text(cpg)

    sheet = read(path, encoding=passed)

    assert_same(sheet)
    assert why in sheet.how


def test_an_encoding_that_the_text_is_not_in_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", "EPSG:4490", encoding="GBK")
    path.with_suffix(".cpg").write_text("UTF-8")

    with pytest.raises(ContractViolation, match="says UTF-8, but the text is not"):
        read(path)
    with pytest.raises(ContractViolation, match="pass UTF-8 or GB18030"):
        read(path, encoding="klingon")


def pack(path: Path, target: Path, folder: str = "") -> Path:
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(path.parent.glob(f"{path.stem}.*")):
            archive.write(part, f"{folder}{part.name}")
    return target


def test_a_packed_shapefile_is_read_and_of_several_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    first = write(tmp_path / "in" / "单元网格.shp", "EPSG:4548", cells=in_crs("EPSG:4548"), encoding="GBK")
    packed = pack(first, tmp_path / "a.zip", "数据/")
    assert_same(read(packed))

    pack(write(tmp_path / "in" / "other.shp", "EPSG:4490"), packed)
    assert_same(read(packed, layer="单元网格"))
    with pytest.raises(ContractViolation, match="say which layer: other, 单元网格"):
        read(packed)


def test_a_shapefile_without_its_index_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", "EPSG:4490")
    path.with_suffix(".shx").unlink()

    assert_same(read(path))
    assert not path.with_suffix(".shx").exists(), "the source stays as it is"


def test_of_several_layers_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "EPSG:4490", layer="单元")
    write(path, "EPSG:4490", layer="责任", append=True)

    assert_same(read(path, layer="责任"))
    for wrong in ("", "nothing"):
        with pytest.raises(ContractViolation, match="say which layer: 单元, 责任"):
            read(path, layer=wrong)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "gb18030"])
def test_tables_are_read_with_every_delimiter(tmp_path: Path, delimiter: str, encoding: str) -> None:
    sheet = read(write_csv(tmp_path / "a.csv", delimiter, encoding), crs="EPSG:4490")

    assert_same(sheet)
    assert sheet.columns == ("code", "名称")


def test_a_table_may_say_its_crs_before_its_shapes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("code,名称,w\n" + "".join(
        f'{code},{name},"SRID=4490;{shape.wkt}"\n' for code, name, shape in zip(CODES, NAMES, CELLS, strict=True)
    ), encoding="utf-8")  # fmt: skip

    assert_same(read(path))


ESRI = (
    'PROJCS["CGCS2000_3_Degree_GK_CM_117E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",'
    'DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",{easting}],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",117.0],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


@pytest.mark.parametrize(("easting", "crs"), [("500000.0", "EPSG:4548"), ("39500000.0", "EPSG:4527")])
@pytest.mark.parametrize("name", ["CGCS2000_3_Degree_GK_CM_117E", "wuhu"])
def test_esris_words_are_understood(tmp_path: Path, easting: str, crs: str, name: str) -> None:
    path = write(tmp_path / "a.shp", "EPSG:4490", cells=in_crs(crs))
    words = ESRI.replace("{easting}", easting).replace("CGCS2000_3_Degree_GK_CM_117E", name)
    path.with_suffix(".prj").write_text(words)

    sheet = read(path)

    assert_same(sheet)
    assert sheet.crs == crs
    assert read(path, crs=crs).crs == crs


def test_an_option_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "EPSG:4490")

    with pytest.raises(ContractViolation, match="says EPSG:4490, and EPSG:4548 was passed"):
        read(path, crs="EPSG:4548")
    with pytest.raises(ContractViolation, match="CRS 'WGS84' is not known: pass EPSG:4490"):
        read(path, crs="WGS84")
    with pytest.raises(ContractViolation, match="EPSG:32650, which is not converted"):
        read(write(tmp_path / "b.gpkg", "EPSG:32650"))


def collection(*geometries: object, crs: str = "urn:ogc:def:crs:EPSG::4490") -> bytes:
    features = [{"type": "Feature", "properties": {"code": "1"}, "geometry": one} for one in geometries]
    named = {"type": "name", "properties": {"name": crs}}
    return orjson.dumps({"type": "FeatureCollection", "crs": named, "features": features})


def ring(*points: tuple[float, ...]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


def test_what_is_no_polygon_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    good = ring((118.4, 31.3, 5.0), (118.5, 31.3, 5.0), (118.5, 31.4, 5.0))
    crossing = ring((118.4, 31.3), (118.5, 31.4), (118.5, 31.3), (118.4, 31.4))
    swapped = ring((31.3, 118.4), (31.3, 118.5), (31.4, 118.5))
    point = {"type": "Point", "coordinates": [118.4, 31.3]}
    several = {"type": "GeometryCollection", "geometries": [good]}
    path.write_bytes(collection(point, good, several, crossing, swapped, None))

    sheet = read(path)

    assert sheet.numbers == [2, 4]
    assert not shapely.has_z(sheet.shapes).any()
    assert not shapely.is_valid(sheet.shapes[1]), "a broken polygon stays as it was drawn"
    told = {one.key: one.text for one in sheet.findings}
    assert told["row 1"] == "is a Point, not a polygon: left out"
    assert told["row 3"] == "is a GeometryCollection, not a polygon: left out"
    assert told["row 4"].startswith("the polygon is broken, draw it again: Self-intersection")
    assert "cannot be of EPSG:4490: swapped axes" in told["row 5"]
    assert told["row 6"] == "has no geometry that can be read: left out"
    assert told[""] == "1 shapes have heights or measures, which are left out"


def test_progress_is_told(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []

    read(write(tmp_path / "a.gpkg", "EPSG:4490"), progress=lambda done, total: heard.append((done, total)))

    assert heard == [(0, 4), (4, 4)]


@pytest.mark.parametrize("driver", ["KML", "LIBKML"])
def test_kml_is_wgs_84_unless_a_crs_is_passed(tmp_path: Path, driver: str) -> None:
    sheet = read(write(tmp_path / "a.kml", "EPSG:4326", driver))

    assert_same(sheet)
    assert sheet.columns == ("code", "名称", "households")
    assert sheet.crs == "EPSG:4326"

    assert_same(read(write(tmp_path / "b.kml", "EPSG:4326", driver, in_crs(GCJ_02)), crs=GCJ_02), 2)


@pytest.mark.parametrize("ending", ["mif", "tab"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4548", "EPSG:4527"])
@pytest.mark.parametrize("charset", ["GBK", "UTF-8", "WindowsSimpChinese"])
def test_mapinfo_is_read(tmp_path: Path, ending: str, crs: str, charset: str) -> None:
    options: dict[str, object] = {"encoding": charset} if charset != "WindowsSimpChinese" else {"ENCODING": "CP936"}
    bounds = {"BOUNDS": "39400000,3000000,39700000,4000000"} if crs == "EPSG:4527" else {}
    bounds = {"BOUNDS": "400000,3000000,700000,4000000"} if crs == "EPSG:4548" else bounds
    path = write(
        tmp_path / f"a.{ending}", crs, "MapInfo File", in_crs(crs), "name", FORMAT=ending.upper(), **bounds, **options
    )

    sheet = read(path)

    assert_same(sheet, title="name")
    assert sheet.crs == crs
    assert ("says WindowsSimpChinese" in sheet.how) == (charset == "WindowsSimpChinese")


def drawing(path: Path, cells: np.ndarray, closed: bool = True) -> Path:
    """As a drawing program writes it: lines without their last point, marked as closed, and texts."""
    parts = ["0", "SECTION", "2", "HEADER", "9", "$DWGCODEPAGE", "3", "ANSI_936", "0", "ENDSEC"]
    parts += ["0", "SECTION", "2", "ENTITIES"]
    for cell, name in zip(cells, NAMES, strict=True):
        corners = list(cell.exterior.coords)[:-1]
        parts += ["0", "LWPOLYLINE", "8", "网格", "90", str(len(corners)), "70", "1" if closed else "0"]
        parts += [word for x, y in corners for word in ("10", repr(x), "20", repr(y))]
        parts += [
            "0",
            "TEXT",
            "8",
            "注记",
            "10",
            repr(cell.centroid.x),
            "20",
            repr(cell.centroid.y),
            "40",
            "2",
            "1",
            name,
        ]
    path.write_bytes("\r\n".join([*parts, "0", "ENDSEC", "0", "EOF", ""]).encode("gbk"))
    return path


def test_closed_lines_of_a_drawing_are_cells_with_the_text_inside_as_code(tmp_path: Path) -> None:
    path = drawing(tmp_path / "a.dxf", in_crs("EPSG:4548"))

    sheet = read(path, crs="EPSG:4548")

    assert errors(sheet) == []
    assert sheet.rows == [{"code": name, "layer": "网格"} for name in NAMES]
    assert max(map(shapely.hausdorff_distance, sheet.shapes, CELLS)) < 0.05 * METRE
    with pytest.raises(ContractViolation, match="say which layer: 网格"):
        read(path, crs="EPSG:4548", layer="注记")


def test_open_lines_of_a_drawing_are_told(tmp_path: Path) -> None:
    sheet = read(drawing(tmp_path / "a.dxf", in_crs("EPSG:4548"), closed=False), crs="EPSG:4548")

    assert sheet.rows == []
    assert [one.text for one in sheet.findings] == ["is a LineString, not a polygon: left out"] * 4


def test_a_text_belongs_to_the_smallest_cell_around_it(tmp_path: Path) -> None:
    boxes = [(118.40, 31.30, 118.44, 31.34), (118.401, 31.301, 118.405, 31.305), (118.45, 31.3, 118.46, 31.31)]
    cells = np.array([shapely.box(*box) for box in [*boxes, (118.46, 31.3, 118.47, 31.31)]], object)

    sheet = read(drawing(tmp_path / "a.dxf", cells), crs="EPSG:4490")

    assert errors(sheet) == []
    assert [row["code"] for row in sheet.rows] == NAMES
