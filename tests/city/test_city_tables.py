"""The example city's tables agree with each other, with the reference data and with what adapters map to."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from canonical.codes import ClassCode, ClassKind, Edition
from canonical.organisation import Unit
from canonical.tables import TableRow
from canonical.time import Limit, LimitUnit

WRITTEN_CODE = re.compile(r"^(?:30428\.2|47678\.5|214|local):[PE]\d{2}-\d{2,3}$")
HOURS = ("working", "off_hours")
EMERGENCIES = ("30428.2:E05-01", "30428.2:E05-05")
DAY = date(2026, 11, 20)
Table = Callable[[str], list[TableRow]]


def code_of(row: dict[str, str]) -> str:
    """The written class code of a reference row."""
    return f"30428.2:{row['kind'][0].upper()}{row['major_code']}-{row['minor_code']}"


def fits(pattern: str, code: str) -> bool:
    """Whether the class column of the responsibility list covers a class."""
    return pattern in ("*", code) or (pattern.endswith("*") and code.startswith(pattern[:-1]))


def best(rows: list[TableRow], code: str, area: str, hours: str) -> list[TableRow]:
    """The most specific rows for a class, an area and an hour; more than one is a conflict."""
    found = [
        row
        for row in rows
        if fits(row["class"], code)
        and (row["area"] == "*" or area.startswith(row["area"]))
        and row["hours"] in ("always", hours)
        and row["valid_from"] <= DAY.isoformat() <= (row["valid_to"] or "9999-12-31")
    ]

    def rank(row: TableRow) -> tuple[bool, int, int, bool]:
        return ("*" not in row["class"], len(row["class"]), len(row["area"].strip("*")), row["hours"] != "always")

    top = max((rank(row) for row in found), default=None)
    return [row for row in found if rank(row) == top]


@pytest.mark.parametrize("name", ["divisions.csv", "calendar/holidays.csv", "catalogue/classes.csv"])
def test_the_first_column_of_a_table_is_unique(table: Table, name: str) -> None:
    first = [next(iter(row.cells.values())) for row in table(name)]

    assert len(set(first)) == len(first)


@pytest.mark.parametrize("name", ["catalogue/standards.csv", "units.csv", "responsibility.csv"])
def test_ids_are_unique(table: Table, name: str) -> None:
    ids = [row["id"] for row in table(name)]

    assert len(set(ids)) == len(ids)


def test_every_division_has_its_parent_and_level(table: Table) -> None:
    rows = {row["code"]: row for row in table("divisions.csv")}
    levels = {4: "city", 6: "district", 9: "street", 12: "community"}

    assert len(rows) == 1 + 9 + 79 + 950
    assert all(row["level"] == levels[len(code)] for code, row in rows.items())
    assert all(row["parent"] in rows and code.startswith(row["parent"]) for code, row in rows.items() if code != "3402")


def test_the_calendar_is_the_published_one(table: Table, shared: Path) -> None:
    with (shared / "reference" / "cn-holidays-2020-2026.csv").open(encoding="utf-8") as file:
        reference = [(row["date"], row["day_type"], row["name"]) for row in csv.DictReader(file)]
    found = [(row["date"], row["day_type"], row["name"]) for row in table("calendar/holidays.csv")]

    assert found == reference
    assert all(row["notice"] for row in table("calendar/holidays.csv"))


def test_classes_are_written_in_full_and_say_why_they_are_not_simply_filed(table: Table) -> None:
    for row in table("catalogue/classes.csv"):
        assert str(ClassCode.parse(row["code"])) == row["code"]
        assert row["acceptance"] in ("file", "verify", "refuse")
        assert bool(row["reason"]) == (row["acceptance"] != "file"), row["code"]


def test_local_classes_keep_to_their_majors_and_say_that_they_are_constructed(table: Table) -> None:
    local = [row for row in table("catalogue/classes.csv") if row["code"].startswith("local:")]

    assert {ClassCode.parse(row["code"]).major for row in local} == {str(major) for major in range(90, 99)}
    assert all("演示" in row["note"] for row in local)


def test_all_three_ways_of_acceptance_occur(table: Table) -> None:
    ways = [row["acceptance"] for row in table("catalogue/classes.csv")]

    assert ways.count("refuse") == 2
    assert ways.count("verify") >= 3


def test_every_class_that_can_be_filed_has_one_default_standard(table: Table) -> None:
    defaults: dict[str, int] = defaultdict(int)
    for row in table("catalogue/standards.csv"):
        defaults[row["class"]] += row["default"] == "yes"
        assert row["default"] in ("yes", "no")
        Limit(value=int(row["limit_value"]), unit=LimitUnit(row["limit_unit"]))

    filed = {row["code"] for row in table("catalogue/classes.csv") if row["acceptance"] != "refuse"}
    assert defaults == dict.fromkeys(filed, 1)


def test_every_standard_row_can_be_chosen_by_a_keyword(table: Table) -> None:
    assert all(all(row["keywords"].split("|")) for row in table("catalogue/standards.csv"))
    assert all(row["condition"] and row["closing"] and row["source"] for row in table("catalogue/standards.csv"))


def test_limits_with_a_source_are_those_of_the_source_and_its_wording_is_not_copied(table: Table, shared: Path) -> None:
    limits: dict[str, set[tuple[str, str]]] = defaultdict(set)
    wordings = set()
    with (shared / "reference" / "time-limits.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            limits[code_of(row)].add((row["limit_value"], row["limit_unit"]))
            wordings.add(row["filing_condition"])
    sourced = [row for row in table("catalogue/standards.csv") if row["source"].startswith("30428.8")]

    assert len(sourced) > 100
    wrong = [row["id"] for row in sourced if (row["limit_value"], row["limit_unit"]) not in limits[row["class"]]]
    assert wrong == []
    assert [row["id"] for row in sourced if row["condition"] in wordings] == []


def test_standard_classes_bear_the_name_of_their_edition(table: Table, shared: Path) -> None:
    names: dict[str, set[str]] = defaultdict(set)
    with (shared / "reference" / "catalog.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            edition = next((short for short in ("30428.2", "47678.5") if short in row["source"]), "214")
            names[f"{edition}:{code_of(row).partition(':')[2]}"].add(row["minor_name"])
    standard = [row for row in table("catalogue/classes.csv") if not row["code"].startswith("local:")]

    assert [row["code"] for row in standard if row["name"] not in names[row["code"]]] == []


def test_units_hang_together_and_are_reached_through_systems_of_the_city(table: Table, city: Path) -> None:
    systems = yaml.safe_load((city / "systems.yaml").read_text(encoding="utf-8"))
    areas = {row["code"]: row["level"] for row in table("divisions.csv")}
    rows = [{key: value for key, value in row.cells.items() if value} for row in table("units.csv")]
    units = {unit.id: unit for unit in map(Unit.model_validate, rows)}

    for unit in units.values():
        assert unit.parent is None or unit.parent in units
        assert areas[unit.area] == unit.level
        assert unit.system is None or unit.system in systems
    assert {unit.system for unit in units.values()} == {*systems, None}
    assert [unit.id for unit in units.values() if unit.parent is None] == ["3402-command"]


def test_the_responsibility_list_names_known_units_and_areas(table: Table) -> None:
    units = {row["id"] for row in table("units.csv")} | {"centre"}
    areas = {row["code"] for row in table("divisions.csv")} | {"*"}

    for row in table("responsibility.csv"):
        assert row["unit"] in units, row["id"]
        assert row["area"] in areas, row["id"]
        assert row["hours"] in ("always", *HOURS)
        assert date.fromisoformat(row["valid_from"]) <= DAY
        assert row["basis"]


def test_every_class_is_somebodys_in_every_district_at_every_hour_and_only_one_units(table: Table) -> None:
    rows = table("responsibility.csv")
    districts = [row["code"] for row in table("divisions.csv") if row["level"] == "district"]
    classes = [row["code"] for row in table("catalogue/classes.csv") if row["acceptance"] != "refuse"]

    found = {(c, d, h): best(rows, c, d, h) for c in classes for d in districts for h in HOURS}
    assert [key for key, matches in found.items() if len(matches) != 1] == []


def test_no_two_rows_of_the_responsibility_list_stand_for_the_same(table: Table) -> None:
    keys = [(row["class"], row["area"], row["hours"]) for row in table("responsibility.csv")]

    assert len(set(keys)) == len(keys)


def test_only_very_few_classes_are_left_to_the_centre(table: Table) -> None:
    left = {row["class"] for row in table("responsibility.csv") if row["unit"] == "centre"}

    assert left == {"30428.2:P01-23", "30428.2:E06-04", "local:E98-04"}


@pytest.mark.parametrize("code", EMERGENCIES)
def test_the_duty_office_takes_emergencies_outside_working_hours(table: Table, code: str) -> None:
    rows = table("responsibility.csv")
    [night], [day] = best(rows, code, "340202016003", "off_hours"), best(rows, code, "340202016003", "working")

    assert night["unit"] == "3402-duty"
    assert day["unit"] != "3402-duty"


@pytest.mark.parametrize(
    ("code", "area", "unit"),
    [
        ("30428.2:P01-37", "340202016003", "3402-lighting"),
        ("30428.2:E04-06", "340207003018", "340207-urban"),
        ("30428.2:E04-06", "340271001", "3402-urban"),
        ("30428.2:E01-10", "340202016003", "340202016-office"),
        ("30428.2:E01-10", "340207003018", "340207-urban"),
        ("30428.2:E01-26", "340281100", "340281-ecology"),
        ("local:E97-01", "340202016003", "340202016-office"),
        ("local:E97-01", "340223101", "340223-grid"),
        ("local:E93-01", "340210", "3402-education"),
        ("local:E98-01", "340202", "3402-hotline"),
    ],
)
def test_the_responsibility_list_sends_a_case_where_an_official_would(
    table: Table, code: str, area: str, unit: str
) -> None:
    [row] = best(table("responsibility.csv"), code, area, "working")

    assert row["unit"] == unit


def test_every_class_an_adapter_maps_to_is_in_the_catalogue(table: Table, city: Path) -> None:
    known = {row["code"] for row in table("catalogue/classes.csv")}
    missing = [
        f"{path.parent.parent.name}/{path.name}: {cell}"
        for path in sorted((city.parent / "adapters").glob("*/codes/*.csv"))
        for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
        for cell in row
        if WRITTEN_CODE.match(cell.strip()) and cell.strip() not in known
    ]

    assert missing == []


def test_a_part_and_an_event_of_both_national_editions_are_there(table: Table) -> None:
    codes = [ClassCode.parse(row["code"]) for row in table("catalogue/classes.csv")]
    kinds = {(code.edition, code.kind) for code in codes}

    assert (Edition.GBT_30428_2, ClassKind.PART) in kinds
    assert {(edition, ClassKind.EVENT) for edition in (Edition.GBT_30428_2, Edition.GBT_47678_5, Edition.LOCAL)} < kinds
