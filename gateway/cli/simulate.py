"""`gridhub simulate`: industry systems that speak the real contracts."""

from typing import Annotated

import typer

from gateway.cli.shared import err


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def simulate(
        system: Annotated[
            str, typer.Argument(help="hotline_12345, urban_management, social_governance or centre_desk.")
        ],
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
                help="Any switch of /_sim/behaviour, such as drop_answer=0.2; may be repeated.",
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
        try:
            wanted |= {name: float(value) for name, _, value in (text.partition("=") for text in switches or [])}
            behaviour = simulators.Behaviour().changed(wanted)
        except ValidationError as error:
            wrong = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
            raise typer.BadParameter(wrong, param_hint="--set") from None
        except ValueError:
            raise typer.BadParameter("NAME=VALUE with a number is expected", param_hint="--set") from None
        simulators.run(
            system, hub=hub, secret=secret, host=host, port=port, seed=seed, rate=rate, pace=pace, quiet=quiet,
            behaviour=behaviour, ready=lambda url: err.print(f"{system} at {url}  (state: {url}/)"),
        )  # fmt: skip
