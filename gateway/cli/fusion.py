"""`gridhub fusion`: who is the centre for which class, how a lead system and the hub decide, and who takes over."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.cli.shared import AsJson, Config, city, emit, err, hub, line, run, store

if TYPE_CHECKING:
    from canonical.lifecycle import ActionKind
    from gateway.fusion.moving import Moved
    from gateway.refusal import Refusal

_USAGE, _NOT_FOUND = 2, 5
commands = typer.Typer(help="Modes of fusion: who is the centre, in shadow, taken over. 融合模式", no_args_is_help=True)
System = Annotated[str, typer.Argument(help="The lead system, as fusion.csv names it.")]
Classes = Annotated[str, typer.Argument(help="Class or classes: 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *.")]
Reason = Annotated[str, typer.Option(help="Why; stands in each case.")]
By = Annotated[str, typer.Option("--by", help="Who decides; stands in each case.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only say what would become of the cases.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="fusion")


@commands.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Who is the centre for which class, and how many cases are open under whom. 现行模式"""
    view = run(lambda: _status(config))
    if as_json:
        emit(view)
        return
    titles = {"separate_hub": "separate hub 独立中枢", "lead_system": "lead-system mode 牵头模式"}
    line(titles[view["mode"]], style="bold")
    for row in view["rows"]:
        begins = "since" if row["in_force"] else "from"
        line(f"{row['id']:<6} {row['class']:<18} {row['centre']:<20} {begins} {row['since'][:16]}")
        if row["basis"]:
            line(row["basis"], indent=7, style="dim")
    line("open cases 未结案件:" if view["open"] else "no case is open")
    for one in view["open"]:
        line(f"{one['cases']:>8}  {one['class'] or 'no class':<18} {one['centre']:<20} of {one['source']}")


async def _status(config: Path | None) -> dict[str, Any]:
    from gateway.fusion.view import status_view
    from gateway.hub import clock
    from storage.shadows import Shadows

    fusion = city(config, whole=True).city.fusion
    async with store(config) as opened:
        return await status_view(fusion, Shadows(opened), clock())


