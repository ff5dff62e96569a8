"""Fetching the files of cases: what each answer leads to, patience and its end, parts, and workers that are killed."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from canonical.errors import ContractViolation, InDoubt, Misconfigured, Refused, Unauthenticated, Unavailable
from canonical.message import Message
from canonical.records import CaseFile
from canonical.report import Attachment
from connectors.download import Downloads
from connectors.http import HttpConnector
from gateway.configuration import Configuration
from gateway.fetch import GIVE_UP, LEASE, Fetcher, by_host, pause
from gateway.hub import Hub, clock, fresh_id, wire
from gateway.media import UNKNOWN
from gateway.settings import Settings, example_city
from storage.attachments import Attachments, DueFile, FileRow, FileState
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


# Fetched


def test_a_fetched_file_is_stored_and_its_bytes_tell_what_it_is(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1"] = [Reply(headers={"content-type": "text/html"})]  # which many servers say of anything
        row = await desk.one(f"{platform.url}/1", name="现场.jpg")

        assert (row.state, row.sha256, row.size) == (FileState.STORED, digest(PICTURE), len(PICTURE))
        assert (row.media, row.text) == ("image/jpeg", "")
        assert desk.files.read(row.sha256) == PICTURE
        assert await desk.work(after=timedelta(days=1)) == 0

    working(tell)


ANSWERS = {
    404: (FileState.GONE, "expired (HTTP 404)"),
    410: (FileState.GONE, "expired (HTTP 410)"),
    400: (FileState.GONE, "refused for ever (HTTP 400)"),
    451: (FileState.GONE, "refused for ever (HTTP 451)"),
    204: (FileState.WAITING, "not given now (HTTP 204)"),
    304: (FileState.WAITING, "not given now (HTTP 304)"),
    408: (FileState.WAITING, "not given now (HTTP 408)"),
    429: (FileState.WAITING, "not given now (HTTP 429)"),
    500: (FileState.WAITING, "not given now (HTTP 500)"),
    503: (FileState.WAITING, "not given now (HTTP 503)"),
    403: (FileState.WAITING, "the system does not let us have it (HTTP 403)"),
}


def test_what_an_answer_leads_to(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        for status in ANSWERS:
            platform.replies[f"/{status}.jpg"] = [Reply(status, b"" if status in {204, 304} else PICTURE)]
            await desk.add(f"{platform.url}/{status}.jpg")
        await desk.work()

        found = {row.url: (row.state, row.text) for row in await desk.rows.of_case(CASE)}
        assert found == {f"{platform.url}/{status}.jpg": expected for status, expected in ANSWERS.items()}

    working(tell, concurrency=20, each=20)


ERRORS = {
    "/1": (Unavailable("no connection"), FileState.WAITING),
    "/2": (InDoubt("no whole answer"), FileState.WAITING),
    "/3": (Misconfigured("no address"), FileState.WAITING),
    "/4": (Unauthenticated("who are you"), FileState.WAITING),
    "/5": (Refused("too large"), FileState.GONE),
    "/6": (ContractViolation("no such scheme"), FileState.GONE),
}


def test_what_an_error_leads_to(working: Working) -> None:
    def fetch(_system: str, file: DueFile) -> Message:
        raise ERRORS[file.url][0]

    async def tell(desk: Desk) -> None:
        for url in ERRORS:
            await desk.add(url)
        await desk.work()

        found = {row.url: (row.text, row.state) for row in await desk.rows.of_case(CASE)}
        assert found == {url: (str(error), state) for url, (error, state) in ERRORS.items()}

    working(tell, fetch, concurrency=6, each=6)


def test_a_file_that_is_too_large_is_gone(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.mp4"] = [Reply(body=b"x" * 10_001)]
        row = await desk.one(f"{platform.url}/1.mp4")

        assert (row.state, "more than 10000 bytes" in row.text) == (FileState.GONE, True)

    working(tell)


WORDS = (
    Reply(body=LOGIN_PAGE, headers={"content-type": "text/html;charset=utf-8"}),
    Reply(body=LOGIN_PAGE, headers={"content-type": "image/jpeg"}),
    Reply(body=b'{"code": 401, "msg": "token expired"}', headers={"content-type": "application/json"}),
    Reply(body=b""),
)


def test_words_in_the_place_of_a_picture_are_no_picture(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        for number, reply in enumerate(WORDS):
            platform.replies[f"/file?id={number}"] = [reply]
            await desk.add(f"{platform.url}/file?id={number}", name="现场照片")
        await desk.work()
        assert await desk.rows.counts() == {"hotline": {FileState.WAITING: len(WORDS)}}

        await desk.work(after=GIVE_UP + timedelta(seconds=1))
        assert await desk.rows.counts() == {"hotline": {FileState.GONE: len(WORDS)}}
        assert [path for path in desk.files.root.rglob("*") if path.is_file()] == []

    working(tell, concurrency=4, each=4)


def test_a_page_that_is_called_a_page_is_stored_as_mere_bytes(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/说明.html"] = platform.replies["/%E8%AF%B4%E6%98%8E.html"] = [Reply(body=LOGIN_PAGE)]
        row = await desk.one(f"{platform.url}/说明.html")

        assert (row.state, row.media) == (FileState.STORED, UNKNOWN)

    working(tell)


# Patience


def test_a_file_for_later_waits_longer_each_time_until_an_hour() -> None:
    waits = [pause(attempts, None, chance=1.0).total_seconds() for attempts in (1, 2, 3, 10, 11, 500)]

    assert waits == [5, 10, 20, 2560, 3600, 3600]
    assert pause(3, None, chance=0.0) == timedelta(seconds=10)
    assert pause(1, 120.0, chance=0.0) == timedelta(seconds=120)
    assert pause(1, 1e300, chance=0.0) == timedelta(hours=1)


def test_a_file_comes_when_the_system_is_back(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(503), Reply(500), Reply()]
        await desk.one(f"{platform.url}/1.jpg")
        assert await desk.work(after=timedelta(seconds=2)) == 0
        assert await desk.work(after=timedelta(seconds=5)) == 1
        assert await desk.work(after=timedelta(seconds=15)) == 1

        assert (await desk.only()).state is FileState.STORED

    working(tell)


def test_a_system_that_asks_us_to_wait_is_given_the_time(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(503, headers={"retry-after": "600"}), Reply()]
        await desk.one(f"{platform.url}/1.jpg")

        assert await desk.work(after=timedelta(seconds=599)) == 0
        assert await desk.work(after=timedelta(seconds=600)) == 1

    working(tell)


def test_after_seven_days_the_case_keeps_the_reference_alone(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(503)]
        await desk.one(f"{platform.url}/1.jpg")
        await desk.work(after=GIVE_UP)
        assert (await desk.only()).state is FileState.WAITING
        await desk.work(after=GIVE_UP + timedelta(hours=1))

        row = await desk.only()
        assert (row.state, row.text) == (FileState.GONE, "given up after 7 days: not given now (HTTP 503)")
        assert row.url == f"{platform.url}/1.jpg"

    working(tell)


def test_a_disk_of_ours_that_does_not_work_is_never_a_reason_to_give_up(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        desk.files.root.write_text("in the way")
        row = await desk.one(f"{platform.url}/1.jpg", after=GIVE_UP * 2)
        assert (row.state, "file store" in row.text) == (FileState.WAITING, True)

        desk.files.root.unlink()
        await desk.work(after=GIVE_UP * 3)
        assert (await desk.only()).state is FileState.STORED

    working(tell)


# Signing in


def test_who_is_not_let_in_signs_in_once_and_asks_again(working: Working, platform: Platform) -> None:
    signed: list[str] = []

    def sign_in(system: str) -> bool:
        signed.append(system)
        return True

    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(401), Reply(), Reply(403)]
        assert (await desk.one(f"{platform.url}/1.jpg")).state is FileState.STORED
        assert signed == ["hotline"]

        await desk.add(f"{platform.url}/2.jpg")
        platform.replies["/2.jpg"] = [Reply(403)]
        await desk.work()
        assert signed == ["hotline"] * 2
        assert [row.state for row in await desk.rows.of_case(CASE)] == [FileState.STORED, FileState.WAITING]

    working(tell, sign_in=sign_in)


SIGNING_IN: dict[str, Exception] = {
    "a": Unavailable("nobody there"), "b": Refused("wrong password"), "c": InDoubt("silence"),
}  # fmt: skip


def test_a_failed_signing_in_says_nothing_about_the_file(working: Working) -> None:
    def sign_in(system: str) -> bool:
        raise SIGNING_IN[system]

    async def tell(desk: Desk) -> None:
        for system in SIGNING_IN:
            await desk.add(f"/{system}.jpg", system=system)
        await desk.work()
        assert await desk.rows.counts() == {system: {FileState.WAITING: 1} for system in SIGNING_IN}

    working(tell, raising(Unauthenticated("who are you")), sign_in=sign_in)


# Bytes that came with the message


def test_inline_bytes_go_to_the_store_and_nobody_is_asked(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        row = await desk.one(f"inline:sha256:{digest(PICTURE)}", content=PICTURE)

        assert (row.state, row.sha256, row.media) == (FileState.STORED, digest(PICTURE), "image/jpeg")
        assert desk.files.read(row.sha256) == PICTURE
        assert platform.asked == []

    working(tell)


def test_inline_bytes_that_are_not_the_named_ones_are_not_stored(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        row = await desk.one(f"inline:sha256:{digest(PICTURE)}", content=PICTURE + b"!")

        assert (row.state, row.sha256) == (FileState.GONE, "")
        assert not desk.files.verify(digest(PICTURE + b"!"))

    working(tell)


def test_named_bytes_that_did_not_come_are_found_when_another_case_brought_them(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        desk.files.put(PICTURE)
        row = await desk.one(f"inline:sha256:{digest(PICTURE)}")
        assert (row.state, row.size, row.media) == (FileState.STORED, len(PICTURE), "image/jpeg")

        await desk.add(f"inline:sha256:{digest(b'never')}")
        await desk.add("inline:sha256:nonsense")
        await desk.work()
        assert [row.state for row in await desk.rows.of_case(CASE)].count(FileState.GONE) == 2

    working(tell)


# Parts

PARTS = (PICTURE[:1], PICTURE[1:9], PICTURE[9:])


def part(number: int, *, total: int = 3, file_id: str = "f1") -> tuple[str, bytes]:
    return f"inline:part:{file_id}:{number}/{total}", PARTS[number - 1]


async def given(desk: Desk, *numbers: int) -> None:
    for number in numbers:
        url, content = part(number)
        await desk.add(url, content=content, name="现场.jpg")


async def states(desk: Desk) -> dict[str, tuple[str, str]]:
    return {row.url: (row.state, row.text) for row in await desk.rows.of_case(CASE)}


def test_parts_in_any_order_become_one_file_in_their_own_order(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        await given(desk, 3, 1)
        await desk.work()
        await given(desk, 2)
        await desk.work(after=timedelta(seconds=1))

        row = await desk.only()
        assert (row.url, row.state, row.media) == ("inline:file:f1", FileState.STORED, "image/jpeg")
        assert desk.files.read(row.sha256) == PICTURE
        assert await desk.work(after=timedelta(days=8)) == 0

    working(tell)


def test_all_parts_at_once_become_one_file_however_many_workers_see_them(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        await given(desk, 1, 2, 3)
        assert await desk.work() == 3

        await desk.work(after=LEASE * 2)
        row = await desk.only()
        assert (row.url, row.sha256) == ("inline:file:f1", digest(PICTURE))

    working(tell, each=3)


def test_a_part_that_comes_again_changes_nothing(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        await given(desk, 1, 1, 2, 2, 3)
        await desk.work()
        await given(desk, 2)
        assert await desk.work(after=timedelta(minutes=1)) == 1

        row = await desk.only()
        assert (row.url, row.sha256) == ("inline:file:f1", digest(PICTURE))

    working(tell, each=3)


def test_while_a_part_is_missing_the_others_say_so_and_wait(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        await given(desk, 1, 3)
        await desk.work()
        waiting = ("waiting", "2 of 3 parts are here")
        assert await states(desk) == {part(1)[0]: waiting, part(3)[0]: waiting}

        await desk.work(after=GIVE_UP + timedelta(seconds=1))
        gone = ("gone", "given up after 7 days: 2 of 3 parts are here")
        assert await states(desk) == {part(1)[0]: gone, part(3)[0]: gone}

        await given(desk, 2)  # late, and still welcome
        await desk.work(after=GIVE_UP + timedelta(minutes=1))
        assert await states(desk) == {"inline:file:f1": ("stored", "")}

    working(tell)


def test_parts_that_are_too_large_together_are_gone(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        for number in (1, 2):
            await desk.add(f"inline:part:f1:{number}/2", content=b"x" * 6000)
        await desk.work()

        assert {state for state, _ in (await states(desk)).values()} == {"gone"}

    working(tell)


def test_what_only_looks_like_a_part_is_never_taken_for_a_file(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        row = await desk.one("inline:part:f1:4/3", content=PICTURE)

        assert (row.state, row.sha256) == (FileState.GONE, "")

    working(tell)


# Many at a time, and accidents


def test_a_system_that_does_not_answer_holds_its_own_places_only(working: Working, platform: Platform) -> None:
    hold = threading.Event()

    def fetch(system: str, file: DueFile) -> Message:
        if system == "dead":
            assert hold.wait(30)
            raise Unavailable("no answer")
        return DOWNLOADS.get(system, file.url, own_url=platform.url)

    async def tell(desk: Desk) -> None:
        for number in range(6):
            await desk.add(f"/{number}.jpg", system="dead")
        for number in range(3):
            await desk.add(f"{platform.url}/{number}.jpg", system="quick")

        async def all_of_the_quick() -> bool:
            await desk.fetcher.round()
            return (await desk.rows.counts())["quick"] == {FileState.STORED: 3}

        try:
            await desk.until(all_of_the_quick)
            assert (await desk.rows.counts())["dead"] == {FileState.FETCHING: 2, FileState.WAITING: 4}
        finally:
            hold.set()
            await desk.fetcher.drained()

    working(tell, fetch)


def test_a_full_desk_takes_no_more_and_wakes_when_a_place_is_free(working: Working) -> None:
    hold = threading.Event()

    def fetch(_system: str, _file: DueFile) -> Message:
        assert hold.wait(30)
        raise Unavailable("no answer")

    async def tell(desk: Desk) -> None:
        for number in range(3):
            await desk.add(f"/{number}.jpg")
        try:
            assert await desk.fetcher.round() == 2
            assert await desk.fetcher.round() == 0
            assert not desk.fetcher.wake.is_set()
        finally:
            hold.set()
        await asyncio.wait_for(desk.fetcher.wake.wait(), 10)
        await desk.fetcher.drained()
        assert await desk.work() == 1

    working(tell, fetch, concurrency=2)


def test_a_database_that_goes_away_leaves_the_file_to_the_next_worker(working: Working, database_url: str) -> None:
    async def cut() -> None:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        await connection.execute(f"{others} AND pid <> pg_backend_pid()")
        await connection.close()

    def fetch(system: str, _file: DueFile) -> Message:
        asyncio.run(cut())
        return Message(system=system, body=PICTURE, at=NOW, id=fresh_id(), status=200)

    async def tell(desk: Desk) -> None:
        await desk.add("/1.jpg")
        with capture_logs() as logs:
            await desk.work()
        assert [line["event"] for line in logs] == ["file.unsettled"]
        assert (await desk.only()).state is FileState.FETCHING

        desk.fetcher.fetch = lambda system, _: Message(system=system, body=PICTURE, at=NOW, id=fresh_id(), status=200)
        assert await desk.work(after=LEASE) == 0
        assert await desk.work(after=LEASE * 2) == 1
        assert (await desk.only()).state is FileState.STORED

    working(tell, fetch)


def test_a_file_that_takes_longer_than_a_lease_stays_with_its_worker(working: Working) -> None:
    begun, enough = threading.Event(), threading.Event()

    def fetch(system: str, _file: DueFile) -> Message:
        begun.set()
        enough.wait(10)
        return Message(system=system, body=PICTURE, at=NOW, id=fresh_id(), status=200)

    async def tell(desk: Desk) -> None:
        lease = desk.fetcher.lease
        await desk.add("/1.jpg")
        assert await desk.fetcher.round() == 1
        assert await asyncio.to_thread(begun.wait, 10)
        desk.after = lease * 3  # by this clock the lease is over: only a worker that says so still has it
        await desk.until(lambda: kept(desk))
        assert await desk.rows.claim(limit=1, now=NOW + desk.after, lease=lease) == []
        enough.set()
        await desk.fetcher.drained()
        assert (await desk.only()).state is FileState.STORED

    async def kept(desk: Desk) -> bool:
        async with desk.hub.store.transaction() as transaction:
            until = await transaction.connection.scalar(text("SELECT lease_until FROM attachment"))
        return bool(until == NOW + desk.after + desk.fetcher.lease)

    working(tell, fetch, lease=timedelta(seconds=0.3))


def test_a_defect_in_one_file_is_told_and_holds_up_no_other(working: Working) -> None:
    def fetch(system: str, file: DueFile) -> Message:
        if file.url == "/broken.jpg":
            raise ZeroDivisionError
        return Message(system=system, body=PICTURE, at=NOW, id=fresh_id(), status=200)

    async def tell(desk: Desk) -> None:
        await desk.add("/broken.jpg")
        await desk.add("/whole.jpg")
        with capture_logs() as logs:
            await desk.work()

        assert sorted(line["event"] for line in logs) == ["file.failed", "file.stored"]
        assert [row.state for row in await desk.rows.of_case(CASE)] == [FileState.FETCHING, FileState.STORED]

    working(tell, fetch)


def test_logs_name_no_address_and_no_file(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/2.jpg?sign=secret"] = [Reply(404)]
        platform.replies["/3.jpg?sign=secret"] = [Reply(503)]
        for number in (1, 2, 3):
            await desk.add(f"{platform.url}/{number}.jpg?sign=secret", name="示例市民家门口.jpg")
        with capture_logs() as logs:
            await desk.work()

        assert sorted(line["event"] for line in logs) == ["file.gone", "file.later", "file.stored"]
        assert not any(word in str(logs) for word in ("secret", "示例市民", platform.url))

    working(tell, each=3)


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.configuration import Configuration
from gateway.fetch import Fetcher
from gateway.hub import wire
from gateway.settings import settings
from storage.files import FileStore

class Killed(FileStore):
    def put(self, content, media=""):
        super().put(content, media)
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    fetcher = Fetcher(wire(settings(), sys.argv[1]), Killed(Path(sys.argv[2])), None, each=3)
    await fetcher.round()
    await fetcher.drained()

asyncio.run(main())
"""


