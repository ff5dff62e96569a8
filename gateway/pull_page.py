"""One page of a pull: its details, what is news in it, one commit, and only then the word that we have it.

Whatever fails before the commit comes again, and whatever came twice is known by its id.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from adapters import Page, Pull
from canonical.errors import HubError, InDoubt, Unacceptable, Unavailable, Why
from canonical.message import ACCEPTED, Message, Verdict
from canonical.reading import Outcome
from canonical.records import Arrival, Split
from gateway.asking import Asking
from gateway.hub import Hub
from gateway.pull_window import digest_of
from gateway.reception import named
from storage.memories import Memories

PATIENCE = 3
"""Failures in a row after which the other side is left alone until the next turn."""
_SAID = frozenset({Verdict.APPLIED, Verdict.NOTED})
"""What a list shows until it changes is said once. In a queue every item is a word of its own."""
_PASSING = frozenset({Why.UNKNOWN_CASE, Why.NOT_ALLOWED})
"""Refusals that the case's next step may make good: what is asked for again anyway is tried again."""


@dataclass(slots=True)
class Misses:
    """What could not be had, though the rest could."""

    trouble: str = ""
    """The first of them, for people."""
    number: int = 0
    _in_a_row: int = 0

    def add(self, error: HubError) -> None:
        """One more. Raises the error itself when the other side is not there or wants to be left alone."""
        self.trouble, self.number = self.trouble or str(error), self.number + 1
        self._in_a_row += isinstance(error, Unavailable | InDoubt)
        if self._in_a_row >= PATIENCE or getattr(error, "retry_after", None):
            raise error

    def good(self) -> None:
        """One that could be had."""
        self._in_a_row = 0


@dataclass(slots=True)
class _Part:
    """One item of a page."""

    row: Any
    messages: Sequence[Message]
    arrivals: list[Arrival] = field(default_factory=list)
    wholes: list[Arrival] = field(default_factory=list)
    """The answer about it alone, where it was asked for."""
    key: str = ""
    digest: str = ""


