"""What a new edition of a set changes against the one it replaces, cell by cell."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely

from routing.grids import Cell, GridIndex

REDRAWN = 0.001
"""Of a cell's area: less is what two surveys of one line make of each other, as in the crosswalk."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Codes of cells, each list in order."""

    added: tuple[str, ...]
    gone: tuple[str, ...]
    redrawn: tuple[str, ...]
    """Of both editions, and more than `REDRAWN` of the old or the new cell lies in one of them alone."""
    renamed: tuple[str, ...]
    """Another name, manager, number of households or people."""
    same: int

    @property
    def empty(self) -> bool:
        """True where both editions say the same."""
        return not (self.added or self.gone or self.redrawn or self.renamed)


def difference(old: GridIndex, new: GridIndex) -> Difference:
    """Both in the same degrees."""
    both = [code for code in new.cells if code in old.cells]
    before, after = _shapes(old.cells, both), _shapes(new.cells, both)
    redrawn = {code for code, other in zip(both, _others(before, after), strict=True) if other > REDRAWN}
    renamed = {code for code in both if _said(old.cells[code]) != _said(new.cells[code])}
    return Difference(
        added=tuple(code for code in new.cells if code not in old.cells),
        gone=tuple(code for code in old.cells if code not in new.cells),
        redrawn=tuple(sorted(redrawn)),
        renamed=tuple(sorted(renamed)),
        same=len(both) - len(redrawn | renamed),
    )


def _shapes(cells: Mapping[str, Cell], codes: list[str]) -> np.ndarray:
    made = np.empty(len(codes), object)
    made[:] = [cells[code].geometry for code in codes]
    return made


def _others(before: np.ndarray, after: np.ndarray) -> list[float]:
    """How much of each pair lies in one of them alone, as a share of the smaller. Shares are the same in degrees."""
    if not len(before):
        return []
    apart = shapely.area(shapely.symmetric_difference(before, after))
    return list((apart / np.minimum(shapely.area(before), shapely.area(after))).tolist())


def _said(cell: Cell) -> tuple[object, ...]:
    return cell.name, cell.manager, cell.households, cell.population
