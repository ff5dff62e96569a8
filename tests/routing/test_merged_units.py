"""Units that were renamed or merged: whose figures are whose at the end of a period, and what cannot be."""

from datetime import date
from pathlib import Path

import pytest

from canonical.findings import Finding
from canonical.organisation import Unit
from routing.divisions import Divisions, load_divisions
from routing.units import load_units, successors

HEADER = "id,name,level,area,parent,system,former_name,merged_into,valid_to"


@pytest.fixture
def divisions(tmp_path: Path) -> Divisions:
    """One city."""
    path = tmp_path / "divisions.csv"
    path.write_text("code,level,name,parent\n3402,city,芜湖市,\n", encoding="utf-8")
    return load_divisions(path, [])


def read(folder: Path, divisions: Divisions, *rows: str) -> tuple[dict[str, Unit], list[Finding]]:
    """Units of these rows, all of the city."""
    findings: list[Finding] = []
    lines = [HEADER, *(f"{row.partition(',')[0]},某单位,city,3402,,,{row.partition(',')[2]}" for row in rows)]
    (folder / "units.csv").write_text("\n".join(lines), encoding="utf-8")
    return load_units(folder / "units.csv", divisions, None, findings), findings


def test_a_unit_is_anothers_from_the_day_after_its_last_and_chains_lead_to_the_end(
    tmp_path: Path, divisions: Divisions
) -> None:
    units, findings = read(
        tmp_path, divisions, "a,,b,2026-10-15", "b,旧名,c,2026-12-31", "c,,,", "d,,c,"
    )  # fmt: skip

    assert findings == []
    assert units["b"].former_name == "旧名"
    assert successors(units, date(2026, 10, 15)) == {"d": "c"}
    assert successors(units, date(2026, 10, 31)) == {"a": "b", "d": "c"}
    assert successors(units, date(2027, 1, 31)) == {"a": "c", "b": "c", "d": "c"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("lighting,,lihgting,2026-10-15",), "is no unit of this table; did you mean 'lighting'?"),
        (("a,,b,", "b,,a,"), "is merged into itself in the end"),
        (("a,,a,2026-10-15",), "is merged into itself in the end"),
        (("a,,,2026-10-15",), "a unit that ends on a day has one that takes its work"),
        (("a,,b,15.10.2026", "b,,,"), "is no day: write 2026-10-15"),
    ],
)
def test_a_merger_that_cannot_be_is_found(
    tmp_path: Path, divisions: Divisions, rows: tuple[str, ...], said: str
) -> None:
    units, findings = read(tmp_path, divisions, *rows)

    assert [one for one in findings if said in str(one) and one.line >= 2], findings
    successors(units, date(2026, 10, 31))  # whatever is wrong, it ends
