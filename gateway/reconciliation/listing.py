"""Listing what a system has, page by page, by one of its declared pulls. Nothing is taken in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters import Page
from adapters.declaration import Sweep
from adapters.reconciling import Reconciling
from canonical.errors import Refused
from canonical.message import Message
from canonical.reconciliation import Theirs
from gateway.asking import Asking
from gateway.hub import Hub
from gateway.pull_window import (
    SHRANK,
    End,
    Place,
    asks_for_pages,
    following,
    nothing_there,
    offset,
    only_page,
    past_end,
    shrank,
    swept,
)

_DAY = 86_400


class Listing:
    """One pass over everything a system lists. In memory: whoever is killed lists anew."""

    def __init__(self, hub: Hub, asking: Asking, plan: Reconciling, now: datetime) -> None:
        self.hub, self.asking, self.system, self.plan = hub, asking, asking.system, plan
        self.name, self.declared = plan.declared.pull, asking.system.pull(plan.declared.pull)
        back = plan.declared.back
        self.as_of, self.since = now, now - timedelta(seconds=self.declared.behind + back)
        self._spans = list(swept(self.declared, Sweep(every=_DAY, back=back), now))
        self._place = Place(self.declared.first_page)
        self._paged = asks_for_pages(self.declared, self.system.writers[self.declared.ask][0].declared)
        self.trouble = ""
        """Why the list is not whole; empty as long as it is."""

    @property
    def over(self) -> bool:
        """True when every window was listed."""
        return not self._spans

    async def page(self) -> Sequence[Theirs]:
        """The next page as it is compared. Raises what asking raises."""
        try:
            page = await self._asked()
        except Refused:
            if not self._place.guessed:
                raise
            page = None
        if page is None or past_end(self._place, page):
            self._go_on(nothing_there(self.declared, self._place), shorter=self._place.shorter)
            return ()
        step = following(self.declared, self._place, page) if self._paged else only_page(self.declared, page)
        self._go_on(step, shorter=self._place.shorter or shrank(self._place, page))
        return [self.plan.theirs(row) for row in page.rows]

    def _go_on(self, step: Place | End, *, shorter: bool) -> None:
        """The next page or window. `shorter`: rows may have moved up past what was read, where this is the end."""
        if isinstance(step, End):
            self.trouble = self.trouble or step.trouble or (SHRANK if shorter else "")
            self._spans.pop(0)
            step = Place(self.declared.first_page)
        self._place = step

    async def _asked(self) -> Page:
        span, place = self._spans[0], self._place
        asked: dict[str, Any] = self.system.asked(
            self.name, since=span.since, until=span.until, page=place.page, cursor=place.cursor
        ) | {"offset": offset(self.declared, place)}

        def read(answer: Message) -> Page:
            return self.system.page(self.name, answer, now=self.hub.now(), ids=self.hub.ids, page=place.page)

        return await self.asking.ask(self.declared.ask, read, pull=asked)
