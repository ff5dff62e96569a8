"""Organisation units and their officers: who can be given work, at city, district, street or community level."""

from datetime import date
from enum import StrEnum

from pydantic import Field

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
    former_name: str = ""
    """What it was called before."""
    merged_into: str = ""
    """The unit that has its work since: figures of a period that ends later come under that one."""
    valid_to: date | None = None
    """The last day it was a unit of its own; None: merged before all periods."""

    def gone(self, last: date) -> bool:
        """True when its work is another unit's on this day."""
        return bool(self.merged_into) and (self.valid_to is None or self.valid_to < last)


class Post(StrEnum):
    """What somebody is there for 岗位."""

    COLLECTOR = "collector"
    """采集员, 监督员: finds, verifies and checks on the spot."""
    GRID_OFFICER = "grid_officer"
    """网格员: of everything in a grid."""
    HANDLER = "handler"
    """处置人员: of one or several industries."""
    ACCEPTOR = "acceptor"
    DUTY_CHIEF = "duty_chief"
    DISPATCHER = "dispatcher"


class Officer(Value):
    """A member of a unit. The id travels with cases; the name is a person's and does not."""

    id: str
    name: str = Field(default="", repr=False)
    unit: str
    post: Post
