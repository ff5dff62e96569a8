"""Organisation units: who can be given work, at city, district, street or community level."""

from enum import StrEnum

from canonical.place import AreaCode
from canonical.value import Value


class Level(StrEnum):
    """The four levels of the four loops (四级循环)."""

    CITY = "city"
    DISTRICT = "district"
    STREET = "street"
    COMMUNITY = "community"


class Unit(Value):
    """A unit 处置单位. Its work reaches it through one system, or through the centre's own desk."""

    id: str
    name: str
    level: Level
    area: AreaCode
    parent: str | None = None
    system: str | None = None
    """The industry system that carries work to this unit; None: the centre's desk hands it over."""
    calendar: str = ""
    """Name of its own working time; empty: that of the unit above, and at the top that of the city."""
