"""Which database this process uses: the one it was told, a running embedded one, or one it starts itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from canonical.errors import Unavailable
from gateway.log import log
from gateway.settings import Settings
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate, newest

_ADDRESS = "database-url"
"""File in the data folder that tells other commands where the running embedded server is."""


@asynccontextmanager
async def database(settings: Settings, *, upgrade: bool = True) -> AsyncIterator[str]:
    """The URL of a database with the newest schema. Raises Unavailable when the given one does not answer."""
    if settings.database_url:
        await _ready(settings.database_url, upgrade=upgrade)
        yield settings.database_url
        return
    running = await _running(settings.data / _ADDRESS)
    if running:
        yield running
        return
    settings.data.mkdir(parents=True, exist_ok=True)
    server = EmbeddedPostgres(settings.data / "postgres")
    await asyncio.to_thread(server.start)
    try:
        await _ready(server.url, upgrade=True)
        (settings.data / _ADDRESS).write_text(server.url, encoding="utf-8")
        yield server.url
    finally:
        (settings.data / _ADDRESS).unlink(missing_ok=True)
        await asyncio.to_thread(server.stop)


async def _ready(url: str, *, upgrade: bool) -> None:
    if not await _answers(url):
        raise Unavailable("the database in GRIDHUB_DATABASE_URL does not answer")
    if upgrade and (there := await migrate(url)) != newest():
        log.warning("schema.newer", there=there, ours=newest())


async def _running(address: Path) -> str:
    """The URL of the embedded server another command has running here; empty when there is none."""
    try:
        url = (await asyncio.to_thread(address.read_text, encoding="utf-8")).strip()
    except FileNotFoundError:
        return ""
    return url if await _answers(url) else ""


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://", 1), timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True
