"""Every field that an event can have is either sealed as it stands or as a commitment, by somebody's decision."""

import json
from collections.abc import Iterator
from datetime import datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

from canonical.case import Action, Actor, Event
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.time import SHANGHAI
from gateway.evidence.leaf import COMMITTED, leaf_of
from gateway.evidence.verify import DISCLOSED, hash_of
from storage.seals import EVENT, EventRow, Place

AS_IT_STANDS = {
    "case_id", "seq", "from_", "to", "message_id", "action.kind", "action.at", "action.stated_at",
    # Who decided what is what a pack proves: ids of systems, operators and rules.
    "action.actor.party", "action.actor.id",
    # What people of the administration and units wrote: opinions stand as they were written.
    "action.reason", "action.basis", "action.result",
    # What is decided, and of which case, unit, part and clock.
    "action.class_code", "action.standard", "action.place", "action.unit", "action.system", "action.round",
    "action.due", "action.source_due", "action.limit", "action.until", "action.level", "action.supervision",
    "action.completion", "action.told", "action.timed", "action.target", "action.editions",
    # Who leads the case, and what our tables would have done beside a lead system: rows and units, nobody's data.
    "action.lead_system", "action.shadow",
    # What was reported, without whom and without what the source sent besides.
    "action.report.title", "action.report.description", "action.report.class_code", "action.report.given_class",
    "action.report.address", "action.report.given_area", "action.report.coordinate", "action.report.urgency",
    "action.report.channel", "action.report.opinion", "action.report.settled", "action.report.share",
    "action.report.leader_assigned",
    "action.report.reported_at", "action.report.reported_on", "action.report.deadline", "action.report.sign_deadline",
}  # fmt: skip
"""Fields of an event that a masked pack shows. A new field of an action, a report or an actor belongs here or among
what leaf.py commits; docs/evidence.md says by which measure."""
INSIDE = {"action", "action.actor", "action.report"}
"""Looked into; anything else is one thing."""


def fields(model: type[BaseModel], within: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{within}{name}"
        if path in INSIDE:
            yield from fields(_model(field.annotation), f"{path}.")
        else:
            yield path


def _model(annotation: Any) -> type[BaseModel]:
    some = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    [found] = [one for one in some if isinstance(one, type) and issubclass(one, BaseModel)]
    return found


def test_every_field_of_every_action_is_kept_or_committed_by_decision() -> None:
    there = set(fields(Event))

    assert there - AS_IT_STANDS - COMMITTED == set(), "decide: sealed as it stands, or as a commitment (leaf.py)"
    assert (AS_IT_STANDS | COMMITTED) - there == set(), "decided of a field that is not there any more"
    assert set() == AS_IT_STANDS & COMMITTED


def row(**fields: Any) -> EventRow:
    at = datetime(2026, 5, 20, 10, tzinfo=SHANGHAI)
    actor = Actor(party=Party.CENTRE, id="operator-7", name="值班员某某")
    action = Action(kind=ActionKind.DISPATCH, actor=actor, at=at, unit="u1", officer="officer-3", **fields)
    event = Event(case_id=UUID(int=1), seq=2, from_=Stage.FILED, to=Stage.DISPATCHED, action=action)
    place = Place(1, EVENT, UUID(int=1), 2)
    return EventRow(place, at, action.kind, actor.party, None, event.model_dump_json(exclude_defaults=True))


def test_the_officer_of_a_dispatch_stands_as_a_commitment_in_new_seals_and_as_it_was_in_old_ones() -> None:
    hash_ = hash_of("sha256")

    new, old = leaf_of(row(), b"salt", hash_), leaf_of(row(), b"salt", hash_, 1)

    assert b"officer-3" not in new.line
    assert b"officer-3" in old.line
    committed = json.loads(new.line)["event"]["action"]["officer"]["committed"]
    assert committed in {hash_(DISCLOSED + one.line).hex() for one in new.disclosures}
