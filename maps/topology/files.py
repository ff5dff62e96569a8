"""The flaws that are listed, as files: GeoJSON to open in a GIS, CSV to open in a spreadsheet."""

import csv
from pathlib import Path

import orjson
import shapely

from canonical.tables import harmless
from maps.topology.flaw import TITLES, Flaw, Topology

_COLUMNS = ("kind", "title_zh", "title", "severe", "codes", "area_m2", "text_zh", "text")


def write_geojson(found: Topology, path: Path) -> None:
    """RFC 7946, CGCS2000 degrees; a flaw without a place has a null geometry."""
    features = [
        b'{"type":"Feature","properties":%s,"geometry":%s}'
        % (orjson.dumps(_row(one)), b"null" if one.shape is None else shapely.to_geojson(one.shape).encode())
        for one in found.flaws
    ]
    path.write_bytes(b'{"type":"FeatureCollection","features":[\n' + b",\n".join(features) + b"\n]}\n")


def write_csv(found: Topology, path: Path) -> None:
    """UTF-8 with its mark; longitude and latitude are of a point in the flaw, CGCS2000 degrees."""
    with path.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow([*_COLUMNS, "lon", "lat"])
        for one in found.flaws:
            writer.writerow(
                [*(harmless(value) if isinstance(value, str) else value for value in _row(one).values()), *_point(one)]
            )


def _row(one: Flaw) -> dict[str, object]:
    title = TITLES[one.kind]
    values = (
        one.kind.value, title.chinese, title.english, one.severe,
        " ".join(one.codes), round(one.area, 2), one.chinese, one.text,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))


def _point(one: Flaw) -> tuple[str, str]:
    if one.shape is None or one.shape.is_empty:
        return "", ""
    [(lon, lat)] = shapely.get_coordinates(shapely.point_on_surface(one.shape)).tolist()
    return f"{lon:.7f}", f"{lat:.7f}"
