"""Cells of one set as a layer: unit grids 单元网格, industry grids 行业网格, districts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from canonical.rights import Scope
from maps.fields import CELL
from maps.scope import begins
from maps.table import Layer, Shape, Table, objects


@dataclass(frozen=True, slots=True)
class CellSet:
    """One set of cells. Immutable."""

    layer: Layer
    revision: str
    """Changes with the cells."""
    table: Table
    inner: npt.NDArray[np.float64]
    """For each cell a point inside it, longitude and latitude."""
    row_of: Mapping[str, int]
    """Row of each code."""
    reach: Sequence[tuple[str, ...]] = ()
    """For each cell of an industry the divisions that it has a part in; empty: each lies in its `area` alone."""

    def seen(self, scope: Scope) -> Table:
        """The cells of the scope's divisions: those with a part in one of them."""
        if not scope.areas:
            return self.table
        if not self.reach:
            return self.table.take(begins(self.table.columns["area"], scope.areas))
        return self.table.take(np.array([any(one.startswith(scope.areas) for one in parts) for parts in self.reach]))


def cell_set(
    name: str, title: str, abstract: str, extent: tuple[float, float, float, float], revision: str,
    rows: Sequence[Mapping[str, object]], geometries: Sequence[object], reach: Sequence[tuple[str, ...]] = (),
) -> CellSet:  # fmt: skip
    """A set from rows with at least `code` and `name`, and one valid polygon each, in degrees.

    `reach`: the divisions that each cell has a part in, where its `area` does not say it.
    """
    order = sorted(range(len(rows)), key=lambda row: str(rows[row]["code"]))
    layer = Layer(name, title, abstract, Shape.SURFACE, CELL, extent, label="name")
    geometry = objects([geometries[row] for row in order])
    columns = {one.name: objects([rows[row].get(one.name) for row in order]) for one in CELL}
    ids = objects([f"{name}.{code}" for code in columns["code"]])
    bounds = shapely.bounds(geometry).reshape(-1, 4)
    inner = shapely.get_coordinates(shapely.point_on_surface(geometry)).reshape(-1, 2)
    shapely.prepare(geometry)
    row_of = {code: row for row, code in enumerate(columns["code"])}
    parts = [reach[row] for row in order] if reach else ()
    return CellSet(layer, revision, Table(layer, ids, columns, geometry, bounds), inner, row_of, parts)
