"""The ledger of a clock 时限: what it may take, since when it runs, when it stood still, how often it was extended.

A ledger is folded from the case's events alone, as the case is. When it runs out was computed when it was decided, by
the calendar of who does the work, and stands in the event; from the ledger and a calendar it can be computed again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from canonical.time import Due, Instant, Limit, Pause
from canonical.value import Value, unchecked


class Clock(StrEnum):
    """What is timed."""

    ACCEPT = "accept"
    """受理: from the first report to the first decision about it."""
    VERIFY = "verify"
    """核实, before filing."""
    FILE = "file"
    """立案: from the first report to filing, verification included."""
    DISPATCH = "dispatch"
    """派遣: from filing, or from a return, to the unit."""
    SIGN = "sign"
    """签收: from the unit's dispatch to its receipt."""
    DISPOSAL = "disposal"
    """处置: starts at dispatch, and runs on through return and rework, whoever has it."""
    CHECK = "check"
    """核查, after disposal."""
    CLOSE = "close"
    """结案, after a passed check."""
    CASE = "case"
    """全案: from filing to closing, whoever has it; runs on through return and rework."""
    REPLY = "reply"
    """答复: from the report to the answer its source gets."""
    SOURCE = "source"
    """The deadline that the source itself gave."""
    SOURCE_SIGN = "source_sign"
    """The deadline that the source gave for taking its report on: to filing, of which it is told, or to a refusal."""
    OWNER = "owner"
    """The deadline that the system which does the work gave itself."""
    REPORT_IN = "report_in"
    """报到: from the whistle to the called unit's word that it is there."""
    LEVEL = "level"
    """本级办理: how long one loop may keep the case before the next takes it."""
    JOINT = "joint"
    """联动处置: a called unit's share of the work."""


CLOCK_TITLES = {
    Clock.ACCEPT: "受理时限",
    Clock.VERIFY: "核实时限",
    Clock.FILE: "立案时限",
    Clock.DISPATCH: "派遣时限",
    Clock.SIGN: "签收时限",
    Clock.DISPOSAL: "处置时限",
    Clock.CHECK: "核查时限",
    Clock.CLOSE: "结案时限",
    Clock.CASE: "全案时限",
    Clock.REPLY: "答复时限",
    Clock.SOURCE: "来源时限",
    Clock.SOURCE_SIGN: "来源签收时限",
    Clock.OWNER: "承办系统时限",
    Clock.LEVEL: "本级办理时限",
    Clock.REPORT_IN: "报到时限",
    Clock.JOINT: "联动处置时限",
}

CONTINUED = frozenset({Clock.DISPOSAL, Clock.CASE})
"""Started again they go on, with what they had. Any other begins anew."""


class Timed(Value):
    """What a decision gives a clock: a further budget, when the clock runs out with it, what is to be told next."""

    clock: Clock
    of: str = ""
    """The joint task's unit, where it is the clock of one; empty: the case's own."""
    limit: Limit | None = None
    """The first budget when it starts, a further one when it is extended; None: what it had."""
    since: Instant | None = None
    """When it began, by the word of the other party whose deadline it is; None: with the event."""
    due: Due | None = None
    """None: it stands still."""
    unit: str = ""
    """By whose calendar it goes; empty: the city's."""
    calendar: str = ""
    """Edition of the calendar that `due` was computed with."""
    basis: str = ""
    """The row of a table, or the rule, that gives the budget."""
    gap: bool = False
    """Going on after it was stopped: what passed between does not count."""
    step: str = ""
    """The next step to be told: `50%`, `80%`, `due`, `+1 work_day`; empty: none any more."""
    step_at: Instant | None = None


