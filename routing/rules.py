"""What happens to a case by itself, because the city's tables say so.

Every rule looks at a case and the event just done, and answers with the next action or None. The action's actor names
the table row, its reason says why, its editions say which tables: every decision can be explained in a year.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

from canonical.case import Action, Actor, Case, Event, Share, Told, new_action
from canonical.clock import CLOCK_TITLES, Clock
from canonical.lifecycle import BY_ACTION, ActionKind, Party, Stage
from canonical.report import SourceDeadline
from canonical.time import SHANGHAI, Due
from routing.catalogue import Acceptance
from routing.city import By, City
from routing.extending import within
from routing.handing import with_officer
from routing.joint import called_message
from routing.responsibility import Match, NoMatch
from routing.units import CENTRE, at_work, gone_to, successors


def next_action(case: Case, event: Event, city: City, now: datetime) -> Action | None:
    """The action that follows `event` by rule; None when a person or another system is to act."""
    if case.lead_system:
        return None  # it decides; what the tables would have done, `routing.shadowing` keeps
    if event.action.told is not None and event.action.kind is ActionKind.REMIND:
        return climb(case, event.action.told, city, now)
    rule = _RULES.get(event.action.kind)
    return rule(case, city, now) if rule else None


@lru_cache(1024)
def _by(rule: str) -> Actor:
    """The hub as actor, by a row of a table: there are only as many as rows."""
    return Actor(party=Party.HUB, id=rule)


def judge(case: Case, city: City, now: datetime) -> Action | None:
    """After collecting: file, refuse or send to verify as the catalogue says; wait when place or class is unknown.

    What was dealt with on the spot is filed and closed at once, unless it is none of the city's: the micro loop 微循环.
    """
    entry = city.catalogue.classes.get(case.class_code) if case.class_code else None
    if entry is None or not case.place.usable:
        return None
    if case.result and entry.acceptance is not Acceptance.REFUSE:
        action = new_action(kind=ActionKind.SETTLE, actor=_by("settled on the spot"), at=now, result=case.result)
        return filing(action, case, city)
    editions = {"catalogue": city.editions["catalogue"]}
    kind = _BY_ACCEPTANCE[entry.acceptance]
    action = new_action(kind=kind, actor=_by("classes.csv"), at=now, reason=entry.reason, editions=editions)
    return filing(action, case, city) if kind is ActionKind.FILE else action


_BY_ACCEPTANCE = {
    Acceptance.FILE: ActionKind.FILE,
    Acceptance.REFUSE: ActionKind.REFUSE,
    Acceptance.VERIFY: ActionKind.VERIFY,
}


def filing(action: Action, case: Case, city: City) -> Action:
    """A file action with what it lacks: the case's class and place, and the standard row that fits the text."""
    class_code = action.class_code or case.class_code
    changes: dict[str, object] = {"class_code": class_code, "place": action.place or case.place}
    if class_code and not action.standard and class_code in city.catalogue.classes:
        standard, why = city.catalogue.standard_for(class_code, f"{case.title} {case.description}", case.urgency)
        changes |= {"standard": standard.id, "reason": action.reason or why}
    changes["editions"] = action.editions | {"catalogue": city.editions["catalogue"]}
    return action.model_copy(update=changes)


def _dispatch(case: Case, city: City, now: datetime) -> Action | None:
    """After filing: to the unit the responsibility list names; a remark and the centre's queue when it names none."""
    return _assign(case, city, now, ActionKind.DISPATCH)


def _redispatch(case: Case, city: City, now: datetime) -> Action | None:
    """After a return: to the next unit the list names, a few rounds; then the centre decides, or has to rule."""
    returns = city.rules.returns
    if returns.most is not None and case.returns >= returns.most:
        reason = f"returned {case.returns} times: the centre rules 裁定 {returns.source}".rstrip()
        return new_action(kind=ActionKind.COMMENT, actor=_by("rules.yaml returns.most"), at=now, reason=reason)
    return _assign(case, city, now, ActionKind.REDISPATCH) if case.turns < city.policy.rounds else None


