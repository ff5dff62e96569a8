"""The report of a topology check: a folder with a page, and the flaws for a GIS and for a spreadsheet."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from maps.topology.files import write_csv, write_geojson
from maps.topology.flaw import Topology
from maps.topology.given import TopologyArea, TopologyCell
from maps.topology.page import page
from maps.topology.pictures import Artist

PAGE, GEOJSON, CSV = "report.html", "flaws.geojson", "flaws.csv"


def write_report(
    found: Topology, folder: Path, *, cells: Sequence[TopologyCell], areas: Sequence[TopologyArea] = (), title: str,
    now: datetime,
) -> Path:  # fmt: skip
    """Write `report.html`, `flaws.geojson` and `flaws.csv` into the folder, made if needed; gives the page.

    `cells`, `areas`: what was checked. `title`: of the set. `now`: aware. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    artist = Artist(cells, areas)
    write_geojson(found, folder / GEOJSON)
    write_csv(found, folder / CSV)
    text = page(title, found, overview=artist.overview(found), close_up=artist.close_up, now=now)
    (folder / PAGE).write_text(text, encoding="utf-8")
    return folder / PAGE
