"""Clients that look at a map as people do: they pan, wait for every tile, click once, think, and pan again.

A view is 4 x 3 tiles of 256 px in Web Mercator, asked for by WMS over six connections, as OpenLayers' TileWMS asks in a
browser. A pan goes on by one or two tiles both ways, every fifth changes the scale: 6 to 12 tiles that the client does
not have. Then comes one GetFeatureInfo, and every fifth time a WFS page of what the view shows.
"""

import asyncio
import json
import math
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvloop

from maps.table import Box

ACROSS, DOWN, SIDE = 4, 3, 256
LEVELS = range(13, 18)
_CONNECTIONS, _EVERY_FIFTH, _FEATURES = 6, 5, 200
_THINK = (0.5, 1.5)
_WORLD = 20037508.342789244
_PNG, _OK = b"\x89PNG", b"HTTP/1.1 200"
Tile = tuple[int, int]


@dataclass(slots=True)
class Seen:
    """What one client, or all together, saw."""

    pans: int = 0
    tiles: int = 0
    features: int = 0
    failed: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds a tile."""
    views: list[float] = field(default_factory=list)
    """Seconds from a pan to its last tile."""


class Line:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer, self._token = reader, writer, token

    async def get(self, path: str, query: dict[str, Any]) -> bytes:
        """The body of an answer; empty when its status is not 200."""
        head = f"GET {path}?{urlencode(query)} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        self._writer.write(head.encode())
        said = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in said:
            body = b"".join([part async for part in self._chunks()])
        else:
            body = await self._reader.readexactly(int(said.split(b"content-length:")[1].split(b"\r\n")[0]))
        return body if said.startswith(_OK.lower()) else b""

    async def _chunks(self) -> Any:
        while size := int(await self._reader.readline(), 16):
            yield await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()


class Client:
    """One person before a map."""

    def __init__(self, port: int, token: str, box: Box, seed: int) -> None:
        self._port, self._token, self._box, self._dice = port, token, box, random.Random(seed)
        self.seen = Seen()

    async def run(self) -> None:
        """Pan until cancelled."""
        lines = [
            Line(*await asyncio.open_connection("127.0.0.1", self._port), self._token) for _ in range(_CONNECTIONS)
        ]
        level, (column, row) = self._somewhere()
        known: set[tuple[int, Tile]] = set()
        for number in range(1_000_000):
            if number % _EVERY_FIFTH == 0:
                level, (column, row) = self._somewhere()
            else:
                column, row = (
                    at + self._dice.choice((-1, 1)) * self._dice.choice((1, 2 - axis))
                    for axis, at in enumerate((column, row))
                )
            view = {(level, (column + x, row + y)) for x in range(ACROSS) for y in range(DOWN)}
            await self._drawn(lines, sorted(view - known))
            known = view
            self.seen.pans += 1
            await self._asked(lines[0], level, (column + 1, row + 1), page=number % _EVERY_FIFTH == 1)
            await asyncio.sleep(self._dice.uniform(*_THINK))

    async def _drawn(self, lines: Sequence[Line], tiles: Sequence[tuple[int, Tile]]) -> None:
        waiting, began = iter(tiles), time.perf_counter()

        async def one(line: Line) -> None:
            for level, tile in waiting:
                at = time.perf_counter()
                query = _WMS | {"REQUEST": "GetMap", "BBOX": _text(_square(level, tile)), "FORMAT": _PNG8}
                body = await line.get("/ogc/wms", query)
                self.seen.waits.append(time.perf_counter() - at)
                self.seen.tiles += 1
                self.seen.failed += not body.startswith(_PNG)

        await asyncio.gather(*(one(line) for line in lines))
        self.seen.views.append(time.perf_counter() - began)

    async def _asked(self, line: Line, level: int, tile: Tile, *, page: bool) -> None:
        box = _text(_square(level, tile))
        click = {"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "grids,cases", "I": 100, "J": 100, "BBOX": box}
        body = await line.get("/ogc/wms", _WMS | click | {"INFO_FORMAT": "application/json", "FORMAT": _PNG8})
        self.seen.failed += not body.startswith(b"{")
        if page:
            body = await line.get("/ogc/wfs", _WFS | {"BBOX": f"{box},EPSG:3857", "COUNT": _FEATURES})
            self.seen.failed += not body.startswith(b"{")
            self.seen.features += body.count(b'"type":"Feature"')

    def _somewhere(self) -> tuple[int, Tile]:
        level = self._dice.choice(LEVELS)
        west, south, east, north = self._box
        lon, lat = self._dice.uniform(west, east), self._dice.uniform(south, north)
        whole = 2**level
        column = int((lon + 180) / 360 * whole) - ACROSS // 2
        row = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * whole) - DOWN // 2
        return level, (column, row)


_PNG8 = "image/png; mode=8bit"
_WMS = {
    "SERVICE": "WMS", "VERSION": "1.3.0", "LAYERS": "grids,cases", "STYLES": ",stage", "CRS": "EPSG:3857",
    "WIDTH": SIDE, "HEIGHT": SIDE,
}  # fmt: skip
_WFS = {
    "SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": "cases", "SRSNAME": "EPSG:3857",
    "OUTPUTFORMAT": "application/json",
}  # fmt: skip


def _square(level: int, tile: Tile) -> Iterator[float]:
    """West, south, east, north in metres."""
    side = 2 * _WORLD / 2**level
    west, north = tile[0] * side - _WORLD, _WORLD - tile[1] * side
    yield from (west, north - side, west + side, north)


def _text(box: Iterator[float]) -> str:
    return ",".join(f"{value:.3f}" for value in box)


async def _panned(port: int, token: str, box: Box, clients: int) -> list[Seen]:
    """All clients, until we are told to end."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    people = [Client(port, token, box, seed) for seed in range(clients)]
    running: list[asyncio.Task[Any]] = [asyncio.create_task(one.run()) for one in people]
    print("panning", flush=True)
    ending: asyncio.Task[Any] = asyncio.create_task(over.wait())
    done, _ = await asyncio.wait([ending, *running], return_when=asyncio.FIRST_COMPLETED)
    for one in running:
        one.cancel()
    for one in done - {ending}:
        one.result()  # a client that fell over is an error of the measurement
    return [one.seen for one in people]


def main() -> None:
    """Body of the clients' process: pan until SIGTERM, then print what was seen as JSON."""
    port, token, box, clients = sys.argv[1:]
    began = time.perf_counter()
    seen = uvloop.run(_panned(int(port), token, tuple(json.loads(box)), int(clients)))
    seconds = time.perf_counter() - began
    told = {
        "seconds": seconds, "cpu": time.process_time(), "pans": sum(one.pans for one in seen),
        "tiles": sum(one.tiles for one in seen), "features": sum(one.features for one in seen),
        "failed": sum(one.failed for one in seen), "waits": [wait for one in seen for wait in one.waits],
        "views": [view for one in seen for view in one.views],
    }  # fmt: skip
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
