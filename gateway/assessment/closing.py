"""Closing a period: its figures become an edition that never changes; a correction is the next edition, with a diff."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from assessment.period import Period, period_of
from assessment.rulebook import Rulebook
from assessment.sheet import Assessed, Sheet
from assessment.sheet_json import sheet_from, sheet_json
from canonical.errors import Unacceptable, Why
from canonical.rights import EVERYTHING, Scope
from gateway.assessment.facts import spending
from gateway.assessment.people import merged
from gateway.assessment.sheets import UnknownFigure, made, of_edition, of_today, reading, rules_of
from gateway.configuration import Configuration
from storage.assessing import changed
from storage.assessment_editions import ClosedEdition, add, latest, listed, read, rulebook, sheets
from storage.fact_sql import Extent
from storage.facts import LOCK, Facts, alone
from storage.store import Store

SHOWN_CASES = 20
"""Numbers of cases that stand behind one changed figure."""


class CannotClose(Unacceptable):
    """The period cannot be closed now, or not so."""

    why = Why.NOT_ALLOWED


@dataclass(frozen=True, slots=True)
class Changed:
    """One figure that is another one in the later edition."""

    by: str
    id: str
    name: str
    column: str
    title: str
    old: float | None
    new: float | None
    cases: tuple[str, ...] = ()
    """Numbers of cases that are counted otherwise, at most SHOWN_CASES; none where only a rule was changed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What two editions of a period have different."""

    old: ClosedEdition
    new: ClosedEdition
    rules_changed: bool
    figures: tuple[Changed, ...]


async def close(
    store: Store, configuration: Configuration, period: str, *, by: str, reason: str, now: Callable[[], datetime]
) -> ClosedEdition:
    """Close a period, or correct it: the next edition, of facts that are brought up to date first.

    Raises CannotClose while it lasts, without a reason for a correction, and where nothing would change.
    """
    span, rules = period_of(period), rules_of(configuration)
    at = now()
    if at < span.last:
        raise CannotClose(f"{span} lasts until {span.last:%Y-%m-%d %H:%M}: it is closed when it is over", at="period")
    run = await Facts(store, spending(configuration)).update(now, end=None if span.ends_a_month else span.last)
    async with store.transaction() as transaction:
        connection = transaction.connection
        await alone(connection, LOCK)
        before = await latest(connection, span.name)
        if before and not reason.strip():
            raise CannotClose(f"{span} is closed: say why it is corrected (reason)", at="reason")
        contents = {}
        for whom in rules.sheets or ("unit",):
            asked = await of_today(connection, configuration, span, whom, now=at, scope=EVERYTHING)
            counted = await made(connection, configuration, asked, edition=before + 1)
            run_number, contents[whom] = counted.run, sheet_json(counted)
        if before and not await _differs(connection, span, before, contents):
            raise CannotClose(f"{span}: nothing is different from edition {before}", at="period")
        edition = ClosedEdition(
            span.name, before + 1, run_number if contents else run.number, rules.edition, span.first, span.last,
            span.last, at, by, reason, "",
        )  # fmt: skip
        frozen = rules.model_copy(update={"successors": dict(merged(configuration, span))})
        return await add(connection, edition, frozen.model_dump_json(by_alias=True), contents)


async def _differs(connection: AsyncConnection, period: Period, edition: int, contents: Mapping[str, str]) -> bool:
    kept = {by: sheet_from(text) for by, text in (await sheets(connection, period.name, edition)).items()}
    now = {by: sheet_from(text) for by, text in contents.items()}
    return set(kept) != set(now) or any(next(_changes(kept[by], now[by]), None) is not None for by in now)


async def difference(
    store: Store, configuration: Configuration, period: str, old: int | None = None, new: int | None = None, *,
    scope: Scope,
) -> Difference:  # fmt: skip
    """What edition `new` (the latest) has different from `old` (the one before), in the scope. Raises UnknownFigure."""
    span = period_of(period)
    name = span.name
    async with reading(store) as connection:
        last = new or await latest(connection, name)
        first = old if old is not None else last - 1
        found = [await read(connection, name, number) for number in (first, last)]
        if found[0] is None or found[1] is None:
            has = ", ".join(str(one.edition) for one in await listed(store, name)) or "none"
            wanted = f"editions {first} and {last}" if first > 0 else "two editions"
            raise UnknownFigure(f"{name} has no {wanted} to compare; there is: {has}", at="edition")
        rules = [Rulebook.model_validate_json(await rulebook(connection, name, n)) for n in (first, last)]
        old_sheets, new_sheets = [
            await _sheets(connection, configuration, span, number, scope) for number in (first, last)
        ]
        figures = []
        for by in new_sheets:
            if by in old_sheets:
                before, after = old_sheets[by], new_sheets[by]
                changes = list(_changes(before, after))
                figures += [await _traced(connection, one, rules, before, after, scope) for one in changes]
    return Difference(found[0], found[1], rules[0] != rules[1], tuple(figures))


async def _sheets(
    connection: AsyncConnection, configuration: Configuration, period: Period, edition: int, scope: Scope
) -> dict[str, Sheet]:
    """The sheets of an edition as they were closed; of a part of the city counted from its facts."""
    kept = await sheets(connection, period.name, edition)
    if scope.whole:
        return {by: sheet_from(content) for by, content in kept.items()}
    asked = {by: await of_edition(connection, period, by, edition, scope=scope) for by in kept}
    return {by: await made(connection, configuration, one) for by, one in asked.items()}


def _changes(before: Sheet, after: Sheet) -> Iterator[Changed]:
    titles = {one.id: one.title for one in (*before.columns, *after.columns)}
    rows = [{one.id: one for one in (*sheet.rows, sheet.total)} for sheet in (before, after)]
    for whose in dict.fromkeys((*rows[0], *rows[1])):
        old, new = rows[0].get(whose), rows[1].get(whose)
        name = (new or old or before.total).name
        for column, title in titles.items():
            values = (_value(old, column), _value(new, column))
            if values[0] != values[1]:
                yield Changed(before.by, whose, name, column, title, *values)
        scores = (old.score if old else None, new.score if new else None)
        if scores[0] != scores[1]:
            yield Changed(before.by, whose, name, "score", "得分", *scores)


def _value(row: Assessed | None, column: str) -> float | None:
    figure = row.figures.get(column) if row else None
    return figure.value if figure else None


async def _traced(
    connection: AsyncConnection, one: Changed, rules: list[Rulebook], before: Sheet, after: Sheet, scope: Scope
) -> Changed:  # fmt: skip
    """With the cases behind it."""
    cases: set[str] = set()
    extents = [
        Extent(
            first=sheet.first,
            end=sheet.as_of,
            run=sheet.run,
            by=one.by,
            successors=of.successors,
            as_at=sheet.last,
            scope=scope,
        )
        for sheet, of in zip((before, after), rules, strict=True)
    ]
    for name in rules[1].counters_of(one.column):
        counter = rules[1].counters[name]
        if rules[0].counters.get(name) == counter:
            whose = None if one.id == "*" else one.id
            cases |= set(await changed(connection, counter, extents[0], extents[1], whose, limit=SHOWN_CASES))
    return Changed(
        one.by, one.id, one.name, one.column, one.title, one.old, one.new, tuple(sorted(cases)[:SHOWN_CASES])
    )  # fmt: skip
