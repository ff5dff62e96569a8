"""`gridhub simulate`: industry systems that speak the real contracts."""

from typing import Annotated

import typer

from gateway.cli.shared import err


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def simulate(
        system: Annotated[str, typer.Argument(help="Name of the system; a wrong name lists all.", metavar="SYSTEM")],
        hub: Annotated[str, typer.Option(help="Address of the hub.")] = "http://127.0.0.1:8080",
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port to listen on; 0: a free one.", min=0, max=65535)] = 0,
        secret: Annotated[
            str, typer.Option(help="The secret agreed with the hub.", envvar="GRIDHUB_SIMULATE_SECRET")
        ] = "demo",  # noqa: S107 a word for training, told in the help
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
    ) -> None:
        """Run a simulated industry system: a real server with its own state. 模拟业务系统

        It signs, works, returns and finishes cases by itself. While it runs, /_sim/behaviour makes it slow, refusing,
        silent, down or forgetful, and /_sim/state shows what it did.
        """
        from pydantic import ValidationError

        import simulators

        if system not in simulators.SYSTEMS:
            raise typer.BadParameter(f"one of {', '.join(simulators.SYSTEMS)}", param_hint="SYSTEM")
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
                behaviour=behaviour, options=options,
                ready=lambda url: err.print(f"{system} at {url}  (state: {url}/)"),
            )  # fmt: skip
        except ValueError as error:  # an option's value that this system cannot use
            raise typer.BadParameter(str(error), param_hint="--set") from None
