"""A unit's statement: its cases read and put together, and the document made of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assessment.period import Period
from assessment.sheet import Sheet
from assessment.unit_statement import (
    STANDING_TITLES,
    CaseLine,
    ClockLine,
    Standing,
    UnitStatement,
    counted,
    lines_of,
)
from canonical.clock import CLOCK_TITLES
from canonical.lifecycle import STAGE_TITLES
from canonical.rights import Scope
from canonical.time import in_shanghai
from gateway.assessment.people import merged
from gateway.report.assessment import figure_cell, heading_of
from gateway.report.document import (
    NONE,
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
    written,
)
from gateway.report.facts import Desk, known_facts, no_data, unit_of
from storage.unit_statement import MOST_CASES, unit_facts

_COLOURS = {
    Standing.ON_TIME: "#D8F0DF", Standing.LATE: "#F8D7D4", Standing.OVERDUE: "#D93025", Standing.SUSPENDED: "#FDF0C8",
}  # fmt: skip
_CLOCKS = {clock.value: title for clock, title in CLOCK_TITLES.items()} | {"case": "全程"}
_AT_A_GLANCE = 40
"""So many cases are listed on a terminal."""
_SUPERVISED = {"": "", "ordinary": "普通", "yellow": "黄牌", "red": "红牌"}
_SECONDS = {"hours": 3600, "days": 86_400}
_LEVELS = {"city": "市", "district": "区县", "street": "街道", "community": "社区", "": ""}


@dataclass(frozen=True, slots=True)
class Titles:
    """What codes are called in this city."""

    classes: Mapping[str, str]
    areas: Mapping[str, str]


async def unit_statement(
    desk: Desk, unit: str, period: Period, sheet: Sheet | None, scope: Scope
) -> UnitStatement:  # fmt: skip
    """The statement of a unit, by id or name, of its cases in the scope. Raises Refusal when there is no such unit, or
    nothing to tell.
    """
    known, found = await known_facts(desk), unit_of(desk, unit, scope)
    until = min(period.last, in_shanghai(desk.now()))
    units = {found.id} | {old for old, new in merged(desk.configuration, period).items() if new == found.id}
    facts, left_out = await unit_facts(desk.store, units, period.first, until, scope=scope)
    lines = lines_of(facts, units, period, until)
    row = next((one for one in sheet.rows if one.id == found.id), None) if sheet else None
    if not lines and row is None:
        raise no_data(period, known)
    return UnitStatement(
        city=desk.configuration.city.name, unit=found.id, name=found.name, period=period.name,
        title=f"{found.name}{period.title}对账单", first=period.first, last=until, as_of=in_shanghai(known.at),
        run=known.run, edition=sheet.edition if sheet else 0, counts=counted(lines), cases=lines,
        columns=sheet.columns if sheet else (), assessed=row, left_out=left_out,
    )  # fmt: skip


def statement_document(statement: UnitStatement, titles: Titles) -> Document:
    """The whole report of one statement."""
    first, last = (written(at, Kind.TIME) for at in (statement.first, statement.last))
    edition = f"第 {statement.edition} 版" if statement.edition else "未月结（暂行）"
    facts = (
        ("单位编号", statement.unit), ("统计时段", f"{first} 至 {last}（不含）"),
        ("数据截至", written(statement.as_of, Kind.TIME)), ("数据批次", str(statement.run)),
        ("考核版次", edition),
    )  # fmt: skip
    late = in_shanghai(statement.as_of) < statement.last
    return Document(
        title=statement.title, facts=facts, parts=tuple(_parts(statement, titles)),
        name=f"unit-{''.join(c if c.isascii() and c.isalnum() else '-' for c in statement.unit)}-{statement.period}",
        provisional=f"考核事实只更新到 {written(statement.as_of, Kind.TIME)}，此后的办理尚未计入。" if late else "",
        head=f"{statement.city}　{statement.period}　{edition}", at=statement.as_of,
        foot="对账单按派遣给本单位的案件逐件列出；对事实有异议的可以申诉，申诉成立的案件剔除，不直接修改指标。",
    )  # fmt: skip


def titles_of(desk: Desk) -> Titles:
    """Names of classes and divisions as the city's tables have them."""
    city = desk.configuration.city
    classes = {str(code): one.name for code, one in city.catalogue.classes.items()}
    return Titles(classes, {one.code: one.name for one in city.divisions.by_code.values()})


