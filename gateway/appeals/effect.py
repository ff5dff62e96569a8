"""What an appeal changes in the figures when it is upheld: the unit's row of its month as it is, and as it would be."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from assessment.period import Span, containing
from assessment.sheet import Assessed, Sheet
from assessment.sheets import Heading, sheet
from canonical.case import Case
from canonical.clock import Clock
from canonical.rights import Scope
from canonical.time import in_shanghai
from gateway.assessment.people import people
from gateway.assessment.sheets import Asked, of_today, reading
from gateway.configuration import Configuration
from storage.assessing import count
from storage.assessment_editions import latest
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of the unit."""

    column: str
    title: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """Before and after, by the facts of today. A closed period takes it over only by a new edition."""

    period: str
    unit: str
    run: int
    edition: int
    """The latest closed one; 0: it is not closed yet."""
    changes: tuple[Change, ...]


async def effect(
    store: Store, configuration: Configuration, case: Case, *, now: datetime, scope: Scope
) -> Effect | None:
    """What upholding an appeal changes, or has changed where the case is exempt already. None: nobody led it, it had
    no limit, or the city has no indicators.
    """
    unit, due = case.assignment.unit if case.assignment else "", _due(case)
    if not unit or due is None or configuration.rules is None:
        return None
    period = containing(Span.MONTH, in_shanghai(due).date())
    if period.first > in_shanghai(now):
        return None
    async with reading(store) as connection:
        asked = await of_today(connection, configuration, period, "unit", now=now, scope=scope)
        rows = [await _row(connection, configuration, asked, (case.id, exempt), unit) for exempt in (False, True)]
        closed = await latest(connection, period.name)
    return Effect(period.name, unit, asked.extent.run, closed, tuple(_changes(*rows)))


async def _row(
    connection: AsyncConnection, configuration: Configuration, asked: Asked, as_if: tuple[UUID, bool], unit: str
) -> tuple[Sheet, Assessed | None]:
    extent = replace(asked.extent, as_if=as_if)
    counts = await count(connection, asked.rules.needed("unit"), extent, unit)
    heading = Heading(
        city=configuration.city.name, period=asked.period, by="unit", as_of=extent.end, run=extent.run
    )  # fmt: skip
    made = sheet(counts, asked.rules, people(configuration, "unit", asked.period), heading)
    return made, next((row for row in made.rows if row.id == unit), None)


def _changes(before: tuple[Sheet, Assessed | None], after: tuple[Sheet, Assessed | None]) -> Iterator[Change]:
    for column in before[0].columns:
        old, new = (_value(row, column.id) for _, row in (before, after))
        if old != new:
            yield Change(column.id, column.title, old, new)
    scores = [row.score if row else None for _, row in (before, after)]
    if scores[0] != scores[1]:
        yield Change("score", "得分", scores[0], scores[1])


def _value(row: Assessed | None, column: str) -> float | None:
    figure = row.figures.get(column) if row else None
    return figure.value if figure else None


def _due(case: Case) -> datetime | None:
    """When its disposal was due: the month that counts it."""
    disposal = case.clock(Clock.DISPOSAL)
    return disposal.due.at if disposal is not None and disposal.due is not None else None
