"""The report as one page for people, in Chinese and English: no script, no file beside it, nothing fetched."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape

from maps.topology.flaw import TITLES, Flaw, FlawKind, Tally, Topology

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Names of cells come from elsewhere: nothing in them may run."""
_PICTURED = 3
"""Flaws of a kind that have a close-up."""
_STYLE = """
body{font:16px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:76rem;margin:0 auto;padding:1rem;
color:#1a1a1a;background:#fff}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.2rem;margin:2.2rem 0 .3rem}
p{margin:.3rem 0}.en{color:#555}.verdict{padding:.6rem .9rem;border-left:.4rem solid;background:#f6f6f6;margin:1rem 0}
.bad{border-color:#c4122f}.good{border-color:#009e73}
table{border-collapse:collapse;width:100%;margin:.6rem 0}.wide{overflow-x:auto}
th,td{border-bottom:1px solid #ddd;padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}
th{border-bottom:2px solid #999;font-weight:600}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
figure{margin:0}img{max-width:100%;height:auto;border:1px solid #ccc;display:block}
figcaption{font-size:.9rem;margin:.2rem 0 .8rem;overflow-wrap:anywhere}
.close{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:.6rem 1rem;margin:.8rem 0}
.close img{width:100%}.tag{white-space:nowrap;font-size:.85rem;padding:0 .4rem;border-radius:.6rem}
.severe{background:#c4122f;color:#fff}.look{background:#f6c453}summary{cursor:pointer;margin:.3rem 0}
a{color:#005a8c}@media print{details{display:block}}
"""


def page(
    title: str, found: Topology, *, overview: bytes, close_up: Callable[[Flaw], bytes], now: datetime
) -> str:  # fmt: skip
    """The whole page. `close_up` draws one flaw; `now`: when the set was checked."""
    parts = [
        f"<h1>网格拓扑检查 {escape(title)}</h1>",
        f'<p class="en">Topology check of a grid set, {now:%Y-%m-%d %H:%M}</p>',
        _verdict(found), _table(found.tallies), _clean(found), _figure(overview, *_MARKS),
        *(_section(one, [flaw for flaw in found.flaws if flaw.kind is one.kind], close_up) for one in found.tallies),
        _FOOT,
    ]  # fmt: skip
    return (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>网格拓扑检查 {escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>{''.join(parts)}</body></html>\n"
    )


_MARKS = (
    "全部网格与列出的问题：红色为严重问题，橙色为需要查看的问题，粗黑线为区划边界。",
    "All cells and the flaws that are listed: severe ones red, those to look at orange, divisions in bold black.",
)
_FOOT = (
    '<h2>文件 Files</h2><p><a href="flaws.geojson">flaws.geojson</a> 可在 QGIS 中打开；'
    '<a href="flaws.csv">flaws.csv</a> 可用表格软件打开。</p>'
    '<p class="en">flaws.geojson opens in QGIS, flaws.csv in a spreadsheet. Areas are square metres on CGCS2000\'s '
    "ellipsoid. Counts are exact; of each kind the largest are listed.</p>"
)


def _verdict(found: Topology) -> str:
    size = f"{found.area / 1e6:,.1f}"
    looked = sum(one.count for one in found.tallies if not one.severe)
    if found.severe:
        chinese, english = f"严重问题 {found.severe:,} 个", f"{found.severe:,} severe flaws"
    else:
        chinese, english = "没有严重问题", "no severe flaw"
    state = "bad" if found.severe else "good"
    return (
        f'<div class="verdict {state}"><p><strong>{chinese}</strong>，需要查看的 {looked:,} 个；'
        f"共 {found.cells:,} 个网格，{size} 平方公里。</p>"
        f'<p class="en"><strong>{english}</strong>, {looked:,} to look at; '
        f"{found.cells:,} cells of {size} km².</p></div>"
    )


def _table(tallies: Sequence[Tally]) -> str:
    if not tallies:
        return ""
    rows = "".join(
        f'<tr><td><a href="#{one.kind}">{TITLES[one.kind].chinese}</a> {_en(TITLES[one.kind].english)}</td>'
        f'<td>{_tag(one)}</td><td class="n">{one.count:,}</td><td class="n">{_size(one.area)}</td></tr>'
        for one in tallies
    )
    return (
        '<div class="wide"><table><thead><tr><th>问题 <span class="en">kind</span></th><th></th>'
        '<th class="n">个数 <span class="en">count</span></th><th class="n">m²</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _clean(found: Topology) -> str:
    """What was looked for and not found."""
    rest = [TITLES[kind] for kind in FlawKind if kind not in found.counts]
    if not rest:
        return ""
    return (
        f"<details><summary>未发现 {len(rest)} 类问题 {_en(f'{len(rest)} kinds were not found')}</summary>"
        f"<p>{'、'.join(one.chinese for one in rest)}</p>"
        f'<p class="en">{", ".join(one.english for one in rest)}</p></details>'
    )


def _section(tally: Tally, flaws: Sequence[Flaw], close_up: Callable[[Flaw], bytes]) -> str:
    title = TITLES[tally.kind]
    pictured = [one for one in flaws if one.shape is not None][:_PICTURED]
    figures = "".join(_figure(close_up(one), one.chinese, one.text) for one in pictured)
    rest = [one for one in flaws if one not in pictured]
    rows = "".join(
        f'<tr><td>{escape(one.chinese)}<br>{_en(one.text)}</td><td class="n">{_size(one.area)}</td></tr>'
        for one in rest
    )
    table = f'<div class="wide"><table><tbody>{rows}</tbody></table></div>'
    if figures and rest:
        told = f"其余列出的 {len(rest)} 个 {_en(f'{len(rest)} more that are listed')}"
        table = f"<details><summary>{told}</summary>{table}</details>"
    return (
        f'<h2 id="{tally.kind}">{title.chinese} {_en(title.english)} {tally.count:,} {_tag(tally)}</h2>'
        f'<p>{escape(title.note_chinese)}</p><p class="en">{escape(title.note)}</p>'
        f"{f'<div class=close>{figures}</div>' if figures else ''}{table if rest else ''}"
    )


def _figure(png: bytes, chinese: str, english: str) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{escape(english)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(chinese)}<br>{_en(english)}</figcaption></figure>"
    )


def _en(text: str) -> str:
    return f'<span class="en">{escape(text)}</span>'


def _tag(tally: Tally) -> str:
    return '<span class="tag severe">严重 severe</span>' if tally.severe else '<span class="tag look">查看 look</span>'


def _size(area: float) -> str:
    return f"{area:,.1f}" if area else ""
