"""Units 处置单位 of one city: who can be given work, and the system that carries it to them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from canonical.findings import Finding
from canonical.organisation import Level, Unit
from canonical.tables import TableRow, read_table
from routing.divisions import Divisions

COLUMNS = ("id", "name", "level", "area", "parent", "system")
OPTIONAL = ("calendar", "former_name", "merged_into", "valid_to")
CENTRE = "centre"
"""Stands in the responsibility list for "deliberately the centre's queue"; no unit may bear this id."""


def load_units(
    path: Path, divisions: Divisions, systems: Collection[str] | None, findings: list[Finding],
    calendars: Collection[str] = (),
) -> dict[str, Unit]:  # fmt: skip
    """`units.csv` (id, name, level, area, parent, system) by id. `systems`: names of the declared ones; None: unknown.

    Empty `parent`: the top of its tree. Empty `system`: the centre's desk hands the work over. A column `calendar`
    names one of `calendars`; empty, or without the column: the calendar of the unit above.
    """
    units: dict[str, Unit] = {}
    lines: dict[str, TableRow] = {}
    for row in read_table(path, COLUMNS, findings, optional=OPTIONAL):
        unit = _unit(row, divisions, systems, findings)
        if row["calendar"] and row["calendar"] not in calendars:
            known = ", ".join(sorted(calendars)) or "none"
            findings.append(row.finding("calendar", f"'{row['calendar']}' is not in city.yaml; known: {known}"))
        if unit is None:
            continue
        if unit.id in units:
            findings.append(row.finding("id", f"'{unit.id}' stands in line {lines[unit.id].line} already"))
            continue
        units[unit.id], lines[unit.id] = unit, row
    problems = ((unit.id, _parent_problem(unit, units)) for unit in units.values())
    findings += [lines[unit].finding("parent", problem) for unit, problem in problems if problem]
    for unit in units.values():
        findings += [lines[unit.id].finding("merged_into", text) for text in _merger_problems(unit, units)]
    return units


def successors(units: Mapping[str, Unit], last: date) -> dict[str, str]:
    """Units whose work is another's on this day, to the one that has it in the end."""
    return {unit: new for unit in units if (new := at_work(unit, units, last)) != unit}


def at_work(unit: str, units: Mapping[str, Unit], day: date) -> str:
    """The unit that has the work of this one on this day: itself, or the one that it was merged into."""
    now, seen = units[unit], {unit}
    while now.gone(day) and now.merged_into in units and now.merged_into not in seen:
        now = units[now.merged_into]
        seen.add(now.id)
    return now.id


def gone_to(unit: Unit) -> str:
    """That it has become another one, in words."""
    when = f" on {unit.valid_to}" if unit.valid_to else ""
    return f"{unit.id} ended{when}, its work is {unit.merged_into}'s"


def _merger_problems(unit: Unit, units: Mapping[str, Unit]) -> Iterator[str]:
    if unit.valid_to is not None and not unit.merged_into:
        yield "missing: a unit that ends on a day has one that takes its work"
    if not unit.merged_into:
        return
    if unit.merged_into not in units:
        match = get_close_matches(unit.merged_into, units, 1)
        yield f"'{unit.merged_into}' is no unit of this table" + (f"; did you mean '{match[0]}'?" if match else "")
        return
    seen, now = {unit.id}, unit
    while now.merged_into in units:
        now = units[now.merged_into]
        if now.id in seen:
            yield f"'{unit.id}' is merged into itself in the end"
            return
        seen.add(now.id)


def _unit(row: TableRow, divisions: Divisions, systems: Collection[str] | None, findings: list[Finding]) -> Unit | None:
    level = next((level for level in Level if level == row["level"]), None)
    wrong: list[tuple[str, str]] = []
    if not row["id"] or row["id"] == CENTRE:
        wrong.append(("id", f"'{CENTRE}' is reserved for the centre's queue" if row["id"] else "missing"))
    if level is None:
        wrong.append(("level", f"'{row['level']}' is none of {', '.join(Level)}"))
    if not divisions.known(row["area"]):
        wrong.append(("area", f"'{row['area']}' is no division of this city"))
    findings += [row.finding(key, text) for key, text in wrong]
    if systems is not None and row["system"] and row["system"] not in systems:
        known = ", ".join(sorted(systems)) or "none"
        findings.append(row.finding("system", f"'{row['system']}' is not a declared system; known: {known}"))
    if wrong or level is None:
        return None
    parent, system = row["parent"] or None, row["system"] or None
    last = _day(row, findings)
    return Unit(
        id=row["id"], name=row["name"], level=level, area=row["area"], parent=parent, system=system,
        calendar=row["calendar"], former_name=row["former_name"], merged_into=row["merged_into"], valid_to=last,
    )  # fmt: skip


def _day(row: TableRow, findings: list[Finding]) -> date | None:
    if not row["valid_to"]:
        return None
    try:
        return date.fromisoformat(row["valid_to"])
    except ValueError:
        findings.append(row.finding("valid_to", f"'{row['valid_to']}' is no day: write 2026-10-15"))
    return None


def _parent_problem(unit: Unit, units: Mapping[str, Unit]) -> str:
    """Why a unit's parent cannot be; empty when it can."""
    above: set[str] = {unit.id}
    parent = unit.parent
    if parent is not None and parent not in units:
        return f"'{parent}' is no unit of this table"
    while parent is not None and parent in units:
        if parent in above:
            return f"'{unit.id}' comes to stand above itself"
        above.add(parent)
        parent = units[parent].parent
    return ""


def named(unit: str, units: Mapping[str, Unit]) -> str:
    """The id of a unit that is given by its id or by its name; what is neither stays as it was given."""
    if not unit or unit in units:
        return unit
    found = [one.id for one in units.values() if one.name == unit]
    return found[0] if len(found) == 1 else unit
