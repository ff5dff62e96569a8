"""The facts of a case, made of its events alone: every action is one, and every run of a clock.

Dimensions (unit, class, area, ...) say what held at that point; what became of the case in the end stands in all of
its facts. Folding the same events again gives the same facts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from assessment.runs import Run, runs_of
from canonical.case import Case, Event
from canonical.fact import ACTION, CLOCK, Fact
from canonical.lifecycle import BY_ACTION, GIVES, ActionKind, Party, Step
from canonical.time import Limit, Pause

Spent = Callable[[str, datetime, datetime, Sequence[Limit], Sequence[Pause]], timedelta]
"""What a unit's clock used of its limits between two instants, pauses left out."""

_POST_OF_STEP = MappingProxyType({
    Step.COLLECT: "collector", Step.FILE: "duty_chief", Step.DISPATCH: "dispatcher", Step.DISPOSE: "handler",
    Step.CHECK: "collector", Step.CLOSE: "duty_chief", Step.EVALUATE: "acceptor",
})  # fmt: skip
_DECIDED_BY_THE_CHIEF = frozenset({
    ActionKind.REWORK, ActionKind.GRANT_EXTENSION, ActionKind.REFUSE_REQUEST, ActionKind.SUSPEND, ActionKind.RESUME,
    ActionKind.SUPERVISE, ActionKind.LIFT, ActionKind.UPHOLD, ActionKind.DISMISS,
})  # fmt: skip
_POST_OF_ACTION = MappingProxyType({
    ActionKind.VERIFY: "acceptor", ActionKind.REFUSE: "acceptor", ActionKind.SETTLE: "collector",
    ActionKind.COMMENT: "", **dict.fromkeys(_DECIDED_BY_THE_CHIEF, "duty_chief"),
})  # fmt: skip
"""Where the post is another than the step's. Field facts 1.7: stage person keys."""
_POST_OF_PARTY = MappingProxyType({
    Party.HUB: "rule", Party.OWNER: "handler", Party.JOINT: "handler", Party.SOURCE: "collector",
})  # fmt: skip
_HANDING_OVER = GIVES - {ActionKind.WHISTLE}
RETURNED, FAILED = "returned", "failed"


@dataclass(frozen=True, slots=True)
class _Moment:
    """An event, and the case after it."""

    event: Event
    case: Case


def facts_of(no: str, events: Sequence[Event], *, spent: Spent | None = None) -> list[Fact]:
    """All facts of the case with this number. `spent`: by whose calendars; None: the wall clock, pauses left out.

    Raises ValueError when the events are not the whole history of one case.
    """
    moments = list(_moments(no, events))
    outcome = _outcome(moments)
    actions = [_action_fact(moments, index, outcome) for index in range(len(moments))]
    runs = runs_of([one.case for one in moments], events)
    return [*actions, *(_clock_fact(run, moments, spent or _wall, outcome) for run in runs)]


def post_of(kind: ActionKind, party: Party) -> str:
    """The post that does such a thing."""
    if party is Party.CENTRE:
        return _POST_OF_ACTION.get(kind, _POST_OF_STEP[BY_ACTION[kind].step])
    return _POST_OF_PARTY[party]


def _moments(no: str, events: Sequence[Event]) -> Iterator[_Moment]:
    if not events:
        raise ValueError(f"{no}: a case without events")
    first, *later = events
    case = Case.opened(first, no=no, sequence=0)
    yield _Moment(first, case)
    for event in later:
        case = case.after(event)
        yield _Moment(event, case)


def _action_fact(moments: Sequence[_Moment], index: int, outcome: Mapping[str, Any]) -> Fact:
    event = moments[index].event
    action = event.action
    kind = action.kind
    place = _dimensions(moments, index)
    if action.round:  # a called unit's own part of the work
        place |= _called(moments[index].case, action.unit)
    return Fact(
        what=f"{ACTION}.{kind}", seq=event.seq, at=action.at, done_at=action.at, done_seq=event.seq,
        person=action.actor.id, post=post_of(kind, action.actor.party), party=action.actor.party,
        result=_result(moments, index), **place, **outcome,
    )  # fmt: skip


