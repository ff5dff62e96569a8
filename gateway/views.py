"""How things look from outside: cases, journeys, the books; personal data masked. API and command line share it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from canonical.case import BindingRole, Case
from canonical.lifecycle import BY_ACTION, ENDED, GIVES, LIFECYCLE, STAGE_TITLES, ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.reading import SystemRole
from canonical.records import UNDER_WAY, DeliveryState
from canonical.time import in_shanghai
from gateway.masking import masked
from storage.casebook import Books, Journey
from storage.rows import due_at

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

View = dict[str, Any]


def case_view(case: Case) -> View:
    """One case as JSON."""
    shown = masked(case).model_dump(mode="json", exclude={"id"})
    due = due_at(case)
    shown |= {
        "queue": case.queue, "owner": case.owner, "stage_title": STAGE_TITLES[case.stage],
        "class_code": str(case.class_code) if case.class_code else None, "due_at": due.isoformat() if due else None,
        "reference": case.reference if case.assignments else None,
    }  # fmt: skip
    return shown


def journey_view(journey: Journey, roles: Mapping[str, SystemRole]) -> View:
    """A case with its events, its numbers elsewhere, what was sent about it, and what could not be told."""
    return case_view(journey.case) | {
        "not_told": list(_not_told(journey, roles)),
        "events": [_event_view(event.model_dump(mode="json", exclude_defaults=True)) for event in journey.events],
        "bindings": [b.model_dump(mode="json", exclude={"case_id", "fingerprint"}) for b in journey.bindings],
        "deliveries": [row_view(row) for row in journey.deliveries],
        "replays": [row_view(row) for row in journey.replays],
        "held": [row_view(row) for row in journey.held],
    }


def _not_told(journey: Journey, roles: Mapping[str, SystemRole]) -> Iterator[View]:
    """Whom the lifecycle table tells and whose platform cannot be told, by its declaration: a person has to."""
    owner = ""
    sources = [binding for binding in journey.bindings if binding.role is BindingRole.SOURCE]
    for event in journey.events:
        action, tells = event.action, BY_ACTION[event.action.kind].tells
        owner = action.system if action.kind in _HANDED_OVER else owner
        told = {binding.system for binding in sources if binding.since <= event.seq} if Party.SOURCE in tells else set()
        told |= {owner} if Party.OWNER in tells and owner else set()
        told |= {action.system} if Party.LEAD_SYSTEM in tells else set()
        for system in sorted(told - {action.actor.id}):
            parts = [str(Party.SOURCE)] * any(binding.system == system for binding in sources)
            parts += [str(Party.OWNER)] * (system == owner)
            part = Party.LEAD_SYSTEM if Party.LEAD_SYSTEM in tells else "both" if len(parts) > 1 else parts[0]
            role = roles.get(system)
            unsupported = role.unsupported.get(part, {}) if role else {}
            if action.kind in unsupported:
                yield {"system": system, "action": action.kind, "reason": unsupported[action.kind], "seq": event.seq}
        owner = "" if action.kind is ActionKind.RETURN else owner


_HANDED_OVER = GIVES - {ActionKind.WHISTLE}


def _event_view(event: View) -> View:
    action = event["action"]
    event["title"] = BY_ACTION[action["kind"]].title
    event.pop("case_id")
    action.get("report", {}).pop("reporter", None)
    action.get("actor", {}).pop("name", None)
    return event


def row_view(row: "DataclassInstance") -> View:
    """A row of a listing as JSON."""
    return {field.name: _plain(getattr(row, field.name)) for field in fields(row)}


def _plain(value: object) -> object:
    return (
        in_shanghai(value).isoformat()
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, UUID)
        else value
    )


def lifecycle_view() -> list[View]:
    """The lifecycle table as JSON."""
    return [
        {
            "action": row.action, "title": row.title, "step": row.step, "from": sorted(row.from_), "to": row.to,
            "who": sorted(row.who), "needs": list(row.needs), "starts": row.starts, "stops": row.stops,
            "pauses": row.pauses,
            "resumes": row.resumes,
            "tells": sorted(row.tells),
        }
        for row in LIFECYCLE
    ]  # fmt: skip


def books_view(books: Books) -> View:
    """What came in, what became of it, what went out, and whether it adds up."""
    verdicts = books.reports
    reports = {
        "in": sum(verdicts.values()),
        "cases": verdicts.get(Verdict.CASE, 0),
        "joined": verdicts.get(Verdict.JOINED, 0) + verdicts.get(Verdict.REPEATED, 0),
        "refused": verdicts.get(Verdict.REFUSED, 0),
        "quarantined": verdicts.get(Verdict.QUARANTINED, 0) + verdicts.get(Verdict.HELD, 0),
        "repeated": verdicts.get(Verdict.REPEATED, 0),
    }
    closed = sum(count for stage, count in books.stages.items() if Stage(stage) in ENDED)
    total = sum(books.stages.values())
    states = _by_state(books)
    messages = {
        "all": sum(states.values()),
        "acknowledged": states.get(DeliveryState.ACKNOWLEDGED, 0),
        "waiting": sum(states.get(state, 0) for state in UNDER_WAY),
        "parked": states.get(DeliveryState.PARKED, 0),
        "refused": states.get(DeliveryState.REFUSED, 0),
        "withdrawn": states.get(DeliveryState.WITHDRAWN, 0),
    }
    view = {
        "reports": reports,
        "cases": {"all": total, "closed": closed, "open": total - closed, "overdue": books.overdue},
        "messages": messages,
        "stages": books.stages,
        "queues": books.queues,
        "owners": books.owners,
        "systems": _by_system(books),
    }
    return view | {"balance": balance(view)}


def balance(view: Mapping[str, Any]) -> View:
    """Each equation of the books, and whether all of them hold."""
    reports, cases, messages = view["reports"], view["cases"], view["messages"]
    equations = {
        "reports in = cases + joined + refused + quarantined": reports["in"]
        == reports["cases"] + reports["joined"] + reports["refused"] + reports["quarantined"],
        "cases opened by reports = cases on file": reports["cases"] == cases["all"],
        "cases = closed + open": cases["all"] == cases["closed"] + cases["open"],
        "messages = acknowledged + waiting + parked + refused + withdrawn": messages["all"]
        == sum(messages[name] for name in ("acknowledged", "waiting", "parked", "refused", "withdrawn")),
    }
    return {"equations": equations, "holds": all(equations.values())}


def _by_state(books: Books) -> dict[str, int]:
    states: dict[str, int] = {}
    for _, state, count in books.deliveries:
        states[state] = states.get(state, 0) + count
    return states


def _by_system(books: Books) -> dict[str, dict[str, int]]:
    systems: dict[str, dict[str, int]] = {}
    for system, state, count in books.deliveries:
        systems.setdefault(system, {})[state] = count
    return systems
