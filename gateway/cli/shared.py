"""Options that several commands share, and how they reach the hub's parts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration folder of the city; default: GRIDHUB_CONFIG, else the example city."
    ),
]
Day = Annotated[str, typer.Option(help="A day, 2026-07-01; default: today in Shanghai.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines on standard output.")]

out = Console()
err = Console(stderr=True)

NOT_FOUND = 5
_WIDTH = 80


def emit(value: Any) -> None:  # noqa: ANN401 whatever JSON can say
    """Print JSON, one document."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def day_of(text: str, option: str) -> date | None:
    """A day as an option gives it; None where it is empty. Raises BadParameter."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no day: write 2026-07-01", param_hint=option) from None


def missing(text: str) -> NoReturn:
    """End with "no such thing"."""
    err.print(f"gridhub: {text}", markup=False, highlight=False)
    raise typer.Exit(NOT_FOUND)


def line(text: str, *, style: str = "", indent: int = 0) -> None:
    """A line to be read, wrapped to eighty columns however wide the terminal or how long an id."""
    from gateway.cli.check import wrapped

    for part in wrapped(text.rstrip(), _WIDTH - indent):
        out.print(" " * indent + part, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


@asynccontextmanager
async def store(config: Path | None) -> AsyncIterator[Any]:
    """The database alone: what is kept can be looked at without any system's address or secret."""
    from gateway.database import database
    from gateway.settings import settings
    from storage.store import Store

    async with database(settings(config)) as url:
        opened = Store(url)
        try:
            yield opened
        finally:
            await opened.close()


@asynccontextmanager
async def hub(config: Path | None) -> AsyncIterator[Any]:
    """A wired hub on the database of the settings, given back at the end."""
    from gateway.database import database
    from gateway.hub import wire
    from gateway.log import is_set_up, set_up
    from gateway.renewal import Renewal
    from gateway.settings import settings

    if not is_set_up():  # else facts of the log would stand in the JSON on standard output
        set_up()
    told = settings(config)
    async with database(told) as url:
        wired = wire(told, url)
        try:
            await Renewal(wired).look()
            yield wired
        finally:
            await wired.store.close()


def run(job: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401 whatever the job gives
    """Run an async job to its end, on the fast loop where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(job())
    return uvloop.run(job())


def systems(config: Path | None) -> dict[str, Any]:
    """The city's systems, though their addresses and secrets may not be set here."""
    return dict(city(config).systems)


def city(config: Path | None, *, whole: bool = False) -> Any:  # noqa: ANN401
    """The city's configuration, though addresses and secrets of its systems may not be set here.

    `whole`: what is wrong in any of its files is raised as Misconfigured.
    """
    import os

    from canonical.errors import Misconfigured
    from canonical.findings import Severity
    from gateway.configuration import read
    from gateway.settings import settings

    configuration, findings = read(settings(config).config, os.environ, unset=Severity.WARNING)
    errors = [str(one) for one in findings if one.severity is Severity.ERROR]
    if configuration is None or (whole and errors):
        raise Misconfigured("\n".join(errors) or "the city's configuration cannot be read: try gridhub check")
    return configuration


def connected(system: str, config: Path | None) -> Any:  # noqa: ANN401
    """One of the city's systems; ends with "no such thing"."""
    found = systems(config)
    if system not in found:
        missing(f"no system '{system}' in systems.yaml; known: {', '.join(sorted(found))}")
    return found[system]


def listed(config: Path | None, read: Callable[[Any], Awaitable[Sequence[Any]]], *, as_json: bool) -> list[Any]:
    """Rows that `read` finds in the database, to be shown to people; with `as_json` they are printed, and that is all."""
    from gateway.views import row_view

    async def job() -> list[Any]:
        async with store(config) as opened:
            return list(await read(opened))

    rows: list[Any] = run(job)
    if as_json:
        emit([row_view(row) for row in rows])
        raise typer.Exit
    return rows
