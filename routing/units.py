"""Units 处置单位 of one city: who can be given work, and the system that carries it to them."""

from collections.abc import Collection, Mapping
from pathlib import Path

from canonical.findings import Finding
from canonical.organisation import Level, Unit
from canonical.tables import TableRow, read_table
from routing.divisions import Divisions

COLUMNS = ("id", "name", "level", "area", "parent", "system")
OPTIONAL = ("calendar",)
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
    return units


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
    return Unit(
        id=row["id"], name=row["name"], level=level, area=row["area"], parent=parent, system=system,
        calendar=row["calendar"],
    )  # fmt: skip


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