def _parts(one: UnitStatement, titles: Titles) -> Iterator[Part]:
    yield Text("要点", tuple(_points(one)))
    if one.assessed is not None and one.columns:
        yield _figures(one)
        if one.assessed.notes:
            yield Text("加分、扣分与说明", tuple(one.assessed.notes))
    yield _balance(one)
    shown = [standing for standing in Standing if one.counts.get(standing)]
    if shown:
        series = Series("件数", [one.counts[standing] for standing in shown])
        yield Chart("案件状态", [STANDING_TITLES[standing] for standing in shown], [series])
    against = [line for line in one.cases if line.counts]
    if against:
        yield _against(against, titles)
    yield _cases(one, titles)
    yield _clocks(one)


def _points(one: UnitStatement) -> Iterator[str]:
    counts = one.counts
    parts = "、".join(f"{STANDING_TITLES[name]} {counts[name]} 件" for name in Standing if counts.get(name))
    yield f"本期涉及案件 {len(one.cases)} 件：{parts or '无'}。"
    extra = {
        "延期": sum(line.extensions > 0 for line in one.cases), "退件": sum(line.returns > 0 for line in one.cases),
        "返工": sum(line.reworks > 0 for line in one.cases), "督办": sum(bool(line.supervised) for line in one.cases),
        "申诉剔除": sum(line.exempt for line in one.cases),
    }  # fmt: skip
    yield "其中" + "、".join(f"{name} {count} 件" for name, count in extra.items()) + "。"
    row = one.assessed
    if row is not None and row.score is not None:
        rank = f"，{row.group}名次第 {row.rank}" if row.rank else ""
        yield f"综合得分 {written(row.score, Kind.SCORE)} 分{rank}{f'，等级{row.grade}' if row.grade else ''}。"
    if len(one.cases) > _AT_A_GLANCE:
        yield "全部案件和每个时限见 xlsx、json，案件明细另见 csv、html。"
    if one.left_out:
        yield f"本期案件多于 {MOST_CASES:,} 件，另有 {one.left_out:,} 件未列出，请按周或按日查询。"


def _figures(one: UnitStatement) -> Table:
    assert one.assessed is not None
    headings = (
        Heading("title", "指标"), Heading("value", "指标值", Kind.RATIO),
        Heading("numerator", "分子或计数", Kind.COUNT),
        Heading("denominator", "分母", Kind.COUNT, NONE), Heading("formula", "计算口径"),
    )  # fmt: skip
    rows = []
    for column in one.columns:
        figure = one.assessed.figures.get(column.id)
        cell = figure_cell(figure)
        title, seconds = heading_of(column), _SECONDS.get(column.kind, 0)
        above = Cell(figure.numerator / seconds, kind=title.kind) if figure and seconds else None
        above = above or Cell(figure.numerator if figure else NONE)
        below = Cell(figure.denominator if figure else NONE)
        rows.append([Cell(title.title), Cell(cell.value, kind=title.kind), above, below, Cell(column.formula)])
    return Table("考核指标", headings, rows, ids=[column.id for column in one.columns])


def _balance(one: UnitStatement) -> Table:
    headings = (
        *(Heading(name, STANDING_TITLES[name], Kind.COUNT) for name in Standing), Heading("sum", "合计", Kind.COUNT),
        Heading("cases", "涉及案件", Kind.COUNT), Heading("holds", "是否平衡"),
    )  # fmt: skip
    numbers = [one.counts.get(name, 0) for name in Standing]
    cells = [*numbers, sum(numbers), len(one.cases), "平衡" if one.balances else "不平衡"]
    return Table("件数平衡", headings, [[Cell(value) for value in cells]], keys=0)


