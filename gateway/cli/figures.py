"""`gridhub figures`: whether the live figures are what counting comes to."""

from typing import Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, emit, line, out, run, store

commands = typer.Typer(help="The live figures of the cockpit. 实时计数", no_args_is_help=True)
_SHOWN = 20


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="figures")


@commands.command("check")
def check(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is off.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Count all cases, and compare with the tallies that the cockpit shows; ends with 1 where they differ.

    The database keeps them, so a difference is a defect, or comes of tables that were restored without their triggers.
    Takes seconds for a million cases; intake goes on meanwhile.
    """
    from gateway.hub import clock
    from storage.tally_check import check as compared

    async def job() -> list[Any]:
        async with store(config) as opened:
            return list(await compared(opened, clock(), repair=repair))

    found = run(job)
    if as_json:
        items = [{"cube": one.cube, "at": one.at, "keys": one.keys, "off": one.off} for one in found]
        emit({"repaired": repair, "items": items})
    else:
        _print(found, repaired=repair)
    if found and not repair:
        raise typer.Exit(1)


def _print(found: list[Any], *, repaired: bool) -> None:
    for one in found[:_SHOWN]:
        keys = " ".join(f"{name}={value}" for name, value in one.keys.items())
        line(f"{one.cube} {f'{one.at:%Y-%m-%d %H:%M} ' if one.at else ''}{keys}: {one.off:+}")
    if len(found) > _SHOWN:
        out.print(f"and {len(found) - _SHOWN} more: --json")
    said = "all tallies are right" if not found else f"{len(found)} tallies are off"
    out.print(said + (", put right" if found and repaired else "; --repair puts them right" if found else ""))
