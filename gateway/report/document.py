"""A report as a value: headings, sentences, tables and charts. What it is about, its formats do not know."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import IntEnum, StrEnum
from math import isfinite
from typing import NamedTuple

from canonical.time import in_shanghai

NO_BASE = "无基数"
"""What stands where nothing could be divided: neither 0 nor 100 %."""
NONE = "—"
"""What stands where there is nothing to say."""
_NOT_PRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


class Kind(StrEnum):
    """What a column holds, and so how it is written."""

    TEXT = "text"
    TIME = "time"
    RANK = "rank"
    COUNT = "count"
    PERCENT = "percent"
    RATIO = "ratio"
    HOURS = "hours"
    DAYS = "days"
    SCORE = "score"


class _Form(NamedTuple):
    places: int
    sheet: str
    """Number format of a spreadsheet."""


_FORMS: Mapping[Kind, _Form] = {
    Kind.RANK: _Form(0, "0"),
    Kind.COUNT: _Form(0, "#,##0"),
    Kind.PERCENT: _Form(2, "0.00%"),
    Kind.RATIO: _Form(2, "0.00"),
    Kind.HOURS: _Form(1, "#,##0.0"),
    Kind.DAYS: _Form(1, "#,##0.0"),
    Kind.SCORE: _Form(2, "0.00"),
}
_EXACT = Context(prec=400)
"""As many digits as a float may have."""

Value = str | float | datetime | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table. `value` None: no base in a column of figures, nothing in another."""

    value: Value = None
    of: tuple[float, float] | None = None
    """Numerator and denominator, where it is a rate."""
    colour: str = ""
    """`#RRGGBB` behind it; empty: none."""
    kind: Kind | None = None
    """Where it is not the column's."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of one column."""

    id: str
    title: str
    kind: Kind = Kind.TEXT
    blank: str = ""
    """What stands where there is no value; empty: by the kind."""

    def written(self, cell: Cell) -> str:
        """A cell of this column, for people."""
        return written(cell.value, cell.kind or self.kind, self.blank)


class Depth(IntEnum):
    """How far one must go to see it."""

    GLANCE = 0
    """Stands everywhere."""
    PAGE = 1
    """Not on a terminal."""
    BOOK = 2
    """In a spreadsheet only."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings. The first `keys` columns say what a row is about and stand beside all others."""

    title: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    keys: int = 1
    totals: int = 0
    """So many rows at the end sum up the others."""
    ids: Sequence[str] = ()
    """Of each row, for machines: what it is about, besides its name."""
    main: bool = False
    """The one that a format with room for only one table writes."""
    depth: Depth = Depth.GLANCE


class Bars(StrEnum):
    """How a chart stands."""

    ROWS = "rows"
    """Lying bars, one below the other: many long names."""
    COLUMNS = "columns"
    """Standing bars, side by side: short names, such as days."""


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers of a chart."""

    title: str
    values: Sequence[float | None]
    colours: Sequence[str] = ()
    """Of each value; empty: the chart's own."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars by name."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: Kind = Kind.COUNT
    bars: Bars = Bars.ROWS
    depth: Depth = Depth.GLANCE


@dataclass(frozen=True, slots=True)
class Text:
    """Sentences."""

    title: str
    lines: Sequence[str]


Part = Text | Table | Chart


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    facts: Sequence[tuple[str, str]]
    """What a reader must know of it: period, state of the data, edition."""
    parts: Sequence[Part]
    name: str
    """Of a file that holds it, without its ending; ASCII."""
    provisional: str = ""
    """Why it may still change; empty: it will not."""
    foot: str = field(default="")
    head: str = ""
    """City, period and edition: stands on each page of paper."""
    at: datetime | None = None
    """Until when it tells."""
    words_first: bool = False
    """Its sentences are what it is about; the tables only bear them out."""

    @property
    def table(self) -> Table:
        """The main table."""
        tables = [part for part in self.parts if isinstance(part, Table)]
        return next((table for table in tables if table.main), tables[0])


def printed(text: str) -> str:
    """Without what no file may hold or no screen should be told: control characters and half characters."""
    return _NOT_PRINTED.sub("", text)


def coloured(text: str) -> str:
    """The colour when it is one, else none."""
    return text.upper() if _COLOUR.fullmatch(text) else ""


def ink(colour: str) -> str:
    """Black or white, whichever can be read on this colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#000000" if 299 * red + 587 * green + 114 * blue > 140_000 else "#FFFFFF"


def number_format(kind: Kind) -> str:
    """How a spreadsheet shows numbers of this kind; `General` for what is none."""
    return _FORMS[kind].sheet if kind in _FORMS else "General"


def written(value: Value, kind: Kind, blank: str = "") -> str:
    """A value for people: rounded half up, thousands apart, 无基数 where there is none."""
    if isinstance(value, datetime):
        return f"{in_shanghai(value):%Y-%m-%d %H:%M}"
    if isinstance(value, str):
        return printed(value)
    form = _FORMS.get(kind)
    if form is None:
        return NONE if value is None else printed(str(value))
    if value is None or not isfinite(value):
        return blank or (NONE if kind is Kind.RANK else NO_BASE)
    return f"{rounded(value, kind):,}" + ("%" if kind is Kind.PERCENT else "")


def rounded(value: float, kind: Kind) -> Decimal:
    """As many places as this kind is written with. A count that is not whole keeps them."""
    exact = Decimal(repr(value))
    places = _FORMS[kind].places
    if kind is Kind.COUNT and exact != exact.to_integral_value():
        places = 2
    short = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)
    return short if short else abs(short)
