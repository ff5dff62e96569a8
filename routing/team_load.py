"""How a team is laid over the grids on one day: grids with several officers 一格多员, officers with several grids
一员多格, and what each officer has to cover."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from canonical.organisation import Officer
from routing.grids import GridIndex
from routing.responsibility import ANY
from routing.team import Entry, Team

_ELLIPSOID = Geod(ellps="GRS80")
"""Of CGCS2000, to a tenth of a millimetre."""
_COMMUNITY = 12
_SQUARE_KILOMETRE = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """What one officer has on that day."""

    officer: Officer
    grids: int
    """Unit grids of the officer's responsibility grid 责任网格."""
    in_charge: int
    """Of these, those that are the officer's first (order 1)."""
    industry_grids: tuple[str, ...]
    square_kilometres: float
    """Of these unit grids, shares counted."""


@dataclass(frozen=True, slots=True)
class TeamLoad:
    """The team on one day."""

    day: date
    grids: int
    without: int
    """Unit grids without any officer."""
    from_above: int
    """Unit grids that only officers of streets, districts or the city have."""
    single: int
    """Unit grids with one officer of their own: of the grid, its community or an industry grid."""
    several: int
    """Unit grids with several officers of their own 一格多员."""
    most: int
    """Officers of its own in the fullest grid."""
    fullest: str
    many_grids: int
    """Officers with several unit grids 一员多格."""
    many_industry_grids: int
    """Officers with several industry grids."""
    loads: tuple[Load, ...]
    """In the order of officers.csv, those in office on that day."""


def load_on(team: Team, grids: GridIndex, day: date) -> TeamLoad:
    """The team as it stands on a day."""
    codes = list(grids.cells)
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    charge: dict[str, set[str]] = defaultdict(set)
    industry: dict[str, set[str]] = defaultdict(set)
    covered: set[str] = set()
    crew: dict[str, set[str]] = defaultdict(set)
    for entry in team.entries:
        if not entry.holds(day):
            continue
        id_ = entry.officer.id
        if entry.industry_grid:
            industry[id_].add(entry.industry_grid)
        for grid in _below(entry, codes):
            shares[id_][grid] = min(1.0, entry.share + shares[id_].get(grid, 0.0))
            covered.add(grid)
            if len(entry.area) >= _COMMUNITY:
                crew[grid].add(id_)
            if entry.order == 1:
                charge[id_].add(grid)
    areas = {grid: _area(grids.cells[grid].geometry) for grid in covered}
    loads = tuple(
        Load(
            term.officer, len(shares[id_]), len(charge[id_]), tuple(sorted(industry[id_])),
            sum(areas[grid] * share for grid, share in shares[id_].items()),
        )
        for id_, term in team.terms.items() if term.holds(day)
    )  # fmt: skip
    several = sum(len(ones) > 1 for ones in crew.values())
    fullest = max(sorted(crew), key=lambda grid: len(crew[grid]), default="")
    return TeamLoad(
        day=day, grids=len(codes), without=len(codes) - len(covered), from_above=len(covered) - len(crew),
        single=len(crew) - several, several=several, most=len(crew[fullest]) if fullest else 0, fullest=fullest,
        many_grids=sum(one.grids > 1 for one in loads),
        many_industry_grids=sum(len(one.industry_grids) > 1 for one in loads), loads=loads,
    )  # fmt: skip


def _below(entry: Entry, codes: Sequence[str]) -> Sequence[str]:
    if entry.area == ANY:
        return codes
    return codes[bisect_left(codes, entry.area) : bisect_left(codes, entry.area + ":")]


def _area(geometry: BaseGeometry) -> float:
    """In square kilometres, on the ellipsoid."""
    area, _ = _ELLIPSOID.geometry_area_perimeter(geometry)
    return float(abs(area)) / _SQUARE_KILOMETRE
