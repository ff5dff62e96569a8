"""`gridhub demo`: the whole city on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import AsJson, emit, err


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def demo(
        minutes: Annotated[float, typer.Option(help="How long cases stream in.", min=0.05, max=600)] = 2.0,
        rate: Annotated[float, typer.Option(help="Cases a minute, all sources together.", min=1, max=6000)] = 60.0,
        folder: Annotated[
            Path | None, typer.Option(help="Keep the database and logs here; default: a temporary folder.")
        ] = None,
        seed: Annotated[int, typer.Option(help="The same seed makes the same story.")] = 12345,
        as_json: AsJson = False,
    ) -> None:
        """Hub, console and simulated systems on this machine: watch cases go all the way round. 演示

        Starts an embedded database, the hub, maps and four simulated systems on loopback, prints the console's address
        and who may sign in, streams cases for --minutes or until Ctrl-C, and ends with a summary that must balance; it
        exits with 1 when it does not.
        """
        from gateway.demo import Demo
        from gateway.demo_view import LiveView, QuietView, print_summary

        view = QuietView(err) if as_json else LiveView(err)
        summary = Demo(minutes=minutes, rate=rate, folder=folder, seed=seed, view=view).run()
        if as_json:
            emit(summary)
        else:
            print_summary(summary)
        if not summary["balance"]["holds"]:
            raise typer.Exit(1)
