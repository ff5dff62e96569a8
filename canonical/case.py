"""The case 案件: events are the truth, the present state is folded from them.

`Case.after(event)` is the only way a case changes, so state and history cannot part.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field

from canonical.codes import ClassCode
from canonical.errors import IllegalAction
from canonical.lifecycle import BY_ACTION, ENDED, ActionKind, Clock, Party, Stage
from canonical.place import Place
from canonical.report import Attachment, Report, Reporter, Urgency
from canonical.time import Due, Instant, Limit
from canonical.value import Value, unchecked


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
    due: Due | None = None
    source_due: Due | None = None
    """With collect and join: the source's own deadline as an instant."""
    limit: Limit | None = None
    target: str = ""
    """The case number that remains, when merging."""
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


class Share(StrEnum):
    """A unit's share of the work."""

    LEAD = "lead"
    JOINT = "joint"


class Assignment(Value):
    """派遣单: one unit's share of a case, one round of it."""

    round: int = Field(ge=1)
    unit: str
    system: str = ""
    share: Share = Share.LEAD
    dispatched_at: Instant
    due: Due | None = None
    signed_at: Instant | None = None
    returned_at: Instant | None = None
    disposed_at: Instant | None = None

    @property
    def open(self) -> bool:
        """True while the unit owes work."""
        return self.returned_at is None and self.disposed_at is None


class BindingRole(StrEnum):
    """What the case is to that system."""

    SOURCE = "source"
    OWNER = "owner"


class Binding(Value):
    """One system's identity of the case. The same case returned and sent again is a new round."""

    case_id: UUID
    system: str
    role: BindingRole
    round: int = 1
    external_id: str
    """The system's own id; for an owner that never told us one, our own reference."""
    case_key: str = ""
    """The source's id of its whole case, when it hands out several tasks of one case."""
    visible_no: str = ""
    reference: str = ""
    """Our own number as we gave it to that system."""
    fingerprint: str = ""
    """Digest of what we sent, for systems that give no id back."""
    since: int = 0
    """`seq` of the event that brought it."""
    extra: dict[str, str] = {}


def latest_told(bindings: Sequence[Binding]) -> Binding | None:
    """Of several identities of one round the one that was told last: who lost its data gives the case a new one."""
    if not bindings:
        return None
    return max(reversed(bindings), key=lambda one: one.since if one.role is BindingRole.OWNER else 0)


class Queue(StrEnum):
    """What the centre's people have to do, derived from the stage."""

    LOCATION_UNKNOWN = "location_unknown"
    CLASS_UNKNOWN = "class_unknown"
    TO_FILE = "to_file"
    TO_VERIFY = "to_verify"
    NO_OWNER = "no_owner"
    RETURNED = "returned"
    AT_DESK = "at_desk"
    """Dispatched to a unit that no system serves: the desk hands it over and records what happens."""
    TO_CHECK = "to_check"
    TO_CLOSE = "to_close"


_QUEUE_OF_STAGE = {
    Stage.VERIFYING: Queue.TO_VERIFY,
    Stage.FILED: Queue.NO_OWNER,
    Stage.RETURNED: Queue.RETURNED,
    Stage.DISPOSED: Queue.TO_CHECK,
    Stage.CHECKED: Queue.TO_CLOSE,
}


