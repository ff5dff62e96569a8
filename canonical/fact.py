"""A fact of assessment 考核事实: one thing about one case that can be counted, made of the case's events alone.

Every action is a fact, and every run of a clock. Facts of a case are made anew whenever it moves; what they were before
stays known by the number of the run that replaced them, so that a closed month can be traced for ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

ACTION, CLOCK = "action", "clock"
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""`as_at` of what is made of all events there are."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""`moved_at` of what nobody knows to have moved later: facts of before the hub, or of before this was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row. Dimensions say what holds of the case and its work at that point; empty text: not known."""

    case_id: UUID
    case_no: str
    seq: int
    """The event it is, or with which the clock started."""
    what: str
    """`action.<kind>` or `clock.<name>`: `action.file`, `clock.disposal`."""
    unit: str = ""
    """Whose it is: the unit that has, or gets, the work."""
    at: datetime
    """When it happened, or the clock started."""
    due_at: datetime | None = None
    """When the clock runs out, extensions and pauses counted; None: it has no due time, or stands still."""
    done_at: datetime | None = None
    """When the clock stopped; of an action the same as `at`."""
    done_seq: int = 0
    """The event that stopped the clock; 0 while it runs."""
    spent_seconds: int = 0
    """What of its budget the clock used, by its calendar; of the wall clock where it has no budget."""
    person: str = ""
    """Who did it, or stopped the clock: the operator's id, the rule's name, or the system that said so. Of a report its
    collector as `system/id`; empty: nobody is named, or a citizen reported."""
    post: str = ""
    """collector, acceptor, duty_chief, dispatcher, handler or rule: the post that does such a thing."""
    party: str = ""
    """source, owner, centre or hub."""
    system: str = ""
    """The system that carries the unit's work; empty: the centre's desk."""
    source: str = ""
    """The system whose report opened the case."""
    area: str = ""
    """Division code, as long as known: 4, 6, 9 or 12 digits."""
    grid: str = ""
    """Unit grid, 15 digits."""
    class_code: str = ""
    """`30428.2:E04-06`."""
    urgency: str = ""
    level: str = ""
    """The loop that has the case: community, street, district or city."""
    stage: str = ""
    """Where the case stands: what became of it."""
    result: str = ""
    """What the action found or said: `satisfied`, `dissatisfied`; of a dispatch `returned` when it came back; of a
    check or disposal `failed` when rework followed; of a clock the kind of action that stopped it."""
    supervised: str = ""
    """Of the case: ordinary, yellow or red 督办."""
    leader_assigned: bool = False
    """Of the case: a leader handed it down 领导交办."""
    exempt: bool = False
    """An appeal was upheld 剔除: it stands, and is not counted against the unit."""
    forced: bool = False
    """Of the case: closed by force 强制结案."""
    on_the_spot: bool = False
    """Of the case: who found it dealt with it 自行处置."""
    suspended: bool = False
    """It stands still now 缓办, or the clock did when it stopped."""
    extensions: int = 0
    reworks: int = 0
    """Of the case, so far."""
    returns: int = 0
    as_at: datetime = LATEST
    """The period's end that it is as at: made of what happened before that instant, and of what the rules let correct
    it later. LATEST: of all events there are. A case that lived through the end of a month has facts of both."""
    moved_at: datetime = LONG_AGO
    """When the case last moved."""
