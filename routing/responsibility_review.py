"""The responsibility list read as a whole before it is put in force: rows that contradict each other, rows that never
speak, and classes that nobody owns somewhere at some hour."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import combinations

from canonical.codes import ClassCode
from canonical.findings import Finding, Severity
from canonical.organisation import Level
from canonical.time import SHANGHAI
from routing.catalogue import Acceptance, Catalogue, CatalogueClass
from routing.divisions import Divisions
from routing.responsibility import ClassKey, Hours, Match, ResponsibilityList, Row, exact_key

FILE = "responsibility.csv"
_NOON = time(12, tzinfo=SHANGHAI)
_SPOKEN = {True: "in working time", False: "off hours"}


def review(responsibility: ResponsibilityList, catalogue: Catalogue, divisions: Divisions) -> list[Finding]:
    """What is wrong with the list as a whole: conflicts (errors), rows without effect and gaps (warnings)."""
    findings = list(_clashes(responsibility))
    areas = _areas_by_key(responsibility)
    districts = [division.code for division in divisions.by_code.values() if division.level is Level.DISTRICT]
    days = _days(responsibility)
    for entry in catalogue.classes.values():
        if entry.acceptance is not Acceptance.REFUSE:
            findings += _gap(entry, _Coverage(responsibility, divisions, entry.code, areas), districts, days)
    return findings


def _clashes(responsibility: ResponsibilityList) -> Iterator[Finding]:
    """Rows of equal class, area and hours whose days overlap: two units are a conflict, one unit twice a mistake."""
    cells: dict[tuple[ClassKey, str, Hours], list[Row]] = defaultdict(list)
    for row in responsibility.rows:
        cells[row.class_key, row.area, row.hours].append(row)
    for cell in cells.values():
        for first, second in combinations(cell, 2):
            if first.valid_from > second.valid_to or second.valid_from > first.valid_to:
                continue
            line, both = second.line, f"{first.id} (line {first.line.line}) and {second.id}"
            if first.unit == second.unit:
                text = f"{both} say the same on some days: {second.id} has no effect there"
                yield Finding(line.file, line.line, "id", text, Severity.WARNING)
            else:
                text = f"{both} give the same work to {first.unit} and to {second.unit}"
                yield Finding(line.file, line.line, "unit", text)


def _areas_by_key(responsibility: ResponsibilityList) -> dict[ClassKey, set[str]]:
    areas: dict[ClassKey, set[str]] = defaultdict(set)
    for row in responsibility.rows:
        areas[row.class_key].add(row.area)
    return areas


def _days(responsibility: ResponsibilityList) -> list[date]:
    """The days on which a hole can open: when the last row has come into force, and the day after each that ends."""
    begun = max((row.valid_from for row in responsibility.rows), default=date.min)
    ends = {row.valid_to + timedelta(days=1) for row in responsibility.rows if row.valid_to < date.max}
    return sorted({begun, *ends})


class _Coverage:
    """Answers for one class: does somebody own it in a division?"""

    def __init__(
        self,
        responsibility: ResponsibilityList,
        divisions: Divisions,
        code: ClassCode,
        areas: dict[ClassKey, set[str]],
    ) -> None:
        self._list, self._divisions, self._code = responsibility, divisions, code
        exact = exact_key(code)
        self._areas = set().union(*(areas.get(exact[:width], set()) for width in (4, 3, 2, 0)))

    def owned(self, area: str, day: date, working: bool) -> bool:
        """By a row for the division or above it, or by rows for all the divisions in it."""
        if isinstance(self._list.match(self._code, area, datetime.combine(day, _NOON), working), Match):
            return True
        below = self._divisions.children.get(area, ())
        finer = any(row_area.startswith(area) and len(row_area) > len(area) for row_area in self._areas)
        return bool(below) and finer and all(self.owned(child, day, working) for child in below)

    def missing(self, districts: list[str], day: date, working: bool) -> tuple[str, ...]:
        return tuple(district for district in districts if not self.owned(district, day, working))

    def names(self, districts: tuple[str, ...]) -> str:
        return ", ".join(self._divisions.name(district) for district in districts)


def _gap(entry: CatalogueClass, coverage: _Coverage, districts: list[str], days: list[date]) -> Iterator[Finding]:
    """One warning for a class: the first day from which somewhere nobody owns it."""
    for day in days:
        missing = {working: coverage.missing(districts, day, working) for working in (True, False)}
        if not any(missing.values()):
            continue
        if missing[True] == missing[False]:
            holes = _hole(coverage, districts, missing[True])
        else:
            holes = "; ".join(
                f"{_SPOKEN[hour]} {_hole(coverage, districts, gap)}" for hour, gap in missing.items() if gap
            )
        since = f"from {day} on " if len(days) > 1 else ""
        text = f"{entry.code} {entry.name}: {since}no unit {holes}; such cases wait in the centre's queue"
        yield Finding(FILE, 0, "class", text, Severity.WARNING)
        return


def _hole(coverage: _Coverage, districts: list[str], missing: tuple[str, ...]) -> str:
    return "anywhere" if len(missing) == len(districts) else f"in {coverage.names(missing)}"
