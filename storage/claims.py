"""Deliveries in a worker's hands: what can be taken up, and all that their messages need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from canonical.case import Action, Binding, BindingRole, Case, Event, Share, latest_told
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
    case = _as_of(Case.model_validate_json(state), rounds, row.system, action)
    bindings = [Binding.model_validate_json(one) for one in own]
    source = next((binding for binding in bindings if binding.role is BindingRole.SOURCE), None)
    if row.address:
        addressed = Binding.model_validate_json(called) if called else None
    else:  # the owner may have told us its id since this was decided
        owners = [one for one in bindings if one.role is BindingRole.OWNER and one.round == case.round]
        addressed = latest_told(owners)
    return Claimed(
        id=row.id, system=row.system, message=row.message, seq=row.seq, attempts=row.attempts, claims=row.claims,
        in_doubt=row.in_doubt, created_at=row.created_at, since=row.since, sent_at=row.sent_at, case=case,
        action=action, binding=addressed, source_binding=source,
        replays=row.replays, edition=row.edition,
    )  # fmt: skip


def _as_of(case: Case, rounds: int, system: str, action: Action) -> Case:
    """The case with the rounds this message is about: a later round must not lend an earlier one its number.

    `rounds`: how many there were when this was decided; 0 before the first dispatch. Who was called to help sees its
    own assignment as the one that leads.
    """
    known = case.assignments[: rounds or None]
    joint = action.round or (rounds if action.kind is ActionKind.WHISTLE else 0)
    if 0 < joint <= len(known):
        called = known[joint - 1].model_copy(update={"share": Share.LEAD})
        return case.model_copy(update={"assignments": (*known[: joint - 1], called)})
    own = [one.round for one in known if one.system == system and one.share is Share.LEAD]
    return case.model_copy(update={"assignments": case.assignments[: own[-1]]}) if own else case
