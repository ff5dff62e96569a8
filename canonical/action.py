"""What is done to a case, and the event it leaves 办理记录."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from canonical.clock import Clock, Timed
from canonical.codes import ClassCode
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.organisation import Level
from canonical.place import Place
from canonical.report import Attachment, Report
from canonical.time import Due, Instant, Limit
from canonical.value import Value, unchecked


class Supervision(StrEnum):
    """How strongly a case is supervised 督办."""

    ORDINARY = "ordinary"
    YELLOW = "yellow"
    RED = "red"


SUPERVISION_TITLES = {
    Supervision.ORDINARY: "普通督办",
    Supervision.YELLOW: "黄牌督办",
    Supervision.RED: "红牌督办",
}


class Completion(StrEnum):
    """When joint work 吹哨联动 is done."""

    ALL = "all"
    """Every unit that was called has answered."""
    LEAD = "lead"
    """The lead unit says so, whatever the others do."""
    QUORUM = "quorum"
    """More than half of the called units have answered."""


class Told(Value):
    """A step on the way to a due time, or past it, that is told."""

    clock: Clock
    of: str = ""
    step: str
    """`50%`, `80%`, `due`, `+1 work_day`."""
    at: Instant
    """When it was to be told."""
    extension: int = 0
    """How often the clock was extended before."""
    since: int = 0
    """`seq` of the event that started the clock."""
    late: bool = False
    """Nobody was there to tell it in time."""


class Shadow(Value):
    """What the city's own tables would have done where a lead system decided 影子判断. It has no effect."""

    kind: ActionKind | None = None
    """None: they would have left it to a person."""
    unit: str = ""
    due: Due | None = None
    why: str = ""
    """The row that says so, or what is missing."""


class Actor(Value):
    """Who did it: which party, which system or person or rule."""

    party: Party
    id: str
    """System id, operator id, or for the hub the rule's name, such as `responsibility.csv R017`."""
    name: str = Field(default="", repr=False)


class Action(Value):
    """Something done, or to be done, to a case. Which fields it needs, the lifecycle table says."""

    kind: ActionKind
    actor: Actor
    at: Instant
    """When, by the hub's clock. What the source's clock said stands in `stated_at`."""
    stated_at: Instant | None = None
    reason: str = ""
    basis: str = ""
    """Of a return: the code of what it rests on."""
    result: str = ""
    """What was done (dispose), found (check), told to the source (close); `satisfied` or `dissatisfied` (evaluate)."""
    report: Report | None = None
    class_code: ClassCode | None = None
    standard: str = ""
    """The standard row 立结案标准 the case is filed under."""
    place: Place | None = None
    unit: str = ""
    system: str = ""
    """The system that carries the work to `unit`; empty: the centre's desk."""
    officer: str = ""
    """With a dispatch: id of the unit's officer who is on duty there; empty: none, or the city keeps none."""
    round: int = 0
    """The joint assignment it is about, which is `unit`'s; 0: the lead's."""
    due: Due | None = None
    source_due: Due | None = None
    """With collect and join: the source's own deadline as an instant."""
    limit: Limit | None = None
    until: Instant | None = None
    """To when a suspension is asked or granted."""
    level: Level | None = None
    """The loop that the case goes to."""
    supervision: Supervision | None = None
    completion: Completion | None = None
    told: Told | None = None
    timed: tuple[Timed, ...] = ()
    """What this gives the case's clocks: budgets and due times."""
    target: str = ""
    """The case number that remains, when merging."""
    lead_system: str = ""
    """With collect: the system that is the centre for the case; empty: the hub."""
    shadow: Shadow | None = None
    attachments: tuple[Attachment, ...] = ()
    editions: dict[str, str] = {}
    """Which editions of configuration decided this: declaration, responsibility list, calendar, ..."""


class Event(Value):
    """办理记录: the append-only fact an action leaves."""

    case_id: UUID
    seq: int = Field(ge=1)
    """1, 2, 3 ... within the case, without gaps."""
    from_: Stage | None
    to: Stage
    action: Action
    message_id: UUID | None = None
    """The journal row that caused it; None when a person or a rule did."""


new_event, new_action = unchecked(Event), unchecked(Action)
"""For the hub's own decisions, put together of values that were validated."""
