"""Many files at a time, systems that do not answer, and workers that are killed."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import asyncpg
from sqlalchemy import text
from structlog.testing import capture_logs

from canonical.errors import Unavailable
from canonical.message import Message
from gateway.fetch import LEASE
from gateway.hub import fresh_id
from storage.attachments import DueFile, FileState
from tests.gateway.fetch_desk import (
    CASE,
    DOWNLOADS,
    NOW,
    PICTURE,
    ROOT,
    Desk,
    Platform,
    Reply,
    Working,
    digest,
    given,
    platform,
    served,
    states,
    working,
)
from tests.gateway.running import ENVIRONMENT

__all__ = ["platform", "served", "working"]


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
