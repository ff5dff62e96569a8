"""Counting the facts: what each of those who are assessed has of each counter, and the facts behind a figure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.fact import Fact
from canonical.indicator import NUMBERS, By, Counter
from canonical.rights import Scope
from storage.fact_scoping import numbered, told
from storage.fact_sql import SUBJECTS, Extent, Statement
from storage.facts import COLUMNS
from storage.scoping import values as scope_values

Counts = dict[str, dict[str, float]]
"""Who, which counter, how much."""
TOTAL = "*"
"""Stands for all of them together, those included of whom nobody is known."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of facts ended."""

    at: datetime
    case_id: UUID
    seq: int
    what: str
    unit: str


async def count(
    connection: AsyncConnection, counters: Iterable[Counter], extent: Extent, subject: str | None = None
) -> Counts:
    """What everybody has of each counter, or one alone; under TOTAL all together. What nobody is known of: under ""."""
    found: Counts = defaultdict(lambda: defaultdict(float))
    given = list(counters)
    for whats, some in _by_what([one for one in given if not one.cases]).items():
        await _facts_counted(connection, whats, some, extent, subject, found)
    for counter in given:
        if counter.cases:
            await _cases_counted(connection, counter, extent, subject, found)
    return found


def _by_what(counters: Sequence[Counter]) -> Mapping[str, list[Counter]]:
    """Each sub-query reads one kind of fact, and tests each row by its own counters only."""
    grouped: dict[str, list[Counter]] = defaultdict(list)
    for counter in counters:
        for what in counter.what:
            grouped[what].append(counter)
    return grouped


async def _facts_counted(
    connection: AsyncConnection,
    what: str,
    counters: Sequence[Counter],
    extent: Extent,
    whose: str | None,
    found: Counts,
) -> None:
    statement = Statement(extent)
    columns = [f"{_measure(one)} FILTER (WHERE {statement.condition(one)}) AS c{n}" for n, one in enumerate(counters)]
    where = [statement.of_whats([what]), statement.known, f"({statement.periods(counters)})", *statement.whose(whose)]
    query = (
        f"SELECT {statement.subject} AS subject, {', '.join(columns)} FROM fact WHERE {' AND '.join(where)}"  # noqa: S608
        " GROUP BY 1"
    )
    for subject, *numbers in await connection.execute(text(query), statement.values):
        for counter, number in zip(counters, numbers, strict=True):
            found[subject][counter.id] += float(number or 0)
            found[TOTAL][counter.id] += float(number or 0)


def _measure(counter: Counter) -> str:
    if not counter.sum:
        return "count(*)"
    if counter.sum not in NUMBERS:
        raise ValueError(f"'{counter.sum}' of a fact cannot be added up")
    return f"sum({counter.sum})"


async def _cases_counted(
    connection: AsyncConnection, counter: Counter, extent: Extent, whose: str | None, found: Counts
) -> None:
    """Each case once for everybody, and once in the total, whoever it is of."""
    statement = Statement(extent)
    where = [
        statement.of_whats(counter.what), statement.known, statement.condition(counter), *statement.whose(whose),
    ]  # fmt: skip
    query = f"""
        WITH one AS (SELECT DISTINCT {statement.subject} AS subject, case_id FROM fact WHERE {" AND ".join(where)})
        SELECT subject, count(*) FROM one GROUP BY 1
        UNION ALL SELECT :total, count(DISTINCT case_id) FROM one"""  # noqa: S608
    for subject, number in await connection.execute(text(query), statement.values | {"total": TOTAL}):
        found[subject][counter.id] += float(number)


async def facts(
    connection: AsyncConnection, counter: Counter, extent: Extent, subject: str | None, *, limit: int,
    after: Position | None = None,
) -> list[Fact]:  # fmt: skip
    """The facts that a counter counted, in the order of time. `subject` None: of all.

    A case that has left the scope since has no number here: it is counted, and seen no more.
    """
    statement = Statement(extent)
    order = statement.order(counter, subject)
    where = [statement.of_whats(counter.what), statement.known, statement.condition(counter)]
    where += statement.whose(subject)
    if after is not None:
        given = (after.at, after.case_id, after.seq, after.what, after.unit)
        where.append(f"({order}) > ({', '.join(statement.value(value) for value in given)})")
    query = f"SELECT {_listed(extent.scope)} FROM fact WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :limit"  # noqa: S608
    rows = await connection.execute(text(query), statement.values | {"limit": limit})
    return [Fact(**row) for row in rows.mappings()]


def _listed(scope: Scope) -> str:
    return ", ".join(numbered(scope) if name == "case_no" else name for name in COLUMNS)


def position(counter: Counter, fact: Fact) -> Position:
    """Where this fact stands in the order of `facts`."""
    at = {By.DUE: fact.due_at, By.DONE: fact.done_at}.get(counter.by, fact.at)
    assert at is not None  # it would not have been counted
    return Position(at, fact.case_id, fact.seq, fact.what, fact.unit)


def is_subject(by: str) -> bool:
    """True when somebody can be assessed by this."""
    return by in SUBJECTS


async def changed(
    connection: AsyncConnection, counter: Counter, old: Extent, new: Extent, subject: str | None, *, limit: int
) -> list[str]:
    """Numbers of the cases that the counter counts in one of the two extents only, or another number of times; both of
    one scope, and only what it may be told.
    """
    parts: list[str] = []
    values: dict[str, object] = {"limit": limit}
    for name, extent in (("a", old), ("b", new)):
        statement = Statement(extent)
        where = [statement.of_whats(counter.what), statement.known, statement.condition(counter)]
        where += statement.whose(subject)
        measure = _measure(counter)
        query = f"SELECT case_no, {measure} AS number FROM fact WHERE {' AND '.join(where)} GROUP BY 1"  # noqa: S608
        for given in sorted(statement.values, key=len, reverse=True):
            query = query.replace(f":{given}", f":{name}_{given}")
        parts.append(f"{name} AS ({query})")
        values |= {f"{name}_{given}": value for given, value in statement.values.items()}
    values |= scope_values(new.scope)
    query = f"""
        WITH {", ".join(parts)} SELECT case_no FROM a FULL JOIN b USING (case_no)
         WHERE a.number IS DISTINCT FROM b.number AND {told(new.scope, "scoped.no = case_no")}
         ORDER BY 1 LIMIT :limit"""  # noqa: S608
    return list((await connection.execute(text(query), values)).scalars())
