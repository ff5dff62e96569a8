"""Clocks of open cases that have run out or soon will, the most urgent first: what a duty officer looks at."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clocks are looked for. What is empty restricts nothing."""

    until: datetime
    """Those due until then, whatever lies before included."""
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
    """A clock that runs, and its case as it is now."""

    case: Case
    ledger: Ledger

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        assert self.ledger.due is not None  # the list has no others
        return Place(self.ledger.due.at, self.case.no, self.ledger.clock, self.ledger.of)


async def open_clocks(
    store: Store, wanted: Wanted, *, scope: Scope, units: Collection[Clock], limit: int
) -> list[OpenClock]:  # fmt: skip
    """Clocks that run, in the order of their due times. `units`: those that are the working unit's."""
    given = {
        "until": wanted.until, "unit": wanted.unit, "system": wanted.system, "limit": limit,
        "clocks": [str(one) for one in wanted.clocks], "units": [str(one) for one in units],
        "any": wanted.reached is None,
        "next": [f"{clock} {step}" for clock, step in wanted.reached or ()],
        "paged": wanted.after is not None,
        "due": wanted.after.due_at if wanted.after else wanted.until,
        "no": wanted.after.no if wanted.after else "", "clock": wanted.after.clock if wanted.after else "",
        "of": wanted.after.of if wanted.after else "",
    }  # fmt: skip
    async with store.transaction() as transaction:
        rows = (await transaction.connection.execute(_open(scope), given | values(scope))).all()
    cases: dict[str, Case] = {}
    found = []
    for state, no, clock, of in rows:
        case = cases.get(no) or cases.setdefault(no, Case.model_validate_json(state))
        ledger = case.clock(Clock(clock), of)
        assert ledger is not None  # of one statement, thus of one moment
        found.append(OpenClock(case, ledger))
    return found


# By the index over stages, so that what ended costs nothing. Only the rows of the page have their states read in full.
@lru_cache(maxsize=256)
def _open(scope: Scope) -> TextClause:
    return text(_OPEN.format(seen=seen(scope)))


_OPEN = f"""
WITH running AS (
  SELECT c.id, c.no, c.unit, l ->> 'clock' AS clock, coalesce(l ->> 'of', '') AS of, coalesce(l ->> 'step', '') AS step,
         CAST(l #>> '{{{{due,at}}}}' AS timestamptz) AS due
    FROM cases c CROSS JOIN LATERAL jsonb_array_elements(c.state -> 'clocks') AS l
   WHERE c.stage IN ({OPEN_STAGES}) AND (:system = '' OR c.owner = :system OR c.source = :system)
     AND NOT l ? 'stopped_at' AND {{seen}}),
page AS (
  SELECT id, no, clock, of, due FROM running
   WHERE due <= :until AND (:unit = '' OR :unit = CASE WHEN of <> '' THEN of
                                                       WHEN clock = ANY(CAST(:units AS text[])) THEN unit ELSE '' END)
     AND (CAST(:clocks AS text[]) = '{{{{}}}}' OR clock = ANY(CAST(:clocks AS text[])))
     AND (:any OR clock || ' ' || step = ANY(CAST(:next AS text[])))
     AND (NOT :paged OR (due, no, clock, of) > (:due, :no, :clock, :of))
   ORDER BY due, no, clock, of LIMIT :limit)
SELECT CAST(c.state AS text), p.no, p.clock, p.of FROM page p JOIN cases c ON c.id = p.id
 ORDER BY p.due, p.no, p.clock, p.of
"""  # noqa: S608 words of our own
