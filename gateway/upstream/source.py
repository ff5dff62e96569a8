"""One base map as the map door serves it: from what is kept; else asked of the service, within limits, and kept."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from canonical.errors import Misconfigured, Unavailable
from connectors import background
from connectors.ogc.asking import Asker, Failed, Given, Trouble, picture_type
from connectors.ogc.pyramid import Tile
from connectors.ogc.service import Tiles
from gateway.log import log
from gateway.upstream.fetch import tiles_now
from gateway.upstream.file import Registered
from gateway.upstream.keeping import cache_of, opened
from gateway.upstream.tile_file import Kept, TileFile

TIMEOUT = 10.0
"""Seconds that a client waits for a tile of the service at most."""
_QUEUE = 200
"""Tiles that may wait for the service; more are turned away."""
_AWAY = 30.0
"""Seconds for which a service that is not there is not asked again."""
_LOOK_AGAIN = 30.0
"""Seconds between two tries to open the file."""
_LEVELS = 3600.0
"""Seconds for which its levels are taken as read."""
_GONE = frozenset({404, 410, 204})
_WHOLE = frozenset({Trouble.UNREACHABLE, Trouble.TOO_SLOW, Trouble.TOKEN, Trouble.CERTIFICATE, Trouble.REDIRECT})
"""Troubles of the whole service, not of one tile."""


class Missing(StrEnum):
    """Why there is no tile."""

    OUTSIDE = "outside"
    """Outside the box, or a level that is not served."""
    ABSENT = "absent"
    """Not kept, or the service has none."""
    AWAY = "away"
    """Not kept, and the service does not give it now."""
    BUSY = "busy"
    """Not kept, and too many wait already."""


class NoTile(Exception):
    """There is no tile to be had; the text is for the client."""

    def __init__(self, missing: Missing, text: str) -> None:
        super().__init__(text)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Served:
    """A tile for a client."""

    body: bytes
    content_type: str
    stale: bool = False
    """Older than it should be, because the service does not give a newer one."""


class Source:
    """One base map. Safe to share between threads; what is asked of the service is asked on one loop."""

    def __init__(self, registered: Registered, folder: Path, now: Callable[[], datetime]) -> None:
        self.registered, self._folder, self.now = registered, folder, now
        self.cache, self.pyramid = cache_of(registered)
        self._file: TileFile | None = None
        self._opening = threading.Lock()
        self._look_again = 0.0
        self._told = False
        self._asker: Asker | None = None
        self._tiles: tuple[float, Tiles] | None = None
        self._under_way: dict[Tile, asyncio.Task[Given]] = {}
        self._places = asyncio.Semaphore(self.cache.concurrency)
        self._next = 0.0
        self._away_until = 0.0
        self._away_why = ""
        self._keeping()

    def tile(self, tile: Tile) -> Served:
        """A tile. Raises NoTile."""
        if not self.serves(tile):
            raise NoTile(Missing.OUTSIDE, "outside the box or levels of this base map")
        kept = self._kept(tile)
        if kept is not None and self.now() - kept.fetched_at < self.cache.age:
            return _served(kept)
        if not self.cache.pass_through:
            if kept is None:
                raise NoTile(Missing.ABSENT, "this tile was not fetched")
            return _served(kept)
        try:
            given = background.run(self._through(tile))
        except NoTile:
            if kept is None:
                raise
            return _served(kept, stale=True)
        return Served(given.body, given.content_type)

    def serves(self, tile: Tile) -> bool:
        """True for tiles of its levels that touch its box."""
        zoom, column, row = tile
        if zoom not in self.cache.zooms or not self.pyramid.has(tile):
            return False
        columns, rows = self.pyramid.columns_and_rows(zoom, self.cache.box)
        return column in columns and row in rows

    def close(self) -> None:
        """Give back file and connections."""
        if self._asker is not None:
            background.run(self._asker.close())
        if self._file is not None:
            self._file.close()

    def _keeping(self) -> TileFile | None:
        """The file; None where it cannot be opened: tiles are passed on all the same, and nothing is kept.

        It is looked for again now and then: where we may only read, somebody else makes it.
        """
        with self._opening:
            if self._file is None and time.monotonic() >= self._look_again:
                self._look_again = time.monotonic() + _LOOK_AGAIN
                try:
                    self._file = opened(self.registered, self._folder)
                except (Misconfigured, Unavailable) as error:
                    self._tell("upstream.not_kept", str(error))
        return self._file

    def _kept(self, tile: Tile) -> Kept | None:
        try:
            file = self._keeping()
            return file.get(tile) if file else None
        except Unavailable as error:
            self._tell("upstream.not_kept", str(error))
            return None

    def _tell(self, event: str, why: str) -> None:
        if not self._told:
            self._told = True
            log.warning(event, upstream=self.registered.name, why=why)

    # --- on the loop ---

    async def _through(self, tile: Tile) -> Given:
        """The service's tile; who asks for the same meanwhile gets the same answer. Raises NoTile."""
        if time.monotonic() < self._away_until:
            raise NoTile(Missing.AWAY, f"the service is away: {self._away_why}")
        task = self._under_way.get(tile)
        if task is None:
            if len(self._under_way) >= _QUEUE:
                raise NoTile(Missing.BUSY, "too many tiles are waited for: ask again in a moment")
            task = self._under_way[tile] = asyncio.create_task(self._asked(tile))
            task.add_done_callback(lambda ended: self._ended(tile, ended))
        try:
            async with asyncio.timeout(TIMEOUT):
                return await asyncio.shield(task)
        except TimeoutError:
            raise NoTile(Missing.AWAY, f"the service gave no tile within {TIMEOUT:g} s") from None

    def _ended(self, tile: Tile, ended: asyncio.Task[Given]) -> None:
        self._under_way.pop(tile, None)
        if not ended.cancelled():
            ended.exception()  # taken note of, though nobody may wait for it any more

    async def _asked(self, tile: Tile) -> Given:
        async with self._places:
            await self._turn()
            if time.monotonic() < self._away_until:
                raise NoTile(Missing.AWAY, f"the service is away: {self._away_why}")
            try:
                asker = self._asking()
                address = (await self._levels(asker)).address(tile)
                if address is None:
                    raise NoTile(Missing.ABSENT, "the service has no such level")
                given = await asker.picture(address)
            except Misconfigured as error:
                raise NoTile(Missing.AWAY, str(error)) from None
            except Failed as error:
                raise self._failed(error) from None
        self._keep(tile, given)
        return given

    def _asking(self) -> Asker:
        if self._asker is None:
            one = self.registered
            self._asker = Asker(one.service, ca=one.ca, timeout=TIMEOUT, connections=self.cache.concurrency)
        return self._asker

    async def _levels(self, asker: Asker) -> Tiles:
        if self._tiles is None or time.monotonic() > self._tiles[0]:
            self._tiles = time.monotonic() + _LEVELS, await tiles_now(self.registered, asker)
        return self._tiles[1]

    async def _turn(self) -> None:
        now = time.monotonic()
        slot = max(self._next, now)
        self._next = slot + 1 / self.cache.rate
        await asyncio.sleep(slot - now)

    def _failed(self, error: Failed) -> NoTile:
        if error.status in _GONE:
            return NoTile(Missing.ABSENT, "the service has no such tile")
        if error.trouble in _WHOLE:
            self._away_until, self._away_why = time.monotonic() + _AWAY, str(error.trouble)
            log.warning("upstream.away", upstream=self.registered.name, state=str(error.trouble), why=str(error))
        return NoTile(Missing.AWAY, f"the service gives no tile: {error.trouble}")

    def _keep(self, tile: Tile, given: Given) -> None:
        file = self._file
        try:
            if file is not None and file.writable and file.size < self.cache.most:
                file.put([(tile, given.body)], now=self.now())
        except Unavailable as error:
            self._tell("upstream.not_kept", str(error))


def _served(kept: Kept, *, stale: bool = False) -> Served:
    return Served(kept.body, picture_type(kept.body) or "application/octet-stream", stale)
