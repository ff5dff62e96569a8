"""`gridhub new-system`: a first folder for an unknown platform, from one sample or its WSDL."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import AsJson, Config, emit, out


class Role(StrEnum):
    """What the system is to the city."""

    SOURCE = "source"
    OWNER = "owner"


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command("new-system")
    def new_system(
        name: Annotated[str, typer.Argument(help="Name of the new folder, such as parks_south.")],
        sample: Annotated[
            Path,
            typer.Option(
                "--from", help="What it sends: .json .xml .http .csv .xlsx; or its .wsdl.", exists=True, dir_okay=False
            ),
        ],
        into: Annotated[Path | None, typer.Option(help="Where to put it; default: beside systems.yaml.")] = None,
        role: Annotated[Role, typer.Option(help="Reports cases, or does the work.")] = Role.SOURCE,
        serve: Annotated[bool, typer.Option("--serve", help="The WSDL is ours: the platform calls us.")] = False,
        keep: Annotated[bool, typer.Option("--keep-sample", help="Leave the persons in the sample.")] = False,
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """Begin a system's folder from one sample: declaration, contract, code tables. 新系统初稿

        Every guess is marked in the files. Persons in the sample are replaced by invented ones. The folder passes
        `gridhub check` at once, and `gridhub try` shows what it reads. An existing folder is never touched.
        """
        from gateway.hub import clock
        from gateway.new_system import new_system as make
        from gateway.settings import settings

        where = into or settings(config).config
        folder, made = make(name, sample, where, role=role.value, now=clock(), keep=keep, serve=serve)
        if as_json:
            found = {key: guess.leaf.inside or guess.leaf.path for key, guess in made.found.items()}
            emit({"folder": str(folder), "found": found, "warnings": made.warnings, "files": sorted(made.files)})
            return
        out.print(f"{folder}: {len(made.files)} files", highlight=False, markup=False, emoji=False, soft_wrap=True)
        for key, guess in made.found.items():
            place = f"{guess.leaf.path} > {guess.leaf.inside}" if guess.leaf.inside else guess.leaf.path
            out.print(f"  {key:<12} {place}  {guess.detail}".rstrip(), highlight=False, markup=False, emoji=False)
        for warning in made.warnings:
            out.print(f"! {warning}", style="yellow", highlight=False, markup=False, emoji=False)
        out.print("next 下一步:", highlight=False)
        if made.sample:
            out.print(
                f"  gridhub try {folder} {folder / made.sample}",
                highlight=False,
                markup=False,
                emoji=False,
                soft_wrap=True,
            )
        out.print(f"  gridhub check {folder}", highlight=False, markup=False, emoji=False, soft_wrap=True)
        out.print(
            f"  systems.yaml: {folder.name}: {{adapter: {folder.name}, ...}}",
            highlight=False,
            markup=False,
            emoji=False,
        )
