"""A document as one HTML page that can be printed on A4 across: self-contained, without script, nothing asked for."""

from collections.abc import Iterator, Sequence
from html import escape

from gateway.report.document import Cell, Chart, Depth, Document, Heading, Kind, Table, Text, ink, printed, written
from gateway.report.svg import svg

_ACROSS = 16
"""So many columns beside the keys fit across a page; more fold into further tables."""
_SHORT = 4
"""A text of so many characters stands in the middle."""
_PLAIN = frozenset({Kind.TEXT, Kind.TIME})
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy of the page."""

_STYLE = """
@page { size: A4 landscape; margin: 12mm 12mm 14mm; }
@page { @bottom-right { content: counter(page) " / " counter(pages); font-size: 9pt; color: #5b6770; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 28px; max-width: 1180px; color: #1f2933; background: #fff;
  font: 14px/1.6 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei",
  "SimHei", sans-serif; font-variant-numeric: tabular-nums; }
header { border-bottom: 3px solid #b3261e; margin-bottom: 14px; }
h1 { font: 700 25px/1.3 "Noto Serif CJK SC", "Source Han Serif SC", "STSong", "SimSun", serif; margin: 0 0 8px;
  text-align: center; letter-spacing: .03em; }
.facts { display: flex; flex-wrap: wrap; justify-content: center; gap: 1px 22px; margin: 0 0 8px; padding: 0;
  font-size: 12.5px; color: #48525c; }
.facts div { display: flex; } .facts dt::after { content: "："; } .facts dd { margin: 0; color: #1f2933; }
.provisional { margin: 0 0 10px; padding: 5px 12px; border-left: 4px solid #e08e2b; background: #fdf3e3; }
section { margin: 0 0 16px; }
h2 { font-size: 16px; margin: 14px 0 6px; padding-left: 8px; border-left: 4px solid #b3261e; line-height: 1.3;
  break-after: avoid; }
.text p { margin: 0 0 5px; } .text.said p { text-indent: 2em; }
table { border-collapse: collapse; width: 100%; font-size: 12.5px; margin: 0 0 10px; }
th, td { border: 1px solid #c9d0d7; padding: 3px 7px; text-align: center; vertical-align: middle; }
thead { display: table-header-group; } thead th { background: #eaf0f6; font-weight: 600; line-height: 1.3; }
th.n span { display: inline-block; max-width: 6.1em; }
tr { break-inside: avoid; } tbody tr:nth-child(even) { background: #f7f9fb; }
td.n { text-align: right; white-space: nowrap; } td.t { text-align: left; } td.g { white-space: nowrap; }
td.t { overflow-wrap: anywhere; }
td small { display: block; font-size: 10px; line-height: 1.1; color: #6b7680; }
td.none { color: #8a949e; }
tr.total td { font-weight: 700; background: #eef2f6; border-top: 2px solid #8a97a5; }
.grade { display: inline-block; min-width: 4em; padding: 0 8px; border-radius: 3px; font-weight: 600; }
.charts { display: flex; flex-wrap: wrap; gap: 6px 26px; align-items: flex-start; }
.charts section { break-inside: avoid; margin: 0; width: calc(50% - 13px); }
.chart { width: 100%; height: auto; display: block; font-family: inherit; }
.aside table { font-size: 11.5px; }
footer { margin-top: 12px; padding-top: 6px; border-top: 1px solid #c9d0d7; font-size: 12px; color: #5b6770; }
@media screen and (max-width: 800px) { .charts section { width: 100%; } .wide { overflow-x: auto; } }
@media print {
  body { padding: 0; max-width: none; font-size: 11pt; } table { font-size: 9pt; } td small { font-size: 7pt; }
  th, td { padding: 2px 5px; } .text p { margin: 0 0 2px; }
  .aside table { font-size: 7.5pt; } .aside { break-before: page; } .chart { max-height: 160mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def page(document: Document) -> str:
    """The whole page. Every text of it is escaped."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    title = _safe(document.title)
    yield '<!DOCTYPE html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f'<header>\n<h1>{title}</h1>\n<dl class="facts">'
    yield from (f"<div><dt>{_safe(name)}</dt><dd>{_safe(value)}</dd></div>" for name, value in document.facts)
    yield "</dl>\n</header>"
    if document.provisional:
        yield f'<p class="provisional">{_safe(document.provisional)}</p>'
    charts: list[Chart] = []
    for part in document.parts:
        if isinstance(part, Chart):
            charts.append(part)
            continue
        yield from _charts(charts)
        charts = []
        yield from _text(part) if isinstance(part, Text) else _table(part)
    yield from _charts(charts)
    if document.foot:
        yield f"<footer>{_safe(document.foot)}</footer>"
    yield "</body>\n</html>"


def _charts(charts: Sequence[Chart]) -> Iterator[str]:
    if charts:
        yield '<div class="charts">'
        yield from (f"<section>\n<h2>{_safe(one.title)}</h2>\n{svg(one)}\n</section>" for one in charts)
        yield "</div>"


def _text(text: Text) -> Iterator[str]:
    yield f'<section class="text">\n<h2>{_safe(text.title)}</h2>'
    yield from (f"<p>{_safe(line)}</p>" for line in text.lines)
    yield "</section>"


def _table(table: Table) -> Iterator[str]:
    if table.depth is Depth.BOOK:
        return
    name = "aside" if table.depth else "wide"
    yield f'<section class="{name}">\n<h2>{_safe(table.title)}</h2>'
    if not table.rows:
        yield "<p>（无）</p>"
    else:
        for block in _blocks(table):
            yield from _grid(table, block)
    yield "</section>"


def _blocks(table: Table) -> Iterator[Sequence[int]]:
    """Columns that stand together, as evenly as can be: the keys and a share of the others."""
    keys, others = range(table.keys), range(table.keys, len(table.headings))
    parts = max(1, -(-len(others) // _ACROSS))
    size = max(1, -(-len(others) // parts))
    for start in range(0, len(others), size):
        yield (*keys, *others[start : start + size])


def _grid(table: Table, block: Sequence[int]) -> Iterator[str]:
    heads = "".join(_head(table.headings[at]) for at in block)
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    first_total = len(table.rows) - table.totals
    for number, row in enumerate(table.rows):
        kind = ' class="total"' if number >= first_total else ""
        cells = (_cell(table.headings[at], row[at], key=at < table.keys) for at in block)
        yield f"<tr{kind}>{''.join(cells)}</tr>"
    yield "</tbody>\n</table>"


def _head(heading: Heading) -> str:
    kind = "" if heading.kind in _PLAIN else ' class="n"'
    return f'<th scope="col"{kind}><span>{_safe(heading.title)}</span></th>'


def _cell(heading: Heading, cell: Cell, *, key: bool) -> str:
    text = escape(heading.written(cell))
    if cell.colour:
        style = f"background:{cell.colour};color:{ink(cell.colour)}"
        return f'<td class="g"><span class="grade" style="{style}">{text}</span></td>'
    if heading.kind in _PLAIN:
        short = heading.kind is Kind.TIME or (not key and len(text) <= _SHORT)
        return f'<td class="{"g" if short else "t"}">{text}</td>'
    none = " none" if cell.value is None else ""
    return f'<td class="n{none}">{text}{_made_of(heading, cell)}</td>'


def _made_of(heading: Heading, cell: Cell) -> str:
    """What a percentage is made of stands below it."""
    if heading.kind is not Kind.PERCENT or cell.of is None or cell.value is None:
        return ""
    numerator, denominator = (written(one, Kind.COUNT) for one in cell.of)
    return f"<small>{numerator}/{denominator}</small>"


def _safe(text: str) -> str:
    return escape(printed(text))
