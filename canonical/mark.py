"""What a map shows of a case 案件点位: a row of the present state, without its history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from canonical.lifecycle import Stage


@dataclass(frozen=True, slots=True)
class CaseMark:
    """One case as the map sees it. Times are aware."""

    id: UUID
    no: str
    stage: Stage
    source: str
    owner: str
    unit: str
    class_code: str | None
    area: str | None
    grid: str | None
    lon: float | None
    """CGCS2000 degrees (EPSG:4490), as `lat`."""
    lat: float | None
    received_at: datetime
    due_at: datetime | None
    disposed_at: datetime | None
    grids: Mapping[str, str] = field(default_factory=dict)
    """Industry grid set to the code of its cell."""
    units: tuple[str, ...] = ()
    """Every unit that has, or had, a share of the work."""
    address: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
