"""An assessment sheet 考核表 as a document: table, charts, what to notice, and where each figure comes from."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from assessment.period import period_of
from assessment.sheet import Assessed, Column, Figure, Sheet
from assessment.sheets import SUBJECT_TITLES
from canonical.errors import Unacceptable
from gateway.report.document import (
    NO_BASE,
    NONE,
    Bars,
    Cell,
    Chart,
    Depth,
    Document,
    Heading,
    Kind,
    Part,
    Series,
    Table,
    Text,
    coloured,
    written,
)

_MOST_BARS = 24
_UNITS = {"hours": "小时", "days": "天"}
_BETTER = {"high": "越高越好", "low": "越低越好", "": NONE}
_KIND_TITLES = {
    "count": "计数", "percent": "百分率", "ratio": "比值", "hours": "小时", "days": "天", "score": "得分"
}  # fmt: skip


def assessment_document(sheet: Sheet) -> Document:
    """The whole report of one sheet."""
    return Document(
        title=sheet.title or f"{sheet.city}{_period_title(sheet)}{_by(sheet)}考核表",
        facts=_facts(sheet),
        parts=tuple(_parts(sheet)),
        name=re.sub(r"[^A-Za-z0-9._-]", "-", f"assessment-{sheet.period}-{sheet.by}-e{sheet.edition}"),
        provisional=_provisional(sheet),
        head=f"{sheet.city}　{_period_title(sheet)}　{_edition(sheet)}",
        at=sheet.as_of,
        foot="“无基数”指没有可作分母的案件，既不是 0，也不是 100%。",
    )


def with_columns(sheet: Sheet, wanted: Sequence[str]) -> Sheet:
    """The sheet with these columns only, by id or title, in this order. Raises Unacceptable with the nearest one."""
    if not wanted:
        return sheet
    known = {name: column for column in sheet.columns for name in (column.title, column.id)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        near = get_close_matches(unknown[0], known, 1, 0.4)
        meant = f"; did you mean 是否为 {near[0]}?" if near else ""
        there = ", ".join(column.id for column in sheet.columns[:40])
        text = f"no indicator 没有指标 '{unknown[0][:64]}'{meant} There are 现有: {there or 'none 无'}"
        raise Unacceptable(text, at="columns")
    chosen = {known[name].id: known[name] for name in wanted}
    return replace(sheet, columns=tuple(chosen.values()))


def figure_cell(figure: Figure | None) -> Cell:
    """One figure; a dash where the sheet has none."""
    if figure is None:
        return Cell(NONE)
    of = None if figure.denominator is None else (figure.numerator, figure.denominator)
    return Cell(figure.value, of)


def heading_of(column: Column) -> Heading:
    """The head of an indicator's column."""
    title, unit = column.title or column.id, _UNITS.get(column.kind, "")
    return Heading(column.id, f"{title}（{unit}）" if unit and unit not in title else title, Kind(column.kind))


def evidence_table(sheet: Sheet, drill: str = "") -> Table:
    """For each column: what it is, by which rules, of which data, and how to look behind it."""
    headings = (
        Heading("column", "指标编号"), Heading("title", "指标"), Heading("kind", "类型"),
        Heading("formula", "计算口径"), Heading("source", "依据"), Heading("better", "评价方向"),
        Heading("rules", "规则版本"),
        Heading("run", "数据批次", Kind.RANK), Heading("as_of", "统计截至", Kind.TIME), Heading("drill", "下钻方法"),
    )  # fmt: skip
    rows = [
        (
            Cell(one.id), Cell(one.title), Cell(_KIND_TITLES[one.kind]), Cell(one.formula or NONE),
            Cell(one.source or NONE), Cell(_BETTER[one.better]), Cell(sheet.rules or NONE), Cell(sheet.run),
            Cell(sheet.as_of), Cell(drill.format(column=one.id) if drill else drill_down(sheet, one.id)),
        )
        for one in sheet.columns
    ]  # fmt: skip
    return Table("取证说明", headings, rows, keys=2, depth=Depth.PAGE)


def drill_down(sheet: Sheet, column: str, row: str = "编号") -> str:
    """The command that shows the cases behind a figure."""
    edition = f" --edition {sheet.edition}" if sheet.edition else ""
    return f"gridhub assess figure {column} --period {sheet.period} --by {sheet.by} --of {row}{edition}"


