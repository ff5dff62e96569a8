"""Where a report lies: its coordinate first, then a code it gives, then the names in its address. Pure; in batches.

Nothing is guessed: what is missing or contradicts itself becomes a flag on the place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from canonical.coordinates import OUTSIDE_CRS, STANDARD, Converted, NotConverted, Systems, hypotheses
from canonical.place import Coordinate, Place, PlaceMethod
from canonical.report import Report
from canonical.value import unchecked
from routing.divisions import Divisions
from routing.grid_sets import GridRegistry, GridSet
from routing.grids import EDGE, SEVERAL, GridIndex

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
"""A 15-digit code that is no grid of ours on that day, in a community that is."""
NEAR_GRID = "near_grid"
"""In no grid, and so near to one that the city counts it there."""
CRS_SUSPICIOUS = "crs_suspicious"
"""Outside the city as declared, inside it if the numbers meant something else: `Place.suspect` says what."""
MANAGED_ELSEWHERE = "managed_elsewhere"
"""The grid is managed by another division than its own: a development zone 开发区."""

_COUNTY, _COMMUNITY, _GRID = 6, 12, 15


@dataclass(frozen=True, slots=True)
class _Spot:
    """What a coordinate came to."""

    position: Converted | None = None
    grid: str | None = None
    county: str | None = None
    flags: tuple[str, ...] = ()
    suspect: str = ""
    grids: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the code that the source gave came to."""

    area: str | None = None
    grid: str | None = None
    flag: str = ""


_place = unchecked(Place)
_NOWHERE = _Spot()
_NOTHING = _Given()


@dataclass(frozen=True, slots=True)
class PlacingRules:
    """What a city decides where geometry alone does not."""

    near: float = 0.0
    """Metres from a unit grid at which a point in none is counted there 就近归格; 0: never."""