def test_killed_between_store_and_row_the_file_is_stored_once_by_the_next_worker(
    working: Working, database_url: str
) -> None:
    async def tell(desk: Desk) -> None:
        await given(desk, 1, 2, 3)
        await desk.add(f"inline:sha256:{digest(PICTURE)}", content=PICTURE)
        command = [sys.executable, "-c", _KILLED, database_url, str(desk.files.root)]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=os.environ | ENVIRONMENT, check=False, capture_output=True
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert desk.files.verify(digest(PICTURE))
        assert FileState.STORED not in (await desk.rows.counts())["hotline"]

        while await desk.work(after=timedelta(days=1)):
            pass

        assert await states(desk) == {
            "inline:file:f1": ("stored", ""), f"inline:sha256:{digest(PICTURE)}": ("stored", ""),
        }  # fmt: skip
        assert {row.sha256 for row in await desk.rows.of_case(CASE)} == {digest(PICTURE)}

    working(tell)


def test_what_killed_writers_left_is_tidied_away_once(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        desk.files.put(PICTURE)
        rest = desk.files.root / "unfinished" / "x.part"
        rest.write_bytes(b"half")
        os.utime(rest, (0, 0))
        await desk.work()

        assert not rest.exists()

    working(tell)


# Which way a file is asked for


def signed(platform: Platform) -> Fetching:
    def own(system: str, file: DueFile) -> Message:
        path = file.url.removeprefix(platform.url)
        headers = {"authorization": "signed"}
        connector = HttpConnector(platform.url, timeout=5, ids=fresh_id, now=clock)
        asked = Message(system=system, body=b"", at=NOW, id=fresh_id(), method="GET", path=path, headers=headers)
        try:
            return connector.send(connector.seal(asked))
        finally:
            connector.close()

    return own


def due(url: str) -> DueFile:
    return DueFile(CASE, "hotline", url, "", 1, None, NOW)


def test_what_lies_at_the_systems_own_address_is_asked_for_as_the_system_wants_it(platform: Platform) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: f"{platform.url}/api")

    assert fetch("hotline", due("/1.jpg")).body == PICTURE
    assert fetch("hotline", due(f"{platform.url}/2.jpg")).body == PICTURE

    assert platform.asked == [("/1.jpg", "signed"), ("/2.jpg", "signed")]


