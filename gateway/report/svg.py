"""Charts as SVG that stands inside a page: no script, nothing from elsewhere, every bar with its number."""

from collections.abc import Iterator, Sequence
from html import escape
from unicodedata import east_asian_width

from gateway.report.document import NO_BASE, Bars, Chart, Kind, printed, written

PALETTE = ("#2F6DB5", "#E08E2B", "#3B9B73", "#8A5FB0")
"""Colours that stay apart in print and for the colour-blind."""
_INK, _FAINT, _LINE = "#1F2933", "#5B6770", "#D5DAE0"
_WIDTH = 560
_LABEL, _VALUE = 164, 66
_BAR, _SPACE, _HEAD = 16, 8, 26
_TALL = 150


def svg(chart: Chart) -> str:
    """The chart as one element."""
    drawn, height = _rows(chart) if chart.bars is Bars.ROWS else _columns(chart)
    told = escape(printed(chart.title))
    head = f'<svg class="chart" role="img" aria-label="{told}" viewBox="0 0 {_WIDTH} {height:g}">'
    return "".join([head, f"<title>{told}</title>", *_legend(chart), *drawn, "</svg>"])


def _legend(chart: Chart) -> Iterator[str]:
    if len(chart.series) < 2:
        return
    x = 0.0
    for number, series in enumerate(chart.series):
        yield f'<rect x="{x:g}" y="4" width="12" height="12" rx="2" fill="{PALETTE[number % len(PALETTE)]}"/>'
        yield _text(x + 17, 14, series.title, size=12)
        x += 17 + 12 * _width(series.title) + 22


def _rows(chart: Chart) -> tuple[Sequence[str], float]:
    """Lying bars, the first one on top."""
    room = _WIDTH - _LABEL - _VALUE
    scale = longest(chart)
    drawn = []
    y = float(_HEAD if len(chart.series) > 1 else 4)
    for at, label in enumerate(chart.labels):
        block = _BAR * len(chart.series)
        drawn.append(_text(_LABEL - 8, y + block / 2 + 4.5, _short(label, 11.5), anchor="end"))
        for number, series in enumerate(chart.series):
            value = series.values[at]
            long = max(0.0, min((value or 0.0) / scale, 1.0)) * room
            fill = _fill(chart, number, at)
            drawn.append(
                f'<rect x="{_LABEL}" y="{y + 1:g}" width="{long:.1f}" height="{_BAR - 2}" rx="1.5" fill="{fill}"/>'
            )
            faint = _FAINT if value is None else _INK
            drawn.append(_text(_LABEL + long + 6, y + _BAR - 3.5, _said(value, chart.kind), fill=faint, size=12))
            y += _BAR
        y += _SPACE
    drawn.append(f'<line x1="{_LABEL}" y1="2" x2="{_LABEL}" y2="{y - _SPACE + 2:g}" stroke="{_LINE}"/>')
    return drawn, y


def _columns(chart: Chart) -> tuple[Sequence[str], float]:
    """Standing bars, from the left."""
    scale, top = longest(chart), _HEAD + 12
    step = _WIDTH / max(1, len(chart.labels))
    wide = min(46.0, step * 0.72 / len(chart.series))
    numbered = wide >= 14
    drawn = []
    for at, label in enumerate(chart.labels):
        left = step * at + (step - wide * len(chart.series)) / 2
        for number, series in enumerate(chart.series):
            value = series.values[at]
            high = max(0.0, min((value or 0.0) / scale, 1.0)) * _TALL
            x, y = left + wide * number, top + _TALL - high
            fill = _fill(chart, number, at)
            drawn.append(
                f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" height="{high:.1f}" rx="1.5" fill="{fill}"/>'
            )
            if numbered:
                drawn.append(
                    _text(x + wide / 2, y - 4, _said(value, chart.kind), anchor="middle", size=min(12, wide * 0.52))
                )
        if len(chart.labels) <= 16 or at % 2 == 0:
            drawn.append(_text(step * (at + 0.5), top + _TALL + 17, _short(label, 8), anchor="middle", size=12))
    base = top + _TALL
    drawn.append(f'<line x1="0" y1="{base}" x2="{_WIDTH}" y2="{base}" stroke="{_LINE}"/>')
    return drawn, base + 24


def longest(chart: Chart) -> float:
    """The value of the longest bar there can be."""
    if chart.kind is Kind.PERCENT:
        return 100.0
    values = [value for series in chart.series for value in series.values if value is not None]
    return max([*values, 0.0]) or 1.0


def _fill(chart: Chart, number: int, at: int) -> str:
    colours = chart.series[number].colours
    return (colours[at] if colours else "") or PALETTE[number % len(PALETTE)]


def _said(value: float | None, kind: Kind) -> str:
    return NO_BASE if value is None else written(value, kind)


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = _INK, size: float = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{fill}">'
        f"{escape(printed(text))}</text>"
    )


def _width(text: str) -> float:
    """In characters of full width."""
    return sum(1.0 if east_asian_width(one) in "WF" else 0.55 for one in text)


def _short(text: str, most: float) -> str:
    text = printed(text)
    if _width(text) <= most:
        return text
    while text and _width(text) > most - 1:
        text = text[:-1]
    return f"{text}…"
