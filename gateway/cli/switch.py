"""`gridhub switch` and `gridhub workers`: what is off for a system, and who works."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonical.records import What
from canonical.time import in_shanghai
from gateway.cli.shared import AsJson, Config, err, listed, out, run, store

if TYPE_CHECKING:
    from storage.switches import Switch


commands = typer.Typer(
    help="Stop and start the traffic to a system at once, for all processes. 投递开关", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="Name of the system in systems.yaml.")]
Of = Annotated[
    What, typer.Argument(help="sending: all that leaves. retry: what was tried before. fetching: pulls and receivers.")
]
Reason = Annotated[str, typer.Option(help="Why; kept with it.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept with it.", envvar="USER")]

_OFF = {
    What.SENDING: "nothing leaves for {system}; what is due waits, and nothing is lost",
    What.RETRY: "nothing is tried a second time at {system}; {parked} deliveries that were tried wait for a person",
    What.FETCHING: "nothing is asked for or taken from {system}; what it pushes is accepted, and nothing is lost",
}
_ON = {
    What.SENDING: "what waited for {system} goes on",
    What.RETRY: "from now on {system} is tried again; what was parked stays parked: see gridhub parked list",
    What.FETCHING: "what {system} has gathered meanwhile is fetched from where it stood",
}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="switch")

    @app.command("workers")
    def workers(config: Config = None, as_json: AsJson = False) -> None:
        """Worker processes that live, and systems whose breaker is open there. 工作进程"""
        from gateway.hub import clock
        from storage.crew import Crew

        rows = listed(config, lambda opened: Crew(opened).living(clock()), as_json=as_json)
        for row in rows:
            since = in_shanghai(row.started_at).strftime("%m-%d %H:%M:%S")
            out.print(f"{row.host}:{row.pid}  since {since}  {row.roles}", highlight=False, markup=False)
            if row.breakers != "{}":
                out.print(f"    breakers {row.breakers}", highlight=False, markup=False)
        out.print(f"{len(rows)} workers")


@commands.command("list")
def list_switches(config: Config = None, as_json: AsJson = False) -> None:
    """What was ever switched, and how it stands."""
    from storage.switches import Switches

    rows = listed(config, lambda opened: Switches(opened).all(), as_json=as_json)
    for row in rows:
        at = in_shanghai(row.at).strftime("%Y-%m-%d %H:%M")
        out.print(f"{row.system} {row.what} {'off' if row.off else 'on'}  {at} {row.actor}", highlight=False)
        out.print(f"    {row.reason}", highlight=False, markup=False)
    out.print(f"{sum(row.off for row in rows)} off")


@commands.command("history")
def history(
    system: Annotated[str, typer.Argument(help="Only of this system; default: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Turns at most.")] = 100,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Who switched what, when and why, the newest first. 开关记录"""
    from storage.switches import Switches

    rows = listed(config, lambda opened: Switches(opened).turns(system=system, limit=limit), as_json=as_json)
    for row in rows:
        at = in_shanghai(row.at).strftime("%Y-%m-%d %H:%M")
        said = f"{at} {row.system} {row.what} {'off' if row.off else 'on'}  {row.actor}: {row.reason}"
        out.print(said, highlight=False, markup=False, soft_wrap=True)
    out.print(f"{len(rows)} turns")


@commands.command("off")
def off(system: Name, what: Of, reason: Reason, by: By, config: Config = None) -> None:
    """Stop it now, what is queued or claimed included."""
    _set(system, what, by, reason, config, off=True)


@commands.command("on")
def on(system: Name, what: Of, reason: Reason, by: By, config: Config = None) -> None:
    """Start it again. Retry that is switched on wakes nothing that has failed before."""
    _set(system, what, by, reason, config, off=False)


def _set(system: str, what: "What", by: str, reason: str, config: Any, *, off: bool) -> None:  # noqa: ANN401
    from gateway.hub import clock
    from storage.switches import Switch

    if not reason.strip() or not by.strip():
        raise typer.BadParameter("say who and why", param_hint="--by and --reason")

    async def job() -> tuple[bool, list[str], int]:
        async with store(config) as opened:
            return await switched(opened, Switch(system, what, off, clock(), by, reason))

    changed, known, parked = run(job)
    if known and system not in known and what is not What.FETCHING:
        err.print(f"gridhub: nothing was ever sent to '{system}'; it is switched all the same", highlight=False)
    words = (_OFF if off else _ON)[what].format(system=system, parked=parked)
    out.print(f"{'' if changed else 'it stood so already: '}{words}", highlight=False, markup=False)


async def switched(opened: Any, switch: "Switch") -> tuple[bool, list[str], int]:  # noqa: ANN401
    """Whether it changed; the systems there are deliveries for; how many were parked by it."""
    from storage.outbox import Outbox
    from storage.switches import Switches

    outbox = Outbox(opened)
    changed = await Switches(opened).set(switch)
    parked = await outbox.park_tried(now=switch.at) if switch.off and switch.what == What.RETRY else 0
    return changed, await outbox.addressed(), parked
