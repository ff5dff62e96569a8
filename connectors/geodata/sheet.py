"""What a geographic file holds: as it was read, and as polygons in degrees. And how much of it is read at most."""

from dataclasses import dataclass, field

import numpy as np

from canonical.errors import ContractViolation, Why
from canonical.findings import Finding

MOST_BYTES = 512 * 1024 * 1024
"""Of one file with its sidecars, unpacked. A city's 20,000 cells are about 20 MB."""
MOST_ROWS = 1_000_000
MOST_COLUMNS = 500
NOWHERE = (0.0, 0.0)
"""The first corner of a file that has none."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Rows as the file has them, in its own CRS."""

    columns: tuple[str, ...]
    rows: list[dict[str, object]]
    shapes: np.ndarray
    """Shapely geometries of any kind, one a row; None where none can be read."""
    crs: str
    """A name that `canonical.coordinates` knows; what the file says, if it is known by no such name; or empty."""
    how: str
    """Format and encoding, for people."""
    findings: list[Finding] = field(default_factory=list)
    assumed: bool = False
    """The CRS is that of the format, not said by the file."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Polygons with their rows, in CGCS2000 longitude and latitude."""

    columns: tuple[str, ...]
    rows: list[dict[str, object]]
    """Those with a polygon. What was left out stands in `findings`."""
    shapes: np.ndarray
    """Polygons and MultiPolygons, one a row, without heights. Self-crossing ones are there, with a finding."""
    crs: str
    """As declared, or as found in the file."""
    how: str
    """Format, encoding and why, conversion: for people."""
    findings: list[Finding]
    first: tuple[float, float] = NOWHERE
    """x and y of the first corner in the declared CRS."""
    numbers: list[int] = field(default_factory=list)
    """Where each row stood in the file, from 1: the first row of data."""


def silent(done: int, total: int) -> None:
    """Progress that nobody hears."""


def unreadable(text: str) -> ContractViolation:
    """The bytes are not what they should be."""
    return ContractViolation(text, why=Why.UNREADABLE)


def too_large(text: str) -> ContractViolation:
    """More than is read."""
    return ContractViolation(text, why=Why.TOO_LARGE)


def check_size(name: str, rows: int, columns: int) -> None:
    """Raises ContractViolation when it is more than is read."""
    if rows > MOST_ROWS:
        raise too_large(f"{name}: {rows} rows, and {MOST_ROWS} are read at most: divide the file")
    if columns > MOST_COLUMNS:
        raise too_large(f"{name}: {columns} columns, and {MOST_COLUMNS} are read at most: leave out what is not needed")


def as_array(shapes: list[object]) -> np.ndarray:
    """Objects as a flat numpy array, whatever they are."""
    made = np.empty(len(shapes), object)
    made[:] = shapes
    return made
