"""The script that makes the example city gives the same bytes again."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_divisions_agree_with_the_reference_list(made: Path, shared: Path) -> None:
    reference = (shared / "reference" / "wuhu-divisions.csv").read_text(encoding="utf-8").splitlines()[1:]
    expected = {(line.split(",")[0], line.split(",")[2]) for line in reference if line.strip()}
    lines = (made / "divisions.csv").read_text(encoding="utf-8").splitlines()
    found = {(line.split(",")[0], line.split(",")[2]) for line in lines if line[0].isdigit()}

    assert found == expected
