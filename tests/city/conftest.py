"""The example city's files, as tests read them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from canonical.findings import Finding
from canonical.tables import TableRow, read_table

ROOT = Path(__file__).parents[2]
COLUMNS = {
    "divisions.csv": "code,level,name,parent",
    "calendar/holidays.csv": "date,day_type,name,notice",
    "calendar/local.csv": "date,day_type,name,source",
    "catalogue/classes.csv": "code,name,acceptance,reason,note",
    "catalogue/standards.csv": "id,class,condition,keywords,default,limit_value,limit_unit,closing,source",
    "clocks.csv": "id,clock,class,urgency,source,level,limit_value,limit_unit,basis",
    "units.csv": "id,name,level,area,parent,system,calendar,former_name,merged_into,valid_to",
    "responsibility.csv": "id,class,area,hours,unit,valid_from,valid_to,basis",
    "team/officers.csv": "id,name,unit,post,classes,valid_from,valid_to",
    "team/grids.csv": "id,officer,area,order,valid_from,valid_to,note",
    "team/industry-grids.csv": "id,industry,name,area,share,valid_from,valid_to",
    "team/roster.csv": "id,officer,kind,days,hours,stand_in,valid_from,valid_to,note",
}
"""Every table of the city and its columns."""

Table = Callable[[str], list[TableRow]]
Layer = Callable[[str], dict[str, BaseGeometry]]


@pytest.fixture(scope="session")
def city() -> Path:
    """The example city's folder."""
    return ROOT / "config"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data beside the checkout, which a public clone does not have."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the reference data (folder `shared` beside the checkout) is not here")
    return folder


@pytest.fixture(scope="session")
def table(city: Path) -> Table:
    """Rows of a table of the city; a finding fails the test."""

    def read(name: str) -> list[TableRow]:
        findings: list[Finding] = []
        rows = read_table(city / name, COLUMNS[name].split(","), findings, name=name)
        assert findings == []
        return rows

    return read


@pytest.fixture(scope="session")
def layer(city: Path) -> Layer:
    """Code to shape of a map layer of the city."""

    def read(name: str) -> dict[str, BaseGeometry]:
        document: dict[str, Any] = json.loads((city / "grids" / name).read_text(encoding="utf-8"))
        features = document["features"]
        shapes = {one["properties"]["code"]: shapely.from_geojson(json.dumps(one["geometry"])) for one in features}
        assert len(shapes) == len(features), "a code stands twice"
        return shapes

    return read
