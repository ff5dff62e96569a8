"""The check itself: each question after the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import shapely

from maps.topology.coverage import find_gaps, find_odd_cells, find_overlaps
from maps.topology.divisions import find_misplaced
from maps.topology.flaw import Topology
from maps.topology.given import Rules, TopologyArea, TopologyCell
from maps.topology.ground import ground, in_order
from maps.topology.register import find_wrong_codes, find_wrong_names, find_wrong_sizes
from maps.topology.tray import Tray

Progress = Callable[[str, int, int], None]
"""What is being looked at, how many steps are done, and of how many."""


def check(
    cells: Sequence[TopologyCell],
    *,
    areas: Sequence[TopologyArea] = (),
    rules: Rules = Rules(),  # noqa: B008 immutable
    progress: Progress | None = None,
) -> Topology:
    """Everything wrong with a set of cells, as ground and as a list of codes and names.

    `areas`: what the cells should fill. Nothing is refused and nothing is changed: broken shapes are repaired for the
    comparison alone. The answer does not depend on the order of the cells.
    """
    tray = Tray(rules)
    areas = [replace(one, geometry=shapely.make_valid(one.geometry)) for one in areas]
    listed = in_order(cells)
    made = ground(listed, tray)
    steps: list[tuple[str, Callable[[], None]]] = [
        ("overlaps", lambda: find_overlaps(made, tray)),
        ("gaps", lambda: find_gaps(made, areas, tray)),
        ("odd cells", lambda: find_odd_cells(made, tray)),
        ("divisions", lambda: find_misplaced(made, areas, tray)),
        ("codes", lambda: find_wrong_codes(made, listed, tray)),
        ("names", lambda: find_wrong_names(made, listed, tray)),
        ("sizes", lambda: find_wrong_sizes(made, listed, tray)),
    ]
    for done, (what, step) in enumerate(steps):
        if progress:
            progress(what, done, len(steps))
        step()
    if progress:
        progress("done", len(steps), len(steps))
    return Topology(len(cells), float(made.areas.sum()), tray.flaws, tray.tallies)
