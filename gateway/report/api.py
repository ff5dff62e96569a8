"""/api/reports: what `gridhub report` tells, in the format that the query or the Accept header names."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.params import Depends
from fastapi.responses import Response

from gateway.hub import Hub
from gateway.refusal import plain
from gateway.report.formats import MEDIA, Format, Report, accepted, written_as
from gateway.report.page import POLICY
from gateway.report.reports import Asked, assessment_report, briefing_report, unit_report

Form = Annotated[Format | None, Query(alias="format", description="default: by Accept, else json")]
Edition = Annotated[int | None, Query(ge=0, le=2_147_483_647, description="of a closed period; 0: as things are now")]
Written = Annotated[str, Query(max_length=40, description="2026-10, 2026-W42, 2026-10-12, 2026-Q3 or 2026")]
_CONTENT: dict[str, object] = {media.partition(";")[0]: {} for media in MEDIA.values()}
_ANSWER: dict[int | str, dict[str, object]] = {200: {"content": _CONTENT, "description": "The report"}}


def report_routes(hub: Hub, guarded: Sequence[Depends]) -> APIRouter:
    """Everything below /api/reports."""
    router = APIRouter(prefix="/api/reports", dependencies=list(guarded), responses=_ANSWER)

    @router.get("/assessment", summary="The assessment sheet of a period 考核表", response_class=Response)
    async def assessment(
        request: Request, period: Written, by: str = "unit", edition: Edition = None, columns: str = "",
        form: Form = None,
    ) -> Response:  # fmt: skip
        chosen = _format(request, form)
        wanted = [one.strip() for one in plain(columns).split(",") if one.strip()]
        return await _told(await assessment_report(hub, Asked(plain(period), plain(by), edition, wanted)), chosen)

    @router.get("/briefing", summary="The briefing of a day or week 日报、周报", response_class=Response)
    async def briefing(request: Request, day: str = "", week: str = "", form: Form = None) -> Response:
        chosen = _format(request, form)
        return await _told(await briefing_report(hub, day=plain(day), week=plain(week)), chosen)

    @router.get("/unit/{unit}", summary="The statement of a unit 单位对账单", response_class=Response)
    async def unit(
        request: Request, unit: str, period: Written, edition: Edition = None, form: Form = None
    ) -> Response:
        chosen = _format(request, form)
        return await _told(await unit_report(hub, plain(unit), plain(period), edition), chosen)

    return router


def _format(request: Request, form: Format | None) -> Format:
    return form or accepted(request.headers.get("accept", ""))


async def _told(report: Report, form: Format) -> Response:
    """Written in a thread: a large workbook takes a second, and other requests do not wait for it."""
    content = await asyncio.to_thread(written_as, report, form)
    shown = "inline" if form in (Format.HTML, Format.JSON) else "attachment"
    headers = {
        "content-disposition": f'{shown}; filename="{report.document.name}.{form}"',
        "x-content-type-options": "nosniff", "content-security-policy": POLICY,
        "cache-control": "no-store", "vary": "accept",
    }  # fmt: skip
    return Response(content, 200, headers, MEDIA[form])
