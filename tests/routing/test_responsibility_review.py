"""The responsibility list read as a whole: conflicts, rows without effect, gaps."""

from pathlib import Path

import pytest

from canonical.findings import Finding, Severity
from canonical.organisation import Level, Unit
from routing.catalogue import load_catalogue
from routing.divisions import load_divisions
from routing.responsibility import load_responsibility
from routing.responsibility_review import review

DIVISIONS = """code,level,name,parent
3402,city,芜湖市,
340202,district,镜湖区,3402
340207,district,鸠江区,3402
340202016,street,赭山街道,340202
340202020,street,大砻坊街道,340202
340202016003,community,凤凰山社区居民委员会,340202016
"""
CLASSES = """code,name,acceptance,reason,note
30428.2:E04-06,占道经营,file,,
30428.2:P01-01,上水井盖,verify,先核实,
local:E99-01,噪声纠纷,refuse,请向公安机关反映,
"""
STANDARDS = """id,class,condition,keywords,default,limit_value,limit_unit,closing,source
S1,30428.2:P01-01,缺失,缺失,yes,2,work_hour,恢复,演示
S2,30428.2:E04-06,占道,占道,yes,2,work_hour,取缔,演示
"""
UNITS = {name: Unit(id=name, name=name, level=Level.CITY, area="3402") for name in ("u1", "u2")}
ALL = "R0,*,*,always,u1,2026-01-01,,\n"


class Review:
    """Reviews a list given as text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("divisions", DIVISIONS), ("classes", CLASSES), ("standards", STANDARDS)):
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")

    def __call__(self, rows: str) -> list[Finding]:
        path = self.folder / "responsibility.csv"
        path.write_text("id,class,area,hours,unit,valid_from,valid_to,basis\n" + rows, encoding="utf-8")
        findings: list[Finding] = []
        divisions = load_divisions(self.folder / "divisions.csv", findings)
        catalogue = load_catalogue(self.folder, findings)
        responsibility = load_responsibility(path, UNITS, divisions, findings)
        assert findings == []
        return review(responsibility, catalogue, divisions)

    def gaps(self, rows: str) -> list[str]:
        return [finding.text for finding in self(rows)]


@pytest.fixture
def reviewed(tmp_path: Path) -> Review:
    return Review(tmp_path)


def test_a_list_that_covers_everything_has_no_finding(reviewed: Review) -> None:
    assert reviewed(ALL) == []


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("R1,*,*,always,u2,2026-06-01,,\n", True),
        ("R1,*,*,always,u2,2025-01-01,2026-01-01,\n", True),
        ("R1,*,*,always,u2,2025-01-01,2025-12-31,\n", False),
        ("R1,*,*,working,u2,2026-01-01,,\n", False),
        ("R1,*,340202,always,u2,2026-01-01,,\n", False),
        ("R1,30428.2:E*,*,always,u2,2026-01-01,,\n", False),
        ("R1,*,340202,working,u1,2026-01-01,,\nR2,*,340202,off_hours,u2,2026-01-01,,\n", False),
    ],
)
def test_two_rows_that_give_the_same_work_to_two_units_are_a_conflict(reviewed: Review, rows: str, found: bool) -> None:
    findings = reviewed(ALL + rows)

    expected = [(3, "unit", Severity.ERROR)] if found else []
    assert [(f.line, f.key, f.severity) for f in findings] == expected
    assert all("R0 (line 2) and R1" in f.text and "u1" in f.text and "u2" in f.text for f in findings)


def test_a_row_that_repeats_another_has_no_effect(reviewed: Review) -> None:
    [finding] = reviewed(ALL + "R1,*,*,always,u1,2026-06-01,2026-12-31,\n")

    assert (finding.line, finding.severity) == (3, Severity.WARNING)
    assert "R1 has no effect" in finding.text


def test_a_class_that_nobody_owns_is_one_warning(reviewed: Review) -> None:
    [finding] = reviewed("R0,30428.2:E*,*,always,u1,2026-01-01,,\n")

    assert (finding.file, finding.key, finding.severity) == ("responsibility.csv", "class", Severity.WARNING)
    assert finding.text == "30428.2:P01-01 上水井盖: no unit anywhere; such cases wait in the centre's queue"


def test_a_gap_names_the_district_and_the_hour(reviewed: Review) -> None:
    parts = "R0,30428.2:P*,*,always,u1,2026-01-01,,\n"

    [day_only] = reviewed.gaps(parts + "R1,*,*,working,u1,2026-01-01,,\n")
    [one_district] = reviewed.gaps(parts + "R1,*,340202,always,u1,2026-01-01,,\n")
    [both] = reviewed.gaps(parts + "R1,*,340202,always,u1,2026-01-01,,\nR2,*,340207,off_hours,u1,2026-01-01,,\n")

    assert "30428.2:E04-06 占道经营: no unit off hours anywhere;" in day_only
    assert "30428.2:E04-06 占道经营: no unit in 鸠江区;" in one_district
    assert "30428.2:E04-06 占道经营: no unit in working time in 鸠江区;" in both


def test_a_district_is_covered_when_all_its_streets_are(reviewed: Review) -> None:
    rows = ALL.replace("*,*", "30428.2:P*,*") + "R1,*,340207,always,u1,2026-01-01,,\n"
    first = "R2,30428.2:E04-06,340202016,always,u1,2026-01-01,,\n"
    second = "R3,30428.2:E04-*,340202020,always,u2,2026-01-01,,\n"

    assert reviewed(rows + first + second) == []
    assert len(reviewed(rows + first)) == 1


def test_a_row_that_runs_out_opens_a_gap_on_the_next_day(reviewed: Review) -> None:
    rows = "R0,*,*,always,u1,2026-01-01,2026-12-31,\n"

    gaps = reviewed.gaps(rows)
    assert len(gaps) == 2
    assert all("from 2027-01-01 on no unit anywhere" in gap for gap in gaps)
    assert reviewed.gaps(rows + "R1,*,*,always,u2,2027-01-01,,\n") == []


def test_an_empty_list_leaves_every_class_that_can_be_filed(reviewed: Review) -> None:
    assert [gap.split(":", 2)[1] for gap in reviewed.gaps("")] == ["E04-06 占道经营", "P01-01 上水井盖"]
