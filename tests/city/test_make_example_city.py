"""The script that makes the example city gives the same bytes again."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canonical.coordinates import Converted, to_cgcs2000
from canonical.place import Coordinate

MADE = ("divisions.csv", "grids/districts.geojson", "grids/unit-grids.geojson")


@pytest.fixture(scope="module")
def made(shared: Path, city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script makes from the licensed sources."""
    out = tmp_path_factory.mktemp("city")
    script = city.parent / "deploy" / "make_example_city.py"
    command = [sys.executable, str(script), "--regions", str(shared / "data" / "regions"), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.mark.parametrize("name", MADE)
def test_a_made_file_is_the_one_that_is_kept(made: Path, city: Path, name: str) -> None:
    assert (made / name).read_bytes() == (city / name).read_bytes()


def test_the_team_is_made_of_the_tables_beside_it(city: Path, tmp_path: Path) -> None:
    script = city.parent / "deploy" / "make_example_team.py"
    command = [sys.executable, str(script), "--city", str(city), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)

    made = sorted((tmp_path / "team").iterdir())
    assert [one.name for one in made] == ["grids.csv", "industry-grids.csv", "officers.csv", "roster.csv"]
    assert [one.name for one in made if one.read_bytes() != (city / "team" / one.name).read_bytes()] == []


def test_the_industry_grids_are_made_of_the_unit_grids(city: Path, tmp_path: Path) -> None:
    copy = tmp_path / "config"
    for folder in ("grids", "team"):
        shutil.copytree(city / folder, copy / folder)
    (copy / "grids" / "landscape.geojson").unlink()
    subprocess.run([sys.executable, str(city.parent / "deploy" / "make_industry_grids.py"), str(copy)], check=True)

    assert (copy / "grids" / "landscape.geojson").read_bytes() == (city / "grids" / "landscape.geojson").read_bytes()


def test_divisions_agree_with_the_reference_list(made: Path, shared: Path) -> None:
    reference = (shared / "reference" / "wuhu-divisions.csv").read_text(encoding="utf-8").splitlines()[1:]
    expected = {(line.split(",")[0], line.split(",")[2]) for line in reference if line.strip()}
    lines = (made / "divisions.csv").read_text(encoding="utf-8").splitlines()
    found = {(line.split(",")[0], line.split(",")[2]) for line in lines if line[0].isdigit()}

    assert found == expected


def vertices(geometry: list[Any]) -> Iterator[tuple[float, float]]:
    """Every vertex of a geometry's nested coordinates."""
    if isinstance(geometry[0], float | int):
        yield (geometry[0], geometry[1])
        return
    for part in geometry:
        yield from vertices(part)


def test_outlines_are_converted_as_the_hub_itself_converts(city: Path, shared: Path) -> None:
    source = json.loads((shared / "data" / "regions" / "wuhu_districts.geojson").read_text(encoding="utf-8"))
    kept = json.loads((city / "grids" / "districts.geojson").read_text(encoding="utf-8"))
    ours = {one["properties"]["code"]: one["geometry"]["coordinates"] for one in kept["features"]}
    districts = [one for one in source["features"] if one["properties"]["level"] == "district"]

    assert len(districts) == len(ours)
    for one in districts:
        given = [Coordinate(x=x, y=y, crs="GCJ-02") for x, y in vertices(one["geometry"]["coordinates"])]
        converted = [answer for answer in to_cgcs2000(given) if isinstance(answer, Converted)]
        expected = {(round(answer.lon, 6), round(answer.lat, 6)) for answer in converted}
        assert set(vertices(ours[str(one["properties"]["adcode"])])) == expected
