"""/api/reports: what `gridhub report` tells, in the format that the query or the Accept header names."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from canonical.rights import Right
from gateway.access import Who, allowed
from gateway.hub import Hub
from gateway.refusal import plain
from gateway.report.formats import MEDIA, Format, Report, accepted, written_as
from gateway.report.page import POLICY
from gateway.report.reports import Asked, assessment_report, briefing_report, unit_report

Form = Annotated[Format | None, Query(alias="format", description="default: by Accept, else json")]
Edition = Annotated[int | None, Query(ge=0, le=2_147_483_647, description="of a closed period; 0: as things are now")]
Written = Annotated[str, Query(max_length=40, description="2026-10, 2026-W42, 2026-10-12, 2026-Q3 or 2026")]
By = Annotated[str, Query(max_length=32, description="who is assessed: unit, district, street, ..., or a post")]
Columns = Annotated[str, Query(max_length=4000, description="only these indicators, by id or title, by comma")]
Day = Annotated[str, Query(max_length=40, description="2026-10-12; this or a week")]
Week = Annotated[str, Query(max_length=40, description="2026-W42; this or a day")]
UnitName = Annotated[str, Path(description="id or name of the unit in units.csv")]
_CONTENT: dict[str, object] = {media.partition(";")[0]: {} for media in MEDIA.values()}
_ANSWER: dict[int | str, dict[str, object]] = {200: {"content": _CONTENT, "description": "The report"}}


def report_routes(hub: Hub) -> APIRouter:
    """Everything below /api/reports, of what who asks may see."""
    router = APIRouter(prefix="/api/reports", responses=_ANSWER)
    see, one = allowed(hub, Right.SEE), asyncio.Semaphore(1)

    @router.get("/assessment", summary="The assessment sheet of a period 考核表", response_class=Response)
    async def assessment(
        who: Annotated[Who, Depends(see)], request: Request, period: Written, by: By = "unit",
        edition: Edition = None, columns: Columns = "", form: Form = None,
    ) -> Response:  # fmt: skip
        chosen = _format(request, form)
        wanted = [name.strip() for name in plain(columns).split(",") if name.strip()]
        asked = Asked(plain(period), plain(by), edition, wanted)
        return await _told(one, await assessment_report(hub, asked, scope=who.scope), chosen)

    @router.get("/briefing", summary="The briefing of a day or week 日报、周报", response_class=Response)
    async def briefing(
        who: Annotated[Who, Depends(see)], request: Request, day: Day = "", week: Week = "", form: Form = None
    ) -> Response:
        chosen = _format(request, form)
        return await _told(one, await briefing_report(hub, day=plain(day), week=plain(week), scope=who.scope), chosen)

    @router.get("/unit/{unit}", summary="The statement of a unit 单位对账单", response_class=Response)
    async def unit(
        who: Annotated[Who, Depends(see)], request: Request, unit: UnitName, period: Written, edition: Edition = None,
        form: Form = None,
    ) -> Response:  # fmt: skip
        chosen = _format(request, form)
        return await _told(one, await unit_report(hub, plain(unit), plain(period), edition, scope=who.scope), chosen)

    return router


def _format(request: Request, form: Format | None) -> Format:
    return form or accepted(request.headers.get("accept", ""))


async def _told(one: asyncio.Semaphore, report: Report, form: Format) -> Response:
    """Written in a thread: a large workbook takes a second, and other requests do not wait for it. One at a time, for
    the font of a PDF takes memory, and each takes the processor that the doors share.
    """
    async with one:
        content = await asyncio.to_thread(written_as, report, form)
    shown = "inline" if form in (Format.HTML, Format.JSON, Format.PDF) else "attachment"
    headers = {
        "content-disposition": f'{shown}; filename="{report.document.name}.{form}"',
        "x-content-type-options": "nosniff", "content-security-policy": POLICY,
        "cache-control": "no-store", "vary": "accept",
    }  # fmt: skip
    return Response(content, 200, headers, MEDIA[form])
