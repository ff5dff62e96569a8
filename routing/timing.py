"""Clocks as decisions give them: what starts, goes on or is extended gets its budget, its due time and its next step.

Only here is a calendar asked for a case. The answer goes into the event, so that folding needs no calendar.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from canonical.case import Action, Case
from canonical.clock import Clock, Ledger, Timed, started
from canonical.codes import ClassCode
from canonical.lifecycle import BY_ACTION, GIVES, ActionKind
from canonical.organisation import Level
from canonical.report import SourceDeadline, Urgency
from canonical.time import Due, Limit, Pause
from canonical.value import unchecked
from routing.budgets import NOT_HERE
from routing.city import City
from routing.rules import source_due
from routing.steps import Run

UNITS = frozenset({Clock.SIGN, Clock.LEVEL, Clock.DISPOSAL, Clock.REPORT_IN, Clock.JOINT})
"""Clocks of the unit that works; all others are the centre's."""
_timed = unchecked(Timed)


class Timing:
    """The clocks of one batch. What the same budget gives from the same moment on is worked out once."""

    def __init__(self, city: City, now: datetime) -> None:
        self.city, self.now = city, now
        self._known: dict[tuple[str, str, str], Timed] = {}
        self._begun: dict[tuple[int, int], tuple[Timed, datetime, Ledger]] = {}

    def complete(self, action: Action, case: Case | None) -> Action:
        """The action with what it gives the clocks. `case`: before it; None: it opens one."""
        row = BY_ACTION[action.kind]
        if not (row.starts or row.resumes or action.kind in _GIVING):
            return action
        given = {(one.clock, one.of) for one in action.timed}
        timed = [one for one in self._given(action, case) if (one.clock, one.of) not in given]
        changes: dict[str, object] = {"timed": (*action.timed, *timed)}
        if action.kind in GIVES and action.kind is not ActionKind.WHISTLE:
            disposal = next((one for one in timed if one.clock is Clock.DISPOSAL), None)
            due = disposal.due if disposal else (case and case.due)
            calendar = self.city.working_time(action.unit).edition
            changes |= {"due": due, "editions": action.editions | {"calendar": calendar}}
        return action.model_copy(update=changes)

    def begin(self, timed: Timed, at: datetime, seq: int) -> Ledger:
        """The clock that starts, one and the same for all cases that begin it alike."""
        key = id(timed), seq
        found = self._begun.get(key)
        if found is None or found[1] is not at:
            found = self._begun[key] = timed, at, started(timed, at, seq)  # kept with it: an id may be given again
        return found[2]

    def _given(self, action: Action, case: Case | None) -> Iterator[Timed]:
        row = BY_ACTION[action.kind]
        yield from self._by_budget(action, case)
        for clock in _BESIDE[action.kind]:
            one = self._beside(clock, action, case)
            if one is not None:
                yield one
        if case is None:
            return
        for ledger in case.clocks:
            if ledger.clock in row.resumes and ledger.paused:
                yield self.again(ledger, self._until_now(ledger))
        if action.kind is ActionKind.GRANT_EXTENSION and action.limit is not None:
            for ledger in filter(None, map(case.clock, _EXTENDED)):
                yield self.again(ledger, ledger.pauses, limit=action.limit, basis=action.reason)

    def _by_budget(self, action: Action, case: Case | None) -> Iterator[Timed]:
        """The clocks that `clocks.csv` gives a budget."""
        clocks = _BUDGETED[action.kind]
        if not clocks:
            return
        report = action.report
        known = case.class_code if case else report.class_code if report else None
        class_code: ClassCode | None = action.class_code or known
        urgency = case.urgency if case else report.urgency if report else Urgency.NORMAL
        source = case.source if case else action.system or action.actor.id
        of = action.unit if action.kind is ActionKind.WHISTLE else ""
        for budget in self.city.budgets.of(clocks, class_code, urgency, source, self._level(action, case)):
            unit = action.unit if budget.clock in UNITS else ""
            yield self._from_now(budget.clock, budget.limit, unit, budget.row, of)

    def _beside(self, clock: Clock, action: Action, case: Case | None) -> Timed | None:
        """A clock that has its budget from elsewhere, or goes on with what it had."""
        if clock is Clock.SOURCE and action.source_due is not None:
            return self.theirs(clock, _THEIRS[clock](action), action.source_due)
        if clock in _THEIRS:
            return self.theirs(clock, _THEIRS[clock](action))
        if clock is Clock.DISPOSAL:
            return self._disposal(action, case)
        old = case.clock(clock) if case else None
        return self._on(old) if old is not None and old.stopped_at is not None else None

    def _level(self, action: Action, case: Case | None) -> Level | None:
        unit = self.city.responsibility.units.get(action.unit)
        return action.level or (unit.level if unit else None) or (case.level if case else None)

    def _disposal(self, action: Action, case: Case | None) -> Timed | None:
        assert case is not None
        old = case.clock(Clock.DISPOSAL)
        if old is None:
            standard = self.city.catalogue.standards.get(case.standard)
            if standard is None:
                return None
            return self._from_now(Clock.DISPOSAL, standard.limit, action.unit, f"standards.csv {standard.id}")
        if old.stopped_at is None:
            return None  # it runs on, whoever has it
        return self._on(old)

    def _on(self, old: Ledger) -> Timed:
        """A clock that was stopped goes on, with what it had."""
        assert old.stopped_at is not None
        gap = (Pause(since=old.stopped_at, until=self.now),) if self.city.rules.rework.gap else ()
        return self.again(old, (*old.pauses, *gap)).model_copy(update={"gap": bool(gap)})

    def _from_now(self, clock: Clock, limit: Limit, unit: str, basis: str, of: str = "") -> Timed:
        key = basis, unit, of
        if key not in self._known:
            calendar = self.city.working_time(unit) if unit else self.city.calendar
            due = calendar.due(self.now, limit)
            step, at = self.city.rules.steps.next(clock, Run(self.now, (limit,), (), due), calendar)
            self._known[key] = _timed(
                clock=clock, of=of, limit=limit, due=due, unit=unit, calendar=calendar.edition, basis=basis, step=step,
                step_at=at,
            )  # fmt: skip
        return self._known[key]

    def theirs(self, clock: Clock, deadline: SourceDeadline | None, due: Due | None = None) -> Timed | None:
        """A clock of another party, which said when it runs out, or how much time there is and since when.

        `due`: where that has been worked out already.
        """
        due = due or source_due(deadline, self.now, self.city)
        if deadline is None or due is None:
            return None
        since, limit = (None, None) if deadline.at else (deadline.since, deadline.limit)
        run = Run(since or self.now, (limit,) if limit else (), (), due)
        step, at = self.city.rules.steps.next(clock, run, self.city.calendar)
        edition = self.city.calendar.edition if limit else ""
        return _timed(clock=clock, limit=limit, since=since, due=due, calendar=edition, step=step, step_at=at)

    def again(self, ledger: Ledger, pauses: Sequence[Pause], *, limit: Limit | None = None, basis: str = "") -> Timed:
        """A clock that goes on, with a further budget or as its calendar now is: due anew."""
        calendar = self.city.working_time(ledger.unit) if ledger.unit else self.city.calendar
        limits = (*ledger.limits, *((limit,) if limit else ()))
        due = calendar.run_out(ledger.started_at, limits, pauses) if ledger.limits else ledger.due
        run = Run(ledger.started_at, limits, pauses, due)
        step, at = ledger.step, None
        if limit is not None:  # the middle of a longer budget that is past already is no news
            step, at = self.city.rules.steps.next(ledger.clock, run, calendar, not_before=self.now)
        elif ledger.step:  # else all was told
            step, at = self.city.rules.steps.next(ledger.clock, run, calendar, first=ledger.step)
        return _timed(
            clock=ledger.clock, of=ledger.of, limit=limit, due=due, unit=ledger.unit, calendar=calendar.edition,
            basis=basis, step=step, step_at=at,
        )  # fmt: skip

    def after_step(self, ledger: Ledger) -> Timed:
        """The same clock with the step that comes after the one that is told now."""
        calendar = self.city.working_time(ledger.unit) if ledger.unit else self.city.calendar
        run = Run(ledger.started_at, ledger.limits, ledger.pauses, ledger.due)
        steps = self.city.rules.steps
        name, at = steps.after(ledger.clock, ledger.step), None
        if name is None:  # the rules have changed since: what lies before now is told
            name, at = steps.next(ledger.clock, run, calendar, not_before=self.now)
        elif name:
            name, at = steps.next(ledger.clock, run, calendar, first=name)
        return _timed(clock=ledger.clock, of=ledger.of, due=ledger.due, step=name, step_at=at)

    def _until_now(self, ledger: Ledger) -> tuple[Pause, ...]:
        return (*ledger.pauses[:-1], ledger.pauses[-1].model_copy(update={"until": self.now}))


def _owners(action: Action) -> SourceDeadline | None:
    """The owner's own deadline, as it says when it signs."""
    return SourceDeadline(at=action.until, limit=action.limit) if action.until or action.limit else None


_THEIRS: Mapping[Clock, Callable[[Action], SourceDeadline | None]] = {
    Clock.SOURCE: lambda action: action.report.deadline if action.report else None,
    Clock.SOURCE_SIGN: lambda action: action.report.sign_deadline if action.report else None,
    Clock.OWNER: _owners,
}
"""The deadlines of others, kept beside ours and never mixed with them."""
_BUDGETED = {
    row.action: tuple(one for one in row.starts if one not in NOT_HERE and row.action is not ActionKind.REWORK)
    for row in BY_ACTION.values()
}
"""Clocks that begin with a budget of `clocks.csv`. Rework begins none: it has the case's go on."""
_BESIDE = {
    row.action: tuple(one for one in row.starts if one not in _BUDGETED[row.action]) for row in BY_ACTION.values()
}
_GIVING = frozenset({ActionKind.GRANT_EXTENSION})
_EXTENDED = (Clock.DISPOSAL, Clock.CASE)
"""Who may dispose of it later closes it later."""
