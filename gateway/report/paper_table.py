"""A table on paper: columns as wide as they need, the head again on each page, folded where the page is too narrow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.report.document import Cell, Heading, Kind, Table, ink, written
from gateway.report.paper import FAINT, INK, LINE, Paper, high, room

MOST_ROWS = 2_000
"""What is set of one table: more is for a spreadsheet."""
_SIZE, _SMALL = 8.0, 5.6
_SIZES = (8.0, 7.4, 6.8, 6.2)
"""Letters get smaller before columns fold into further tables."""
_PAD, _ABOVE = 1.3, 0.9
_WIDEST = 62.0
"""A text is no wider."""
_NARROW, _NARROW_KEY = 21.0, 40.0
"""Where room is short, texts are folded down to this; those that say what a row is about, to that."""
_HEAD_FILL, _EVEN_FILL, _TOTAL_FILL = "#EAF0F6", "#F7F9FB", "#E3E9F0"
_PLAIN = frozenset({Kind.TEXT, Kind.TIME})
_SHORT = 4
"""A text of so many letters stands in the middle."""


@dataclass(frozen=True, slots=True)
class _Set:
    """A cell as it is set: its lines, and what a rate is made of below."""

    lines: Sequence[str]
    of: str
    align: float
    ink: str
    fill: str = ""


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns that stand together, and how wide they are."""

    columns: Sequence[int]
    widths: Sequence[float]
    size: float


def fits(paper: Paper, table: Table, *, across: bool) -> bool:
    """True when all columns find room side by side, none folded."""
    return sum(_natural(paper, table, _SIZE)) <= room(across=across)


def set_table(paper: Paper, table: Table) -> None:
    """The rows from where the paper stands, over as many pages as it takes."""
    rows = _shown(table)
    for number, block in enumerate(_blocks(paper, table)):
        if number:
            paper.y += 3
        _set_block(paper, table, rows, block)
    if len(rows) < len(table.rows):
        text = f"共 {len(table.rows):,} 行，此处列出 {len(rows):,} 行；全部见 xlsx、csv、json。"
        paper.need(high(_SIZE))
        paper.put(paper.left, paper.y + 1, paper.clean(text), _SIZE, colour=FAINT)
        paper.y += high(_SIZE) + 1


def least(paper: Paper, table: Table) -> float:
    """How much of a page the table needs to begin on it: its head and two rows."""
    block = next(_blocks(paper, table))
    return _high_of(_head(paper, table, block), block.size) + 2 * high(_SIZE) + 4 * _ABOVE


def _shown(table: Table) -> Sequence[Sequence[Cell]]:
    if len(table.rows) <= MOST_ROWS:
        return table.rows
    kept = MOST_ROWS - table.totals
    return [*table.rows[:kept], *table.rows[len(table.rows) - table.totals :]]


def _natural(paper: Paper, table: Table, size: float) -> list[float]:
    """How wide each column would be: its widest cell, and its heading in three lines."""
    rows = _shown(table)
    found = []
    for at, heading in enumerate(table.headings):
        texts = {heading.written(row[at]) for row in rows}
        widest = max((paper.wide(paper.clean(one), size) for one in texts), default=0.0)
        below = max((paper.wide(_made_of(heading, row[at]), _SMALL) for row in rows), default=0.0)
        title = paper.wide(paper.clean(heading.title), size)
        letters = paper.wide("字", size)
        told = min(title, max(title / 3 + letters, 3 * letters))
        found.append(min(max(widest, below, told), _WIDEST) + 2 * _PAD)
    return found


def _blocks(paper: Paper, table: Table) -> Iterator[_Block]:
    """In the largest letters in which all stands side by side; where none are small enough, in the largest."""
    found = [_set_in(paper, table, size) for size in _SIZES]
    yield from next((one for one in found if len(one) == 1), found[0])


def _set_in(paper: Paper, table: Table, size: float) -> list[_Block]:
    natural = _natural(paper, table, size)
    narrow = [
        min(wide, _NARROW if at >= table.keys else _NARROW_KEY) if heading.kind is Kind.TEXT else wide
        for at, (heading, wide) in enumerate(zip(table.headings, natural, strict=True))
    ]
    keys = list(range(table.keys))
    parts = _parted(keys, list(range(table.keys, len(natural))), narrow, paper.room)
    return [
        _Block(at, _fitted([natural[one] for one in at], [narrow[one] for one in at], paper.room), size)
        for at in parts
    ]  # fmt: skip