class Locator:
    """Finds places in one city. Immutable; safe to share between threads."""

    def __init__(
        self, divisions: Divisions, registry: GridRegistry, districts: GridIndex, city_code: str,
        *, systems: Systems = STANDARD, rules: PlacingRules = PlacingRules(),
    ) -> None:  # fmt: skip
        """`city_code`: the city's 4 digits."""
        self._divisions, self.registry, self.districts, self._city = divisions, registry, districts, city_code
        self.systems, self._rules = systems, rules

    def locate(self, reports: Sequence[Report], day: date) -> list[Place]:
        """One place for each report, in order, in the grids of that day.

        Reports with coordinates are converted and looked up together.
        """
        sets = self.registry.on(day)
        base = self.registry.base(day)
        indexes = [index for index, report in enumerate(reports) if report.coordinate is not None]
        spots = dict(zip(indexes, self._spots([reports[index] for index in indexes], base, sets), strict=True))
        return [self._place(report, spots.get(index, _NOWHERE), base) for index, report in enumerate(reports)]

    def again(self, places: Sequence[Place], day: date) -> list[Place]:
        """The same places in the grids of that day; positions stay as they were converted.

        A place without a position keeps the unit grid that it has, in the day's edition, where that has the code. What
        the day's grids say nothing of is as it was.
        """
        sets, base = self.registry.on(day), self.registry.base(day)
        positions = [
            Converted(place.lon, place.lat, place.conversion, place.error or 0.0)
            for place in places
            if place.lon is not None and place.lat is not None
        ]
        found = iter(self._found(positions, base, sets))
        return [
            _coded(place, base) if place.lon is None or place.lat is None else self._moved(place, next(found), base)
            for place in places
        ]

    def _moved(self, place: Place, spot: _Spot | None, base: GridSet) -> Place:
        if spot is None:
            return place
        if spot.grid:
            area: str | None = base.index.cells[spot.grid].manager or spot.grid[:_COMMUNITY]
        else:  # the area of a grid that is left says nothing any more
            known = self._given(place.given_area, base).area if place.grid and place.given_area else place.area
            area = _finer(spot.county or "", None if place.grid and not place.given_area else known)
        flags = (*(flag for flag in place.flags if flag not in _OF_GRIDS), *spot.flags)
        return place.model_copy(update={
            "area": area, "grid": spot.grid, "grid_set": base.edition if spot.grid else "", "grids": spot.grids,
            "flags": flags,
        })  # fmt: skip

    def _spots(self, reports: Sequence[Report], base: GridSet, sets: Sequence[GridSet]) -> list[_Spot]:
        coordinates = [report.coordinate for report in reports if report.coordinate is not None]
        answers = self.systems.to_cgcs2000(coordinates)
        positions = [answer for answer in answers if isinstance(answer, Converted)]
        found = iter(self._found(positions, base, sets))
        return [
            self._nowhere(coordinate, answer.flag)
            if isinstance(answer, NotConverted)
            else next(found) or self._nowhere(coordinate, OUTSIDE_CITY)
            for answer, coordinate in zip(answers, coordinates, strict=True)
        ]

    def _found(
        self, positions: Sequence[Converted], base: GridSet, sets: Sequence[GridSet]
    ) -> list[_Spot | None]:  # fmt: skip
        """What each position came to; None outside the city."""
        lons, lats = [position.lon for position in positions], [position.lat for position in positions]
        grids, claims = base.index.place(lons, lats)
        counties = self.districts.find(lons, lats)
        industry = [(one.edition, one.index.find(lons, lats)) for one in sets if one.name != base.name]
        return [
            self._spot(
                position, grids[number], counties[number], base, claims.get(number),
                {edition: code for edition, codes in industry if (code := codes[number]) is not None},
            )
            for number, position in enumerate(positions)
        ]  # fmt: skip

    def _spot(
        self, position: Converted, grid: str | None, county: str | None, base: GridSet, claim: str | None,
        industry: dict[str, str],
    ) -> _Spot | None:  # fmt: skip
        flags: tuple[str, ...] = (claim,) if claim else ()
        if grid is None and (grid := base.index.near(position.lon, position.lat, self._rules.near)):
            flags = (NEAR_GRID,)
        if grid is not None:
            flags += (MANAGED_ELSEWHERE,) if base.index.cells[grid].manager else ()
            return _Spot(position, grid, grid[:_COUNTY], flags, grids=industry)
        if county is not None:
            return _Spot(position, None, county, (NO_GRID,), grids=industry)
        return None

    def _nowhere(self, coordinate: Coordinate, flag: str) -> _Spot:
        """Not in the city: told with what else the numbers could mean, if that lies inside."""
        if flag not in (OUTSIDE_CITY, OUTSIDE_CRS.flag):
            return _Spot(flags=(flag,))
        meant = list(hypotheses(coordinate))
        answers = self.systems.to_cgcs2000([other for _, other in meant])
        for (name, _), answer in zip(meant, answers, strict=True):
            if isinstance(answer, Converted) and self.districts.find([answer.lon], [answer.lat]) != [None]:
                return _Spot(flags=(flag, CRS_SUSPICIOUS), suspect=name)
        return _Spot(flags=(flag,))

    def _place(self, report: Report, spot: _Spot, base: GridSet) -> Place:
        given = self._given(report.given_area, base) if report.given_area else _NOTHING
        flags = [*spot.flags, given.flag] if given.flag else list(spot.flags)
        area, grid, method = self._answer(report, spot, given)
        manager = base.index.cells[grid].manager if grid else ""
        if spot.county and given.area and len(given.area) >= _COUNTY and not _agrees(given.area, spot.county, manager):
            flags.append(AREA_DISAGREES)
        position = spot.position
        return _place(
            address=report.address,
            raw=report.coordinate,
            lon=position.lon if position else None,
            lat=position.lat if position else None,
            conversion=position.conversion if position else "",
            error=position.error if position else None,
            suspect=spot.suspect,
            area=manager or area,
            grid=grid,
            grid_set=base.edition if grid else "",
            grids=spot.grids,
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

    def _given(self, text: str, base: GridSet) -> _Given:
        code = text.strip()
        if code in base.index:
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


_OF_GRIDS = frozenset({EDGE, SEVERAL, NEAR_GRID, NO_GRID, MANAGED_ELSEWHERE})
"""Flags that a look into grids gives."""


def _coded(place: Place, base: GridSet) -> Place:
    if place.grid is None or place.grid not in base.index:
        return place
    return place.model_copy(update={"grid_set": base.edition})


def _finer(area: str, other: str | None) -> str:
    """The other division when it lies inside the area, else the area."""
    return other if other is not None and other.startswith(area) else area


def _agrees(given: str, county: str, manager: str) -> bool:
    """A grid of a development zone lies in one county and is managed by another: both are right."""
    return given[:_COUNTY] in (county, manager[:_COUNTY])