def _assign(case: Case, city: City, now: datetime, kind: ActionKind) -> Action:
    """To the lead system 牵头系统 of the class, unless it has had the case; else as the responsibility list says."""
    assert case.class_code is not None  # filing needs one
    leading = city.fusion.leading(case.class_code, now)
    if leading is None or any(one.unit == leading.unit for one in case.assignments):
        return by_list(case, city, now, kind)
    editions, reason = {"fusion": city.fusion.edition}, f"{leading.system} leads {leading.pattern} {leading.basis}"
    actor = _by(f"fusion.csv {leading.id}")
    action = new_action(
        kind=kind, actor=actor, at=now, unit=leading.unit, reason=reason.rstrip(), editions=editions
    )  # fmt: skip
    return assigning(action, case, city, now)


def by_list(case: Case, city: City, now: datetime, kind: ActionKind) -> Action:
    """To the unit that the responsibility list names; a comment, for the centre's queue, when it names none."""
    assert case.class_code is not None  # filing needs one
    units, today = city.responsibility.units, now.astimezone(SHANGHAI).date()
    tried = frozenset(one.unit for one in case.assignments if one.share is Share.LEAD)
    if tried:
        tried |= {former for former, new in successors(units, today).items() if new in tried}
    where = case.place.responsible or city.code
    found = city.responsibility.match(case.class_code, where, now, city.calendar.is_working(now), exclude=tried)
    editions = {"responsibility": city.editions["responsibility"]}
    actor = _by(f"responsibility.csv {found.row}" if isinstance(found, Match) else "responsibility.csv")
    if isinstance(found, NoMatch) or found.unit == CENTRE:
        return new_action(kind=ActionKind.COMMENT, actor=actor, at=now, reason=found.why, editions=editions)
    unit = at_work(found.unit, units, today)
    why = found.why if unit == found.unit else f"{found.why}; {gone_to(units[found.unit])}"
    action = new_action(kind=kind, actor=actor, at=now, unit=unit, reason=why, editions=editions)
    return assigning(action, case, city, now)


def assigning(action: Action, case: Case, city: City, now: datetime) -> Action:
    """A dispatch with what it lacks: the unit's system, level and officer. Its clocks, `routing.timing` adds."""
    unit = city.responsibility.units.get(action.unit)
    level = action.level or (unit.level if unit else None)
    given = action.model_copy(update={"system": _carrier(action, case, city), "level": level})
    return with_officer(given, case, city, now)


def _carrier(action: Action, case: Case, city: City) -> str:
    """The system that carries the work to the unit; empty where the desk hands it over.

    A source without messages for work on its own case cannot be given it, nor one that gave it back and has no message
    to be given it again: told nothing, it would wait for us as we for it.
    """
    unit = city.responsibility.units.get(action.unit)
    system = (unit and unit.system) or ""
    role = city.systems.get(system)
    if action.kind is ActionKind.WHISTLE:  # a part of its own there, whoever reported the case
        return system if called_message(city, system, action.kind) else ""
    if role is None or system != case.source:
        return system
    own = role.tells.get("both")
    deaf = own is None or (action.kind is ActionKind.REDISPATCH and action.kind not in own)
    return "" if deaf else system


def unit_above(case: Case, city: City, now: datetime) -> str:
    """The unit above the one that has, or last had, the case; empty: there is none."""
    units = city.responsibility.units
    unit = units.get(case.assignment.unit) if case.assignment else None
    while unit is not None and unit.parent is not None:
        above = units[unit.parent]
        if above.level is not unit.level:
            return at_work(above.id, units, now.astimezone(SHANGHAI).date())
        unit = above
    return ""


def _grant_extension(case: Case, city: City, now: datetime) -> Action | None:
    """What nobody has to agree to is granted at once."""
    request, rule = case.request, city.rules.extension
    if request is None or rule.approvals:
        return None
    actor, disposal = _by("rules.yaml extension.approvals"), case.clock(Clock.DISPOSAL)
    limit = within(request.limit, disposal, city) if request.limit and disposal else request.limit
    return new_action(kind=ActionKind.GRANT_EXTENSION, actor=actor, at=now, limit=limit, reason=rule.source)


