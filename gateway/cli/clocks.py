"""`gridhub clocks`: which limits have run out or soon will; and how clocks are shown."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from canonical.clock import Clock
from canonical.rights import EVERYTHING
from gateway.cli.shared import AsJson, Config, emit, err, out, run, store
from gateway.cli.shared import city as city_of

_USAGE = 2
_STATES = {"running": "计时", "paused": "暂停", "stopped": "停止"}


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def clocks(
        within: Annotated[str, typer.Option(help="Due within so long, such as 30m, 4h, 2d.")] = "4h",
        overdue: Annotated[bool, typer.Option("--overdue", help="Only what has run out.")] = False,
        step: Annotated[str, typer.Option(help="Last step told, such as 80% or due.")] = "",
        clock: Annotated[Clock | None, typer.Option(help="Clock, such as disposal.", show_choices=False)] = None,
        unit: Annotated[str, typer.Option(help="Unit that has the work, or was called to it.")] = "",
        system: Annotated[str, typer.Option(help="System that reported the case, or has it.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """Clocks of open cases that have run out or soon will, the most urgent first. 临期与超期

        What has run out is always shown. left: of the limit, in the hours it counts; ~: provisional 暂定, in a year
        whose holidays are not published.
        """
        from gateway.clock_list import asked, clock_list
        from gateway.hub import clock as wall
        from gateway.refusal import Refusal

        city, now = city_of(config).city, wall()
        try:
            wanted = asked(city, now, within=within, overdue=overdue, step=step, clock=clock, unit=unit, system=system)
        except Refusal as error:
            err.print(f"gridhub: {error} ({error.hint})", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(_USAGE) from None

        async def job() -> dict[str, Any]:
            async with store(config) as opened:
                return await clock_list(opened, city, wanted, now, limit, scope=EVERYTHING)

        view = run(job)
        if as_json:
            emit(view)
            return
        _print(view)


def _print(view: Mapping[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, width in (("no", 21), ("clock", 8), ("due", 12), ("left", 9), ("with", 26)):
        right = heading == "left"
        table.add_column(heading, no_wrap=True, width=width, overflow="ellipsis", justify="right" if right else "left")
    for one in view["items"]:
        title = one["title"].removesuffix("时限")
        with_ = one["unit_title"] or one["unit"] or one["stage_title"]
        style = "red" if one["overdue"] else None
        table.add_row(one["case_no"], title, short_due(one), hours(one["remaining_seconds"]), with_, style=style)
    out.print(table)
    late = sum(one["overdue"] for one in view["items"])
    more = "; there are more: --limit" if view["next"] else ""
    out.print(f"{len(view['items'])} clocks, {late} overdue 超期{more}", highlight=False)


def short_due(one: Mapping[str, Any]) -> str:
    """`11-28 13:20`, and a mark where it is provisional."""
    if not one["due_at"]:
        return "-"
    return f"{one['due_at'][5:16].replace('T', ' ')}{'~' if one['provisional'] else ''}"


def hours(seconds: float | None) -> str:
    """`3h05m`, `-52h10m`: hours of the limit, that may be working hours, are never turned into days."""
    if seconds is None:
        return "-"
    minutes = int(timedelta(seconds=abs(seconds)) / timedelta(minutes=1))
    return f"{'-' if seconds < 0 else ''}{minutes // 60}h{minutes % 60:02}m"


def print_clocks(clocks: Sequence[Mapping[str, Any]]) -> None:
    """The clocks of a case, to be read at 80 columns."""
    if not clocks:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    columns = (("clock 时限", 12), ("state", 12), ("due", 21), ("used", 9), ("left", 9), ("", 12))
    for heading, width in columns:
        right = heading in {"used", "left"}
        table.add_column(heading, width=width, overflow="fold", justify="right" if right else "left")
    for one in clocks:
        late = one["overdue"] and one["state"] != "stopped"
        state = "超期 overdue" if late else f"{_STATES[one['state']]} {'late' if one['overdue'] else one['state']}"
        due = (one["due_at"] or "-")[:16].replace("T", " ") + (" 暂定" if one["provisional"] else "")
        used, left = hours(one["used_seconds"]), hours(one["remaining_seconds"])
        table.add_row(one["title"], state, due, used, left, one["of"], style="red" if late else None)
    out.print()
    out.print(table)
