"""The case 案件: events are the truth, the present state is folded from them.

`Case.after(event)` is the only way a case changes, so state and history cannot part.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field

from canonical.action import (
    Action,
    Actor,
    Completion,
    Event,
    Supervision,
    Told,
    new_action,
    new_event,
)
from canonical.assignment import Assignment, Joint, Request, Share
from canonical.case_changes import CHANGES, nothing
from canonical.clock import Begin, Clock, Effect, Ledger, carried_after, find, ledgers_after, started
from canonical.codes import ClassCode
from canonical.errors import IllegalAction
from canonical.lifecycle import BESIDE, BY_ACTION, ENDED, ActionKind, Party, Row, Stage
from canonical.organisation import Level
from canonical.place import Place
from canonical.report import Attachment, Reporter, Urgency
from canonical.time import Due, Instant
from canonical.value import Value, unchecked

__all__ = [
    "Action", "Actor", "Assignment", "Binding", "BindingRole", "Case", "Completion", "Event", "Joint", "Queue",
    "Request", "Share", "Supervision", "Told", "checked", "latest_told", "new_action", "new_binding", "new_event",
]  # fmt: skip


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
    clocks: tuple[Ledger, ...] = ()
    """Clocks that run or stand still, and the disposal clock, which may go on."""
    reports: int = 1
    """How many reports the case stands for."""
    returns: int = 0
    reworks: int = 0
    reopened: int = 0
    """`seq` of the event that reopened it after closing; 0: never closed but once."""
    merged_into: str = ""
    request: Request | None = None
    suspensions: int = 0
    resume_at: Instant | None = None
    """When a suspension ends by itself."""
    supervision: Supervision | None = None
    level: Level | None = None
    """The loop 循环 that has the case: the level of the unit it was given to, or raised to."""
    joint: Joint | None = None
    ruled: str = ""
    """The unit that the centre's ruling 裁定 gave the case to: it cannot return it."""
    forced: bool = False
    on_the_spot: bool = False
    appeals: int = 0
    appealing: bool = False
    leader_assigned: bool = False
    """One of its reports was handed down by a leader 领导交办."""
    lead_system: str = ""
    """The industry system that is the centre for it 牵头系统, while the hub mirrors; empty: the hub is."""
    exempt: bool = False
    """An appeal was upheld: what happened stays, and is not counted 剔除."""

    @property
    def ended(self) -> bool:
        """True when nobody owes it work."""
        return self.stage in ENDED

    @property
    def assignment(self) -> Assignment | None:
        """The latest assignment of the unit that leads."""
        return next((one for one in reversed(self.assignments) if one.share is Share.LEAD), None)

    @property
    def round(self) -> int:
        """The round of the latest assignment of the unit that leads; 0: none yet."""
        latest = self.assignment
        return latest.round if latest else 0

    @property
    def turns(self) -> int:
        """How often the case was given to a unit that leads."""
        return sum(one.share is Share.LEAD for one in self.assignments)

    @property
    def joint_tasks(self) -> tuple[Assignment, ...]:
        """The assignments of the units that were called, of the joint work under way."""
        rounds = self.joint.rounds if self.joint else ()
        return tuple(self.assignments[number - 1] for number in rounds)

    @property
    def joint_missing(self) -> tuple[str, ...]:
        """The called units without whose word the lead cannot answer; empty: it can. Nobody waits for itself."""
        joint, lead = self.joint, self.assignment
        if joint is None or joint.completion is Completion.LEAD:
            return ()
        tasks = [one for one in self.joint_tasks if lead is None or one.unit != lead.unit]
        answered = sum(one.disposed_at is not None for one in tasks)
        if joint.completion is Completion.QUORUM and answered * 2 > len(tasks):
            return ()
        return tuple(one.unit for one in tasks if one.open)

    def clock(self, clock: Clock, of: str = "") -> Ledger | None:
        """The ledger of a clock that runs, stands still or may go on; None when there is none."""
        return find(self.clocks, clock, of)

    @property
    def next_step_at(self) -> Instant | None:
        """When the next step of any of its clocks is to be told, or a suspension ends by itself."""
        moments = [one.step_at for one in self.clocks if one.step_at and one.stopped_at is None]
        if self.resume_at and not self.lead_system:  # else the system that leads it resumes it
            moments.append(self.resume_at)
        return min(moments, default=None)

    @property
    def owner(self) -> str:
        """The system that carries, or carried to the end, the latest assignment; empty when none does."""
        latest = self.assignment
        return latest.system if latest and latest.returned_at is None else ""

    @property
    def reference(self) -> str:
        """Our number as given to an owner: case number and round. Digits and one hyphen."""
        return f"{self.no}-{self.round}"

    @property
    def queue(self) -> Queue | None:
        """Which of the centre's queues it waits in; None when another party is to act."""
        if self.lead_system:
            return None
        if self.stage is Stage.REPORTED:
            if not self.place.usable:
                return Queue.LOCATION_UNKNOWN
            return Queue.CLASS_UNKNOWN if self.class_code is None else Queue.TO_FILE
        if self.stage in {Stage.DISPATCHED, Stage.HANDLING} and not self.owner:
            return Queue.AT_DESK
        return _QUEUE_OF_STAGE.get(self.stage)

    @classmethod
    def opened(cls, event: Event, *, no: str, sequence: int, begin: Begin = started) -> "Case":
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
            leader_assigned=report.leader_assigned,
            received_at=action.at,
            reported_at=report.reported_at,
            source_due=action.source_due,
            result=report.settled,
            lead_system=action.lead_system,
            clocks=ledgers_after(
                (), _effect(BY_ACTION[action.kind], action), action.timed, action.at, event.seq, begin
            ),
        )

    def after(self, event: Event, begin: Begin = started) -> Self:
        """The case after one more event. Raises ValueError when the event is not the next one of this case."""
        if event.case_id != self.id or event.seq != self.version + 1 or event.from_ is not self.stage:
            raise ValueError(f"{self.no}: event {event.seq} from {event.from_} does not follow version {self.version}")
        action, row = event.action, BY_ACTION[event.action.kind]
        changes = CHANGES.get(action.kind, nothing)(self, action)
        changes |= {"stage": event.to, "version": event.seq}
        if self.clocks or action.timed:
            changes |= self._clocks_after(row, event, begin)
        return self.model_copy(update=changes)

    def _check_joint(self, action: Action) -> None:
        """A joint action speaks of a called unit's assignment that is still open."""
        task = self.assignments[action.round - 1] if 0 < action.round <= len(self.assignments) else None
        if task is None or task.share is not Share.JOINT or task.unit != action.unit:
            raise IllegalAction(f"{action.unit or 'nobody'} was not called with assignment {action.round}", at="round")
        if not task.open:
            raise IllegalAction(f"{action.unit} has answered assignment {action.round} already", at="round")

    def _check_lead(self, action: Action) -> None:
        """While a system leads the case, it alone decides; what others do is beside."""
        party, lead = action.actor.party, self.lead_system
        if party is Party.LEAD_SYSTEM and action.actor.id != lead:
            raise IllegalAction(f"{action.actor.id} does not lead case {self.no}", at="actor")
        if action.kind in _LEADING and bool(lead) != (action.kind is ActionKind.TAKE_OVER):
            raise IllegalAction(f"case {self.no} is led by {lead or 'the hub'} already", at="kind")
        if not lead or action.kind in BESIDE or (action.actor.id == lead and party in _OF_SYSTEMS):
            return
        raise IllegalAction(
            f"case {self.no} is led by {lead}: others may {_names(BESIDE)}; take_over makes the hub its centre",
            at="kind",
        )

    def clocks_after(self, event: Event) -> tuple[Ledger, ...]:
        """All clocks after this event of the case, those included that it stopped."""
        effect = _effect(BY_ACTION[event.action.kind], event.action)
        return ledgers_after(self.clocks, effect, event.action.timed, event.action.at, event.seq)

    def _clocks_after(self, row: Row, event: Event, begin: Begin) -> dict[str, object]:
        action = event.action
        clocks = carried_after(self.clocks, _effect(row, action), action.timed, action.at, event.seq, begin)
        changes: dict[str, object] = {"clocks": clocks}
        if event.action.kind is ActionKind.RECOMPUTE and (source := find(clocks, Clock.SOURCE)) is not None:
            changes["source_due"] = source.due
        disposal = find(clocks, Clock.DISPOSAL)
        if disposal is None or disposal.stopped_at is not None:
            return changes
        changes["due"] = disposal.due
        if Clock.DISPOSAL in row.starts:
            changes["disposed_at"] = None
        return changes

    def does(self, action: Action, *, message_id: UUID | None = None) -> Event:
        """The event this action leaves on this case now. Raises IllegalAction where the table has no such step."""
        checked(action, stage=self.stage)
        self._check_lead(action)
        if action.round:
            self._check_joint(action)
        if action.kind is ActionKind.REWORK and self.assignment is None:
            raise IllegalAction("rework goes to the unit that did the work, and none had it", at="kind")
        to = BY_ACTION[action.kind].to or self.stage
        return new_event(
            case_id=self.id, seq=self.version + 1, from_=self.stage, to=to, action=action, message_id=message_id
        )


