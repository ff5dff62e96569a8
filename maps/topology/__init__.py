"""The topology check of a grid set 网格拓扑检查: is it a map without gaps and overlaps whose codes and names fit?"""

from maps.topology.checking import check
from maps.topology.flaw import SEVERE, TITLES, Flaw, FlawKind, Tally, Title, Topology
from maps.topology.given import INDUSTRY, Rules, TopologyArea, TopologyCell

__all__ = [
    "INDUSTRY", "SEVERE", "TITLES", "Flaw", "FlawKind", "Rules", "Tally", "Title", "Topology", "TopologyArea",
    "TopologyCell", "check",
]  # fmt: skip
