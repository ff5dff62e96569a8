"""`gridhub events`: what happened, for whoever checks the hub from outside."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from canonical.records import Facts
from gateway.cli.shared import Config, err, run, store

commands = typer.Typer(help="What happened, for those who check it from outside. 事件导出", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="events")


@commands.callback()
def group() -> None:
    """Keep the name of the one command."""


@commands.command("export")
def export(
    only: Annotated[
        list[Facts] | None, typer.Option(help="Only this kind of row; may be repeated. Default: all of them.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write; it appears when it is complete. Default: standard output.")
    ] = None,
    config: Config = None,
) -> None:
    """Every row of journal, cases, events, bindings, deliveries and files, one JSON object a line.

    All of one moment, also while the hub works. Without message bodies, texts and persons. 一行一条, 不含报文正文和个人信息
    """
    from storage.export import facts

    async def job() -> int:
        count = 0
        async with store(config) as opened:
            with _writing(output) as file:
                async for row in facts(opened, only or tuple(Facts)):
                    file.write(row.encode() + b"\n")
                    count += 1
        return count

    count = run(job)
    err.print(f"{count} rows", highlight=False)


@contextlib.contextmanager
def _writing(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    beside = output.with_name(f".{output.name}.part")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)
