"""The map process: database, feed, atlas and services put together, and served."""

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import anyio
import orjson
import uvicorn

from adapters import Reply
from canonical.errors import Misconfigured
from canonical.findings import Severity
from canonical.time import in_shanghai
from gateway import metrics
from gateway.configuration import Configuration, file_of_maps, read
from gateway.hub import clock
from gateway.log import log, set_up
from gateway.maps import counts
from gateway.maps.atlas import GRIDS, atlas_of, city_sets, names_of
from gateway.maps.door import PREFIX, MapDoor, Service
from gateway.maps.feed import STALE, Feed
from gateway.maps.people import MapPeople
from gateway.serve import BACKLOG, KEEP_ALIVE, LAST_WORDS, steady
from gateway.settings import LOG, Settings, settings
from gateway.upstream.base_map import BaseMapService
from gateway.upstream.keeping import folder_of
from gateway.wire import Receive, Scope, Send, answer, plain
from gateway.worker_page import QuietServer
from maps.atlas import Atlas
from maps.cases import case_table
from maps.drawing.painter import painter_of
from maps.features.service import FeaturesService
from maps.tiles.vector import TileService
from maps.tiles.wmts import WmtsService
from maps.wfs.service import WfsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from storage.driver import DatabaseAway
from storage.map_marks import MapMarks
from storage.store import Store

AT_ONCE = max(2, os.cpu_count() or 2)
"""Requests that one process answers at once; drawing takes a processor each."""
_POOL = 2
_DAY_LOOK = 30.0
"""Seconds between two looks at the calendar."""


class MapApp:
    """One map process as an ASGI application: the door, its health, and the feed as long as it lives."""

    def __init__(
        self, configuration: Configuration, store: Store, now: Callable[[], datetime] = clock, *,
        tiles: Path = Path("base-maps"),
    ) -> None:  # fmt: skip
        """`tiles`: the folder of base maps that are kept."""
        self._configuration, self._store, self._now, told = configuration, store, now, configuration.maps
        self._day = in_shanghai(now()).date()
        self._sets, names = city_sets(configuration, self._day), names_of(configuration)
        self.feed = Feed(
            MapMarks(store, texts=told.texts),
            lambda marks, revision: case_table(marks, self._sets[GRIDS], names, revision), most=told.past, now=now,
        )  # fmt: skip
        self.atlas = atlas_of(configuration, self._sets, lambda: self.feed.live, self.feed.past)
        self._base_maps = BaseMapService(configuration.upstream, tiles, now)
        served = {**services(self.atlas, configuration), "base": self._base_maps.answer}
        people = MapPeople(store, configuration.people, now)
        self._door = MapDoor(told, served, now, anyio.CapacityLimiter(AT_ONCE), people.scope_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._door(scope, receive, send)
        elif scope["type"] == "http":
            await self._page(scope["path"], send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The feed as long as this lasts; the first look is over before it begins. Raises DatabaseAway."""
        await self.feed.read_all()
        tasks = [asyncio.create_task(self.feed.run()), asyncio.create_task(self._follow_the_days())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self._base_maps.close)
            await self._store.close()

    async def _follow_the_days(self) -> None:
        """At midnight other editions of the grids may begin to hold."""
        while True:
            await asyncio.sleep(_DAY_LOOK)
            if (today := in_shanghai(self._now()).date()) == self._day:
                continue
            try:
                await self.turn_to(today)
            except DatabaseAway as error:  # the next look tries again
                log.error("maps.database_away", why=str(error))

    async def turn_to(self, day: date) -> None:
        """Show the grids of this day, and the cases in them. Raises DatabaseAway."""
        made = await asyncio.to_thread(city_sets, self._configuration, day)
        self._sets |= made
        for name in self._sets.keys() - made.keys():
            del self._sets[name]
        await self.feed.read_all()
        self._day = day

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.running():
                steady()
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except DatabaseAway as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _page(self, path: str, send: Send) -> None:
        """What stands beside the maps: for whoever restarts, balances and watches."""
        match path:
            case "/health":
                await self._health(send)
            case "/health/live":
                await answer(send, Reply(200, "application/json", b'{"status":"ok"}', {}))
            case "/metrics":
                page = await asyncio.to_thread(metrics.page, counted=counts.REGISTRY)
                await answer(send, Reply(200, metrics.CONTENT_TYPE_LATEST, page, {}))
            case _:
                await plain(send, 404, "not_found", f"maps stand below {PREFIX}")

    async def _health(self, send: Send) -> None:
        """Whether it may be asked for maps: a database that is away for a moment is no reason not to."""
        if (age := self.feed.age) > STALE:
            old = f"cases are as they were {age:.0f} s ago" if math.isfinite(age) else "no case was read yet"
            text = f"{old}: the database does not answer"
            await plain(send, 503, "stale", text, {"retry-after": "5"})
            return
        told = {
            "status": "ok", "open_cases": len(self.feed.live.marks), "layers": len(self.atlas.sets) + 2,
            "age": round(age, 1),
        }  # fmt: skip
        await answer(send, Reply(200, "application/json", orjson.dumps(told), {}))


def services(atlas: Atlas, configuration: Configuration) -> Mapping[str, Service]:
    """The services by the first word of their path."""
    told, city = configuration.maps, configuration.city.name
    title = told.title or f"{city} 网格与案件"
    face = Face(title, told.abstract or "Grids and live cases 网格与在办案件", told.contact)
    painter = painter_of(atlas)
    return {
        "wms": WmsService(atlas, painter, told.limits, face).answer,
        "wmts": WmtsService(atlas, painter, face.title, face.abstract, face.contact).answer,
        "tiles": TileService(atlas).answer,
        "wfs": WfsService(atlas, told.limits, face.title, face.abstract, face.contact).answer,
        "features": FeaturesService(atlas, told.limits, face.title, face.abstract, face.contact).answer,
    }


def configured(told: Settings) -> Configuration:
    """The city's configuration. Addresses and secrets of its systems need not be known here, the map's own must.

    Raises Misconfigured with every error found, one a line.
    """
    configuration, findings = read(told.config, told.environment, unset=Severity.WARNING)
    maps = file_of_maps(told.config)
    wrong = [str(one) for one in findings if one.severity is Severity.ERROR or one.file == maps]
    if wrong or configuration is None:
        raise Misconfigured("\n".join(wrong))
    return configuration


def from_environment() -> MapApp:
    """The application of one process."""
    set_up(json=os.environ.get(LOG) == "json")
    told = settings()
    return MapApp(configured(told), Store(told.database_url, pool=_POOL), tiles=folder_of(told))


async def serve(app: MapApp, host: str, port: int) -> None:
    """One process, until told to stop."""
    server = QuietServer(uvicorn.Config(app, host=host, port=port, lifespan="on", **_OPTIONS))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    log.info("maps.serving", address=f"http://{host}:{port}{PREFIX}")
    await server.serve()


def serve_in_processes(host: str, port: int, processes: int) -> None:
    """Several processes behind one port."""
    uvicorn.run("gateway.maps.app:from_environment", factory=True, host=host, port=port, workers=processes, **_OPTIONS)


_OPTIONS: dict[str, Any] = {
    "log_config": None, "access_log": False, "backlog": BACKLOG, "timeout_keep_alive": KEEP_ALIVE,
    "server_header": False, "date_header": False, "proxy_headers": False, "timeout_graceful_shutdown": LAST_WORDS,
}  # fmt: skip
