"""Polling: ask a system for what changed, page by page, and take every item in like any other message.

Windows overlap and identities are unique, so that a late or repeated row does no harm. The cursor moves only after
all pages of its window are committed.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from adapters import Page, Pull
from canonical.errors import HubError, Unauthenticated
from canonical.message import Message
from canonical.records import Arrival, Split
from gateway.configuration import ConnectedSystem
from gateway.deliver import Session
from gateway.hub import Hub
from gateway.log import log
from storage.cursors import Cursors

FIRST_WINDOW = timedelta(days=1)
"""How far back the very first pull of a system looks."""
LEASE = timedelta(minutes=10)
MOST_PAGES = 10_000
"""A platform whose pages never end is stopped here, and the window is asked again next time."""


class Poller:
    """The pulls of one system. One poller of all processes works at a time, by lease."""

    def __init__(self, hub: Hub, connected: ConnectedSystem, session: Session) -> None:
        self.hub, self.system, self.session = hub, connected.system, session
        self.name, self.every = connected.system.role.id, connected.every
        self.cursors = Cursors(hub.store)

    async def round(self) -> float:
        """Ask for everything that is due. Returns the seconds until something is due again."""
        waits = [await self._pull(pull) for pull in self.system.pulls]
        return min(waits, default=3600.0)

    async def _pull(self, pull: Pull) -> float:
        every = timedelta(seconds=self.every or pull.declared.every)
        now = self.hub.now()
        turn = await self.cursors.claim(self.name, pull.name, every=every, now=now, lease=LEASE)
        if turn is None:
            return min(every.total_seconds(), 5.0)
        since = (turn.since or now - FIRST_WINDOW) - timedelta(seconds=pull.declared.overlap)
        try:
            items = await self._window(pull, since, now)
        except HubError as error:
            log.warning("pull.failed", system=self.name, pull=pull.name, why=str(error))
            await self.cursors.failed(self.name, pull.name, str(error), now=self.hub.now())
        else:
            log.info("pull.done", system=self.name, pull=pull.name, items=items)
            await self.cursors.moved(self.name, pull.name, now, now=self.hub.now())
        return every.total_seconds()

    async def _window(self, pull: Pull, since: datetime, until: datetime) -> int:
        """All pages of one window, each committed before the next is asked for."""
        count = 0
        for page in range(pull.declared.first_page, pull.declared.first_page + MOST_PAGES):
            answer, split = await self._page(pull, since, until, page)
            if split.items:
                await self._take_in(answer, split)
            count += len(split.items)
            if not split.more:
                return count
        log.warning("pull.endless", system=self.name, pull=pull.name, pages=MOST_PAGES)
        return count

    async def _page(self, pull: Pull, since: datetime, until: datetime, page: int) -> tuple[Message, Page]:
        try:
            return await asyncio.to_thread(self._ask, pull, since, until, page)
        except Unauthenticated:
            if not await asyncio.to_thread(self.session.renew):
                raise
            return await asyncio.to_thread(self._ask, pull, since, until, page)

    def _ask(self, pull: Pull, since: datetime, until: datetime, page: int) -> tuple[Message, Page]:
        hub = self.hub
        asked = self.system.ask(
            pull.name, since=since, until=until, page=page, now=hub.now(), id=hub.ids(), session=self.session.token
        )  # fmt: skip
        connector = self.session.connector
        answer = connector.send(connector.seal(asked))
        return answer, self.system.page(pull.name, answer, now=hub.now(), ids=hub.ids, page=page)

    async def _take_in(self, answer: Message, split: Page) -> None:
        """The page as it came, and every item of it with its own verdict."""
        page = Arrival(answer, Split(len(split.items)), pulled=True)
        items = [arrival for item in split.items for arrival in self.hub.reception.read(item, again=True)]
        await self.hub.reception.take_in([page, *(replace(item, pulled=True) for item in items)])
