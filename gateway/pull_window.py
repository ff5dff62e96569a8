"""Which stretch of time a pull asks for, and what follows a page of it. Pure.

Nothing may fall between two windows: they overlap, they end a little before now where the other side is slow to write,
and what a clock ahead of time has left behind is not believed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from adapters import Page
from adapters.declaration import PullDeclaration, Sweep

MOST_PAGES = 10_000
"""A platform whose pages never end is stopped here, and the window is asked again next time."""
REPEATED = "the pages repeat"
ENDLESS = "the pages never end"
IN_CIRCLES = "the cursors go round in circles"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that is asked for at once; never negative."""

    since: datetime
    until: datetime


def spans(declared: PullDeclaration, reached: datetime | None, now: datetime) -> tuple[Span, ...]:
    """What is to be asked for now, oldest first. `reached`: end of the last window that is durable with us."""
    until = now - timedelta(seconds=declared.behind)
    since = reached
    if since is None or since > until:  # a clock ahead of ours wrote it: what happens until then was never asked for
        since = until - timedelta(seconds=declared.first_window)
        until = max(until, reached or until)
    return _sliced(Span(since - timedelta(seconds=declared.overlap), until), declared.window)


def swept(declared: PullDeclaration, sweep: Sweep, now: datetime) -> tuple[Span, ...]:
    """The wider pass: what was changed late, or came with an old time."""
    until = now - timedelta(seconds=declared.behind)
    return _sliced(Span(until - timedelta(seconds=sweep.back), until), declared.window)


def _sliced(whole: Span, longest: int) -> tuple[Span, ...]:
    if not longest:
        return (whole,)
    step, since, slices = timedelta(seconds=longest), whole.since, []
    while whole.until - since > step:
        slices.append(Span(since, since + step))
        since += step
    return (*slices, Span(since, whole.until))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pull stands within one window: which page is asked for next, and what came before it."""

    page: int
    cursor: str = ""
    waiting: int | None = None
    """How many items there are to be fetched, where that was asked first."""
    taken: int = 0
    pages: int = 0
    digest: str = ""
    """Of the rows of the page before."""
    cursors: frozenset[str] = frozenset()
    """What earlier pages were asked with."""


@dataclass(frozen=True, slots=True)
class End:
    """The window has no further page."""

    trouble: str = ""
    """What was odd about its end, for people."""
    whole: bool = True
    """False: something may be missing; the same window is asked again."""


def following(declared: PullDeclaration, place: Place, page: Page) -> Place | End:
    """What comes after this page, which was asked for at `place`."""
    digest = digest_of(page.rows)
    if page.rows and digest == place.digest:
        # The second page like the first: the page's number is not heard. A later one: after the end comes the last.
        return End(REPEATED, whole=place.pages > 1)
    if not _more(place, page):
        return End()
    if place.pages + 1 >= MOST_PAGES:
        return End(ENDLESS, whole=False)
    if page.cursor and page.cursor == place.cursor and not page.rows:
        return End()
    if page.cursor in place.cursors - {place.cursor}:
        return End(IN_CIRCLES, whole=False)
    queue = declared.acknowledge is not None and declared.cursor is None
    return replace(
        place,
        page=place.page if queue else place.page + 1,  # what was acknowledged is gone from a queue's first page
        cursor=page.cursor,
        taken=place.taken + len(page.rows),
        pages=place.pages + 1,
        digest=digest,
        cursors=place.cursors | {place.cursor},
    )


def _more(place: Place, page: Page) -> bool:
    if place.waiting is None:
        return page.more
    return bool(page.rows) and place.taken + len(page.rows) < place.waiting


def digest_of(rows: Sequence[Any]) -> str:
    """The same for the same rows, whatever stands around them in the answer."""
    return hashlib.sha256(orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)).hexdigest()