def _facts(sheet: Sheet) -> Sequence[tuple[str, str]]:
    first, last = (written(at, Kind.TIME) for at in (sheet.first, sheet.last))
    return (
        ("统计周期", f"{_period_title(sheet)}（{first} 至 {last}，不含）"),
        ("考核对象", f"{_by(sheet)}，{len(sheet.rows)} 个"),
        ("版次", _edition(sheet)),
        ("统计截至", written(sheet.as_of, Kind.TIME)),
        ("数据截至", written(sheet.facts_at, Kind.TIME) if sheet.facts_at else NONE),
        ("指标规则", sheet.rules or NONE),
        ("数据批次", str(sheet.run)),
    )


def _edition(sheet: Sheet) -> str:
    return f"第 {sheet.edition} 版（已月结）" if sheet.edition else "未月结（暂行）"


def _provisional(sheet: Sheet) -> str:
    """Why it may still change."""
    if sheet.edition:
        return ""
    late = sheet.facts_at is not None and sheet.facts_at < sheet.as_of
    known = f"考核事实只更新到 {written(sheet.facts_at, Kind.TIME)}，此后的办理尚未计入。" if late else ""
    return f"本期尚未月结，数据为暂行，月结前可能变动。{known}"


def _parts(sheet: Sheet) -> Iterator[Part]:
    points = tuple(_points(sheet))
    if points:
        yield Text("要点", points)
    yield _main(sheet)
    yield from _charts(sheet)
    said = [(row, note) for row in (*sheet.rows, sheet.total) for note in row.notes]
    if said:
        headings = (Heading("name", _by(sheet)), Heading("note", "加分、扣分与说明"))
        yield Table("加减分与说明", headings, [(Cell(row.name), Cell(note)) for row, note in said])
    if sheet.notes:
        yield Text("备注", tuple(sheet.notes))
    yield evidence_table(sheet)
    yield _details(sheet)


def _main(sheet: Sheet) -> Table:
    scored = _scored(sheet)
    grouped = any(one.group for one in sheet.rows)
    headings = [Heading("rank", "名次", Kind.RANK), Heading("name", _by(sheet))]
    if grouped:
        headings.append(Heading("group", "分组"))
    if scored:
        headings += [Heading("score", "综合得分", Kind.SCORE, NONE), Heading("grade", "等级")]
    headings += map(heading_of, sheet.columns)
    rows = [_row(sheet, one, scored=scored, grouped=grouped) for one in (*sheet.rows, sheet.total)]
    ids = [one.id for one in (*sheet.rows, sheet.total)]
    return Table("考核表", headings, rows, keys=2, totals=1, ids=ids, main=True)


def _row(sheet: Sheet, one: Assessed, *, scored: bool, grouped: bool) -> Sequence[Cell]:
    cells = [Cell(one.rank), Cell(one.name or one.id)]
    if grouped:
        cells.append(Cell(one.group or NONE))
    if scored:
        cells += [Cell(one.score), Cell(one.grade or NONE, colour=coloured(one.colour))]
    return [*cells, *(figure_cell(one.figures.get(column.id)) for column in sheet.columns)]


def _details(sheet: Sheet) -> Table:
    """Every figure with what it is made of, one a row: for whoever checks or computes on."""
    headings = (
        Heading("row", "对象编号"), Heading("name", _by(sheet)), Heading("column", "指标编号"),
        Heading("title", "指标"), Heading("numerator", "分子或计数", Kind.COUNT),
        Heading("unit", "分子单位"), Heading("denominator", "分母", Kind.COUNT, NONE),
        Heading("value", "指标值", Kind.RATIO),
    )  # fmt: skip
    rows = []
    for one in (*sheet.rows, sheet.total):
        for column in sheet.columns:
            figure = one.figures.get(column.id)
            if figure is not None:
                unit = "秒" if column.kind in _UNITS else "件"
                cells = (one.id, one.name, column.id, column.title, figure.numerator, unit, figure.denominator)
                rows.append([*map(Cell, cells), Cell(figure.value, kind=Kind(column.kind))])
    return Table("取数明细", headings, rows, keys=4, depth=Depth.BOOK)


