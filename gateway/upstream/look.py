"""One look at an upstream service: capabilities and one small answer; what is wrong, in one word and one line.

Nothing here changes how a service is asked: what should be changed is a hint for people.
"""

import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from canonical.errors import ContractViolation, Misconfigured
from connectors.ogc.asking import Asker, Failed, Trouble
from connectors.ogc.axes import Box
from connectors.ogc.capabilities import Capabilities, Kind
from connectors.ogc.picture import Shows, shows
from connectors.ogc.reading import read
from connectors.ogc.service import tiles_of
from gateway.upstream.file import Registered

SIDE = 128
"""Pixels of the picture that is asked for."""
_LEVEL = 10
"""The level of the sample tile, or the one nearest to it."""
_CHINA: Box = (73.0, 18.0, 135.0, 53.6)
_NARROW = 0.02
"""Degrees: a box that is a point or a line is made so wide."""
T = TypeVar("T")


class State(StrEnum):
    """How a service stands; beside these, the words of `Trouble`."""

    UP = "up"
    SLOW = "slow"
    MISSING = "missing"
    """It answers, but a layer or matrix set that is used is no longer there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found."""

    state: str
    why: str = ""
    seconds: float | None = None
    hint: str = ""
    missing: tuple[str, ...] = ()
    capabilities: Capabilities | None = None


class Looker:
    """Looks at one service. Never raises for what the other side does."""

    def __init__(self, registered: Registered, asker: Asker) -> None:
        self.registered, self.service, self.asker = registered, registered.service, asker
        self.slowest = 0.0

    async def look(self) -> Seen:
        """Ask for capabilities and one small answer."""
        try:
            found = read(await self._timed(self.asker.document(self.service.capabilities())))
        except Failed as error:
            return Seen(error.trouble, str(error))
        except ContractViolation as error:
            return Seen(Trouble.UNREADABLE, self.asker.hidden(str(error)))
        if found.kind is not self.service.kind:
            return Seen(Trouble.UNREADABLE, f"capabilities of a {found.kind.upper()}", capabilities=found)
        missing = tuple(name for name in self.service.layers if found.layer(name) is None)
        if missing:
            why = f"no longer there: {', '.join(missing)}"
            return Seen(State.MISSING, why, self.slowest, missing=missing, capabilities=found)
        try:
            hint = await self._sample(found)
        except Failed as error:
            return Seen(error.trouble, str(error), self.slowest or None, capabilities=found)
        except Misconfigured as error:
            return Seen(State.MISSING, str(error), self.slowest, capabilities=found)
        if self.slowest > self.registered.slow:
            why = f"answered after {self.slowest:.1f} s, more than {self.registered.slow:g} s"
            return Seen(State.SLOW, why, self.slowest, hint, capabilities=found)
        return Seen(State.UP, "", self.slowest, hint, capabilities=found)

    async def _sample(self, found: Capabilities) -> str:
        """One small answer; the hint, if it gives one. Raises Failed and Misconfigured."""
        if self.service.kind is Kind.WFS:
            await self._timed(self.asker.document(self.service.hits()))
            return ""
        box = self._where(found)
        if self.service.kind is Kind.WMTS:
            await self._tile(found, box)
            return ""
        address = self.service.map_of(box, (SIDE, SIDE))
        if address is None:
            raise Misconfigured(f"{self.service.crs} cannot show {box}")
        if not self.service.ambiguous:
            await self._timed(self.asker.picture(address))
            return ""
        return await self._axes(box, address)

    async def _tile(self, found: Capabilities, box: Box) -> None:
        tiles = tiles_of(self.service, found)
        zoom = min(tiles.matrices, key=lambda level: abs(level - _LEVEL))
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        columns, rows = tiles.pyramid.columns_and_rows(zoom, (*middle, *middle))
        address = tiles.address((zoom, columns[0], rows[0]))
        if address is not None:
            await self._timed(self.asker.picture(address))

    async def _axes(self, box: Box, address: str) -> str:
        """The same box in both orders of axes: the order that the server means shows more.

        Where both show as much, nothing is said. Raises Failed when neither is answered with a picture.
        """
        failed: Failed | None = None
        shown = turned = Shows.NOTHING
        try:
            shown = shows((await self._timed(self.asker.picture(address))).body)
        except Failed as error:
            if error.trouble is not Trouble.EXCEPTION:  # an order it does not mean may be an exception to it
                raise
            failed = error
        other = self.service.map_of(box, (SIDE, SIDE), swapped=True)
        with suppress(Failed):
            turned = shows((await self._timed(self.asker.picture(other))).body) if other else turned
        if turned > shown:
            right = "false" if self.service.swap_axes else "true"
            return f"it shows the known place only with the axes the other way round: swap_axes: {right}"
        if failed is not None:
            raise failed
        return ""

    def _where(self, found: Capabilities) -> Box:
        """Where something is to be seen: the box that is kept, within the layer's, else the layer's."""
        kept = self.registered.cache.box if self.registered.cache else None
        layer = found.layer(self.service.layers[0])
        own = layer.box if layer and layer.box else _CHINA
        if kept is None:
            return _wide(own)
        within = max(own[0], kept[0]), max(own[1], kept[1]), min(own[2], kept[2]), min(own[3], kept[3])
        return _wide(within if within[0] < within[2] and within[1] < within[3] else kept)

    async def _timed(self, answer: Awaitable[T]) -> T:
        began = time.monotonic()
        given = await answer
        self.slowest = max(self.slowest, time.monotonic() - began)
        return given


def _wide(box: Box) -> Box:
    west, south, east, north = box
    across, up = max(0.0, _NARROW - (east - west)) / 2, max(0.0, _NARROW - (north - south)) / 2
    return west - across, south - up, east + across, north + up
