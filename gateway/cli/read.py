"""`gridhub read`: what the hub makes of one message, without a database."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import AsJson, Config, emit, out


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def read(
        system: Annotated[str, typer.Argument(help="A system of the city, a shipped adapter, or a folder.")],
        file: Annotated[
            Path,
            typer.Argument(
                help="The message: a body, or a whole HTTP request ending in .http.", exists=True, dir_okay=False
            ),
        ],
        door: Annotated[str, typer.Option(help="Door or pull it came through; default: each in turn.")] = "",
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """Read one message of a system and show the facts, as canonical values. 试读报文

        Nothing is stored. The place is located in the city's grids. Ends with 1 when the message is not acceptable.
        """
        from gateway.reading import read_file

        results = read_file(system, file, door, config)
        good = all("error" not in result for result in results)
        if as_json:
            emit(results)
        else:
            for result in results:
                out.print_json(json.dumps(result, ensure_ascii=False))
        if not good:
            raise typer.Exit(1)
