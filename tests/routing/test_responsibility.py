"""The responsibility list: the most specific row answers, exactly as reading every row would."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.codes import ClassCode
from canonical.findings import Finding
from canonical.organisation import Level, Unit
from canonical.tables import TableRow
from canonical.time import SHANGHAI
from routing.divisions import Divisions, load_divisions
from routing.responsibility import (
    Hours,
    Match,
    NoMatch,
    ResponsibilityList,
    Row,
    class_key_of,
    load_responsibility,
    responsibility_of,
)

DIVISIONS = """code,level,name,parent
3402,city,芜湖市,
340202,district,镜湖区,3402
340207,district,鸠江区,3402
340202016,street,赭山街道,340202
340202016003,community,凤凰山社区居民委员会,340202016
"""
HEADER = "id,class,area,hours,unit,valid_from,valid_to,basis\n"
UNITS = {name: Unit(id=name, name=name, level=Level.CITY, area="3402") for name in ("u1", "u2", "u3", "u4")}
STALL, SHOP, COVER = (ClassCode.parse(f"30428.2:{code}") for code in ("E04-06", "E04-05", "P01-01"))
NOW = datetime(2026, 11, 22, 10, tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def divisions(tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    path = tmp_path_factory.mktemp("responsibility") / "divisions.csv"
    path.write_text(DIVISIONS, encoding="utf-8")
    return load_divisions(path, [])


def load(folder: Path, divisions: Divisions, rows: str) -> tuple[ResponsibilityList, list[Finding]]:
    path = folder / "responsibility.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    findings: list[Finding] = []
    return load_responsibility(path, UNITS, divisions, findings), findings


def listed(folder: Path, divisions: Divisions, rows: str) -> ResponsibilityList:
    loaded, findings = load(folder, divisions, rows)
    assert findings == []
    return loaded


LADDER = """R1,*,*,always,u1,2026-01-01,,
R2,30428.2:E*,*,always,u2,2026-01-01,,
R3,30428.2:E04-*,*,always,u3,2026-01-01,,
R4,30428.2:E04-06,*,always,u4,2026-01-01,,
R5,30428.2:E04-06,3402,always,u1,2026-01-01,,
R6,30428.2:E04-06,340202,always,u2,2026-01-01,,
R7,30428.2:E04-06,340202016,always,u3,2026-01-01,,
R8,30428.2:E04-06,340202016003,always,u4,2026-01-01,,城管条例
R9,30428.2:E04-06,340202016003,off_hours,centre,2026-01-01,,
"""


@pytest.mark.parametrize(
    ("code", "where", "working", "row"),
    [
        (STALL, "340202016003008", False, "R9"),
        (STALL, "340202016003008", True, "R8"),
        (STALL, "340202016003", True, "R8"),
        (STALL, "340202016001001", True, "R7"),
        (STALL, "340202016", True, "R7"),
        (STALL, "340202", True, "R6"),
        (STALL, "340207", True, "R5"),
        (STALL, "3402", True, "R5"),
        (STALL, "440304", True, "R4"),
        (SHOP, "340202016003008", True, "R3"),
        (ClassCode.parse("30428.2:E05-06"), "340202", True, "R2"),
        (ClassCode.parse("47678.5:E04-006"), "340202", True, "R1"),
        (COVER, "340202", False, "R1"),
    ],
)
def test_the_most_specific_row_answers(
    tmp_path: Path, divisions: Divisions, code: ClassCode, where: str, working: bool, row: str
) -> None:
    found = listed(tmp_path, divisions, LADDER).match(code, where, NOW, working)

    assert isinstance(found, Match)
    assert found.row == row


def test_the_answer_names_the_row_its_unit_and_why(tmp_path: Path, divisions: Divisions) -> None:
    found = listed(tmp_path, divisions, LADDER).match(STALL, "340202016003", NOW, True)

    assert found == Match("R8", "u4", "responsibility.csv R8: 30428.2:E04-06 in 340202016003, always (城管条例)")


def test_a_unit_that_returned_the_case_is_not_asked_again(tmp_path: Path, divisions: Divisions) -> None:
    responsibility = listed(tmp_path, divisions, LADDER)

    def row(*tried: str) -> str:
        found = responsibility.match(STALL, "340202016003", NOW, True, exclude=frozenset(tried))
        return found.row if isinstance(found, Match) else found.why

    assert row("u4") == "R7"
    assert row("u4", "u3") == "R6"
    assert row("u4", "u3", "u2") == "R5"
    assert row("u4", "u3", "u2", "u1") == (
        "no unit for 30428.2:E04-06 in 340202016003 on 2026-11-22 in working time, beside 4 tried already"
    )


def test_a_row_holds_on_its_first_and_last_day_in_shanghai(tmp_path: Path, divisions: Divisions) -> None:
    responsibility = listed(tmp_path, divisions, "R1,*,*,always,u1,2026-02-01,2026-02-28,\n")

    def holds(at: datetime) -> bool:
        return isinstance(responsibility.match(STALL, "340202", at, True), Match)

    assert not holds(datetime(2026, 1, 31, 23, 59, tzinfo=SHANGHAI))
    assert holds(datetime(2026, 2, 1, 0, 0, tzinfo=SHANGHAI))
    assert holds(datetime(2026, 1, 31, 16, 0, tzinfo=UTC))
    assert holds(datetime(2026, 2, 28, 23, 59, tzinfo=SHANGHAI))
    assert not holds(datetime(2026, 2, 28, 16, 0, tzinfo=UTC))


def test_fixed_hours_go_before_always_in_the_same_place(tmp_path: Path, divisions: Divisions) -> None:
    rows = "R1,*,*,always,u1,2026-01-01,,\nR2,*,*,working,u2,2026-01-01,,\nR3,*,*,off_hours,u3,2026-01-01,,\n"
    responsibility = listed(tmp_path, divisions, rows)

    rows_found = [responsibility.match(STALL, "340202", NOW, working) for working in (True, False)]

    assert [found.row for found in rows_found if isinstance(found, Match)] == ["R2", "R3"]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("*", 0),
        ("30428.2:E*", 2),
        ("30428.2:E04-*", 3),
        ("30428.2:E04-06", 4),
        ("47678.5:P01-*", 3),
        ("", None),
        ("30428.2:*", None),
        ("30428.2:E04*", None),
        ("30428.2:E4-*", None),
        ("E04-*", None),
        ("30428.2:E04-*-*", None),
    ],
)
def test_a_class_cell_has_four_forms(text: str, length: int | None) -> None:
    key = class_key_of(text)

    assert (key if key is None else len(key)) == length


def test_every_wrong_row_is_found_with_its_line(tmp_path: Path, divisions: Divisions) -> None:
    rows = """R1,E04,*,always,u1,2026-01-01,,
