"""Whether the rules of the trade allow an action now: one function an action, each with words for who is refused.

The lifecycle table says what is possible at all; here is what a city's rules say of it. The rule's own text is told.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NoReturn

from canonical.case import Action, Assignment, Case, Request
from canonical.clock import Clock, Ledger
from canonical.errors import IllegalAction, TooEarly
from canonical.lifecycle import ActionKind
from canonical.organisation import Level
from canonical.time import Limit
from routing.city import City
from routing.extending import within
from routing.rules import unit_above
from routing.trade_rules import Asking

LEVELS = (Level.COMMUNITY, Level.STREET, Level.DISTRICT, Level.CITY)
"""The four loops 微循环 小循环 中循环 大循环, from below."""


def check_trade(action: Action, case: Case, city: City, now: datetime) -> None:
    """Raises IllegalAction, with the rule's source, when a rule forbids it."""
    check = _CHECKS.get(action.kind)
    if check is not None:
        check(action, case, city, now)


def _refuse(text: str, source: str = "", *, at: str = "kind") -> NoReturn:
    raise IllegalAction(f"{text} ({source})" if source else text, at=at)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


# --- what a unit asks for ---


def _ask_extension(action: Action, case: Case, city: City, now: datetime) -> None:
    rule = city.rules.extension
    disposal = _running(case, "an extension")
    _not_asked(case)
    if disposal.due is not None and disposal.due.at < now:
        _refuse(
            f"an extension is asked for before the limit runs out, and that was {_at(disposal.due.at)}", rule.source
        )
    if rule.most is not None and disposal.extensions >= rule.most:
        _refuse(f"case {case.no} was extended {disposal.extensions} times, which is all it gets", rule.source)


def _grant_extension(action: Action, case: Case, city: City, now: datetime) -> None:
    rule = city.rules.extension
    request = _asked(case, ActionKind.ASK_EXTENSION, "extension")
    _agreed(request, rule, action)
    disposal = _running(case, "an extension")
    if action.limit is not None:
        _not_longer(action.limit, disposal, city)


def _not_longer(limit: Limit, disposal: Ledger, city: City) -> None:
    granted = within(limit, disposal, city)
    if granted != limit:
        _refuse(f"an extension may be {granted.value} {granted.unit} at most", city.rules.extension.source, at="limit")


def _ask_suspension(action: Action, case: Case, city: City, now: datetime) -> None:
    _not_asked(case)
    _suspendable(action, case, city, now)


def _suspend(action: Action, case: Case, city: City, now: datetime) -> None:
    """The centre may suspend of its own accord; what was asked for needs those who must agree."""
    if case.request is not None and case.request.kind is ActionKind.ASK_SUSPENSION:
        _agreed(case.request, city.rules.suspension, action)
    _suspendable(action, case, city, now)


def _suspendable(action: Action, case: Case, city: City, now: datetime) -> None:
    rule = city.rules.suspension
    if rule.most is not None and case.suspensions >= rule.most:
        _refuse(f"case {case.no} was suspended {case.suspensions} times, which is all it gets", rule.source)
    if not rule.overdue and case.due is not None and case.due.at < now:
        _refuse(f"case {case.no} is overdue since {_at(case.due.at)}: it cannot be suspended any more", rule.source)
    if action.until is None:
        return
    if action.until <= now:
        _refuse(f"a suspension ends later than now, not at {_at(action.until)}", at="until")
    if rule.longest is not None and action.until > (latest := city.calendar.due(now, rule.longest).at):
        _refuse(f"a suspension may last until {_at(latest)} at most", rule.source, at="until")


def _endorse(action: Action, case: Case, city: City, now: datetime) -> None:
    request = case.request
    if request is None:
        _refuse(f"nothing is asked for in case {case.no}")
    rule = _rule_of(request, city)
    if len(request.endorsed) + 1 >= len(rule.approvals):
        _refuse(f"only the last approval is missing: {_granting(request)}", rule.source)
    if action.actor.id in request.endorsed:
        _refuse("another person must agree", rule.source, at="actor")


def _refuse_request(action: Action, case: Case, city: City, now: datetime) -> None:
    if case.request is None:
        _refuse(f"nothing is asked for in case {case.no}")


def _rule_of(request: Request, city: City) -> Asking:
    return city.rules.extension if request.kind is ActionKind.ASK_EXTENSION else city.rules.suspension


def _granting(request: Request) -> ActionKind:
    return ActionKind.GRANT_EXTENSION if request.kind is ActionKind.ASK_EXTENSION else ActionKind.SUSPEND


