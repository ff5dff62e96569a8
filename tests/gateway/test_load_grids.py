"""`gridhub load grids`: what offices deliver becomes an edition of the registry, and can be taken back."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import orjson
import pytest
import shapely
from pyogrio import raw
from pyproj import Transformer
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.configuration import read
from gateway.grids.loading import last_load, undo
from gateway.grids.table import alone
from gateway.hub import clock
from gateway.settings import example_city
from routing.grid_sets import GridRegistry
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest
from tests.maps.mapserver import one_layer, serving

DAY = "2027-01-01"


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return Path(shutil.copytree(example_city(), tmp_path / "city"))


def said(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["load", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def refused(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["load", *map(str, words)])
    assert result.exit_code == 1
    assert result.exception is not None
    return str(result.exception)


def told(*words: str | Path, code: int = 0) -> Any:
    return json.loads(said(*words, "--json", code=code))


def registry(city: Path) -> GridRegistry:
    configuration, findings = read(city, {})
    assert configuration is not None
    assert not [one for one in findings if one.file.endswith(("sets.csv", "geojson"))]
    return configuration.city.locator.registry


def cells(city: Path) -> list[tuple[str, str, shapely.Polygon]]:
    features = orjson.loads((city / "grids" / "unit-grids.geojson").read_bytes())["features"][:40]
    shapes = shapely.from_geojson([orjson.dumps(one["geometry"]).decode() for one in features])
    return [
        (one["properties"]["code"], one["properties"]["name"], shape)
        for one, shape in zip(features, shapes, strict=True)
    ]


def in_crs(shapes: list[shapely.Polygon], crs: str) -> np.ndarray:
    moving = Transformer.from_crs("EPSG:4490", crs, always_xy=True)
    made: np.ndarray = shapely.transform(
        np.array(shapes, object), lambda points: np.column_stack(moving.transform(points[:, 0], points[:, 1]))
    )
    return made


def delivered(city: Path, kind: str, crs: str = "EPSG:4548") -> Path:
    """The first cells of the city, as an office hands them over."""
    codes, names, shapes = zip(*cells(city), strict=True)
    moved, path = in_crs(list(shapes), crs), city.parent / f"单元网格.{kind}"
    if kind == "xlsx":
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append(["网格编码", "网格名称", "户数", "WKT"])
        for code, name, shape in zip(codes, names, moved, strict=True):
            book.active.append([int(code), name, 400.0, shape.wkt])
        book.save(path)
        return path
    options: dict[str, Any] = {"encoding": "GBK"} if kind == "shp" else {}
    kinds = {"shp": "MultiPolygon", "gpkg": "Polygon"}
    raw.write(
        path, shapely.to_wkb(moved), [np.array(codes, object), np.array(names, object), np.full(len(codes), 400)],
        ["BGCode", "BGName", "户数"], crs=crs, geometry_type=kinds[kind], **options,
    )  # fmt: skip
    if kind == "shp":
        path.with_suffix(".cpg").unlink(missing_ok=True)
    return path


@pytest.mark.parametrize("kind", ["shp", "gpkg", "xlsx"])
def test_what_an_office_delivers_is_the_next_edition(city: Path, kind: str) -> None:
    words = ("--crs", "EPSG:4548") if kind == "xlsx" else ()
    made = told("grids", delivered(city, kind), "--from", DAY, *words, "-c", city)

    found = registry(city)
    [old, new] = [one for one in found.sets if one.name == "base"]
    assert (made["edition"], made["cells"], made["written"], made["cut"]) == (
        f"base@{DAY}", 40, True, "base@2026-01-01",
    )  # fmt: skip
    assert (str(old.valid_to), str(new.valid_from), new.title, len(new.index)) == ("2026-12-31", DAY, "单元网格", 40)
    assert made["difference"] == {
        "added": [], "gone": list(old.index.cells)[40:], "redrawn": [], "renamed": list(new.index.cells), "same": 0,
    }  # fmt: skip
    assert all(cell.households == 400 for cell in new.index.cells.values())
    for code, cell in new.index.cells.items():
        assert cell.name == old.index.cells[code].name
        assert shapely.hausdorff_distance(cell.geometry, old.index.cells[code].geometry) < 1e-7


def test_it_is_taken_back_as_it_was(city: Path) -> None:
    before = {path.name: path.read_bytes() for path in (city / "grids").iterdir()}
    said("grids", delivered(city, "gpkg"), "--from", DAY, "--by", "王工", "-c", city)
    said("undo", "--dry-run", "--without-cases", "-c", city)
    [load] = told("list", "-c", city)

    output = said("undo", "--without-cases", "-c", city)

    after = {path.name: path.read_bytes() for path in (city / "grids").iterdir()}
    notes = after.pop("loads.csv").decode()
    assert after == before
    assert "base@2026-01-01 holds again" in output
    assert (load["by"], load["cells"], load["undone_at"]) == ("王工", "40", "")
    assert told("list", "-c", city)[0]["undone_at"]
    assert notes.count("\n") == 3
    assert "standing: none" in refused("undo", "--without-cases", "-c", city)


def test_a_dry_run_writes_nothing(city: Path) -> None:
    before = {path: path.read_bytes() for path in city.rglob("*") if path.is_file()}

    output = said("grids", delivered(city, "gpkg"), "--dry-run", "-c", city)

    assert "nothing was written (dry run)" in output
    assert {path: path.read_bytes() for path in city.rglob("*") if path.is_file()} == before
    assert all(len(one) <= 80 for one in output.splitlines())


def test_cells_that_cannot_be_taken_are_told_by_row_and_nothing_is_written(city: Path) -> None:
    features = orjson.loads((city / "grids" / "unit-grids.geojson").read_bytes())["features"][:6]
    features[1]["properties"]["code"] = "12"
    features[3]["properties"]["code"] = features[2]["properties"]["code"]
    features[4]["properties"]["code"] = "999999001001001"
    features[5]["geometry"] = {"type": "Point", "coordinates": [118.4, 31.3]}
    path = city.parent / "broken.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))

    made = told("grids", path, "--from", DAY, "-c", city, code=1)

    texts = " ".join(f"{one['key']} {one['text']}" for one in made["findings"])
    assert not made["written"]
    assert "row 6 is a Point" in texts
    assert "row 2 code '12' is not 15 digits" in texts
    assert "row 4 repeats this code" in texts
    assert "999999001001 is no division" in texts
    assert len([one for one in registry(city).sets if one.name == "base"]) == 1
    assert "nothing was written" in said("grids", path, "--from", DAY, "-c", city, code=1)


def test_a_wrong_crs_is_found_and_what_it_may_be_is_told(city: Path) -> None:
    made = told(
        "grids", delivered(city, "xlsx", "EPSG:4549"), "--crs", "EPSG:4548", "--from", DAY, "-c", city, code=1
    )  # fmt: skip

    [finding] = [one for one in made["findings"] if one["key"] == "crs"]
    assert "they would lie inside as EPSG:4549" in finding["text"]


def test_an_industry_comes_anew_and_its_columns_are_said(city: Path) -> None:
    path = city.parent / "fire.csv"
    [(_, _, first), (_, _, second), *_] = cells(city)
    path.write_text(
        f"NO,站名,geom\nXF-1,一站,\"{first.wkt}\"\nXF-2,二站,\"{second.wkt}\"\n", encoding="gb18030"
    )  # fmt: skip
    words = (path, "--crs", "EPSG:4490", "--set", "fire", "--title", "消防网格", "--from", DAY, "-c", city)
    asked = refused("grids", *words)

    made = told("grids", *words, "--code", "NO", "--name", "站名")

    [fire] = [one for one in registry(city).sets if one.name == "fire"]
    assert "pass --code. Columns: NO (XF-1), 站名 (一站)" in asked
    assert made["cut"] == ""
    assert (fire.title, [cell.name for cell in fire.index.cells.values()]) == ("消防网格", ["一站", "二站"])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--from", "2026-01-01"), "is there already"),
        (("--set", "Base"), "is no name"),
        (("--from", DAY, "--to", "2026-12-01"), "lies before"),
        (("--code", "none"), "no column 'none'"),
        (("--crs", "EPSG:4549"), "the file says EPSG:4548"),
        (("--layer", "other"), "say which layer"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(city: Path, words: tuple[str, ...], text: str) -> None:
    before = (city / "grids" / "sets.csv").read_bytes()

    assert text in refused("grids", delivered(city, "gpkg"), *words, "-c", city)
    assert (city / "grids" / "sets.csv").read_bytes() == before


def test_editions_are_put_between_others(city: Path) -> None:
    path = delivered(city, "gpkg")
    said("grids", path, "--from", "2027-07-01", "-c", city)
    said("grids", path, "--from", DAY, "-c", city)

    days = [(str(one.valid_from), str(one.valid_to)) for one in registry(city).sets if one.name == "base"]
    assert days == [("2026-01-01", "2026-12-31"), (DAY, "2027-06-30"), ("2027-07-01", "9999-12-31")]
    said("undo", f"base@{DAY}", "--without-cases", "-c", city)
    days = [(str(one.valid_from), str(one.valid_to)) for one in registry(city).sets if one.name == "base"]
    assert days == [("2026-01-01", "2027-06-30"), ("2027-07-01", "9999-12-31")]


def test_rows_may_stand_in_any_order_and_remarks_stay(city: Path) -> None:
    table = city / "grids" / "sets.csv"
    remark, head, base, landscape = table.read_text(encoding="utf-8").splitlines()
    later = base.replace("2026-01-01", "2027-07-01")
    ended = base.replace("2026-01-01,,", "2026-01-01,2027-06-30,")
    table.write_text("\n".join([remark, head, later, "# 历史", ended, landscape]) + "\n", encoding="utf-8")
    before = table.read_bytes()

    said("grids", delivered(city, "gpkg"), "--from", DAY, "--title", "单元网格\n2027", "-c", city)
    written = table.read_text(encoding="utf-8").splitlines()
    said("undo", "--without-cases", "-c", city)

    assert written[:4] == [remark, head, later, "# 历史"]
    assert written[4] == ended.replace("2027-06-30", "2026-12-31")
    assert written[5].startswith(f"base,单元网格 2027,base-{DAY}.geojson,{DAY},2027-06-30,")
    assert written[6:] == [landscape]
    assert table.read_bytes() == before


def test_a_row_that_was_moved_above_the_one_it_cut_is_taken_back(city: Path) -> None:
    table = city / "grids" / "sets.csv"
    before = table.read_text(encoding="utf-8")
    said("grids", delivered(city, "gpkg"), "--from", DAY, "-c", city)
    remark, head, base, new, landscape = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([remark, head, new, base, landscape]) + "\n", encoding="utf-8")

    said("undo", "--without-cases", "-c", city)

    assert table.read_text(encoding="utf-8") == before


def test_a_set_that_ends_early_leaves_a_hole_that_is_told(city: Path) -> None:
    made = told("grids", delivered(city, "gpkg"), "--from", DAY, "--to", "2027-01-31", "-c", city)

    assert any("no base grids will hold from 2027-02-01 on" in one["text"] for one in made["findings"])


def test_two_at_once_do_not_write_over_each_other(city: Path) -> None:
    with alone(city / "grids"):
        assert "another load is under way" in refused("grids", delivered(city, "gpkg"), "--from", DAY, "-c", city)


def test_a_load_that_was_cut_off_is_taken_back_or_made_whole(city: Path) -> None:
    path, table = delivered(city, "gpkg"), city / "grids" / "sets.csv"
    before = table.read_bytes()
    said("grids", path, "--from", DAY, "-c", city)
    table.write_bytes(before)  # killed between the note and the registry

    configuration, _ = read(city, {})
    assert configuration is not None
    undo(last_load(city / "grids", ""), table, configuration.city.divisions, now=clock())
    assert table.read_bytes() == before

    said("grids", path, "--from", DAY, "-c", city)
    table.write_bytes(before)
    (city / "grids" / "loads.csv").unlink()  # killed before the note
    said("grids", path, "--from", DAY, "-c", city)
    assert len(registry(city).sets) == 3


def test_one_file_of_unit_grids_is_told_what_it_lacks(city: Path) -> None:
    settings = city / "city.yaml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("grids/sets.csv", "grids/unit-grids.geojson"), encoding="utf-8"
    )

    text = refused("grids", delivered(city, "gpkg"), "-c", city)

    assert "put `grids: grids/sets.csv` into city.yaml" in text
    assert "base,单元网格,unit-grids.geojson,2026-01-01" in text


def test_an_edition_in_which_cases_lie_stays(
    city: Path, hub: HubUnderTest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = city / "grids" / "sets.csv"
    earlier = table.read_text(encoding="utf-8").replace("geojson,2026-01-01,", "geojson,2025-01-01,")
    table.write_text(earlier, encoding="utf-8")
    said("grids", delivered(city, "gpkg"), "--from", "2026-01-01", "-c", city)  # the edition that the hub has
    assert hotline(ticket("1", rqstAreaCode="", rqstAddress="")).to(hub).status_code == 200
    place = {"grid": cells(city)[0][0]}
    hub.act(hub.cases()[-1]["no"], kind="file", class_code="30428.2:P01-03", place=place)
    monkeypatch.setenv("GRIDHUB_DATABASE_URL", database_url)

    output = said("undo", "-c", city, code=1)

    assert "1 cases lie in it" in output
    assert any(one.edition == "base@2026-01-01" for one in registry(city).sets)


@pytest.fixture
def wfs(city: Path) -> Iterator[str]:
    codes, names, shapes = zip(*cells(city), strict=True)
    data = city.parent / "grids.gpkg"
    raw.write(
        data, shapely.to_wkb(np.array(shapes, object)), [np.array(codes, object), np.array(names, object)],
        ["BGCode", "BGName"], crs="EPSG:4490", geometry_type="Polygon", layer="grids",
    )  # fmt: skip
    text = one_layer(data, "grids", title="网格", key="BGCode", metadata='"wfs_maxfeatures" "30"')
    with serving(text, city.parent) as address:
        yield address


def test_a_wfs_is_read_page_by_page_though_it_gives_fewer_than_asked(city: Path, wfs: str) -> None:
    made = told("grids", wfs, "--from", DAY, "-c", city)

    [old, new] = [one for one in registry(city).sets if one.name == "base"]
    assert made["read_as"].startswith("WFS 2.0.0, ms:grids, 2 pages")
    assert len(new.index) == 40
    for code, cell in new.index.cells.items():
        assert shapely.hausdorff_distance(cell.geometry, old.index.cells[code].geometry) < 1e-6
    with (city / "grids" / "sets.csv").open(encoding="utf-8") as opened:
        rows = list(csv.reader(opened))
    assert any(wfs in row for row in rows)


def test_a_wfs_without_pages_and_with_its_axes_the_other_way_round(city: Path, wfs: str) -> None:
    words = ("grids", wfs, "--wfs-version", "1.1.0", "--from", DAY, "-c", city)

    unswapped = told(*words, code=1)
    swapped = told(*words, "--swap-axes")

    assert any("inside as axes swapped" in one["text"] for one in unswapped["findings"])
    assert swapped["cells"] == 30
    assert [one["text"] for one in swapped["findings"]] == [
        "WFS 1.1.0 has no pages: a limit of the server would not show. Are 30 all?"
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--layer", "streets"), "say which layer: ms:grids"),
        (("--wfs-version", "3"), "--wfs-version: 2.0.0"),
    ],
)
def test_what_a_wfs_has_not_is_said(city: Path, wfs: str, words: tuple[str, ...], text: str) -> None:
    assert text in refused("grids", wfs, *words, "--from", DAY, "-c", city)


@pytest.mark.parametrize("name", ["nobody", "tianditu_vec"])
def test_a_service_that_gives_no_cells_is_said(city: Path, name: str) -> None:
    assert name in refused("grids", f"upstream:{name}", "-c", city)


def test_nobody_answers(city: Path) -> None:
    assert "no connection" in refused("grids", "http://127.0.0.1:9/wfs", "-c", city)
