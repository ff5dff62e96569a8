"""Overview, rows and trend of assessment as JSON."""

from typing import Any

from assessment.period import SPAN_TITLES
from assessment.sheet import Column, Figure, Sheet
from assessment.sheet_json import plain
from gateway.assessment.overview import Overview, Point
from gateway.assessment.rows import Rows
from gateway.assessment.tracing import Traced
from gateway.views import View, row_view

EXAMPLE: dict[str, Any] = {
    "rules": "wuhu-demo-2026.1/d6654f55", "run": 42, "facts_at": "2026-11-01T01:00:00+08:00",
    "indicators": [{
        "id": "in_time_dispose_rate", "title": "按期处置率", "title_en": "In time dispose rate", "unit": "percent",
        "better": "high", "formula": "按期处置数 / 应处置数", "source": "", "counter": False,
    }],
    "by": [{"id": "unit", "title": "处置部门", "columns": ["in_time_dispose_rate"], "scored": True, "kept": True}],
    "periods": [{
        "period": "2026-10", "title": "2026年10月", "span": "month", "span_title": "月",
        "first": "2026-10-01T00:00:00+08:00", "last": "2026-11-01T00:00:00+08:00", "state": "closed", "edition": 2,
        "closed_at": "2026-11-03T09:00:00+08:00",
    }],
}  # fmt: skip


def overview_view(one: Overview) -> View:
    """What can be asked for."""
    return {
        "rules": one.rules, "run": one.run, "facts_at": one.facts_at,
        "indicators": [_indicator(column) for column in one.indicators],
        "by": [
            {"id": by.id, "title": by.title, "columns": list(by.columns), "scored": by.scored, "kept": by.sheet}
            for by in one.by
        ],
        "periods": [
            {"period": period.name, "span_title": SPAN_TITLES[period.span]}
            | {name: value for name, value in row_view(period).items() if name != "name"}
            for period in one.periods
        ],
    }  # fmt: skip


def _indicator(column: Column) -> View:
    """`unit`: what a value is of; `title_en` is made of the id, which is English in every city's rules."""
    return {
        "id": column.id, "title": column.title, "title_en": column.id.replace("_", " ").capitalize(),
        "unit": column.kind, "better": column.better, "formula": column.formula, "source": column.source,
        "counter": column.kind == "count",
    }  # fmt: skip


def rows_view(sheet: Sheet, rows: Rows) -> View:
    """A page of rows, and the sheet that they stand in."""
    whole = plain(sheet)
    of = {row["id"]: row for row in whole.pop("rows")}
    return {"items": [of[row.id] for row in rows.rows], "next": rows.following, "found": rows.found, "sheet": whole}


def trend_view(last: Traced, points: list[Point]) -> View:
    """A figure in each period, the last one last."""
    return {
        "column": last.column, "title": last.title, "formula": last.formula, "by": last.by, "subject": last.subject,
        "items": [
            {"period": one.period.name, "title": one.period.title, "edition": one.edition, "run": one.run,
             "rules": one.rules} | _figure(one.figure)
            for one in points
        ],
        "next": None,
    }  # fmt: skip


def _figure(one: Figure | None) -> View:
    """`known` false: the rules of that time did not have it."""
    if one is None:
        return {"value": None, "numerator": None, "denominator": None, "no_base": False, "known": False}
    return {
        "value": one.value, "numerator": one.numerator, "denominator": one.denominator, "no_base": one.value is None,
        "known": True,
    }  # fmt: skip
