"""Budgets 时限 of the hub's own clocks, as data: how long accepting, verifying, filing, dispatching, ... may take.

The disposal clock has its budget from the standard row 立结案标准 of the case, not from here.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from canonical.clock import Clock
from canonical.codes import ClassCode
from canonical.findings import Finding, Severity
from canonical.organisation import Level
from canonical.report import Urgency
from canonical.tables import TableRow, read_table
from canonical.time import Limit
from routing.catalogue import limit_in
from routing.responsibility import ClassKey, class_key_of, covers

COLUMNS = ("id", "clock", "class", "urgency", "source", "level", "limit_value", "limit_unit", "basis")
NOT_HERE = frozenset({Clock.DISPOSAL, Clock.SOURCE, Clock.SOURCE_SIGN, Clock.OWNER})
"""Their budgets come with the standard row, or from the other side."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One row."""

    id: str
    clock: Clock
    limit: Limit
    class_key: ClassKey
    urgency: Urgency | None
    source: str
    level: Level | None
    basis: str
    """The legal text, or order, that sets it."""

    @property
    def row(self) -> str:
        """How a clock names it."""
        return f"clocks.csv {self.id}"

    @property
    def rank(self) -> tuple[int, ...]:
        """The more of it is said, the more it is worth."""
        return (bool(self.source), bool(self.level), self.urgency is not None, len(self.class_key))

    def fits(self, class_code: ClassCode | None, urgency: Urgency, source: str, level: Level | None) -> bool:
        """True when it is for such a case."""
        return (
            covers(self.class_key, class_code)
            and self.urgency in {None, urgency}
            and self.source in {"", source}
            and self.level in {None, level}
        )


@dataclass(frozen=True, slots=True)
class Budgets:
    """All rows, the most specific first. A clock without a fitting row does not run."""

    rows: Mapping[Clock, tuple[Budget, ...]]
    _found: dict[tuple[object, ...], tuple[Budget, ...]] = field(default_factory=dict, repr=False, compare=False)
    """What was looked up: there are only as many as kinds of cases."""

    def of(
        self, clocks: tuple[Clock, ...], class_code: ClassCode | None, urgency: Urgency, source: str,
        level: Level | None,
    ) -> tuple[Budget, ...]:  # fmt: skip
        """The budgets of these clocks of such a case, in their order; of a clock that does not run, none."""
        key = clocks, class_code, urgency, source, level
        found = self._found.get(key)
        if found is None:
            fitting = (
                next((row for row in self.rows.get(clock, ()) if row.fits(class_code, urgency, source, level)), None)
                for clock in clocks
            )
            found = self._found[key] = tuple(filter(None, fitting))
        return found


NONE = Budgets({})


def load_budgets(path: Path, systems: Iterable[str] | None, findings: list[Finding]) -> Budgets:
    """`clocks.csv`. Rows that cannot be read are left out and found; so are two that say the same of the same."""
    budgets: list[Budget] = []
    lines: dict[str, TableRow] = {}
    told: dict[tuple[object, ...], str] = {}
    for row in read_table(path, COLUMNS, findings):
        budget = _budget(row, None if systems is None else set(systems), findings)
        if budget is None:
            continue
        if budget.id in lines:
            findings.append(row.finding("id", f"'{budget.id}' stands in line {lines[budget.id].line} already"))
            continue
        key = budget.clock, budget.class_key, budget.urgency, budget.source, budget.level
        if key in told:
            findings.append(row.finding("id", f"'{budget.id}' contradicts '{told[key]}': both are for the same cases"))
            continue
        lines[budget.id], told[key] = row, budget.id
        budgets.append(budget)
    budgets.sort(key=lambda one: one.rank, reverse=True)
    return Budgets({clock: tuple(one for one in budgets if one.clock is clock) for clock in Clock})


def _budget(row: TableRow, systems: set[str] | None, findings: list[Finding]) -> Budget | None:
    before = len(findings)
    clocks = {clock.value: clock for clock in Clock if clock not in NOT_HERE}
    urgencies, levels = {one.value: one for one in Urgency}, {one.value: one for one in Level}
    kinds: dict[str, Collection[str]] = {"clock": clocks, "urgency": urgencies, "level": levels}
    optional = frozenset({"urgency", "level"})
    for column, known in kinds.items():
        if row[column] not in known and (row[column] or column not in optional):
            findings.append(row.finding(column, f"'{row[column]}' is none of {', '.join(known)}"))
    if not row["id"]:
        findings.append(row.finding("id", "missing"))
    class_key, limit = class_key_of(row["class"]), limit_in(row, findings)
    if class_key is None:
        text = f"'{row['class']}': write 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *"
        findings.append(row.finding("class", text))
    if len(findings) > before or class_key is None or limit is None:
        return None
    if systems is not None and row["source"] and row["source"] not in systems:
        text = f"'{row['source']}' is not a declared system: the row fits no case"
        findings.append(row.finding("source", text, severity=Severity.WARNING))
    return Budget(
        id=row["id"], clock=clocks[row["clock"]], limit=limit, class_key=class_key, source=row["source"],
        urgency=urgencies.get(row["urgency"]), level=levels.get(row["level"]), basis=row["basis"],
    )  # fmt: skip
