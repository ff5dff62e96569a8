"""`gridhub bus`: what waits to be announced on the bus, announcing again, and announcing no more."""

from datetime import datetime
from typing import Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, emit, out, run, store

commands = typer.Typer(help="RabbitMQ as the hub's bus. 消息总线", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="bus")


@commands.command("status")
def status(config: Config = None, as_json: AsJson = False) -> None:
    """What waits to be announced, since when, and why nothing moves. 总线状态"""

    from gateway.views import row_view
    from storage.announcements import Announcements

    async def job() -> dict[str, Any]:
        async with store(config) as opened:
            return row_view(await Announcements(opened).backlog())

    view = run(job)
    if as_json:
        emit(view)
        return
    for line in (
        f"announcing: {'since ' + view['since'] if view['since'] else 'no'}",
        f"waiting: {view['waiting']}, the oldest since {view['oldest'] or '-'}",
        f"cannot be told: {view['set_aside']}",
        f"trouble: {view['trouble'] or '-'}",
    ):
        out.print(line, highlight=False, markup=False)


@commands.command("again")
def again(
    since: Annotated[datetime, typer.Argument(help="From this time on, Shanghai time, such as 2026-11-27T08:00:00.")],
    until: Annotated[datetime | None, typer.Argument(help="Up to this time; default: now.")] = None,
    config: Config = None,
) -> None:
    """Announce once more what happened in a time: for a listener that lost it. Others drop it by its id. 重新发布"""
    from canonical.time import SHANGHAI
    from gateway.hub import clock
    from storage.announcements import Announcements

    first = since.replace(tzinfo=since.tzinfo or SHANGHAI)
    last = until.replace(tzinfo=until.tzinfo or SHANGHAI) if until else clock()

    async def job() -> int:
        async with store(config) as opened:
            return await Announcements(opened).again(first, last)

    out.print(f"events of {run(job)} cases are announced again", highlight=False)


@commands.command("off")
def off(
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Announce nothing any more and forget what waits: for a hub that gives up its bus. 停用总线

    A worker that is started with GRIDHUB_BUS_URL switches it on again.
    """
    from storage.announcements import Announcements

    if not yes:
        typer.confirm("Listeners will never hear what waits now. Go on?", abort=True)

    async def job() -> int:
        async with store(config) as opened:
            return await Announcements(opened).switch_off()

    out.print(f"announcing ends; {run(job)} waiting were forgotten", highlight=False)
