"""The city's rules of assessment as one value: what is counted, which rates are made of it, how it is scored."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from canonical.indicator import Counter, Rate
from canonical.value import Value

NoBase = Literal["left_out", "full", "nothing"]


class Weight(Value):
    """So many points of the score for a rate 权重."""

    rate: str
    weight: float = Field(gt=0, le=1000)
    reverse: bool = False
    """Counts 1 − rate: where little is good."""


class Points(Value):
    """Points for each fact of a counter: added as a bonus 加分, taken as a deduction 扣分."""

    counter: str
    points: float = Field(gt=0, le=1000)
    cap: float | None = Field(default=None, gt=0, le=1000)
    """At most so many points; None: without end."""
    double: str = ""
    """Another counter: facts of it count twice 重奖重罚 (supervised or assigned by leaders)."""
    title: str = ""
    source: str = ""


class Grade(Value):
    """A grade 等级 and its colour, from a score on."""

    from_: float = Field(alias="from")
    title: str
    colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")


class Class(Value):
    """Those who are compared with one another 分类."""

    title: str
    level: tuple[str, ...] = ()
    """Of these levels; none: of any."""
    units: tuple[str, ...] = ()
    """These units themselves; goes before the level."""


class Scheme(Value):
    """How those of one kind are scored."""

    title: str
    weights: tuple[Weight, ...] = ()
    bonuses: tuple[Points, ...] = ()
    deductions: tuple[Points, ...] = ()
    no_base: NoBase = "left_out"
    """A rate without a base: its weight is spread over the others, or counts fully, or not at all."""
    rank_by: str = ""
    """A column instead of the score: a quantitative assessment 定量 without weights."""
    grades: tuple[Grade, ...] = ()
    classes: tuple[Class, ...] = ()
    source: str = ""


class Rulebook(Value):
    """All of it, of one edition."""

    edition: str
    counters: dict[str, Counter] = {}
    rates: dict[str, Rate] = {}
    sheets: dict[str, tuple[str, ...]] = {}
    """By whom is assessed: the columns of the sheet, counters and rates, in order."""
    schemes: dict[str, Scheme] = {}
    successors: dict[str, str] = {}
    """Former units, to those that have their work: of an edition, as it was when it was closed."""

    def columns(self, by: str) -> tuple[str, ...]:
        """Counters and rates of a sheet; where none are named, all."""
        return self.sheets.get(by) or (*self.counters, *self.rates)

    def needed(self, by: str) -> list[Counter]:
        """The counters that a sheet and its score are made of."""
        names = list(self.columns(by))
        scheme = self.schemes.get(by)
        if scheme is not None:
            names += [one.rate for one in scheme.weights]
            points = (*scheme.bonuses, *scheme.deductions)
            names += [one.counter for one in points] + [one.double for one in points if one.double]
            names += [scheme.rank_by] if scheme.rank_by else []
        found = dict.fromkeys(counter for name in names for counter in self.counters_of(name))
        return [self.counters[name] for name in found]

    def counters_of(self, column: str) -> Iterable[str]:
        """The counters a column is made of, without signs."""
        rate = self.rates.get(column)
        if rate is None:
            return (column,) if column in self.counters else ()
        return (name.removeprefix("-") for name in (*rate.numerator, *rate.denominator))
