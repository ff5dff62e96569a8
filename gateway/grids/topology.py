"""A grid set of the registry brought to the topology check."""

from collections.abc import Callable
from dataclasses import dataclass

from maps.topology import INDUSTRY, Rules, Topology, TopologyArea, TopologyCell, check
from routing.grid_sets import BASE, GridSet
from routing.grids import GridIndex


@dataclass(frozen=True, slots=True)
class CheckedSet:
    """A set, what was compared, and what was found."""

    set: GridSet
    cells: tuple[TopologyCell, ...]
    areas: tuple[TopologyArea, ...]
    """What the cells should fill; empty for an industry's."""
    found: Topology

    @property
    def title(self) -> str:
        """For people: 单元网格 base@2026-01-01."""
        return f"{self.set.title} {self.set.edition or self.set.name}"


def checked(
    one: GridSet, districts: GridIndex, progress: Callable[[str, int, int], None] | None = None
) -> CheckedSet:  # fmt: skip
    """Unit grids should fill the districts, and their codes say where they lie; an industry's grids need neither."""
    cells = tuple(
        TopologyCell(cell.code, cell.name, cell.geometry, cell.households, cell.population, cell.manager)
        for cell in one.index.cells.values()
    )
    areas: tuple[TopologyArea, ...] = ()
    rules = INDUSTRY
    if one.name == BASE:
        areas = tuple(TopologyArea(cell.code, cell.name, cell.geometry) for cell in districts.cells.values())
        rules = Rules()
    return CheckedSet(one, cells, areas, check(cells, areas=areas, rules=rules, progress=progress))
