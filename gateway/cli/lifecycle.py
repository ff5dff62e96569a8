"""`gridhub lifecycle`: the lifecycle table as a page people can read."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import out


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def lifecycle(
        folder: Annotated[Path | None, typer.Option(help="Write lifecycle.md into this folder instead.")] = None,
    ) -> None:
        """The lifecycle of a case: diagram and table, as Markdown. 案件流程表"""
        from gateway.lifecycle_page import page

        if folder is None:
            typer.echo(page(), nl=False)
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "lifecycle.md"
        path.write_text(page(), encoding="utf-8")
        out.print(str(path), soft_wrap=True)
