"""The clients of docs/open-the-city.md, opened over the small city: QGIS, and the pages for OpenLayers in Chromium.

python -m tests.maps.open_the_city docs/pictures   # renews the pictures of the page
"""

import json
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import anyio
import numpy as np
from PIL import Image

from gateway.maps.door import MapDoor, Service
from maps.crs import named
from maps.drawing.painter import painter_of
from maps.features.service import FeaturesService
from maps.limits import Limits
from maps.tiles.vector import TileService
from maps.tiles.wmts import WmtsService
from maps.wfs.service import WfsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.gateway.maps_room import SETTINGS, TOKENS, served
from tests.house.shown_page import ROOT
from tests.maps.clients import OPENLAYERS, chromium, qgis
from tests.maps.small_city import NOW, atlas, scattered

PAGE = ROOT / "docs" / "open-the-city.md"
MARKS = scattered(40)
CENTRE = (118.325, 31.315)
TITLE = "网格一张图"
BLUE, RED, PURPLE, GREEN = "#0072b2", "#d55e00", "#6a3d9a", "#009e73"
WIDE, HIGH = 760, 540
"""Pixels of each of two pages, one above the other."""
SIZE = (690, 490)
"""Pixels of the picture that each layer is drawn in by QGIS."""
_SCALE = 9.2
"""Metres of Web Mercator a pixel of it."""
[[_X, _Y]] = named("EPSG:3857").from_native(np.array([CENTRE]))
BOX = (_X - SIZE[0] * _SCALE / 2, _Y - SIZE[1] * _SCALE / 2, _X + SIZE[0] * _SCALE / 2, _Y + SIZE[1] * _SCALE / 2)
_BLOCK = re.compile(r"^\*\*`(?P<file>[^`]+)`\*\*\n\n```html\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
Picture = np.ndarray


@contextmanager
def opened() -> Iterator[tuple[str, str, Path]]:
    """The door's address, and the address and folder of a server of pages that may ask it."""
    city = atlas(MARKS)
    services: Mapping[str, Service] = {
        "wms": WmsService(city, painter_of(city), Limits(), Face(TITLE, "")).answer,
        "wmts": WmtsService(city, painter_of(city), TITLE, "").answer,
        "tiles": TileService(city).answer,
        "wfs": WfsService(city, Limits(), TITLE, "").answer,
        "features": FeaturesService(city, Limits(), TITLE, "").answer,
    }
    with tempfile.TemporaryDirectory(prefix="gridhub-pages-") as made, pages(Path(made)) as host:
        settings = replace(SETTINGS, origins=frozenset({host}))
        with served(lambda: MapDoor(settings, services, lambda: NOW, anyio.CapacityLimiter(2)), lifespan="off") as port:
            yield f"http://127.0.0.1:{port}/ogc", host, Path(made)


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """The folder, served on a port of its own: for a browser, another host than the hub."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def shown_pages(url: str) -> dict[str, str]:
    """The pages that the document shows, with this address and the centre's token."""
    return {one["file"]: one["body"] for one in _BLOCK.finditer(_page(url))}


def gdal_commands(url: str) -> list[list[str]]:
    """The commands that the document shows, word by word."""
    shown = re.findall(r"^\$ (.+)$", _page(url), re.MULTILINE)
    return [shlex.split(command) for command in shown]


def _page(url: str) -> str:
    told = PAGE.read_text(encoding="utf-8").replace("https://maps.example/ogc", url)
    return re.sub(r"\bTOKEN\b", TOKENS["centre"], told)


def in_openlayers(url: str, host: str, folder: Path) -> dict[str, Picture]:
    """Each page as Chromium shows it, height x width x 3. One browser opens both: a start takes a second."""
    frames = ""
    for name, body in shown_pages(url).items():
        (folder / name).write_text(body, encoding="utf-8")
        frames += f'<iframe src="{name}" style="width:{WIDE}px;height:{HIGH}px;border:0;display:block"></iframe>'
    (folder / "all.html").write_text(f'<!DOCTYPE html><body style="margin:0">{frames}', encoding="utf-8")
    for file in ("dist/ol.js", "ol.css"):
        shutil.copy(OPENLAYERS / "node_modules" / "ol" / file, folder)
    picture = chromium(f"{host}/all.html", WIDE, HIGH * 2)
    return {"city.html": picture[:HIGH], "degrees.html": picture[HIGH:]}


def in_qgis(url: str, picture: Path, points: list[tuple[int, int]]) -> Any:
    """What QGIS says of each layer, and its colours at points of a picture of SIZE; a map goes to `picture`."""
    token = TOKENS["centre"]
    basic = f"username='any' password='{token}'"
    wms = f"crs=EPSG:3857&format=image/png&username=any&password={token}&styles=&url={quote(url, safe='')}"
    colours = [["true", "超时 overdue", RED], ["false", "按时 in time", BLUE]]
    tiles = quote(f"{url}/tiles/grids_landscape/{{z}}/{{x}}/{{y}}.mvt?token={token}", safe="{}:/")
    layers = [
        {"kind": "wfs", "name": "案件 (WFS)", "by": "overdue", "colours": colours,
         "source": f"url='{url}/wfs' typename='gh:cases' version='2.0.0' srsname='EPSG:4490' {basic}"},
        {"kind": "oapif", "name": "户数 > 350 的网格 (OGC API)", "only": '"households" > 350', "colours": {"": GREEN},
         "source": f"url='{url}/features' typename='grids' {basic}"},
        {"kind": "tiles", "name": "园林绿化网格，紫线 (vector tiles)", "colours": {"": PURPLE},
         "source": f"type=xyz&url={tiles}&zmin=8&zmax=18"},
        {"kind": "wms", "name": "案件密度，橙色 (WMTS)",
         "source": f"{wms}%2Fwmts%3FSERVICE%3DWMTS%26REQUEST%3DGetCapabilities"
         "&layers=case_density&tileMatrixSet=WebMercatorQuad"},
        {"kind": "wms", "name": "单元网格 (WMS)", "source": f"{wms}%2Fwms&layers=grids"},
    ]  # fmt: skip
    told = {
        "layers": layers, "crs": "EPSG:3857", "box": BOX, "size": SIZE, "points": points, "picture": str(picture),
        "title": TITLE,
    }  # fmt: skip
    return qgis("city.py", json.dumps(told))


def on_page(page: str, at: tuple[float, float]) -> tuple[int, int]:
    """The pixel, column and row, at which a page shows a longitude and latitude: both are centred on CENTRE."""
    zoom = float(re.findall(r"zoom: ([0-9.]+)", shown_pages("")[page])[0])
    crs = named("EPSG:3857" if page == "city.html" else "CRS:84")
    step = (2 * 20037508.342789244 if page == "city.html" else 360) / 256 / 2**zoom
    [[x, y], [middle_x, middle_y]] = crs.from_native(np.array([at, CENTRE]))
    return round(WIDE / 2 + (x - middle_x) / step - 0.5), round(HIGH / 2 - (y - middle_y) / step - 0.5)


def in_window(at: tuple[float, float]) -> tuple[int, int]:
    """The pixel, column and row, of the picture that QGIS draws of BOX."""
    [[x, y]] = named("EPSG:3857").from_native(np.array([at]))
    return int((x - BOX[0]) / _SCALE), int((BOX[3] - y) / _SCALE)


def written(picture: Picture, file: Path) -> None:
    """As PNG, in at most 128 colours."""
    Image.fromarray(picture).quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


def main(folder: Path) -> None:
    """Renew the pictures."""
    with opened() as (url, host, made):
        written(in_openlayers(url, host, made)["city.html"], folder / "openlayers.png")
        in_qgis(url, made / "qgis.png", [])
        with Image.open(made / "qgis.png") as picture:
            written(np.array(picture.convert("RGB")), folder / "qgis.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
