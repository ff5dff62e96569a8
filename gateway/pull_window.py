"""Which stretch of time a pull asks for, and what follows a page of it. Pure.

Nothing may fall between two windows: they overlap, they end a little before now where the other side is slow to write,
and what a clock ahead of time has left behind is not believed.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from adapters import Page
from adapters.declaration import PullDeclaration, Sweep

MOST_PAGES = 10_000
"""A platform whose pages never end is stopped here, and the window is asked again next time."""
MOST_EMPTY = 100
"""So many empty pages in a row, with the word that more follow, and no cursor that moves on: nothing follows."""
_HOLES = 3
"""Empty pages in a row that a list may have before its total is reached."""
_AGAIN = 3
"""How often a list that got shorter while it was read is read again at once."""
_PAGE = re.compile(r"pull\.(?:page|offset|cursor)\b")
REPEATED = "the pages repeat"
ENDLESS = "the pages never end"
IN_CIRCLES = "the cursors go round in circles"
SHORT = "the list ended before its total"
SHRANK = "the list got shorter whenever it was read"
ONE_PAGE = "there is more than one page, and the message that asks uses no page, offset or cursor"


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
    """Rows of the pages before: platforms give shorter pages than they are asked for."""
    pages: int = 0
    size: int = 0
    """Rows of the first page: so many they give, whatever they are asked for."""
    total: int | None = None
    """The largest number of all rows that was told: some tell it on the first page alone."""
    holes: int = 0
    """Empty pages just before."""
    skipped: int = 0
    """Rows for which empty pages stood."""
    again: int = 0
    """How often the list was begun anew, because it got shorter meanwhile."""
    shorter: bool = False
    """The list got shorter since its first page was read."""
    guessed: bool = False
    """Nothing says that there is such a page."""
    digest: str = ""
    """Of the rows of the page before."""
    last: str = ""
    """Of its last row."""
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
    place = replace(place, shorter=place.shorter or shrank(place, page))
    digest = digest_of(page.rows)
    if page.rows and place.pages and (digest == place.digest or _bound(declared, place, page, digest)):
        return _repeated(declared, place, page)
    more = _more(declared, place, page)
    guessed = not more and _may_go_on(declared, place, page)
    if not (more or guessed):
        return _ended(declared, place, page)
    if place.pages + 1 >= MOST_PAGES or (place.holes >= MOST_EMPTY and declared.cursor is None):
        return End(ENDLESS, whole=False)
    if page.cursor and page.cursor == place.cursor and not page.rows:
        return End()
    if page.cursor in place.cursors - {place.cursor}:
        return End(IN_CIRCLES, whole=False)
    return replace(
        place,
        page=place.page if _queue(declared) else place.page + 1,  # what was acknowledged is gone from a queue
        cursor=page.cursor,
        taken=place.taken + len(page.rows),
        pages=place.pages + 1,
        size=place.size if place.pages else len(page.rows),
        total=_largest(place, page),
        holes=0 if page.rows else place.holes + 1,
        skipped=place.skipped + (0 if page.rows else _size(declared, place)),
        guessed=guessed,
        digest=digest,
        last=digest_of(page.rows[-1:]),
        cursors=place.cursors | {place.cursor},
    )


def past_end(place: Place, page: Page) -> bool:
    """Whether this page, of which nothing said that it is there, is the one before again."""
    return place.guessed and digest_of(page.rows) == place.digest


def only_page(declared: PullDeclaration, page: Page) -> End:
    """What follows the one answer to a question that cannot ask for another page."""
    told = page.more and (declared.more is not None or declared.cursor is not None or page.total is not None)
    return End(ONE_PAGE if told else "")


def asks_for_pages(declared: PullDeclaration, asks: object) -> bool:
    """Whether another page can be asked for. A queue's next page is its first one. `asks`: the message that asks."""
    return declared.acknowledge is not None or _PAGE.search(repr(asks)) is not None


def offset(declared: PullDeclaration, place: Place) -> int:
    """Where the next page begins, counted in rows."""
    return 0 if _queue(declared) else place.taken + place.skipped


def _queue(declared: PullDeclaration) -> bool:
    return declared.acknowledge is not None and declared.cursor is None


def _told(declared: PullDeclaration, place: Place) -> bool:
    """Whether every answer says itself if another page follows."""
    return place.waiting is None and (declared.more is not None or declared.cursor is not None)


