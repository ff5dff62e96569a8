"""`gridhub grids reattribute`: cases into the grids of another day, with a diff."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.shared import AsJson, Config, day_of, emit, err, hub, line, run

if TYPE_CHECKING:
    from datetime import date, datetime

    from gateway.grids.reattributing import Chosen, Counted

_SHOWN = 10


def reattribute(
    day: Annotated[str, typer.Option(help="Grids of which day, 2026-07-01; default: today in Shanghai.")] = "",
    since: Annotated[
        str, typer.Option(help="Cases received from this day on, ended ones as well; default: the open ones.")
    ] = "",
    until: Annotated[str, typer.Option(help="With --since: up to this day; default: today.")] = "",
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it. Without, it only says what would become of them.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; stands in each case.")] = "grids of another day 网格换版",
    by: Annotated[str, typer.Option("--by", help="Who decides; stands in each case.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV of every case that is not as it was.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Put cases into the grids of another day: after a new set, or after a set was taken back. 重新归格

    A new set leaves the cases of before where they are; this is the run that moves them, each with an event of its own.
    Only their grids change, not whose work they are: where the responsibility list would name another unit now, the
    diff says so. A unit grid that a person chose stays. Without --apply nothing is changed.
    """
    from gateway.grids.reattributing import Chosen

    begin, end = _interval(since, until)
    chosen = Chosen(day_of(day, "--day") or _today(), begin, end)
    counted = run(lambda: _run(config, chosen, by=by, reason=reason, dry=not apply, output=output))
    if as_json:
        emit(_view(counted, chosen, applied=apply))
    else:
        _print(counted, chosen, applied=apply)
        if output:
            line(f"which, case by case: {output}")


async def _run(
    config: Path | None, chosen: "Chosen", *, by: str, reason: str, dry: bool, output: Path | None
) -> "Counted":
    from contextlib import nullcontext

    from gateway.grids.reattributing import run as running

    async with hub(config) as wired:
        file = output.open("w", encoding="utf-8-sig", newline="") if output else nullcontext()
        with file as diff, err.status("looking at cases") as shown:

            def told(so_far: "Counted") -> None:
                shown.update(f"{so_far.seen:,} cases")

            return await running(wired, chosen, by=by, reason=reason, dry=dry, diff=diff, told=told)


def _interval(since: str, until: str) -> "tuple[datetime | None, datetime | None]":
    from datetime import datetime, time, timedelta

    from canonical.time import SHANGHAI

    if not since:
        if until:
            raise typer.BadParameter("needs --since", param_hint="--until")
        return None, None
    first, last = day_of(since, "--since") or _today(), day_of(until, "--until") or _today()
    if last < first:
        raise typer.BadParameter(f"{last} lies before {first}", param_hint="--until")
    begin = datetime.combine(first, time.min, SHANGHAI)
    return begin, datetime.combine(last + timedelta(days=1), time.min, SHANGHAI)


def _view(counted: "Counted", chosen: "Chosen", *, applied: bool) -> dict[str, object]:
    from routing.reattributing import Verdict

    return {
        "day": chosen.day.isoformat(), "applied": applied, "cases": counted.seen,
        "verdicts": {one.value: counted.verdicts[one] for one in Verdict},
        "moves": [{"before": pair[0], "after": pair[1], "cases": many} for pair, many in counted.pairs.most_common()],
        "another_unit": counted.units,
    }  # fmt: skip


def _print(counted: "Counted", chosen: "Chosen", *, applied: bool) -> None:
    from routing.reattributing import VERDICT_TITLES, Verdict

    which = "open cases 未结案件" if chosen.begin is None else "cases received then 期间案件"
    line(f"{counted.seen:,} {which} in the grids of {chosen.day}", style="bold")
    for verdict in Verdict:
        line(f"{counted.verdicts[verdict]:>10,} {verdict:<9} {VERDICT_TITLES[verdict]}")
    for (before, after), many in counted.pairs.most_common(_SHOWN):
        line(f"{many:>10,} {before or 'no grid 无网格'} -> {after or 'no grid 无网格'}", indent=4)
    if len(counted.pairs) > _SHOWN:
        line(f"and {len(counted.pairs) - _SHOWN} more pairs: --output tells all", indent=4)
    if counted.units:
        line(
            f"{counted.units:,} open cases would be another unit's by the responsibility list 责任单位不同",
            style="yellow",
        )
    line("done 已完成" if applied else "nothing was changed: give it again with --apply 试算")


def _today() -> "date":
    from gateway.hub import clock

    return clock().date()
