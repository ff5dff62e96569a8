"""A document on a terminal: wide tables fold into blocks that repeat what each row is about."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text as Words

from gateway.report.document import Cell, Chart, Depth, Document, Heading, Kind, Table, Text, ink, printed, written
from gateway.report.folding import folded

_NAME = 24
"""A name is folded into lines of so many columns."""
_HEAD = 12
"""A heading is folded into lines of so many."""
_GAP = 2
_BAR = 32
_PLAIN = frozenset({Kind.TEXT, Kind.TIME})


def show(document: Document, console: Console) -> None:
    """Print it, as wide as the console is."""
    _say(console, document.title, "bold")
    for name, value in document.facts:
        _say(console, f"{name}：{value}", "dim")
    if document.provisional:
        _say(console, document.provisional, "yellow")
    for part in document.parts:
        if isinstance(part, Text):
            console.print()
            _say(console, part.title, "bold")
            for line in part.lines:
                _say(console, line)
        elif part.depth is Depth.GLANCE:
            console.print()
            _say(console, part.title, "bold")
            for made in _grids(part, console.width) if isinstance(part, Table) else _bars(part, console.width):
                console.print(made, markup=False, highlight=False, emoji=False)
    if document.foot:
        console.print()
        _say(console, document.foot, "dim")


def _say(console: Console, text: str, style: str = "") -> None:
    for line in folded(text, console.width):
        console.print(Words(line, style=style), highlight=False, emoji=False, soft_wrap=True)


def blocks(table: Table, width: int) -> Iterator[Sequence[int]]:
    """Indices of the columns that stand together: the keys, and as many others as fit."""
    wide = [_width(heading, [row[at] for row in table.rows]) + _GAP for at, heading in enumerate(table.headings)]
    keys = range(table.keys)
    room = width - sum(wide[at] for at in keys)
    block: list[int] = []
    left = room
    for at in range(table.keys, len(table.headings)):
        if block and wide[at] > left:
            yield (*keys, *block)
            block, left = [], room
        block.append(at)
        left -= wide[at]
    yield (*keys, *block)


def _width(heading: Heading, cells: Iterable[Cell]) -> int:
    """Of a column: what its cells need, and enough of its heading that this takes few lines."""
    head = min(cell_len(heading.title), _HEAD)
    widest = max((cell_len(heading.written(cell)) for cell in cells), default=0)
    return max(head, min(widest, _NAME))


def _grids(table: Table, width: int) -> Iterator[Grid | Words]:
    if not table.rows:
        yield Words("（无）")
        return
    for block in blocks(table, width):
        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
        for at in block:
            heading = table.headings[at]
            column = [row[at] for row in table.rows]
            side: Literal["left", "right"] = "left" if heading.kind in _PLAIN else "right"
            one = _width(heading, column)
            grid.add_column(Words(printed(heading.title), overflow="fold"), justify=side, width=one, overflow="fold")
        first_total = len(table.rows) - table.totals
        for number, row in enumerate(table.rows):
            style = "bold" if number >= first_total else ""
            last = number == first_total - 1 or number == len(table.rows) - 1
            grid.add_row(*(_cell(table.headings[at], row[at]) for at in block), style=style, end_section=last)
        yield grid


def _cell(heading: Heading, cell: Cell) -> Words:
    style = f"{ink(cell.colour)} on {cell.colour}" if cell.colour else ""
    return Words(heading.written(cell), style=style)


def _bars(chart: Chart, width: int) -> Iterator[Words]:
    values = [value for series in chart.series for value in series.values if value is not None]
    most = 100.0 if chart.kind is Kind.PERCENT else max([*values, 0])
    names = _names(chart)
    left = min(max((cell_len(name) for name, _ in names), default=0), _NAME)
    room = min(_BAR, max(8, width - left - 14))
    for name, value in names:
        bar = _bar(0.0 if value is None or most <= 0 else value / most, room)
        yield Words(f"{set_cell_size(printed(name), left)} {bar} {written(value, chart.kind)}")


def _names(chart: Chart) -> Sequence[tuple[str, float | None]]:
    if len(chart.series) == 1:
        return list(zip(chart.labels, chart.series[0].values, strict=True))
    return [
        (f"{label} {series.title}", series.values[at])
        for at, label in enumerate(chart.labels)
        for series in chart.series
    ]


_EIGHTHS = " ▏▎▍▌▋▊▉"


def _bar(share: float, room: int) -> str:
    eighths = round(max(0.0, min(share, 1.0)) * room * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(room)
