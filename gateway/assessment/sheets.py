"""The assessment sheet of a period: of a closed edition as it was closed, or of the facts as they are now."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from assessment.period import Period, begun, period_of
from assessment.rulebook import Rulebook
from assessment.sheet import Assessed, Sheet
from assessment.sheet_json import sheet_from
from assessment.sheets import Heading, sheet
from assessment.yaml_file import near
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.rights import Scope
from canonical.time import in_shanghai
from gateway.assessment.people import merged, people, within
from gateway.configuration import Configuration
from gateway.hub import Hub
from storage.assessing import count
from storage.assessment_editions import content, latest, read, rulebook
from storage.fact_sql import SUBJECTS, Extent
from storage.facts import finished, kept_as_at, opened_at
from storage.store import Store

NO_FACTS = "尚未更新考核数据: 先运行 gridhub assess update (夜间由时钟进程自动更新)"


class UnknownFigure(Unacceptable):
    """There is no such sheet, edition, figure."""

    why = Why.UNKNOWN_MESSAGE


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sheet: of what time, by whom, by which rules and facts."""

    period: Period
    by: str
    rules: Rulebook
    extent: Extent
    edition: int
    """0: the period is not closed, or today's figures are asked for."""


async def sheet_of(
    hub: Hub | Store, configuration: Configuration, period: str | Period, by: str, *, edition: int | None = None,
    now: datetime, scope: Scope,
) -> Sheet:  # fmt: skip
    """The sheet of `period` by district, street, community, grid, unit, system, ... or a post.

    `edition` None: the latest closed one, else the figures of today; 0: those of today though it is closed; else that
    very edition, as it was closed. Of a part of the city it is counted from the edition's facts in the scope. Raises
    NoPeriod, UnknownFigure for what there is not, Misconfigured where the city has no indicators.
    """
    store = hub if isinstance(hub, Store) else hub.store
    span = begun(period_of(period), now) if isinstance(period, str) else period
    async with reading(store) as connection:
        asked = await asked_for(connection, configuration, span, by, edition=edition, now=now, scope=scope)
        closed = asked.edition and scope.whole
        kept = await content(connection, span.name, asked.edition, by) if closed else None
        if kept is not None:
            return sheet_from(kept)
        return await made(connection, configuration, asked)


@asynccontextmanager
async def reading(store: Store) -> AsyncIterator[AsyncConnection]:
    """A transaction that sees one moment, whatever an update of the facts removes meanwhile."""
    async with store.transaction() as transaction:
        await transaction.connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield transaction.connection


async def made(connection: AsyncConnection, configuration: Configuration, asked: Asked, *, edition: int = 0) -> Sheet:
    """The sheet, counted now; as edition `edition` where it is about to be closed."""
    scope = asked.extent.scope
    counts = await count(connection, asked.rules.needed(asked.by), asked.extent)
    told = await opened_at(connection, asked.extent.run)
    heading = Heading(
        city=configuration.city.name, period=asked.period, by=asked.by, as_of=asked.extent.end, run=asked.extent.run,
        edition=edition or asked.edition, notes=_notes(configuration, asked.extent),
        facts_at=in_shanghai(told) if told else None,
    )  # fmt: skip
    found = sheet(counts, asked.rules, people(configuration, asked.by, asked.period), heading)
    return found if scope.whole else replace(found, rows=_compared(found.rows))


def _notes(configuration: Configuration, extent: Extent) -> list[str]:
    notes = [] if extent.run else [NO_FACTS]
    if not extent.scope.whole:
        notes.append(f"只统计可见范围内的数据（{within(configuration, extent.scope)}），得分与名次只在此范围内比较")
    return notes


def _compared(rows: Sequence[Assessed]) -> list[Assessed]:
    """Who is alone in a group, because the others are not seen, is not the first of it."""
    sizes = Counter(row.group for row in rows)
    return [row if sizes[row.group] > 1 else replace(row, rank=None) for row in rows]


async def asked_for(
    connection: AsyncConnection, configuration: Configuration, period: Period, by: str, *, edition: int | None,
    now: datetime, scope: Scope,
) -> Asked:  # fmt: skip
    """What a sheet is made of: the facts and rules of its edition, or today's. Raises UnknownFigure, Misconfigured."""
    subject(by)
    closed = await latest(connection, period.name) if edition is None else edition
    if closed:
        return await of_edition(connection, period, by, closed, scope=scope)
    return await of_today(connection, configuration, period, by, now=now, scope=scope)


async def of_edition(connection: AsyncConnection, period: Period, by: str, edition: int, *, scope: Scope) -> Asked:
    """What a sheet of a closed edition is made of. Raises UnknownFigure."""
    found = await read(connection, period.name, edition)
    if found is None:
        raise UnknownFigure(f"{period} has no edition {edition}", at="edition")
    rules = Rulebook.model_validate_json(await rulebook(connection, period.name, edition))
    extent = Extent(
        first=found.first, end=found.as_of, run=found.run, by=by, successors=rules.successors, as_at=found.last,
        scope=scope,
    )  # fmt: skip
    return Asked(period, by, rules, extent, edition)


async def of_today(
    connection: AsyncConnection, configuration: Configuration, period: Period, by: str, *, now: datetime, scope: Scope
) -> Asked:  # fmt: skip
    """What a sheet of today is made of."""
    run = await finished(connection)
    number = run.number if run else 0
    over = period.last <= now and (period.ends_a_month or await kept_as_at(connection, period.last, number))
    extent = Extent(
        first=period.first, end=min(period.last, now), run=number, by=by, successors=merged(configuration, period),
        as_at=period.last if over else None, scope=scope,
    )  # fmt: skip
    return Asked(period, by, rules_of(configuration), extent, 0)


def rules_of(configuration: Configuration) -> Rulebook:
    """The city's rules. Raises Misconfigured where it has none."""
    if configuration.rules is None:
        raise Misconfigured("the city has no indicators: `assessment` of city.yaml names their folder")
    return configuration.rules


def subject(by: str) -> str:
    """Whom is assessed. Raises UnknownFigure with what there is."""
    if by not in SUBJECTS:
        raise UnknownFigure(f"nobody is assessed by '{by[:32]}'{near(by, SUBJECTS)}", at="by")
    return by
