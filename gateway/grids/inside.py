"""Do delivered cells lie in the city at all? A wrong CRS shows here, and what the numbers could mean instead."""

import numpy as np
import shapely

from canonical.coordinates import Converted, Systems, hypotheses
from canonical.findings import Finding, Severity
from canonical.place import Coordinate
from connectors.geodata import NOWHERE, Sheet
from routing.grids import GridIndex

_SHOWN = 5


def inside(sheet: Sheet, districts: GridIndex, systems: Systems, *, file: str) -> list[Finding]:
    """One error when no cell lies in a district, with the CRS that would fit; one warning when some do not."""
    if not len(districts) or sheet.first == NOWHERE:
        return []
    if not len(sheet.shapes):
        return _none(sheet, districts, systems, file)
    points = shapely.get_coordinates(shapely.point_on_surface(sheet.shapes))
    found = districts.find(points[:, 0].tolist(), points[:, 1].tolist())
    outside = np.flatnonzero([one is None for one in found])
    if not len(outside):
        return []
    if len(outside) < len(found):
        rows = ", ".join(str(sheet.numbers[index]) for index in outside[:_SHOWN].tolist())
        more = " ..." if len(outside) > _SHOWN else ""
        text = f"{len(outside)} of {len(found)} cells lie mostly outside all districts: rows {rows}{more}"
        return [Finding(file, 0, "", text, Severity.WARNING)]
    return _none(sheet, districts, systems, file)


def _none(sheet: Sheet, districts: GridIndex, systems: Systems, file: str) -> list[Finding]:
    meant = _meant(sheet, districts, systems)
    hint = f"; they would lie inside as {meant}" if meant else ""
    return [
        Finding(
            file,
            0,
            "crs",
            f"no cell lies in this city as {sheet.crs}{hint}: is that its CRS, and the order of its axes?",
        )
    ]


def _meant(sheet: Sheet, districts: GridIndex, systems: Systems) -> str:
    """What else the numbers of the first cell could mean, where that lies inside."""
    x, y = sheet.first
    others = list(hypotheses(Coordinate(x=x, y=y, crs=sheet.crs)))
    for (name, _), answer in zip(others, systems.to_cgcs2000([one for _, one in others]), strict=True):
        if isinstance(answer, Converted) and districts.find([answer.lon], [answer.lat]) != [None]:
            return name
    return ""
