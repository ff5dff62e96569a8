"""Finding what is meant: the index proposes, the cases decide, page after page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from canonical.case import Case
from canonical.rights import Scope
from gateway.search.question import Question, Reason, Step
from storage.case_list import Wanted, WrongPage
from storage.search import LAST, Search
from storage.search_index import Entry

_BATCHES = (50, 400)
"""Cases looked at together: at first, and at most where few of them fit."""
MOST_LOOKED = 4000
"""Cases looked at for one page: where many are proposed that do not fit, the page ends early, and `next` goes on."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A case that is meant, and why."""

    case: Case
    why: list[Reason]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: on which way, and before which case."""

    step: Step
    before: UUID

    def __str__(self) -> str:
        return f"{self.step}_{self.before}"


BEGINNING = Place(Step.EXACT, LAST)


def place_of(after: str) -> Place:
    """What `next` was; the beginning for an empty text. Raises WrongPage."""
    if not after:
        return BEGINNING
    step, _, before = after.partition("_")
    try:
        return Place(Step(step), UUID(before))
    except ValueError:
        raise WrongPage("not what 'next' of a search was") from None


class Finder:
    """Searching for people."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def page(
        self, asked: Question, wanted: Wanted, *, scope: Scope, now: datetime, place: Place = BEGINNING, limit: int
    ) -> tuple[list[Hit], Place | None]:  # fmt: skip
        """What is meant, by way and then the newest first, and where the next page begins. Raises DatabaseAway."""
        hits: list[Hit] = []
        looked, batch = 0, _BATCHES[0]
        for step in asked.steps:
            if list(Step).index(step) < list(Step).index(place.step):
                continue
            before = place.before if step is place.step else LAST
            while True:
                ids = await self._proposed(asked, step, wanted, scope, now, before, batch)
                for entry in await self._search.entries(ids):
                    if why := _why(asked, step, entry):
                        hits.append(Hit(entry.case, why))
                        if len(hits) == limit:
                            return hits, Place(step, entry.case.id)
                if len(ids) < batch:
                    break
                before = ids[-1]
                looked, batch = looked + batch, min(2 * batch, _BATCHES[1])
                if looked >= MOST_LOOKED:
                    return hits, Place(step, before)
        return hits, None

    async def _proposed(
        self, asked: Question, step: Step, wanted: Wanted, scope: Scope, now: datetime, before: UUID,
        limit: int,
    ) -> list[UUID]:  # fmt: skip
        if step is Step.EXACT:
            return await self._search.exact(asked.text, wanted, scope=scope, before=before, limit=limit)
        return await self._search.find(
            asked.asked(step), wanted, scope=scope, now=now, before=before, limit=limit,
            piece=asked.number if step is Step.PIECE else "",
        )  # fmt: skip


def _why(asked: Question, step: Step, entry: Entry) -> list[Reason]:
    """Why it is found on this way, unless an earlier one has shown it already."""
    ways = asked.steps
    earlier = ways[: ways.index(step)]
    return [] if any(asked.why(one, entry) for one in earlier) else asked.why(step, entry)
