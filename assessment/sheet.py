"""An assessment sheet 考核表: who is assessed, by which indicators, with which figures. Reports are written of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal["count", "percent", "ratio", "hours", "days", "score"]


@dataclass(frozen=True, slots=True)
class Column:
    """One indicator as it stands over its figures."""

    id: str
    title: str
    kind: Kind
    better: Literal["high", "low", ""] = ""
    formula: str = ""
    """In words: `按期处置数 / 应处置数`."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and what it is made of. `value` None: there is no base 无基数, which is neither 0 nor 100 %."""

    value: float | None
    """Of the column's kind; 93.72 is 93.72 %."""
    numerator: float = 0
    """Of hours and days: in seconds."""
    denominator: float | None = None
    """None: a count."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """One who is assessed."""

    id: str
    name: str
    figures: Mapping[str, Figure]
    """By column."""
    score: float | None = None
    rank: int | None = None
    grade: str = ""
    """The grade's title, such as 优秀."""
    colour: str = ""
    """`#RRGGBB`, as the city's rules colour the grade."""
    group: str = ""
    """Those who are compared with one another 分类; ranks are within it."""
    notes: Sequence[str] = ()
    """Bonus, deduction, doubling, a former name: what a reader must know."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of one period. Rows in the order of the ranking."""

    title: str
    city: str
    period: str
    """`2026-10`, `2026-W44`, `2026-10-03`, `2026-Q3`, `2026`."""
    first: datetime
    last: datetime
    """The end, not in it."""
    by: str
    """district, street, community, grid, unit, system, class, level, collector, acceptor, duty_chief, dispatcher."""
    as_of: datetime
    edition: int
    """Of the closed period; 0: not closed yet, provisional."""
    rules: str
    """Edition of the indicators."""
    run: int
    """Up to which run of the facts."""
    columns: Sequence[Column]
    rows: Sequence[Assessed]
    total: Assessed
    notes: Sequence[str] = field(default=())
    facts_at: datetime | None = None
    """Up to which instant its facts reach: what was told later is not in it, also where `as_of` lies later. None: there
    are no facts, or it was closed before this was kept."""
