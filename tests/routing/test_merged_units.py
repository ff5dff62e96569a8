"""Units that were renamed or merged: whose figures are whose at the end of a period, and what cannot be."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from canonical.findings import Finding, Severity
from canonical.lifecycle import ActionKind
from canonical.message import Verdict
from canonical.organisation import Unit
from routing.divisions import Divisions, load_divisions
from routing.responsibility import load_responsibility
from routing.units import load_units, successors
from tests.routing.clock_city import ClockDesk, at, clock_city
from tests.routing.intake_city import by_owner, reported

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


# --- cases of the day ---


def merging(last: date) -> ClockDesk:
    """The street's u1, whom the list names, becomes a part of the district's d1 after this day."""
    city = clock_city()
    units = dict(city.responsibility.units)
    units["u1"] = units["u1"].model_copy(update={"merged_into": "d1", "valid_to": last})
    return ClockDesk(replace(city, responsibility=replace(city.responsibility, units=units)))


def test_a_case_goes_to_the_unit_that_has_the_work_on_its_day_and_stays_the_one_that_got_it() -> None:
    desk = merging(date(2026, 5, 20))
    desk.take(reported("hotline", "1"))
    desk.now = at("05-21 00:00")
    desk.take(reported("hotline", "2"))

    first, second = desk.cases.values()
    assert [case.assignment.unit for case in (first, second) if case.assignment] == ["u1", "d1"]
    [given] = [event.action for event in desk.events if event.action.unit == "d1"]
    assert "u1 ended on 2026-05-20, its work is d1's" in given.reason
    assert given.actor.id == "responsibility.csv R1"  # the row that was found, as it stands


def test_what_the_new_unit_returned_is_not_sent_to_it_again_under_its_old_name() -> None:
    desk = merging(date(2026, 5, 19))
    desk.take(reported("hotline", "1"))
    assert desk.case.assignment is not None
    assert desk.case.assignment.unit == "d1"

    desk.take(by_owner("grid", "g1", ActionKind.RETURN, reference=desk.case.reference))

    assert [one.unit for one in desk.case.assignments] == ["d1", "u2"]


def test_nobody_is_given_work_or_raised_to_under_a_name_that_ended() -> None:
    desk = merging(date(2026, 5, 19))
    desk.take(reported("hotline", "1"))
    said = desk.order(ActionKind.WHISTLE, unit="u1", reason="帮忙")
    assert said.verdict is Verdict.REFUSED
    assert "u1 ended on 2026-05-19, its work is d1's: name that one" in said.text

    units = dict(desk.city.responsibility.units)
    units["u2"] = units["u2"].model_copy(update={"merged_into": "u3", "valid_to": date(2026, 5, 19)})
    desk.city = replace(desk.city, responsibility=replace(desk.city.responsibility, units=units))
    assert desk.order(ActionKind.ESCALATE, reason="办不了").verdict is Verdict.APPLIED
    assert desk.case.assignment is not None
    assert desk.case.assignment.unit == "u3"


def test_a_row_of_the_list_that_outlasts_its_unit_is_told(tmp_path: Path, divisions: Divisions) -> None:
    units, _ = read(tmp_path, divisions, "a,,b,2026-10-15", "b,,,")
    rows = "R1,*,3402,always,a,2026-01-01,,x\nR2,*,3402,off_hours,a,2026-01-01,2026-10-15,x\n"
    path = tmp_path / "responsibility.csv"
    path.write_text("id,class,area,hours,unit,valid_from,valid_to,basis\n" + rows, encoding="utf-8")
    findings: list[Finding] = []

    load_responsibility(path, units, divisions, findings)

    [told] = findings
    assert (told.line, told.key, told.severity) == (2, "unit", Severity.WARNING)
    assert "a ended on 2026-10-15, its work is b's" in told.text