_LEADING = frozenset({ActionKind.TAKE_OVER, ActionKind.HAND_BACK})
_OF_SYSTEMS = frozenset({Party.LEAD_SYSTEM, Party.SOURCE, Party.OWNER})
new_binding, _case = unchecked(Binding), unchecked(Case)


def _effect(row: Row, action: Action) -> Effect:
    return Effect(
        starts=row.starts, stops=row.stops, pauses=row.pauses, resumes=row.resumes, ends=row.to in ENDED,
        of=action.unit if action.round else "",
    )  # fmt: skip


_UNSAID = frozenset({"class_code", "standard", "place", "unit", "reason", "result", "until", "limit"})
"""What a lead system may leave unsaid: its state is kept as far as it tells it."""


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
    led = action.actor.party is Party.LEAD_SYSTEM and row.action is not ActionKind.EVALUATE
    unsaid = _UNSAID if led else frozenset()
    missing = [name for name in row.needs if not getattr(action, name) and name not in unsaid]
    if missing:
        raise IllegalAction(f"{action.kind} needs {', '.join(missing)}", at=missing[0])
    return action


def _names(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "nothing"


def runs_of(events: Sequence[Event]) -> list[Ledger]:
    """Every run of every clock of a case, those that ended too, as they started. `events`: all, in order."""
    if not events:
        return []
    case = Case.opened(events[0], no="", sequence=0)
    runs = {(one.clock, one.of, one.since): one for one in case.clocks}
    for event in events[1:]:
        runs |= {(one.clock, one.of, one.since): one for one in case.clocks_after(event)}
        case = case.after(event)
    return sorted(runs.values(), key=lambda one: (one.since, one.clock, one.of))
