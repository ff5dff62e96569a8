"""`gridhub reconcile`: what we have and what other systems have, compared, repaired, signed off."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.cells import cell_len, set_cell_size

from canonical.time import in_shanghai
from gateway.cli.shared import AsJson, Config, emit, err, hub, missing, out, run, store

if TYPE_CHECKING:
    from storage.statements import Statement

_WIDTH = 80
commands = typer.Typer(help="Our cases compared with each system's. 对账", no_args_is_help=True)
Actor = Annotated[str, typer.Option("--by", help="Who does it; kept with the difference.")]
Why = Annotated[str, typer.Option(help="Why; kept with the difference.")]
Which = Annotated[UUID, typer.Argument(help="Id from gridhub reconcile list.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="reconcile")


@commands.command("run")
def run_now(
    systems: Annotated[list[str] | None, typer.Argument(help="Systems to compare; default: all that can be.")] = None,
    actor: Actor = "command line",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare now, whatever the schedule says. 立即对账

    Asks the other systems and changes nothing. Ends with 1 when a statement shows differences, does not balance, or
    could not say all it should.
    """
    from gateway.reconciliation.view import statement_view

    made = run(lambda: _made(config, systems or [], actor))
    if as_json:
        emit([statement_view(one) for one in made])
    else:
        for one in made:
            _print(one)
    if any(one.trouble or not one.balances or _open(one) for one in made):
        raise typer.Exit(1)


def _open(made: "Statement") -> int:
    from canonical.reconciliation import DIFFERENCES

    return sum(made.counts.get(name, [0])[0] for name in DIFFERENCES)


async def _made(config: Path | None, names: list[str], actor: str) -> "list[Statement]":
    """One finished statement of each system."""
    from gateway.reconciliation.api import compared_systems
    from gateway.reconciliation.now import compare_now

    async with hub(config) as wired:
        known = compared_systems(wired)
        for name in names:
            if name not in known:
                missing(f"no system '{name}' is compared; there are {', '.join(sorted(known)) or 'none'}")
        found = []
        for name in names or sorted(known):
            with err.status(f"comparing {name}"):
                found.append(await compare_now(wired, known[name], actor))
        return found


