"""/api/assessment: sheets, figures and what they are made of, closed editions and what they have different."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query

from assessment.sheet_json import plain as sheet_view
from canonical.fact import Fact
from canonical.rights import Right, Scope
from gateway.access import Who, acting, allowed, of_the_city
from gateway.assessment.closing import Difference, close, difference
from gateway.assessment.overview import MOST_PERIODS, overview, trend
from gateway.assessment.overview_view import EXAMPLE, overview_view, rows_view, trend_view
from gateway.assessment.rows import rows_of
from gateway.assessment.sheets import sheet_of
from gateway.assessment.tracing import MOST, Part, Traced, Where, behind, traced
from gateway.hub import Hub
from gateway.refusal import Refusal, plain
from gateway.views import View, row_view
from storage.assessment_editions import ClosedEdition, listed
from storage.facts import Facts

_Period = Annotated[str, Query(max_length=16, description="2026-10, 2026-10-03, 2026-W44, 2026-Q3, 2026")]
_By = Annotated[str, Query(max_length=32, description="district, street, community, grid, unit, system, ..., a post")]
_Edition = Annotated[
    int | None, Query(ge=0, le=100_000, description="0: of today; none: the latest closed one, else of today")
]
_Subject = Annotated[str, Query(max_length=100, description="id of who is assessed; *: all together")]
_OVERVIEW: dict[int | str, dict[str, object]] = {200: {"content": {"application/json": {"example": EXAMPLE}}}}
_Sort = Annotated[
    str, Query(max_length=101, description="rank, name, score, grade, group or a column; with `-` the largest first")
]
_Column = Annotated[str, Query(max_length=100, description="counter or rate")]


def assessment_routes(hub: Hub) -> APIRouter:
    """The routes. Figures, facts and differences are those of what who asks may see."""
    router = APIRouter(prefix="/api/assessment")
    store, city = hub.store, hub.configuration
    see, assess = allowed(hub, Right.SEE), of_the_city(hub, Right.ASSESS)

    @router.get("/sheet", summary="The assessment sheet of a period")
    async def sheet(
        who: Annotated[Who, Depends(see)], period: _Period, by: _By = "unit", edition: _Edition = None
    ) -> View:
        asked = {"period": plain(period), "by": plain(by)}
        return sheet_view(await sheet_of(hub, city, **asked, edition=edition, now=hub.now(), scope=who.scope))

    @router.get(
        "/overview", summary="What can be asked for: indicators, whom they are of, periods", responses=_OVERVIEW
    )
    async def whole_overview(_: Annotated[Who, Depends(see)]) -> View:
        return overview_view(await overview(store, city, now=hub.now()))

    @router.get("/rows", summary="The rows of a sheet: sorted, looked through, page by page")
    async def rows(
        who: Annotated[Who, Depends(see)], period: _Period, by: _By = "unit", edition: _Edition = None,
        sort: _Sort = "rank",
        text: Annotated[str, Query(max_length=100, description="part of a name, id or group")] = "",
        after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows at most")] = 50,
    ) -> View:  # fmt: skip
        made = await sheet_of(
            hub, city, plain(period), plain(by), edition=edition, now=hub.now(), scope=who.scope
        )  # fmt: skip
        return rows_view(made, rows_of(made, sort=plain(sort), text=plain(text), after=plain(after), limit=limit))

    @router.get("/trend", summary="One figure in this period and those before")
    async def over_periods(
        who: Annotated[Who, Depends(see)], period: _Period, column: _Column, by: _By = "unit", subject: _Subject = "*",
        periods: Annotated[int, Query(ge=1, le=MOST_PERIODS, description="how many, `period` the last of them")] = 12,
    ) -> View:  # fmt: skip
        where = Where(plain(period), plain(by), plain(subject), plain(column))
        return trend_view(*await trend(store, city, where, periods, now=hub.now(), scope=who.scope))

    @router.get("/figure", summary="One figure: its formula, and each counter it is made of")
    async def figure(
        who: Annotated[Who, Depends(see)], period: _Period, column: _Column, by: _By = "unit", subject: _Subject = "*",
        edition: _Edition = None,
    ) -> View:  # fmt: skip
        where = Where(plain(period), plain(by), plain(subject), plain(column), edition)
        return figure_view(await traced(store, city, where, now=hub.now(), scope=who.scope))

    @router.get("/facts", summary="The facts behind a figure, page by page; each names its case and its events")
    async def facts(
        who: Annotated[Who, Depends(see)], period: _Period, column: _Column, by: _By = "unit", subject: _Subject = "*",
        edition: _Edition = None,
        counter: Annotated[str, Query(max_length=100, description="one of the figure's; default: the first")] = "",
        after: Annotated[str, Query(max_length=1000, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="facts at most")] = 50,
    ) -> View:  # fmt: skip
        where = Where(plain(period), plain(by), plain(subject), plain(column), edition)
        page = await behind(
            store, city, where, counter=plain(counter), after=after, limit=limit, now=hub.now(), scope=who.scope
        )
        return {"items": [fact_view(one) for one in page.facts], "next": page.following}

    @router.get("/cases/{number}/facts", summary="The facts of one case: today, or after a run")
    async def of_case(
        who: Annotated[Who, Depends(see)],
        number: Annotated[str, Path(description="any number of the case")],
        run: Annotated[int | None, Query(ge=0, lt=2**31 - 1, description="of the facts; default: as they are")] = None,
    ) -> View:
        no = await hub.casebook.named(plain(number), scope=who.scope) or plain(number)
        found = await Facts(store, lambda _no, _events, _ends: []).of_case(no, run, scope=who.scope)
        if not found:
            raise Refusal(404, "unknown_case", f"there are no facts of a case {number[:64]}", "its journey: /api/cases")
        return {"items": [fact_view(one) for one in found]}

    @router.get("/editions", summary="Closed periods, each with its editions")
    async def editions(
        who: Annotated[Who, Depends(see)],
        period: Annotated[str, Query(max_length=16, description="of this period only")] = "",
    ) -> View:
        return {"items": [edition_view(one, who.scope) for one in await listed(store, plain(period))]}

    @router.get("/difference", summary="What two editions of a period have different, and the cases behind it")
    async def compare(
        who: Annotated[Who, Depends(see)],
        period: _Period,
        old: Annotated[int | None, Query(ge=1, le=100_000, description="default: the one before `new`")] = None,
        new: Annotated[int | None, Query(ge=1, le=100_000, description="default: the latest")] = None,
    ) -> View:
        found = await difference(store, city, plain(period), old, new, scope=who.scope)
        return difference_view(found, who.scope)

    @router.post("/editions", summary="Close a period, or correct a closed one: the next edition")
    async def close_period(
        who: Annotated[Who, Depends(assess)],
        period: Annotated[str, Body(embed=True, max_length=16)],
        actor: Annotated[str, Body(embed=True, max_length=100, description="who closes it, where a token asks")] = "",
        reason: Annotated[str, Body(embed=True, max_length=500, description="why; needed for a correction")] = "",
    ) -> View:
        by = acting(who, plain(actor))
        return row_view(await close(store, city, plain(period), by=by, reason=plain(reason), now=hub.now))

    return router


def fact_view(fact: Fact) -> View:
    """One fact as JSON; no person of the public is in it. Where its case may not be seen any more, none is named."""
    shown = row_view(fact)
    shown.pop("case_id")
    case = f"/api/cases/{fact.case_no}" if fact.case_no else None
    shown["case_no"] = fact.case_no or None
    return shown | {"case": case, "events": sorted({fact.seq, fact.done_seq} - {0})}


def edition_view(one: ClosedEdition, scope: Scope) -> View:
    """An edition as JSON. Why it was corrected may name any case: only who sees the whole city reads it."""
    return row_view(one) | ({} if scope.whole else {"reason": None})


def figure_view(one: Traced) -> View:
    """A figure and its parts as JSON."""
    shown: dict[str, Any] = {
        name: getattr(one, name)
        for name in ("period", "by", "subject", "column", "title", "edition", "run", "rules", "formula")
    }
    figure = {
        "value": one.figure.value, "numerator": one.figure.numerator, "denominator": one.figure.denominator,
        "no_base": one.figure.value is None,
    }  # fmt: skip
    return shown | figure | {"parts": [_part_view(part) for part in one.parts]}


def _part_view(part: Part) -> View:
    counter = part.counter
    rule = counter.model_dump(mode="json", exclude_defaults=True, exclude={"id", "title"})
    return {
        "counter": counter.id, "title": counter.title, "place": part.place, "sign": part.sign, "value": part.value,
        "rule": rule,
    }  # fmt: skip


def difference_view(one: Difference, scope: Scope) -> View:
    """What is different, as JSON."""
    return {
        "old": edition_view(one.old, scope), "new": edition_view(one.new, scope), "rules_changed": one.rules_changed,
        "figures": [row_view(figure) for figure in one.figures],
    }  # fmt: skip