class PageIntake:
    """Takes in the pages of one pull."""

    def __init__(self, hub: Hub, pull: Pull, asking: Asking) -> None:
        self.hub, self.asking, self.system = hub, asking, asking.system
        self.name, self.declared = pull.name, pull.declared
        self.memories = Memories(hub.store)

    async def take_in(
        self, answer: Message, page: Page, asked: Mapping[str, Any], misses: Misses, done: set[str]
    ) -> int:  # fmt: skip
        """Everything of a page that can be had is committed, remembered and acknowledged. How many messages were news.

        `asked`: what the page was asked with. `misses`: gets the items that failed. `done`: digests of the rows whose
        details were had already, when this page is asked for again; gets those of this time. Raises the error after
        which the other side is to be left alone; what could be had by then is committed.
        """
        whole = [_Part(row, [item]) for row, item in zip(page.rows, page.items, strict=True)]
        parts = [part for part in whole if not self.declared.detail or digest_of([part.row]) not in done]
        known = [part for part in whole if self.declared.detail and digest_of([part.row]) in done]
        if self.declared.changed:
            self._read(parts)
            parts = await self._news(parts, known)
        last: HubError | None = None
        if self.declared.detail:
            parts, last = await self._detailed(parts, asked, misses)
        if not self.declared.changed:
            self._read(parts)
            parts = await self._news(parts, known)
        await self._commit(answer, parts)
        done.update(digest_of([part.row]) for part in parts)
        await self._acknowledge([*known, *parts], asked, misses)
        if last is not None:
            raise last
        return sum(len(part.arrivals) for part in parts)

    def _read(self, parts: Sequence[_Part]) -> None:
        """What the items say, and by what they are known again."""
        for part in parts:
            part.arrivals = [one for item in part.messages for one in self.hub.reception.read(item, again=True)]
            part.digest = hashlib.sha256(b"\n".join(item.body for item in part.messages)).hexdigest()
            part.key = next(filter(None, map(named, part.arrivals)), part.digest)

    async def _news(self, parts: Sequence[_Part], known: list[_Part]) -> list[_Part]:
        """Those that are news; the others, word for word known, go to `known`."""
        told = _digests(parts)
        new = await self.memories.news(self.system.role.id, self.name, told, now=self.hub.now()) if told else ()
        known += (part for part in parts if part.key not in new)
        return [part for part in parts if part.key in new]

    async def _detailed(
        self, parts: Sequence[_Part], asked: Mapping[str, Any], misses: Misses
    ) -> tuple[list[_Part], HubError | None]:
        """The items with what the other side says about each; those that failed are left out."""
        had: list[_Part] = []
        for part in parts:
            try:
                answer, messages = await self._detail(part.row, asked)
            except HubError as error:
                try:
                    misses.add(error)
                except HubError:
                    return had, error
                continue
            misses.good()
            whole = Arrival(answer, Split(len(messages)), pulled=True)
            detailed = replace(part, messages=messages, wholes=[whole] if messages else [])
            if self.declared.changed:  # it is known by its row in the list
                detailed.arrivals = [one for item in messages for one in self.hub.reception.read(item, again=True)]
            had.append(detailed)
        return had, None

    async def _detail(self, row: object, asked: Mapping[str, Any]) -> tuple[Message, tuple[Message, ...]]:
        hub, detail = self.hub, self.declared.detail
        assert detail is not None

        def read(answer: Message) -> tuple[Message, tuple[Message, ...]]:
            return answer, self.system.details(self.name, answer, now=hub.now(), ids=hub.ids)

        return await self.asking.ask(detail.ask, read, pull={**asked, "item": row})

    async def _commit(self, answer: Message, parts: Sequence[_Part]) -> None:
        arrivals = [replace(arrival, pulled=True) for part in parts for arrival in (*part.wholes, *part.arrivals)]
        of: dict[UUID, Outcome] = {}
        if arrivals:
            whole = Arrival(answer, Split(len(parts)), pulled=True)
            _, *outcomes = await self.hub.reception.take_in([whole, *arrivals])
            of = {arrival.message.id: outcome for arrival, outcome in zip(arrivals, outcomes, strict=True)}
        said = frozenset() if self.declared.acknowledge else _SAID
        kept = [part for part in parts if self.declared.changed or _lasting(part, of, said)]
        if kept:
            now = self.hub.now()
            await self.memories.remember(self.system.role.id, self.name, _digests(kept), now=now)

    async def _acknowledge(self, parts: Sequence[_Part], asked: Mapping[str, Any], misses: Misses) -> None:
        """Everything here is in the journal, whatever its verdict: the other side need not keep it for us."""
        declared = self.declared.acknowledge
        if declared is None or not parts:
            return
        rows = [part.row for part in parts]
        if declared.each == "page":
            await self.asking.say(declared.message, pull={**asked, "items": rows})
            return
        for row in rows:
            try:
                await self.asking.say(declared.message, pull={**asked, "item": row})
            except Unacceptable as error:  # one that cannot be acknowledged must not keep the others in the queue
                misses.add(error)


def _lasting(part: _Part, outcomes: Mapping[UUID, Outcome], said: Collection[Verdict]) -> bool:
    """Whether word for word the same must not be taken in again: done, no case's business, or refused for good.

    Reports are known by their ids, and an alarm that is told again may count.
    """
    ended = [outcomes[arrival.message.id] for arrival in part.arrivals]
    return any(one.verdict in said or (one.verdict not in ACCEPTED and one.why not in _PASSING) for one in ended)


def _digests(parts: Sequence[_Part]) -> dict[str, str]:
    """Key to digest; an id that stands on the page twice has one digest of both."""
    told: dict[str, str] = {}
    for part in parts:
        before = told.get(part.key)
        told[part.key] = hashlib.sha256(f"{before}{part.digest}".encode()).hexdigest() if before else part.digest
    return told
