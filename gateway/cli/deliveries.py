"""`gridhub deliveries`: what is on its way, what waits for a person, how each system's traffic stands."""

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from canonical.records import DeliveryState
from canonical.rights import EVERYTHING
from canonical.time import in_shanghai
from gateway.cli.shared import AsJson, Config, emit, missing, out, run, store

if TYPE_CHECKING:
    from storage.deliveries import Decision, DeliveryRow


commands = typer.Typer(help="Messages to systems: list, show, release, withdraw. 投递", no_args_is_help=True)
Id = Annotated[UUID, typer.Argument(help="Id from gridhub deliveries list.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the delivery and in the journal.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept with it.", envvar="USER")]
_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="deliveries")


@commands.command("list")
def list_deliveries(
    system: Annotated[str, typer.Option(help="Only those to this system.")] = "",
    state: Annotated[list[DeliveryState] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    case: Annotated[str, typer.Option(help="Only about the case with this number of the hub.")] = "",
    older_than: Annotated[str, typer.Option(help="Only those made before, such as 15m, 2h or 3d.")] = "",
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1, max=10_000)] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Deliveries that fit every given option, the newest first."""
    from gateway.views import row_view
    from storage.deliveries import Deliveries, DeliveryRow

    before = _before(older_than) if older_than else None

    async def job() -> list[DeliveryRow]:
        async with store(config) as opened:
            return await Deliveries(opened).find(
                scope=EVERYTHING,
                system=system,
                states=state or (),
                case_no=case,
                before=before,
                oldest=oldest,
                limit=limit,
            )

    rows: list[DeliveryRow] = run(job)
    if as_json:
        emit([row_view(row) for row in rows])
        return
    for row in rows:
        _line(row)
    out.print(f"{len(rows)} deliveries" + (", and maybe more: --limit" if len(rows) == limit else ""))


@commands.command("show")
def show(delivery: Id, config: Config = None, as_json: AsJson = False) -> None:
    """One delivery with every attempt and answer, and what it waits for. Bodies: gridhub journal show."""
    from gateway.views import row_view
    from storage.deliveries import Deliveries, Traced

    async def job() -> Traced | None:
        async with store(config) as opened:
            return await Deliveries(opened).one(delivery, scope=EVERYTHING)

    traced: Traced | None = run(job)
    if traced is None:
        missing(f"there is no delivery {delivery}")
    if as_json:
        messages, ahead = ([row_view(row) for row in rows] for rows in (traced.messages, traced.ahead))
        emit(row_view(traced.delivery) | {"messages": messages, "waits_for": ahead})
        return
    row = traced.delivery
    _line(row)
    times = (("made", row.created_at), ("left", row.sent_at), ("again", row.next_at), ("ended", row.done_at))
    told = ", ".join(f"{word} {in_shanghai(at):%m-%d %H:%M:%S}" for word, at in times if at)
    out.print(f"    {told}", highlight=False)
    for one in traced.ahead:
        out.print(f"    waits for {one.id} {one.message} {one.state}", highlight=False)
    for message in traced.messages:
        verdict = f"{message.verdict} {message.text}".strip()
        at = f"{in_shanghai(message.at):%m-%d %H:%M:%S}"
        out.print(f"  {at} {message.direction:6} {message.kind} {message.id}", highlight=False)
        out.print(f"      {verdict}", highlight=False, markup=False)


@commands.command("release")
def release(delivery: Id, reason: Reason, by: By, config: Config = None) -> None:
    """Send a refused or parked one again. When it was in doubt, ask the other side first whether it has it."""
    from storage.deliveries import Decision

    _decide(delivery, Decision.RELEASE, by, reason, config)
    out.print(f"{delivery} released; it is sent as soon as a worker is free")


@commands.command("withdraw")
def withdraw(delivery: Id, reason: Reason, by: By, config: Config = None) -> None:
    """Never send it; the messages behind it in its lane go on."""
    from storage.deliveries import Decision

    _decide(delivery, Decision.WITHDRAW, by, reason, config)
    out.print(f"{delivery} withdrawn")


@commands.command("traffic")
def traffic(config: Config = None, as_json: AsJson = False) -> None:
    """Unfinished deliveries of each system by state, and how old the oldest is that still goes by itself."""
    from gateway.hub import clock
    from gateway.views import row_view
    from storage.figures import LaneFigure, lanes

    async def job() -> list[LaneFigure]:
        async with store(config) as opened:
            return await lanes(opened)

    rows: list[LaneFigure] = run(job)
    if as_json:
        emit([row_view(row) for row in rows])
        return
    now = clock()
    for row in sorted(rows, key=lambda row: (row.system, row.state)):
        age = timedelta(seconds=int((now - row.oldest).total_seconds()))
        out.print(f"{row.system}  {row.state} {row.count}, the oldest {age} old", highlight=False)
    out.print(f"{sum(row.count for row in rows)} unfinished; switched off: gridhub switch list")


def _decide(delivery: UUID, what: "Decision", by: str, reason: str, config: Any) -> None:  # noqa: ANN401
    from gateway.deliveries import made, said
    from gateway.hub import clock, fresh_id
    from storage.deliveries import Deliveries

    if not reason.strip() or not by.strip():
        raise typer.BadParameter("say who and why", param_hint="--by and --reason")

    async def job() -> bool:
        async with store(config) as opened:
            now = clock()
            order = made(delivery, what, by, reason, now=now, id_=fresh_id())
            return await Deliveries(opened).decide(delivery, what, order, said(by, reason), now=now)

    if not run(job):
        missing(f"{delivery} is neither refused nor parked (any more)")


def _line(row: "DeliveryRow") -> None:
    out.print(f"{row.id}  {row.state}  case {row.case_no}", highlight=False)
    doubt = "may have arrived: " if row.in_doubt else ""
    words = f": {doubt}{row.text}" if row.text or doubt else ""
    out.print(f"    {row.system} {row.message}, attempt {row.attempts}{words}", highlight=False, markup=False)


def _before(given: str) -> datetime:
    from gateway.hub import clock

    match = _SPAN.fullmatch(given.strip())
    if match is None:
        raise typer.BadParameter(f"'{given}': a span such as 15m, 2h or 3d is expected", param_hint="--older-than")
    try:
        return clock() - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise typer.BadParameter(f"'{given}' is longer than time goes back", param_hint="--older-than") from None
