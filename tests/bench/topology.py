"""The topology check of 20,000 cells beside what shapely alone needs to say whether they fit, in one run.

    python -m tests.bench.topology [--rounds 5]

Cells are quadrilaterals of twenty points; `twice`: every cell was drawn by itself, with noise of 1e-7 degrees.
Processor seconds, medians of the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely

from maps.topology import TopologyArea, TopologyCell, check
from tests.maps.small_city import SOUTH, WEST

SIDE, CELLS, STEPS = 0.005, 141, 5
"""Degrees, cells in a row, and edges of a side."""


def corners(noise: float) -> np.ndarray:
    """One shape a cell."""
    dice = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(CELLS + 1) * SIDE + WEST, np.arange(CELLS + 1) * SIDE + SOUTH, indexing="ij")
    points = np.stack([x, y], -1)
    points[1:-1, 1:-1] += dice.uniform(-0.3 * SIDE, 0.3 * SIDE, points[1:-1, 1:-1].shape)
    share = np.arange(STEPS) / STEPS
    east = points[:-1, :, None] + (points[1:] - points[:-1])[:, :, None] * share[:, None]
    north = points[:, :-1, None] + (points[:, 1:] - points[:, :-1])[:, :, None] * share[:, None]
    ends = points[1:, :-1], points[1:, 1:], points[:-1, 1:], points[:-1, :-1]

    def back(line: np.ndarray, end: np.ndarray) -> np.ndarray:
        return np.concatenate([line, end[:, :, None]], axis=2)[:, :, :0:-1]

    rings = np.concatenate(
        [east[:, :-1], north[1:], back(east[:, 1:], ends[1]), back(north[:-1], ends[2])], axis=2
    ).reshape(CELLS * CELLS, 4 * STEPS, 2)
    if noise:
        rings = rings + dice.normal(0, noise, rings.shape)
    return np.asarray(shapely.polygons(rings))


def seconds(work: Callable[[], Any]) -> float:
    """Processor seconds."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def bare(shapes: np.ndarray) -> None:
    """Does it fit, and what is it together: without saying what is wrong."""
    edges = shapely.coverage_invalid_edges(shapes)
    (shapely.coverage_union_all if shapely.is_empty(edges).all() else shapely.union_all)(shapes)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    told = options.parse_args()
    city = shapely.box(WEST, SOUTH, WEST + SIDE * CELLS, SOUTH + SIDE * CELLS)
    areas = [TopologyArea("340202", "镜湖区", city)]
    for name, noise in (("clean", 0.0), ("twice", 1e-7)):
        shapes = corners(noise)
        assert shapely.is_valid(shapes).all()
        cells = [
            TopologyCell(f"340202{at // 900:06d}{at % 900 + 1:03d}", f"第{at % 900 + 1}网格", shape, 400)
            for at, shape in enumerate(shapes.tolist())
        ]
        ours, theirs = [], []
        for _ in range(told.rounds):
            ours.append(seconds(lambda: check(cells, areas=areas)))  # noqa: B023 called at once
            theirs.append(seconds(lambda: bare(shapes)))  # noqa: B023
        found = check(cells, areas=areas)
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"{name}: {len(cells):,} cells, {sum(found.counts.values()):,} flaws; {mine:.2f} s, "
            f"{len(cells) / mine:,.0f} cells/s; bare shapely {other:.2f} s; ratio {mine / other:.2f}"
        )


if __name__ == "__main__":
    main()