def test_what_lies_elsewhere_is_asked_for_without_our_credential(platform: Platform) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: "http://127.0.0.1:1/api")

    assert fetch("hotline", due(f"{platform.url}/1.jpg")).status == 200
    platform.replies["/2.jpg"] = [Reply(403)]
    with pytest.raises(Unavailable, match="HTTP 403"):  # signing in at the system would not help there
        fetch("hotline", due(f"{platform.url}/2.jpg"))

    assert [credential for _, credential in platform.asked] == ["", ""]


def test_where_the_system_leads_us_we_go_without_our_credential(platform: Platform) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: platform.url)
    platform.replies["/1"] = [Reply(302, b"", {"location": "/store/1.jpg"})]
    platform.replies["/2"] = [Reply(302, b"", {"location": "http://169.254.169.254/latest/meta-data"})]

    assert fetch("hotline", due("/1")).body == PICTURE
    with pytest.raises(ContractViolation, match="never fetched"):
        fetch("hotline", due("/2"))

    assert platform.asked[:2] == [("/1", "signed"), ("/store/1.jpg", "")]


@pytest.mark.parametrize(
    "url", ["ftp://files.example/1.jpg", "data:image/jpeg;base64,AA", "http://[::1", "//127.0.0.1"]
)
def test_an_address_of_another_kind_reaches_nobody(platform: Platform, url: str) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: platform.url)

    with pytest.raises(ContractViolation):
        fetch("hotline", due(url))
    assert platform.asked == []


def test_a_system_without_an_address_may_get_one_later(platform: Platform) -> None:
    with pytest.raises(Unavailable, match="no address"):
        by_host(signed(platform), DOWNLOADS, lambda _: "")("hotline", due("/1.jpg"))
