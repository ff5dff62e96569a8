"""Code against geometry: does a cell lie in the division that its code begins with?"""

from collections.abc import Sequence

import numpy as np
import shapely

from maps.topology.flaw import FlawKind
from maps.topology.given import TopologyArea
from maps.topology.ground import Ground
from maps.topology.measure import Floats, areas
from maps.topology.tray import Told, Tray

_MOSTLY = 0.5
_NAMED = 8


def find_misplaced(ground: Ground, given: Sequence[TopologyArea], tray: Tray) -> None:
    """Cells mostly or partly outside their division. A `manager` in the division they lie in explains it."""
    if not given:
        return
    homes = _homes(ground, given)
    _find_homeless(ground, np.flatnonzero(homes < 0), tray)
    shapes = np.array([one.geometry for one in given], object)
    shapely.prepare(shapes)
    known = np.flatnonzero(homes >= 0)
    crossing = known[~shapely.covers(shapes[homes[known]], ground.shapes[known])]
    shares = _shares(ground, crossing, shapes)
    at_home = shares[np.arange(len(crossing)), homes[crossing]]
    shares[np.arange(len(crossing)), homes[crossing]] = 0
    nowhere = 1 - at_home - shares.sum(axis=1)
    other = shares.argmax(axis=1)
    told = ~np.array(
        [_explained(ground.cells[row].manager, given[at]) for row, at in zip(crossing, other, strict=True)], bool
    )
    wrong = told & (at_home < _MOSTLY)
    crosses = told & ~wrong & (at_home <= 1 - tray.rules.crossing)
    for kind, chosen in {FlawKind.MISPLACED: np.flatnonzero(wrong), FlawKind.CROSSING: np.flatnonzero(crosses)}.items():

        def tell(number: int, chosen: np.ndarray = chosen) -> Told:
            at = int(chosen[number])
            row, code = int(crossing[at]), ground.code(int(crossing[at]))
            home, next_ = given[homes[row]], given[other[at]]
            beyond = f"{1 - at_home[at]:.0%}"
            where, chinese = f"mostly in {next_.code} {next_.name}", f"主要在 {next_.code} {next_.name}"
            if nowhere[at] > shares[at, other[at]]:
                where, chinese = "mostly in no division", "主要在各区划之外"
            return Told(
                (code,), shapely.difference(ground.shapes[row], home.geometry),
                f"{beyond} of {code} lies outside {home.code} {home.name}, {where}",
                f"{code} 有 {beyond} 位于 {home.code} {home.name} 之外，{chinese}",
            )  # fmt: skip

        tray.add(kind, ((1 - at_home) * ground.areas[crossing])[chosen].tolist(), tell)


def _homes(ground: Ground, given: Sequence[TopologyArea]) -> np.ndarray:
    """The position of the area whose code each cell's begins with, the longest of them; -1 for none."""
    by_code = {one.code: at for at, one in enumerate(given)}
    lengths = sorted({len(code) for code in by_code}, reverse=True)
    return np.array(
        [next((by_code[cell.code[:n]] for n in lengths if cell.code[:n] in by_code), -1) for cell in ground.cells], int
    )


def _shares(ground: Ground, rows: np.ndarray, shapes: np.ndarray) -> Floats:
    """How much of each of these cells lies in each area; 0 to 1."""
    shares = np.zeros((len(rows), len(shapes)))
    found, other = shapely.STRtree(shapes).query(ground.shapes[rows], predicate="intersects")
    common = areas(shapely.intersection(ground.shapes[rows][found], shapes[other]))
    shares[found, other] = common / ground.areas[rows][found]
    return shares


def _explained(manager: str, where: TopologyArea) -> bool:
    """True when the division that manages a cell is, or lies in, the one where it lies."""
    return bool(manager) and (manager.startswith(where.code) or where.code.startswith(manager))


def _find_homeless(ground: Ground, rows: np.ndarray, tray: Tray) -> None:
    """Cells of divisions without a boundary: one flaw for each county."""
    by_county: dict[str, list[int]] = {}
    for row in rows.tolist():
        by_county.setdefault(ground.code(row)[:6], []).append(row)
    for county, members in by_county.items():
        codes = tuple(ground.code(row) for row in members[:_NAMED])
        text = f"{county} has no boundary: {len(members)} cells cannot be compared"
        chinese = f"{county} 没有边界，{len(members)} 个网格无法核对"
        tray.add_one(FlawKind.NO_AREA, len(members), Told(codes, None, text, chinese))
