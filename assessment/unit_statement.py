"""The statement of a unit 单位对账单: each case it had in a period with its clocks, and how that adds up.

Made of the unit's facts. Numbers, codes and times only: nothing that people wrote, and no person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from assessment.period import Period
from assessment.sheet import Assessed, Column
from canonical.fact import Fact

DISPOSAL = "disposal"
JOINT = "joint"
_OWN_WORD = frozenset({"answer", "decline"})
_CLOCK = "clock."


class Standing(StrEnum):
    """How a clock, or a unit's case, stands at the end of the period. Each case has one."""

    ON_TIME = "on_time"
    LATE = "late"
    OPEN = "open"
    OVERDUE = "overdue"
    SUSPENDED = "suspended"
    GIVEN_BACK = "given_back"
    """The unit has it no more, and did not dispose of it: returned, moved, merged or cancelled."""


STANDING_TITLES = {
    Standing.ON_TIME: "按期", Standing.LATE: "超期", Standing.OPEN: "在办", Standing.OVERDUE: "超期未办",
    Standing.SUSPENDED: "缓办", Standing.GIVEN_BACK: "已退转",
}  # fmt: skip
_ENDED_OTHERWISE = frozenset({"cancel", "merge"})
"""What else may stop a clock: its result says so."""


@dataclass(frozen=True, slots=True)
class ClockLine:
    """One run of one clock of the unit."""

    clock: str
    started_at: datetime
    due_at: datetime | None
    done_at: datetime | None
    standing: Standing
    spent_hours: float
    """Of its budget, by its calendar."""


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case of the unit."""

    case_no: str
    class_code: str
    area: str
    level: str
    stage: str
    standing: Standing
    started_at: datetime
    due_at: datetime | None
    done_at: datetime | None
    spent_hours: float
    extensions: int
    returns: int
    """By this unit, in the period."""
    reworks: int
    supervised: str
    exempt: bool
    forced: bool
    clocks: Sequence[ClockLine]

    @property
    def counts(self) -> Sequence[str]:
        """Why it may count against the unit; nothing where an appeal was upheld."""
        if self.exempt:
            return ()
        late = STANDING_TITLES[self.standing] if self.standing in (Standing.LATE, Standing.OVERDUE) else ""
        reasons = (
            late,
            "返工" if self.reworks else "",
            "退件" if self.returns else "",
            "强制结案" if self.forced else "",
        )
        return tuple(reason for reason in reasons if reason)


@dataclass(frozen=True, slots=True)
class UnitStatement:
    """All a statement says."""

    city: str
    unit: str
    name: str
    period: str
    title: str
    first: datetime
    last: datetime
    as_of: datetime
    run: int
    edition: int
    """Of the assessment whose figures stand here; 0: not closed."""
    counts: Mapping[Standing, int]
    """Cases by how they stand; they sum up to the lines."""
    cases: Sequence[CaseLine]
    columns: Sequence[Column] = ()
    assessed: Assessed | None = None
    """The unit's row of the assessment sheet; None: it has none."""
    left_out: int = 0
    """Cases beyond what one statement holds."""

    @property
    def balances(self) -> bool:
        """True when the lines add up to the cases."""
        return sum(self.counts.values()) == len(self.cases)


def lines_of(
    facts: Iterable[Fact], units: Collection[str], period: Period, until: datetime
) -> Sequence[CaseLine]:  # fmt: skip
    """One line a case, of the facts of these units, in the order of the case numbers. `until`: the end, or now.

    `units`: the unit, and those that were merged into it.
    """
    by_case: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.unit in units:
            by_case.setdefault(fact.case_no, []).append(fact)
    return [_line(no, sorted(found, key=lambda one: one.seq), period, until) for no, found in sorted(by_case.items())]


def counted(lines: Iterable[CaseLine]) -> Mapping[Standing, int]:
    """How many stand how; every standing is there."""
    counts = dict.fromkeys(Standing, 0)
    for line in lines:
        counts[line.standing] += 1
    return counts


def _line(case_no: str, facts: Sequence[Fact], period: Period, until: datetime) -> CaseLine:
    newest = facts[-1]
    clocks = [_clock(fact, until) for fact in facts if fact.what.startswith(_CLOCK)]
    runs = [one for one in clocks if one.clock == DISPOSAL] or [one for one in clocks if one.clock == JOINT]
    main = runs[-1] if runs else None
    returns = [fact for fact in facts if fact.what == "action.return" and period.first <= fact.at < until]
    return CaseLine(
        case_no=case_no, class_code=newest.class_code, area=newest.area, level=newest.level, stage=newest.stage,
        standing=main.standing if main else Standing.GIVEN_BACK,
        started_at=main.started_at if main else facts[0].at,
        due_at=main.due_at if main else None,
        done_at=main.done_at if main else (returns[-1].at if returns else None),
        spent_hours=round(sum(one.spent_hours for one in runs), 2),
        extensions=max(fact.extensions for fact in facts), returns=len(returns),
        reworks=max(fact.reworks for fact in facts), supervised=newest.supervised,
        exempt=any(fact.exempt for fact in facts), forced=newest.forced, clocks=clocks,
    )  # fmt: skip


def _clock(fact: Fact, until: datetime) -> ClockLine:
    done = fact.done_at if fact.done_seq and fact.done_at is not None and fact.done_at < until else None
    return ClockLine(
        clock=fact.what.removeprefix(_CLOCK), started_at=fact.at, due_at=fact.due_at, done_at=done,
        standing=_standing(fact, done, until), spent_hours=round(fact.spent_seconds / 3600, 2),
    )  # fmt: skip


def _standing(fact: Fact, done: datetime | None, until: datetime) -> Standing:
    if done is not None:
        if fact.result in _ENDED_OTHERWISE:
            return Standing.GIVEN_BACK
        if fact.due_at is not None and done > fact.due_at:
            return Standing.LATE
        spared = fact.what == f"{_CLOCK}{JOINT}" and fact.result not in _OWN_WORD  # the lead was quicker
        return Standing.GIVEN_BACK if spared else Standing.ON_TIME
    if fact.due_at is not None and fact.due_at < until:
        return Standing.OVERDUE
    return Standing.SUSPENDED if fact.suspended else Standing.OPEN
