"""The facts of a case, made of its events alone: every action is one, and every run of a clock.

Dimensions (unit, class, area, ...) say what held at that point; what became of the case in the end stands in all of
its facts. Folding the same events again gives the same facts.

A case that lived through a period's end has facts as at that end too: of what had happened by then. What came later
does not change them, but for what corrects them (ADR 29).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from types import MappingProxyType
from typing import Any

from assessment.runs import Run, runs_of
from canonical.case import Action, Case, Event
from canonical.fact import ACTION, CLOCK, LATEST, Fact
from canonical.lifecycle import BY_ACTION, GIVES, ActionKind, Party, Step
from canonical.place import Place
from canonical.time import SHANGHAI, Limit, Pause, in_shanghai

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


@dataclass(frozen=True, slots=True)
class _History:
    """A case as it is looked at: what had happened, and what is known by now."""

    moments: Sequence[_Moment]
    known: Sequence[_Moment]
    """All there are. What was not known yet, and what corrects, is taken from the later ones."""
    outcome: Mapping[str, Any]


def facts_of(no: str, events: Sequence[Event], *, spent: Spent | None = None) -> list[Fact]:
    """All facts of the case with this number, as it stands. `spent`: by whose calendars; None: the wall clock, pauses
    left out.

    Raises ValueError when the events are not the whole history of one case.
    """
    moments = list(_moments(no, events))
    return _made(moments, moments, LATEST, spent or _wall)


def folded(
    no: str, events: Sequence[Event], ends: Iterable[datetime] = (), *, spent: Spent | None = None
) -> list[Fact]:
    """As `facts_of`, and with it the facts as at each month's end, and each of these `ends`, that the case lived
    through.
    """
    moments, found = list(_moments(no, events)), []
    first, last = moments[0].event.action.at, _last_move(moments)
    for end in sorted({*month_ends(first, last), *(one for one in ends if first < one <= last)}):
        found += _made(_before(moments, end), moments, end, spent or _wall)
    return found + _made(moments, moments, LATEST, spent or _wall)


def month_ends(first: datetime, last: datetime) -> Iterator[datetime]:
    """The ends of months after `first`, up to `last`: what quarters and years end with too."""
    day = in_shanghai(first).date()
    while True:
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        end = datetime.combine(day, time(), SHANGHAI)
        if end > last:
            return
        if end > first:
            yield end


def _made(moments: Sequence[_Moment], known: Sequence[_Moment], as_at: datetime, spent: Spent) -> list[Fact]:
    history = _History(moments, known, _outcome(moments, known) | {"as_at": as_at})
    actions = [_action_fact(history, index) for index in range(len(moments))]
    runs = runs_of([one.case for one in moments], [one.event for one in moments])
    return [*actions, *(_clock_fact(run, history, spent) for run in runs)]


def post_of(kind: ActionKind, party: Party) -> str:
    """The post that does such a thing."""
    if party in (Party.CENTRE, Party.LEAD_SYSTEM):  # the system that leads has the centre's posts
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


def _before(moments: Sequence[_Moment], end: datetime) -> list[_Moment]:
    return list(takewhile(lambda one: one.event.action.at < end, moments))


def _last_move(moments: Sequence[_Moment]) -> datetime:
    return max(one.event.action.at for one in moments)


def _action_fact(history: _History, index: int) -> Fact:
    moments = history.moments
    event = moments[index].event
    action = event.action
    kind = action.kind
    place = _dimensions(history, index)
    if action.round:  # a called unit's own part of the work
        place |= _called(moments[index].case, action.unit)
    return Fact(
        what=f"{ACTION}.{kind}", seq=event.seq, at=action.at, done_at=action.at, done_seq=event.seq,
        person=_person(action), post=post_of(kind, action.actor.party), party=action.actor.party,
        result=_result(moments, index), **place, **history.outcome,
    )  # fmt: skip


def _person(action: Action) -> str:
    """A report is its collector's, if anybody's: the system that passed it on collects nothing, and the one that leads
    is nobody in its own centre.
    """
    if action.actor.party is Party.LEAD_SYSTEM:
        return ""
    if action.report is None or action.actor.party is not Party.SOURCE:
        return action.actor.id
    return f"{action.system or action.actor.id}/{action.report.collector}" if action.report.collector else ""


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


def _clock_fact(run: Run, history: _History, spent: Spent) -> Fact:
    moments = history.moments
    index = (run.until or len(moments)) - 1
    last = moments[index]
    actor = last.event.action.actor
    end = run.stopped_at or last.event.action.at
    place = _dimensions(history, index)
    if run.of:
        place |= _called(last.case, run.of)
    return Fact(
        what=f"{CLOCK}.{run.clock}", seq=run.since, at=run.started_at, due_at=run.due_at, done_at=run.stopped_at,
        done_seq=run.until, suspended=run.suspended,
        result=last.event.action.kind if run.until else "",
        spent_seconds=_seconds(spent(run.unit, run.started_at, end, run.limits, run.pauses)),
        person=_person(last.event.action) if run.until else "",
        post=post_of(last.event.action.kind, actor.party) if run.until else "",
        party=actor.party if run.until else "", **place, **history.outcome,
    )  # fmt: skip


def _dimensions(history: _History, index: int) -> dict[str, Any]:
    """What holds of the case at this point. Who gives work back has had it until then.

    Where it lies and what it is are often found out later than it was reported: what was not known yet is filled in.
    """
    case = history.moments[index].case
    assignment = case.assignment or history.moments[max(index - 1, 0)].case.assignment
    later = [one.case for one in history.known[index:]]
    located = _located([one.place for one in later])
    class_code = next((one.class_code for one in later if one.class_code), None)
    return {
        "case_id": case.id, "case_no": case.no,
        "unit": assignment.unit if assignment else "", "system": assignment.system if assignment else "",
        "source": case.source, "area": located.area or "", "grid": located.grid or "",
        "class_code": str(class_code) if class_code else "", "urgency": str(case.urgency),
        "level": str(case.level or ""),
    }  # fmt: skip


def _located(places: Sequence[Place]) -> Place:
    """The first place that is known, and what was found out of it later: a street within the city that was told, the
    unit grid within the community. A case that moves elsewhere was still there.
    """
    found = places[0]
    for one in places:
        within = (one.area or "").startswith(found.area or "")
        finer = len(one.area or "") > len(found.area or "") or (one.area == found.area and not found.grid)
        if within and finer:
            found = one
    return found


def _called(case: Case, unit: str) -> dict[str, str]:
    """Who has a part of joint work."""
    system = next((one.system for one in reversed(case.assignments) if one.unit == unit), "")
    return {"unit": unit, "system": system}


def _outcome(moments: Sequence[_Moment], known: Sequence[_Moment]) -> dict[str, Any]:
    """What became of the case: the same in all of its facts. An appeal that was upheld later corrects it."""
    case = moments[-1].case
    kinds = [one.event.action.kind for one in moments]
    return {
        "stage": str(case.stage), "reworks": case.reworks, "returns": case.returns,
        "extensions": kinds.count(ActionKind.GRANT_EXTENSION), "supervised": str(case.supervision or ""),
        "exempt": known[-1].case.exempt, "forced": case.forced, "on_the_spot": case.on_the_spot,
        "leader_assigned": case.leader_assigned,
        "moved_at": _last_move(moments),
    }  # fmt: skip


def _seconds(span: timedelta) -> int:
    """Events may be out of order, and clocks wrong by a century: neither keeps a case from being counted."""
    return min(max(0, int(span.total_seconds())), 2**31 - 1)


def _wall(_unit: str, start: datetime, end: datetime, _limits: Sequence[Limit], pauses: Sequence[Pause]) -> timedelta:
    stood = (min(one.until or end, end) - max(one.since, start) for one in pauses if one.since < end)
    return (end - start) - sum((span for span in stood if span > timedelta(0)), timedelta(0))
