"""What a briefing counts, read from the facts of assessment that hold today: two grouped statements a period.

No person and no words are read: numbers of cases, units, systems, divisions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text

from canonical.rights import Scope
from storage.fact_scoping import counted, told
from storage.facts import LATEST_FACTS, OPEN
from storage.scoping import values
from storage.store import Store

Row = Mapping[str, Any]
MOST_WATCHED = 500
"""Cases of each kind that are named."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, and until when something is due soon."""

    first: datetime
    last: datetime
    near: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """All that was read, of one moment."""

    now: Sequence[Row]
    """unit, system, source, district and counts."""
    before: Sequence[Row]
    trend: Sequence[tuple[date, str, int]]
    """(day, reported or disposed or closed, how many)."""
    supervised: Sequence[Row]
    """case_no, unit, supervised, due_at."""
    joint_late: Sequence[Row]
    """case_no, unit, what, due_at."""


async def read(store: Store, now: Span, before: Span, since: datetime, *, scope: Scope) -> Read:
    """The counts of both spans, the days from `since` on, and the cases to be named: those of the scope."""
    within = {"within": counted(scope), "told": told(scope, "scoped.id = fact.case_id")}
    async with store.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))

        async def rows(statement: str, **given: object) -> Sequence[Row]:
            found = await connection.execute(text(statement.format(**within)), given | values(scope))
            return [dict(row) for row in found.mappings()]

        async def tallied(span: Span) -> Sequence[Row]:
            given = {"first": span.first, "last": span.last}
            return [*await rows(_ACTIONS, **given), *await rows(_CLOCKS, near=span.near, **given)]

        days = await rows(_TREND, first=since, last=now.last)
        end = {"last": now.last, "limit": MOST_WATCHED}
        return Read(
            now=await tallied(now), before=await tallied(before),
            trend=[(row["day"], row["what"], row["count"]) for row in days],
            supervised=await rows(_SUPERVISED, **end), joint_late=await rows(_JOINT, first=now.first, **end),
        )  # fmt: skip


_HOLDS = f"until_run = {OPEN} AND {LATEST_FACTS} AND {{within}}"
_STANDS = "stage NOT IN ('cancelled', 'merged')"
_RUNS = "at < :last AND (done_seq = 0 OR (done_seq > seq AND done_at >= :last))"
_DIMENSIONS = "unit, system, source, left(area, 6) AS district"
_COUNTED = {
    "reported": "what = 'action.collect'",
    "filed": "what = 'action.file'",
    "refused": "what = 'action.refuse'",
    "dispatched": "what IN ('action.dispatch', 'action.redispatch')",
    "closed": "what IN ('action.close', 'action.force_close')",
    "returned": "what = 'action.return'",
    "reworked": "what = 'action.rework'",
}
_WORDS = (
    "'action.collect', 'action.file', 'action.refuse', 'action.dispatch', 'action.redispatch', 'action.close', "
    "'action.force_close', 'action.return', 'action.rework'"
)
# What stopped the clock is the result of its fact; what ended otherwise was not disposed of.
_ENDED = "done_at >= :first AND done_at < :last AND done_seq > seq AND result NOT IN ('cancel', 'merge')"
_IN_TIME = "(due_at IS NULL OR done_at <= due_at)"
_TIMED = {
    "disposed": _ENDED,
    "on_time": f"{_ENDED} AND {_IN_TIME}",
    "late": f"{_ENDED} AND NOT {_IN_TIME} AND NOT exempt",
    "exempt": f"{_ENDED} AND NOT {_IN_TIME} AND exempt",
    "open": _RUNS,
    "overdue": f"{_RUNS} AND due_at < :last",
    "near_due": f"{_RUNS} AND due_at >= :last AND due_at < :near",
    "suspended": f"{_RUNS} AND suspended",
}


def _counts(of: Mapping[str, str]) -> str:
    return ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in of.items())


_ACTIONS = f"""
SELECT {_DIMENSIONS}, {_counts(_COUNTED)} FROM fact
 WHERE {_HOLDS} AND what IN ({_WORDS}) AND at >= :first AND at < :last GROUP BY 1, 2, 3, 4
"""  # noqa: S608 words of our own
_CLOCKS = f"""
SELECT {_DIMENSIONS}, {_counts(_TIMED)} FROM fact
 WHERE {_HOLDS} AND what = 'clock.disposal' AND at < :last
   AND (done_seq = 0 OR (done_seq > seq AND done_at >= :first)) GROUP BY 1, 2, 3, 4
"""  # noqa: S608 words of our own
_NAMED = "CASE what WHEN 'action.collect' THEN 'reported' ELSE 'closed' END"
_TREND = f"""
SELECT CAST(at AT TIME ZONE 'Asia/Shanghai' AS date) AS day, {_NAMED} AS what, count(*) AS count FROM fact
 WHERE {_HOLDS} AND what IN ('action.collect', 'action.close', 'action.force_close') AND at >= :first AND at < :last
 GROUP BY 1, 2
UNION ALL
SELECT CAST(done_at AT TIME ZONE 'Asia/Shanghai' AS date), 'disposed', count(*) FROM fact
 WHERE {_HOLDS} AND what = 'clock.disposal' AND {_ENDED} GROUP BY 1
"""  # noqa: S608 words of our own
_SUPERVISED = f"""
SELECT case_no, unit, supervised, due_at FROM fact
 WHERE {_HOLDS} AND what = 'clock.disposal' AND supervised <> '' AND {_RUNS} AND {_STANDS} AND {{told}}
 ORDER BY due_at NULLS LAST, case_no LIMIT :limit
"""  # noqa: S608 words of our own
_JOINT = f"""
SELECT case_no, unit, what, due_at FROM fact
 WHERE {_HOLDS} AND what IN ('clock.report_in', 'clock.joint') AND due_at >= :first AND due_at < :last
   AND (done_at IS NULL OR done_at > due_at) AND NOT exempt AND {{told}}
 ORDER BY due_at, case_no LIMIT :limit
"""  # noqa: S608 words of our own
_NEWEST = text("SELECT number, opened_at FROM fact_run WHERE finished_at IS NOT NULL ORDER BY number DESC LIMIT 1")


async def newest_run(store: Store) -> tuple[int, datetime] | None:
    """The last run that is through, and when it began to look; None when there was none."""
    async with store.transaction() as transaction:
        row = (await transaction.connection.execute(_NEWEST)).first()
    return (row[0], row[1]) if row else None
