"""`gridhub stack`: the production topology as processes of this machine."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import AsJson, emit, err

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_OPTIONAL = ("rabbitmq", "mosquitto", "prometheus", "simulators")


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def stack(
        folder: Annotated[Path, typer.Option(help="Keep data, logs and the city here.")] = Path(".gridhub-stack"),
        for_: Annotated[
            str,
            typer.Option("--for", help="Run so long, such as 30s or 5m, then drain and stop; default: until Ctrl-C."),
        ] = "",
        rate: Annotated[
            float, typer.Option(help="Cases a minute, all simulated systems together.", min=0, max=6000)
        ] = 30,
        base_port: Annotated[
            int, typer.Option(help="First of the ports, taken in a row; 0: any free ones.", min=0, max=65535)
        ] = 18080,
        without: Annotated[
            list[str] | None,
            typer.Option(help=f"Leave out one of {', '.join(_OPTIONAL)}; may be repeated.", metavar="PART"),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Two gateways, workers by role, brokers and simulated systems on loopback. 全套服务

        What docker-compose.yml runs in containers, without them: whatever dies is started again, Ctrl-C stops everything.
        With --for it ends with 1 when something was down at the end, messages were left, or the books do not balance.
        """
        from gateway.stack.run import Plan, Stack
        from gateway.stack.session import run
        from gateway.stack.view import StackView

        strange = sorted(set(without or ()) - set(_OPTIONAL))
        if strange:
            raise typer.BadParameter(f"'{strange[0]}' is none of {', '.join(_OPTIONAL)}", param_hint="--without")
        seconds = _seconds(for_) if for_ else None
        plan = Plan(folder, base_port, rate, frozenset(without or ()))
        view = StackView(err, folder.absolute())
        try:
            found = run(Stack(plan), view, seconds=seconds)
        finally:
            view.end()
        well = found["balance"]["holds"] and not found["not_up"] and (found["drained"] or seconds is None)
        if as_json:
            emit(found)
        else:
            _tell(found)
        if not well and seconds is not None:
            raise typer.Exit(1)


def _seconds(text: str) -> float:
    match = _SPAN.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise typer.BadParameter(f"'{text}': a span such as 30s, 5m or 1h is expected", param_hint="--for")
    return float(match[1]) * _UNITS[match[2] or "s"]


def _tell(found: dict[str, object]) -> None:
    for key in ("reports", "cases", "messages"):
        part = found[key]
        assert isinstance(part, dict)
        err.print(f"  {key}: " + ", ".join(f"{count} {word}" for word, count in part.items()), highlight=False)
    balance = found["balance"]
    assert isinstance(balance, dict)
    for equation, holds in balance["equations"].items():
        err.print(f"  {'✓' if holds else '✗'} {equation}", highlight=False, style=None if holds else "red")
    if found["restarts"]:
        err.print(f"  started again: {found['restarts']}", highlight=False)
    if found["not_up"]:
        err.print(f"  not up at the end: {found['not_up']}", highlight=False, style="red")
