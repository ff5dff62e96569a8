"""Cells as offices hand them over, in files of many kinds or by a WFS, brought to polygons in degrees.

It must never know what a cell means: columns stay as they are delivered. Nothing is guessed about positions and nothing
is repaired; what cannot be used is told by row.
"""

from connectors.geodata.reading import read
from connectors.geodata.sheet import NOWHERE, Sheet
from connectors.geodata.wfs import read_wfs

__all__ = ["NOWHERE", "Sheet", "read", "read_wfs"]
