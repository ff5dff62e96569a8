"""Fetching a base map ahead: politely, again from where it stopped, and no further than the file may grow."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from canonical.errors import ContractViolation
from connectors.ogc.asking import Asker, Failed, Trouble
from connectors.ogc.capabilities import Box, Kind
from connectors.ogc.pyramid import Tile
from connectors.ogc.reading import read
from connectors.ogc.service import Tiles, tiles_of
from gateway.upstream.file import Registered
from gateway.upstream.keeping import cache_of
from gateway.upstream.tile_file import TileFile

_BATCH = 64
"""Tiles that are written together, and that a kill may lose."""
_TRIES = 3
_MOST_IN_A_ROW = 20
"""Failures one after the other after which it is given up: the service is not there."""
_PAUSES = (0.5, 2.0)
_HOPELESS = frozenset({Trouble.TOKEN, Trouble.CERTIFICATE, Trouble.REDIRECT})
"""The next tile would fare no better."""
_NO_SUCH = frozenset({404, 410, 204})


class Ending(StrEnum):
    """How a fetch ended."""

    DONE = "done"
    FULL = "full"
    """The file is as large as it may be."""
    TROUBLE = "trouble"
    """The service does not give tiles any more."""


@dataclass
class Progress:
    """How far it is."""

    wanted: int
    had: int = 0
    """There already, and new enough."""
    fetched: int = 0
    absent: int = 0
    """Tiles that the service says it has not."""
    failed: int = 0
    bytes: int = 0
    ending: Ending = Ending.DONE
    why: str = ""
    in_a_row: int = field(default=0, repr=False)

    @property
    def over(self) -> int:
        """Tiles that need not be looked at any more."""
        return self.had + self.fetched + self.absent + self.failed


async def tiles_now(registered: Registered, asker: Asker) -> Tiles:
    """How its tiles are asked for, by what it says now. Raises Failed and Misconfigured."""
    service = registered.service
    if service.kind is not Kind.WMTS or "{z}" in service.template:
        return tiles_of(service, None)
    try:
        return tiles_of(service, read(await asker.document(service.capabilities())))
    except ContractViolation as error:
        raise Failed(Trouble.UNREADABLE, asker.hidden(str(error))) from None


class Fetch:
    """One run over the tiles of some levels that a box touches. Raises Failed when it cannot even begin."""

    def __init__(
        self, registered: Registered, file: TileFile, *, zooms: range, box: Box, now: Callable[[], datetime],
        told: Callable[[Progress], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.registered, self.file, self.zooms, self.box, self.now, self.told = registered, file, zooms, box, now, told
        self.cache, self.pyramid = cache_of(registered)
        self.progress = Progress(self.pyramid.count(zooms, box))
        self._batch: list[tuple[Tile, bytes]] = []
        self._next = 0.0

    async def run(self) -> Progress:
        """Fetch what is not there or too old, the coarse levels first."""
        asker = Asker(self.registered.service, ca=self.registered.ca, connections=self.cache.concurrency)
        if self.file.size >= self.cache.most:
            self.progress.ending = Ending.FULL
        try:
            tiles = await tiles_now(self.registered, asker)
            waiting = self._waiting()
            workers = (self._work(asker, tiles, waiting) for _ in range(self.cache.concurrency))
            await asyncio.gather(*workers)
        finally:
            self._write()
            await asker.close()
        return self.progress

    def _waiting(self) -> Iterator[Tile]:
        since = self.now() - self.cache.age
        for zoom in self.zooms:
            columns, rows = self.pyramid.columns_and_rows(zoom, self.box)
            for column in columns:
                there = self.file.fresh(zoom, column, since)
                for row in rows:
                    if row in there:
                        self.progress.had += 1
                    else:
                        yield zoom, column, row

    async def _work(self, asker: Asker, tiles: Tiles, waiting: Iterator[Tile]) -> None:
        for tile in waiting:
            if self._ended():
                return
            address = tiles.address(tile)
            if address is None:
                self.progress.absent += 1
                continue
            await self._one(asker, tile, address)
            self.told(self.progress)

    async def _one(self, asker: Asker, tile: Tile, address: str) -> None:
        for attempt in range(_TRIES):
            await self._turn()
            try:
                given = await asker.picture(address)
            except Failed as error:
                if error.status in _NO_SUCH:
                    self.progress.absent += 1
                    return
                last = attempt == _TRIES - 1 or error.trouble in _HOPELESS or error.trouble is Trouble.EXCEPTION
                if last:
                    self._failed(error)
                    return
                await asyncio.sleep(_PAUSES[attempt])
                continue
            self._keep(tile, given.body)
            return

    def _keep(self, tile: Tile, body: bytes) -> None:
        progress = self.progress
        progress.fetched, progress.bytes, progress.in_a_row = progress.fetched + 1, progress.bytes + len(body), 0
        self._batch.append((tile, body))
        if len(self._batch) >= _BATCH:
            self._write()
        if self.file.size + sum(len(one) for _, one in self._batch) >= self.cache.most:
            progress.ending = Ending.FULL

    def _failed(self, error: Failed) -> None:
        progress = self.progress
        progress.failed, progress.in_a_row, progress.why = progress.failed + 1, progress.in_a_row + 1, str(error)
        if error.trouble in _HOPELESS or progress.in_a_row >= _MOST_IN_A_ROW:
            progress.ending = Ending.TROUBLE

    def _ended(self) -> bool:
        return self.progress.ending is not Ending.DONE

    def _write(self) -> None:
        if self._batch:
            self.file.put(self._batch, now=self.now())
            self._batch = []

    async def _turn(self) -> None:
        """Wait until the rate allows another one."""
        now = time.monotonic()
        slot = max(self._next, now)
        self._next = slot + 1 / self.cache.rate
        await asyncio.sleep(slot - now)
