"""`/api/journal`: look for messages, see how one was read and what became of it, and take its bytes."""

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import AwareDatetime

from adapters.trace import Traced, trace
from canonical.errors import Unacceptable, Why
from canonical.message import Direction, Message
from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, allowed
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.views import View, row_view
from routing.commands import CENTRE
from storage.journal import JournalRow
from storage.journal_search import JournalSearch, Sought
from storage.replays import Replays
from storage.viewings import Viewed, Viewings

_MOST = 500
_PARTS, _DOCUMENTS = 100, 20
"""Of one message: parts that are listed, and documents whose reading is explained."""
Limited = Annotated[int, Query(ge=1, le=_MOST, description="rows at most")]
After = Annotated[UUID | None, Query(description="`next` of the answer before")]
Since = Annotated[AwareDatetime | None, Query(description="that came or left at this instant or later")]
Until = Annotated[AwareDatetime | None, Query(description="that came or left before this instant")]


def _word(said: str) -> Any:  # noqa: ANN401 FastAPI's own
    return Query(description=said, max_length=200)


def journal_routes(hub: Hub) -> APIRouter:
    """The routes. Who sees a part of the city sees the messages of its cases."""
    router = APIRouter()
    search, viewings = JournalSearch(hub.store), Viewings(hub.store)
    see, raw = allowed(hub, Right.SEE), allowed(hub, Right.RAW)

    async def the_row(message: UUID, who: Who) -> JournalRow:
        row = await search.one(message, who.scope)
        if row is None:
            raise Refusal(404, Why.UNKNOWN_MESSAGE, f"there is no message {message}", "see /api/journal")
        return row

    @router.get("/api/journal", summary="Messages without their bodies, the newest first", responses=_LISTED)
    async def listed(
        who: Annotated[Who, Depends(see)],
        system: Annotated[str, _word("of this system")] = "",
        direction: Annotated[str, _word("`in`, `out`, or `answer` to what went out")] = "",
        verdict: Annotated[str, _word("what became of it, such as `quarantined`")] = "",
        why: Annotated[str, _word("reason of a refusal or quarantine, such as `unmapped_code`")] = "",
        kind: Annotated[str, _word("name of the declared message")] = "",
        external_id: Annotated[str, _word("the system's own id")] = "",
        case_no: Annotated[str, _word("number of a case")] = "",
        text: Annotated[str, _word("part of the text of the reason")] = "",
        since: Since = None, until: Until = None, after: After = None, limit: Limited = 50,
    ) -> View:  # fmt: skip
        """A search that finds no index looks backwards in time for a second: `whole` is false then, `looked_to` says
        how far it came, and `next` goes on from there.
        """
        words = {
            "system": system, "direction": direction, "verdict": verdict, "why": why, "kind": kind,
            "external_id": external_id, "case_no": case_no, "words": text,
        }  # fmt: skip
        sought = Sought(
            **{name: plain(value) for name, value in words.items()}, since=since, until=until,
            systems=(*hub.configuration.systems, CENTRE),
        )  # fmt: skip
        found = await search.find(sought, who.scope, after=after, limit=limit)
        return {
            "items": [row_view(row) for row in found.rows], "next": str(found.after) if found.after else None,
            "whole": found.whole,
            "looked_to": in_shanghai(found.looked_to).isoformat() if found.looked_to else None,
        }  # fmt: skip

    @router.get("/api/journal/{message}", summary="One message: facts, how it reads today, what it belongs to")
    async def one(message: UUID, who: Annotated[Who, Depends(see)]) -> View:
        """No value of the message is told but codes; its bytes are at `/body`."""
        row = await the_row(message, who)
        found = await hub.journal.message(message)
        if found is None:
            raise Refusal(404, Why.UNKNOWN_MESSAGE, f"there is no message {message}", "see /api/journal")
        whole = found[1]
        of, by = await Replays(hub.store).links(message)
        parts = await search.parts(message, limit=_PARTS + 1)
        return row_view(row) | {
            "edition": await hub.journal.edition(message), "content_type": whole.content_type, "path": whole.path,
            "status": whole.status, "headers": shown_headers(whole.headers),
            "parent": str(whole.parent) if whole.parent else None, "parts": [row_view(part) for part in parts[:_PARTS]],
            "more_parts": len(parts) > _PARTS, "replays": str(of) if of else row_view(row)["replays"],
            "replayed_by": [str(one) for one in by], "reading": await _reading(hub, row, whole),
        }  # fmt: skip

    @router.get(
        "/api/journal/{message}/body", response_class=Response, responses=_BYTES,
        summary="Its bytes as they came; each look is logged before the answer",
    )  # fmt: skip
    async def body(
        message: UUID, who: Annotated[Who, Depends(raw)],
        reason: Annotated[str, Query(description="why, for the log of looks", max_length=500)] = "",
    ) -> Response:  # fmt: skip
        row = await the_row(message, who)
        if row.digest:
            text = f"its bytes were removed by retention; their SHA-256 was {row.digest}"
            raise Refusal(410, "gone", text, "docs/operating.md, retention")
        await viewings.looked(
            login=who.login, what=Viewed.MESSAGE, case_no=row.case_no, subject=str(message), reason=plain(reason),
            at=hub.now(),
        )  # fmt: skip
        found = await hub.journal.whole([message])
        if message not in found:
            raise Refusal(404, Why.UNKNOWN_MESSAGE, f"there is no message {message}", "see /api/journal")
        return Response(found[message].body, media_type="application/octet-stream", headers=_attached(message))

    return router


