"""`gridhub simulate`: industry systems that speak the real contracts, and the other side of any declared folder."""

import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.shared import Config, err, out

if TYPE_CHECKING:
    from adapters import System
    from gateway.stub import Heard


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def simulate(
        context: typer.Context,
        system: Annotated[
            str,
            typer.Argument(
                help="A simulated system, a folder with a system.yaml, or a system of the city; a wrong name lists all.",
                metavar="SYSTEM",
            ),
        ],
        hub: Annotated[str, typer.Option(help="Address of the hub.")] = "http://127.0.0.1:8080",
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port to listen on; 0: a free one.", min=0, max=65535)] = 0,
        secret: Annotated[
            str,
            typer.Option(
                help="The secret agreed with the hub; default: demo, or what the file in GRIDHUB_SIMULATE_SECRET_FILE holds.",
                envvar="GRIDHUB_SIMULATE_SECRET",
            ),
        ] = "",
        rate: Annotated[float, typer.Option(help="Cases it reports a minute.", min=0)] = 6,
        pace: Annotated[float, typer.Option(help="Seconds for each step of its work.", min=0)] = 2,
        seed: Annotated[int | None, typer.Option(help="The same seed makes the same story.")] = None,
        slow: Annotated[float, typer.Option(help="Seconds before every answer.", min=0)] = 0,
        refuse: Annotated[float, typer.Option(help="Share of requests it refuses, 0 to 1.", min=0, max=1)] = 0,
        returns: Annotated[float, typer.Option(help="Share of cases it returns, 0 to 1.", min=0, max=1)] = 0.1,
        silent: Annotated[bool, typer.Option("--silent", help="Take connections and never answer.")] = False,
        switches: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="NAME=VALUE",
                help="Any switch of /_sim/behaviour, such as drop_answer=0.2, or an option of this one system, such as mode=client; may be repeated.",
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", help="Report nothing by itself.")] = False,
        ledger: Annotated[
            Path | None,
            typer.Option(help="Write down all it is asked and says, a JSON line each, added to what is there."),
        ] = None,
        config: Config = None,
    ) -> None:
        """Run a simulated industry system: a real server with its own state. 模拟业务系统

        It signs, works, returns and finishes cases by itself. While it runs, /_sim/behaviour makes it slow, refusing,
        silent, down or forgetful, and /_sim/state shows what it did.

        Of a folder, or a system of the city: its other side, derived from the declaration. It takes what is declared
        to be sent, checks the contract, prints it masked, answers what `answers` judges accepted (or
        samples/<message>.answer.json), serves pulls from samples and signs in. Of the options it knows --host, --port
        and --slow.
        """
        from pydantic import ValidationError

        import simulators
        from gateway.settings import SIMULATE_SECRET
        from gateway.settings import secret as kept

        secret = secret or kept(os.environ, SIMULATE_SECRET) or "demo"
        if system not in simulators.SYSTEMS:
            _ignored(context)
            _play(system, config, host, port, slow)
            return
        wanted: dict[str, object] = {"slow": slow, "refuse": refuse, "return": returns, "silent": silent}
        given = [text.partition("=") for text in switches or []]
        if any(not equals for _, equals, _ in given):
            raise typer.BadParameter("NAME=VALUE is expected", param_hint="--set")
        known = {field.alias or name for name, field in simulators.Behaviour.model_fields.items()}
        options = {name: value for name, _, value in given if name not in known}
        strange = sorted(set(options) - set(simulators.SYSTEMS[system].options))
        if strange:
            names = ", ".join(sorted([*known, *simulators.SYSTEMS[system].options]))
            raise typer.BadParameter(f"{system} knows no '{strange[0]}'; known: {names}", param_hint="--set")
        try:
            wanted |= {name: float(value) for name, _, value in given if name in known}
            behaviour = simulators.Behaviour().changed(wanted)
        except ValidationError as error:
            wrong = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
            raise typer.BadParameter(wrong, param_hint="--set") from None
        except ValueError:
            raise typer.BadParameter("a switch needs a number", param_hint="--set") from None
        try:
            simulators.run(
                system, hub=hub, secret=secret, host=host, port=port, seed=seed, rate=rate, pace=pace, quiet=quiet,
                behaviour=behaviour, options=options, ledger=ledger,
                ready=lambda url: err.print(f"{system} at {url}  (state: {url}/)"),
            )  # fmt: skip
        except ValueError as error:  # an option's value that this system cannot use
            raise typer.BadParameter(str(error), param_hint="--set") from None


