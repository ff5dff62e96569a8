"""The city's rules of assessment as one value: what is counted, which rates are made of it, how it is scored."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from canonical.indicator import Counter, Rate
from canonical.value import Value

NoBase = Literal["left_out", "full", "nothing"]


class Weight(Value):
    """So many points of the score for a rate 权重."""

    rate: str = Field(description="a rate of indicators.yaml")
    weight: float = Field(gt=0, le=1000, description="its points, for 100 %")
    reverse: bool = Field(default=False, description="true: 1 − rate counts; where little is good")


class Points(Value):
    """Points for each fact of a counter: added as a bonus 加分, taken as a deduction 扣分."""

    counter: str = Field(description="a counter of indicators.yaml")
    points: float = Field(gt=0, le=1000, description="points for each")
    cap: float | None = Field(default=None, gt=0, le=1000, description="at most so many points; default: without end")
    double: str = Field(default="", description="another counter, of what counts twice 重奖重罚: supervised cases")
    title: str = Field(default="", description="what the note on the sheet says; default: the counter's title")
    source: str = Field(default="", description="the rule it comes from")


class Grade(Value):
    """A grade 等级 and its colour, from a score on."""

    from_: float = Field(alias="from", description="the lowest score of the grade")
    title: str = Field(description="its name")
    colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$", description="its colour, `#2E7D32`")


class Class(Value):
    """Those who are compared with one another 分类."""

    title: str = Field(description="its name")
    level: tuple[str, ...] = Field(default=(), description="units of these levels; default: of any")
    units: tuple[str, ...] = Field(default=(), description="these very units; goes before the level")


class Scheme(Value):
    """How those of one kind are scored."""

    title: str = Field(description="name of the sheet")
    weights: tuple[Weight, ...] = Field(default=(), description="the score is the sum of weight x rate; each:")
    bonuses: tuple[Points, ...] = Field(default=(), description="points that are added 加分; each:")
    deductions: tuple[Points, ...] = Field(default=(), description="points that are taken 扣分; keys as of bonuses")
    no_base: NoBase = Field(
        default="left_out",
        description="a rate without a base: `left_out` spreads its weight over the others, `full` counts it whole, "
        "`nothing` not at all",
    )
    rank_by: str = Field(default="", description="rank by this counter or rate, without a score 定量")
    grades: tuple[Grade, ...] = Field(default=(), description="grades 等级, each:")
    classes: tuple[Class, ...] = Field(
        default=(), description="ranks are within a class 分类; the first that fits, each:"
    )
    source: str = Field(default="", description="the rule it comes from; a note on the sheet")


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