def _attached(message: UUID) -> dict[str, str]:
    """Whatever a platform sent must never be shown, or run, as a page of ours."""
    return {
        "content-disposition": f'attachment; filename="{message}.bin"', "x-content-type-options": "nosniff",
        "cache-control": "no-store", "content-security-policy": "sandbox; default-src 'none'",
    }  # fmt: skip


async def _reading(hub: Hub, row: JournalRow, whole: Message) -> View | None:
    """How today's declaration reads it; None for what went out, and for what cannot be read any more."""
    connected = hub.configuration.systems.get(row.system)
    if connected is None or row.direction != Direction.IN or whole.gone:
        return None
    part = whole.path.removeprefix("#")
    outer = whole
    if whole.parent is not None and part != whole.path and part.isdigit():
        found = await hub.journal.message(whole.parent)
        if found is None or found[1].gone:
            return None
        outer = found[1]
    explained = await asyncio.to_thread(trace, connected.system, outer)
    chosen = explained[int(part) : int(part) + 1] if outer is not whole else explained
    return {
        "edition": connected.system.role.edition, "documents": [_told(one) for one in chosen[:_DOCUMENTS]],
        "more_documents": max(0, len(chosen) - _DOCUMENTS),
    }  # fmt: skip


def _told(one: Traced) -> View:
    """Rules, paths and codes without a row; no other value of a message leaves the journal without the right to it."""
    refused = one.content if isinstance(one.content, Unacceptable) else None
    return {
        "kind": one.kind, "file": one.file, "why": refused.why if refused else None,
        "fields": [
            {
                "field": field.field, "line": field.line, "rule": field.rule, "paths": [path for path, _ in field.raw],
                "filled": field.value is not None, "failed": bool(field.trouble), "table": field.table,
                "code": field.code,
            }
            for field in one.fields
        ],
        "unused": [path for path, _ in one.unused[:_PARTS]],
    }  # fmt: skip


_SECRET = re.compile(r"auth|token|secret|passw|cookie|sign|key|credential|session", re.IGNORECASE)


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as people may see them: what may be a secret is named and not shown."""
    return {name: "***" if _SECRET.search(name) else value for name, value in headers.items()}


_ROW = {
    "id": "019a2270-6db9-75c6-9608-53ec2eb333fa", "at": "2026-11-29T09:00:00+08:00", "direction": "in",
    "system": "hotline_12345", "door": "tasks", "kind": "task", "verdict": "quarantined", "why": "unmapped_code",
    "text": "report.class: no row for '0499' in codes/categories.csv", "external_id": "t-1", "case_no": "",
    "size": 512, "digest": "", "replays": None,
}  # fmt: skip
_LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/json": {"example": {"items": [_ROW], "next": None, "whole": True, "looked_to": None}}}
    }
}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the bytes, as an attachment",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    410: {"description": "removed by retention"},
}
