"""The briefing of a city: read from its facts, put into words, tables and charts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from assessment.briefing import (
    COLOURS,
    NEAR,
    TALLY_TITLES,
    Briefing,
    Counted,
    Day,
    Group,
    Names,
    Tally,
    Watched,
    compared,
    grouped,
    sentences,
    summed,
    worst,
)
from assessment.period import Period
from canonical.rights import Scope
from canonical.time import in_shanghai
from gateway.assessment.people import merged
from gateway.report.document import NONE, Bars, Cell, Chart, Document, Heading, Kind, Part, Series, Table, Text, written
from gateway.report.facts import Desk, known_facts, no_data, unit_names
from storage.briefing import Read, Span, read

_DAYS = timedelta(days=7)
_BROUGHT = ("reported", "filed", "refused")
_WORKED = (
    "dispatched", "disposed", "on_time", "late", "returned", "reworked", "open", "overdue", "near_due", "suspended"
)  # fmt: skip
_JOINT = {"clock.report_in": "报到超时", "clock.joint": "联动处置超时"}
_BARS = 12


async def briefing_of(desk: Desk, period: Period, scope: Scope) -> Briefing:
    """The briefing of a day or week, of what the scope sees. Raises Refusal when there is nothing to tell."""
    known = await known_facts(desk)
    until, before, as_long = compared(period, desk.now())
    spans = Span(period.first, until, until + NEAR), Span(before.first, as_long, as_long + NEAR)
    since = min(period.first, period.last - _DAYS)
    found = await read(desk.store, *spans, since, scope=scope)
    names, heirs = _names(desk), merged(desk.configuration, period)
    now, then = (_counted(rows) for rows in (found.now, found.before))
    total = summed(now)
    if total.empty:
        raise no_data(period, known)
    title = "城市治理" + ("日报" if period.days == 1 else "周报")
    return Briefing(
        city=desk.configuration.city.name, period=period.name,
        title=f"{desk.configuration.city.name}{title}（{period.title.replace('（', ' ').replace('）', '')}）",
        first=period.first, last=until, span=period.span, running=until < period.last,
        as_of=in_shanghai(known.at), run=known.run, total=total, before=summed(then),
        sources=grouped(now, then, lambda one: one.source, names.systems, "未知来源"),
        systems=grouped(now, then, lambda one: one.system, names.systems, "指挥中心坐席"),
        districts=grouped(now, then, lambda one: one.district, names.districts, "区县不明"),
        units=[one for one in grouped(now, then, lambda one: heirs.get(one.unit, one.unit), names.units, "") if one.id],
        trend=_trend(found, period), supervised=_supervised(found, names, until),
        joint_late=_joint(found, names, until),
    )  # fmt: skip


def briefing_document(briefing: Briefing) -> Document:
    """The whole report of one briefing."""
    late = in_shanghai(briefing.as_of) < briefing.last
    why = f"考核事实只更新到 {written(briefing.as_of, Kind.TIME)}，此后的办理尚未计入。" if late else ""
    first, last = (written(at, Kind.TIME) for at in (briefing.first, briefing.last))
    return Document(
        title=briefing.title,
        facts=(
            ("统计时段", f"{first} 至 {last}（不含）"), ("数据截至", written(briefing.as_of, Kind.TIME)),
            ("数据批次", str(briefing.run)),
        ),
        parts=tuple(_parts(briefing)),
        name=f"briefing-{briefing.period}",
        head=f"{briefing.city}　{briefing.period}　数据批次 {briefing.run}", at=briefing.as_of, words_first=True,
        provisional=why or ("本期尚未结束，数据为截至目前。" if briefing.running else ""),
        foot="超期剔除指经申诉成立、不计入单位的超期。按期处置率 = 按期处置数 /（按期处置数 + 超期处置数）。",
    )  # fmt: skip


def _parts(one: Briefing) -> Iterator[Part]:
    yield Text("综述", sentences(one))
    yield _overview(one)
    yield Chart(
        "近七日上报与处置", [f"{day.day.month}-{day.day.day:02}" for day in one.trend],
        [
            Series("上报", [day.reported for day in one.trend]), Series("处置", [day.disposed for day in one.trend]),
            Series("结案", [day.closed for day in one.trend]),
        ],
        bars=Bars.COLUMNS,
    )  # fmt: skip
    yield from _bars("各区县上报与处置", one.districts, "reported", "disposed")
    behind = worst(one.units, _BARS)
    if behind:
        yield from _bars("超期较多的单位", behind, "late", "overdue")
    yield _groups("处置单位", "处置单位情况", one.units, _WORKED, main=True)
    yield _groups("承办系统", "承办系统情况", one.systems, _WORKED)
    yield _groups("来源系统", "来源系统情况", one.sources, (*_BROUGHT, "closed", "open", "overdue"))
    yield _groups("区县", "区县情况", one.districts, (*_BROUGHT, *_WORKED))
    yield from _watched("在办督办案件", "督办", one.supervised)
    yield from _watched("联动处置超时", "时限", one.joint_late)


def _overview(one: Briefing) -> Table:
    headings = (
        Heading("span", "时段"), *(Heading(name, title, Kind.COUNT) for name, title in TALLY_TITLES.items()),
        Heading("rate", "按期处置率", Kind.PERCENT),
    )  # fmt: skip
    rows = [
        [Cell(title), *_numbers(tally, tuple(TALLY_TITLES))]
        for title, tally in (("本期", one.total), ("上期", one.before))
    ]
    changes = [getattr(one.total, name) - getattr(one.before, name) for name in TALLY_TITLES]
    return Table("总体情况", headings, [*rows, [Cell("增减"), *map(Cell, changes), Cell(NONE)]])


def _groups(
    head: str, title: str, groups: Sequence[Group], names: Sequence[str], *, main: bool = False
) -> Table:  # fmt: skip
    headings = (
        Heading("name", head), *(Heading(name, TALLY_TITLES[name], Kind.COUNT) for name in names),
        Heading("rate", "按期处置率", Kind.PERCENT),
    )  # fmt: skip
    shown = [one for one in groups if any(getattr(one.tally, name) for name in names)]
    rows = [[Cell(one.name), *_numbers(one.tally, names)] for one in shown]
    return Table(title, headings, rows, ids=[one.id for one in shown], main=main)


def _numbers(tally: Tally, names: Sequence[str]) -> Iterator[Cell]:
    yield from (Cell(getattr(tally, name)) for name in names)
    yield Cell(tally.rate, (tally.on_time, tally.on_time + tally.late))


def _bars(title: str, groups: Sequence[Group], *names: str) -> Iterator[Chart]:
    shown = [one for one in groups if any(getattr(one.tally, name) for name in names)][:_BARS]
    if shown:
        series = [Series(TALLY_TITLES[name], [getattr(one.tally, name) for one in shown]) for name in names]
        yield Chart(title, [one.name for one in shown], series)


def _watched(title: str, head: str, cases: Sequence[Watched]) -> Iterator[Table]:
    if not cases:
        return
    headings = (
        Heading("case_no", "案件编号"), Heading("unit", "单位"), Heading("what", head),
        Heading("due_at", "到期", Kind.TIME), Heading("overdue", "是否超期"),
    )  # fmt: skip
    rows = [
        [
            Cell(one.case_no),
            Cell(one.unit),
            Cell(one.what),
            Cell(one.due_at or NONE),
            Cell("是" if one.overdue else "否"),
        ]
        for one in cases
    ]
    yield Table(title, headings, rows)


def _counted(rows: Iterable[Mapping[str, Any]]) -> list[Counted]:
    dimensions = ("unit", "system", "source", "district")
    return [
        Counted(
            row["unit"],
            row["system"],
            row["source"],
            row["district"],
            Tally(**{name: value for name, value in row.items() if name not in dimensions}),
        )
        for row in rows
    ]


def _names(desk: Desk) -> Names:
    configuration = desk.configuration
    divisions = configuration.city.divisions.by_code.values()
    return Names(
        units=unit_names(desk),
        systems={name: one.system.role.title for name, one in configuration.systems.items()},
        districts={one.code: one.name for one in divisions},
    )


def _trend(found: Read, period: Period) -> Sequence[Day]:
    counts = {(day, what): count for day, what, count in found.trend}
    days = [period.ends - timedelta(days=back) for back in range(_DAYS.days, 0, -1)]
    return [Day(day, *(counts.get((day, what), 0) for what in ("reported", "disposed", "closed"))) for day in days]


def _supervised(found: Read, names: Names, until: datetime) -> Sequence[Watched]:
    return [
        _watched_case(row, names, COLOURS.get(row["supervised"], str(row["supervised"])), until)
        for row in found.supervised
    ]


def _joint(found: Read, names: Names, until: datetime) -> Sequence[Watched]:
    return [_watched_case(row, names, _JOINT[row["what"]], until) for row in found.joint_late]


def _watched_case(row: Mapping[str, Any], names: Names, what: str, until: datetime) -> Watched:
    due = row["due_at"]
    overdue = due is not None and due < until
    return Watched(row["case_no"], names.units.get(row["unit"], row["unit"]), what, due and in_shanghai(due), overdue)
