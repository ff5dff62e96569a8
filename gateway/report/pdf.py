"""A document as PDF: A4, on its long side where a table is wide. Its text can be searched and copied."""

from collections.abc import Sequence

from gateway.report.document import Chart, Depth, Document, Table, Text
from gateway.report.paper import FAINT, INK, LINE, RED, Paper, high
from gateway.report.paper_chart import set_charts
from gateway.report.paper_table import fits, least, set_table

_TITLE, _HEAD, _WORDS, _FACTS, _FOOT = 18.0, 11.5, 9.5, 8.5, 8.0
_WARN, _WARN_EDGE = "#FDF3E3", "#E08E2B"
_BETWEEN = 7.0


def pdf(document: Document) -> bytes:
    """The whole document as the bytes of a file. The same document is the same file."""
    paper = Paper(document.title, document.head, document.at)
    tables = [part for part in document.parts if isinstance(part, Table) and part.depth is not Depth.BOOK]
    paper.turn(across=not all(fits(paper, one, across=False) for one in tables))
    _begin(paper, document)
    charts: list[Chart] = []
    for part in document.parts:
        if isinstance(part, Chart):
            charts.append(part)
            continue
        set_charts(paper, charts)
        charts = []
        if isinstance(part, Text):
            _said(paper, part)
        elif part.depth is not Depth.BOOK:
            _table(paper, part)
    set_charts(paper, charts)
    if document.foot:
        paper.need(2 * high(_FOOT) + 3)
        paper.rule(paper.y + 1, LINE, 0.2)
        paper.y += 2
        _paragraph(paper, document.foot, _FOOT, FAINT)
    return bytes(paper.output())


def _begin(paper: Paper, document: Document) -> None:
    """Title, what a reader must know, and why it may still change."""
    paper.y += 2
    for line in paper.lines(document.title, _TITLE, paper.room):
        paper.put(paper.left, paper.y, line, _TITLE, room=paper.room, align=0.5, bold=True)
        paper.y += high(_TITLE)
    paper.y += 1
    told = (f"{name}：{value}" for name, value in document.facts)
    facts = [line for one in told for line in paper.lines(one, _FACTS, paper.room)]
    for row in _rows(paper, facts):
        long = sum(paper.wide(one, _FACTS) for one in row) + _BETWEEN * (len(row) - 1)
        x = paper.left + (paper.room - long) / 2
        for one in row:
            paper.put(x, paper.y, one, _FACTS, colour=FAINT)
            x += paper.wide(one, _FACTS) + _BETWEEN
        paper.y += high(_FACTS) + 0.3
    paper.rule(paper.y + 1.2, RED, 0.8)
    paper.y += 3.6
    if document.provisional:
        lines = paper.lines(document.provisional, _WORDS, paper.room - 6)
        tall = high(_WORDS, len(lines)) + 2.4
        paper.box(paper.left, paper.y, paper.room, tall, _WARN)
        paper.box(paper.left, paper.y, 1.1, tall, _WARN_EDGE)
        for number, line in enumerate(lines):
            paper.put(paper.left + 4, paper.y + 1.2 + high(_WORDS, number), line, _WORDS)
        paper.y += tall + 2


def _rows(paper: Paper, facts: Sequence[str]) -> list[list[str]]:
    """As many facts in a line as fit."""
    rows: list[list[str]] = [[]]
    left = paper.room
    for one in facts:
        wide = paper.wide(one, _FACTS)
        if rows[-1] and wide + _BETWEEN > left:
            rows.append([])
            left = paper.room
        rows[-1].append(one)
        left -= wide + _BETWEEN
    return rows


def _heading(paper: Paper, title: str, then: float) -> None:
    """A part's heading, on the page on which it begins."""
    clean = paper.clean(title)
    paper.need(high(_HEAD) + 4 + then)
    paper.y += 2
    paper.start_section(clean)
    paper.box(paper.left, paper.y + 0.4, 1.2, high(_HEAD) - 1.2, RED)
    paper.put(paper.left + 3, paper.y, clean, _HEAD, bold=True)
    paper.y += high(_HEAD) + 1.4


def _said(paper: Paper, part: Text) -> None:
    _heading(paper, part.title, 2 * high(_WORDS))
    for line in part.lines:
        _paragraph(paper, line, _WORDS, INK)
        paper.y += 0.8


def _paragraph(paper: Paper, text: str, size: float, colour: str) -> None:
    for line in paper.lines(text, size, paper.room):
        paper.need(high(size))
        paper.put(paper.left, paper.y, line, size, colour=colour)
        paper.y += high(size) * 1.08


def _table(paper: Paper, part: Table) -> None:
    if not part.rows:
        _heading(paper, part.title, high(_WORDS))
        _paragraph(paper, "（无）", _WORDS, FAINT)
        return
    _heading(paper, part.title, least(paper, part))
    set_table(paper, part)
