"""Steps 催办 on the way to a due time and past it: at which shares of the budget, and how long after."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from canonical.clock import Clock
from canonical.ports import WorkingCalendar
from canonical.time import Due, Limit, LimitUnit, Pause

DUE = "due"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a share of the budget used up, the due time itself, or so long after it."""

    name: str
    """As written: `50%`, `due`, `+1 work_day`."""
    share: float = 0
    after: Limit | None = None


_SHARE = re.compile(r"([1-9][0-9]?)%")
_AFTER = re.compile(rf"\+([1-9][0-9]{{0,4}}) ({'|'.join(LimitUnit)})")


def read_step(text: str) -> Step | None:
    """A step as a rule writes it; None when it is none."""
    if text == DUE:
        return Step(DUE, share=1)
    if share := _SHARE.fullmatch(text):
        return Step(text, share=int(share[1]) / 100)
    if after := _AFTER.fullmatch(text):
        return Step(text, after=Limit(value=int(after[1]), unit=LimitUnit(after[2])))
    return None


@dataclass(frozen=True, slots=True)
class Run:
    """What a clock has used and has left, for its steps."""

    started_at: datetime
    limits: Sequence[Limit]
    pauses: Sequence[Pause]
    due: Due | None


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of each clock, in the order in which they come."""

    of_clock: Mapping[Clock, tuple[Step, ...]] = field(default_factory=dict)

    def next(
        self, clock: Clock, run: Run, calendar: WorkingCalendar, *, first: str = "", not_before: datetime | None = None,
    ) -> tuple[str, datetime | None]:  # fmt: skip
        """The step to be told next, and when; ("", None) when there is none any more, or the clock stands still.

        `first`: the earliest step that comes into question; empty: the first there is. `not_before`: steps that lie
        before are left out, as when a clock that is extended has a new middle.
        """
        if run.due is None:
            return first, None
        steps = self.of_clock.get(clock, ())
        for step in steps[self._index(clock, first) :]:
            at = _moment(step, run, calendar)
            if not_before is None or at > not_before:
                return step.name, at
        return "", None

    def after(self, clock: Clock, name: str) -> str | None:
        """The name of the step after this one; empty: it is the last; None: there is no such step any more."""
        names = [step.name for step in self.of_clock.get(clock, ())]
        if name not in names:
            return None
        return (*names, "")[names.index(name) + 1]

    def _index(self, clock: Clock, name: str) -> int:
        names = [step.name for step in self.of_clock.get(clock, ())]
        return names.index(name) if name in names else 0


def _moment(step: Step, run: Run, calendar: WorkingCalendar) -> datetime:
    assert run.due is not None
    if step.after is not None:
        return calendar.due(run.due.at, step.after).at
    if step.share == 1:
        return run.due.at
    if not run.limits:  # only an instant was given: by the wall clock
        return run.started_at + max(timedelta(), run.due.at - run.started_at) * step.share
    at = calendar.share(run.started_at, run.limits, run.pauses, step.share, run.due)
    return run.due.at if at is None else at
