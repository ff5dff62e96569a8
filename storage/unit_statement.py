"""The facts of one unit's cases in a period, for its statement: of all that hold today."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import text

from canonical.fact import Fact
from canonical.rights import Scope
from storage.fact_scoping import counted, told
from storage.facts import LATEST_FACTS, OPEN
from storage.scoping import values
from storage.store import Store

MOST_CASES = 20_000
"""What one statement holds; a unit that has more in a period is asked for by week or day."""


async def unit_facts(
    store: Store, units: Collection[str], first: datetime, last: datetime, *, scope: Scope
) -> tuple[Sequence[Fact], int]:
    """The facts of these units of every case that they had, did or owed in this time, as far as the scope sees it; how
    many cases are left out.
    """
    given = {"units": list(units), "first": first, "last": last, "limit": MOST_CASES} | values(scope)
    within = {"within": counted(scope), "told": told(scope, "scoped.id = fact.case_id")}
    async with store.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        cases = (await connection.execute(text(_HOW_MANY.format(**within)), given)).scalar_one()
        rows = await connection.execute(text(_FACTS.format(**within)), given)
        return [Fact(**row) for row in rows.mappings()], max(0, cases - MOST_CASES)


_HOLDS = f"until_run = {OPEN} AND {LATEST_FACTS} AND unit = ANY(CAST(:units AS text[])) AND {{within}}"
_COLUMNS = ", ".join(field.name for field in fields(Fact))
# A clock that touches the period: begun in it, due in it, stopped in it, or still running at its end. And returns.
_TOUCHED = f"""
SELECT DISTINCT case_id, case_no FROM fact
 WHERE {_HOLDS} AND at < :last AND {{told}}
   AND (what IN ('clock.disposal', 'clock.joint') AND (at >= :first OR done_seq = 0
          OR (done_seq > seq AND done_at >= :first) OR (due_at >= :first AND due_at < :last))
        OR what = 'action.return' AND at >= :first)"""  # noqa: S608 words of our own
_HOW_MANY = f"SELECT count(*) FROM ({_TOUCHED}) t"  # noqa: S608
_FACTS = f"""
WITH t AS ({_TOUCHED} ORDER BY case_no LIMIT :limit)
SELECT {_COLUMNS} FROM fact JOIN t USING (case_id, case_no)
 WHERE {_HOLDS} AND at < :last AND (what LIKE 'clock.%' OR what = 'action.return')
 ORDER BY case_no, seq
"""  # noqa: S608 words of our own
