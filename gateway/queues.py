"""The centre's queues at the API: what waits for a person."""

from typing import Annotated

from fastapi import APIRouter, Depends

from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, allowed
from gateway.hub import Hub
from gateway.views import View
from storage.queues import waiting


def queue_routes(hub: Hub) -> APIRouter:
    """GET /api/queues."""
    router, see = APIRouter(), allowed(hub, Right.SEE)

    @router.get("/api/queues", summary="How many cases wait for the centre's people, queue by queue")
    async def queues(who: Annotated[Who, Depends(see)]) -> View:
        """Queues in which nothing waits are left out. The cases: `/api/cases?queue=`."""
        found = await waiting(hub.store, scope=who.scope)
        items = [
            {"queue": one.queue, "count": one.count, "oldest_at": in_shanghai(one.oldest_at).isoformat()}
            for one in found
        ]
        return {"items": items, "next": None}

    return router
