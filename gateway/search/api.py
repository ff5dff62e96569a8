"""Lists of cases at the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from canonical.errors import Why
from canonical.rights import Right
from gateway.access import Who, allowed
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.search.listing import Filters
from gateway.views import View, case_view
from storage.case_list import CaseList, Order, WrongPage

MOST = 500


def search_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router, see, lists = APIRouter(), allowed(hub, Right.SEE), CaseList(hub.store)

    @router.get("/api/cases", summary="Cases: by number, the newest first, or what is due first")
    async def cases(
        who: Annotated[Who, Depends(see)],
        filters: Annotated[Filters, Depends()],
        order: Annotated[
            Order, Query(description="by number, the newest first, or open work by when it is due")
        ] = Order.NO,
        after: Annotated[str, Query(max_length=100, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows at most")] = 50,
    ) -> View:  # fmt: skip
        """Filters hold together. `next` is null on the last page."""
        try:
            found, following = await lists.page(
                filters.wanted(hub.now()), scope=who.scope, order=order, after=plain(after), limit=limit
            )
        except WrongPage as error:
            raise Refusal(
                422, Why.CONTRACT, f"after: {error}", "take `next` as it was given, or leave it out"
            ) from None
        return {"items": [case_view(case) for case in found], "next": following}

    return router