def _asked(case: Case, kind: ActionKind, what: str) -> Request:
    if case.request is None or case.request.kind is not kind:
        _refuse(f"no {what} is asked for in case {case.no}")
    return case.request


def _not_asked(case: Case) -> None:
    if case.request is not None:
        _refuse(f"case {case.no} waits for an answer to what was asked for at {_at(case.request.at)}")


def _agreed(request: Request, rule: Asking, action: Action) -> None:
    missing = rule.approvals[len(request.endorsed) : -1]
    if missing:
        _refuse(f"first these must agree: {', '.join(missing)}", rule.source)
    if action.actor.id in request.endorsed:
        _refuse("another person must agree", rule.source, at="actor")


def _running(case: Case, what: str) -> Ledger:
    disposal = case.clock(Clock.DISPOSAL)
    if disposal is None or disposal.stopped_at is not None:
        _refuse(f"case {case.no} has no limit that {what} could move")
    return disposal


# --- returns and rulings ---


def _return(action: Action, case: Case, city: City, now: datetime) -> None:
    rule, assignment = city.rules.returns, case.assignment
    if assignment is None:
        return
    if case.ruled == assignment.unit:
        _refuse(f"the centre has ruled that case {case.no} is {assignment.unit}'s", rule.source)
    if rule.within is not None:
        latest = city.working_time(assignment.unit).due(assignment.dispatched_at, rule.within).at
        if now > latest:
            _refuse(f"a return had to come until {_at(latest)}", rule.source)
    if rule.bases and action.basis not in rule.bases:
        known = ", ".join(f"{code} {title}" for code, title in rule.bases.items())
        _refuse(f"a return rests on one of: {known}", rule.source, at="basis")


def _redispatch(action: Action, case: Case, city: City, now: datetime) -> None:
    """Ping-pong 推诿: what came back is not sent to the same unit, or to its system, again and again."""
    rule = city.rules.returns
    returned = [one for one in case.assignments if one.returned_at is not None]
    if rule.same_unit is not None and sum(one.unit == action.unit for one in returned) >= rule.same_unit:
        _refuse(
            f"{action.unit} has returned case {case.no} already: only a ruling gives it back (arbitrate)", rule.source
        )
    if rule.ping_pong and ping_pong(returned, action.system):
        _refuse(f"case {case.no} goes to and fro between two systems: now the centre rules (arbitrate)", rule.source)
    if rule.most is not None and case.returns >= rule.most:
        _refuse(f"case {case.no} was returned {case.returns} times: now the centre rules (arbitrate)", rule.source)


def ping_pong(returned: list[Assignment], system: str) -> bool:
    """True when `system` would get it after it and one other system have each given it back twice, in turns."""
    carried = [one.system for one in returned if one.system]
    last = carried[-4:]
    return len(last) == 4 and last[0] == last[2] == system and last[1] == last[3] != system


# --- levels ---


def _escalate(action: Action, case: Case, city: City, now: datetime) -> None:
    up, now_at = _moved(action, case, city)
    if up <= now_at:
        _refuse(f"case {case.no} is at the level {LEVELS[now_at]}: a unit above it is expected", at="unit")
    next_above = action.unit == unit_above(case, city, now)  # a unit may have nobody between itself and the city
    rule = city.rules.loops
    if up > now_at + 1 and not next_above and case.urgency not in rule.skip:
        who = f"only {' or '.join(sorted(rule.skip))} cases skip" if rule.skip else "no case skips"
        _refuse(f"{who} a level; next comes {LEVELS[now_at + 1]}", rule.source, at="unit")


def _deescalate(action: Action, case: Case, city: City, now: datetime) -> None:
    down, now_at = _moved(action, case, city)
    if down >= now_at:
        _refuse(f"case {case.no} is at the level {LEVELS[now_at]}: a unit below it is expected", at="unit")


def _moved(action: Action, case: Case, city: City) -> tuple[int, int]:
    unit = city.responsibility.units.get(action.unit)
    if unit is None:
        _refuse(f"unit '{action.unit}' is not in units.csv", at="unit")
    return LEVELS.index(unit.level), LEVELS.index(case.level or Level.COMMUNITY)


def _close(action: Action, case: Case, city: City, now: datetime) -> None:
    """Who closes does so for a loop: the one he names, else the one that has the case."""
    level = case.level or Level.COMMUNITY
    rule = city.rules.loops.closing.get(level)
    if rule is not None and LEVELS.index(action.level or level) < LEVELS.index(rule.by):
        text = f"a case at the level {level} is closed by the {rule.by} or above: `level` says for which loop you close"
        _refuse(text, rule.source, at="level")