def _points(sheet: Sheet) -> Iterator[str]:
    """What a reader should notice first."""
    for group in dict.fromkeys(row.group for row in sheet.rows):
        ranked = [row for row in sheet.rows if row.group == group and row.score is not None]
        if ranked:
            yield _ends_of(group or _by(sheet), ranked)
    grades = _grades(sheet)
    if grades:
        yield "等级分布：" + "、".join(f"{grade} {count} 个" for grade, _, count in grades) + "。"
    for column in _rates(sheet)[:3]:
        yield from _rate_point(sheet, column)


def _ends_of(group: str, ranked: Sequence[Assessed]) -> str:
    best, worst = max(ranked, key=_score), min(ranked, key=_score)
    text = f"{group}参加评分 {len(ranked)} 个，最高为{best.name}（{_points_of(best)} 分）"
    return text + (f"，最低为{worst.name}（{_points_of(worst)} 分）。" if worst is not best else "。")


def _rate_point(sheet: Sheet, column: Column) -> Iterator[str]:
    total = sheet.total.figures.get(column.id)
    based = [(row, row.figures[column.id].value) for row in sheet.rows if _value(row, column) is not None]
    if total is None or total.value is None or not based:
        yield f"{column.title}：{NO_BASE}。"
        return
    text = f"{column.title}合计 {written(total.value, Kind.PERCENT)}"
    if total.denominator is not None:
        text += f"（{written(total.numerator, Kind.COUNT)}/{written(total.denominator, Kind.COUNT)}）"
    worst, value = (max if column.better == "low" else min)(based, key=lambda one: one[1] or 0)
    without = len(sheet.rows) - len(based)
    if any(one != value for _, one in based):
        text += f"，{'最高' if column.better == 'low' else '最低'}为{worst.name}（{written(value, Kind.PERCENT)}）"
    yield text + (f"，{without} 个{NO_BASE}。" if without else "。")


def _charts(sheet: Sheet) -> Iterator[Chart]:
    rows, which = _ends(sheet.rows)
    if not rows:
        return
    names = [row.name or row.id for row in rows]
    if _scored(sheet):
        colours = [coloured(row.colour) for row in rows]
        scores = [Series("综合得分", [row.score for row in rows], colours)]
        yield Chart(f"综合得分{which}", names, scores, Kind.SCORE, depth=Depth.PAGE)
    grades = _grades(sheet)
    if len(grades) > 1:
        series = Series("个数", [count for _, _, count in grades], [colour for _, colour, _ in grades])
        yield Chart("等级分布", [grade for grade, _, _ in grades], [series], Kind.COUNT, Bars.COLUMNS, Depth.PAGE)
    rates = [column for column in _rates(sheet)[:2] if _value(sheet.total, column) is not None]
    if rates:
        made = [Series(column.title, [_value(row, column) for row in rows]) for column in rates]
        title = "、".join(column.title for column in rates) + which
        yield Chart(title, names, made, Kind.PERCENT, depth=Depth.PAGE)


def _ends(rows: Sequence[Assessed]) -> tuple[Sequence[Assessed], str]:
    if len(rows) <= _MOST_BARS:
        return rows, ""
    half = _MOST_BARS // 2
    return (*rows[:half], *rows[-half:]), f"（前 {half} 名与后 {half} 名）"


def _grades(sheet: Sheet) -> Sequence[tuple[str, str, int]]:
    """(grade, colour, how many), in the order of the ranking."""
    found = {row.grade: coloured(row.colour) for row in sheet.rows if row.grade}
    return [(grade, colour, sum(row.grade == grade for row in sheet.rows)) for grade, colour in found.items()]


def _rates(sheet: Sheet) -> Sequence[Column]:
    """Percentages that somebody is judged by; those that nobody has a base for come last."""
    rates = [column for column in sheet.columns if column.kind == "percent" and column.better]
    return sorted(rates, key=lambda column: _value(sheet.total, column) is None)


def _value(row: Assessed, column: Column) -> float | None:
    figure = row.figures.get(column.id)
    return figure.value if figure else None


def _scored(sheet: Sheet) -> bool:
    return any(row.score is not None or row.grade for row in sheet.rows)


def _score(row: Assessed) -> float:
    return row.score or 0.0


def _points_of(row: Assessed) -> str:
    return written(row.score, Kind.SCORE)


def _by(sheet: Sheet) -> str:
    return SUBJECT_TITLES.get(sheet.by, sheet.by)


def _period_title(sheet: Sheet) -> str:
    try:
        return period_of(sheet.period).title
    except Unacceptable:
        return sheet.period
