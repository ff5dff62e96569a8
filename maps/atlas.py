"""The atlas: every layer's features by one query, so that what a client may see is decided in one place.

Map services ask here and nowhere else. Cells are read with the configuration; cases are handed in as they change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

import numpy as np
import shapely

from canonical.rights import Scope
from canonical.time import SHANGHAI
from maps.cases import CaseTable, density, seen
from maps.cells import CellSet
from maps.fields import CASE, DENSITY, PUBLIC_CASE, PUBLIC_DENSITY, TEXTS
from maps.table import Box, Layer, Shape, Table

CASES, CASE_DENSITY = "cases", "case_density"
FRESH = 10.0
"""Seconds after which what depends on the time of day is looked at again."""
Interval = tuple[datetime, datetime]
"""From, and up to but not including."""


class UnknownLayer(Exception):
    """No layer of this name in this scope; the text is the name. One that may not be seen does not exist."""


class TooMany(Exception):
    """The time asked about has more cases than one answer may look at; the text says how many, for people."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one layer. Nothing given: all of it."""

    now: datetime
    window: Box | None = None
    """Features that meet this box, its edges included."""
    when: Interval | None = None
    ids: frozenset[str] | None = None
    exact: bool = True
    """False: a polygon whose box meets the window will do, as for drawing."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """The layers of one city. Safe to share between threads."""

    city: str
    extent: Box
    sets: Mapping[str, CellSet]
    """Cell sets by the name of their layer; `grids` are the unit grids."""
    live: Callable[[], CaseTable]
    """The open cases as they are known now."""
    past: Callable[[Interval], CaseTable]
    """The cases received in an interval, whatever became of them. Raises TooMany."""
    base: str = "grids"
    _scoped: dict[tuple[Scope, str], tuple[str, Table]] = field(default_factory=dict, repr=False)

    def layers(self, scope: Scope) -> tuple[Layer, ...]:
        """What this scope may see, in the order of capabilities."""
        found = [one.layer for one in self.sets.values()]
        found += [self._cases(scope), self._density(scope)]
        return tuple(layer for layer in found if scope.admits(layer.name))

    def layer(self, name: str, scope: Scope) -> Layer:
        """One layer. Raises UnknownLayer."""
        for layer in self.layers(scope):
            if layer.name == name:
                return layer
        raise UnknownLayer(name)

    def marker(self, name: str, scope: Scope, now: datetime) -> str:
        """A text that changes whenever the layer's features may have changed for this scope: a key for caches."""
        if name in self.sets:
            return f"{scope.name} {name} {self.sets[name].revision}"
        return f"{scope.name} {name} {_moment(self.live(), now)}"

    def select(self, name: str, query: Query, scope: Scope) -> Table:
        """The layer's features that the scope may see and the query asks for, by id. Raises UnknownLayer, TooMany."""
        table = self._seen(self.layer(name, scope), query, scope)
        if query.ids is not None:
            table = table.take(np.fromiter((one in query.ids for one in table.ids), bool, len(table)))
        return table if query.window is None else within(table, query.window, exact=query.exact)

    def _seen(self, layer: Layer, query: Query, scope: Scope) -> Table:
        if layer.name in self.sets:
            return self._kept(layer.name, scope, self.sets[layer.name].revision, self.sets[layer.name].seen)
        if query.when is not None:
            when = _whole_days(query.when) if scope.public else query.when
            return self._made(layer, self.past(when), query.now, scope)
        cases = self.live()
        moment = _moment(cases, query.now)
        return self._kept(layer.name, scope, moment, lambda one: self._made(layer, cases, query.now, one))

    def _made(self, layer: Layer, cases: CaseTable, now: datetime, scope: Scope) -> Table:
        base = self.sets[self.base]
        make = seen if layer.name == CASES else density
        return make(cases, layer, scope, base, now)

    def _kept(self, name: str, scope: Scope, revision: str, make: Callable[[Scope], Table]) -> Table:
        """Made once for each scope and revision."""
        kept = self._scoped.get((scope, name))
        if kept is None or kept[0] != revision:
            kept = (revision, make(scope))
            self._scoped[scope, name] = kept
        return kept[1]

    def _cases(self, scope: Scope) -> Layer:
        fields = PUBLIC_CASE if scope.public else CASE + (TEXTS if scope.texts else ())
        return Layer(
            CASES, "案件", "Live cases 在办案件: those that are open, or with a time those received then",
            Shape.POINT, fields, self.extent, timed=True,
        )  # fmt: skip

    def _density(self, scope: Scope) -> Layer:
        return Layer(
            CASE_DENSITY, "案件密度", "Live cases counted by unit grid 单元网格案件数", Shape.SURFACE,
            PUBLIC_DENSITY if scope.public else DENSITY, self.extent, timed=True, label="cases",
        )  # fmt: skip


def within(table: Table, window: Box, *, exact: bool) -> Table:
    """The features that meet the window, its edges included."""
    west, south, east, north = window
    low_x, low_y, high_x, high_y = table.bounds.T
    mask = (high_x >= west) & (low_x <= east) & (high_y >= south) & (low_y <= north)
    found = table if mask.all() else table.take(mask)
    if not exact or table.layer.shape is Shape.POINT or not len(found):
        return found
    box = shapely.box(*window)
    shapely.prepare(box)
    meets = shapely.intersects(box, found.geometry)
    return found if meets.all() else found.take(meets)


def _whole_days(when: Interval) -> Interval:
    """The days that an interval touches: who sees days alone must not find the hour by asking for ever less."""
    begin, end = (one.astimezone(SHANGHAI) for one in when)
    last = (end - timedelta(microseconds=1)).date() if end > begin else begin.date()
    return (
        datetime.combine(begin.date(), time(), SHANGHAI),
        datetime.combine(last + timedelta(days=1), time(), SHANGHAI),
    )


def _moment(cases: CaseTable, now: datetime) -> str:
    """What was on time becomes overdue without any change of the cases."""
    return f"{cases.revision} {int(now.timestamp() / FRESH)}"
