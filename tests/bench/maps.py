"""Maps against MapServer, in one run: pictures, features, vector tiles, and points put into 20,000 cells.

    python -m tests.bench.maps [--requests 200]

CPU of this process against CPU of one FastCGI process of MapServer 8 over the same 3,000 cells and 20,000 cases.
"""

import argparse
import math
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from maps.atlas import Atlas
from maps.crs import named
from maps.drawing.painter import painter_of
from maps.limits import Limits
from maps.tiles.vector import TileService
from maps.wfs.service import WfsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from routing.grids import Cell, GridIndex
from tests.bench.mapserver import mapserver
from tests.maps.asking import CENTRE, asked, body_of
from tests.maps.mapserver import MapServer
from tests.maps.small_city import SOUTH, STEP, WEST, atlas, marks

COLUMNS, ROWS, CASES = 60, 50, 20_000
DENSITY_FROM = 0.2
"""Degrees of 256 px: from here on ours shows density by cell, and MapServer every point."""
EAST, NORTH = WEST + STEP * COLUMNS, SOUTH + STEP * ROWS


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=200, help="pictures of each kind")
    told = options.parse_args()
    city = atlas(marks(CASES, COLUMNS, ROWS), COLUMNS, ROWS)
    with tempfile.TemporaryDirectory() as folder, mapserver(city, Path(folder)) as peer:
        pictures(city, peer, told.requests)
        features(city, peer)
    tiles(city)
    attribution()


def pictures(city: Atlas, peer: MapServer, requests: int) -> None:
    """GetMap, 256 px, png8, windows and zooms at random; nothing is asked twice."""
    print(f"GetMap 256 px, png8, grids and cases by stage; CPU ms a request, {requests} of each")
    service, dice = WmsService(city, painter_of(city), Limits(), Face("", "")), random.Random(1)
    total_ours = total_theirs = alike_ours = alike_theirs = kept = 0.0
    for crs in ("EPSG:3857", "EPSG:4490", "EPSG:4548"):
        for size in (0.02, 0.05, 0.2):
            boxes = [_box(dice, crs, size) for _ in range(requests)]
            common: dict[str, Any] = {
                "SERVICE": "WMS", "VERSION": "1.1.1", "REQUEST": "GetMap", "LAYERS": "grids,cases", "SRS": crs,
                "WIDTH": 256, "HEIGHT": 256, "FORMAT": "image/png; mode=8bit",
            }  # fmt: skip

            def ours(box: str, common: dict[str, Any] = common) -> int:
                return len(body_of(asked(service.answer, CENTRE, **common, STYLES=",stage", BBOX=box)))

            def theirs(box: str, common: dict[str, Any] = common) -> int:
                body = peer.get(**common, STYLES="", BBOX=box)
                assert body.startswith(b"\x89PNG"), body[:300]
                return len(body)

            ours(boxes[0])
            theirs(boxes[0])
            mine = _cpu(time.process_time, ours, boxes[1:])
            other = _cpu(lambda: peer.cpu, theirs, boxes[1:])
            kept = _cpu(time.process_time, ours, boxes[1:])
            total_ours, total_theirs = total_ours + mine, total_theirs + other
            if size < DENSITY_FROM:
                alike_ours, alike_theirs = alike_ours + mine, alike_theirs + other
            print(f"  {crs} {size:4} degrees   ours {mine:6.2f}   MapServer {other:6.2f}   ratio {mine / other:.2f}")
    print(f"  all together: ratio {total_ours / total_theirs:.2f} (target <= 1); "
          f"where both draw points: {alike_ours / alike_theirs:.2f}")  # fmt: skip
    print(f"  the same asked again within ten seconds, from the cache: {kept:.2f} ms")