def _settle(action: Action, case: Case, city: City, now: datetime) -> None:
    level = action.level or case.level or Level.COMMUNITY
    rule = city.rules.loops.closing.get(level)
    if rule is not None and not rule.on_the_spot:
        _refuse(f"what the {level} dealt with on the spot is not closed at once: file it", rule.source)


# --- joint work, appeals ---


def _whistle(action: Action, case: Case, city: City, now: datetime) -> None:
    if action.unit not in city.responsibility.units:
        _refuse(f"unit '{action.unit}' is not in units.csv", at="unit")
    if case.assignment is not None and action.unit == case.assignment.unit:
        _refuse(f"{action.unit} leads the case: others are called", at="unit")
    if any(one.unit == action.unit and one.open for one in case.joint_tasks):
        _refuse(f"{action.unit} is called already", at="unit")
    if case.joint is not None and action.completion not in (None, case.joint.completion):
        _refuse(f"the first whistle has said when it is done: {case.joint.completion}", at="completion")


def _dispose(action: Action, case: Case, city: City, now: datetime) -> None:
    """The lead answers for all when those have answered who must."""
    if missing := case.joint_missing:
        text, source = f"joint work is not done: {', '.join(missing)} have not answered", city.rules.whistle.source
        raise TooEarly(f"{text} ({source})" if source else text, at="kind")


def _appeal(action: Action, case: Case, city: City, now: datetime) -> None:
    rule = city.rules.appeals
    if case.appealing:
        _refuse(f"an appeal in case {case.no} is not decided yet", rule.source)
    if case.exempt:
        _refuse(f"case {case.no} is exempt already", rule.source)
    if rule.most is not None and case.appeals >= rule.most:
        _refuse(f"{case.appeals} appeals were made in case {case.no}, which is all there are", rule.source)
    disposal = case.clock(Clock.DISPOSAL)
    if rule.only_overdue and (disposal is None or not disposal.overdue(now)):
        _refuse(f"case {case.no} was not overdue: there is nothing to appeal", rule.source)
    if rule.within is not None and case.closed_at is not None:
        latest = city.calendar.due(case.closed_at, rule.within).at
        if now > latest:
            _refuse(f"an appeal had to come until {_at(latest)}", rule.source)


def _decide_appeal(action: Action, case: Case, city: City, now: datetime) -> None:
    if not case.appealing:
        _refuse(f"there is no appeal to decide in case {case.no}")


def _hand_back(action: Action, case: Case, city: City, now: datetime) -> None:
    """Back to the system that reported it, while no other works on it: no case has two centres."""
    if case.source != action.system:
        _refuse(f"{case.source} reported case {case.no}: {action.system} gets it as a dispatch, and the hub answers")
    working = sorted({one.system or "the desk" for one in case.assignments if one.open} - {action.system})
    if working:
        _refuse(f"{', '.join(working)} works on case {case.no}: it stays with the hub until it is closed, or returned")
    if case.owner not in {"", action.system}:  # rework would go to whoever knows no such centre
        _refuse(f"{case.owner} has the work of case {case.no} done: it stays with the hub until it is closed")


_CHECKS: Mapping[ActionKind, Callable[[Action, Case, City, datetime], None]] = {
    ActionKind.ASK_EXTENSION: _ask_extension,
    ActionKind.GRANT_EXTENSION: _grant_extension,
    ActionKind.ASK_SUSPENSION: _ask_suspension,
    ActionKind.SUSPEND: _suspend,
    ActionKind.ENDORSE: _endorse,
    ActionKind.REFUSE_REQUEST: _refuse_request,
    ActionKind.RETURN: _return,
    ActionKind.REDISPATCH: _redispatch,
    ActionKind.ESCALATE: _escalate,
    ActionKind.DEESCALATE: _deescalate,
    ActionKind.SETTLE: _settle,
    ActionKind.CLOSE: _close,
    ActionKind.FORCE_CLOSE: _close,
    ActionKind.WHISTLE: _whistle,
    ActionKind.DISPOSE: _dispose,
    ActionKind.APPEAL: _appeal,
    ActionKind.UPHOLD: _decide_appeal,
    ActionKind.DISMISS: _decide_appeal,
    ActionKind.HAND_BACK: _hand_back,
}
