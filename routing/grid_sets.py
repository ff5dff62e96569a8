"""The grid registry 网格台账: editions of the unit grids and of any number of industry grids, each for a span of days.

A replaced set is kept: its cases stay on their old grid, and a place is looked up in the sets of its own day.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from canonical.findings import Finding
from canonical.tables import TableRow, read_table
from routing.divisions import Divisions
from routing.grids import GridIndex, load_grids, load_industry_grids

COLUMNS = ("set", "title", "file", "valid_from", "valid_to", "source", "crs")
BASE = "base"
"""The name of the unit grids 单元网格 among the sets."""
SET_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GridSet:
    """One edition of one set."""

    name: str
    """`base`, or the industry's: `landscape`."""
    title: str
    """Chinese, for people and maps."""
    index: GridIndex
    valid_from: date = date.min
    valid_to: date = date.max
    """The last day."""
    source: str = ""
    crs: str = ""
    """The CRS it was delivered in."""
    file: str = ""

    @property
    def edition(self) -> str:
        """`base@2026-01-01`; empty for unit grids that were always there."""
        return f"{self.name}@{self.valid_from}" if self.valid_from > date.min else ""

    def holds(self, day: date) -> bool:
        """True when it is in force on that day."""
        return self.valid_from <= day <= self.valid_to


class GridRegistry:
    """All sets of a city. Immutable; safe to share between threads."""

    def __init__(self, sets: Sequence[GridSet]) -> None:
        self.sets = tuple(sorted(sets, key=lambda one: (one.name != BASE, one.name, one.valid_from)))
        """The unit grids first, then the industries by name; each from its first edition to its last."""
        self._by_day: dict[date, tuple[GridSet, ...]] = {}
        named = {code: cell.name for one in self.sets if one.name == BASE for code, cell in one.index.cells.items()}
        self.codes = dict(sorted(named.items()))
        """Every unit grid of any edition with its latest name, in the order of codes."""

    def on(self, day: date) -> tuple[GridSet, ...]:
        """The sets in force on a day, the unit grids first."""
        found = self._by_day.get(day)
        if found is None:
            found = tuple(one for one in self.sets if one.holds(day))
            if len(self._by_day) < _DAYS:
                self._by_day[day] = found
        return found

    def base(self, day: date) -> GridSet:
        """The unit grids of a day; without any in force then an empty set."""
        return next((one for one in self.on(day) if one.name == BASE), _NONE)

    def edition(self, edition: str) -> GridSet | None:
        """The set of that edition."""
        return next((one for one in self.sets if one.edition == edition), None)


_DAYS = 4000
_NONE = GridSet(BASE, "", GridIndex([]))


def always(index: GridIndex) -> GridRegistry:
    """Unit grids without editions: these, on every day."""
    return GridRegistry([GridSet(BASE, "单元网格", index)])


def load_registry(path: Path, divisions: Divisions, findings: list[Finding]) -> GridRegistry:
    """`sets.csv`, and the GeoJSON files it names beside it; or one GeoJSON file of unit grids, which always hold."""
    if path.suffix != ".csv":
        return always(load_grids(path, divisions, findings))
    rows = read_table(path, COLUMNS, findings)
    sets = [made for row in rows if (made := _set(path.parent, row, divisions, findings))]
    if not any(one.name == BASE for one in sets):
        findings.append(Finding(path.name, 0, "set", f"no row '{BASE}': the unit grids are missing"))
    findings += [finding for one in {row["set"] for row in rows} for finding in _overlapping(path.name, one, sets)]
    return GridRegistry(sets)


def _set(folder: Path, row: TableRow, divisions: Divisions, findings: list[Finding]) -> GridSet | None:
    before = len(findings)
    if not SET_NAME.fullmatch(row["set"]):
        findings.append(row.finding("set", f"'{row['set']}' is no name: small Latin letters, digits and _"))
    first = _day(row, "valid_from", findings)
    last = _day(row, "valid_to", findings) if row["valid_to"] else date.max
    if first and last and last < first:
        findings.append(row.finding("valid_to", f"{last} lies before valid_from"))
    file = folder / row["file"]
    if not row["file"] or file.resolve().parent != folder.resolve():
        findings.append(row.finding("file", "name a GeoJSON file of this folder"))
    if len(findings) > before or first is None or last is None:
        return None
    load: Callable[[Path, Divisions, list[Finding]], GridIndex] = LOADERS.get(row["set"], load_industry_grids)
    index = load(file, divisions, findings)
    return GridSet(
        row["set"], row["title"] or row["set"], index, first, last, row["source"], row["crs"], row["file"]
    )  # fmt: skip


LOADERS: Mapping[str, Callable[[Path, Divisions, list[Finding]], GridIndex]] = {BASE: load_grids}
"""How the file of a set is read; any other name is an industry's."""


def _day(row: TableRow, column: str, findings: list[Finding]) -> date | None:
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        findings.append(row.finding(column, f"'{row[column]}' is no day: write 2026-07-01"))
        return None


def _overlapping(file: str, name: str, sets: Sequence[GridSet]) -> list[Finding]:
    editions = sorted((one for one in sets if one.name == name), key=lambda one: one.valid_from)
    return [
        Finding(file, 0, name, f"two editions on {later.valid_from}: let {earlier.edition} end the day before")
        for earlier, later in pairwise(editions)
        if earlier.valid_to >= later.valid_from
    ]
