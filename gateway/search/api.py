"""Lists of cases and the one box that finds a case, at the API."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from canonical.errors import Misconfigured, Why
from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, allowed
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.search.find import Finder, place_of
from gateway.search.key import mark, telephone_key
from gateway.search.listing import Filters
from gateway.search.names import Names, names
from gateway.search.question import Question, Step, question
from gateway.search.telephone import digest
from gateway.search.view import hit_view, index_view
from gateway.views import View, case_view
from storage.case_list import CaseList, Order, WrongPage
from storage.search import Search
from storage.search_index import Indexed, indexed
from storage.viewings import Viewed, Viewings

MOST = 500
MOST_HITS = 200
LONGEST = 100
"""Characters of a question."""
After = Annotated[str, Query(max_length=LONGEST, description="`next` of the page before")]


def search_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router, see, lists = APIRouter(), allowed(hub, Right.SEE), CaseList(hub.store)
    finder, named = Finder(Search(hub.store)), _names_of_the_day(hub)

    @router.get("/api/cases", summary="Cases: by number, the newest first, or what is due first")
    async def cases(
        who: Annotated[Who, Depends(see)],
        filters: Annotated[Filters, Depends()],
        order: Annotated[
            Order, Query(description="by number, the newest first, or open work by when it is due")
        ] = Order.NO,
        after: After = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows at most")] = 50,
    ) -> View:  # fmt: skip
        """Filters hold together. `next` is null on the last page."""
        try:
            found, following = await lists.page(
                filters.wanted(hub.now()), scope=who.scope, order=order, after=plain(after), limit=limit
            )
        except WrongPage as error:
            raise _no_page(error) from None
        return {"items": [case_view(case) for case in found], "next": following}

    @router.get("/api/search", summary="One box: a number, a telephone, a place, words", responses=_EXAMPLE)
    async def search(
        who: Annotated[Who, Depends(see)],
        filters: Annotated[Filters, Depends()],
        q: Annotated[str, Query(max_length=LONGEST, description="whatever somebody knows of a case")],
        after: After = "",
        limit: Annotated[int, Query(ge=1, le=MOST_HITS, description="rows at most")] = 20,
    ) -> View:  # fmt: skip
        """What is found by a number stands first, then what is found by telephone and by words, the newest first. `why`
        says for each case where it was found. A page may have fewer rows than `limit`; only `next` says that it was the
        last one. Looking for a telephone is logged.
        """
        now, today = hub.now(), named()
        asked = question(plain(q), today, _key(hub))
        standing = await indexed(hub.store)
        try:
            place = place_of(plain(after))
        except WrongPage as error:
            raise _no_page(error) from None
        if asked.telephone and list(Step).index(place.step) <= list(Step).index(Step.TELEPHONE):
            await _logged(hub, asked, standing, who, now)
        hits, following = await finder.page(
            asked, filters.wanted(now), scope=who.scope, now=now, place=place, limit=limit
        )
        shown = [hit_view(hit, today) for hit in hits]
        return {"items": shown, "next": str(following) if following else None, "index": index_view(standing)}

    return router


def _key(hub: Hub) -> bytes:
    """The key of telephones; empty where there is none: everything else is found without."""
    with suppress(Misconfigured):
        return telephone_key(hub.settings)
    return b""


def _no_page(error: WrongPage) -> Refusal:
    return Refusal(422, Why.CONTRACT, f"after: {error}", "take `next` as it was given, or leave it out")


async def _logged(hub: Hub, asked: Question, standing: Indexed, who: Who, now: datetime) -> None:
    """Who looked for which telephone; the number itself is not kept. Raises Misconfigured."""
    if not asked.key:
        telephone_key(hub.settings)
    if standing.key not in ("", mark(asked.key)):
        raise Misconfigured("the index was made with another secret, no telephone is found: gridhub search rebuild")
    subject = digest(asked.key, asked.telephone).hex()
    await Viewings(hub.store).looked(login=who.login, what=Viewed.TELEPHONE, case_no="", subject=subject, at=now)


def _names_of_the_day(hub: Hub) -> Callable[[], Names]:
    """The city's names, made once a day: grids change by the day."""
    known: dict[date, Names] = {}

    def today() -> Names:
        day = in_shanghai(hub.now()).date()
        if day not in known:
            known.clear()
            known[day] = names(hub.configuration.city, day)
        return known[day]

    return today


_EXAMPLE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {
                "example": {
                    "items": [
                        {
                            "no": "34022026112900000017", "title": "路灯不亮", "stage": "handling",
                            "stage_title": "处置中", "queue": None, "source": "hotline_12345",
                            "owner": "urban_management", "unit": "3402-lighting", "unit_title": "市照明管理中心",
                            "class_code": "30428.2:P01-37", "class_title": "路灯", "area": "340202016",
                            "area_title": "赭山街道", "address": "赭山街道某小区东门外",
                            "received_at": "2026-11-29T09:30:00+08:00", "due_at": "2026-11-30T17:30:00+08:00",
                            "reporter": {"name": "欧***", "phone": "138****0777", "withheld": False},
                            "why": [{"field": "title", "around": "路灯不亮", "text": "路灯"}],
                        }
                    ],
                    "next": "words_01980000-0000-7000-8000-000000000000",
                    "index": {"waiting_since": None, "complete": True},
                }
            }
        }
    }
}  # fmt: skip
