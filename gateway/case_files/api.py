"""Files of cases at the API, and who reported a case."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from canonical.errors import Why
from canonical.rights import Right
from gateway.access import Who, allowed
from gateway.case_files.listing import chosen, files_view
from gateway.case_files.picture import LEAST, MOST
from gateway.case_files.sending import Sender
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.views import View
from storage.attachments import Attachments
from storage.casebook import Journey
from storage.files import FileStore
from storage.viewings import Viewed, Viewings

_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the bytes; of what can be shown in a browser inline, everything else as an attachment",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "the range that was asked for"},
    304: {"description": "what the client has is still it"},
    416: {"description": "no such range"},
}


def file_routes(hub: Hub) -> APIRouter:
    """The routes."""
    router, see, reveal = APIRouter(), allowed(hub, Right.SEE), allowed(hub, Right.REVEAL)
    attachments, sender = Attachments(hub.store), Sender(FileStore(hub.settings.file_folder))

    @router.get("/api/cases/{number}/files", summary="Files of a case: before, after, evidence")
    async def files(number: str, who: Annotated[Who, Depends(see)]) -> View:
        """`shows`: `before` 处置前, `after` 处置后 or `evidence`. `state`: `stored` ones have bytes; of others `text`
        says why not. `message` is the one that brought it.
        """
        journey = await known(hub, number, who)
        rows = await attachments.of_case(journey.case.id)
        return {"items": files_view(rows, journey.events), "next": None}

    @router.get(
        "/api/cases/{number}/files/{file}", summary="A file's bytes, or a picture made small", response_class=Response,
        responses=_BYTES,
    )  # fmt: skip
    async def file(
        number: str, file: str, request: Request, who: Annotated[Who, Depends(see)],
        size: Annotated[
            int | None, Query(ge=LEAST, le=MOST, description="pixels of the longer side; only pictures, as JPEG")
        ] = None,
    ) -> Response:  # fmt: skip
        """`file` is the `sha256` or `id` of the list. Its first bytes say what it is, not its sender. Ranges work."""
        journey = await known(hub, number, who)
        row = chosen(await attachments.of_case(journey.case.id), plain(file))
        if row is None:
            raise Refusal(
                404, "unknown_file", "the case has no such file, or its bytes are not here yet", "see .../files"
            )
        return await (sender.small(row, size, request) if size else sender.whole(row, request))

    @router.get("/api/cases/{number}/reporter", summary="Who reported a case, unmasked; the look is logged")
    async def reporter(
        number: str, who: Annotated[Who, Depends(reveal)],
        reason: Annotated[str, Query(min_length=2, max_length=500, description="why; kept with the look")],
    ) -> View:  # fmt: skip
        """Wants the right `reveal`."""
        if len(plain(reason).strip()) < 2:
            raise Refusal(422, Why.CONTRACT, "reason: say why", "such as: to call back about the address")
        case = (await known(hub, number, who)).case
        await Viewings(hub.store).looked(
            login=who.login, what=Viewed.REPORTER, case_no=case.no, reason=reason.strip(), at=hub.now()
        )
        given = case.reporter
        return {"no": case.no, "name": given.name, "phone": given.phone, "withheld": given.withheld}

    return router


async def known(hub: Hub, number: str, who: Who) -> Journey:
    """The case by any number, within the scope. Raises Refusal 404."""
    journey = await hub.casebook.journey(plain(number), scope=who.scope)
    if journey is None:
        raise Refusal(404, Why.UNKNOWN_CASE, f"nobody knows a case {number[:64]}")
    return journey
