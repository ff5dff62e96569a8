"""A picture as it is asked for, and how large things are in it."""

from dataclasses import dataclass
from datetime import datetime

from canonical.rights import Scope
from maps.atlas import Interval
from maps.crs import Crs
from maps.drawing.style import Style

PIXEL = 0.00028
"""Metres: the pixel that OGC services reckon scale with (WMS 1.3.0, 7.2.4.6.9)."""
METRES_A_DEGREE = 111_319.49079327358
Corners = tuple[float, float, float, float]
"""West, south, east, north in the picture's CRS."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One layer drawn in one style."""

    layer: str
    """Of the atlas."""
    style: Style


@dataclass(frozen=True, slots=True)
class Picture:
    """What to draw."""

    sheets: tuple[Sheet, ...]
    """From the bottom to the top."""
    crs: Crs
    box: Corners
    width: int
    """Pixels."""
    height: int
    scope: Scope
    now: datetime
    when: Interval | None = None
    format: str = "png"
    """A key of FORMATS."""
    background: str = ""
    """`#rrggbb`; empty: transparent."""

    @property
    def denominator(self) -> float:
        """The scale, as the number below 1: 100000 for 1:100,000."""
        metres = METRES_A_DEGREE if self.crs.degrees else 1.0
        return (self.box[2] - self.box[0]) / self.width * metres / PIXEL


FORMATS = {"png": "png32:z=3", "png8": "png8:z=3", "jpeg": "jpeg85"}
"""How Mapnik encodes each."""
