"""`gridhub search`: how far the index has come by which people find cases, and building it anew."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.shared import AsJson, Config, emit, line, run, store

if TYPE_CHECKING:
    from storage.search_index import Indexed

commands = typer.Typer(help="The index by which people find cases. 检索", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="search")


@commands.command("status")
def status(config: Config = None, as_json: AsJson = False) -> None:
    """How far the index has come. Ends with 1 while it does not have all cases."""
    from gateway.search.view import index_view
    from storage.search_index import indexed

    async def job() -> "Indexed":
        async with store(config) as opened:
            return await indexed(opened)

    found = run(job)
    if as_json:
        emit(index_view(found))
    else:
        line("all cases are found" if found.complete else "older cases are still taken in, or no worker does it")
        line(f"waiting since {found.waiting:%Y-%m-%d %H:%M:%S}" if found.waiting else "nothing waits")
    if not found.complete:
        raise typer.Exit(1)


@commands.command("rebuild")
def rebuild(
    yes: Annotated[bool, typer.Option("--yes", help="Do it: until it is done, older cases are not found.")] = False,
    config: Config = None,
) -> None:
    """Forget the index; workers with the role clock build it anew, the newest cases first. Cases stay as they are.

    Needed after GRIDHUB_SECRET was changed: telephones are kept as digests with a key of it.
    """
    from storage.search_index import rebuild as forget

    if not yes:
        raise typer.BadParameter("say --yes: until it is built anew, older cases are found by their exact number only")

    async def job() -> None:
        async with store(config) as opened:
            await forget(opened)

    run(job)
    line("forgotten; a worker with the role clock builds it anew, see gridhub search status")
