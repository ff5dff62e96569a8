"""The assessment sheet of a period: of a closed edition as it was closed, or of the facts as they are now."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from assessment.period import Period, begun, period_of
from assessment.rulebook import Rulebook
from assessment.sheet import Sheet
from assessment.sheet_json import sheet_from
from assessment.sheets import Heading, sheet
from assessment.yaml_file import near
from canonical.errors import Misconfigured, Unacceptable, Why
from gateway.assessment.people import merged, people
from gateway.configuration import Configuration
from gateway.hub import Hub
from storage.assessing import count
from storage.assessment_editions import content, latest
from storage.fact_sql import SUBJECTS, Scope
from storage.facts import finished
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
    scope: Scope
    edition: int
    """0: the period is not closed, or today's figures are asked for."""


async def sheet_of(
    hub: Hub | Store, configuration: Configuration, period: str | Period, by: str, *, edition: int | None = None,
    now: datetime,
) -> Sheet:  # fmt: skip
    """The sheet of `period` by district, street, community, grid, unit, system, ... or a post.

    `edition` None: the latest closed one, else the figures of today; 0: those of today though it is closed; else that
    very edition, as it was closed. Raises NoPeriod, UnknownFigure for what there is not, Misconfigured where the city
    has no indicators.
    """
    store = hub if isinstance(hub, Store) else hub.store
    span = begun(period_of(period), now) if isinstance(period, str) else period
    subject(by)
    async with store.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        closed = await latest(connection, span.name) if edition is None else edition
        if closed:
            kept = await content(connection, span.name, closed, by)
            if kept is None:
                raise UnknownFigure(f"{span.name} has no edition {closed} with a sheet by {by}", at="edition")
            return sheet_from(kept)
        return await made(connection, configuration, span, by, now=now)


async def made(
    connection: AsyncConnection, configuration: Configuration, period: Period, by: str, *, now: datetime,
    edition: int = 0,
) -> Sheet:  # fmt: skip
    """The sheet, counted now."""
    asked = await of_today(connection, configuration, period, by, now=now)
    counts = await count(connection, asked.rules.needed(by), asked.scope)
    notes = [NO_FACTS] if not asked.scope.run else []
    heading = Heading(
        city=configuration.city.name, period=period, by=by, as_of=asked.scope.end, run=asked.scope.run, edition=edition,
        notes=notes,
    )  # fmt: skip
    return sheet(counts, asked.rules, people(configuration, by, period), heading)


async def of_today(
    connection: AsyncConnection, configuration: Configuration, period: Period, by: str, *, now: datetime
) -> Asked:  # fmt: skip
    """What a sheet of today is made of."""
    run = await finished(connection)
    scope = Scope(
        first=period.first, end=min(period.last, now), run=run.number if run else 0, by=by,
        successors=merged(configuration, period),
    )  # fmt: skip
    return Asked(period, by, rules_of(configuration), scope, 0)


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
