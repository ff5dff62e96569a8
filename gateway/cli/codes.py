"""`gridhub codes`: rows of code tables, and codes that came without one."""

import getpass
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size

from canonical.time import in_shanghai
from gateway.cli.shared import AsJson, Config, connected, emit, hub, out, run, store, systems

_WIDTH = 80
commands = typer.Typer(help="Code tables: add a row, see which codes lack one. 代码表", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="codes")


@commands.command("add")
def add(
    system: Annotated[str, typer.Argument(help="Name of the system in systems.yaml.")],
    table: Annotated[str, typer.Argument(help="Name of the table, such as accord_types.")],
    local: Annotated[str, typer.Argument(help="The system's own code.")],
    canonical: Annotated[str, typer.Argument(help="The hub's value, or: text only, unchanged, quarantine.")],
    title: Annotated[str, typer.Option(help="What the code is called.")] = "",
    into: Annotated[
        Path | None, typer.Option(help="Edit this folder instead; made as a copy when it is not there.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Read quarantined messages of the system again.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Append a row to a code table, checked before it is written. 补一行代码

    Refuses a code that has a row, and a row that makes the folder wrong. Running hubs take it at their next start;
    what is added at `/api/quarantine/codes` they use at once.
    """
    from gateway.code_rows import add_row, editable

    folder, copied = editable(connected(system, config).folder, into)
    file, line = add_row(folder, table, local, canonical, title)
    used = connected(system, config).folder.resolve() == folder.resolve()
    outcomes = _replayed(system, config) if replay and used else None
    if as_json:
        emit({"file": str(file), "line": line, "copied": copied, "in_use": used, "replayed": outcomes})
        return
    out.print(
        f"{file}:{line}: {local} -> {canonical} {title}", highlight=False, markup=False, emoji=False, soft_wrap=True
    )
    if not used:
        hint = f"not in use yet 尚未启用: write `adapter: {folder.name}` for {system} in systems.yaml"
        out.print(hint, style="yellow", highlight=False, markup=False, emoji=False, soft_wrap=True)
    elif outcomes is None:
        out.print("next 下一步: gridhub journal replay --system " + system, highlight=False)
    else:
        said = ", ".join(f"{count} {verdict}" for verdict, count in outcomes.items()) or "nothing was in quarantine"
        out.print(f"replayed 重放: {said}", highlight=False)


@commands.command("export")
def export(
    system: Annotated[str, typer.Argument(help="Name of the system in systems.yaml.")],
    into: Annotated[
        Path | None, typer.Option(help="Write into this folder instead; made as a copy when it is not there.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write the rows that were added while the hub ran into the system's folder. 导出运行中补的代码

    What the folder has by now, and what a later row took back, is left out. Done twice it does no harm.
    """
    from gateway.code_rows import editable, export_rows
    from storage.code_rows import CodeRows

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            return await CodeRows(opened).all(system)

    found = run(job)
    folder, _ = editable(connected(system, config).folder, into)
    written = export_rows(folder, found)
    if as_json:
        emit([{"file": str(file), "line": line, "local": row.local} for row, file, line in written])
        return
    for row, file, line in written:
        _line(f"{file.name}:{line}: {row.local} -> {row.canonical}  {row.actor}: {row.reason}")
    out.print(f"{len(written)} rows written, {len(found)} were ever added", highlight=False)


def _replayed(system: str, config: Path | None) -> dict[str, int]:
    """What became of the quarantined messages, by verdict."""
    from gateway.replay.run import heal

    async def job() -> dict[str, int]:
        async with hub(config) as wired:
            healed = await heal(wired, system, getpass.getuser(), "gridhub codes add --replay")
            return {verdict: count for verdict, count in healed.items() if count}

    found: dict[str, int] = run(job)
    return found


@commands.command("drift")
def drift(
    system: Annotated[str, typer.Argument(help="Only of this system; default: all.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Codes in quarantined messages that have no row, with how often and since when. 代码漂移

    Shows codes only, never other values of a message. Ends with 1 when there are any.
    """
    from dataclasses import asdict

    from gateway.drift import drift as look
    from storage.journal import Journal

    known = systems(config)
    if system:
        connected(system, config)

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            return await look(Journal(opened), known, system=system)

    found = run(job)
    if as_json:
        owners = {name: {"title": one.system.role.title, "folder": str(one.folder)} for name, one in known.items()}
        emit(asdict(found) | {"systems": {one.system: owners[one.system] for one in found.missing}})
    else:
        _print(found, known)
    if found.missing:
        raise typer.Exit(1)


def _print(found: Any, systems: dict[str, Any]) -> None:  # noqa: ANN401
    named = ""
    for one in found.missing:
        if one.system != named:
            named = one.system
            out.print(f"[bold]{named}[/bold] {systems[named].system.role.title}", highlight=False)
            out.print(f"  {systems[named].folder}", style="dim", highlight=False, soft_wrap=True)
        first, last = (in_shanghai(at).strftime("%Y-%m-%d %H:%M") for at in (one.first, one.last))
        when = first if first == last else f"{first} to {last}"
        _line(f"  {one.code}  {one.count} message{'s' if one.count > 1 else ''} 报文, {when}")
        _line(f"      {one.table}  ({one.field} <- {one.path})", style="dim")
        if one.table.startswith("codes/"):
            table = one.table.removeprefix("codes/").removesuffix(".csv")
            _line(f"      gridhub codes add {one.system} {table} {shlex.quote(one.code)} ...", style="dim")
    kinds = f"{found.messages} quarantined for a code 因代码隔离"
    _line(f"{kinds}, {found.unexplained} of them have none missing today 今已不缺" if found.unexplained else kinds)


def _line(text: str, style: str = "") -> None:
    """At most eighty columns: a code may be any text a platform sent."""
    flat = " ".join(text.splitlines())
    cut = flat if cell_len(flat) <= _WIDTH else set_cell_size(flat, _WIDTH - 1) + "…"
    out.print(cut, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)
