"""Where a report lies: its coordinate first, then a code it gives, then the names in its address. Pure; in batches.

Nothing is guessed: what is missing or contradicts itself becomes a flag on the place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canonical.coordinates import Converted, NotConverted, to_cgcs2000
from canonical.place import Place, PlaceMethod
from canonical.report import Report
from canonical.value import unchecked
from routing.divisions import Divisions
from routing.grids import GridIndex

OUTSIDE_CITY = "outside_city"
"""The coordinate lies in no district and no grid of ours: kept as raw, not used."""
NO_GRID = "no_grid"
"""Inside a district, but in no unit grid."""
AREA_DISAGREES = "area_disagrees"
"""The given code names another county than the coordinate lies in; the coordinate wins."""
AREA_UNKNOWN = "area_unknown"
"""The given code is of our city by its digits, or no code at all, and no division of ours."""
AREA_OUTSIDE_CITY = "area_outside_city"
"""The given code belongs to another city."""
GRID_UNKNOWN = "grid_unknown"
"""A 15-digit code that is no grid of ours, in a community that is."""

_COUNTY, _COMMUNITY, _GRID = 6, 12, 15


@dataclass(frozen=True, slots=True)
class _Spot:
    """What a coordinate came to."""

    position: Converted | None = None
    grid: str | None = None
    county: str | None = None
    flag: str = ""


@dataclass(frozen=True, slots=True)
class _Given:
    """What the code that the source gave came to."""

    area: str | None = None
    grid: str | None = None
    flag: str = ""


_place = unchecked(Place)
_NOWHERE = _Spot()
_NOTHING = _Given()


class Locator:
    """Finds places in one city. Immutable; safe to share between threads."""

    def __init__(self, divisions: Divisions, grids: GridIndex, districts: GridIndex, city_code: str) -> None:
        """`city_code`: the city's 4 digits."""
        self._divisions, self.grids, self._districts, self._city = divisions, grids, districts, city_code

    def locate(self, reports: Sequence[Report]) -> list[Place]:
        """One place for each report, in order. Reports with coordinates are converted and looked up together."""
        indexes = [index for index, report in enumerate(reports) if report.coordinate is not None]
        spots = dict(zip(indexes, self._spots([reports[index] for index in indexes]), strict=True))
        return [self._place(report, spots.get(index, _NOWHERE)) for index, report in enumerate(reports)]

    def _spots(self, reports: Sequence[Report]) -> list[_Spot]:
        answers = to_cgcs2000([report.coordinate for report in reports if report.coordinate is not None])
        positions = [answer for answer in answers if isinstance(answer, Converted)]
        lons, lats = [position.lon for position in positions], [position.lat for position in positions]
        found = iter(zip(self.grids.find(lons, lats), self._districts.find(lons, lats), strict=True))
        return [
            _Spot(flag=answer.flag) if isinstance(answer, NotConverted) else self._spot(answer, *next(found))
            for answer in answers
        ]

    def _spot(self, position: Converted, grid: str | None, county: str | None) -> _Spot:
        if grid is not None:
            return _Spot(position, grid, grid[:_COUNTY])
        if county is not None:
            return _Spot(position, None, county, NO_GRID)
        return _Spot(flag=OUTSIDE_CITY)

    def _place(self, report: Report, spot: _Spot) -> Place:
        given = self._given(report.given_area) if report.given_area else _NOTHING
        flags = [flag for flag in (spot.flag, given.flag) if flag]
        area, grid, method = self._answer(report, spot, given)
        if spot.county and given.area and len(given.area) >= _COUNTY and given.area[:_COUNTY] != spot.county:
            flags.append(AREA_DISAGREES)
        position = spot.position
        return _place(
            address=report.address,
            raw=report.coordinate,
            lon=position.lon if position else None,
            lat=position.lat if position else None,
            conversion=position.conversion if position else "",
            area=area,
            grid=grid,
            method=method,
            given_area=report.given_area,
            flags=tuple(flags),
        )

    def _answer(self, report: Report, spot: _Spot, given: _Given) -> tuple[str | None, str | None, PlaceMethod]:
        """(area, grid, method): the first way that works, refined by the coarser ways that agree with it."""
        if spot.grid is not None:
            return spot.grid[:_COMMUNITY], spot.grid, PlaceMethod.COORDINATE
        if spot.county is not None:
            coded = _finer(spot.county, given.area)
            return _finer(coded, self._named(report, coded)), None, PlaceMethod.COORDINATE
        if given.grid is not None:
            return given.area, given.grid, PlaceMethod.GRID_CODE
        named = self._named(report, given.area)
        if given.area is None:
            return named, None, PlaceMethod.NAME if named else PlaceMethod.UNKNOWN
        area = _finer(given.area, named)
        return area, None, PlaceMethod.AREA_CODE if area == given.area else PlaceMethod.NAME

    def _given(self, text: str) -> _Given:
        code = text.strip()
        if code in self.grids:
            return _Given(code[:_COMMUNITY], code)
        area = self._divisions.code_of(code)
        if area is not None:
            return _Given(area)
        if not (code.isascii() and code.isdecimal()) or code.startswith(self._city):
            community = code[:_COMMUNITY]
            if len(code) == _GRID and self._divisions.known(community):
                return _Given(community, flag=GRID_UNKNOWN)
            return _Given(flag=AREA_UNKNOWN)
        return _Given(flag=AREA_OUTSIDE_CITY)

    def _named(self, report: Report, area: str | None) -> str | None:
        """What the address's names mean; not asked when the area is as fine as names can be."""
        if not report.address or (area is not None and len(area) == _COMMUNITY):
            return None
        return self._divisions.find_in_text(report.address)


def _finer(area: str, other: str | None) -> str:
    """The other division when it lies inside the area, else the area."""
    return other if other is not None and other.startswith(area) else area
