"""The reports there are: asked for in words, given as a value and a document. Command line and API share it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from assessment.period import NoPeriod, Period, Span, begun, period_of
from assessment.sheet import Sheet
from canonical.errors import Misconfigured
from canonical.rights import Scope
from gateway.assessment import sheet_of
from gateway.assessment.people import within
from gateway.report.assessment import assessment_document, with_columns
from gateway.report.briefing import briefing_document, briefing_of
from gateway.report.document import Document
from gateway.report.facts import Desk, known_facts, no_data
from gateway.report.formats import Report
from gateway.report.unit_statement import statement_document, titles_of, unit_statement

ASSESSMENT, BRIEFING, UNIT = "assessment_sheet", "briefing", "unit_statement"


class Asked(NamedTuple):
    """A sheet of assessment, as somebody asks for it."""

    period: str
    by: str = "unit"
    edition: int | None = None
    """None: the newest that was closed, else as things are now."""
    columns: Sequence[str] = ()


async def assessment_report(desk: Desk, asked: Asked, *, scope: Scope) -> Report:
    """The assessment of a period. Raises Unacceptable or Refusal for what there is not."""
    period = begun(period_of(asked.period), desk.now())
    sheet = await _sheet(desk, period, asked.by, asked.edition, scope)
    if not sheet.edition:
        await known_facts(desk)
    if not sheet.rows:
        raise no_data(period, await known_facts(desk))
    sheet = with_columns(sheet, asked.columns)
    return Report(ASSESSMENT, sheet, _within(desk, assessment_document(sheet), scope))


async def briefing_report(desk: Desk, *, day: str = "", week: str = "", scope: Scope) -> Report:
    """The briefing of a day, or of a week. Raises NoPeriod, or Refusal where there is nothing to tell."""
    if bool(day) == bool(week):
        raise NoPeriod("name a day or a week 请指定一日或一周: 2026-10-12 or 2026-W42", at="day")
    period = _of_span(day, Span.DAY, "2026-10-12") if day else _of_span(week, Span.WEEK, "2026-W42")
    briefing = await briefing_of(desk, begun(period, desk.now()), scope)
    return Report(BRIEFING, briefing, _within(desk, briefing_document(briefing), scope))


async def unit_report(
    desk: Desk, unit: str, period: str, edition: int | None = None, *, scope: Scope
) -> Report:  # fmt: skip
    """The statement of a unit. Raises NoPeriod, or Refusal for a unit that there is not or that had nothing."""
    span = begun(period_of(period), desk.now())
    try:
        sheet: Sheet | None = await _sheet(desk, span, "unit", edition, scope)
    except Misconfigured:  # a city without indicators has cases all the same
        sheet = None
    statement = await unit_statement(desk, unit, span, sheet, scope)
    return Report(UNIT, statement, _within(desk, statement_document(statement, titles_of(desk)), scope))


async def _sheet(desk: Desk, period: Period, by: str, edition: int | None, scope: Scope) -> Sheet:
    return await sheet_of(desk.store, desk.configuration, period, by, edition=edition, now=desk.now(), scope=scope)


def _within(desk: Desk, document: Document, scope: Scope) -> Document:
    """With what a reader must know first where it is about a part of the city."""
    part = within(desk.configuration, scope)
    return replace(document, facts=(*document.facts, ("统计范围", part))) if part else document


def _of_span(text: str, span: Span, example: str) -> Period:
    period = period_of(text)
    if period.span is not span:
        raise NoPeriod(f"'{text[:40]}' is no {span} 不是{_SPANS[span]}: write {example}", at=span)
    return period


_SPANS = {Span.DAY: "一日", Span.WEEK: "一周"}
