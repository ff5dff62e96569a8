"""Scopes: which rows and which columns one client of the map may see. Decided here, once, for every service."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scope:
    """What one client may see. Empty tuples: no limit."""

    name: str
    areas: tuple[str, ...] = ()
    """Divisions 行政区划, by the beginning of their codes."""
    classes: tuple[str, ...] = ()
    """Classes 类别, by the beginning of their codes."""
    systems: tuple[str, ...] = ()
    """Systems that reported the case or own its work."""
    layers: tuple[str, ...] = ()
    public: bool = False
    """Points stand for a whole cell, times for a day, and nothing tells one case's number, unit or words."""
    texts: bool = False
    """What people wrote, and the address, may be read."""

    def admits(self, layer: str) -> bool:
        """True when the layer may be seen at all."""
        return not self.layers or layer in self.layers


def begins(values: npt.NDArray[np.object_], prefixes: tuple[str, ...]) -> Mask:
    """Which values begin with one of the prefixes; without prefixes all do, but for what has no value."""
    if not prefixes:
        return np.ones(len(values), bool)
    return np.fromiter((value is not None and value.startswith(prefixes) for value in values), bool, len(values))