def _largest(place: Place, page: Page) -> int | None:
    return max((number for number in (place.total, page.total) if number is not None), default=None)


def _size(declared: PullDeclaration, place: Place) -> int:
    """Rows of their pages."""
    return min(place.size or declared.page_size, declared.page_size)


def _all(declared: PullDeclaration, place: Place, page: Page) -> int | None:
    """The number of all rows, unless there were more already: then it is no such number, whatever it is."""
    had = offset(declared, place) + len(page.rows)
    told = (page.total,) if _queue(declared) else (page.total, place.total)
    return next((number for number in told if number is not None and number >= had), None)


def _more(declared: PullDeclaration, place: Place, page: Page) -> bool:
    """The answer says it, or the total was not reached, or the page was full."""
    if _told(declared, place):
        return page.more
    if place.waiting is not None:
        return bool(page.rows) and place.taken + len(page.rows) < place.waiting
    total, reached = _all(declared, place, page), offset(declared, place) + len(page.rows)
    if total is None:
        return (page.more and page.total is None) or _full(declared, place, len(page.rows))
    if not page.rows:  # a hole: rights may hide rows that are counted
        reached += _size(declared, place)
        return not (place.guessed or _queue(declared)) and place.holes + 1 < _HOLES and reached < total
    return reached < total


def _full(declared: PullDeclaration, place: Place, rows: int) -> bool:
    if declared.changed and declared.page_size == 1:
        return False
    return rows >= declared.page_size or (place.pages > 0 and 0 < place.size <= rows)


def _may_go_on(declared: PullDeclaration, place: Place, page: Page) -> bool:
    """Whether there may be another page though this one is the last by what we know.

    The first is shorter than asked for, and so round that it may be the most they give; or the total is reached with a
    full page: it may be that of this page, or of another time.
    """
    rows = len(page.rows)
    if place.waiting is not None or _told(declared, place) or _queue(declared):
        return False
    if _all(declared, place, page) not in {None if not place.pages else -1, offset(declared, place) + rows}:
        return False
    if declared.changed and declared.page_size == 1:
        return False
    return _full(declared, place, rows) if place.pages else _may_be_full(declared, rows)


def _may_be_full(declared: PullDeclaration, rows: int) -> bool:
    return rows >= declared.page_size or (rows >= 10 and rows % 5 == 0)


def _bound(declared: PullDeclaration, place: Place, page: Page, digest: str) -> bool:
    """Whether nothing comes but the row that the cursor was made of: their bound is inclusive."""
    return declared.cursor is not None and page.cursor == place.cursor and digest == place.last


def _repeated(declared: PullDeclaration, place: Place, page: Page) -> Place | End:
    """The rows of the page before came again."""
    if place.guessed:
        return nothing_there(declared, place)
    if declared.cursor is not None:  # short: all that there is; full: what follows cannot be reached
        return End(REPEATED, whole=False) if _may_be_full(declared, len(page.rows)) else End()
    # The second page like the first: the page's number is not heard. A later one: after the end comes the last.
    return End(REPEATED, whole=place.pages > 1)


def _ended(declared: PullDeclaration, place: Place, page: Page) -> Place | End:
    """All was read, as far as anybody can tell."""
    if place.shorter or place.guessed:
        return nothing_there(declared, place)
    if _told(declared, place) or place.waiting is not None or _queue(declared):
        return End()
    total = _all(declared, place, page)
    return End(SHORT if total is not None and place.taken + len(page.rows) < total else "")


def nothing_there(declared: PullDeclaration, place: Place) -> Place | End:
    """What follows where a page that nothing spoke of is not there, or the list has ended.

    One that got shorter meanwhile is begun anew: what moved up, past what we had read, was never seen.
    """
    if not place.shorter or _told(declared, place) or place.waiting is not None or _queue(declared):
        return End()
    return Place(declared.first_page, again=place.again + 1) if place.again < _AGAIN else End(SHRANK)


def shrank(place: Place, page: Page) -> bool:
    """Whether the total is smaller than it was. One that counts what is left, or one page, is no such total."""
    if page.total is None or place.total is None or place.total < place.taken:
        return False
    return place.total - place.taken < page.total < place.total


def digest_of(rows: Sequence[Any]) -> str:
    """The same for the same rows, whatever stands around them in the answer."""
    return hashlib.sha256(orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)).hexdigest()
