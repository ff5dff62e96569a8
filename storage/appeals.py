"""Appeals 申诉 read from the events: each one that was filed, with what was decided on it, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from canonical.rights import Scope
from storage.scoping import seen, values
from storage.store import Store

STATES = ("open", "upheld", "dismissed")


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal. `unit`: the one that leads the case now."""

    case_id: UUID
    case_no: str
    seq: int
    filed_at: datetime
    filed_by: str
    reason: str
    state: str
    """open, upheld or dismissed."""
    decided_seq: int | None
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    """The reason it was decided so."""
    unit: str | None
    area: str | None
    class_code: str | None
    due_at: datetime | None
    disposed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    at: datetime
    case_id: UUID
    seq: int


async def appeals(
    store: Store, *, since: datetime, state: str = "", case_no: str = "", after: Place | None = None, limit: int,
    scope: Scope,
) -> Sequence[Appeal]:  # fmt: skip
    """Those that were filed since, of cases that the scope sees. `state`: one of STATES; empty: any."""
    given: dict[str, Any] = {"since": since, "state": state, "no": case_no, "limit": limit, **values(scope)}
    going_on = ""
    if after is not None:
        going_on = "AND (e.at, e.case_id, e.seq) < (:after_at, :after_case, :after_seq)"
        given |= {"after_at": after.at, "after_case": after.case_id, "after_seq": after.seq}
    statement = text(_LISTED.format(seen=seen(scope), going_on=going_on))
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(statement, given)
        return [Appeal(**row) for row in rows.mappings()]


# The next decision after it is its own: another appeal is not filed before.
_LISTED = """
SELECT * FROM (
  SELECT e.case_id, c.no AS case_no, e.seq, e.at AS filed_at, e.body #>> '{{action,actor,id}}' AS filed_by,
         coalesce(e.body #>> '{{action,reason}}', '') AS reason,
         CASE d.action WHEN 'uphold' THEN 'upheld' WHEN 'dismiss' THEN 'dismissed' ELSE 'open' END AS state,
         d.seq AS decided_seq, d.at AS decided_at, d.body #>> '{{action,actor,id}}' AS decided_by,
         d.body #>> '{{action,reason}}' AS decision, c.unit, c.area, c.class_code, c.due_at, c.disposed_at
    FROM event e JOIN cases c ON c.id = e.case_id
    LEFT JOIN LATERAL (
      SELECT * FROM event n WHERE n.case_id = e.case_id AND n.seq > e.seq AND n.action IN ('uphold', 'dismiss')
       ORDER BY n.seq LIMIT 1) d ON true
   WHERE e.action = 'appeal' AND e.at >= :since AND (:no = '' OR c.no = :no) AND {seen} {going_on}) found
 WHERE :state = '' OR state = :state
 ORDER BY filed_at DESC, case_id DESC, seq DESC LIMIT :limit
"""
