"""Grid sets for the topology check: square cells, and cells between lines drawn at random."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from hypothesis import strategies as st

from maps.topology import TopologyArea, TopologyCell

WEST, SOUTH, SIDE = 118.30, 31.30, 0.01
COMMUNITY = "340202012001"


def cell(number: int, shape: shapely.Geometry | None, name: str | None = None, **others: object) -> TopologyCell:
    """A cell of the community with this number; 400 households unless told otherwise."""
    told = {"households": 400, **others}
    return TopologyCell(f"{COMMUNITY}{number:03d}", f"第{number}网格" if name is None else name, shape, **told)  # type: ignore[arg-type]


def squares(columns: int, rows: int = 1) -> list[TopologyCell]:
    """Cells side by side, about a kilometre wide."""
    return [
        cell(x * rows + y + 1, square(x, y)) for x in range(columns) for y in range(rows)
    ]  # fmt: skip


def square(x: float, y: float = 0, width: float = 1, height: float = 1) -> shapely.Polygon:
    """A box, in cells from the corner of the city."""
    west, south = WEST + SIDE * x, SOUTH + SIDE * y
    return shapely.box(west, south, west + SIDE * width, south + SIDE * height)


def area(code: str, x: float, width: float, y: float = 0, height: float = 1) -> TopologyArea:
    """A division, in cells from the corner."""
    return TopologyArea(code, f"{code} 区", square(x, y, width, height))


def moved(cells: Sequence[TopologyCell], at: int, east: float, north: float = 0) -> list[TopologyCell]:
    """The cells with one of them shifted, in degrees."""
    shape = shapely.transform(cells[at].geometry, lambda points: points + np.array((east, north)))
    return [replace(one, geometry=shape) if number == at else one for number, one in enumerate(cells)]


@st.composite
def partitions(draw: st.DrawFn) -> list[TopologyCell]:
    """A box cut by up to eight lines."""
    seed, cuts = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 8))
    dice = np.random.default_rng(seed)
    box = square(0, 0, 4, 3)
    ends = dice.uniform((WEST - 0.01, SOUTH - 0.01), (WEST + 0.05, SOUTH + 0.04), (cuts, 2, 2))
    lines = shapely.intersection(shapely.linestrings(ends), box)
    net = shapely.union(box.boundary, shapely.union_all(lines))
    pieces = shapely.get_parts(shapely.polygonize([net]))
    return [cell(number + 1, piece) for number, piece in enumerate(pieces.tolist())]
