"""`gridhub try`: one file against a system's declaration, field by field."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gateway.cli.shared import AsJson, Config, emit, out

TITLES = {
    "external_id": "对方编号", "case_key": "对方案件", "visible_no": "对外编号", "reference": "本枢纽编号",
    "report.title": "标题", "report.description": "描述", "report.class": "类别", "report.given_class": "原类别",
    "report.address": "地址", "report.given_area": "原区域", "report.coordinate.x": "经度或东", "report.urgency": "紧急",
    "report.coordinate.y": "纬度或北", "report.coordinate.crs": "坐标系", "report.reported_at": "上报时间",
    "report.reported_on": "上报日期", "report.reporter.name": "姓名", "report.reporter.phone": "电话",
    "report.reporter.withheld": "保密", "report.attachments.from": "附件", "report.deadline.at": "截止时间",
    "report.deadline.value": "时限", "report.deadline.unit": "时限单位", "report.deadline.since": "时限起",
    "report.sign_deadline.at": "签收截止", "report.sign_deadline.value": "签收时限", "report.channel": "来源",
    "report.sign_deadline.unit": "签收单位", "report.sign_deadline.since": "签收起", "report.share": "主协办",
    "report.opinion": "意见", "action.status": "状态", "action.reason": "理由", "action.result": "结果",
    "action.stated_at": "办理时间", "action.actor_name": "办理人", "addition.remark": "补充", "alarm.device": "设备",
    "alarm.kind": "告警类型", "alarm.active": "告警中", "alarm.value": "测值", "alarm.at": "告警时间",
}  # fmt: skip
"""What fields are called in Chinese."""
_FIELD, _WIDTH, _UNUSED = 34, 80, 40


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command("try")
    def try_(
        system: Annotated[str, typer.Argument(help="A system of the city, a shipped adapter, or a folder.")],
        file: Annotated[
            Path,
            typer.Argument(help="A body, a stored sample, or a whole request in .http.", exists=True, dir_okay=False),
        ],
        door: Annotated[str, typer.Option(help="Door, pull or receiver; default: each in turn.")] = "",
        plain: Annotated[bool, typer.Option("--plain", help="Names and phones unmasked.")] = False,
        golden: Annotated[
            bool, typer.Option("--golden", help="Then keep the reading beside the sample, as what it must read as.")
        ] = False,
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """Explain field by field what a message says, and what would happen to it. 逐字段试读

        Every canonical field with its value, its rule and the raw value it came from; then what no rule used, codes
        without a row, and the place, class and unit that follow. Stores nothing but,
        with --golden, the reading. Ends with 1 on a refusal.
        """
        from gateway.trial import keep_golden, try_file

        results = try_file(system, file, door=door, config=config, plain=plain)
        if as_json:
            emit(results)
        else:
            for result in results:
                _print(result)
        if any("refusal" in result for result in results):
            raise typer.Exit(1)
        if golden:
            kept = keep_golden(system, file, config)
            if not as_json:
                out.print(f"{kept} kept 已保存", highlight=False, markup=False, emoji=False, soft_wrap=True)


def _line(text: str, *, style: str = "", indent: int = 0) -> None:
    """One line of at most 80 columns; what is longer is cut, or wrapped when it is a text to be read."""
    out.print(_cut(" " * indent + text), style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _cut(text: str) -> str:
    flat = " ".join(text.splitlines()) if "\n" in text else text
    return flat if cell_len(flat) <= _WIDTH else set_cell_size(flat, _WIDTH - 1) + "…"


def _wrapped(text: str, *, style: str = "", indent: int = 0) -> None:
    for part in Text(text).wrap(out, _WIDTH - indent):
        _line(part.plain.rstrip(), style=style, indent=indent)


def _print(told: dict[str, Any]) -> None:
    _line(f"{told['message'] or '?'}  {told['external_id']}  ({told['door']}, {told['file'] or '-'})", style="bold")
    for field in told["fields"]:
        _print_field(field)
    if told["empty"]:
        _wrapped("empty 空: " + ", ".join(told["empty"]), style="dim")
    if told["unused"]:
        _line("not used 未使用", style="bold")
        for path, value in list(told["unused"].items())[:_UNUSED]:
            _line(f"{path} = {value}", indent=2)
        if len(told["unused"]) > _UNUSED:
            _line(f"... and {len(told['unused']) - _UNUSED} more: --json shows all", indent=2)
    for code in told["codes"]:
        _line(f"no row 缺代码行: {code['code']} in {code['table']} ({code['path']})", style="yellow")
    _print_end(told)
    out.print()


def _print_field(field: dict[str, Any]) -> None:
    name = f"{field['field']} {TITLES.get(field['field'], '')}".rstrip()
    value = f"refused 拒绝: {field['trouble']}" if field["trouble"] else _short(field["value"])
    _line(f"{set_cell_size(name, max(_FIELD, cell_len(name) + 1))}{value}", style="red" if field["trouble"] else "")
    came = ", ".join(f"{path} = {_short(value)}" for path, value in field["raw"].items())
    _line(f"<- {came}" if came else "<- fixed 固定值", style="dim", indent=4)
    if not _plain_copy(field):
        _line(f"line {field['line']}: {field['rule']}", style="dim", indent=4)


def _plain_copy(field: dict[str, Any]) -> bool:
    """True when the rule says no more than the path that is shown already."""
    return [field["rule"]] == [f"{{from: {path}}}" for path in field["raw"]]


def _short(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return f"[{len(value)} items 项]"
    return str(value)


def _print_end(told: dict[str, Any]) -> None:
    if "refusal" in told:
        refusal = told["refusal"]
        _line(f"refused 拒收 ({refusal['why']})", style="bold red")
        _wrapped(refusal["text"], style="red", indent=2)
        if refusal["at"]:
            _line(f"at 位置: {refusal['at']}", indent=2)
        if refusal["declared"]:
            _line(f"declared 声明: {refusal['declared']}", indent=2)
        return
    following = told.get("next")
    if following is None:
        return
    place = following["place"]
    _line("what follows 接下来", style="bold green")
    where = ", ".join(f"{key} {place[key]}" for key in ("area", "grid", "lon", "lat", "flags") if place.get(key))
    _line(f"place 位置: {where or 'unknown'} ({place.get('method', 'unknown')})", indent=2)
    for key, title in _NEXT.items():
        if following.get(key):
            _wrapped(f"{title}: {following[key]}", indent=2)


_NEXT = {
    "class": "class 类别", "standard": "standard 标准", "acceptance": "accepted as 受理", "unit": "unit 处置单位",
    "carried_by": "through 经由", "because": "because 依据", "due": "source's deadline 来源时限",
}  # fmt: skip
