"""Deliveries in a worker's hands: what can be taken up, and all that their messages need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from canonical.assignment import Called, called_round
from canonical.case import Action, Assignment, Binding, BindingRole, Case, Completion, Event, Share, latest_told
from canonical.clock import Clock
from canonical.errors import Unavailable
from canonical.lifecycle import ActionKind
from storage import lanes
from storage.driver import Connection, Prepared


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much a worker can take up for one system, and for how long it will have it."""

    system: str
    places: int
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Ticket:
    """A head of a lane that whoever comes first may take up."""

    id: UUID
    system: str
    claims: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in a worker's hands, with all that is needed to write its message."""

    id: UUID
    system: str
    message: str
    seq: int
    """Its place in the lane."""
    attempts: int
    """This attempt included; counted anew when a person releases it."""
    claims: int
    """How often it was taken up: tells this worker's claim from any other."""
    in_doubt: bool
    """An earlier attempt may have arrived."""
    created_at: datetime
    since: datetime
    """When its present attempts began: at the first one, or after a person released it."""
    sent_at: datetime | None
    """When it last left, as far as we know."""
    case: Case
    action: Action
    binding: Binding | None
    source_binding: Binding | None
    replays: UUID | None = None
    """Of a replay: the message whose very bytes are sent again; None where it is written."""
    edition: str = ""
    """Of a replay: the edition it is written by; empty for what is no replay."""
    called: Called | None = None
    """Of a message to a called unit's platform: who leads, and until when the unit is awaited."""


class NotOurs(Unavailable):
    """Another worker has this delivery by now, or sending to its system was switched off: it must not leave."""

    def __init__(self) -> None:
        super().__init__("another worker has this delivery by now, or sending to the system was switched off")


class _Row(NamedTuple):
    """What taking up a delivery returns, in its order."""

    id: UUID
    case_id: UUID
    system: str
    seq: int
    event_seq: int
    message: str
    address: str
    attempts: int
    claims: int
    in_doubt: bool
    created_at: datetime
    since: datetime
    sent_at: datetime | None
    replays: UUID | None
    edition: str
    due_at: datetime


_LOAD = Prepared(lanes.LOAD)


def asked(wanted: Sequence[Wanted], now: datetime) -> dict[str, object]:
    return {
        "systems": [one.system for one in wanted], "places": [one.places for one in wanted],
        "leases": [now + one.lease for one in wanted], "now": now,
    }  # fmt: skip


async def loaded(connection: Connection, records: Sequence[Any]) -> list[Claimed]:
    """What the messages of these deliveries need."""
    if not records:
        return []
    rows = sorted((_Row(*record) for record in records), key=lambda row: (row.due_at, row.id))
    keys = {
        "ns": list(range(len(rows))), "ids": [row.case_id for row in rows], "seqs": [row.event_seq for row in rows],
        "systems": [row.system for row in rows], "addresses": [row.address for row in rows],
    }  # fmt: skip
    return [_claimed(rows[n], *facts) for n, *facts in await _LOAD.fetch(connection, keys)]


def loaded_at_once(records: Sequence[Any]) -> list[Claimed]:
    """Deliveries that came with what their messages need; what is due longest comes first."""
    width = len(_Row._fields)
    pairs = [(_Row(*record[:width]), record[width:]) for record in map(tuple, records)]
    return [_claimed(row, *facts) for row, facts in sorted(pairs, key=lambda pair: (pair[0].due_at, pair[0].id))]


def _claimed(row: _Row, state: str, body: str, rounds: int, own: Sequence[str], called: str | None) -> Claimed:
    action = Event.model_validate_json(body).action
    whole = Case.model_validate_json(state)
    task = _called_task(whole, row, rounds, action)
    case = _as_called(whole, task) if task else _as_of(whole, rounds, row.system)
    bindings = [Binding.model_validate_json(one) for one in own]
    source = next((binding for binding in bindings if binding.role is BindingRole.SOURCE), None)
    if row.address and not called_round(row.address):
        addressed = Binding.model_validate_json(called) if called else None
    else:  # the owner may have told us its id since this was decided
        owners = [one for one in bindings if one.role is BindingRole.OWNER and one.round == case.round]
        addressed = latest_told(owners)
    return Claimed(
        id=row.id, system=row.system, message=row.message, seq=row.seq, attempts=row.attempts, claims=row.claims,
        in_doubt=row.in_doubt, created_at=row.created_at, since=row.since, sent_at=row.sent_at, case=case,
        action=action, binding=addressed, source_binding=source,
        replays=row.replays, edition=row.edition, called=_told_called(whole, task, action) if task else None,
    )  # fmt: skip


def _as_of(case: Case, rounds: int, system: str) -> Case:
    """The case with the rounds this message is about: a later round must not lend an earlier one its number.

    `rounds`: how many there were when this was decided; 0 before the first dispatch.
    """
    known = case.assignments[: rounds or None]
    own = [one.round for one in known if one.system == system and one.share is Share.LEAD]
    return case.model_copy(update={"assignments": case.assignments[: own[-1]]}) if own else case


def _called_task(case: Case, row: _Row, rounds: int, action: Action) -> Assignment | None:
    """The called unit's assignment that the message is about; None: it is about the case itself."""
    number = called_round(row.address) or (rounds if action.kind is ActionKind.WHISTLE else 0)
    task = case.assignments[number - 1] if 0 < number <= len(case.assignments) else None
    return task if task is not None and task.share is Share.JOINT and task.system == row.system else None


def _as_called(case: Case, task: Assignment) -> Case:
    """The case as a called unit's platform sees it: the unit's own assignment leads, under its own reference."""
    own = task.model_copy(update={"share": Share.LEAD})
    return case.model_copy(update={"assignments": (*case.assignments[: task.round - 1], own)})


def _told_called(case: Case, task: Assignment, action: Action) -> Called:
    """Whom the unit was called by, and until when: as the whistle said, else as its clocks stand."""
    before = [one for one in case.assignments[: task.round - 1] if one.share is Share.LEAD]
    due = {one.clock: one.due.at for one in case.clocks if one.of == task.unit and one.due is not None}
    due |= {one.clock: one.due.at for one in action.timed if one.of == task.unit and one.due is not None}
    return Called(
        lead=before[-1].unit if before else "", completion=case.joint.completion if case.joint else Completion.ALL,
        report_in_by=due.get(Clock.REPORT_IN), answer_by=due.get(Clock.JOINT),
    )  # fmt: skip
