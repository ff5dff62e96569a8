"""What of the journal may go when, as conditions of SQL. Whatever no class names stays: that is how evidence is safe.

A message of a case is evidence, whatever it says, and so is one that is not decided yet. A page is what its parts rest
on (they have no bytes of their own): it stays, whole, as long as one of them does. So does what a device's case would
be opened of.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from canonical.lifecycle import ENDED

YEAR = timedelta(days=365)
BODIES, ROWS = "bodies", "rows"


class Class(StrEnum):
    """What is kept for how long."""

    DEBUGGING = "debugging"
    """Heartbeats, counted tellings of alarms, pages whose parts are gone, repeats and questions of no case."""
    REFUSALS = "refusals"
    """Messages we refused, of no case: what a source was told, and why."""
    EVIDENCE = "evidence"
    """A case that ended, with everything about it: events, numbers, messages and their receipts."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long each class is kept. None: for ever."""

    debugging: timedelta | None = timedelta(days=90)
    debugging_bodies: timedelta | None = timedelta(days=30)
    refusals: timedelta | None = 3 * YEAR
    evidence: timedelta | None = None
    evidence_bodies: timedelta | None = None

    def steps(self, now: datetime) -> "Iterator[Step]":
        """What is to be cut of messages without a case, bodies first."""
        wanted = (
            (Class.DEBUGGING, BODIES, self.debugging_bodies),
            (Class.DEBUGGING, ROWS, self.debugging),
            (Class.REFUSALS, ROWS, self.refusals),
        )
        yield from (Step(class_, what, now - kept) for class_, what, kept in wanted if kept is not None)


@dataclass(frozen=True, slots=True)
class Step:
    """One class's bodies or rows, of before an instant."""

    class_: Class
    what: str
    before: datetime


_FREE = """m.case_id IS NULL AND m.verdict NOT IN ('quarantined', 'held')
   AND m.id NOT IN (SELECT i.subject FROM replay_item i JOIN replay r ON r.id = i.replay WHERE r.state = 'running')
   AND NOT EXISTS (SELECT 1 FROM alarm a WHERE a.message_id = m.id)"""
_PART = "EXISTS (SELECT 1 FROM message c WHERE c.parent = m.id AND c.direction = 'in' AND c.parent IS NOT NULL{})"
_OF = {
    Class.DEBUGGING: "(m.direction <> 'in' OR m.verdict IN ('noted', 'counted', 'split', 'repeated'))",
    Class.REFUSALS: "(m.direction = 'in' AND m.verdict = 'refused')",
}
REMOVABLE: Mapping[Class, str] = {
    class_: f"{which} AND {_FREE} AND NOT {_PART.format('')}" for class_, which in _OF.items()
}
"""The condition on message m. Evidence has none: it goes with its case."""

STAYS = f"NOT (({' OR '.join(_OF.values())}) AND {_FREE} AND NOT {_PART.format(' AND c.id >= :end')})"
"""The condition on a message m of a month that ends at :end, when that goes as a whole: parts go with their page."""

_ENDED = ", ".join(f"'{stage}'" for stage in sorted(ENDED))
EXPIRED = f"""c.stage IN ({_ENDED})
   AND coalesce((SELECT max(e.at) FROM event e WHERE e.case_id = c.id), c.received_at) < :before
   AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.case_id = c.id AND d.state NOT IN ('acknowledged', 'withdrawn'))
   AND NOT EXISTS (SELECT 1 FROM message m WHERE m.case_id = c.id AND m.verdict IN ('quarantined', 'held'))
   AND NOT EXISTS (SELECT 1 FROM attachment f WHERE f.case_id = c.id AND f.state IN ('waiting', 'fetching'))
   AND NOT EXISTS (SELECT 1 FROM difference x WHERE x.case_id = c.id AND x.closed_at IS NULL)
   AND NOT EXISTS (SELECT 1 FROM alarm a WHERE a.case_id = c.id)"""  # noqa: S608 words of our own
"""The condition on case c: nobody owes it anything, and nothing happened to it since :before."""
