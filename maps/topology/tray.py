"""Flaws as they are found: all are counted, the worst of each kind are kept and told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from shapely.geometry.base import BaseGeometry

from maps.topology.flaw import Flaw, FlawKind, Tally
from maps.topology.given import Rules


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of one flaw."""

    codes: tuple[str, ...]
    shape: BaseGeometry | None
    text: str
    chinese: str


@dataclass(slots=True)
class Tray:
    """What one check has found so far."""

    rules: Rules
    _counts: dict[FlawKind, tuple[int, float]] = field(default_factory=dict)
    _flaws: list[Flaw] = field(default_factory=list)

    def add(self, kind: FlawKind, areas: Sequence[float], tell: Callable[[int], Told]) -> None:
        """Count as many flaws as there are areas (square metres); `tell` is asked for the largest by position."""
        if not len(areas):
            return
        count, area = self._counts.get(kind, (0, 0.0))
        self._counts[kind] = count + len(areas), area + float(sum(areas))
        order = np.argsort(-np.asarray(areas, float), kind="stable")[: self.rules.listed]
        self._flaws += [self._flaw(kind, float(areas[at]), tell(at)) for at in order.tolist()]

    def add_one(self, kind: FlawKind, count: int, told: Told) -> None:
        """One flaw that stands for many cells."""
        if count:
            known, area = self._counts.get(kind, (0, 0.0))
            self._counts[kind] = known + count, area
            self._flaws.append(self._flaw(kind, 0.0, told))

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """Those listed, by kind, the largest first."""
        ordered = sorted(self._flaws, key=lambda one: (_RANK[one.kind], -one.area, one.codes))
        seen: dict[FlawKind, int] = {}
        kept = []
        for one in ordered:
            seen[one.kind] = seen.get(one.kind, 0) + 1
            if seen[one.kind] <= self.rules.listed:
                kept.append(one)
        return tuple(kept)

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Each kind that was found."""
        return tuple(
            Tally(kind, *self._counts[kind], kind in self.rules.severe) for kind in FlawKind if kind in self._counts
        )

    def _flaw(self, kind: FlawKind, area: float, told: Told) -> Flaw:
        return Flaw(kind, told.codes, area, told.shape, told.text, told.chinese, kind in self.rules.severe)


_RANK = {kind: rank for rank, kind in enumerate(FlawKind)}
