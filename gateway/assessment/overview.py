"""What an assessment can be asked for: indicators, whom they are of, periods; and one figure over several periods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from assessment.period import Period, Span, begun, containing, period_of
from assessment.rulebook import Rulebook
from assessment.sheet import Column, Figure
from assessment.sheets import SUBJECT_TITLES, column_of
from canonical.rights import Scope
from canonical.time import in_shanghai
from gateway.assessment.sheets import UnknownFigure, reading, rules_of
from gateway.assessment.tracing import Traced, Where, traced_in
from gateway.configuration import Configuration
from storage.assessment_editions import ClosedEdition, listed
from storage.facts import finished, first_day
from storage.store import Store

MOST_PERIODS = 36
"""Of each kind that are listed, the newest first; earlier ones can be asked for all the same."""
_LISTED = (Span.MONTH, Span.QUARTER, Span.YEAR)
_OPEN, _RUNNING, _CLOSED = "open", "running", "closed"


@dataclass(frozen=True, slots=True)
class Asking:
    """A period that may be asked for."""

    name: str
    title: str
    span: Span
    first: datetime
    last: datetime
    state: str
    """`running`: it has not ended; `open`: it has, and is not closed; `closed`."""
    edition: int
    """The latest; 0: it is not closed."""
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subjects:
    """One kind of those who are assessed."""

    id: str
    title: str
    columns: Sequence[str]
    scored: bool
    """They have scores and grades."""
    sheet: bool
    """A sheet of theirs is kept when a period is closed."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All that can be asked for."""

    rules: str
    run: int
    facts_at: datetime | None
    indicators: Sequence[Column]
    by: Sequence[Subjects]
    periods: Sequence[Asking]


@dataclass(frozen=True, slots=True)
class Point:
    """One figure in one period. `figure` None: its rules did not have it."""

    period: Period
    edition: int
    run: int
    rules: str
    figure: Figure | None


async def overview(store: Store, configuration: Configuration, *, now: datetime) -> Overview:
    """What there is, as the rules of today have it. Raises Misconfigured where the city has no indicators."""
    rules = rules_of(configuration)
    closed = await listed(store)
    async with reading(store) as connection:
        run, first = await finished(connection), await first_day(connection)
    return Overview(
        rules=rules.edition, run=run.number if run else 0, facts_at=in_shanghai(run.opened_at) if run else None,
        indicators=[column_of(name, rules) for name in (*rules.counters, *rules.rates)],
        by=[_subjects(by, title, rules) for by, title in SUBJECT_TITLES.items()],
        periods=list(_periods(first, closed, in_shanghai(now))),
    )  # fmt: skip


async def trend(
    store: Store, configuration: Configuration, where: Where, periods: int, *, now: datetime, scope: Scope
) -> tuple[Traced, list[Point]]:
    """The figure in its period, and in so many periods of the same kind, the last one last.

    Each is of its latest closed edition, else of today. Raises UnknownFigure, NoPeriod.
    """
    span = begun(period_of(where.period), now)
    spans = [span]
    while len(spans) < periods:
        spans.append(spans[-1].before())
    async with reading(store) as connection:
        last = await traced_in(connection, configuration, where, now=now, scope=scope)
        earlier = [await _point(connection, configuration, where, one, now, scope) for one in reversed(spans[1:])]
    return last, [*earlier, Point(span, last.edition, last.run, last.rules, last.figure)]


async def _point(
    connection: AsyncConnection, configuration: Configuration, where: Where, span: Period, now: datetime, scope: Scope
) -> Point:
    asked = replace(where, period=span.name, edition=None)
    try:
        found = await traced_in(connection, configuration, asked, now=now, scope=scope)
    except UnknownFigure:  # the rules that it was closed by
        return Point(span, 0, 0, "", None)
    return Point(span, found.edition, found.run, found.rules, found.figure)


def _subjects(by: str, title: str, rules: Rulebook) -> Subjects:
    scheme = rules.schemes.get(by)
    scored = scheme is not None and not scheme.rank_by
    return Subjects(by, title, rules.columns(by), scored, by in (rules.sheets or ("unit",)))


def _periods(first: date | None, closed: Sequence[ClosedEdition], now: datetime) -> Iterator[Asking]:
    """Months, quarters and years since the first fact, and whatever else is closed; the newest first of each kind."""
    latest = {one.period: one for one in sorted(closed, key=lambda one: one.edition)}
    told: set[str] = set()
    for span in _LISTED:
        period = containing(span, now.date())
        for _ in range(MOST_PERIODS):
            if first is None or period.ends <= first:
                break
            told.add(period.name)
            yield _asking(period, latest.get(period.name), now)
            period = period.before()
    others = (period_of(name) for name in latest if name not in told)
    for period in sorted(others, key=lambda one: (one.span, one.begins), reverse=True):
        yield _asking(period, latest[period.name], now)


def _asking(period: Period, closed: ClosedEdition | None, now: datetime) -> Asking:
    state = _CLOSED if closed else _RUNNING if period.last > now else _OPEN
    edition, at = (closed.edition, in_shanghai(closed.closed_at)) if closed else (0, None)
    return Asking(period.name, period.title, period.span, period.first, period.last, state, edition, at)
