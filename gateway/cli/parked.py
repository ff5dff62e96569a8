"""`gridhub parked`: outbound messages that wait for a person."""

from typing import Annotated
from uuid import UUID

import typer

from gateway.cli.shared import AsJson, Config, listed, missing, out, run, store

commands = typer.Typer(help="Outbound messages that wait for a person. 待人工处理的消息", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="parked")


@commands.command("list")
def list_parked(config: Config = None, as_json: AsJson = False) -> None:
    """What is parked, oldest first, with the reason. Each holds up only its own case at its own system."""
    from storage.outbox import Outbox

    rows = listed(config, lambda opened: Outbox(opened).stuck(), as_json=as_json)
    for row in rows:
        out.print(f"{row.id}  case {row.case_no}", highlight=False)
        doubt = "in doubt: " if row.in_doubt else ""
        out.print(
            f"    {row.system} {row.message}, attempt {row.attempts}: {doubt}{row.text}", highlight=False, markup=False
        )
    out.print(f"{len(rows)} parked")


@commands.command("release")
def release(
    delivery: Annotated[UUID, typer.Argument(help="Id from gridhub parked list.")], config: Config = None
) -> None:
    """Send it again. When it was in doubt, ask the other side first whether it has it."""
    from gateway.hub import clock
    from storage.outbox import Outbox

    async def job() -> bool:
        async with store(config) as opened:
            return bool(await Outbox(opened).release(delivery, now=clock()))

    _settled(run(job), delivery, "released; it is sent as soon as a worker is free")


@commands.command("withdraw")
def withdraw(
    delivery: Annotated[UUID, typer.Argument(help="Id from gridhub parked list.")],
    reason: Annotated[str, typer.Option(help="Why it shall not be sent; kept with it.")],
    config: Config = None,
) -> None:
    """Never send it; the messages behind it in its lane go on."""
    from gateway.hub import clock
    from storage.outbox import Outbox

    async def job() -> bool:
        async with store(config) as opened:
            return bool(await Outbox(opened).withdraw(delivery, reason, now=clock()))

    _settled(run(job), delivery, "withdrawn")


def _settled(done: bool, delivery: UUID, words: str) -> None:
    if not done:
        missing(f"{delivery} is not parked (any more)")
    out.print(f"{delivery} {words}")
