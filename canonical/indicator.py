"""Indicators 考核指标 as values: counters over facts, and rates of counters. A file of the city says which."""

import re
from enum import StrEnum
from typing import Literal

from pydantic import Field

from canonical.value import Value

Scalar = bool | int | str
Condition = Scalar | tuple[Scalar, ...] | None
"""Equals this, is one of these, or is not known. Of a number also `>=3`."""

COMPARED = {">=": ">=", "<=": "<=", ">": ">", "<": "<"}
_COMPARISON = re.compile(r"(>=|<=|>|<)\s*(\d{1,9})")


def compared(text: str) -> tuple[str, int]:
    """`>=3` as (">=", 3). Raises ValueError with what is expected."""
    found = _COMPARISON.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"write a number, or a comparison such as >=3; got {text!r}")
    return found[1], int(found[2])


TEXTS = frozenset({
    "unit", "person", "post", "party", "system", "source", "area", "grid", "class_code", "urgency", "level", "stage",
    "result", "supervised",
})  # fmt: skip
MADE_TEXTS = frozenset({"kind", "major", "district"})
"""Texts made of others: `event` or `part`; class major as `30428.2:E04`; district code."""
FLAGS = frozenset({"exempt", "forced", "on_the_spot", "suspended", "leader_assigned"})
NUMBERS = frozenset({"spent_seconds", "extensions", "reworks", "returns"})
AT_THE_END = frozenset({"done", "on_time", "late", "overdue"})
"""Flags that are as at the end of the period."""
CONDITIONS = TEXTS | MADE_TEXTS | FLAGS | NUMBERS | AT_THE_END
"""What may be asked of a fact."""


class By(StrEnum):
    """Which instant of a fact must lie in the period 统计口径."""

    AT = "at"
    """When it happened or began."""
    DUE = "due"
    """When it was due: 应处置数 counts what was due in the month, done or not."""
    DONE = "done"
    """When it was done."""
    OPEN = "open"
    """It was still running at the end of the period."""


class Counter(Value):
    """How many facts, or what sum of one of their columns."""

    id: str
    title: str
    what: tuple[str, ...]
    """`action.file`, `clock.disposal`: one or several."""
    by: By = By.AT
    where: dict[str, Condition] = {}
    """Column of the fact to what it must be. `on_time`, `late`, `done`, `overdue` are as at the period's end."""
    unless: dict[str, Condition] = {}
    """Left out 剔除 where one of these holds."""
    sum: str = ""
    """Column to add up instead of counting; empty: counts."""
    cases: bool = False
    """Count each case once, whatever number of facts it has."""


class Rate(Value):
    """One counter, or a sum of counters, over another."""

    id: str
    title: str
    numerator: tuple[str, ...]
    """Counters; one with `-` before it is taken away."""
    denominator: tuple[str, ...]
    unit: Literal["percent", "ratio", "hours", "days"] = "percent"
    better: Literal["high", "low", ""] = "high"
    source: str = ""
    """The rule or standard that defines it."""
    note: str = Field(default="")
