"""What one transaction reads and writes: journal entries, cases with their events, bindings, deliveries.

Decisions are pure: they get `Known`, and give `Changes`. The storage room does the rest.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from canonical.alarm import AlarmKey, AlarmState, CapState
from canonical.case import Action, Binding, Case, Event
from canonical.errors import Unacceptable, Why
from canonical.message import Direction, Message, Verdict
from canonical.reading import Reading
from canonical.report import Attachment


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """交换记录: a message as bytes, and what became of it."""

    message: Message
    direction: Direction
    verdict: Verdict
    why: Why | None = None
    text: str = ""
    """The reason in words, without personal data."""
    kind: str = ""
    """What it was read as: the declared message's name; empty when it could not be read."""
    is_report: bool = True
    """False for what is known to be an action or a page: the books count reports."""
    external_id: str = ""
    case_id: UUID | None = None
    edition: str = ""


class DeliveryState(StrEnum):
    """One message's way to one system."""

    PENDING = "pending"
    """To be sent as soon as it is due and at the head of its lane; nothing of it has arrived."""
    SENT = "sent"
    """In a worker's hands until its lease ends."""
    IN_DOUBT = "in_doubt"
    """It may have arrived: asked for, or sent again where that is declared harmless, when it is due."""
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """The other side said no for good: a person must look, and its lane waits."""
    PARKED = "parked"
    """Waits for a person, and its lane with it: impossible to write, not to be repeated, or tried to the end."""
    WITHDRAWN = "withdrawn"
    """A person decided that it shall not be sent."""


UNDER_WAY = frozenset({DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.IN_DOUBT})
STUCK = frozenset({DeliveryState.REFUSED, DeliveryState.PARKED})


class What(StrEnum):
    """What people can switch off for a system."""

    SENDING = "sending"
    """Off: nothing leaves, what was claimed included. On again: everything goes on."""
    RETRY = "retry"
    """Off: nothing is tried a second time; what was tried waits for a person, also after it is on again."""
    FETCHING = "fetching"
    """Off: nothing is asked for or taken from it; what it pushes is accepted. On again: nothing was lost meanwhile."""


class Facts(StrEnum):
    """The kinds of rows that are exported, in the order in which they are written."""

    MESSAGE = "message"
    """The journal: what came, what went, what was answered."""
    CASE = "case"
    EVENT = "event"
    BINDING = "binding"
    DELIVERY = "delivery"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outbox row: tell `system` about event `event_seq` of a case. The bytes are written when it is sent."""

    id: UUID
    case_id: UUID
    system: str
    seq: int
    """Order within the lane (case, system)."""
    event_seq: int
    message: str
    """Name of the declared outbound message."""
    address: str
    """External id of the binding addressed; empty for an owner that does not know the case yet."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file that a message gave to a case, by reference or with its bytes."""

    case_id: UUID
    system: str
    """The system that knows how to fetch it."""
    attachment: Attachment
    at: datetime


@dataclass(frozen=True, slots=True)
class Command:
    """An action a person of the centre orders for one case."""

    case_no: str
    action: Action


@dataclass(frozen=True, slots=True)
class Split:
    """The message held others, which arrive on their own."""

    parts: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """One inbound message and what was read in it."""

    message: Message
    content: Reading | Command | Split | Unacceptable
    pulled: bool = False
    """We asked for it, and windows overlap: word for word known, it is no news and leaves no row."""
    waited: bool = False
    """The journal's copy of an alarm that the clock is to judge now: nothing new was told."""


@dataclass(slots=True)
class Known:
    """What the hub already knows about the matters a batch speaks of. Cases in it are locked until the commit."""

    cases: dict[UUID, Case] = field(default_factory=dict)
    by_no: dict[str, UUID] = field(default_factory=dict)
    bindings: dict[tuple[str, str], Binding] = field(default_factory=dict)
    """By (system, external id)."""
    by_case_key: dict[tuple[str, str], UUID] = field(default_factory=dict)
    by_fingerprint: dict[tuple[str, str], UUID] = field(default_factory=dict)
    of_case: dict[UUID, list[Binding]] = field(default_factory=dict)
    """All bindings of the cases above."""
    on_their_way: frozenset[str] = frozenset()
    """Systems to which something is being sent right now, so that an id unknown here may be one of ours."""
    alarms: dict[AlarmKey, AlarmState] = field(default_factory=dict)
    """Devices the batch speaks of, locked until the commit; a device without an entry was never heard of."""
    caps: dict[tuple[str, str], CapState] = field(default_factory=dict)
    """Storm caps by (system, kind), locked until the commit."""


@dataclass(slots=True)
class Changes:
    """What one transaction writes, all or nothing."""

    journal: list[JournalEntry] = field(default_factory=list)
    new_cases: dict[UUID, Case] = field(default_factory=dict)
    changed_cases: dict[UUID, Case] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    rebound: list[Binding] = field(default_factory=list)
    """Bindings that were there already and now mean another case."""
    deliveries: list[Delivery] = field(default_factory=list)
    alarms: dict[AlarmKey, AlarmState] = field(default_factory=dict)
    caps: dict[tuple[str, str], CapState] = field(default_factory=dict)
    files: list[CaseFile] = field(default_factory=list)
    """Files that cases have got in this transaction; fetching them is a step of its own."""

    @property
    def cases(self) -> dict[UUID, Case]:
        """All cases it touches, as they are after it."""
        return self.new_cases | self.changed_cases