@commands.command()
def compare(
    since: Annotated[str, typer.Option(help="From when, such as 2026-11-01; default: 28 days ago.")] = "",
    until: Annotated[str, typer.Option(help="Until when; default: now.")] = "",
    class_: Annotated[str, typer.Option("--class", help="Only these, such as 30428.2:E04-*.")] = "",
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Differences at most.")] = 20,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What lead systems decided beside what our tables would have done, class by class. 影子比对

    Compared is what both sides said: whether to file, which unit, due when (to the minute), and whether the work was
    done in time by both reckonings. What our tables leave to a person is not compared, and counted apart.
    """
    view = _told(lambda: _comparison(config, since, until, class_, limit))
    if as_json:
        emit(view)
        return
    line(f"{view['since'][:16]} to {view['until'][:16]}", style="bold")
    if not view["classes"]:
        line("no lead system decided anything in this time")
        return
    line(f"{'class':<18}{'cases':>7}{'filing':>10}{'unit':>10}{'due':>10}{'on time':>10}  lead", style="bold")
    for one in view["classes"]:
        said = "".join(f"{_share(one['agreement'][name]):>10}" for name in ("filing", "unit", "due", "on_time"))
        line(f"{one['class_code'] or 'no class':<18}{one['cases']:>7}{said}  {one['system']}")
    if view["differing"]:
        line("where they differ, the latest first 不一致:", style="bold")
    for one in view["differing"]:
        _differing(one)


def _differing(one: Mapping[str, Any]) -> None:
    line(f"{one['case_no']} {one['step']} {one['at'][:16]} {one['class_code']}")
    for side in ("theirs", "ours"):
        due = one[f"{side}_due"]
        said = f"{one[side] or 'left to a person'}{f', due {due[:16]}' if due else ''}"
        line(f"{side:<7} {said}", indent=2)
    line(one["why"], indent=10, style="dim")


def _share(share: float | None) -> str:
    return "no base" if share is None else f"{share:.1%}"


async def _comparison(config: Path | None, since: str, until: str, class_: str, limit: int) -> dict[str, Any]:
    from gateway.duty import instant
    from gateway.fusion.api import WEEKS
    from gateway.fusion.moving import prefix_of
    from gateway.fusion.view import comparison_view
    from gateway.hub import clock
    from gateway.refusal import Refusal
    from storage.shadows import Shadows

    last = instant(until, "until") or clock()
    first = instant(since, "since") or last - WEEKS
    if first > last:
        raise Refusal(422, "invalid", "since lies after until", "write --since 2026-11-01 --until 2026-12-01")
    async with store(config) as opened:
        return await comparison_view(Shadows(opened), first, last, prefix_of(class_ or "*"), limit)


@commands.command("take-over")
def take_over(
    system: System, classes: Classes, reason: Reason, by: By = "command line", dry_run: Dry = False,
    config: Config = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The hub becomes the centre of the lead system's open cases of a class. 接管

    First a row of fusion.csv says so for new cases: centre `hub`, from a moment on. Each case goes on as it stands; the
    system is told where its folder says how. Stopped in between, it goes on where it was. Ends with 1 when cases stay.
    """
    from canonical.lifecycle import ActionKind

    _move(ActionKind.TAKE_OVER, system, classes, reason, by, config, dry_run=dry_run, as_json=as_json)


@commands.command("hand-back")
def hand_back(
    system: System, classes: Classes, reason: Reason, by: By = "command line", dry_run: Dry = False,
    config: Config = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The lead system becomes the centre again of the open cases that it reported. 交回

    First a row of fusion.csv says so for new cases. What another system has stays with the hub until it is closed or
    returned, and so does what others reported: run it again, none is lost meanwhile. Ends with 1 when cases stay.
    """
    from canonical.lifecycle import ActionKind

    _move(ActionKind.HAND_BACK, system, classes, reason, by, config, dry_run=dry_run, as_json=as_json)


def _move(
    kind: "ActionKind", system: str, classes: str, reason: str, by: str, config: Path | None, *, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    moved = _told(lambda: _moved(kind, system, classes, reason, by, config, dry_run))
    if as_json:
        from gateway.fusion.view import moved_view

        emit(moved_view(moved, dry=dry_run))
    else:
        done = "would be" if dry_run else "were"
        what = {"take_over": "taken over from", "hand_back": "handed back to"}[kind]
        line(f"{moved.done} of {moved.seen} open cases {done} {what} {system}", style="bold")
        for why, count in moved.stay.most_common():
            line(f"{count:>8} stay: {why}")
        if moved.cases:
            line(f"such as {', '.join(moved.cases[:3])}", indent=10, style="dim")
        if moved.untold and moved.done:
            line(f"tell its people 请电话告知: {moved.untold}", style="yellow")
    if moved.cases:
        raise typer.Exit(1)


async def _moved(
    kind: "ActionKind", system: str, classes: str, reason: str, by: str, config: Path | None, dry: bool
) -> "Moved":
    from gateway.fusion.moving import move

    async with hub(config) as wired:
        with err.status("looking at open cases") as shown:

            def told(so_far: "Moved") -> None:
                shown.update(f"{so_far.seen} open cases, {so_far.done} moved")

            return await move(wired, kind, system, classes, reason=reason, by=by, dry=dry, told=told)


def _told(job: Any) -> Any:  # noqa: ANN401
    from gateway.refusal import Refusal

    try:
        return run(job)
    except Refusal as error:
        _refused(error)


def _refused(error: "Refusal") -> NoReturn:
    err.print(f"gridhub: {error}", markup=False, highlight=False, soft_wrap=True)
    if error.hint:
        err.print(f"  {error.hint}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(_NOT_FOUND if error.status == 404 else _USAGE)