def features(city: Atlas, peer: MapServer) -> None:
    """WFS GetFeature of all cases, features a second of CPU."""
    print("WFS 2.0 GetFeature, 20,000 cases; features a second of CPU")
    service = WfsService(city, Limits(), "", "")
    common: dict[str, Any] = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": "cases"}
    for name, ours_format, theirs_format in (
        ("GML 3.2", "application/gml+xml; version=3.2", "application/gml+xml; version=3.2"),
        ("GeoJSON", "application/json", "geojson"),
    ):

        def ours(_: str, wanted: str = ours_format) -> int:
            return len(body_of(asked(service.answer, CENTRE, **common, OUTPUTFORMAT=wanted)))

        def theirs(_: str, wanted: str = theirs_format) -> int:
            body = peer.get(**common, OUTPUTFORMAT=wanted)
            assert len(body) > 1_000_000, body[:300]
            return len(body)

        ours("")
        theirs("")
        mine, other = _cpu(time.process_time, ours, [""] * 5), _cpu(lambda: peer.cpu, theirs, [""] * 5)
        rates = CASES / mine * 1000, CASES / other * 1000
        ratio = f"ratio {rates[0] / rates[1]:.2f} (target >= 0.8)"
        print(f"  {name}: ours {rates[0]:,.0f}   MapServer {rates[1]:,.0f}   {ratio}")


def tiles(city: Atlas) -> None:
    """Vector tiles at zoom 13."""
    whole = 2**13

    def column_row(lon: float, lat: float) -> tuple[int, int]:
        return int((lon + 180) / 360 * whole), int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * whole)

    west, north = column_row(WEST, NORTH)
    east, south = column_row(EAST, SOUTH)
    paths = [f"/cases/13/{x}/{y}.mvt" for x in range(west, east + 1) for y in range(north, south + 1)]
    service = TileService(city)
    asked(service.answer, path="/cases/14/0/0.mvt")
    cold = _cpu(time.process_time, lambda path: len(body_of(asked(service.answer, path=path))), paths)
    warm = _cpu(time.process_time, lambda path: len(body_of(asked(service.answer, path=path))), paths)
    print(f"vector tile z13, {len(paths)} tiles: cold {cold:.1f} ms, warm {warm:.2f} ms of CPU (targets 20 and 5)")


def attribution() -> None:
    """Points into 20,000 cells, in batches of 100."""
    side = 0.002
    cells = [
        Cell(f"340202{number:09d}", "", shapely.box(*(118 + side * (number % 200), 31 + side * (number // 200)),
             118 + side * (number % 200 + 1), 31 + side * (number // 200 + 1)))
        for number in range(20_000)
    ]  # fmt: skip
    index, dice = GridIndex(cells), np.random.default_rng(1)
    points = np.column_stack([dice.uniform(118, 118.4, 100_000), dice.uniform(31, 31.2, 100_000)])
    batches = [(part[:, 0].tolist(), part[:, 1].tolist()) for part in np.array_split(points, 1000)]
    begin = time.process_time()
    for lons, lats in batches:
        index.place(lons, lats)
    took = time.process_time() - begin
    begin = time.process_time()
    tree = shapely.STRtree([cell.geometry for cell in cells])
    for lons, lats in batches:
        tree.query(shapely.points(lons, lats), predicate="intersects")
    bare = time.process_time() - begin
    rate = len(points) / took
    print(f"attribution over 20,000 cells, batches of 100: {rate:,.0f} points/s (target 200,000); "
          f"{took / bare:.2f} x the bare tree")  # fmt: skip


def _cpu(clock: Callable[[], float], ask: Callable[[str], int], given: list[str]) -> float:
    """Milliseconds of CPU a request."""
    begin = clock()
    for one in given:
        ask(one)
    return (clock() - begin) / len(given) * 1000


def _box(dice: random.Random, crs: str, size: float) -> str:
    west, south = dice.uniform(WEST, max(WEST, EAST - size)), dice.uniform(SOUTH, max(SOUTH, NORTH - size))
    corners = named(crs).from_native(np.array([[west, south], [west + size, south + size]]))
    return ",".join(f"{one:.6f}" for one in corners.ravel())


if __name__ == "__main__":
    main()
