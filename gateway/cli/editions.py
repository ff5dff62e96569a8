"""`gridhub editions`: which declarations were ever loaded, and what differs between two of them."""

from typing import Annotated, Any

import typer

from canonical.time import in_shanghai
from gateway.cli.shared import AsJson, Config, connected, emit, missing, out, run, store, systems

commands = typer.Typer(help="Editions of declarations that were loaded here. 声明版本", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="editions")


@commands.command("list")
def list_editions(
    system: Annotated[str, typer.Option(help="Only of this system.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What was loaded, the latest first: its digest, what it calls itself, from when to when it was started with."""
    from gateway.edition import SHOWN, described
    from storage.editions import Editions

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            return await Editions(opened).listed(system)

    today = {name: one.edition for name, one in systems(config).items()}
    views = [described(one, today) for one in run(job)]
    if as_json:
        emit(views)
        return
    for view in views:
        first, last = (in_shanghai(view[name]).strftime("%Y-%m-%d %H:%M") for name in ("first_at", "last_at"))
        mark = "  today 现用" if view["today"] else ""
        text = f"{view['edition'][:SHOWN]}  {view['system']}  edition {view['declared']}  {first} .. {last}{mark}"
        out.print(text, highlight=False, markup=False, soft_wrap=True)


@commands.command("diff")
def diff(
    system: Annotated[str, typer.Argument(help="Name of the system in systems.yaml.")],
    old: Annotated[str, typer.Argument(help="The beginning of a digest from gridhub editions list.")],
    new: Annotated[str, typer.Argument(help="Another; default: the folder as it is now.")] = "",
    config: Config = None,
) -> None:
    """What differs between two editions: files, lines, and rows of code tables. Ends with 1 when anything does."""
    from gateway.edition_files import difference, files_of, unpacked
    from storage.editions import Editions

    async def job() -> list[dict[str, bytes]]:
        async with store(config) as opened:
            editions = Editions(opened)
            kept = {one.digest for one in await editions.listed(system)}
            found = []
            for given in filter(None, (old, new)):
                fitting = [digest for digest in kept if digest.startswith(given.lower())]
                if len(fitting) != 1:
                    missing(f"'{given}' begins {len(fitting)} editions of {system}; see gridhub editions list")
                content = await editions.content(system, fitting[0])
                found.append(unpacked(content or b""))
            return found

    found = run(job)
    if not new:
        found.append(files_of(connected(system, config).folder))
    told = list(difference(*found))
    for text in told:
        out.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if told:
        raise typer.Exit(1)
    out.print("no difference 无差异")