@commands.command("list")
def list_differences(
    system: Annotated[str, typer.Option(help="Only of this system.")] = "",
    state: Annotated[str, typer.Option(help="open, signed_off, closed or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """How far each system is known to agree with us, and the differences, the oldest first. 差异"""
    from gateway.reconciliation.api import compared_systems
    from gateway.reconciliation.view import confidence_view, difference_view
    from storage.differences import STATES, Differences
    from storage.statements import Statements

    if state not in (*STATES, "all"):
        raise typer.BadParameter(f"one of {', '.join(STATES)}, all", param_hint="--state")

    async def job() -> dict[str, Any]:
        async with hub(config) as wired:
            differences, now = Differences(wired.store), wired.now()
            counted = {one.system: one for one in await differences.confidence(now)}
            last = Statements(wired.store).last
            known = {name: one for name, one in compared_systems(wired).items() if system in ("", name)}
            found = await differences.find(system=system, state="" if state == "all" else state, limit=limit)
            return {
                "systems": [confidence_view(o, await last(n), counted.get(n), now) for n, o in sorted(known.items())],
                "differences": [difference_view(one, now) for one in found],
            }

    view = run(job)
    if as_json:
        emit(view)
        return
    for one in view["systems"]:
        for text in _confidence(one):
            _line(text, style="" if one["confident"] else "yellow")
    for one in view["differences"]:
        _difference(one)
    _line(f"{len(view['differences'])} differences 差异")


def _confidence(one: dict[str, Any]) -> tuple[str, str]:
    last, ages = one["last"], one["by_age"]
    when = last["finished_at"][:16].replace("T", " ") if last else "never 从未"
    word = "silence only 仅看静默" if one["by"] == "told" else "not trusted 存疑"
    word = "trusted 可信" if one["confident"] else word
    counts = f"open 未结 {one['open']}: <1d {ages['under_a_day']}, <7d {ages['under_a_week']}, older {ages['older']}"
    return f"{one['system']}  {word}", f"    compared 核对于 {when}  {counts}"


def _difference(one: dict[str, Any]) -> None:
    days, hours = divmod(int(one["age_hours"]), 24)
    age = f"{days}d{hours}h" if days else f"{hours}h"
    state = "under repair 处置中" if one["under_repair"] else one["state"]
    _line(f"{one['id']}  {one['title']} {one['class']}  {age}  {state}")
    _line(f"    {one['system']}  {one['case_no'] or '-'}  {one['external_id'] or '-'}")
    _line(f"    {one['text']}")
    if one["repairs"]:
        _line(f"    repairs 可处置: {', '.join(one['repairs'])}", style="dim")


@commands.command("show")
def show(
    system: Annotated[str, typer.Argument(help="Name of the system in systems.yaml.")],
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Its day; default: the latest.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write the whole statement into this file, for a spreadsheet.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """The last statement of a system and day, with totals that balance. 对账单"""
    from gateway.reconciliation.api import all_lines
    from gateway.reconciliation.view import csv_of, line_view, statement_view
    from storage.statements import Statements

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            statements = Statements(opened)
            found = await statements.find(system=system, day=day.date() if day else None, limit=1)
            return (found[0], await all_lines(statements, found[0])) if found else None

    found = run(job)
    if found is None:
        missing(f"there is no statement of {system}" + (f" of {day:%Y-%m-%d}" if day else ""))
    made, rows = found
    if csv:
        csv.write_text(csv_of(made, rows), encoding="utf-8", newline="")
    if as_json:
        emit({"statement": statement_view(made), "lines": [line_view(row) for row in rows]})
        return
    _print(made)
    for row in rows:
        shown = line_view(row)
        _line(f"{shown['title']} {shown['class']}  {shown['case_no'] or '-'}  {shown['external_id'] or '-'}")
        _line(f"    {shown['text']}")
    if csv:
        out.print(str(csv), highlight=False, markup=False, soft_wrap=True)


@commands.command("repair")
def repair(
    difference: Which,
    how: Annotated[str, typer.Argument(help="hand_over, take_in or tell; gridhub reconcile list says which can be.")],
    reason: Why,
    actor: Actor = "command line",
    config: Config = None,
) -> None:
    """Repair a difference. Done twice it is harmless; the next statement tells whether it helped. 差异处置"""
    from gateway.reconciliation.repair import Repair, Repairer

    if how not in list(Repair):
        raise typer.BadParameter(f"one of {', '.join(Repair)}", param_hint="HOW")

    async def job() -> Any:  # noqa: ANN401
        async with hub(config) as wired:
            return await Repairer(wired).repair(difference, Repair(how), actor=actor, reason=reason)

    _line(f"{difference} {run(job).text}")


@commands.command("sign-off")
def sign_off(difference: Which, reason: Why, actor: Actor = "command line", config: Config = None) -> None:
    """Accept a difference as it is: it is shown no more until it changes. 差异签认"""
    from gateway.reconciliation.repair import Repairer

    async def job() -> Any:  # noqa: ANN401
        async with hub(config) as wired:
            return await Repairer(wired).sign_off(difference, actor=actor, reason=reason)

    _line(f"{difference} {run(job).text}")


def _print(made: "Statement") -> None:
    """A statement at eighty columns: every class, what it comes to, and whether it balances."""
    from canonical.reconciliation import CLASS_TITLES, LineClass

    _line(f"[{made.system}] {made.day} 第 {made.edition} 版 edition {made.edition}, by {made.way}")
    as_of, end = _time(made.as_of), _time(made.finished_at)
    _line(f"as of 截至 {as_of}, finished 完成 {end}")
    _line(_padded("", 32) + "".join(f"{name:>16}" for name in ("lines", "ours", "theirs")))
    for name in LineClass:
        numbers = made.counts.get(name, [0, 0, 0])
        _line(_padded(f"{CLASS_TITLES[name]} {name}", 32) + "".join(f"{number:>16}" for number in numbers))
    _line(_padded("合计 total", 32) + "".join(f"{made.sum(column):>16}" for column in range(3)))
    _line(_padded("参与核对 compared", 32) + f"{'':>16}{made.ours:>16}{made.theirs:>16}")
    _line("平衡 balanced" if made.balances else "不平衡 DOES NOT BALANCE", style="" if made.balances else "red")
    if made.left_out:
        _line(f"{made.left_out} items of theirs need not be here 对方另有 {made.left_out} 件与我方无关")
    if made.trouble:
        _line(f"不完整 incomplete: {made.trouble}", style="yellow")


def _time(at: datetime | None) -> str:
    return in_shanghai(at).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def _padded(text: str, width: int) -> str:
    return set_cell_size(text, width)


def _line(text: str, style: str = "") -> None:
    """At most eighty columns: a state may be any text a platform sent."""
    flat = " ".join(text.splitlines())
    cut = flat if cell_len(flat) <= _WIDTH else set_cell_size(flat, _WIDTH - 1) + "…"
    out.print(cut, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)
