"""Whether people have stopped the fetching from a system: one look every other second for all pulls and receivers."""

import time
from collections.abc import Callable

from canonical.errors import Unavailable
from canonical.records import What
from storage.store import Store
from storage.switches import Switches

LOOK = 2.0
"""Seconds between two looks, and until something that is off is looked at again."""


class Fetching:
    """The switches `fetching` of one database, as one process knows them."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._switches, self._monotonic = Switches(store), monotonic
        self._off: frozenset[str] = frozenset()
        self._until = 0.0

    async def off(self, system: str) -> bool:
        """True when nothing may be asked for or taken from it. While the database is away, what it said last counts."""
        if self._monotonic() >= self._until:
            self._until = self._monotonic() + LOOK  # before the look: who comes meanwhile need not look as well
            try:
                found = await self._switches.all()
            except Unavailable:
                return system in self._off
            self._off = frozenset(one.system for one in found if one.off and one.what == What.FETCHING)
        return system in self._off
