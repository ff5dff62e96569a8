"""What is checked, and by which limits."""

from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from maps.topology.flaw import SEVERE, FlawKind


@dataclass(frozen=True, slots=True)
class TopologyCell:
    """One cell as it was delivered; its shape may be broken."""

    code: str
    name: str
    geometry: BaseGeometry | None
    """Lon/lat CGCS2000."""
    households: int | None = None
    population: int | None = None
    manager: str = ""
    """Code of the division that manages it, where that is not its own by code."""


@dataclass(frozen=True, slots=True)
class TopologyArea:
    """A district or community that cells should fill, and whose code theirs begin with."""

    code: str
    name: str
    geometry: BaseGeometry
    """Lon/lat CGCS2000, valid."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits. Where no source is named they are our own choice."""

    coded: bool = True
    """Unit grids: 15-digit codes, names and sizes are checked. False for an industry's: codes are its own."""
    severe: frozenset[FlawKind] = SEVERE
    sliver_width: float = 1.0
    """Metres: narrower gaps and overlaps are slivers. Half a millimetre on a map of 1:2,000."""
    sliver_area: float = 1_000.0
    """Square metres from which on even a narrow gap is a gap: a kilometre of an edge that was drawn twice."""
    rounding: float = 0.001
    """Metres: narrower still is how coordinates are written (1e-8 degrees) and nothing at all."""
    cell_width: float = 10.0
    """Metres: cells are bounded by streets, so one narrower than a street is what a cut left over."""
    crossing: float = 0.05
    """Share of a cell outside its division from which on it is told; from a half on its code is wrong."""
    households: tuple[int, int] = (300, 500)
    """Of a base grid 基础网格, or else `population` (field facts 1.2)."""
    population: tuple[int, int] = (800, 1_200)
    """People: "about 1,000", which we read as within a fifth."""
    apart: str = "专属"
    """In the name of cells carved out for a park, school or market, to which sizes do not apply (field facts 1.2)."""
    listed: int = 50
    """Flaws of one kind that are listed, the largest first; all are counted."""


INDUSTRY = Rules(coded=False, severe=SEVERE - {FlawKind.GAP, FlawKind.CODE_FORM})
"""An industry's grids lie where its work lies: between them may be ground that is nobody's."""
