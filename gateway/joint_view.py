"""Joint work 吹哨联动 for people: who called whom, through which system, who came when, and how far it is.

Folded from the case's events, so that work which is done is shown like work under way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from canonical.case import Action, Case, Completion, Event
from canonical.clock import Clock
from canonical.lifecycle import ActionKind
from canonical.organisation import Unit
from storage.casebook import Journey, SentRow

View = dict[str, Any]


@dataclass(slots=True)
class _Call:
    """One called unit's part."""

    event: Event
    case: Case
    """As it was when the unit was called."""
    due: dict[Clock, datetime] = field(default_factory=dict)
    said: dict[ActionKind, Action] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return self.event.action.unit

    @property
    def ended_at(self) -> datetime | None:
        """When it owed nothing any more, by its own word."""
        ended = self.said.get(ActionKind.ANSWER) or self.said.get(ActionKind.DECLINE)
        return ended.at if ended else None


@dataclass(slots=True)
class _Work:
    """From the first whistle to the lead's answer."""

    since: Event
    lead: str
    completion: Completion
    calls: dict[int, _Call] = field(default_factory=dict)
    """By the number of the assignment."""
    end: Event | None = None


def joint_view(journey: Journey, units: Mapping[str, Unit], now: datetime) -> list[View]:
    """Every joint work of the case, the first one first. `units`: for their names."""
    works = list(_works(journey.events))
    return [_view(one, journey, units, now) for one in works]


def _works(events: Sequence[Event]) -> Iterator[_Work]:
    if not any(event.action.kind is ActionKind.WHISTLE for event in events):
        return
    case, calls = Case.opened(events[0], no="", sequence=0), dict[int, _Call]()
    work: _Work | None = None
    for event in events[1:]:
        case = case.after(event)
        action = event.action
        if action.kind is ActionKind.WHISTLE and case.joint is not None:
            if work is None:
                work = _Work(event, case.joint.initiator, case.joint.completion)
                yield work
            work.calls[len(case.assignments)] = calls[len(case.assignments)] = _Call(event, case)
        elif action.round in calls and action.kind in _WORDS:
            calls[action.round].said[action.kind] = action
        for timed in action.timed:
            for call in calls.values():
                if timed.of and timed.of == call.unit and call.ended_at is None and timed.due is not None:
                    call.due[timed.clock] = timed.due.at
        if work is not None and case.joint is None:
            work.end, work = event, None


_WORDS = frozenset({ActionKind.REPORT_IN, ActionKind.ANSWER, ActionKind.DECLINE})


def _view(work: _Work, journey: Journey, units: Mapping[str, Unit], now: datetime) -> View:
    ended = work.end.action if work.end else None
    running = journey.case.joint if work.end is None else None
    held = [one for one in journey.held if running is not None and one.system == journey.case.owner]
    return {
        "since": _at(work.since.action.at), "lead": work.lead, "lead_name": _name(units, work.lead),
        "by": work.since.action.actor.id, "by_name": _name(units, work.since.action.actor.id),
        "completion": work.completion,
        "state": "under_way" if ended is None else "done" if ended.kind is ActionKind.DISPOSE else "ended",
        "ended_at": _at(ended.at if ended else None), "ended_by": ended.kind if ended else None,
        "called": len(work.calls), "answered": sum(ActionKind.ANSWER in one.said for one in work.calls.values()),
        "waits_for": list(journey.case.joint_missing) if running else [],
        "lead_answered_at": _at(held[0].at if held else None),
        "units": [_called(number, one, work, journey, units, now) for number, one in work.calls.items()],
    }  # fmt: skip


def _called(
    number: int, call: _Call, work: _Work, journey: Journey, units: Mapping[str, Unit], now: datetime
) -> View:  # fmt: skip
    action, said = call.event.action, call.said
    there = said.get(ActionKind.REPORT_IN) or said.get(ActionKind.ANSWER) or said.get(ActionKind.DECLINE)
    answer, decline = said.get(ActionKind.ANSWER), said.get(ActionKind.DECLINE)
    until = work.end.action.at if work.end else now
    return {
        "unit": call.unit, "name": _name(units, call.unit), "reference": f"{journey.case.no}-{number}",
        "round": number, "system": action.system, "told": _told(journey.deliveries, call.event.seq, action.system),
        "called_at": _at(action.at), "called_by": action.actor.id, "request": action.reason,
        "report_in_by": _at(call.due.get(Clock.REPORT_IN)), "reported_in_at": _at(there.at if there else None),
        "report_in_late": _late(call.due.get(Clock.REPORT_IN), there.at if there else until),
        "answer_by": _at(call.due.get(Clock.JOINT)), "answered_at": _at(answer.at if answer else None),
        "answer_late": _late(call.due.get(Clock.JOINT), call.ended_at or until),
        "result": answer.result if answer else "",
        "declined_at": _at(decline.at if decline else None), "declined_because": decline.reason if decline else "",
    }  # fmt: skip


def _told(deliveries: Sequence[SentRow], seq: int, system: str) -> str | None:
    """What became of telling its platform; None: the desk hands it over."""
    if not system:
        return None
    states = [one.state for one in deliveries if one.event_seq == seq and one.system == system and one.replays is None]
    return states[-1] if states else "not_told"


def _late(due: datetime | None, until: datetime) -> bool:
    return due is not None and due < until


def _name(units: Mapping[str, Unit], unit: str) -> str:
    return units[unit].name if unit in units else unit


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
