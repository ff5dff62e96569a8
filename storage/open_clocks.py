"""Clocks of open cases that have run out or soon will, the most urgent first: what a duty officer looks at."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from sqlalchemy import TextClause, text

from canonical.case import Case
from canonical.clock import Clock, Ledger
from canonical.rights import Scope
from storage.scoping import seen, values
from storage.stages import OPEN_STAGES
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the list: the next page begins after it."""

    due_at: datetime
    no: str
    clock: str
    of: str


class Standing(StrEnum):
    """How a clock stands, for who watches over time limits."""

    RUNNING = "running"
    """It runs, and has run out or will."""
    NEAR = "near"
    """It runs, and has not run out."""
    SUSPENDED = "suspended"
    """It stands still 挂账; in the order in which suspensions end."""
    PROVISIONAL = "provisional"
    """It runs into a year whose calendar is not published: when it runs out may change."""
    ARBITRATION = "arbitration"
    """It runs while a returned case waits for a ruling 裁定."""


class Group(StrEnum):
    """What clocks are counted by."""

    UNIT = "unit"
    SYSTEM = "system"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clocks are looked for. What is empty restricts nothing."""

    until: datetime
    """Those due until then, whatever lies before included; of those that stand still: all."""
    since: datetime | None = None
    """Those due from then on; None: whatever lies before."""
    standing: Standing = Standing.RUNNING
    unit: str = ""
    """The unit that has the work, or was called to it; of the centre's own clocks nobody is."""
    system: str = ""
    """The system that reported the case, or carries the work."""
    clocks: Collection[Clock] = ()
    reached: Collection[tuple[Clock, str]] | None = None
    """(clock, next step): what was told last says what comes next; None: all the same."""
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class OpenClock:
    """A clock that has not ended, and its case as it is now."""

    case: Case
    ledger: Ledger
    due_at: datetime
    """When it runs out; of one that stands still, when its suspension ends."""

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.due_at, self.case.no, self.ledger.clock, self.ledger.of)


@dataclass(frozen=True, slots=True)
class Counted:
    """Clocks of one unit, system or kind, by how they stand. One that is provisional or in arbitration runs, too."""

    key: str
    """Empty: the centre's own, or nobody's."""
    overdue: int
    near: int
    suspended: int
    provisional: int
    arbitration: int


async def open_clocks(
    store: Store, wanted: Wanted, *, scope: Scope, units: Collection[Clock], limit: int
) -> list[OpenClock]:  # fmt: skip
    """In the order of their due times. `units`: clocks that are the working unit's. Raises DatabaseAway."""
    given = _given(wanted, units) | {"limit": limit}
    async with store.transaction() as transaction:
        rows = (await transaction.connection.execute(_open(scope, wanted.standing), given | values(scope))).all()
    cases: dict[str, Case] = {}
    found = []
    for state, no, clock, of, due in rows:
        case = cases.get(no) or cases.setdefault(no, Case.model_validate_json(state))
        ledger = case.clock(Clock(clock), of)
        assert ledger is not None  # of one statement, thus of one moment
        found.append(OpenClock(case, ledger, due))
    return found


async def count_clocks(
    store: Store, wanted: Wanted, by: Group, *, scope: Scope, units: Collection[Clock], now: datetime
) -> list[Counted]:  # fmt: skip
    """Whose clocks stand how, who has most overdue first. `near` is what is due until `wanted.until`."""
    given = _given(wanted, units) | {"now": now}
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(_counted(scope, by), given | values(scope))
        return [Counted(*row) for row in rows]


def _given(wanted: Wanted, units: Collection[Clock]) -> dict[str, object]:
    return {
        "until": wanted.until, "unit": wanted.unit, "system": wanted.system,
        "clocks": [str(one) for one in wanted.clocks], "units": [str(one) for one in units],
        "any": wanted.reached is None, "later": wanted.since is not None, "since": wanted.since or wanted.until,
        "next": [f"{clock} {step}" for clock, step in wanted.reached or ()],
        "paged": wanted.after is not None,
        "due": wanted.after.due_at if wanted.after else wanted.until,
        "no": wanted.after.no if wanted.after else "", "clock": wanted.after.clock if wanted.after else "",
        "of": wanted.after.of if wanted.after else "",
    }  # fmt: skip


