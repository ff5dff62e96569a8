"""`gridhub case`: cases and their journeys."""

from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.cli.shared import AsJson, Config, emit, hub, missing, out, run

commands = typer.Typer(help="Cases and their journeys. 案件", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="case")


@commands.command("show")
def show(
    number: Annotated[str, typer.Argument(help="Any number of any system: ours, a task's, a visible number.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """One case with everything that happened to it. 案件全程"""
    from gateway.views import journey_view

    async def job() -> dict[str, Any] | None:
        async with hub(config) as wired:
            journey = await wired.casebook.journey(number)
            return journey_view(journey) if journey else None

    view = run(job)
    if view is None:
        missing(f"nobody knows a case {number}")
    if as_json:
        emit(view)
        return
    _print(view)


def _print(view: dict[str, Any]) -> None:
    place = view["place"]
    out.print(f"[bold]{view['no']}[/bold] {view['title']}", highlight=False)
    out.print(
        f"{view['stage_title']} ({view['stage']})  class {view['class_code']}  due {view['due_at'] or '-'}",
        highlight=False,
    )
    out.print(
        f"{place['address']}  grid {place['grid'] or '-'}  area {place['area'] or '-'}  by {place['method']}",
        highlight=False,
    )
    events = Table("#", "at", "action 动作", "by", "why", box=None, pad_edge=False)
    for event in view["events"]:
        action = event["action"]
        words = action.get("reason") or action.get("result") or action.get("unit", "")
        who = f"{action['actor']['party']} {action['actor']['id']}"
        events.add_row(
            str(event["seq"]), action["at"][5:19].replace("T", " "), f"{event['title']} {action['kind']}", who, words
        )
    out.print(events)
    numbers = Table("system", "role", "number", "visible", box=None, pad_edge=False)
    for binding in view["bindings"]:
        numbers.add_row(binding["system"], binding["role"], binding["external_id"], binding["visible_no"])
    out.print(numbers)
    sent = Table("to", "message", "state", "attempts", "why", box=None, pad_edge=False)
    for row in view["deliveries"]:
        sent.add_row(row["system"], row["message"], row["state"], str(row["attempts"]), row["text"])
    out.print(sent)


@commands.command("list")
def list_cases(
    queue: Annotated[str, typer.Option(help="Queue of the centre, such as location_unknown.")] = "",
    stage: Annotated[str, typer.Option(help="Stage, such as handling.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Cases in the order of their numbers. 案件列表"""
    from gateway.views import case_view

    async def job() -> list[dict[str, Any]]:
        async with hub(config) as wired:
            return [case_view(case) for case in await wired.casebook.find(queue=queue, stage=stage, limit=limit)]

    views = run(job)
    if as_json:
        emit(views)
        return
    table = Table("no", "stage", "queue", "class", "owner", "title", box=None, pad_edge=False)
    for view in views:
        title = view["title"][:24]
        table.add_row(
            view["no"], view["stage_title"], view["queue"] or "", view["class_code"] or "", view["owner"], title
        )
    out.print(table)