R2,*,340299,always,u1,2026-01-01,,
R3,*,*,nights,u1,2026-01-01,,
R4,*,*,always,u9,2026-01-01,,
R5,*,*,always,u1,01.01.2026,,
R6,*,*,always,u1,2026-01-01,2025-12-31,
R7,*,*,always,u1,2026-01-01,,
R7,*,340202,always,u1,2026-01-01,,
,*,*,always,u1,,soon,
"""

    responsibility, findings = load(tmp_path, divisions, rows)

    assert sorted((f.line, f.key) for f in findings) == [
        (2, "class"),
        (3, "area"),
        (4, "hours"),
        (5, "unit"),
        (6, "valid_from"),
        (7, "valid_to"),
        (9, "id"),
        (10, "id"),
        (10, "valid_from"),
        (10, "valid_to"),
    ]
    assert [row.id for row in responsibility.rows] == ["R7"]


# --- the index answers exactly as reading every row would ---

LINE = TableRow("responsibility.csv", 0, {})
AREAS = ["*", "3402", "340202", "340207", "340202016", "340202016003"]
CLASSES = ["*", "30428.2:E*", "30428.2:P*", "30428.2:E04-*", "30428.2:P01-*", *map(str, (STALL, SHOP, COVER))]
DAYS = [date(2026, 11, 20) + timedelta(days=n) for n in range(5)]

tables = st.lists(
    st.tuples(
        st.sampled_from(CLASSES),
        st.sampled_from(AREAS),
        st.sampled_from(Hours),
        st.sampled_from(["u1", "u2", "u3", "centre"]),
        st.sampled_from(DAYS),
        st.sampled_from([*DAYS, date.max]),
    ),
    max_size=12,
)


def made(table: list[tuple[str, str, Hours, str, date, date]]) -> list[Row]:
    rows = []
    for number, (text, area, hours, unit, first, last) in enumerate(table):
        key = class_key_of(text)
        assert key is not None
        rows.append(Row(f"R{number}", key, area, hours, unit, first, last, LINE, Match(f"R{number}", unit, text)))
    return rows


def covers(row: Row, text: str, code: ClassCode, where: str, day: date, working: bool) -> bool:
    """A row read by itself, from the words of the table."""
    class_fits = text == "*" or str(code).startswith(text.removesuffix("*"))
    area_fits = row.area == "*" or where.startswith(row.area)
    hour = Hours.WORKING if working else Hours.OFF_HOURS
    return class_fits and area_fits and row.valid_from <= day <= row.valid_to and row.hours in {Hours.ALWAYS, hour}


@settings(max_examples=1500, deadline=None)
@given(
    table=tables,
    code=st.sampled_from([STALL, SHOP, COVER, ClassCode.parse("47678.5:E04-006")]),
    where=st.sampled_from(["3402", "340202", "340207", "340202016", "340202016003", "340202016003008"]),
    day=st.sampled_from(DAYS),
    working=st.booleans(),
    tried=st.frozensets(st.sampled_from(["u1", "u2", "centre"])),
)
def test_the_index_answers_as_reading_every_row(
    table: list[tuple[str, str, Hours, str, date, date]],
    code: ClassCode,
    where: str,
    day: date,
    working: bool,
    tried: frozenset[str],
) -> None:
    rows = made(table)
    fitting = [
        (len(row.class_key), len(row.area.strip("*")), row.hours is not Hours.ALWAYS, -number, row.id)
        for number, (row, line) in enumerate(zip(rows, table, strict=True))
        if covers(row, line[0], code, where, day, working) and row.unit not in tried
    ]
    at = datetime(day.year, day.month, day.day, 23, 30, tzinfo=SHANGHAI)

    found = responsibility_of(rows, UNITS).match(code, where, at, working, exclude=tried)

    assert (found.row if isinstance(found, Match) else None) == (max(fitting)[-1] if fitting else None)
    assert isinstance(found, NoMatch) == (not fitting)
