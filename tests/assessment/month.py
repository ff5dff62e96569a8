"""A month of invented cases, each a list of events: returns, rework, extension, suspension, supervision, joint work,
appeals, refusals, cases settled on the spot, cancelled and late ones; clocks with a budget, and clocks without.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from canonical.action import Action, Actor, Event, Supervision
from canonical.assignment import Assignment
from canonical.case import Case
from canonical.clock import Clock, Timed
from canonical.codes import ClassCode
from canonical.ids import new_id
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.organisation import Level
from canonical.place import Place
from canonical.records import Changes
from canonical.report import Report, Urgency
from canonical.time import SHANGHAI, Due, Limit, LimitUnit
from storage.store import Store

BEGIN = datetime(2026, 9, 24, tzinfo=SHANGHAI)
UNITS = ("3402-urban", "3402-lighting", "340202-urban", "340207-urban", "340202016-office", "340202-ecology")
SYSTEMS = ("urban_management", "social_governance", "")
SOURCES = ("hotline_12345", "social_governance", "sensors")
GRIDS = ("340202016003008", "340202016003011", "340207003018002", "340202013001001")
CLASSES = ("30428.2:E04-06", "30428.2:E01-01", "30428.2:P01-01")
PEOPLE = ("op-1", "op-2", "op-3")
COLLECTORS = ("", "C-001", "C-002")
_K, _S = ActionKind, Stage

_NEXT: dict[Stage, tuple[tuple[ActionKind, float], ...]] = {
    _S.REPORTED: (
        (_K.FILE, 0.7),
        (_K.VERIFY, 0.13),
        (_K.REFUSE, 0.06),
        (_K.CANCEL, 0.03),
        (_K.JOIN, 0.03),
        (_K.SETTLE, 0.05),
    ),
    _S.VERIFYING: ((_K.FILE, 0.8), (_K.REFUSE, 0.2)),
    _S.FILED: ((_K.DISPATCH, 0.97), (_K.MERGE, 0.03)),
    _S.DISPATCHED: ((_K.SIGN, 0.55), (_K.RETURN, 0.12), (_K.DISPOSE, 0.22), (_K.CANCEL, 0.02), (_K.SUPERVISE, 0.09)),
    _S.RETURNED: ((_K.REDISPATCH, 0.8), (_K.ARBITRATE, 0.2)),
    _S.HANDLING: (
        (_K.DISPOSE, 0.58),
        (_K.RETURN, 0.07),
        (_K.ASK_EXTENSION, 0.08),
        (_K.GRANT_EXTENSION, 0.09),
        (_K.SUSPEND, 0.08),
        (_K.SUPERVISE, 0.05),
        (_K.FORCE_CLOSE, 0.01),
        (_K.ESCALATE, 0.04),
    ),
    _S.SUSPENDED: ((_K.RESUME, 0.9), (_K.COMMENT, 0.1)),
    _S.DISPOSED: ((_K.CHECK, 0.75), (_K.REWORK, 0.25)),
    _S.CHECKED: ((_K.CLOSE, 0.95), (_K.REWORK, 0.05)),
    _S.CLOSED: (
        (_K.EVALUATE, 0.45),
        (_K.REWORK, 0.06),
        (_K.COMMENT, 0.05),
        (_K.APPEAL, 0.1),
        (_K.UPHOLD, 0.06),
        (_K.DISMISS, 0.04),
    ),
    _S.EVALUATED: ((_K.APPEAL, 0.2), (_K.UPHOLD, 0.15), (_K.COMMENT, 0.65)),
}


@dataclass(frozen=True, slots=True)
class Story:
    """A case and all its events."""

    case: Case
    events: Sequence[Event]


def month(
    seed: int, cases: int, *, days: float = 40, until: datetime | None = None, first: int = 1, joint: bool = False
) -> list[Story]:
    """So many cases that began within some days. `until`: nothing happened later; `first`: number of the first;
    `joint`: units are called to some.
    """
    dice = random.Random(seed)
    return [_story(dice, number, days, until, joint) for number in range(first, first + cases)]


async def save(store: Store, stories: Sequence[Story]) -> None:
    """Cases and events as intake writes them, a hundred a transaction."""
    for start in range(0, len(stories), 100):
        some = stories[start : start + 100]
        changes = Changes(
            new_cases={one.case.id: one.case for one in some}, events=[event for one in some for event in one.events]
        )
        async with store.batch() as batch:
            await batch.save(changes, BEGIN)


async def go_on(store: Store, before: Case, event: Event) -> Case:
    """One more event of a case that is there."""
    after = before.after(event)
    async with store.batch() as batch:
        await batch.save(Changes(changed_cases={after.id: after}, events=[event]), event.action.at)
    return after


def desk(kind: ActionKind, at: datetime, **given: object) -> Action:
    """Something the centre does."""
    usual = {"result": "合格", "reason": "看过", "actor": Actor(party=Party.CENTRE, id=PEOPLE[0])}
    return Action.model_validate({"kind": kind, "at": at} | usual | given)


def _story(dice: random.Random, number: int, days: float, until: datetime | None, joint: bool) -> Story:
    at = BEGIN + timedelta(seconds=int(dice.random() * days * 86400))
    at = min(at, until - timedelta(minutes=1)) if until else at
    identity = UUID(int=(new_id(at).int & ~((1 << 62) - 1)) | dice.getrandbits(62))
    first = _action(dice, _K.COLLECT, at, None)
    event = Event(case_id=identity, seq=1, from_=None, to=Stage.REPORTED, action=first)
    case = Case.opened(event, no=f"3402{at:%Y%m%d}{number:08}", sequence=number)
    events = [event]
    for _ in range(dice.randrange(1, 14)):
        at += timedelta(seconds=int(dice.expovariate(1 / dice.choice((600, 7200, 86400)))) + 1)
        choices = _NEXT.get(case.stage, ())
        if not choices or (until and at >= until):
            break
        kinds, weights = zip(*choices, strict=True)
        kind = dice.choices(kinds, weights)[0]
        if (kind in _AFTER_APPEAL and not case.appealing) or (kind is _K.REWORK and case.assignment is None):
            continue
        event = case.does(_action(dice, kind, at, case))
        case = case.after(event)
        events.append(event)
        if joint:
            case, at = _joint(case, events, at)
    return Story(case, events)


def _joint(case: Case, events: list[Event], at: datetime) -> tuple[Case, datetime]:
    """吹哨: two units are called to some cases; they do their part early, late or not at all, while the lead works."""
    lead = case.assignment
    if case.stage not in (Stage.HANDLING, Stage.DISPATCHED) or lead is None:
        return case, at
    given: list[dict[str, object]] = [_done_jointly(one, at.second % 5) for one in case.joint_tasks if one.open]
    if case.joint is None and at.second % 3 == 0:
        others = [one for one in UNITS if one != lead.unit]
        given = [
            {"kind": _K.WHISTLE, "unit": unit, "system": SYSTEMS[at.minute % len(SYSTEMS)], "reason": "会同处置"}
            for unit in (others[at.minute % len(others)], others[(at.minute + 1) % len(others)])
        ]
    for one in filter(None, given):
        at += timedelta(seconds=1)
        timed = [_called(clock, str(one["unit"]), at) for clock in _CALLED] if one["kind"] is _K.WHISTLE else []
        events.append(case.does(desk(at=at, timed=tuple(timed), **one)))  # type: ignore[arg-type]
        case = case.after(events[-1])
    return case, at


def _done_jointly(task: Assignment, chance: int) -> dict[str, object]:
    kind = (None, None, _K.REPORT_IN, _K.ANSWER, _K.DECLINE)[chance]
    if kind is None or (kind is _K.REPORT_IN and task.signed_at):
        return {}
    return {"kind": kind, "unit": task.unit, "round": task.round}


_CALLED = {Clock.REPORT_IN: 2, Clock.JOINT: 24}
"""Hours that a called unit has."""


def _called(clock: Clock, unit: str, at: datetime) -> Timed:
    limit = Limit(value=_CALLED[clock], unit=LimitUnit.URGENT_WORK_HOUR)
    return Timed(clock=clock, of=unit, limit=limit, due=Due(at=at + timedelta(hours=limit.value)))


_AFTER_APPEAL = frozenset({_K.UPHOLD, _K.DISMISS})
_BUDGETS = {
    _K.COLLECT: {Clock.ACCEPT: 2, Clock.FILE: 4, Clock.REPLY: 200}, _K.VERIFY: {Clock.VERIFY: 24},
    _K.FILE: {Clock.DISPATCH: 1}, _K.DISPATCH: {Clock.SIGN: 4, Clock.DISPOSAL: 0}, _K.REDISPATCH: {Clock.SIGN: 4},
    _K.ARBITRATE: {Clock.SIGN: 4}, _K.ESCALATE: {Clock.SIGN: 8}, _K.RETURN: {Clock.DISPATCH: 2},
    _K.DISPOSE: {Clock.CHECK: 24}, _K.CHECK: {Clock.CLOSE: 12},
}  # fmt: skip
"""Hours of the wall clock; 0: as chance has it."""


def _timed(dice: random.Random, kind: ActionKind, at: datetime, case: Case | None) -> tuple[Timed, ...]:
    """What an action gives the clocks. Some clocks of some cases have no budget."""
    found = []
    for clock, hours in _BUDGETS.get(kind, {}).items():
        if dice.random() < 0.8:
            limit = Limit(value=hours or dice.choice((4, 24, 72, 240)), unit=LimitUnit.URGENT_WORK_HOUR)
            found.append(Timed(clock=clock, limit=limit, due=Due(at=at + timedelta(hours=limit.value))))
    if kind is _K.FILE and at.second % 3:
        limit = Limit(value=(36, 120, 400)[at.minute % 3], unit=LimitUnit.URGENT_WORK_HOUR)
        found.append(Timed(clock=Clock.CASE, limit=limit, due=Due(at=at + timedelta(hours=limit.value))))
    for clock in (Clock.DISPOSAL, Clock.CASE):
        ledger = case.clock(clock) if case else None
        if ledger is not None and kind in (_K.GRANT_EXTENSION, _K.RESUME, _K.REWORK):
            due = ledger.due.at if ledger.due else at
            more = Limit(value=24, unit=LimitUnit.URGENT_WORK_HOUR) if kind is _K.GRANT_EXTENSION else None
            found.append(Timed(clock=clock, limit=more, due=Due(at=due + timedelta(hours=24 if more else 3))))
    return tuple(found)


def _report(title: str, at: datetime, urgency: Urgency = Urgency.NORMAL) -> Report:
    """Some were found by a collector; a leader handed some down."""
    collector = COLLECTORS[at.second % len(COLLECTORS)]
    return Report(title=title, urgency=urgency, collector=collector, leader_assigned=at.minute % 12 == 0)


def _action(dice: random.Random, kind: ActionKind, at: datetime, case: Case | None) -> Action:
    unit, system, source = dice.choice(UNITS), dice.choice(SYSTEMS), dice.choice(SOURCES)
    owner = Actor(party=Party.OWNER, id=system) if system else Actor(party=Party.CENTRE, id=dice.choice(PEOPLE))
    desk = Actor(party=Party.CENTRE, id=dice.choice(PEOPLE))
    rule = Actor(party=Party.HUB, id="responsibility.csv R017")
    urgency = Urgency.URGENT if dice.random() < 0.1 else Urgency.NORMAL
    grid = dice.choice(GRIDS)
    given: dict[ActionKind, dict[str, object]] = {
        _K.COLLECT: {
            "actor": Actor(party=Party.SOURCE, id=source), "system": source,
            "report": _report("占道经营", at, urgency),
        },
        _K.JOIN: {"actor": Actor(party=Party.SOURCE, id=source), "report": _report("又一次", at)},
        _K.FILE: {
            "actor": dice.choice((desk, rule)), "class_code": ClassCode.parse(dice.choice(CLASSES)), "standard": "s/1",
            "place": Place(area=grid[:12], grid=grid),
        },
        _K.DISPATCH: {
            "actor": dice.choice((desk, rule)), "unit": unit, "system": system,
            "due": Due(at=at + timedelta(hours=dice.choice((4, 24, 72, 240)))) if dice.random() < 0.95 else None,
        },
        _K.REDISPATCH: {"actor": desk, "unit": unit, "system": system, "reason": "改派"},
        _K.SIGN: {"actor": owner}, _K.RETURN: {"actor": owner, "reason": "不属于本单位"},
        _K.ASK_EXTENSION: {"actor": owner, "reason": "等配件", "limit": Limit(value=4, unit=LimitUnit.WORK_HOUR)},
        _K.DISPOSE: {"actor": owner, "result": "已清理"}, _K.CHECK: {"actor": desk, "result": "合格"},
        _K.REWORK: {"actor": desk, "reason": "没有清干净"},
        _K.CLOSE: {"actor": dice.choice((desk, rule)), "result": "办结"},
        _K.EVALUATE: {"actor": desk, "result": dice.choice(("satisfied", "dissatisfied", "very_satisfied"))},
        _K.VERIFY: {"actor": desk, "reason": "核实"}, _K.REFUSE: {"actor": desk, "reason": "不在范围"},
        _K.CANCEL: {"actor": desk, "reason": "误报"}, _K.COMMENT: {"actor": desk, "reason": "备注"},
        _K.SETTLE: {
            "actor": Actor(party=Party.SOURCE, id=source), "class_code": ClassCode.parse(dice.choice(CLASSES)),
            "place": Place(area=grid[:12], grid=grid), "result": "当场清理",
        },
        _K.ARBITRATE: {"actor": desk, "unit": unit, "system": system, "reason": "裁定"},
        _K.ESCALATE: {"actor": owner, "unit": unit, "system": system, "reason": "超出权限", "level": Level.DISTRICT},
        _K.GRANT_EXTENSION: {"actor": desk, "limit": Limit(value=24, unit=LimitUnit.URGENT_WORK_HOUR)},
        _K.SUSPEND: {"actor": desk, "until": at + timedelta(days=3), "reason": "等材料"},
        _K.RESUME: {"actor": desk, "reason": "材料到了"},
        _K.SUPERVISE: {"actor": desk, "supervision": dice.choice(tuple(Supervision)), "reason": "领导交办"},
        _K.FORCE_CLOSE: {"actor": desk, "result": "强制结案", "reason": "无法处置"},
        _K.APPEAL: {"actor": owner, "reason": "不可抗力"}, _K.UPHOLD: {"actor": desk, "reason": "属实"},
        _K.DISMISS: {"actor": desk, "reason": "不属实"},
        _K.MERGE: {"actor": desk, "reason": "同一件事", "target": "34022026092400000001"},
    }  # fmt: skip
    timed = {"timed": _timed(dice, kind, at, case)}
    return Action.model_validate({"kind": kind, "at": at} | timed | given[kind])
