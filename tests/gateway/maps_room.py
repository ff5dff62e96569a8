"""A map process on a real socket, over the database of a hub beside it."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import httpx
import uvicorn

from canonical.rights import Scope
from gateway.configuration import Configuration
from gateway.hub import clock
from gateway.maps.app import MapApp
from gateway.maps.file import CENTRE, PUBLIC, MapSettings
from storage.store import Store
from tests.gateway.running import Loop, until

TOKENS = {CENTRE: "centre-map", "jinghu": "jinghu-map"}
SCOPES = {
    CENTRE: Scope(CENTRE, texts=True),
    PUBLIC: Scope(PUBLIC, public=True),
    "jinghu": Scope("jinghu", areas=("340202",)),
}
SETTINGS = MapSettings(scopes=SCOPES, tokens=TOKENS)


class Maps:
    """One running map process."""

    def __init__(self, app: MapApp, port: int) -> None:
        self.app, self.url = app, f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What it gives, run on the loop of the process."""
        loop = self.app.feed.loop
        assert loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    def get(
        self, path: str, token: str = TOKENS[CENTRE], headers: Mapping[str, str] = {}, **query: str
    ) -> httpx.Response:
        """The answer to somebody with this token."""
        shown = {"authorization": f"Bearer {token}"} if token else {}
        return self.client.get(path, params=query, headers=shown | dict(headers))


@contextmanager
def maps(
    configuration: Configuration, database_url: str, settings: MapSettings = SETTINGS,
    now: Callable[[], datetime] = clock,
) -> Iterator[Maps]:  # fmt: skip
    """A map process for as long as this lasts."""
    made: list[MapApp] = []

    def app() -> MapApp:
        made.append(MapApp(replace(configuration, maps=settings), Store(database_url, pool=2), now))
        return made[0]

    with served(app) as port:
        room = Maps(made[0], port)
        try:
            yield room
        finally:
            room.client.close()


@contextmanager
def served(make: Callable[[], Any], *, lifespan: Literal["on", "off"] = "on") -> Iterator[int]:
    """The port of an application that is made and served on a loop of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready: list[uvicorn.Server] = []

    async def main(loop: Loop) -> None:
        assert loop.stop is not None
        ready.append(uvicorn.Server(uvicorn.Config(make(), log_config=None, lifespan=lifespan)))
        serving = asyncio.create_task(ready[0].serve(sockets=[listener]))
        await asyncio.wait([serving, asyncio.create_task(loop.stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        ready[0].should_exit = True
        await serving

    loop = Loop(main, "maps")
    try:
        until(lambda: bool(ready) and ready[0].started, what="opening the map door")
        yield int(listener.getsockname()[1])
    finally:
        loop.join()
        listener.close()