_LINES, _WIDTH = 24, 78
"""Lines of a body that are shown, and their length."""


_OF_A_FOLDER = frozenset({"system", "host", "port", "slow", "config"})


def _ignored(context: typer.Context) -> None:
    """Options that the other side of a folder does not know are told, not dropped."""
    given = [
        max(one.opts, key=len)
        for one in context.command.params
        if one.name and one.name not in _OF_A_FOLDER
        and (source := context.get_parameter_source(one.name)) and source.name == "COMMANDLINE"
    ]  # fmt: skip
    if given:
        raise typer.BadParameter(
            "only --host, --port and --slow are known to the other side of a folder;"
            " a simulated system knows the others 文件夹的对端只认 --host、--port、--slow",
            param_hint=", ".join(given),
        )


def _play(given: str, config: Path | None, host: str, port: int, slow: float) -> None:
    """The other side of a folder, until it is stopped."""
    from gateway.stub import Stub, server

    folder, system = _declared(given, config)
    stub = Stub(folder, system)
    for trouble in stub.troubles():
        err.print(f"! {trouble}", style="yellow", highlight=False, markup=False)
    lock = threading.Lock()

    def tell(heard: "Heard") -> None:
        with lock:
            out.print("\n".join(_told(heard)), highlight=False, markup=False, emoji=False, soft_wrap=True)
        time.sleep(slow)

    with server(stub, host, port, tell) as serving:
        where = f"http://{host}:{serving.server_address[1]}"
        err.print(f"{folder.name} at {where}  (its url in systems.yaml)", highlight=False, soft_wrap=True)
        try:
            serving.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            err.print("stopped 已停止")


def _declared(given: str, config: Path | None) -> "tuple[Path, System]":
    import simulators
    from canonical.errors import Misconfigured
    from canonical.findings import Severity
    from gateway.configuration import read
    from gateway.reading import found_system
    from gateway.settings import settings

    try:
        configuration, _ = read(settings(config).config, os.environ, unset=Severity.WARNING)
        return found_system(given, configuration)
    except Misconfigured as error:
        if "neither a folder" not in str(error):
            raise
        names = ", ".join(simulators.SYSTEMS)
        raise typer.BadParameter(
            f"one of {names}; or a folder with a system.yaml, or a system of the city", param_hint="SYSTEM"
        ) from None


def _told(heard: "Heard") -> list[str]:
    """What came, what it is, and its body, in short lines."""
    what = f"{heard.message} {heard.title}" if heard.message else "unknown 未声明"
    ended = f"! {heard.trouble}" if heard.trouble else "ok"
    lines = [_cut(f"{heard.method} {heard.path}"), _cut(f"  {what} -> {heard.status}"), *_wrapped(ended)]
    if heard.body not in (None, ""):
        text = heard.body if isinstance(heard.body, str) else json.dumps(heard.body, ensure_ascii=False, indent=1)
        body = text.splitlines()
        lines += [_cut(f"  {line}") for line in body[:_LINES]]
        lines += [f"  ... {len(body) - _LINES} more lines"] if len(body) > _LINES else []
    return lines


def _wrapped(text: str) -> list[str]:
    from rich.text import Text

    return [f"  {part.plain.rstrip()}" for part in Text(text).wrap(out, _WIDTH - 2)]


def _cut(text: str) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= _WIDTH else set_cell_size(text, _WIDTH - 1) + "…"
