"""Where something is: the coordinate as given, with its CRS, and what the hub made of it.

Raw and converted values are both kept, and how the one became the other. Nothing is ever detected silently: a missing
or suspicious CRS is a flag on the place. Field facts: EPSG v11, axis order never assumed from the code.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, FiniteFloat

from canonical.value import Value

AreaCode = Annotated[str, Field(pattern="^[0-9]{4}$|^[0-9]{6}$|^[0-9]{9}$|^[0-9]{12}$")]
"""City (4), county (6, GB/T 2260), street (9) or community (12 digits)."""

UnitGridCode = Annotated[str, Field(pattern="^[0-9]{15}$")]
"""单元网格: 6 county + 3 street + 3 community + 3 sequence; the first 12 digits are the community's code."""


class Coordinate(Value):
    """A position exactly as the source wrote it."""

    x: FiniteFloat
    """Longitude in degrees, or easting in metres. Never latitude, whatever the CRS's axis order."""
    y: FiniteFloat
    """Latitude in degrees, or northing in metres."""
    crs: str
    """`EPSG:4490`, `EPSG:4548`, `GCJ-02`, `BD-09`, `BD-09MC`, `LOCAL:name`, as declared for the source."""


class PlaceMethod(StrEnum):
    """How the hub found the place, best first."""

    COORDINATE = "coordinate"
    """Converted from the source's coordinate and found in a unit grid."""
    GRID_CODE = "grid_code"
    """The source gave a unit grid of ours."""
    AREA_CODE = "area_code"
    """The source gave a division code: known to that level only."""
    NAME = "name"
    """A division's name stands in the address."""
    CENTRE = "centre"
    """A person in the centre said so."""
    UNKNOWN = "unknown"


class Place(Value):
    """Where a case is. `lon`/`lat` are CGCS2000 degrees (EPSG:4490, taken as equal to WGS 84 at this accuracy)."""

    address: str = ""
    raw: Coordinate | None = None
    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)
    conversion: str = ""
    """How raw became lon/lat, such as `EPSG:4548 -> EPSG:4490` or `GCJ-02 inverse`."""
    error: float | None = None
    """Metres that the conversion may be off; None without one."""
    suspect: str = ""
    """Where the declared CRS looks wrong: what would lie inside the city, such as `EPSG:4549`. Told, never used."""
    area: AreaCode | None = None
    """The finest division known: county, street or community."""
    grid: UnitGridCode | None = None
    grid_set: str = ""
    """The edition of the unit grids that `grid` is a code of; a replaced set leaves its cases as they are."""
    grids: dict[str, str] = {}
    """Industry grids 行业网格: the set's edition, such as `landscape@2026-01-01`, to the code of its cell."""
    method: PlaceMethod = PlaceMethod.UNKNOWN
    given_area: str = ""
    """Division or grid code as the source gave it, of whatever length."""
    flags: tuple[str, ...] = ()
    """Data quality remarks: `outside_city`, `zero_coordinate`, `area_disagrees`, ..."""

    @property
    def usable(self) -> bool:
        """True when the case can be filed and given to someone: at least the county is known."""
        return self.grid is not None or (self.area is not None and len(self.area) >= len("340202"))

    @property
    def responsible(self) -> str:
        """The finest code that says whose work it is: the grid, unless another division manages it; empty: unknown."""
        if self.grid and self.area and not self.grid.startswith(self.area):
            return self.area
        return self.grid or self.area or ""

    @property
    def county(self) -> str | None:
        """The 6-digit county, when known."""
        code = self.responsible
        return code[:6] if len(code) >= len("340202") else None
