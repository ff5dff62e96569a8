"""`gridhub replay`: what was kept is read or sent once more. Planned and shown first, carried out by its plan's id."""

import asyncio
import getpass
import signal
import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from gateway.cli.shared import AsJson, Config, emit, err, hub, missing, out, run, store

commands = typer.Typer(
    help="Read or send again what was kept: planned and counted first, then carried out. 重放", no_args_is_help=True
)

_NOT_WELL = 1
_System = Annotated[str, typer.Option(help="Exactly one system of systems.yaml.")]
_Since = Annotated[
    str, typer.Option(help="Received or sent from here on: 2026-11-27, 2026-11-27T08:00 (Beijing time).")
]
_Until = Annotated[str, typer.Option(help="Received or sent before this.")]
_Kind = Annotated[list[str] | None, typer.Option(help="Only this declared message; may be repeated.")]
_Case = Annotated[list[str] | None, typer.Option(help="Only of this case number; may be repeated.")]
_Id = Annotated[list[str] | None, typer.Option("--id", help="Only with this id of the system; may be repeated.")]
_Message = Annotated[
    list[UUID] | None, typer.Option(help="Only this message of the journal, or this delivery; may be repeated.")
]
_Edition = Annotated[
    str, typer.Option(help="Edition by which it is read or written: see gridhub editions list. Default: today's.")
]
_OnFailure = Annotated[
    str,
    typer.Option(
        help="stop: one by one, nothing after a failure. skip: leave out the rest of that case, go on with others."
    ),
]
_Yes = Annotated[int | None, typer.Option(help="Carry it out at once if exactly so many items fit.")]
_By = Annotated[str, typer.Option(help="Who replays; default: the name of your account here.")]
_Reason = Annotated[str, typer.Option(help="Why; kept with the replay.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="replay")


@commands.command("in")
def inbound(
    system: _System,
    since: _Since = "",
    until: _Until = "",
    verdict: Annotated[
        list[str] | None,
        typer.Option(help="Only with this verdict: quarantined, refused, noted, ...; may be repeated."),
    ] = None,
    kind: _Kind = None,
    case: _Case = None,
    external_id: _Id = None,
    message: _Message = None,
    edition: _Edition = "",
    on_failure: _OnFailure = "stop",
    yes: _Yes = None,
    by: _By = "",
    reason: _Reason = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Plan to read messages of one system again. Nothing is done yet. 重读来文

    What was never decided (quarantined, held) takes its new verdict; anything else keeps its row, and a new one stands beside it.
    """
    chosen = _chosen(since, until, verdict, kind, case, external_id, message)
    order = {"system": system, "direction": "in", "chosen": chosen, "edition": edition, "on_failure": on_failure}
    _planned(order, yes, by, reason, config, as_json)


@commands.command("out")
def outbound(
    system: _System,
    since: _Since = "",
    until: _Until = "",
    verdict: Annotated[
        list[str] | None,
        typer.Option(
            help="acknowledged (default), withdrawn; refused and parked ones are themselves let go. May be repeated."
        ),
    ] = None,
    kind: _Kind = None,
    case: _Case = None,
    external_id: _Id = None,
    message: _Message = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Write each anew instead of sending the very bytes again.")
    ] = False,
    edition: _Edition = "",
    on_failure: _OnFailure = "stop",
    yes: _Yes = None,
    by: _By = "",
    reason: _Reason = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Plan to send one system again what it was sent. Nothing is done yet. 重发去文

    The body goes as it travelled; address, tokens, times and signatures around it are new. --anew or --edition writes all of it.
    Workers send it, in the lanes of its cases, like anything else.
    """
    chosen = _chosen(since, until, verdict, kind, case, external_id, message)
    order = {"system": system, "direction": "out", "chosen": chosen, "anew": anew, "edition": edition}
    _planned(order | {"on_failure": on_failure}, yes, by, reason, config, as_json)


@commands.command("run")
def carry_out(
    replay: Annotated[UUID, typer.Argument(help="Id of the plan, as it was shown.")],
    reason: _Reason,
    by: _By = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Carry a plan out, or go on with one that was stopped. Twice does no harm. 执行

    Ctrl-C stops it after the item in hand. Ends with 1 when it was stopped or something did not end well.
    """
    _carried_out(replay, None, by, reason, config, as_json)


@commands.command("stop")
def stop(
    replay: Annotated[UUID, typer.Argument(help="Id of a replay that runs.")],
    reason: _Reason,
    by: _By = "",
    config: Config = None,
) -> None:
    """Begin no further item of a replay, wherever it runs. 停止"""

    async def job() -> bool:
        from canonical.replay import ReplayState
        from gateway.hub import clock
        from storage.replays import Replays

        async with store(config) as opened:
            why = f"stopped by {by or getpass.getuser()}: {reason}"
            return await Replays(opened).end(replay, ReplayState.STOPPED, why, now=clock())

    if not run(job):
        missing(f"{replay} does not run (any more)")
    out.print(f"{replay} stopped; gridhub replay run {replay} goes on with it", highlight=False)


@commands.command("list")
def list_replays(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20, config: Config = None, as_json: AsJson = False
) -> None:
    """The newest replays: by whom, what, why, and how they ended. 重放台账"""
    from gateway.replay.view import lines, replay_view
    from storage.replays import Replays

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            return await Replays(opened).listed(limit=limit)

    found = run(job)
    if as_json:
        emit([replay_view(one) for one in found])
        return
    for one in found:
        _print(lines(one))


@commands.command("show")
def show(
    replay: Annotated[UUID, typer.Argument(help="Id of a replay.")],
    state: Annotated[str, typer.Option(help="Only items in this state: planned, begun, done, failed, skipped.")] = "",
    after: Annotated[int, typer.Option(help="Only items after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """One replay, and what became of each item. 重放明细"""
    from gateway.replay.view import item_view, lines, replay_view
    from storage.replays import Replays

    async def job() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            ledger = Replays(opened)
            return await ledger.get(replay), await ledger.items(replay, state=state, after=after, limit=limit)

    found, items = run(job)
    if found is None:
        missing(f"no replay {replay}")
    if as_json:
        emit(replay_view(found) | {"lines": [item_view(one) for one in items]})
        return
    _print(lines(found))
    for one in items:
        text = f": {one.text}" if one.text else ""
        _print([f"{one.no:>6}  {one.kind or '(not read)'}  {one.was} -> {one.outcome or one.state}{text}"])
        _print([f"        {one.subject} -> {one.result or '-'}"])


# --- planning and carrying out ---


def _chosen(
    since: str, until: str, verdict: Any, kind: Any, case: Any, external_id: Any, message: Any  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    given = {"since": _instant(since, "--since"), "until": _instant(until, "--until"), "verdict": verdict, "kind": kind}
    given |= {"case": case, "id": external_id, "message": message}
    return {name: value for name, value in given.items() if value}


def _instant(text: str, option: str) -> str:
    """What was typed, with Beijing time where no zone was given."""
    from datetime import datetime

    from canonical.time import SHANGHAI

    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "write 2026-11-27, 2026-11-27T08:00 or 2026-11-27T08:00:00+08:00"
        raise typer.BadParameter(f"'{text}' is no time: {hint}", param_hint=option) from None
    return (at if at.tzinfo else at.replace(tzinfo=SHANGHAI)).isoformat()


def _planned(
    order: dict[str, Any], yes: int | None, by: str, reason: str, config: Any, as_json: bool  # noqa: ANN401
) -> None:  # fmt: skip
    from pydantic import ValidationError

    from canonical.errors import Unacceptable
    from gateway.replay.api import wrong
    from gateway.replay.plan import Order
    from gateway.replay.run import Replayer, keep_editions
    from gateway.replay.view import examples, lines, replay_view

    if yes is not None and not reason:
        raise typer.BadParameter("say why, with --reason", param_hint="--yes")
    try:
        asked = Order.model_validate(order)
    except ValidationError as error:
        raise typer.BadParameter(wrong(error)) from None

    async def job() -> Any:  # noqa: ANN401
        async with hub(config) as wired:
            await keep_editions(wired)
            return await Replayer(wired).plan(asked)

    try:
        found = run(job)
    except Unacceptable as error:
        raise typer.BadParameter(str(error)) from None
    if yes is not None:
        _carried_out(found.id, yes, by, reason, config, as_json)
        return
    if as_json:
        emit(replay_view(found))
        return
    _print(lines(found))
    _print(examples(found))
    if not found.total:
        out.print("nothing fits")
        return
    _print(["nothing has been done. To carry out exactly this, within a day:"])
    _print([f"    gridhub replay run {found.id} --reason WHY"])


def _carried_out(
    replay: UUID, count: int | None, by: str, reason: str, config: Any, as_json: bool  # noqa: ANN401
) -> None:  # fmt: skip
    from canonical.errors import Unacceptable
    from canonical.replay import ReplayState
    from gateway.replay.view import lines, replay_view

    try:
        found = run(lambda: _running(replay, count, by or getpass.getuser(), reason, config))
    except Unacceptable as error:
        err.print(f"gridhub: {error}", highlight=False, markup=False)
        raise typer.Exit(5 if "no replay" in str(error) else _NOT_WELL) from None
    if as_json:
        emit(replay_view(found))
    else:
        _print(lines(found))
    if found.state is not ReplayState.DONE or found.items.get("failed"):
        raise typer.Exit(_NOT_WELL)


async def _running(replay: UUID, count: int | None, by: str, reason: str, config: Any) -> Any:  # noqa: ANN401
    from gateway.replay.run import Replayer

    async with hub(config) as wired:
        replayer = Replayer(wired)
        await replayer.start(replay, by, reason, count=count)
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
        replayer.ending = interrupted.is_set
        found = await replayer.run(replay, told=_progress)
        if interrupted.is_set() and await replayer.stop(replay, "interrupted at the keyboard"):
            found = await replayer.get(replay)
        return found


def _progress(found: Any) -> None:  # noqa: ANN401
    if sys.stderr.isatty():
        over = sum(found.items.get(state, 0) for state in ("done", "failed", "skipped"))
        err.print(f"{over} of {found.total}", end="\r", highlight=False)


def _print(texts: Any) -> None:  # noqa: ANN401
    for text in texts:
        out.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)
