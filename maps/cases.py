"""Cases as features: where each one is shown, what a scope sees of it, and how many lie in each cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import shapely

from canonical.lifecycle import STAGE_TITLES
from canonical.mark import CaseMark
from canonical.rights import Scope
from canonical.time import SHANGHAI
from maps.cells import CellSet
from maps.scope import Mask, begins
from maps.table import Floats, Layer, Objects, Table, objects

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Names:
    """What codes are called."""

    classes: Mapping[str, str]
    area: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class CaseTable:
    """Cases by column, whoever may see them. Immutable."""

    revision: str
    marks: Sequence[CaseMark]
    columns: Mapping[str, Objects]
    points: Floats
    """Longitude and latitude; NaN where only a cell or a division is known."""
    cells: Rows
    """Row of the unit grid in its set; -1 where none is known."""


def case_table(marks: Sequence[CaseMark], base: CellSet, names: Names, revision: str) -> CaseTable:
    """Columns of all cases, by number."""
    marks = sorted(marks, key=lambda mark: mark.no)
    points = np.array([(mark.lon, mark.lat) for mark in marks], float).reshape(-1, 2)
    cells = np.array([base.row_of.get(mark.grid or "", -1) for mark in marks], np.int64)
    columns: dict[str, Sequence[object]] = {
        "case_no": [mark.no for mark in marks],
        "stage": [mark.stage.value for mark in marks],
        "stage_name": [STAGE_TITLES[mark.stage] for mark in marks],
        "class_code": [mark.class_code for mark in marks],
        "class_name": [names.classes.get(mark.class_code or "") for mark in marks],
        "received_at": [mark.received_at for mark in marks],
        "received_on": [mark.received_at.astimezone(SHANGHAI).date() for mark in marks],
        "due_at": [mark.due_at for mark in marks],
        "source": [mark.source for mark in marks],
        "owner": [mark.owner for mark in marks],
        "unit": [mark.unit for mark in marks],
        "area": [mark.area for mark in marks],
        "area_name": [names.area(mark.area) if mark.area else None for mark in marks],
        "grid": [mark.grid for mark in marks],
        "address": [mark.address for mark in marks],
        "description": [mark.description for mark in marks],
    }
    return CaseTable(revision, marks, {name: objects(list(values)) for name, values in columns.items()}, points, cells)


def seen(cases: CaseTable, layer: Layer, scope: Scope, base: CellSet, now: datetime) -> Table:
    """The cases that the scope may see and the map can show.

    A case of which only the cell is known stands at a point inside the cell; for the public every case does, under an
    id that tells nothing.
    """
    known = ~np.isnan(cases.points[:, 0])
    shown = (cases.cells >= 0) if scope.public else known | (cases.cells >= 0)
    rows = np.flatnonzero(_visible(cases, scope) & shown)
    points, cells = cases.points[rows].copy(), cases.cells[rows]
    inside = np.ones(len(rows), bool) if scope.public else ~known[rows]
    if inside.any():
        points[inside] = base.inner[cells[inside]]
    columns = {one.name: cases.columns[one.name][rows] for one in layer.fields if one.name in cases.columns}
    columns["overdue"] = objects(_overdue(cases, rows, now))
    if not scope.public:
        columns["located"] = objects(["grid" if only else "point" for only in inside])
    keys = [_veiled(cases.marks[row]) if scope.public else cases.marks[row].no for row in rows.tolist()]
    ids = objects([f"{layer.name}.{key}" for key in keys])
    order = np.argsort(ids) if scope.public else slice(None)
    return Table(layer, ids, columns, _points(points), np.hstack([points, points])).take(order)


def density(cases: CaseTable, layer: Layer, scope: Scope, base: CellSet, now: datetime) -> Table:
    """The scope's cells with the number of its cases in each."""
    rows = np.flatnonzero(_visible(cases, scope) & (cases.cells >= 0))
    late = np.fromiter(_overdue(cases, rows, now), bool, len(rows))
    counts = np.bincount(cases.cells[rows], minlength=len(base.table))
    overdue = np.bincount(cases.cells[rows[late]], minlength=len(base.table))
    columns = {
        "code": base.table.columns["code"], "name": base.table.columns["name"],
        "cases": objects(counts.tolist()), "overdue_cases": objects(overdue.tolist()),
    }  # fmt: skip
    ids = objects([f"{layer.name}.{code}" for code in base.table.columns["code"]])
    named = {one.name: columns[one.name] for one in layer.fields}
    table = Table(layer, ids, named, base.table.geometry, base.table.bounds)
    return table.take(begins(base.table.columns["area"], scope.areas)) if scope.areas else table


def _visible(cases: CaseTable, scope: Scope) -> Mask:
    mask = begins(cases.columns["area"], scope.areas) & begins(cases.columns["class_code"], scope.classes)
    if scope.systems:
        chosen = set(scope.systems)
        either = zip(cases.columns["source"], cases.columns["owner"], strict=True)
        mask &= np.fromiter((bool(chosen & {*one}) for one in either), bool, len(mask))
    if scope.units:
        allowed = frozenset(scope.units)
        mask &= np.fromiter((not allowed.isdisjoint(mark.units) for mark in cases.marks), bool, len(mask))
    return mask


def _overdue(cases: CaseTable, rows: Rows, now: datetime) -> list[bool]:
    marks = (cases.marks[row] for row in rows.tolist())
    return [mark.due_at is not None and (mark.disposed_at or now) > mark.due_at for mark in marks]


def _veiled(mark: CaseMark) -> str:
    """An id for the public: the same as long as the case lives, and no way back from it."""
    return blake2b(mark.id.bytes, digest_size=9, person=b"gridhub map").hexdigest()


def _points(points: Floats) -> Objects:
    made = shapely.points(points)
    assert isinstance(made, np.ndarray)  # of one point too: the array has two axes
    return made