def _parted(keys: list[int], others: list[int], wide: Sequence[float], across: float) -> list[list[int]]:
    """The keys and a share of the others each, as evenly as can be."""
    left = across - sum(wide[at] for at in keys)
    parts = 1
    while parts < len(others):
        size = -(-len(others) // parts)
        shares = [others[start : start + size] for start in range(0, len(others), size)]
        if all(sum(wide[at] for at in share) <= left for share in shares):
            return [[*keys, *share] for share in shares]
        parts += 1
    return [[*keys, one] for one in others] or [keys]


def _fitted(natural: Sequence[float], narrow: Sequence[float], across: float) -> list[float]:
    """Widths that fill the line: more for all, or less for those that can be folded."""
    over = sum(natural) - across
    if over <= 0:
        return [wide * across / sum(natural) for wide in natural]
    give = sum(natural) - sum(narrow)
    if give <= 0 or over > give:
        return [wide * across / sum(narrow) for wide in narrow]
    return [wide - over * (wide - low) / give for wide, low in zip(natural, narrow, strict=True)]


def _set_block(paper: Paper, table: Table, rows: Sequence[Sequence[Cell]], block: _Block) -> None:
    head = _head(paper, table, block)
    first_total = len(rows) - table.totals
    top = _begun(paper, head, block)
    for number, row in enumerate(rows):
        cells = [
            _cell(paper, table.headings[at], row[at], wide, block.size, key=at < table.keys)
            for at, wide in zip(block.columns, block.widths, strict=True)
        ]
        tall = _high_of(cells, block.size)
        if tall > paper.below:
            _ruled(paper, block, top)
            paper.turn()
            top = _begun(paper, head, block)
        total = number >= first_total
        fill = _TOTAL_FILL if total else (_EVEN_FILL if number % 2 else "")
        _set_row(paper, cells, block, tall, fill, bold=total)
    _ruled(paper, block, top)
    paper.y += 2


def _begun(paper: Paper, head: Sequence[_Set], block: _Block) -> float:
    """The head of the table; where it begins."""
    top = paper.y
    _set_row(paper, head, block, _high_of(head, block.size), _HEAD_FILL, bold=True)
    return top


def _set_row(
    paper: Paper, cells: Sequence[_Set], block: _Block, tall: float, fill: str, *, bold: bool
) -> None:  # fmt: skip
    if fill:
        paper.box(paper.left, paper.y, sum(block.widths), tall, fill)
    _line(paper, block)
    x = paper.left
    for cell, wide in zip(cells, block.widths, strict=True):
        own = high(block.size, len(cell.lines)) + (high(_SMALL) if cell.of else 0)
        y = paper.y + (tall - own) / 2
        if cell.fill:
            paper.box(x + 0.6, paper.y + 0.6, wide - 1.2, tall - 1.2, cell.fill)
        for line in cell.lines:
            paper.put(x + _PAD, y, line, block.size, colour=cell.ink, room=wide - 2 * _PAD, align=cell.align, bold=bold)
            y += high(block.size)
        if cell.of:
            paper.put(x + _PAD, y, cell.of, _SMALL, colour=FAINT, room=wide - 2 * _PAD, align=cell.align)
        x += wide
    paper.y += tall


def _line(paper: Paper, block: _Block) -> None:
    paper.set_draw_color(LINE)
    paper.set_line_width(0.15)
    paper.line(paper.left, paper.y, paper.left + sum(block.widths), paper.y)


def _ruled(paper: Paper, block: _Block, top: float) -> None:
    """The line below, and those between columns."""
    _line(paper, block)
    x = paper.left
    for wide in (0.0, *block.widths):
        x += wide
        paper.line(x, top, x, paper.y)


def _high_of(cells: Sequence[_Set], size: float) -> float:
    return max(high(size, len(one.lines)) + (high(_SMALL) if one.of else 0) for one in cells) + 2 * _ABOVE


def _head(paper: Paper, table: Table, block: _Block) -> list[_Set]:
    titles = (table.headings[at].title for at in block.columns)
    return [
        _Set(paper.balanced(title, block.size, wide - 2 * _PAD), "", 0.5, INK)
        for title, wide in zip(titles, block.widths, strict=True)
    ]


def _cell(paper: Paper, heading: Heading, cell: Cell, wide: float, size: float, *, key: bool) -> _Set:
    text = heading.written(cell)
    lines = paper.lines(text, size, wide - 2 * _PAD)
    if cell.colour:
        return _Set(lines, "", 0.5, ink(cell.colour), cell.colour)
    if heading.kind is Kind.TEXT:
        return _Set(lines, "", 0.5 if len(text) <= _SHORT and not key else 0.0, INK)
    faint = FAINT if cell.value is None else INK
    return _Set(lines, _made_of(heading, cell), 0.5 if heading.kind is Kind.TIME else 1.0, faint)


def _made_of(heading: Heading, cell: Cell) -> str:
    """What a percentage is made of stands below it."""
    if heading.kind is not Kind.PERCENT or cell.of is None or cell.value is None:
        return ""
    numerator, denominator = (written(one, Kind.COUNT) for one in cell.of)
    return f"{numerator}/{denominator}"
