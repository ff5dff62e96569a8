"""The page docs/lifecycle.md, written from the lifecycle table: a diagram and every row. It knows only the table."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from canonical.clock import CLOCK_TITLES, Clock
from canonical.lifecycle import ENDED, LIFECYCLE, STAGE_TITLES, Party, Row, Stage

_PARTIES = {
    Party.SOURCE: "source 上报方",
    Party.OWNER: "owner 承办方",
    Party.JOINT: "joint 联动单位",
    Party.CENTRE: "centre 指挥中心",
    Party.LEAD_SYSTEM: "lead_system 牵头系统",
    Party.HUB: "hub 规则",
}
_FIELDS = {
    "report": "report 上报内容",
    "reason": "reason 理由",
    "class_code": "class_code 类别",
    "standard": "standard 立结案标准",
    "place": "place 位置",
    "unit": "unit 处置单位",
    "system": "system 系统",
    "limit": "limit 时限",
    "result": "result 结果",
    "target": "target 保留的案件号",
    "until": "until 至何时",
    "level": "level 层级",
    "supervision": "supervision 督办等级",
    "round": "round 派遣单序号",
    "told": "told 到期提醒",
    "timed": "timed 时限",
}
"""Fields of an action by name; a need that is not here stands with its bare name."""

_HEAD = """# Lifecycle of a case 案件流程

Written by `gridhub lifecycle` from the table in `canonical/lifecycle.py`: change the table, then write this page anew.
A test holds the two together. The API gives the same table at `/api/lifecycle`.

## Stages 阶段

An arrow is an action 动作 that leads from one stage to another. What leaves a case in its stage stands in the table
only.
"""
_TABLE_HEAD = """
## Actions 动作

- **who**: who may do it. source is a system that reported the case, owner the system that carries the work now, joint
  that of a unit called to help, centre a person of the centre, hub a rule of the city's configuration, lead_system the
  industry system that is the centre for its own cases ([fusion.md](fusion.md)); it may leave needs unsaid.
- **needs**: what the action must say. Everything else is optional.
- **tells**: whose system is told, in its own declared message; whoever did it is not told.
- **clock**: what begins or ends to run, where the city gives it a budget. A return does not stop the disposal clock,
  and rework keeps the due time; only a suspension moves it, and an extension.

| action 动作 | step 环节 | from 起 | to 至 | who 谁可做 | needs 必填 | tells 告知 | clock 计时 |
|---|---|---|---|---|---|---|---|
"""
_TAIL = """
Ended 已终结 (nobody owes the case any work): {ended}.
"""


def page() -> str:
    """The whole page as Markdown with one Mermaid diagram."""
    rows = "".join(f"| {' | '.join(_cells(row))} |\n" for row in LIFECYCLE)
    ended = ", ".join(_stage(stage) for stage in Stage if stage in ENDED)
    return (
        _HEAD + "\n".join(("", "```mermaid", *_diagram(), "```", "")) + _TABLE_HEAD + rows + _TAIL.format(ended=ended)
    )


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    for stage in Stage:
        yield f'    state "{STAGE_TITLES[stage]}<br>{stage}" as {stage}'
    for (start, end), titles in _arrows().items():
        yield f"    {start} --> {end}: {'、'.join(titles)}"
    for stage in Stage:
        if stage in ENDED:
            yield f"    {stage} --> [*]"


def _arrows() -> dict[tuple[str, str], list[str]]:
    """Titles of the actions between two stages, in the order of the table; a new case comes from `[*]`."""
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in LIFECYCLE:
        starts = [str(stage) for stage in Stage if stage in row.from_] or ["[*]"]
        for start in starts if row.to else ():
            arrows[start, str(row.to)].append(row.title)
    return arrows


def _cells(row: Row) -> Iterator[str]:
    yield f"{row.action} {row.title}"
    yield row.step
    yield _stages(row.from_)
    yield _stage(row.to) if row.to else "(stays 不变)"
    yield _list(_PARTIES[party] for party in Party if party in row.who)
    yield _list(_FIELDS.get(name, name) for name in row.needs)
    yield _list(_PARTIES[party] for party in Party if party in row.tells)
    if row.to in ENDED:
        yield "stops all 全部停止"
        return
    does = {"starts 起": row.starts, "stops 止": row.stops, "pauses 停": row.pauses, "resumes 续": row.resumes}
    yield _list(f"{word} {_clocks(clocks)}" for word, clocks in does.items() if clocks)


def _clocks(clocks: Iterable[Clock]) -> str:
    return ", ".join(f"{clock} {CLOCK_TITLES[clock]}" for clock in clocks)


def _stage(stage: Stage) -> str:
    return f"{stage} {STAGE_TITLES[stage]}"


def _stages(stages: frozenset[Stage]) -> str:
    """The stages, or those that are left out where that is shorter."""
    left_out = [stage for stage in Stage if stage not in stages]
    if not stages:
        return "(new 新)"
    if len(left_out) <= 1:
        return "any 任何" + "".join(f" but 除外 {_stage(stage)}" for stage in left_out)
    return _list(_stage(stage) for stage in Stage if stage in stages)


def _list(texts: Iterable[str]) -> str:
    return "<br>".join(texts)
