"""The follower: takes into the index what happened to cases since it last looked. One process at a time does it."""

import asyncio

from canonical.errors import Misconfigured
from gateway.hub import Hub
from gateway.log import log
from gateway.search.key import mark, telephone_key
from gateway.search.terms import terms
from storage.search_index import OtherKey, SearchIndex

IDLE = 1.0
"""Seconds between two looks when there is nothing to do."""
_WRONG = 60.0
_SHARE = 1.0
"""Seconds of rest for each second of work, so that whoever files a case does not wait for whoever looks for one."""


class Follower:
    """The following of one worker process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._key = b""

    async def round(self) -> float:
        """One batch; seconds until the next. Raises DatabaseAway."""
        if not self._key:
            try:
                self._key = await asyncio.to_thread(telephone_key, self._hub.settings)
            except Misconfigured as error:
                log.error("search.no_key", why=str(error))
                return _WRONG
        began = asyncio.get_running_loop().time()
        try:
            taken = await SearchIndex(self._hub.store, mark(self._key)).follow(lambda entry: terms(entry, self._key))
        except OtherKey:
            log.error("search.other_key", why="the index was made with another secret: `gridhub search rebuild`")
            return _WRONG
        if taken is None or not taken.more:
            return IDLE
        if taken.begun:
            log.warning("search.begun_anew", why="the database counts its transactions anew: it was restored")
        return _SHARE * (asyncio.get_running_loop().time() - began)
