"""What a map server says it offers, in one small model for WMS 1.1.1/1.3.0, WMTS 1.0.0 and WFS 1.0/1.1/2.0."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees, longitude first whatever the server's order is."""


class Kind(StrEnum):
    """Which protocol."""

    WMS = "wms"
    WMTS = "wmts"
    WFS = "wfs"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One level of a matrix set."""

    name: str
    scale: float
    """Scale denominator, at 0.28 mm a pixel."""
    corner: tuple[float, float]
    """Top left, in the order in which the server gave it."""
    tile: tuple[int, int]
    """Pixels of a tile: width, height."""
    size: tuple[int, int]
    """Tiles across and down."""


@dataclass(frozen=True, slots=True)
class MatrixSet:
    """One way in which a WMTS cuts the world into tiles."""

    name: str
    crs: str
    matrices: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a WMS or WMTS, one feature type of a WFS."""

    name: str
    title: str
    crs: tuple[str, ...] = ()
    """As the server names them; what no registry has, such as `EPSG:0`, too."""
    box: Box | None = None
    """None: it says none that lies on the globe."""
    styles: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    matrix_sets: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    """Addresses of tiles with `{TileMatrix}` and the like in them, of a WMTS that is asked by path."""
    time: str = ""
    """Values of its time dimension; empty: it has none."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One service."""

    kind: Kind
    version: str
    title: str
    layers: tuple[Layer, ...]
    matrix_sets: tuple[MatrixSet, ...] = ()

    def layer(self, name: str) -> Layer | None:
        """The layer of this name."""
        return next((one for one in self.layers if one.name == name), None)

    def matrix_set(self, name: str) -> MatrixSet | None:
        """The matrix set of this name."""
        return next((one for one in self.matrix_sets if one.name == name), None)

    def names(self) -> Iterator[str]:
        """Of the layers."""
        return (one.name for one in self.layers)
