"""`gridhub journal`: messages as they came and went."""

import getpass
from collections import Counter
from typing import Annotated, Any
from uuid import UUID

import typer

from canonical.time import in_shanghai
from gateway.cli.shared import AsJson, Config, emit, hub, listed, missing, out, run, store

_ARROWS = {"in": "->", "out": "<-", "answer": "<="}
"""Into the hub, out of it, and what was answered to what went out."""

commands = typer.Typer(help="Messages as they came and went, and what became of them. 交换记录", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="journal")


@commands.command("list")
def list_messages(
    system: Annotated[str, typer.Option(help="Only of this system.")] = "",
    verdict: Annotated[
        str, typer.Option(help="Only these: case, joined, repeated, applied, refused, quarantined, held, ...")
    ] = "",
    case: Annotated[str, typer.Option(help="Only of this case number.")] = "",
    external_id: Annotated[str, typer.Option("--id", help="Only with this id of the source.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """The newest messages, without their bodies."""
    from storage.journal import Journal

    rows = listed(
        config,
        lambda opened: Journal(opened).rows(
            system=system, verdict=verdict, case_no=case, external_id=external_id, limit=limit
        ),
        as_json=as_json,
    )
    for row in rows:
        at = in_shanghai(row.at).strftime("%m-%d %H:%M:%S")
        arrow = _ARROWS[row.direction]
        out.print(
            f"{at} {arrow} {row.system} {row.kind or row.door}  [bold]{row.verdict}[/bold] {row.case_no}",
            highlight=False,
        )
        size = f"removed, SHA-256 {row.digest}" if row.digest else f"{row.size} bytes"
        out.print(f"    {row.id}  {size}  {row.external_id}", highlight=False, style="dim")
        if row.text:
            out.print(f"    {row.text}", highlight=False, markup=False)


@commands.command("show")
def show(
    message: Annotated[UUID, typer.Argument(help="Id of a message.")],
    body: Annotated[
        bool, typer.Option("--body", help="Print the bytes as they are kept: they may hold personal data.")
    ] = False,
    files: Annotated[
        bool, typer.Option("--files", help="With --body: as they travelled, files of ours in their places again.")
    ] = False,
    config: Config = None,
) -> None:
    """One message.

    Of what we sent, files are kept by their digests alone; --files puts them back in, and says so when it cannot.
    """
    from gateway.carrying import TRAVELLED, travelled
    from gateway.settings import settings
    from gateway.views import row_view
    from storage.files import FileStore
    from storage.journal import Journal
    from storage.replays import Replays

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            return await Journal(opened).message(message), await Replays(opened).links(message)

    found, links = run(job)
    if found is None:
        missing(f"no message {message}")
    row, whole = found
    if body and row.digest:
        missing(f"the bytes of {message} were removed by retention; their SHA-256 was {row.digest}")
    if body:
        store_ = FileStore(settings(config).file_folder)
        typer.echo(travelled(whole, store_) if files else whole.body, nl=False)
        return
    shown: dict[str, Any] = {"content_type": whole.content_type}
    if TRAVELLED in whole.headers:
        shown["travelled"] = whole.headers[TRAVELLED]
    of, by = links
    shown |= {"replays": str(of)} if of else {}
    shown |= {"replayed_by": [str(one) for one in by]} if by else {}
    emit(row_view(row) | shown)


@commands.command("replay")
def replay(
    system: Annotated[str, typer.Option(help="Only of this system.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Read quarantined messages again with today's tables. 重放隔离报文

    Add the missing row to the code table first; messages that still cannot be read stay in quarantine. It is a replay
    like any other, planned and carried out in one go: gridhub replay list shows it.
    """
    from canonical.message import ACCEPTED
    from gateway.replay.run import heal

    async def job() -> dict[str, int]:
        async with hub(config) as wired:
            became = Counter[str]()
            for name in [system] if system else wired.configuration.systems:
                became.update(await heal(wired, name, getpass.getuser(), "gridhub journal replay"))
            healed, waiting = sum(became[verdict] for verdict in ACCEPTED), became.total()
            return {"quarantined": waiting, "healed": healed, "still quarantined": waiting - healed}

    result = run(job)
    if as_json:
        emit(result)
    else:
        out.print(", ".join(f"{count} {name}" for name, count in result.items()))