def _against(lines: Sequence[CaseLine], titles: Titles) -> Table:
    headings = (
        Heading("case_no", "案件编号"), Heading("why", "事由"), Heading("class", "类别"), Heading("supervised", "督办"),
        Heading("due_at", "到期", Kind.TIME), Heading("done_at", "处置完成", Kind.TIME),
    )  # fmt: skip
    rows = [
        [
            Cell(line.case_no), Cell("、".join(line.counts)), Cell(_class(line, titles)),
            Cell(_SUPERVISED.get(line.supervised, line.supervised) or NONE), Cell(line.due_at or NONE),
            Cell(line.done_at or NONE),
        ]
        for line in lines
    ]  # fmt: skip
    return Table("影响考核的案件", headings, rows)


def _cases(one: UnitStatement, titles: Titles) -> Table:
    headings = (
        Heading("case_no", "案件编号"), Heading("standing", "状态"), Heading("class", "类别"), Heading("area", "区域"),
        Heading("level", "层级"), Heading("stage", "现阶段"), Heading("started_at", "派遣", Kind.TIME),
        Heading("due_at", "到期", Kind.TIME), Heading("done_at", "处置完成", Kind.TIME),
        Heading("spent", "用时（小时）", Kind.HOURS, NONE), Heading("extensions", "延期", Kind.COUNT),
        Heading("returns", "退件", Kind.COUNT), Heading("reworks", "返工", Kind.COUNT), Heading("supervised", "督办"),
        Heading("exempt", "剔除"),
    )  # fmt: skip
    rows = [_case(line, titles) for line in one.cases]
    depth = Depth.GLANCE if len(rows) <= _AT_A_GLANCE else Depth.PAGE
    return Table("案件明细", headings, rows, main=True, depth=depth)


def _case(line: CaseLine, titles: Titles) -> Sequence[Cell]:
    standing = Cell(STANDING_TITLES[line.standing], colour=_COLOURS.get(line.standing, ""))
    stage = next((title for stage, title in STAGE_TITLES.items() if stage == line.stage), line.stage)
    return [
        Cell(line.case_no), standing, Cell(_class(line, titles)), Cell(titles.areas.get(line.area, line.area) or NONE),
        Cell(_LEVELS.get(line.level, line.level) or NONE), Cell(stage), Cell(line.started_at),
        Cell(line.due_at or NONE), Cell(line.done_at or NONE), Cell(line.spent_hours), Cell(line.extensions),
        Cell(line.returns), Cell(line.reworks), Cell(_SUPERVISED.get(line.supervised, line.supervised) or NONE),
        Cell("是" if line.exempt else "否"),
    ]  # fmt: skip


def _clocks(one: UnitStatement) -> Table:
    headings = (
        Heading("case_no", "案件编号"), Heading("clock", "时限"), Heading("standing", "状态"),
        Heading("started_at", "起算", Kind.TIME), Heading("due_at", "到期", Kind.TIME),
        Heading("done_at", "完成", Kind.TIME), Heading("spent", "用时（小时）", Kind.HOURS, NONE),
    )  # fmt: skip
    rows = [_run(line, clock) for line in one.cases for clock in line.clocks]
    return Table("时限明细", headings, rows, keys=2, depth=Depth.BOOK)


def _run(line: CaseLine, clock: ClockLine) -> Sequence[Cell]:
    title = _CLOCKS.get(clock.clock, clock.clock)
    return [
        Cell(line.case_no), Cell(title), Cell(STANDING_TITLES[clock.standing], colour=_COLOURS.get(clock.standing, "")),
        Cell(clock.started_at), Cell(clock.due_at or NONE), Cell(clock.done_at or NONE), Cell(clock.spent_hours),
    ]  # fmt: skip


def _class(line: CaseLine, titles: Titles) -> str:
    return titles.classes.get(line.class_code, line.class_code) or NONE
