"""Cases put into the grids of another day 重新归格: by a run, for a replaced set leaves its cases where they are.

Only the grids of a case change. Whose work it is stays: what the responsibility list would say now is told beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from canonical.case import Actor, Case, new_action
from canonical.lifecycle import ENDED, ActionKind, Party
from canonical.place import Place, PlaceMethod
from routing.book import Book
from routing.grid_sets import GridSet
from routing.responsibility import Match

_HUB = Actor(party=Party.HUB, id="grids")


class Verdict(StrEnum):
    """What becomes of one case."""

    MOVED = "moved"
    """Another unit grid, or another cell of an industry."""
    RENEWED = "renewed"
    """The same cells, in the day's editions."""
    SAME = "same"
    """As it is already."""
    PERSON = "person"
    """Stays: a person put it into its unit grid, and not because of where it lies."""
    GONE = "gone"
    """Stays: known by a code alone, which the day's unit grids have not."""
    UNPLACED = "unplaced"
    """Stays: neither a position nor a unit grid is known."""


VERDICT_TITLES = {
    Verdict.MOVED: "换格", Verdict.RENEWED: "换版不换格", Verdict.SAME: "不变", Verdict.PERSON: "人工定格，不动",
    Verdict.GONE: "网格已撤销，不动", Verdict.UNPLACED: "位置不明，不动",
}  # fmt: skip
CHANGES = frozenset({Verdict.MOVED, Verdict.RENEWED})


@dataclass(frozen=True, slots=True)
class Reattributed:
    """One case before and after."""

    case: Case
    after: Place
    verdict: Verdict
    unit: str = ""
    """Of an open case that moved: whom the responsibility list would give it to now, where that is another unit."""


def reattribute(book: Book, case_ids: Sequence[UUID], day: date, reason: str) -> list[Reattributed]:
    """Put the cases of a book into the grids of a day, each with an event of its own where something changes."""
    cases = [book.known.cases[case_id] for case_id in case_ids]
    registry = book.city.locator.registry
    places, base = book.city.locator.again([case.place for case in cases], day), registry.base(day)
    found = [_judged(book, case, after, base) for case, after in zip(cases, places, strict=True)]
    editions = {one.name: one.edition for one in registry.on(day)}
    for one in found:
        if one.verdict in CHANGES:
            action = new_action(
                kind=ActionKind.REATTRIBUTE, actor=_HUB, at=book.now, place=one.after, reason=reason, editions=editions
            )
            book.do(one.case.id, action, None)
    return found


def _judged(book: Book, case: Case, after: Place, base: GridSet) -> Reattributed:
    place = case.place
    if place.method is PlaceMethod.CENTRE and after.grid != place.grid and not _lies_in(book, place):
        return Reattributed(case, place, Verdict.PERSON)
    if place.lon is None and place.grid is None:
        return Reattributed(case, place, Verdict.UNPLACED)
    if after == place:
        gone = place.lon is None and place.grid not in base.index.cells
        return Reattributed(case, place, Verdict.GONE if gone else Verdict.SAME)
    if _cells(after) == _cells(place):
        return Reattributed(case, after, Verdict.RENEWED)
    return Reattributed(case, after, Verdict.MOVED, _another_unit(book, case, after))


def _lies_in(book: Book, place: Place) -> bool:
    """True when its unit grid is where its position lies, in the edition that it was put into."""
    old = book.city.locator.registry.edition(place.grid_set)
    if old is None or place.lon is None or place.lat is None:
        return False
    return old.index.find([place.lon], [place.lat]) == [place.grid]


def _cells(place: Place) -> tuple[str | None, dict[str, str]]:
    """Without editions."""
    return place.grid, {name.partition("@")[0]: code for name, code in place.grids.items()}


def _another_unit(book: Book, case: Case, after: Place) -> str:
    city, now = book.city, book.now
    if case.stage in ENDED or case.class_code is None or case.assignment is None:
        return ""
    if after.responsible == case.place.responsible:
        return ""
    where = after.responsible or city.code
    found = city.responsibility.match(case.class_code, where, now, city.calendar.is_working(now))
    return found.unit if isinstance(found, Match) and found.unit != case.assignment.unit else ""
