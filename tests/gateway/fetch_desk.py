"""A desk that fetches the files of cases, and a platform that gives them."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from canonical.message import Message
from canonical.records import CaseFile
from canonical.report import Attachment
from connectors.download import Downloads
from gateway.configuration import Configuration
from gateway.fetch import Fetcher
from gateway.hub import Hub, clock, fresh_id, wire
from gateway.settings import Settings, example_city
from storage.attachments import Attachments, DueFile, FileRow
from storage.files import FileStore
from tests.gateway.running import ENVIRONMENT

ROOT = Path(__file__).parents[2]
NOW = clock()
CASE = UUID(int=7)
PICTURE = b"\xff\xd8\xff\xe0 a lamp that does not burn"
LOGIN_PAGE = "\n<!DOCTYPE html><title>登录</title>".encode()


@dataclass(slots=True)
class Reply:
    status: int = 200
    body: bytes = PICTURE
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "image/jpeg"})


class Platform(ThreadingHTTPServer):
    """A system that gives files: `replies` by path, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Platform

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("authorization", "")))
        replies = self.server.replies.get(self.path, [Reply()])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def served() -> Iterator[Platform]:
    with Platform() as platform:
        thread = threading.Thread(target=platform.serve_forever, args=(0.02,))
        thread.start()
        yield platform
        platform.shutdown()
        thread.join()


@pytest.fixture
def platform(served: Platform) -> Platform:
    served.replies.clear()
    served.asked.clear()
    return served


DOWNLOADS = Downloads(ids=fresh_id, now=clock, timeout=5, most=10_000)


@dataclass(slots=True)
class Desk:
    """A fetcher on a database and a file store of its own, with a clock that stands until it is moved."""

    hub: Hub
    files: FileStore
    fetcher: Fetcher
    after: timedelta = timedelta()

    @property
    def rows(self) -> Attachments:
        return self.fetcher.attachments

    async def add(self, url: str, *, content: bytes = b"", name: str = "", system: str = "hotline") -> None:
        given = CaseFile(CASE, system, Attachment(url=url, name=name, content=content), NOW)
        await self.rows.add([given], now=NOW)

    async def work(self, *, after: timedelta = timedelta()) -> int:
        """One round at NOW + `after`, to its end."""
        self.after = after
        taken = await self.fetcher.round()
        await self.fetcher.drained()
        return taken

    async def only(self) -> FileRow:
        [row] = await self.rows.of_case(CASE)
        return row

    async def one(self, url: str, *, content: bytes = b"", name: str = "", after: timedelta = timedelta()) -> FileRow:
        """What becomes of this file in one round."""
        await self.add(url, content=content, name=name)
        assert await self.work(after=after) == 1
        return await self.only()

    async def until(self, true: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        for _ in range(1000):
            if await true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it did not happen")


Fetching = Callable[[str, DueFile], Message]


@asynccontextmanager
async def desk(
    configuration: Configuration, url: str, root: Path, fetch: Fetching, **options: Any
) -> AsyncIterator[Desk]:  # fmt: skip
    settings = Settings(example_city(), url, "", Path("unused"), ENVIRONMENT)
    made: list[Desk] = []
    wired = wire(settings, url, configuration=configuration)
    hub = replace(wired, now=lambda: NOW + (made[0].after if made else timedelta()))
    files = FileStore(root / "files", most=10_000)
    fetcher = Fetcher(hub, files, fetch, **options)
    made.append(Desk(hub, files, fetcher))
    try:
        yield made[0]
    finally:
        fetcher.close()
        await hub.store.close()


@pytest.fixture
def working(
    database_url: str, tmp_path: Path, platform: Platform, configuration: Configuration
) -> Callable[..., None]:  # fmt: skip
    """Tell a story at a desk: `working(tell)`, `working(tell, fetch, sign_in=...)`. Fetches from the platform."""

    def own(system: str, file: DueFile) -> Message:
        return DOWNLOADS.get(system, file.url, own_url=platform.url)

    def work(
        tell: Callable[[Desk], Coroutine[Any, Any, None]], fetch: Fetching | None = None, **options: Any
    ) -> None:  # fmt: skip
        async def run() -> None:
            async with desk(configuration, database_url, tmp_path, fetch or own, **options) as one:
                await tell(one)

        asyncio.run(run())

    return work


Working = Callable[..., None]


def raising(error: Exception) -> Fetching:
    def fetch(_system: str, _file: DueFile) -> Message:
        raise error

    return fetch


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


PARTS = (PICTURE[:1], PICTURE[1:9], PICTURE[9:])
"""The picture in three."""


def part(number: int, *, total: int = 3, file_id: str = "f1") -> tuple[str, bytes]:
    return f"inline:part:{file_id}:{number}/{total}", PARTS[number - 1]


async def given(desk: Desk, *numbers: int) -> None:
    for number in numbers:
        url, content = part(number)
        await desk.add(url, content=content, name="现场.jpg")


async def states(desk: Desk) -> dict[str, tuple[str, str]]:
    return {row.url: (row.state, row.text) for row in await desk.rows.of_case(CASE)}
