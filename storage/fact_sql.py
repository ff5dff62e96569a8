"""Counters as SQL over the facts. Names come from the tables below and nowhere else; values travel as parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from canonical.indicator import COMPARED, FLAGS, NUMBERS, TEXTS, By, Condition, Counter, compared
from canonical.organisation import Level
from canonical.rights import Scope
from storage.fact_scoping import counted
from storage.facts import LATEST_FACTS
from storage.scoping import values

_DONE = "(done_seq > 0 AND done_at < :end)"
DERIVED = MappingProxyType({
    "done": _DONE,
    "on_time": f"({_DONE} AND (due_at IS NULL OR done_at <= due_at))",
    "late": f"({_DONE} AND due_at IS NOT NULL AND done_at > due_at)",
    "overdue": f"(due_at IS NOT NULL AND due_at < :end AND NOT {_DONE})",
})  # fmt: skip
"""Flags that are as at the end of the period."""
SPELLED = MappingProxyType({
    "kind": "CASE substr(split_part(class_code, ':', 2), 1, 1) WHEN 'E' THEN 'event' WHEN 'P' THEN 'part' ELSE '' END",
    "major": "split_part(class_code, '-', 1)",
    "district": "left(area, 6)",
})  # fmt: skip
"""Texts that are made of others."""

SUBJECTS = MappingProxyType({
    "district": ("CASE WHEN length(area) >= 6 THEN left(area, 6) ELSE '' END", ""),
    "street": ("CASE WHEN length(area) >= 9 THEN left(area, 9) ELSE '' END", ""),
    "community": ("CASE WHEN length(area) >= 12 THEN left(area, 12) ELSE '' END", ""),
    "grid": ("grid", ""), "unit": ("unit", ""), "system": ("system", ""), "source": ("source", ""),
    "class": ("class_code", ""), "major": (SPELLED["major"], ""), "level": ("level", ""),
    "collector": ("person", "post = 'collector'"), "acceptor": ("person", "post = 'acceptor'"),
    "duty_chief": ("person", "post = 'duty_chief'"), "dispatcher": ("person", "post = 'dispatcher'"),
    "handler": ("person", "post = 'handler'"),
})  # fmt: skip
"""Who is assessed: what facts are grouped by, and which facts are theirs."""

TIME_OF = MappingProxyType({By.AT: "at", By.DUE: "due_at", By.DONE: "done_at", By.OPEN: "at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Of which time, by which run of the facts, and for whom."""

    first: datetime
    end: datetime
    """Not in it: the end of the period, or now where that is earlier."""
    run: int
    by: str
    scope: Scope
    """Whose figures: facts outside are not counted."""
    successors: Mapping[str, str] = field(default_factory=dict)
    """Former unit to the one that its figures go to."""
    as_at: datetime | None = None
    """The period's end that facts are as at; None: as they are now."""
    as_if: tuple[UUID, bool] | None = None
    """A case, and whether it is taken as exempt whatever its facts say: what an appeal would change."""


