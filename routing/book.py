"""The working memory of one batch: cases as they stand, and everything the transaction will have to write."""

from bisect import insort
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from canonical.alarm import AlarmState, CapState
from canonical.assignment import Assignment, called_address
from canonical.case import Action, Binding, BindingRole, Case, Event, checked, latest_told, new_action, new_event
from canonical.errors import IllegalAction
from canonical.lifecycle import BESIDE, BY_ACTION, GIVES, ActionKind, Party, Stage
from canonical.records import CaseFile, Changes, Delivery, Known
from routing.city import City
from routing.joint import called_message, consolidated, still_called
from routing.rules import next_action
from routing.timing import UNITS, Timing
from routing.trade import check_trade

STEPS = 1000
"""One event has room for so many deliveries: the lane's order is the event's number times this, plus a count."""

_SYSTEMS = frozenset({Party.SOURCE, Party.OWNER})


class Book:
    """Cases, bindings and deliveries of one batch. A later arrival sees what an earlier one did."""

    def __init__(self, known: Known, city: City, now: datetime, ids: Callable[[], UUID]) -> None:
        self.known, self.city, self.now, self.ids = known, city, now, ids
        self.timing = Timing(city, now)
        self.changes = Changes()
        for bindings in known.of_case.values():
            bindings.sort(key=_order)
        self._last: dict[UUID, Event] = {}
        self._told: dict[tuple[UUID, int], int] = {}

    def open(self, action: Action, message_id: UUID, number: int) -> Case:
        """A new case from a collect action. Raises IllegalAction when the action is another one."""
        action = self.timing.complete(checked(action, stage=None), None)
        event = new_event(
            case_id=self.ids(), seq=1, from_=None, to=Stage.REPORTED, action=action, message_id=message_id
        )
        no = f"{self.city.code}{self.now:%Y%m%d}{number:07d}"
        case = Case.opened(event, no=no, sequence=number, begin=self.timing.begin)
        self.known.by_no[case.no] = case.id
        self.changes.new_cases[case.id] = case
        self._write(case, event)
        return case

    def do(self, case_id: UUID, action: Action, message_id: UUID | None) -> Case:
        """One action on a known case. Raises IllegalAction, and then nothing has changed."""
        case = self.known.cases[case_id]
        checked(action, stage=case.stage)
        if not case.lead_system or action.kind in BESIDE:  # the city's rules bind its own people
            check_trade(action, case, self.city, self.now)
        action = consolidated(action, case, self.city)
        event = case.does(self.timing.complete(action, case), message_id=message_id)
        before, case = case, case.after(event, self.timing.begin)
        self._write(case, event)
        self._tell(before, case, event)
        return case

    def follow(self, case_id: UUID) -> Case:
        """Do what the rules say follows the case's last event, until a person or another system is to act."""
        while True:
            case = self.known.cases[case_id]
            action = next_action(case, self._last[case_id], self.city, self.now)
            if action is None:
                return case
            try:
                self.do(case_id, action, None)
            except IllegalAction as error:  # what went before stands: what the rules forbid, a person has to decide
                left = f"{action.kind} is left to the centre: {error}"
                kind = ActionKind.COMMENT
                self.do(case_id, new_action(kind=kind, actor=action.actor, at=self.now, reason=left), None)
                return self.known.cases[case_id]

    def bind(self, binding: Binding) -> None:
        """Remember a system's identity of a case; one that is known already stays as it is."""
        key = (binding.system, binding.external_id)
        if key in self.known.bindings:
            return
        self.known.bindings[key] = binding
        insort(self.known.of_case.setdefault(binding.case_id, []), binding, key=_order)
        if binding.case_key:
            self.known.by_case_key[binding.system, binding.case_key] = binding.case_id
        self.changes.bindings.append(binding)

    def rebind(self, binding: Binding, case_id: UUID) -> None:
        """From now on the system's number means another case: the one its own was merged into."""
        moved = binding.model_copy(update={"case_id": case_id})
        self.known.bindings[binding.system, binding.external_id] = moved
        self.known.of_case[binding.case_id].remove(binding)
        insort(self.known.of_case.setdefault(case_id, []), moved, key=_order)
        if binding.case_key:  # the latest case that bears the key, as the store would tell the next batch
            key = (binding.system, binding.case_key)
            bearing = (b.case_id for b in self.known.bindings.values() if (b.system, b.case_key) == key)
            self.known.by_case_key[key] = max(bearing)
        self._write_binding(binding, moved)

    def amend(self, binding: Binding) -> None:
        """The same identity of the same case, with something changed beside it."""
        key = (binding.system, binding.external_id)
        old, self.known.bindings[key] = self.known.bindings[key], binding
        _replace(self.known.of_case[binding.case_id], old, binding)
        self._write_binding(old, binding)

    def _write_binding(self, old: Binding, binding: Binding) -> None:
        """Each binding is written once, as it is in the end: of two rows with one key the database takes any."""
        if not _replace(self.changes.bindings, old, binding) and not _replace(self.changes.rebound, old, binding):
            self.changes.rebound.append(binding)

    def remember(self, state: AlarmState) -> None:
        """What is remembered of a device from now on; its next telling in this batch finds it."""
        key = (state.system, state.device, state.kind)
        self.known.alarms[key] = self.changes.alarms[key] = state

    def remember_cap(self, cap: CapState) -> None:
        """What the storm cap of a kind remembers from now on."""
        self.known.caps[cap.system, cap.kind] = self.changes.caps[cap.system, cap.kind] = cap

    def tell_joined(self, case: Case, binding: Binding) -> None:
        """A task that joins a case already filed is taken on at once; one that joins earlier is told when it is."""
        if case.filed_at is not None:
            message = self._message(binding.system, ActionKind.JOIN, "source")
            self._deliver(case, binding.system, message, binding.external_id)

    def _write(self, case: Case, event: Event) -> None:
        self.known.cases[case.id] = case
        self._last[case.id] = event
        self.changes.events.append(event)
        self._keep_files(event)
        new = case.id in self.changes.new_cases
        (self.changes.new_cases if new else self.changes.changed_cases)[case.id] = case

    def _keep_files(self, event: Event) -> None:
        """Files that a system gave the case; it knows how to fetch them. What a person orders brings none."""
        action = event.action
        files = action.attachments + (action.report.attachments if action.report else ())
        if files and action.actor.party in _SYSTEMS:
            self.changes.files += (CaseFile(event.case_id, action.actor.id, file, self.now) for file in files)

    def _tell(self, before: Case, case: Case, event: Event) -> None:
        """Outbox rows for those whom the table tells, except whoever did it. Who plays both parts is told once."""
        action, kind = event.action, event.action.kind
        tells = BY_ACTION[kind].tells
        if not tells or (case.lead_system and action.actor.party is Party.HUB and kind not in _HANDING_OVER):
            return  # beside a lead system the hub's clocks run in silence
        if Party.LEAD_SYSTEM in tells:
            self._tell_lead(case, event)
            return
        if kind is ActionKind.WHISTLE or (action.told is not None and action.round):
            self._tell_called(case, kind, case.assignments[(action.round or len(case.assignments)) - 1])
            return
        if action.told is not None and action.told.clock not in UNITS:
            return  # it is the centre that is late
        for task in still_called(before, kind) if Party.JOINT in tells else ():
            self._tell_called(case, kind, task)
        bindings = self.known.of_case.get(case.id, [])
        sources = [binding for binding in bindings if binding.role is BindingRole.SOURCE]
        source_systems = {binding.system for binding in sources}
        told = (
            [(b.system, "source", b.external_id) for b in _unanswered(case, sources)] if Party.SOURCE in tells else []
        )
        owner = case.owner
        if Party.OWNER in tells and owner and not (told and owner in source_systems):
            told.append((owner, "owner", _owner_address(case, bindings)))
        for system, party, address in told:
            if system != event.action.actor.id:
                both = system == owner and system in source_systems
                self._deliver(case, system, self._handing(case, system, kind, "both" if both else party), address)

    def _handing(self, case: Case, system: str, kind: ActionKind, party: str) -> str | None:
        """The message for an action; that of the action it amounts to, where the platform knows no such thing."""
        message = self._message(system, kind, party)
        if message is not None or party in _unsupported(self.city, system, kind):
            return message
        if kind in GIVES:
            before = sum(one.system == system for one in case.assignments) > 1
            return self._message(system, ActionKind.REDISPATCH if before else ActionKind.DISPATCH, party)
        return self._message(system, AMOUNTS_TO[kind, party], party) if (kind, party) in AMOUNTS_TO else None

    def _tell_called(self, case: Case, kind: ActionKind, task: Assignment) -> None:
        """The system of a called unit, also where that system did it: to it the unit's part is a matter of its own."""
        self._deliver(case, task.system, called_message(self.city, task.system, kind), called_address(task.round))

    def _tell_lead(self, case: Case, event: Event) -> None:
        """The system that leads no more, or leads again, under its own id of the case."""
        system = event.action.system
        own = [one for one in self.known.of_case.get(case.id, []) if one.system == system]
        address = next((one.external_id for one in own if one.role is BindingRole.SOURCE), "")
        self._deliver(case, system, self._message(system, event.action.kind, Party.LEAD_SYSTEM), address)

    def _message(self, system: str, kind: ActionKind, party: str) -> str | None:
        role = self.city.systems.get(system)
        return role.tells.get(party, {}).get(kind) if role else None

    def _deliver(self, case: Case, system: str, message: str | None, address: str) -> None:
        """An outbox row about the case's last event; none where the system has no message for it."""
        if message is None:
            return
        seq = case.version
        same = self._told.get((case.id, seq), 0)
        self._told[case.id, seq] = same + 1
        self.changes.deliveries.append(
            Delivery(
                id=self.ids(),
                case_id=case.id,
                system=system,
                seq=seq * STEPS + same,
                event_seq=seq,
                message=message,
                address=address,
                created_at=self.now,
            )
        )