class Ledger(Value):
    """One clock of one case."""

    clock: Clock
    of: str = ""
    since: int = 0
    """`seq` of the event that started it."""
    until: int = 0
    """`seq` of the event that stopped it; 0: none has."""
    limits: tuple[Limit, ...] = ()
    """The budget and its extensions, used up one after the other; none where only an instant was given."""
    started_at: Instant
    pauses: tuple[Pause, ...] = ()
    """In order, without overlap."""
    stopped_at: Instant | None = None
    due: Due | None = None
    unit: str = ""
    calendar: str = ""
    basis: str = ""
    extensions: int = Field(default=0, ge=0)
    step: str = ""
    step_at: Instant | None = None

    @property
    def running(self) -> bool:
        """True while time passes for it."""
        return self.stopped_at is None and not self.paused

    @property
    def paused(self) -> bool:
        """True while it stands still, and will go on."""
        return bool(self.pauses) and self.pauses[-1].until is None

    def overdue(self, now: datetime) -> bool:
        """True when it ran, or stopped, past its due time."""
        return self.due is not None and self.due.at < (self.stopped_at or now)

    def stopped(self, at: datetime, seq: int) -> Self:
        """Stopped; a pause ends with it."""
        changes = {"stopped_at": at, "until": seq, "pauses": self._ended(at), "step_at": None}
        return self.model_copy(update=changes)

    def suspended(self, at: datetime) -> Self:
        """Standing still from now on."""
        pauses = (*self.pauses, Pause(since=at))
        return self.model_copy(update={"pauses": pauses, "due": None, "step_at": None})

    def given(self, timed: Timed, at: datetime) -> Self:
        """As a later decision has it: going on after a pause or a stop, extended, or due at another time."""
        changes: dict[str, object] = {
            "due": timed.due, "calendar": timed.calendar or self.calendar, "step": timed.step, "step_at": timed.step_at,
        }  # fmt: skip
        if self.stopped_at is not None:
            gap = (Pause(since=self.stopped_at, until=at),) if timed.gap else ()
            changes |= {"pauses": (*self.pauses, *gap), "stopped_at": None, "until": 0}
        elif timed.limit is not None:
            changes |= {"limits": (*self.limits, timed.limit), "extensions": self.extensions + 1}
        return self.model_copy(update=changes)

    def resumed(self, at: datetime) -> Self:
        """Going on after a pause; when it is due, the decision says."""
        return self.model_copy(update={"pauses": self._ended(at)})

    def _ended(self, at: datetime) -> tuple[Pause, ...]:
        if not self.paused:
            return self.pauses
        return (*self.pauses[:-1], self.pauses[-1].model_copy(update={"until": at}))


_ledger = unchecked(Ledger)


def started(timed: Timed, at: datetime, seq: int) -> Ledger:
    """A clock that starts."""
    return _ledger(
        clock=timed.clock, of=timed.of, since=seq, limits=(timed.limit,) if timed.limit else (),
        started_at=timed.since or at, due=timed.due, unit=timed.unit, calendar=timed.calendar, basis=timed.basis,
        step=timed.step, step_at=timed.step_at,
    )  # fmt: skip


def find(ledgers: Iterable[Ledger], clock: Clock, of: str = "") -> Ledger | None:
    """The ledger of a clock; None when the case has none."""
    return next((one for one in ledgers if one.clock is clock and one.of == of), None)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does to the clocks of a case, beside what it gives them."""

    starts: tuple[Clock, ...] = ()
    stops: tuple[Clock, ...] = ()
    pauses: tuple[Clock, ...] = ()
    resumes: tuple[Clock, ...] = ()
    ends: bool = False
    """It ends the case, and every clock."""
    of: str = ""
    """Whose clocks: of a joint task, or of the case itself."""

    def _own(self, one: Ledger) -> bool:
        return not self.of or one.of == self.of  # what is done to the case is done to its joint work too

    def stopping(self, one: Ledger) -> bool:
        """Whether the clock, if it has not stopped, stops with it."""
        return self.ends or (one.clock in self.stops and self._own(one))

    def on(self, one: Ledger, at: datetime, seq: int) -> Ledger:
        """The clock after it, stopped or brought to a stand where the action does so."""
        if one.stopped_at is not None:
            return one
        if self.stopping(one):
            return one.stopped(at, seq)
        own = self._own(one)
        if own and one.clock in self.pauses and not one.paused:
            return one.suspended(at)
        if own and one.clock in self.resumes and one.paused:
            return one.resumed(at)
        return one


Begin = Callable[[Timed, datetime, int], Ledger]
"""Makes the clock that starts, as `started` does. A batch in which many cases begin alike makes each only once."""


def ledgers_after(
    ledgers: Sequence[Ledger], effect: Effect, timed: Sequence[Timed], at: datetime, seq: int, begin: Begin = started
) -> tuple[Ledger, ...]:
    """All clocks of a case after an event, those included that it stopped. One that has no budget does not start."""
    after = {(one.clock, one.of): effect.on(one, at, seq) for one in ledgers}
    for one in timed:
        key, starts = (one.clock, one.of), one.clock in effect.starts
        old = after.get(key)
        if old is not None and old.stopped_at is not None and one.clock not in CONTINUED:
            old = None  # each run of it is one of its own
        if old is None and starts:
            after[key] = begin(one, at, seq)
        elif old is not None and starts == (old.stopped_at is not None):
            after[key] = old.given(one, at)
    return tuple(after.values())


def carried_after(
    ledgers: Sequence[Ledger], effect: Effect, timed: Sequence[Timed], at: datetime, seq: int, begin: Begin = started
) -> tuple[Ledger, ...]:
    """What a case carries along after an event: what runs or stands still, and what may go on.

    The rest stands in the events: of what ends here no last state is made.
    """
    going_on = [one for one in ledgers if one.clock in CONTINUED or not effect.stopping(one)]
    after = ledgers_after(going_on, effect, timed, at, seq, begin)
    return tuple(one for one in after if one.stopped_at is None or one.clock in CONTINUED)