def _suspend(case: Case, city: City, now: datetime) -> Action | None:
    request, rule = case.request, city.rules.suspension
    if request is None or rule.approvals:
        return None
    reason = rule.source or "as asked"
    actor = _by("rules.yaml suspension.approvals")
    return new_action(kind=ActionKind.SUSPEND, actor=actor, at=now, until=request.until, reason=reason)


def climb(case: Case, told: Told, city: City, now: datetime) -> Action | None:
    """What the ladder does when a step of a clock is told; None: it is told, and that is all."""
    rung = city.rules.rung(told.clock, told.step)
    if rung is None:
        return None
    actor = _by(f"rules.yaml ladder {told.clock} {told.step}")
    reason = f"{CLOCK_TITLES[told.clock]} {told.step} {rung.source}".rstrip()
    if rung.supervise is not None and rung.supervise is not case.supervision:
        kind = ActionKind.SUPERVISE
        return new_action(kind=kind, actor=actor, at=now, supervision=rung.supervise, reason=reason)
    unit = unit_above(case, city, now)
    if not rung.escalate or not unit or case.stage not in BY_ACTION[ActionKind.ESCALATE].from_:
        return None
    action = new_action(kind=ActionKind.ESCALATE, actor=actor, at=now, unit=unit, reason=reason)
    return assigning(action, case, city, now)


def _check(case: Case, city: City, now: datetime) -> Action | None:
    """After disposal, where the city lets the owner's word stand."""
    if city.policy.check is not By.AUTOMATIC:
        return None
    return new_action(kind=ActionKind.CHECK, actor=_by("city.yaml policy.check"), at=now, result=case.result)


def _close(case: Case, city: City, now: datetime) -> Action | None:
    if city.policy.close is not By.AUTOMATIC:
        return None
    return new_action(kind=ActionKind.CLOSE, actor=_by("city.yaml policy.close"), at=now, result=case.result)


def _taken_over(case: Case, city: City, now: datetime) -> Action | None:
    """What a case needs that the hub has taken over as it stood."""
    rule = _BY_STAGE.get(case.stage)
    return rule(case, city, now) if rule else None


def _again(case: Case, _city: City, now: datetime) -> Action | None:
    """A further task of a closed case: its source is not content, so the same unit works again."""
    if case.stage not in {Stage.CLOSED, Stage.EVALUATED} or case.assignment is None:
        return None
    reason = "the source sent the closed case again"
    return new_action(kind=ActionKind.REWORK, actor=_by("reopened by its source"), at=now, reason=reason)


_RULES: Mapping[ActionKind, Callable[[Case, City, datetime], Action | None]] = {
    ActionKind.COLLECT: judge,
    ActionKind.JOIN: _again,
    ActionKind.FILE: _dispatch,
    ActionKind.RETURN: _redispatch,
    ActionKind.ASK_EXTENSION: _grant_extension,
    ActionKind.ASK_SUSPENSION: _suspend,
    ActionKind.DISPOSE: _check,
    ActionKind.CHECK: _close,
    ActionKind.TAKE_OVER: _taken_over,
}
_BY_STAGE: Mapping[Stage, Callable[[Case, City, datetime], Action | None]] = {
    Stage.REPORTED: judge,
    Stage.FILED: _dispatch,
    Stage.RETURNED: _redispatch,
    Stage.DISPOSED: _check,
    Stage.CHECKED: _close,
}


def source_due(deadline: SourceDeadline | None, received_at: datetime, city: City) -> Due | None:
    """The source's own deadline as an instant: as it says, or its budget on the city's calendar."""
    if deadline is None:
        return None
    if deadline.at is not None:
        return Due(at=deadline.at)
    return city.calendar.due(deadline.since or received_at, deadline.limit) if deadline.limit else None
