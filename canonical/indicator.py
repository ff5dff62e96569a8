"""Indicators 考核指标 as values: counters over facts, and rates of counters. A file of the city says which."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from canonical.value import Value

Scalar = str | int | bool
Condition = Scalar | tuple[Scalar, ...] | None
"""Equals this, is one of these, or is not known."""


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
