"""`gridhub grids check`: sets are looked at as ground and as lists of codes, and so is what is loaded."""

import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
import shapely
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.grids.topology import checked
from gateway.settings import example_city
from maps.topology import FlawKind, TopologyArea, TopologyCell, check
from routing.grid_sets import GridSet
from routing.grids import Cell, GridIndex
from tests.maps.topology_city import square

REGIONS = Path(__file__).parents[2].parent / "shared" / "data" / "regions"


def said(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return Path(shutil.copytree(example_city(), tmp_path / "city"))


def spoilt(city: Path) -> list[dict[str, Any]]:
    """The unit grids of the example city with one gone and one drawn over its neighbour."""
    features: list[dict[str, Any]] = orjson.loads((city / "grids" / "unit-grids.geojson").read_bytes())["features"]
    features[40]["geometry"] = features[41]["geometry"]
    for number, feature in enumerate(features):
        feature["properties"]["households"] = 40 if number == 7 else 400
    return features


def test_the_unit_grids_of_the_example_city_have_no_severe_flaw(tmp_path: Path) -> None:
    output = said("grids", "check", "--output", tmp_path / "report")
    made = json.loads(said("grids", "check", "landscape", "--json", code=1))

    assert "0 severe 严重问题" in output
    assert all(len(one) <= 80 for one in output.splitlines() if "report.html" not in one)
    assert {one.name for one in (tmp_path / "report").iterdir()} == {"report.html", "flaws.geojson", "flaws.csv"}
    shared = [one["codes"] for one in made["flaws"] if one["severe"]]  # unit grids that two teams share
    assert (made["set"], made["cells"]) == ("landscape", 4)
    assert sorted(shared) == [["YL-01", "YL-02"], ["YL-02", "YL-03"], ["YL-03", "YL-04"]]


def test_a_set_with_gaps_and_overlaps_ends_with_one(city: Path) -> None:
    features = spoilt(city)
    path = city / "grids" / "unit-grids.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))

    made = json.loads(said("grids", "check", "--json", "-c", city, code=1))

    counts = {one["kind"]: one["count"] for one in made["kinds"] if not one["kind"].startswith("sliver")}
    texts = [one["text"] for one in made["flaws"] if one["kind"] in ("overlap", "people")]
    assert counts == {"overlap": 1, "gap": 1, "people": 1}
    assert features[40]["properties"]["code"] in texts[0]
    assert features[41]["properties"]["code"] in texts[0]
    assert texts[1] == f"{features[7]['properties']['code']} has 40 households"


def test_what_is_loaded_is_looked_at_and_taken_all_the_same(city: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": spoilt(city)}))
    words = ("load", "grids", path, "--from", "2027-01-01", "-c", city)

    output = said(*words, "--dry-run", "--report", tmp_path / "report")
    made = json.loads(said(*words, "--json"))

    assert "2 severe 严重问题" in output
    assert "has 40 households" in output
    assert (tmp_path / "report" / "report.html").exists()
    assert (made["written"], made["topology"]["severe"]) == (True, 2)


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["grids", "check", "landscape", "-o", str(tmp_path / "file" / "report")])
    assert "name a folder that may be written" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "code"), [(("fire",), 5), (("--day", "2025-01-01"), 5), (("--day", "soon"), 2)]
)  # fmt: skip
def test_what_is_not_there_is_told(words: tuple[str, ...], code: int) -> None:
    said("grids", "check", *words, code=code)


def test_a_code_of_another_district_is_severe(city: Path) -> None:
    path = city / "grids" / "unit-grids.geojson"
    document = orjson.loads(path.read_bytes())
    properties = next(one["properties"] for one in document["features"] if one["properties"]["code"][:6] == "340202")
    properties["code"] = "340281" + properties["code"][6:]
    path.write_bytes(orjson.dumps(document))

    assert "code against geometry 编码与位置不符" in said("grids", "check", "-c", city, code=1)


def test_an_industrys_grids_need_not_fill_the_city_nor_have_our_codes() -> None:
    districts = GridIndex([Cell("340202", "镜湖区", square(0, 0, 4, 4))])
    ring = square(0, 0, 3, 3).difference(square(1, 1))
    index = GridIndex([Cell("YL-1", "第一养护片", ring), Cell("YL-2", "第一养护片", square(3, 0))])

    made = checked(GridSet("landscape", "园林", index), districts)

    assert made.found.counts == {FlawKind.GAP: 1}
    assert made.found.severe == 0
    assert checked(GridSet("base", "单元网格", index), districts).found.severe > 0


def features(name: str) -> list[TopologyArea]:
    """The polygons of a file of the regions."""
    path = REGIONS / name
    if not path.is_file():
        pytest.skip(f"not here: {path}")
    document = orjson.loads(path.read_bytes())["features"]
    made = [
        TopologyArea(str(code), str(one["properties"].get("name")), shapely.geometry.shape(one["geometry"]))
        for one in document
        if (code := one["properties"].get("code") or one["properties"].get("adcode"))
    ]
    return [one for one in made if not one.code.endswith("00")]  # the city's own outline


def test_the_districts_of_wuhu_tile_the_city_and_jinghu_has_two_parts() -> None:
    cells = [TopologyCell(one.code, one.name, one.geometry) for one in features("wuhu_districts.geojson")]

    found = check(cells)

    assert len(cells) == 7
    assert not found.counts.keys() & {FlawKind.GAP, FlawKind.OVERLAP, FlawKind.NESTED, FlawKind.INVALID}
    assert ("340202",) in [one.codes for one in found.flaws if one.kind is FlawKind.PARTS]


def test_codes_from_before_2020_lie_in_other_districts_now() -> None:
    today = features("wuhu_districts.geojson")
    former = [
        TopologyCell(f"{one.code}001001001", one.name, one.geometry)
        for one in features("wuhu_districts_before_2020.geojson")
    ]

    found = check(former, areas=today)

    lost = {one.codes[0][:6] for one in found.flaws if one.kind is FlawKind.NO_AREA}
    assert "340208" in lost  # 三山区, part of 弋江区 since 2020
    assert not lost & {one.code for one in today}