class Case(Value):
    """The canonical record of one matter, whatever number of systems know it."""

    id: UUID
    no: str
    """The hub's own number: city code, date, sequence; digits only."""
    sequence: int
    """The running number inside `no`."""
    stage: Stage
    version: int
    """`seq` of the last event."""
    source: str
    """The system whose report opened it."""
    title: str = ""
    description: str = ""
    class_code: ClassCode | None = None
    given_class: str = ""
    standard: str = ""
    place: Place = Field(default_factory=Place)
    reporter: Reporter = Field(default_factory=Reporter)
    urgency: Urgency = Urgency.NORMAL
    attachments: tuple[Attachment, ...] = ()
    channel: str = ""
    received_at: Instant
    reported_at: Instant | None = None
    source_due: Due | None = None
    filed_at: Instant | None = None
    due: Due | None = None
    disposed_at: Instant | None = None
    closed_at: Instant | None = None
    result: str = ""
    """What was done, in the owner's words; what the source is told at closing."""
    evaluation: str = ""
    assignments: tuple[Assignment, ...] = ()
    reports: int = 1
    """How many reports the case stands for."""
    returns: int = 0
    reworks: int = 0
    reopened: int = 0
    """`seq` of the event that reopened it after closing; 0: never closed but once."""
    merged_into: str = ""

    @property
    def ended(self) -> bool:
        """True when nobody owes it work."""
        return self.stage in ENDED

    @property
    def assignment(self) -> Assignment | None:
        """The latest assignment."""
        return self.assignments[-1] if self.assignments else None

    @property
    def owner(self) -> str:
        """The system that carries, or carried to the end, the latest assignment; empty when none does."""
        latest = self.assignment
        return latest.system if latest and latest.returned_at is None else ""

    @property
    def reference(self) -> str:
        """Our number as given to an owner: case number and round. Digits and one hyphen."""
        return f"{self.no}-{len(self.assignments)}"

    @property
    def queue(self) -> Queue | None:
        """Which of the centre's queues it waits in; None when another party is to act."""
        if self.stage is Stage.REPORTED:
            if not self.place.usable:
                return Queue.LOCATION_UNKNOWN
            return Queue.CLASS_UNKNOWN if self.class_code is None else Queue.TO_FILE
        if self.stage in {Stage.DISPATCHED, Stage.HANDLING} and not self.owner:
            return Queue.AT_DESK
        return _QUEUE_OF_STAGE.get(self.stage)

    @classmethod
    def opened(cls, event: Event, *, no: str, sequence: int) -> "Case":
        """The case that a collect event opens. Raises IllegalAction when the event is another action."""
        action = checked(event.action, stage=None)
        report = action.report
        assert report is not None  # the table says collect needs one
        return _case(
            id=event.case_id,
            no=no,
            sequence=sequence,
            stage=event.to,
            version=event.seq,
            source=action.system or action.actor.id,
            title=report.title,
            description=report.description,
            class_code=action.class_code or report.class_code,
            given_class=report.given_class,
            place=action.place or Place(address=report.address),
            reporter=report.reporter,
            urgency=report.urgency,
            attachments=report.attachments,
            channel=report.channel,
            received_at=action.at,
            reported_at=report.reported_at,
            source_due=action.source_due,
        )

    def after(self, event: Event) -> Self:
        """The case after one more event. Raises ValueError when the event is not the next one of this case."""
        if event.case_id != self.id or event.seq != self.version + 1 or event.from_ is not self.stage:
            raise ValueError(f"{self.no}: event {event.seq} from {event.from_} does not follow version {self.version}")
        changes = _CHANGES.get(event.action.kind, _nothing)(self, event.action)
        changes |= {"stage": event.to, "version": event.seq}
        if BY_ACTION[event.action.kind].starts is Clock.DISPOSAL:
            changes["disposed_at"] = None
        return self.model_copy(update=changes)

    def does(self, action: Action, *, message_id: UUID | None = None) -> Event:
        """The event this action leaves on this case now. Raises IllegalAction where the table has no such step."""
        checked(action, stage=self.stage)
        to = BY_ACTION[action.kind].to or self.stage
        return new_event(
            case_id=self.id, seq=self.version + 1, from_=self.stage, to=to, action=action, message_id=message_id
        )


new_event, new_action, new_binding = unchecked(Event), unchecked(Action), unchecked(Binding)
"""For the hub's own decisions, put together of values that were validated."""
_case, _assignment = unchecked(Case), unchecked(Assignment)