def _result(moments: Sequence[_Moment], index: int) -> str:
    """What is counted of it; people's words are not."""
    action = moments[index].event.action
    if action.kind is ActionKind.EVALUATE:
        return action.result
    later = (one.event.action.kind for one in moments[index + 1 :])
    if action.kind in _HANDING_OVER:
        kinds = (ActionKind.RETURN, ActionKind.DISPOSE, *_HANDING_OVER)
        return RETURNED if next((k for k in later if k in kinds), None) is ActionKind.RETURN else ""
    if action.kind in (ActionKind.DISPOSE, ActionKind.CHECK):
        decided = (ActionKind.REWORK, ActionKind.CLOSE, ActionKind.DISPOSE)
        return FAILED if next((k for k in later if k in decided), None) is ActionKind.REWORK else ""
    return ""


def _clock_fact(run: Run, moments: Sequence[_Moment], spent: Spent, outcome: Mapping[str, Any]) -> Fact:
    index = (run.until or len(moments)) - 1
    last = moments[index]
    actor = last.event.action.actor
    end = run.stopped_at or last.event.action.at
    place = _dimensions(moments, index)
    if run.of:
        place |= _called(last.case, run.of)
    return Fact(
        what=f"{CLOCK}.{run.clock}", seq=run.since, at=run.started_at, due_at=run.due_at, done_at=run.stopped_at,
        done_seq=run.until, suspended=run.suspended,
        result=last.event.action.kind if run.until else "",
        spent_seconds=_seconds(spent(run.unit, run.started_at, end, run.limits, run.pauses)),
        person=actor.id if run.until else "", post=post_of(last.event.action.kind, actor.party) if run.until else "",
        party=actor.party if run.until else "", **place, **outcome,
    )  # fmt: skip


def _dimensions(moments: Sequence[_Moment], index: int) -> dict[str, Any]:
    """What holds of the case at this point. Who gives work back has had it until then.

    Where it lies and what it is are often found out later than it was reported: what was not known yet is filled in.
    """
    case = moments[index].case
    assignment = case.assignment or moments[max(index - 1, 0)].case.assignment
    later = [one.case for one in moments[index:]]
    located = next((one.place for one in later if one.place.area), case.place)
    class_code = next((one.class_code for one in later if one.class_code), None)
    return {
        "case_id": case.id, "case_no": case.no,
        "unit": assignment.unit if assignment else "", "system": assignment.system if assignment else "",
        "source": case.source, "area": located.area or "", "grid": located.grid or "",
        "class_code": str(class_code) if class_code else "", "urgency": str(case.urgency),
        "level": str(case.level or ""),
    }  # fmt: skip


def _called(case: Case, unit: str) -> dict[str, str]:
    """Who has a part of joint work."""
    system = next((one.system for one in reversed(case.assignments) if one.unit == unit), "")
    return {"unit": unit, "system": system}


def _outcome(moments: Sequence[_Moment]) -> dict[str, Any]:
    """What became of the case: the same in all of its facts."""
    case = moments[-1].case
    kinds = [one.event.action.kind for one in moments]
    return {
        "stage": str(case.stage), "reworks": case.reworks, "returns": case.returns,
        "extensions": kinds.count(ActionKind.GRANT_EXTENSION), "supervised": str(case.supervision or ""),
        "exempt": case.exempt, "forced": case.forced, "on_the_spot": case.on_the_spot,
    }  # fmt: skip


def _seconds(span: timedelta) -> int:
    """Events may be out of order, and clocks wrong by a century: neither keeps a case from being counted."""
    return min(max(0, int(span.total_seconds())), 2**31 - 1)


def _wall(_unit: str, start: datetime, end: datetime, _limits: Sequence[Limit], pauses: Sequence[Pause]) -> timedelta:
    stood = (min(one.until or end, end) - max(one.since, start) for one in pauses if one.since < end)
    return (end - start) - sum((span for span in stood if span > timedelta(0)), timedelta(0))
