"""`gridhub case`: cases and their journeys."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from canonical.rights import EVERYTHING
from gateway.cli.clocks import print_clocks
from gateway.cli.joint import joint_lines
from gateway.cli.shared import AsJson, Config, emit, missing, out, run, store

if TYPE_CHECKING:
    from routing.city import City

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
    from gateway.clock_view import clocks_view
    from gateway.hub import clock
    from gateway.joint_view import joint_view
    from gateway.views import journey_view
    from storage.casebook import Casebook

    city = _city(config)

    async def job() -> dict[str, Any] | None:
        async with store(config) as opened:
            journey = await Casebook(opened).journey(number, scope=EVERYTHING)
        if journey is None:
            return None
        clocks = clocks_view(journey.events, city, clock()) if city else []
        work = joint_view(journey, city.responsibility.units if city else {}, clock())
        return journey_view(journey, city.systems if city else {}) | {"clocks": clocks, "joint_work": work}

    view = run(job)
    if view is None:
        missing(f"nobody knows a case {number}")
    if as_json:
        emit(view)
        return
    _print(view)


def _city(config: Config) -> "City | None":
    """The city, though addresses and secrets of its systems may not be set here; None when it cannot be read."""
    import os

    from canonical.findings import Severity
    from gateway.configuration import read
    from gateway.settings import settings

    configuration, _ = read(settings(config).config, os.environ, unset=Severity.WARNING)
    return configuration.city if configuration else None


def _print(view: dict[str, Any]) -> None:
    """The journey in time order, to be read at 80 columns: what happened, why, and what was sent about it."""
    place = view["place"]
    out.print(f"[bold]{view['no']}[/bold] {view['title']}", highlight=False)
    facts = [f"{view['stage_title']} {view['stage']}", f"class {view['class_code']}", f"due {_time(view['due_at'])}"]
    where = [
        place["address"] or "-",
        f"grid {place['grid'] or '-'}",
        f"area {place['area'] or '-'}",
        f"by {place['method']}",
    ]
    if view.get("lead_system"):
        out.print(f"led by {view['lead_system']} 牵头, the hub mirrors it", highlight=False)
    out.print(" · ".join(facts), highlight=False)
    out.print(" · ".join(where), highlight=False)
    for binding in view["bindings"]:
        out.print(
            f"{binding['system']} ({binding['role']}): {binding['visible_no']} {binding['external_id']}",
            highlight=False,
        )
    print_clocks(view["clocks"])
    for event in view["events"]:
        _print_event(event, view)
    for line in joint_lines(view["joint_work"]):
        out.print(line, highlight=False, markup=False)
    for one in view["replays"]:
        said = f"{one['direction']} {one['system']} {one['kind']}: {one['outcome'] or one['state']}"
        out.print(
            f"\nreplayed 重放 {_time(one['at'])} by {one['actor']}: {one['reason']}", highlight=False, markup=False
        )
        out.print(f"     {said}  {one['subject']}", highlight=False, markup=False)


def _print_event(event: dict[str, Any], view: dict[str, Any]) -> None:
    action = event["action"]
    who = f"{action['actor']['party']} {action['actor']['id']}"
    unit = f" -> {action['unit']} ({action.get('system') or 'desk'})" if "unit" in action else ""
    unit += f", officer {action['officer']}" if action.get("officer") else ""
    out.print(
        f"\n{event['seq']:>3}  {_time(action['at'])}  [bold]{event['title']}[/bold] {action['kind']} by {who}{unit}",
        highlight=False,
    )
    for words in (action.get("reason"), action.get("result")):
        if words:
            out.print(f"     {words}", highlight=False, markup=False)
    if "shadow" in action:
        out.print(f"     {_shadow(action['shadow'])}", highlight=False, markup=False)
    for one in view["not_told"]:
        if one["seq"] == event["seq"]:
            out.print(f"     => {one['system']} not told: {one['reason']}", highlight=False, markup=False)
    for row in view["deliveries"]:
        if row["event_seq"] == event["seq"]:
            text = f": {row['text']}" if row["text"] else ""
            again = f" (replay of {row['replays']})" if row["replays"] else ""
            out.print(
                f"     => {row['system']} {row['message']}: {row['state']}, attempt {row['attempts']}{again}{text}",
                highlight=False,
                markup=False,
            )


def _shadow(ours: dict[str, Any]) -> str:
    """What our tables would have done beside a lead system."""
    unit, due = ours.get("unit", ""), ours.get("due")
    would = f"{ours.get('kind') or 'leave it to a person'}{f' -> {unit}' if unit else ''}"
    by = f", due {_time(due['at'])}" if due else ""
    return f"~ ours 影子: {would}{by}: {ours['why']}"


def _time(iso: str | None) -> str:
    return iso[:19].replace("T", " ") if iso else "-"


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
    from storage.casebook import Casebook

    async def job() -> list[dict[str, Any]]:
        async with store(config) as opened:
            return [
                case_view(case)
                for case in await Casebook(opened).find(scope=EVERYTHING, queue=queue, stage=stage, limit=limit)
            ]

    views = run(job)
    if as_json:
        emit(views)
        return
    table = Table(box=None, pad_edge=False)
    for heading, width in (("no", 19), ("stage", 8), ("waits for", 16), ("title", 33)):
        table.add_column(heading, no_wrap=True, width=width, overflow="ellipsis")
    for view in views:
        table.add_row(
            view["no"], view["stage_title"], view["queue"] or view["owner"], view["title"] or view["description"]
        )
    out.print(table)