# By the index over stages, so that what ended costs nothing. Only the rows of the page have their states read in full.
@lru_cache(maxsize=256)
def _open(scope: Scope, standing: Standing) -> TextClause:
    return text(_CLOCKS.format(seen=seen(scope)) + _PAGE.format(stands=_STANDS[standing]))


@lru_cache(maxsize=256)
def _counted(scope: Scope, by: Group) -> TextClause:
    return text(_CLOCKS.format(seen=seen(scope)) + _COUNT.format(key=_KEYS[by]))


_STANDS = {
    Standing.RUNNING: "NOT paused AND due <= :until",
    Standing.NEAR: "NOT paused AND due <= :until",
    Standing.SUSPENDED: "paused",
    Standing.PROVISIONAL: "NOT paused AND provisional AND due <= :until",
    Standing.ARBITRATION: "NOT paused AND stage = 'returned' AND due <= :until",
}
_KEYS = {Group.UNIT: "whose", Group.SYSTEM: "owner", Group.CLOCK: "clock"}

_CLOCKS = f"""
WITH every AS (
  SELECT c.id, c.no, c.stage, coalesce(c.owner, '') AS owner, l ->> 'clock' AS clock, coalesce(l ->> 'of', '') AS of,
         coalesce(l ->> 'step', '') AS step, coalesce(l #>> '{{{{due,provisional}}}}', '') = 'true' AS provisional,
         coalesce(jsonb_array_length(l -> 'pauses'), 0) > 0 AND l #>> '{{{{pauses,-1,until}}}}' IS NULL AS paused,
         coalesce(CAST(l #>> '{{{{due,at}}}}' AS timestamptz), CAST(c.state ->> 'resume_at' AS timestamptz),
                  timestamptz '9999-12-30') AS due,
         CASE WHEN coalesce(l ->> 'of', '') <> '' THEN l ->> 'of'
              WHEN l ->> 'clock' = ANY(CAST(:units AS text[])) THEN coalesce(c.unit, '') ELSE '' END AS whose
    FROM cases c CROSS JOIN LATERAL jsonb_array_elements(c.state -> 'clocks') AS l
   WHERE c.stage IN ({OPEN_STAGES}) AND (:system = '' OR c.owner = :system OR c.source = :system)
     AND NOT l ? 'stopped_at' AND {{seen}}),
wanted AS (
  SELECT * FROM every
   WHERE (:unit = '' OR :unit = whose)
     AND (CAST(:clocks AS text[]) = '{{{{}}}}' OR clock = ANY(CAST(:clocks AS text[])))
     AND (:any OR clock || ' ' || step = ANY(CAST(:next AS text[]))))
"""  # noqa: S608 words of our own
_PAGE = """,
page AS (
  SELECT id, no, clock, of, due FROM wanted
   WHERE {stands} AND (NOT :later OR due >= :since) AND (NOT :paged OR (due, no, clock, of) > (:due, :no, :clock, :of))
   ORDER BY due, no, clock, of LIMIT :limit)
SELECT CAST(c.state AS text), p.no, p.clock, p.of, p.due FROM page p JOIN cases c ON c.id = p.id
 ORDER BY p.due, p.no, p.clock, p.of
"""
_COUNT = """
SELECT * FROM (
  SELECT {key} AS key, count(*) FILTER (WHERE NOT paused AND due < :now) AS overdue,
         count(*) FILTER (WHERE NOT paused AND due >= :now AND due <= :until) AS near,
         count(*) FILTER (WHERE paused) AS suspended,
         count(*) FILTER (WHERE NOT paused AND provisional) AS provisional,
         count(*) FILTER (WHERE NOT paused AND stage = 'returned') AS arbitration
    FROM wanted GROUP BY 1) AS counted
 WHERE overdue + near + suspended + provisional + arbitration > 0
 ORDER BY overdue DESC, near DESC, key
"""
