"""Units and what their table may get wrong."""

from pathlib import Path

import pytest

from canonical.findings import Finding
from canonical.organisation import Level, Unit
from routing.divisions import load_divisions
from routing.units import load_units

DIVISIONS = "code,level,name,parent\n3402,city,芜湖市,\n340202,district,镜湖区,3402\n"
HEADER = "id,name,level,area,parent,system\n"


@pytest.fixture
def load(tmp_path: Path) -> "Load":
    (tmp_path / "divisions.csv").write_text(DIVISIONS, encoding="utf-8")
    return Load(tmp_path)


class Load:
    """Loads a table of units given as text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, rows: str) -> tuple[dict[str, Unit], list[Finding]]:
        (self.folder / "units.csv").write_text(HEADER + rows, encoding="utf-8")
        findings: list[Finding] = []
        divisions = load_divisions(self.folder / "divisions.csv", findings)
        return load_units(self.folder / "units.csv", divisions, {"urban"}, findings), findings


def test_units_are_read_as_written(load: Load) -> None:
    units, findings = load("u1,镜湖区城管局,district,340202,u0,urban\nu0,市城管局,city,3402,,\n")

    assert findings == []
    assert units["u1"] == Unit(
        id="u1", name="镜湖区城管局", level=Level.DISTRICT, area="340202", parent="u0", system="urban"
    )
    assert units["u0"].parent is None
    assert units["u0"].system is None


def test_every_wrong_row_is_found_with_its_line(load: Load) -> None:
    rows = """u1,a,county,340202,,
u2,a,district,340299,,
u3,a,district,340202,u9,
u4,a,district,340202,,unknown
u4,a,district,340202,,
centre,a,city,3402,,
,a,city,3402,,
u5,a,city,3402,u6,
u6,a,city,3402,u5,
u7,a,city,3402,u7,
"""

    units, findings = load(rows)

    assert sorted((f.line, f.key) for f in findings) == [
        (2, "level"),
        (3, "area"),
        (4, "parent"),
        (5, "system"),
        (6, "id"),
        (7, "id"),
        (8, "id"),
        (9, "parent"),
        (10, "parent"),
        (11, "parent"),
    ]
    assert set(units) == {"u3", "u4", "u5", "u6", "u7"}