class Statement:
    """A statement that grows, and its parameters."""

    def __init__(self, extent: Extent) -> None:
        self.extent = extent
        self.values: dict[str, object] = {"first": extent.first, "end": extent.end, "run": extent.run}
        self.values |= values(extent.scope)
        if extent.as_at is not None:
            self.values["as_at"] = extent.as_at

    def value(self, given: object) -> str:
        """The name of a parameter that holds this value."""
        name = f"p{len(self.values)}"
        self.values[name] = given
        return f":{name}"

    @property
    def subject(self) -> str:
        """What facts are grouped by."""
        expression = SUBJECTS[self.extent.by][0]
        if self.extent.by != "unit" or not self.extent.successors:
            return expression
        arms = (f"WHEN {self._text(a)} THEN {self._text(b)}" for a, b in self.extent.successors.items())
        return f"CASE unit {' '.join(arms)} ELSE unit END"

    def whose(self, subject: str | None) -> list[str]:
        """That facts are of one of those who are assessed; None: of anybody."""
        of_post = [SUBJECTS[self.extent.by][1]] if SUBJECTS[self.extent.by][1] else []
        if subject is None:
            return of_post
        if self.extent.by == "unit":
            former = [one for one, new in self.extent.successors.items() if new == subject]
            if subject in self.extent.successors:  # its figures are another's
                return ["false"]
            if not former:
                return [f"unit = {self._text(subject)}"]
            return [f"unit = ANY(CAST({self.value([subject, *former])} AS text[]))"]
        if self.extent.by in AREAS and subject:  # a range, so that the index on the area is of use
            low, high = self._text(subject), self._text(subject + "a")
            return [*of_post, f"area >= {low} AND area < {high}", f"{self.subject} = {self._text(subject)}"]
        return [*of_post, f"{self.subject} = {self._text(subject)}"]

    def _text(self, given: str) -> str:
        return f"CAST({self.value(given)} AS text)"

    @property
    def known(self) -> str:
        """That a fact is the scope's and held after the run. As at an end: of what moved later, as it was then."""
        held = "since_run <= :run AND until_run > :run"
        if not self.extent.scope.whole:
            held += f" AND {counted(self.extent.scope)}"
        if self.extent.as_at is None:
            return f"{held} AND {LATEST_FACTS}"
        return f"{held} AND (as_at = :as_at OR {LATEST_FACTS} AND moved_at < :as_at)"

    def of_whats(self, whats: Iterable[str]) -> str:
        """That it is one of these things. Written out, for the planner picks the table by it."""
        names = ", ".join(f"'{what}'" for what in sorted(whats) if what.replace(".", "").replace("_", "").isalnum())
        return f"what IN ({names or 'NULL'})"

    def condition(self, counter: Counter) -> str:
        """That a fact is counted by this counter."""
        parts = [_PERIOD[counter.by]]
        marked = _MARKED if self.extent.as_if is None else _MARKED_AS_IF
        parts += [marked[name] for name, wanted in counter.where.items() if name in marked and _never_empty(wanted)]
        parts += [f"({self._holds(name, wanted)}) IS TRUE" for name, wanted in counter.where.items()]
        parts += [f"({self._holds(name, wanted)}) IS NOT TRUE" for name, wanted in counter.unless.items()]
        return " AND ".join(f"({part})" for part in parts)

    def order(self, counter: Counter, subject: str | None) -> str:
        """In which order facts are listed: by time.

        Who has few facts is found by an index of their own and sorted; the planner would rather walk through all
        facts in the order of time until it has met enough of theirs, so it is not shown that it could.
        """
        time = TIME_OF[counter.by]
        if subject is not None and self.extent.by in FEW:
            time = f"({time} + INTERVAL '0')"
        return f"{time}, case_id, seq, what, unit"

    def periods(self, counters: Sequence[Counter]) -> str:
        """That one of them may count it: what an index can find."""
        return " OR ".join(_PERIOD[by] for by in sorted({counter.by for counter in counters}))

    def _holds(self, name: str, wanted: Condition) -> str:
        if name in DERIVED:
            return DERIVED[name] if wanted else f"NOT {DERIVED[name]}"
        if name == "exempt" and self.extent.as_if is not None:
            case, exempt = self.extent.as_if
            said = f"(CASE WHEN case_id = {self.value(case)} THEN {str(exempt).lower()} ELSE exempt END)"
            return said if wanted else f"NOT {said}"
        if name in FLAGS:
            return name if wanted else f"NOT {name}"
        if name in NUMBERS:
            if isinstance(wanted, str):
                how, number = compared(wanted)
                return f"{name} {COMPARED[how]} {self.value(number)}"
            return f"{name} = ANY(CAST({self.value(_listed(wanted))} AS int[]))"
        expression = SPELLED.get(name) or (name if name in TEXTS else "")
        if not expression:
            raise ValueError(f"a fact has no '{name}'")
        if wanted is None:
            return f"{expression} = ''"
        return f"{expression} = ANY(CAST({self.value(_listed(wanted))} AS text[]))"


AREAS = frozenset({Level.DISTRICT.value, Level.STREET.value, Level.COMMUNITY.value})
FEW = frozenset({
    "street", "community", "grid", "collector", "acceptor", "duty_chief", "dispatcher", "handler",
})  # fmt: skip
"""Whose facts are found by an index on them."""
_PERIOD = MappingProxyType({
    By.AT: "(at >= :first AND at < :end)",
    By.DUE: "(due_at >= :first AND due_at < :end)",
    By.DONE: "(done_seq > seq AND done_at >= :first AND done_at < :end)",
    By.OPEN: "(at < :end AND (done_seq = 0 OR (done_seq > seq AND done_at >= :end)))",
})  # fmt: skip


_MARKED = MappingProxyType({
    "supervised": "supervised <> ''", "exempt": "exempt", "suspended": "suspended", "forced": "forced",
    "leader_assigned": "leader_assigned",
})  # fmt: skip
"""What is rare, in the words by which the planner knows the index over it."""
_MARKED_AS_IF = MappingProxyType({name: said for name, said in _MARKED.items() if name != "exempt"})


def _never_empty(wanted: Condition) -> bool:
    return bool(wanted) and "" not in _listed(wanted)


def _listed(wanted: Condition) -> list[object]:
    return list(wanted) if isinstance(wanted, tuple) else [wanted]
