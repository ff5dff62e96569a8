"""Beside lead systems: what they decided and what the city's own tables would have, compared class by class.

A decision is compared where both sides said something: where our tables leave it to a person, or the lead system names
no unit, there is nothing to compare. Due times are compared to the minute.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text

from storage.stages import OPEN_STAGES
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one class under one lead system, in one time: how often both said the same."""

    system: str
    class_code: str
    cases: int
    filed: int
    """Decisions on filing."""
    filed_same: int
    filed_open: int
    """Those that our tables leave to a person."""
    given: int
    """Dispatches."""
    unit_same: int
    unit_open: int
    """Those in which one of both names no unit."""
    due: int
    """Dispatches for which both name a due time."""
    due_same: int
    due_sooner: int
    """Ours is due sooner."""
    done: int
    """Cases with both due times whose work is done."""
    on_time_both: int
    on_time_ours: int
    """By our due time alone."""
    on_time_theirs: int


@dataclass(frozen=True, slots=True)
class Differing:
    """One decision on which both differ."""

    case_no: str
    at: datetime
    system: str
    class_code: str
    step: str
    theirs: str
    ours: str
    theirs_due: datetime | None
    ours_due: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Led:
    """Open cases of one class, by who leads them."""

    system: str
    """The lead system; empty: the hub."""
    source: str
    class_code: str
    open: int


class Shadows:
    """Reads the comparison."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def agreement(self, since: datetime, until: datetime, pattern: str = "") -> list[Agreement]:
        """By lead system and class. `pattern`: how the class's code begins."""
        rows = await self._fetch(_AGREEMENT, since=since, until=until, pattern=pattern)
        return [Agreement(*row) for row in rows]

    async def differing(self, since: datetime, until: datetime, pattern: str = "", limit: int = 50) -> list[Differing]:
        """The latest decisions that differ in what is done, to whom it goes or when it is due."""
        rows = await self._fetch(_DIFFERING, since=since, until=until, pattern=pattern, limit=limit)
        return [Differing(*row) for row in rows]

    async def led(self) -> list[Led]:
        """All open cases counted, by who leads them."""
        return [Led(*row) for row in await self._fetch(_LED)]

    async def _fetch(self, statement: TextClause, **values: object) -> list[tuple[Any, ...]]:
        async with self.store.transaction() as transaction:
            return [tuple(row) for row in await transaction.connection.execute(statement, values)]


_SAME_MINUTE = "date_trunc('minute', theirs_due) = date_trunc('minute', ours_due)"
_IN_TIME = "s.at >= :since AND s.at < :until AND starts_with(s.class_code, :pattern)"
_AGREEMENT = text(f"""
WITH s AS (SELECT s.* FROM shadow s WHERE {_IN_TIME}),
last AS (
  SELECT DISTINCT ON (s.case_id) s.case_id, s.system, s.class_code, c.disposed_at,
         c.disposed_at <= s.theirs_due AS theirs, c.disposed_at <= c.due_at AS ours
    FROM s JOIN cases c ON c.id = s.case_id
   WHERE s.theirs_due IS NOT NULL AND c.due_at IS NOT NULL AND c.disposed_at IS NOT NULL
   ORDER BY s.case_id, s.seq DESC),
kept AS (
  SELECT system, class_code, count(*) AS done, count(*) FILTER (WHERE ours AND theirs) AS both_,
         count(*) FILTER (WHERE ours AND NOT theirs) AS ours, count(*) FILTER (WHERE theirs AND NOT ours) AS theirs
    FROM last GROUP BY system, class_code)
SELECT s.system, s.class_code, count(DISTINCT s.case_id),
       count(*) FILTER (WHERE step = 'file'),
       count(*) FILTER (WHERE step = 'file' AND s.ours = s.theirs),
       count(*) FILTER (WHERE step = 'file' AND s.ours = ''),
       count(*) FILTER (WHERE step = 'dispatch'),
       count(*) FILTER (WHERE step = 'dispatch' AND s.ours = s.theirs AND s.ours <> ''),
       count(*) FILTER (WHERE step = 'dispatch' AND (s.ours = '' OR s.theirs = '')),
       count(*) FILTER (WHERE theirs_due IS NOT NULL AND ours_due IS NOT NULL),
       count(*) FILTER (WHERE {_SAME_MINUTE}),
       count(*) FILTER (WHERE ours_due < theirs_due AND NOT {_SAME_MINUTE}),
       coalesce(max(k.done), 0), coalesce(max(k.both_), 0), coalesce(max(k.ours), 0), coalesce(max(k.theirs), 0)
  FROM s LEFT JOIN kept k ON k.system = s.system AND k.class_code = s.class_code
 GROUP BY s.system, s.class_code ORDER BY s.system, s.class_code
""")  # noqa: S608 words of our own
_DIFFERING = text(f"""
SELECT c.no, s.at, s.system, s.class_code, s.step, s.theirs, s.ours, s.theirs_due, s.ours_due, s.why
  FROM shadow s JOIN cases c ON c.id = s.case_id
 WHERE {_IN_TIME}
   AND ((s.ours <> '' AND s.theirs <> '' AND s.ours <> s.theirs) OR NOT {_SAME_MINUTE})
 ORDER BY s.at DESC, s.case_id, s.seq DESC LIMIT :limit
""")  # noqa: S608
_LED = text(f"""
SELECT coalesce(state ->> 'lead_system', ''), source, coalesce(class_code, ''), count(*)
  FROM cases WHERE stage IN ({OPEN_STAGES}) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")  # noqa: S608
