"""What an adapter read in a message: whom it speaks of, a report, an action, or both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from canonical.alarm import Alarm, AlarmPolicy
from canonical.assignment import Called
from canonical.case import Action, Binding, Case
from canonical.errors import Why
from canonical.lifecycle import ActionKind, Party
from canonical.message import Verdict
from canonical.report import Attachment, Report, SourceDeadline
from canonical.time import Instant, Limit
from canonical.value import Value


class StatedAction(Value):
    """An action as the other side states it. Which action a status means depends on what that system is to the case."""

    kinds: dict[Party, ActionKind]
    """By the system's party in the case; a party that is not here has nothing to say with this status."""
    given: str = ""
    """The status as the source wrote it."""
    stated_at: Instant | None = None
    reason: str = ""
    basis: str = ""
    """Of a return: the city's code of what it rests on."""
    result: str = ""
    actor_name: str = ""
    limit: Limit | None = None
    """How much longer, or for how long."""
    until: Instant | None = None
    """Or to when."""
    unit: str = ""
    """Who is called, or gets the case, by the hub's id or by its name."""
    deadline: SourceDeadline | None = None
    """Until when it is to be done by the lead system's reckoning, kept beside ours."""
    attachments: tuple[Attachment, ...] = ()


class Addition(Value):
    """What a later message adds to a report: pictures that were uploaded afterwards, a stop, a remark."""

    remark: str = ""
    attachments: tuple[Attachment, ...] = ()
    stated_at: Instant | None = None


class Reading(Value):
    """One thing read: a report, an action, an addition or an alarm, or several of them.

    With a report and an action both, a known case takes the action and an unknown one is opened; with a report and an
    addition both, a known case takes the addition. With an alarm, the report becomes a case only when the alarm's
    policy says so. With none of them the message was understood and concerns no case.
    """

    system: str
    kind: str
    """Name of the declared message."""
    edition: str
    """Version of the declaration that read it."""
    external_id: str
    """The system's own id: the key of repeats and the address of callbacks."""
    case_key: str = ""
    """The source's id of its whole case, when one case has several tasks; another task joins the case."""
    visible_no: str = ""
    reference: str = ""
    """Our own number, when the message carries it back."""
    fingerprint: str = ""
    """Digest of fields we once sent, for systems that carry no number back."""
    report: Report | None = None
    action: StatedAction | None = None
    addition: Addition | None = None
    alarm: Alarm | None = None


class SystemRole(Value):
    """What a declared system is to the hub, and which of its messages tells it what."""

    id: str
    title: str
    edition: str
    source: bool
    owner: bool
    leads: bool = False
    """Its messages say what it does as the centre of its own cases."""
    tells: dict[str, dict[ActionKind, str]]
    """What it is to the case, then action to outbound message. `source`, `owner`; `both`: it reported the case and does
    the work; `joint`: it has a called unit's part; `lead_system`: it leads the case."""
    unsupported: dict[str, dict[ActionKind, str]] = {}
    """In the same shape: what the platform cannot be told, with the reason the dispatcher is shown."""
    alarms: dict[str, AlarmPolicy] = {}
    """By kind of alarm; `*` for every other kind."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """The bytes of a file of the case, out of the hub's store."""

    content: bytes = field(repr=False)
    media: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Outbound:
    """What an adapter needs to write one outbound message: canonical values only."""

    message: str
    """Name of the declared outbound message."""
    case: Case
    action: Action
    binding: Binding | None
    """The binding addressed: the source's task, or the owner's id when it told us one."""
    source_binding: Binding | None = None
    """The binding under which this same system reported the case, when it did."""
    unit_name: str = ""
    called: Called | None = None
    """To a called unit's platform: who leads, and until when the unit is awaited; `lead_name` goes with it."""
    lead_name: str = ""
    area_names: dict[str, str] = field(default_factory=dict)
    """Division names by `county`, `street`, `community`, for systems that want them."""
    contents: Mapping[str, FileContent] = field(default_factory=dict, repr=False)
    """By address: the files whose bytes are at hand, for messages that carry them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the other side's answer to an outbound message reads, when it took it."""

    external_id: str = ""
    """Its own id of what we sent, when the answer tells one."""
    visible_no: str = ""
    absent: bool = False
    """Asked whether it has something of ours, it said no."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one inbound message; the source's reply is made from it."""

    verdict: Verdict
    case_no: str = ""
    why: Why | None = None
    text: str = ""
    """What the source is told; no personal data."""
