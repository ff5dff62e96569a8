"""What contradicts itself in `rules.yaml`: what forbids what it allows, ladders that go down, what never happens."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

from canonical.action import Supervision
from canonical.clock import Clock
from canonical.findings import Finding
from canonical.time import Limit, LimitUnit
from gateway.rules_file import RulesFile, RungFile, trade_rules
from gateway.yaml_model import line_of, lines_of, read_model
from routing.steps import Step, read_step
from routing.trade import LEVELS
from routing.trade_rules import TradeRules

Found = tuple[str, str]
"""A key, and what is wrong there."""

_STRENGTH = {strength: place for place, strength in enumerate(Supervision)}
_UNFILED = frozenset({Clock.ACCEPT, Clock.VERIFY, Clock.FILE})
"""While these run the case is not filed, and nobody has it."""
_WORK_IS_DONE = frozenset({Clock.CHECK, Clock.CLOSE})
"""While these run the unit has answered."""
_WALL_MINUTES = {
    LimitUnit.MINUTE: 1,
    LimitUnit.URGENT_WORK_HOUR: 60,
    LimitUnit.URGENT_WORK_DAY: 1440,
    LimitUnit.CALENDAR_DAY: 1440,
}


def read_rules(path: Path, findings: list[Finding]) -> TradeRules:
    """The rules of a file; none where it cannot be read. What contradicts itself is found, with its line."""
    said = read_model(path, RulesFile, findings)
    if said is None:
        return TradeRules()
    lines = lines_of(path)
    findings += (Finding(path.name, line_of(lines, key), key, text) for key, text in contradictions(said))
    return trade_rules(said)


def contradictions(file: RulesFile) -> Iterator[Found]:
    """Everything that cannot be meant, in the order of the file."""
    yield from _steps(file)
    yield from _limits(file)
    yield from _loops(file)
    yield from _ladder(file)


def _steps(file: RulesFile) -> Iterator[Found]:
    known: set[Clock] = set()
    for index, one in enumerate(file.steps):
        steps = [step for step in map(read_step, one.at) if step is not None]
        if len(set(one.at)) < len(one.at):
            yield f"steps.{index}.at", "a step stands here twice"
        for earlier, later in combinations(steps, 2):
            if _after(earlier, later):
                yield f"steps.{index}.at", f"'{later.name}' comes before '{earlier.name}': write them in order of time"
                break
        for clock in one.clocks:
            if clock in known:
                yield f"steps.{index}.clocks", f"'{clock}' has its steps already"
            known.add(clock)


def _after(earlier: Step, later: Step) -> bool:
    """Whether what is written as the earlier comes later for sure. Units that only a calendar can compare never do."""
    if earlier.after is None:
        return later.after is None and earlier.share > later.share
    if later.after is None:
        return True
    return _longer(earlier.after, later.after)


def _longer(one: Limit, other: Limit) -> bool:
    if one.unit in _WALL_MINUTES and other.unit in _WALL_MINUTES:
        return one.value * _WALL_MINUTES[one.unit] > other.value * _WALL_MINUTES[other.unit]
    return one.unit is other.unit and one.value > other.value


def _limits(file: RulesFile) -> Iterator[Found]:
    extension, suspension, returns, appeals = file.extension, file.suspension, file.returns, file.appeals
    if extension and extension.most == 0 and (extension.original or extension.longest):
        yield "extension.most", "0 forbids what `original` and `longest` allow"
    if suspension and suspension.most == 0 and (suspension.longest or suspension.overdue):
        yield "suspension.most", "0 forbids what `longest` and `overdue` allow"
    if returns and returns.most == 0:
        yield "returns.most", "0 rounds leave nothing to rule on 裁定: write 1 or more, or leave it out for any number"
    if returns and returns.most and returns.same_unit and returns.same_unit > returns.most:
        yield "returns.same_unit", f"never comes to that: after {returns.most} returns the centre rules (`most`)"
    if appeals and appeals.most == 0 and (appeals.within or appeals.only_overdue):
        yield "appeals.most", "0 forbids what `within` and `only_overdue` allow"


def _loops(file: RulesFile) -> Iterator[Found]:
    known = set()
    for index, row in enumerate(file.loops.closing if file.loops else ()):
        key = f"loops.closing.{index}"
        if row.level in known:
            yield f"{key}.level", f"'{row.level}' has a row already"
        if LEVELS.index(row.by) < LEVELS.index(row.level):
            yield f"{key}.by", f"the {row.by} is below the {row.level}, whose cases it would close"
        known.add(row.level)


def _ladder(file: RulesFile) -> Iterator[Found]:
    steps = {clock: list(one.at) for one in file.steps for clock in one.clocks}
    known: dict[tuple[Clock, str], tuple[int, RungFile]] = {}
    for index, rung in enumerate(file.ladder):
        key = f"ladder.{index}"
        if rung.step not in steps.get(rung.clock, ()):
            yield f"{key}.step", f"'{rung.step}' is no step of '{rung.clock}': add it to `steps`"
        if (rung.clock, rung.step) in known:
            yield f"{key}.step", f"'{rung.clock}' has a rung at '{rung.step}' already"
        yield from ((f"{key}.{name}", text) for name, text in _rung(rung))
        known.setdefault((rung.clock, rung.step), (index, rung))
    for clock, names in steps.items():
        yield from _descents([known[clock, name] for name in names if (clock, name) in known])


def _descents(rungs: Iterable[tuple[int, RungFile]]) -> Iterator[Found]:
    """`rungs`: of one clock, with their places in the file, in order of time."""
    highest: RungFile | None = None
    for index, rung in rungs:
        if rung.supervise is None:
            continue
        if highest and highest.supervise and _STRENGTH[highest.supervise] > _STRENGTH[rung.supervise]:
            text = f"goes down from '{highest.supervise}' at '{highest.step}': a ladder ascends"
            yield f"ladder.{index}.supervise", text
        else:
            highest = rung


def _rung(rung: RungFile) -> Iterator[Found]:
    if rung.supervise and rung.escalate:
        yield "escalate", "one rung supervises or escalates; make two, at different steps"
    if not (rung.supervise or rung.escalate or rung.notify):
        yield "step", "the rung does nothing: `supervise`, `escalate` or `notify` is expected"
    if rung.supervise and rung.clock in _UNFILED:
        yield "supervise", f"a case is not filed while '{rung.clock}' runs: only `notify` is possible"
    if rung.escalate and rung.clock in _UNFILED | _WORK_IS_DONE:
        yield "escalate", f"nobody works on a case while '{rung.clock}' runs: there is nothing to raise"
