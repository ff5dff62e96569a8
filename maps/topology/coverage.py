"""Do the cells cover the ground once and once only? Overlaps, nested cells, gaps, slivers, cells of several parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from maps.topology.flaw import FlawKind
from maps.topology.given import Rules, TopologyArea
from maps.topology.ground import Ground
from maps.topology.measure import Floats, Shapes, areas, widths
from maps.topology.tray import Told, Tray

_SAME = 0.999
"""Share from which on one cell lies in another, or two are the same."""
_AROUND = 1e-6
"""Degrees, a decimetre: a cell as near as this is beside a gap."""
_NAMED = 8
"""Cells beside a gap that are named."""


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """Pairs of cells that have ground in common, by column."""

    rows: np.ndarray
    """Position of one cell."""
    columns: np.ndarray
    """Of the other, which comes later."""
    common: Shapes
    sizes: Floats
    """Square metres in common."""
    wide: Floats
    """Metres: of the widest piece."""


def find_overlaps(ground: Ground, tray: Tray) -> None:
    """Pairs of cells that claim the same ground."""
    pairs = _overlaps(ground, tray.rules)
    first, second = ground.areas[pairs.rows], ground.areas[pairs.columns]
    inside = pairs.sizes >= _SAME * np.minimum(first, second)
    nested = inside & (pairs.sizes < _SAME * np.maximum(first, second))
    thin = ~inside & _thin(pairs.wide, pairs.sizes, tray.rules)
    for kind, chosen in {
        FlawKind.NESTED: np.flatnonzero(nested), FlawKind.SLIVER_OVERLAP: np.flatnonzero(thin),
        FlawKind.OVERLAP: np.flatnonzero(~nested & ~thin),
    }.items():  # fmt: skip

        def tell(number: int, chosen: np.ndarray = chosen, nested: bool = kind is FlawKind.NESTED) -> Told:
            at = int(chosen[number])
            one, other = int(pairs.rows[at]), int(pairs.columns[at])
            if nested and ground.areas[one] > ground.areas[other]:
                one, other = other, one
            codes = ground.code(one), ground.code(other)
            size, wide = f"{pairs.sizes[at]:,.1f}", f"{pairs.wide[at]:,.2f}"
            text = f"{codes[0]} and {codes[1]} share {size} m2, {wide} m wide"
            chinese = f"{codes[0]} 与 {codes[1]} 重叠 {size} 平方米，宽 {wide} 米"
            if nested:
                text, chinese = f"{codes[0]} lies inside {codes[1]}", f"{codes[0]} 位于 {codes[1]} 之内"
            return Told(codes, pairs.common[at], text, chinese)

        tray.add(kind, pairs.sizes[chosen].tolist(), tell)


def find_gaps(ground: Ground, given: Sequence[TopologyArea], tray: Tray) -> None:
    """Ground of the areas that no cell covers; without areas, ground that cells surround."""
    outline = shapely.union_all([one.geometry for one in given]) if given else _filled(ground)
    pieces = shapely.get_parts(shapely.difference(outline, ground.whole))
    pieces = pieces[shapely.get_type_id(pieces) == 3]  # polygons: what else is left has no area
    wide, sizes = widths(pieces), areas(pieces)
    thin = _thin(wide, sizes, tray.rules)
    real = wide >= tray.rules.rounding
    for kind, chosen in {
        FlawKind.SLIVER_GAP: np.flatnonzero(real & thin), FlawKind.GAP: np.flatnonzero(real & ~thin),
    }.items():  # fmt: skip

        def tell(number: int, chosen: np.ndarray = chosen) -> Told:
            at = int(chosen[number])
            codes = tuple(ground.code(one) for one in _beside(ground, pieces[at]))
            near = f"between {', '.join(codes[:3])}{' ...' if len(codes) > 3 else ''}" if codes else "beside no cell"
            beside = f"位于 {'、'.join(codes[:3])}{' 等' if len(codes) > 3 else ''} 之间" if codes else "附近无网格"
            size = f"{sizes[at]:,.1f} m2, {wide[at]:,.2f} m wide"
            return Told(
                codes[:_NAMED], pieces[at], f"no cell covers {size}, {near}",
                f"{beside}，无网格覆盖，{sizes[at]:,.1f} 平方米，宽 {wide[at]:,.2f} 米",
            )  # fmt: skip

        tray.add(kind, sizes[chosen].tolist(), tell)


def find_odd_cells(ground: Ground, tray: Tray) -> None:
    """Cells narrower than a street, and cells of several parts."""
    wide = widths(ground.shapes)
    thin = np.flatnonzero(wide < tray.rules.cell_width)

    def narrow(number: int) -> Told:
        at = int(thin[number])
        code, size = ground.code(at), ground.areas[at]
        return Told(
            (code,), ground.shapes[at], f"{code} is {wide[at]:,.2f} m wide at {size:,.1f} m2",
            f"{code} 宽仅 {wide[at]:,.2f} 米，面积 {size:,.1f} 平方米",
        )  # fmt: skip

    tray.add(FlawKind.SLIVER_CELL, ground.areas[thin].tolist(), narrow)
    several = np.flatnonzero(shapely.get_num_geometries(ground.shapes) > 1)

    def parted(number: int) -> Told:
        at = int(several[number])
        parts = np.sort(areas(shapely.get_parts(ground.shapes[at])))
        code = ground.code(at)
        return Told(
            (code,), ground.shapes[at], f"{code} has {len(parts)} parts, the smallest of {parts[0]:,.1f} m2",
            f"{code} 由 {len(parts)} 块组成，最小一块 {parts[0]:,.1f} 平方米",
        )  # fmt: skip

    spare = [float(np.sort(areas(shapely.get_parts(shape)))[:-1].sum()) for shape in ground.shapes[several]]
    tray.add(FlawKind.PARTS, spare, parted)


def _pairs(ground: Ground) -> tuple[np.ndarray, np.ndarray]:
    """Positions of cells that may overlap, each pair once: of one that lies wrongly, and what it touches."""
    suspects = ground.suspects
    if not len(suspects):
        return np.zeros(0, int), np.zeros(0, int)
    found, other = ground.tree.query(ground.shapes[suspects], predicate="intersects")
    low, high = np.minimum(suspects[found], other), np.maximum(suspects[found], other)
    pairs = np.unique(np.stack([low, high]), axis=1)
    rows, columns = pairs[:, pairs[0] < pairs[1]]
    return rows, columns


def _overlaps(ground: Ground, rules: Rules) -> _Overlaps:
    rows, columns = _pairs(ground)
    common = shapely.intersection(ground.shapes[rows], ground.shapes[columns])
    pieces, owner = shapely.get_parts(common, return_index=True)
    real = widths(pieces) >= rules.rounding
    pieces, owner = pieces[real], owner[real]
    sizes = np.bincount(owner, areas(pieces), len(rows)).astype(np.float64)
    widest = np.zeros(len(rows))
    np.maximum.at(widest, owner, widths(pieces))
    some = sizes > 0
    return _Overlaps(rows[some], columns[some], common[some], sizes[some], widest[some])


def _thin(wide: Floats, sizes: Floats, rules: Rules) -> np.ndarray:
    return (wide < rules.sliver_width) & (sizes < rules.sliver_area)


def _filled(ground: Ground) -> BaseGeometry:
    """All cells as one, without holes."""
    rings = shapely.get_exterior_ring(shapely.get_parts(ground.whole))
    return shapely.union_all(shapely.polygons(rings))


def _beside(ground: Ground, gap: shapely.Polygon) -> list[int]:
    """Positions of the cells around a gap."""
    return sorted(ground.tree.query(gap, predicate="dwithin", distance=_AROUND).tolist())