_HANDING_OVER = frozenset({ActionKind.TAKE_OVER, ActionKind.HAND_BACK})
AMOUNTS_TO = {
    (ActionKind.FORCE_CLOSE, "source"): ActionKind.CLOSE,
    (ActionKind.FORCE_CLOSE, "both"): ActionKind.CLOSE,
    (ActionKind.FORCE_CLOSE, "owner"): ActionKind.CANCEL,
    (ActionKind.SETTLE, "source"): ActionKind.CLOSE,
}
"""What an action is to a platform that has no message for it."""


def _unsupported(city: City, system: str, kind: ActionKind) -> frozenset[str]:
    """The parts in which the platform says it cannot be told of this."""
    role = city.systems.get(system)
    return frozenset(part for part, kinds in role.unsupported.items() if kind in kinds) if role else frozenset()


def _order(binding: Binding) -> tuple[str, str]:
    """The bindings of a case stand in an order of their own: otherwise it would tell where a batch was cut."""
    return binding.external_id, binding.system


def _replace(bindings: list[Binding], old: Binding, new: Binding) -> bool:
    """Put `new` where `old` stands; False when it stands nowhere."""
    if old not in bindings:
        return False
    bindings[bindings.index(old)] = new
    return True


def _unanswered(case: Case, sources: list[Binding]) -> list[Binding]:
    """A reopened case answers the task that reopened it: the earlier ones had their answer when it was closed first."""
    new = [binding for binding in sources if case.reopened and binding.since >= case.reopened - 1]
    return new or sources


def _owner_address(case: Case, bindings: list[Binding]) -> str:
    """The owner's own id, when it told us one: of this round as its owner, or as the source of the case."""
    fitting = [
        binding
        for binding in bindings
        if binding.system == case.owner and (binding.role is BindingRole.SOURCE or binding.round == case.round)
    ]
    told = latest_told(fitting)
    return told.external_id if told else ""
