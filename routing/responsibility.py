"""The responsibility list 权责清单: which unit does the work of a class, in an area, at an hour, on a day.

The most specific row wins: the class first (exact, major, kind, any), then the longer area, then fixed hours before
`always`. Rows are indexed by these, so that an answer costs a few look-ups. What contradicts itself or leaves a hole
is found by `routing.responsibility_review`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from canonical.codes import ClassCode
from canonical.findings import Finding, Severity
from canonical.organisation import Unit
from canonical.tables import TableRow, read_table
from canonical.time import SHANGHAI
from routing.divisions import Divisions
from routing.units import CENTRE, gone_to

COLUMNS = ("id", "class", "area", "hours", "unit", "valid_from", "valid_to", "basis")
ANY = "*"

ClassKey = tuple[str, ...]
"""() any, (edition, kind), (edition, kind, major), (edition, kind, major, minor): the longer, the more specific."""

_AREA_WIDTHS = (12, 9, 6, 4)


class Hours(StrEnum):
    """When a row holds."""

    ALWAYS = "always"
    WORKING = "working"
    OFF_HOURS = "off_hours"


@dataclass(frozen=True, slots=True)
class Match:
    """The unit that owes the work, and the row that says so."""

    row: str
    unit: str
    """A unit's id, or `centre`."""
    why: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nobody owes the work by this list."""

    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list."""

    id: str
    class_key: ClassKey
    area: str
    """A division's code, or `*`."""
    hours: Hours
    unit: str
    valid_from: date
    valid_to: date
    """Inclusive; `date.max` when open."""
    line: TableRow = field(repr=False, compare=False)
    match: Match = field(repr=False, compare=False)

    def holds(self, day: date, working: bool) -> bool:
        """True on that day (Shanghai) at that hour."""
        return self.valid_from <= day <= self.valid_to and self.hours in _HOURS[working]


_HOURS = {True: frozenset({Hours.ALWAYS, Hours.WORKING}), False: frozenset({Hours.ALWAYS, Hours.OFF_HOURS})}


@dataclass(frozen=True, slots=True)
class ResponsibilityList:
    """The list, indexed; immutable."""

    rows: tuple[Row, ...]
    units: Mapping[str, Unit]
    _index: Mapping[ClassKey, Mapping[str, tuple[Row, ...]]] = field(repr=False)
    """Class key to area to rows, those with fixed hours first, then in the order of the table."""

    def match(
        self, class_code: ClassCode, where: str, at: datetime, working: bool, *, exclude: Collection[str] = ()
    ) -> Match | NoMatch:
        """The unit for a class at a place, at an instant (aware), inside or outside working time.

        `where`: a division of any level or a unit grid. `exclude`: units that are not to be asked (again); the next
        most specific row answers.
        """
        day = at.astimezone(SHANGHAI).date()
        edition, kind, major = class_code.edition, class_code.kind, class_code.major
        areas = [where[:width] for width in _AREA_WIDTHS if len(where) >= width]
        for key in ((edition, kind, major, class_code.minor), (edition, kind, major), (edition, kind), ()):
            by_area = self._index.get(key)
            if by_area is None:
                continue
            for area in (*areas, ANY):
                for row in by_area.get(area, ()):
                    if row.unit not in exclude and row.holds(day, working):
                        return row.match
        hour = "working time" if working else "off hours"
        tried = f", beside {len(exclude)} tried already" if exclude else ""
        return NoMatch(f"no unit for {class_code} in {where} on {day} in {hour}{tried}")


def responsibility_of(rows: Sequence[Row], units: Mapping[str, Unit]) -> ResponsibilityList:
    """The list of these rows."""
    index: dict[ClassKey, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        index[row.class_key][row.area].append(row)
    ordered = {
        key: {area: tuple(sorted(cell, key=lambda row: row.hours is Hours.ALWAYS)) for area, cell in by_area.items()}
        for key, by_area in index.items()
    }
    return ResponsibilityList(tuple(rows), units, ordered)


# --- loading ---


def load_responsibility(
    path: Path, units: Mapping[str, Unit], divisions: Divisions, findings: list[Finding]
) -> ResponsibilityList:
    """`responsibility.csv`, each row checked for itself; `responsibility_review` looks at all of them together."""
    rows: dict[str, Row] = {}
    for line in read_table(path, COLUMNS, findings):
        row = _row(line, units, divisions, findings)
        if row is None:
            continue
        if row.id in rows:
            findings.append(line.finding("id", f"'{row.id}' stands in line {rows[row.id].line.line} already"))
            continue
        rows[row.id] = row
    return responsibility_of(list(rows.values()), units)


def _row(line: TableRow, units: Mapping[str, Unit], divisions: Divisions, findings: list[Finding]) -> Row | None:
    wrong: list[tuple[str, str]] = []
    if not line["id"]:
        wrong.append(("id", "missing"))
    class_key = class_key_of(line["class"])
    if class_key is None:
        wrong.append(("class", f"'{line['class']}': write 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *"))
    if line["area"] != ANY and not divisions.known(line["area"]):
        wrong.append(("area", f"'{line['area']}' is no division of this city; write * for all of it"))
    hours = next((hours for hours in Hours if hours == line["hours"]), None)
    if hours is None:
        wrong.append(("hours", f"'{line['hours']}' is none of {', '.join(Hours)}"))
    if line["unit"] != CENTRE and line["unit"] not in units:
        wrong.append(("unit", f"'{line['unit']}' is no unit of units.csv; write {CENTRE} for the centre's queue"))
    first, last = _date(line, "valid_from", wrong), _date(line, "valid_to", wrong) if line["valid_to"] else date.max
    if first and last and last < first:
        wrong.append(("valid_to", f"{last} lies before valid_from"))
    findings += [line.finding(key, text) for key, text in wrong]
    if wrong or class_key is None or hours is None or first is None or last is None:
        return None
    why = f"responsibility.csv {line['id']}: {line['class']} in {line['area']}, {hours}"
    why += f" ({line['basis']})" if line["basis"] else ""
    unit = units.get(line["unit"])
    if unit and unit.merged_into and (unit.valid_to is None or unit.valid_to < last):
        text = f"{gone_to(unit)}, and so are new cases: end this row too, and name that one"
        findings.append(Finding(line.file, line.line, "unit", text, Severity.WARNING))
    match = Match(line["id"], line["unit"], why)
    return Row(line["id"], class_key, line["area"], hours, line["unit"], first, last, line, match)


def _date(line: TableRow, column: str, wrong: list[tuple[str, str]]) -> date | None:
    try:
        return date.fromisoformat(line[column])
    except ValueError:
        wrong.append((column, f"'{line[column]}' is not a date: write 2026-01-31"))
        return None


def exact_key(code: ClassCode) -> ClassKey:
    """The key that covers this class alone."""
    return code.edition, code.kind, code.major, code.minor


def covers(key: ClassKey, code: ClassCode | None) -> bool:
    """Whether a row with this key is for the class; of a case without one only `*` is."""
    return (exact_key(code) if code else ())[: len(key)] == key


def class_key_of(text: str) -> ClassKey | None:
    """What a row's class cell covers; None when it is in none of the four forms."""
    if text == ANY:
        return ()
    for ending, filled, width in (("-*", "-01", 3), ("*", "01-01", 2), ("", "", 4)):
        if text.endswith(ending):
            return _key(text.removesuffix(ending) + filled, width)
    return None


def _key(text: str, width: int) -> ClassKey | None:
    try:
        code = ClassCode.parse(text)
    except ValueError:
        return None
    return exact_key(code)[:width]
