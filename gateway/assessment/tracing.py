"""From a figure down to what it is made of: facts, then the case's events, then the messages that caused them."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from assessment.period import period_of
from assessment.scoring import figure, formula
from assessment.sheet import Figure
from assessment.yaml_file import near
from canonical.errors import ContractViolation
from canonical.fact import Fact
from canonical.indicator import Counter
from canonical.rights import Scope
from gateway.assessment.sheets import Asked, UnknownFigure, asked_for, reading
from gateway.configuration import Configuration
from storage.assessing import TOTAL, Position, count, facts, position
from storage.store import Store

MOST = 500


@dataclass(frozen=True, slots=True)
class Part:
    """A counter of a figure: with what sign it stands above or below the line, and how much it is."""

    counter: Counter
    place: str
    """`numerator` or `denominator`; of a count `numerator`."""
    sign: int
    value: float


@dataclass(frozen=True, slots=True)
class Traced:
    """One figure, and the counters it is made of."""

    period: str
    by: str
    subject: str
    column: str
    title: str
    edition: int
    run: int
    rules: str
    formula: str
    figure: Figure
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Facts behind one counter, in the order of time."""

    facts: tuple[Fact, ...]
    following: str | None
    """What to ask on with; None: that was all."""


@dataclass(frozen=True, slots=True)
class Where:
    """A figure's place. `subject` of all together is `*`; `edition` None: the latest closed one, else today's."""

    period: str
    by: str
    subject: str
    column: str
    edition: int | None = None


async def traced(
    store: Store, configuration: Configuration, where: Where, *, now: datetime, scope: Scope
) -> Traced:  # fmt: skip
    """The figure, counted by the facts and rules of its edition. Raises UnknownFigure, NoPeriod."""
    async with reading(store) as connection:
        return await traced_in(connection, configuration, where, now=now, scope=scope)


async def traced_in(
    connection: AsyncConnection, configuration: Configuration, where: Where, *, now: datetime, scope: Scope
) -> Traced:
    """As `traced`, in a transaction that is open."""
    asked = await _asked(connection, configuration, where, now, scope)
    counters = [asked.rules.counters[name] for name in asked.rules.counters_of(where.column)]
    whose = None if where.subject == TOTAL else where.subject
    counts = await count(connection, counters, asked.extent, whose)
    own = counts.get(where.subject, {})
    rate = asked.rules.rates.get(where.column)
    title = rate.title if rate else asked.rules.counters[where.column].title
    terms = [("numerator", term) for term in (rate.numerator if rate else (where.column,))]
    terms += [("denominator", term) for term in (rate.denominator if rate else ())]
    parts = tuple(_part(asked, place, term, own) for place, term in terms)
    return Traced(
        asked.period.name, where.by, where.subject, where.column, title, asked.edition, asked.extent.run,
        asked.rules.edition, formula(rate, asked.rules) if rate else title,
        figure(own, where.column, asked.rules), parts,
    )  # fmt: skip


async def behind(
    store: Store, configuration: Configuration, where: Where, *, counter: str = "", after: str = "", limit: int = 50,
    now: datetime, scope: Scope,
) -> Page:  # fmt: skip
    """The facts of one counter of the figure; of a rate its first where none is named. Raises as `traced`."""
    async with reading(store) as connection:
        asked = await _asked(connection, configuration, where, now, scope)
        names = list(asked.rules.counters_of(where.column))
        if counter and counter not in names:
            raise UnknownFigure(f"'{where.column}' is not made of '{counter[:64]}'{near(counter, names)}", at="counter")
        chosen = asked.rules.counters[counter or names[0]]
        whose = None if where.subject == TOTAL else where.subject
        found = await facts(
            connection, chosen, asked.extent, whose, limit=limit + 1, after=_read(after) if after else None
        )  # fmt: skip
    following = _written(position(chosen, found[limit - 1])) if len(found) > limit else None
    return Page(tuple(found[:limit]), following)


async def _asked(
    connection: AsyncConnection, configuration: Configuration, where: Where, now: datetime, scope: Scope
) -> Asked:  # fmt: skip
    span = period_of(where.period)
    asked = await asked_for(connection, configuration, span, where.by, edition=where.edition, now=now, scope=scope)
    if where.column not in asked.rules.counters and where.column not in asked.rules.rates:
        known = [*asked.rules.counters, *asked.rules.rates]
        raise UnknownFigure(f"there is no '{where.column[:64]}'{near(where.column, known)}", at="column")
    return asked


def _part(asked: Asked, place: str, term: str, own: dict[str, float]) -> Part:
    name = term.removeprefix("-")
    return Part(asked.rules.counters[name], place, -1 if term.startswith("-") else 1, own.get(name, 0.0))


def _written(at: Position) -> str:
    said = [at.at.isoformat(), str(at.case_id), at.seq, at.what, at.unit]
    return base64.urlsafe_b64encode(json.dumps(said, ensure_ascii=False).encode()).decode()


def _read(text: str) -> Position:
    try:
        at, case_id, seq, what, unit = json.loads(base64.urlsafe_b64decode(text.encode()))
        if not (isinstance(what, str) and isinstance(unit, str) and isinstance(seq, int)) or "\0" in what + unit:
            raise ValueError
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not 0 <= seq < 2**31:
            raise ValueError
        return Position(moment, UUID(case_id), seq, what, unit)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise ContractViolation("`after` is not what a page before gave as `next`", at="after") from None
