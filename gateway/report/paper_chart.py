"""Charts on paper: bars with their values, as many side by side as the page is wide for."""

from collections.abc import Sequence

from gateway.report.document import NO_BASE, Bars, Chart, Kind, written
from gateway.report.paper import FAINT, INK, LINE, Paper, high
from gateway.report.svg import PALETTE, longest

_SIZE, _TITLE = 7.5, 9.0
_LABEL, _VALUE = 38.0, 17.0
_BAR, _GAP = 4.2, 1.8
_LEAST_BAR = 1.6
_TALL = 42.0
_BETWEEN = 9.0


def set_charts(paper: Paper, charts: Sequence[Chart]) -> None:
    """These charts, two side by side where pages lie on their long side."""
    beside = 2 if paper.across else 1
    wide = (paper.room - _BETWEEN * (beside - 1)) / beside
    paper.y += 2 if charts else 0
    for start in range(0, len(charts), beside):
        row = charts[start : start + beside]
        tall = max(_high_of(paper, one) for one in row)
        paper.need(tall)
        top = paper.y
        for number, chart in enumerate(row):
            _set(paper, chart, paper.left + number * (wide + _BETWEEN), top, wide)
        paper.y = top + tall + 3


def _high_of(paper: Paper, chart: Chart) -> float:
    head = high(_TITLE) + (high(_SIZE) + 1 if len(chart.series) > 1 else 0) + 2
    if chart.bars is Bars.COLUMNS:
        return head + _TALL + 2 * high(_SIZE) + 1
    return head + len(chart.labels) * (_bar(paper, chart) * len(chart.series) + _GAP)


def _bar(paper: Paper, chart: Chart) -> float:
    """How thick bars are so that the chart fits a page."""
    most = (paper.whole - 3 * high(_TITLE)) / max(1, len(chart.labels)) - _GAP
    return max(_LEAST_BAR, min(_BAR, most / len(chart.series)))


def _set(paper: Paper, chart: Chart, x: float, y: float, wide: float) -> None:
    paper.put(x, y, paper.short(chart.title, _TITLE, wide), _TITLE, bold=True)
    y += high(_TITLE) + 1
    if len(chart.series) > 1:
        _legend(paper, chart, x, y)
        y += high(_SIZE) + 1
    (_columns if chart.bars is Bars.COLUMNS else _rows)(paper, chart, x, y, wide)


def _legend(paper: Paper, chart: Chart, x: float, y: float) -> None:
    for number, series in enumerate(chart.series):
        title = paper.clean(series.title)
        paper.box(x, y + 0.4, 2.6, 2.6, PALETTE[number % len(PALETTE)])
        paper.put(x + 3.6, y, title, _SIZE)
        x += paper.wide(title, _SIZE) + 9


def _rows(paper: Paper, chart: Chart, x: float, y: float, wide: float) -> None:
    """Lying bars, the first one on top."""
    bar, most = _bar(paper, chart), longest(chart)
    size = min(_SIZE, bar * 2.3)
    room = wide - _LABEL - _VALUE
    top = y
    for at, label in enumerate(chart.labels):
        middle = y + bar * len(chart.series) / 2 - high(_SIZE) / 2
        paper.put(x, middle, paper.short(label, _SIZE, _LABEL - 2), _SIZE, room=_LABEL - 2, align=1.0)
        for number, series in enumerate(chart.series):
            value = series.values[at]
            long = _share(value, most) * room
            if long > 0.05:
                paper.box(x + _LABEL, y + 0.25, long, bar - 0.5, _fill(chart, number, at))
            faint = FAINT if value is None else INK
            paper.put(x + _LABEL + long + 1.2, y + (bar - high(size)) / 2, _said(value, chart.kind), size, colour=faint)
            y += bar
        y += _GAP
    paper.set_draw_color(LINE)
    paper.set_line_width(0.25)
    paper.line(x + _LABEL, top - 0.5, x + _LABEL, y - _GAP + 0.5)


def _columns(paper: Paper, chart: Chart, x: float, y: float, wide: float) -> None:
    """Standing bars, from the left."""
    most, step = longest(chart), wide / max(1, len(chart.labels))
    thick = min(12.0, step * 0.76 / len(chart.series))
    base = y + high(_SIZE) + _TALL
    for at, label in enumerate(chart.labels):
        left = x + step * at + (step - thick * len(chart.series)) / 2
        for number, series in enumerate(chart.series):
            value = series.values[at]
            tall, begin = _share(value, most) * _TALL, left + thick * number
            if tall > 0.05:
                paper.box(begin + 0.3, base - tall, thick - 0.6, tall, _fill(chart, number, at))
            said = _said(value, chart.kind)
            size = min(_SIZE, _SIZE * (thick + 0.8) / max(paper.wide(said, _SIZE), 0.1))
            if size >= 4:
                paper.put(begin, base - tall - high(size), said, size, room=thick, align=0.5)
        if len(chart.labels) <= 16 or at % 2 == 0:
            paper.put(x + step * at, base + 0.8, paper.short(label, _SIZE, step * 2), _SIZE, room=step, align=0.5)
    paper.set_draw_color(LINE)
    paper.set_line_width(0.25)
    paper.line(x, base, x + wide, base)


def _share(value: float | None, most: float) -> float:
    return max(0.0, min((value or 0.0) / most, 1.0))


def _fill(chart: Chart, number: int, at: int) -> str:
    colours = chart.series[number].colours
    return (colours[at] if colours else "") or PALETTE[number % len(PALETTE)]


def _said(value: float | None, kind: Kind) -> str:
    return NO_BASE if value is None else written(value, kind)
