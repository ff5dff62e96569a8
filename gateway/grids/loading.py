"""A delivered file becomes an edition of a grid set: planned first, written whole or not at all, taken back again."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from canonical.errors import Misconfigured
from canonical.findings import Finding, Severity
from gateway.grids.difference import Difference, difference
from gateway.grids.drawn import Drawn
from gateway.grids.table import LOADS, Loaded, Sets, alone, loads, noted, undone, write
from routing.divisions import Divisions
from routing.grid_sets import COLUMNS, SET_NAME, GridRegistry, GridSet, load_registry

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be loaded, as an operator says it."""

    name: str
    title: str
    first: date
    last: date | None
    """None: as long as the edition that it replaces, or for good."""
    source: str
    """Where it came from: the file's name or the service's address without its token."""
    crs: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What loading would do."""

    new: GridSet
    cut: GridSet | None
    """The edition in force on the first day, which ends the day before."""
    difference: Difference | None
    """Against `cut`; None without one."""
    body: bytes
    findings: list[Finding]

    @property
    def refused(self) -> bool:
        """True when something of the file cannot be taken: nothing is written then."""
        return any(one.severity is Severity.ERROR for one in self.findings)


def plan(wanted: Wanted, cells: Drawn, registry: GridRegistry) -> Plan:
    """Raises Misconfigured for a name or days that cannot be."""
    if not SET_NAME.fullmatch(wanted.name):
        raise Misconfigured(f"--set: '{wanted.name}' is no name: small Latin letters, digits and _, such as landscape")
    same = [one for one in registry.sets if one.name == wanted.name]
    if any(one.valid_from == wanted.first for one in same):
        raise Misconfigured(
            f"{wanted.name}@{wanted.first} is there already: take it back (gridhub load undo), or pass another --from"
        )
    cut = next((one for one in same if one.holds(wanted.first)), None)
    if cut is not None and cut.valid_from == date.min:
        raise Misconfigured(ALWAYS.format(file=cut.file or "unit-grids.geojson"))
    nexts = [one.valid_from for one in same if one.valid_from > wanted.first]
    ends = [nexts[0] - _DAY] if nexts else []
    last = wanted.last or min([*ends, *([cut.valid_to] if cut else [])], default=date.max)
    if last < wanted.first:
        raise Misconfigured(f"--to: {last} lies before --from {wanted.first}")
    if ends and last > ends[0]:
        raise Misconfigured(f"--to: {wanted.name}@{nexts[0]} begins before {last}")
    file = f"{wanted.name.replace('_', '-')}-{wanted.first}.geojson"
    title = wanted.title or (cut.title if cut else same[-1].title if same else wanted.name)
    new = GridSet(wanted.name, title, cells.index, wanted.first, last, wanted.source, wanted.crs, file)
    findings = list(cells.findings)
    if not len(cells.index):
        findings.append(Finding(wanted.source, 0, "", "has no cell that can be taken"))
    if cut is not None and last < cut.valid_to:
        text = (
            f"no {wanted.name} grids will hold from {last + _DAY} on: the edition that is cut held until {cut.valid_to}"
        )
        findings.append(Finding("sets.csv", 0, "valid_to", text, Severity.WARNING))
    compared = difference(cut.index, cells.index) if cut else None
    return Plan(new, cut, compared, cells.body, findings)


ALWAYS = (
    "the unit grids of this city have no editions: put `grids: grids/sets.csv` into city.yaml, and into grids/sets.csv "
    "the lines\n    " + ",".join(COLUMNS) + "\n    base,单元网格,{file},2026-01-01,,,EPSG:4490\n"
    "with the day they began, then load again"
)


def apply(made: Plan, path: Path, divisions: Divisions, *, by: str, now: datetime) -> None:
    """Write the cells, then the note of it, then the registry; checked as the hub will read it.

    `path`: the city's sets.csv. Raises Misconfigured when the registry would not hold; nothing has changed then.
    """
    folder, new = path.parent, made.new
    with alone(folder):
        table = Sets(path, COLUMNS)
        cut_until = (
            table.until(made.cut.name, _day(made.cut.valid_from), _day(new.valid_from - _DAY)) if made.cut else ""
        )
        table.add({
            "set": new.name, "title": new.title, "file": new.file, "valid_from": _day(new.valid_from),
            "valid_to": _day(new.valid_to), "source": new.source, "crs": new.crs,
        })  # fmt: skip
        file, note = folder / new.file, _note(made, folder, cut_until, by, now)
        if file.exists() and file.read_bytes() != made.body:  # the same: a load that was cut off here
            raise Misconfigured(f"{new.file} is there already and belongs to no edition: move it away")
        write(file, made.body)
        try:
            _put(path, table, note, divisions)
        except BaseException:
            file.unlink()
            raise


def _note(made: Plan, folder: Path, cut_until: str, by: str, now: datetime) -> str:
    new = made.new
    return noted(folder, {
        "loaded_at": now.isoformat(timespec="seconds"), "by": by, "set": new.name, "edition": new.edition,
        "file": new.file, "sha256": hashlib.sha256(made.body).hexdigest(), "cells": str(len(new.index)),
        "source": new.source, "cut": made.cut.edition if made.cut else "", "cut_until": cut_until,
    })  # fmt: skip


def _put(path: Path, table: Sets, note: str, divisions: Divisions) -> None:
    """The note first: a load that is cut off between the two can be taken back. Or everything as it was."""
    notes = path.parent / LOADS
    before = path.read_bytes(), notes.read_bytes() if notes.exists() else None
    try:
        write(notes, note.encode())
        write(path, table.body)
        _check(path, divisions)
    except BaseException:
        write(path, before[0])
        if before[1] is not None:
            write(notes, before[1])
        else:
            notes.unlink(missing_ok=True)
        raise


def last_load(folder: Path, edition: str) -> Loaded:
    """The load to take back: of that edition, or the last that was not. Raises Misconfigured when there is none."""
    standing = [one for one in loads(folder) if not one.cells["undone_at"]]
    fitting = [one for one in standing if edition in ("", one.cells["edition"])]
    if not fitting:
        known = ", ".join(one.cells["edition"] for one in standing) or "none"
        raise Misconfigured(f"no load{f' of {edition}' if edition else ''} can be taken back; standing: {known}")
    return fitting[-1]


def undo(load: Loaded, path: Path, divisions: Divisions, *, now: datetime) -> None:
    """Take an edition out again; the one it cut ends as it did before. The delivered cells are removed last.

    Raises Misconfigured when the registry would not hold without it; nothing has changed then.
    """
    folder, cells = path.parent, load.cells
    with alone(folder):
        table = Sets(path, COLUMNS)
        table.remove(cells["set"], cells["edition"].partition("@")[2])
        if cells["cut"]:
            table.until(cells["set"], cells["cut"].partition("@")[2], cells["cut_until"])
        note = undone(folder, load, now.isoformat(timespec="seconds"))
        _put(path, table, note, divisions)
        (folder / cells["file"]).unlink(missing_ok=True)


def _check(path: Path, divisions: Divisions) -> None:
    findings: list[Finding] = []
    load_registry(path, divisions, findings)
    if wrong := [str(one) for one in findings if one.severity is Severity.ERROR]:
        raise Misconfigured("\n".join(["the registry would not hold, and stays as it was:", *wrong]))


def _day(day: date) -> str:
    return "" if day in (date.min, date.max) else day.isoformat()
