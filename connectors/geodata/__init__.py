"""Files of cells as offices hand them over: shapefiles, databases, drawings and tables, brought to polygons in degrees.

It must never know what a cell means: columns stay as the file has them. Nothing is guessed about positions and nothing
is repaired; what cannot be used is told by row.
"""

from connectors.geodata.reading import read
from connectors.geodata.sheet import Sheet

__all__ = ["Sheet", "read"]