def checked(action: Action, *, stage: Stage | None) -> Action:
    """The action itself, when the lifecycle table allows it from `stage` (None: no case yet).

    Raises IllegalAction with the words a person needs: what is allowed instead, or what is missing.
    """
    row = BY_ACTION[action.kind]
    if action.actor.party not in row.who:
        raise IllegalAction(f"{action.kind} is for {_names(row.who)}, not for {action.actor.party}", at="actor")
    if (stage is None) != (not row.from_) or (stage is not None and stage not in row.from_):
        possible = [other.action for other in BY_ACTION.values() if stage in other.from_]
        raise IllegalAction(f"{action.kind} is not possible from {stage}; possible: {_names(possible)}", at="kind")
    missing = [name for name in row.needs if not getattr(action, name)]
    if missing:
        raise IllegalAction(f"{action.kind} needs {', '.join(missing)}", at=missing[0])
    return action


def _names(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "nothing"


def _nothing(_case: Case, _action: Action) -> dict[str, object]:
    return {}


def _filed(_case: Case, action: Action) -> dict[str, object]:
    return {
        "class_code": action.class_code,
        "standard": action.standard,
        "place": action.place,
        "filed_at": action.at,
    }


def _dispatched(case: Case, action: Action) -> dict[str, object]:
    due = case.due or action.due  # a return does not stop the clock: the first round's due time stays
    assignment = _assignment(
        round=len(case.assignments) + 1, unit=action.unit, system=action.system, dispatched_at=action.at, due=due
    )
    return {"assignments": (*case.assignments, assignment), "due": due}


def _latest(case: Case, **changes: object) -> tuple[Assignment, ...]:
    return (*case.assignments[:-1], case.assignments[-1].model_copy(update=changes))


def _signed(case: Case, action: Action) -> dict[str, object]:
    return {"assignments": _latest(case, signed_at=action.at)}


def _returned(case: Case, action: Action) -> dict[str, object]:
    return {"assignments": _latest(case, returned_at=action.at), "returns": case.returns + 1}


def _disposed(case: Case, action: Action) -> dict[str, object]:
    latest = _latest(case, disposed_at=action.at)
    attachments = (*case.attachments, *action.attachments)
    return {"assignments": latest, "disposed_at": action.at, "result": action.result, "attachments": attachments}


def _reworked(case: Case, _action: Action) -> dict[str, object]:
    reopened = case.version + 1 if case.closed_at else case.reopened
    changes = {"assignments": _latest(case, disposed_at=None), "reworks": case.reworks + 1}
    return changes | {"closed_at": None, "evaluation": "", "reopened": reopened}


def _joined(case: Case, action: Action) -> dict[str, object]:
    assert action.report is not None
    known = {attachment.url for attachment in case.attachments}
    new = tuple(attachment for attachment in action.report.attachments if attachment.url not in known)
    return {"reports": case.reports + 1, "attachments": (*case.attachments, *new)}


def _commented(case: Case, action: Action) -> dict[str, object]:
    known = {attachment.url for attachment in case.attachments}
    new = {attachment.url: attachment for attachment in action.attachments if attachment.url not in known}
    return {"attachments": (*case.attachments, *new.values())}


def _closed(_case: Case, action: Action) -> dict[str, object]:
    return {"closed_at": action.at, "result": action.result}


def _evaluated(_case: Case, action: Action) -> dict[str, object]:
    return {"evaluation": action.result}


def _merged(_case: Case, action: Action) -> dict[str, object]:
    return {"merged_into": action.target}


_CHANGES: dict[ActionKind, Callable[[Case, Action], dict[str, object]]] = {
    ActionKind.JOIN: _joined,
    ActionKind.FILE: _filed,
    ActionKind.DISPATCH: _dispatched,
    ActionKind.REDISPATCH: _dispatched,
    ActionKind.SIGN: _signed,
    ActionKind.RETURN: _returned,
    ActionKind.DISPOSE: _disposed,
    ActionKind.REWORK: _reworked,
    ActionKind.CLOSE: _closed,
    ActionKind.EVALUATE: _evaluated,
    ActionKind.MERGE: _merged,
    ActionKind.COMMENT: _commented,
}
