"""Files of cases as rows: claimed by one worker at a time, settled by whoever holds them, joined when whole."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from canonical.records import CaseFile
from canonical.report import Attachment
from storage.attachments import Attachments, DueFile, FileRow, FileState, Pieces
from storage.file_rows import Part, part_of
from storage.files import Stored
from tests.routing.intake_city import NOW
from tests.storage.storeroom import Storeroom, several, story

LEASE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
CASE, OTHER_CASE = UUID(int=7), UUID(int=8)
PICTURE = Stored("ab" * 32, 1234, "image/jpeg")


def given(url: str, *, content: bytes = b"", system: str = "hotline", case: UUID = CASE, name: str = "") -> CaseFile:
    return CaseFile(case, system, Attachment(url=url, name=name, content=content), NOW)


def telling(url: str, tell: Callable[[Attachments, Storeroom], Coroutine[Any, Any, None]]) -> None:
    async def run(room: Storeroom) -> None:
        await tell(Attachments(room.store), room)

    story(url, run)


async def claim(
    files: Attachments, *, limit: int = 10, after: timedelta = timedelta(), each: int | None = None,
    busy: Mapping[str, int] | None = None,
) -> list[DueFile]:  # fmt: skip
    return await files.claim(limit=limit, now=NOW + after, lease=LEASE, each=each, busy=busy)


async def add(files: Attachments, *given: CaseFile, now: datetime = NOW) -> None:
    await files.add(given, now=now)


async def only(files: Attachments) -> FileRow:
    [row] = await files.of_case(CASE)
    return row


def test_a_file_of_a_case_is_due_at_once_with_all_that_is_needed_to_fetch_it(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, given("https://files.example/1.jpg", name="现场.jpg"))

        assert await claim(files) == [
            DueFile(CASE, "hotline", "https://files.example/1.jpg", "现场.jpg", 1, None, NOW)
        ]  # fmt: skip
        assert (await only(files)).state is FileState.FETCHING

    telling(database_url, tell)


def test_told_again_a_file_is_no_news_whatever_became_of_it(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, given("https://files.example/1.jpg"), given("https://files.example/1.jpg"))
        [file] = await claim(files)
        await files.stored(file, PICTURE)
        await add(files, given("https://files.example/1.jpg"))

        assert await claim(files) == []
        assert (await only(files)).state is FileState.STORED

    telling(database_url, tell)


def test_of_many_workers_each_gets_other_files(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 4) as rooms:
            stores = [Attachments(room.store) for room in rooms]
            await add(stores[0], *(given(f"https://files.example/{n}") for n in range(40)))
            claimed = await asyncio.gather(*(claim(files, limit=10) for files in stores for _ in range(3)))
        urls = [file.url for files in claimed for file in files]
        assert len(urls) == len(set(urls)) > 0

    asyncio.run(race())


def test_a_lost_workers_file_is_taken_over_and_the_lost_one_can_no_longer_put_it_back(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, given("https://files.example/1"))
        [lost] = await claim(files)
        assert await claim(files, after=LEASE) == []
        [taken] = await claim(files, after=LEASE + SECOND)
        assert taken.attempts == 2

        await files.keep(lost, NOW + LEASE * 10)
        await files.keep(taken, NOW + LEASE * 3)
        assert await claim(files, after=LEASE * 3) == []
        [taken] = await claim(files, after=LEASE * 3 + SECOND)
        await files.retry(lost, "no connection", NOW)
        await files.gone(lost, "expired")
        assert (await only(files)).state is FileState.FETCHING

        await files.stored(lost, PICTURE)  # it has the bytes: that is true whoever says it
        await files.retry(taken, "no connection", NOW)
        assert (await only(files)).state is FileState.STORED

    telling(database_url, tell)


def test_inline_bytes_leave_the_row_when_the_file_is_stored(database_url: str) -> None:
    async def tell(files: Attachments, room: Storeroom) -> None:
        await add(files, given("inline:sha256:00", content=b"bytes"))
        [file] = await claim(files)
        assert file.content == b"bytes"

        await files.stored(file, PICTURE)

        assert await room.scalar("SELECT content FROM attachment") is None
        assert await only(files) == FileRow(
            "inline:sha256:00", "", "hotline", FileState.STORED, PICTURE.sha256, 1234, "image/jpeg", ""
        )  # fmt: skip

    telling(database_url, tell)


def test_a_file_that_is_gone_says_why_keeps_its_bytes_and_is_not_tried_again(database_url: str) -> None:
    async def tell(files: Attachments, room: Storeroom) -> None:
        await add(files, given("inline:sha256:00", content=b"bytes"))
        [file] = await claim(files)
        await files.gone(file, "x" * 600)

        assert await claim(files, after=timedelta(days=30)) == []
        row = await only(files)
        assert (row.state, row.text, row.sha256) == (FileState.GONE, "x" * 500, "")
        assert await room.scalar("SELECT content FROM attachment") == b"bytes"

    telling(database_url, tell)


def test_a_file_for_later_waits_until_then(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, given("https://files.example/1"))
        [file] = await claim(files)
        await files.retry(file, "no connection", NOW + 5 * SECOND)

        assert (await only(files)).text == "no connection"
        assert await claim(files, after=4 * SECOND) == []
        [again] = await claim(files, after=5 * SECOND)
        assert again.attempts == 2

    telling(database_url, tell)


def test_a_system_with_a_heap_of_files_leaves_places_to_the_others(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, *(given(f"https://files.example/{n}", system="dead") for n in range(20)))
        await add(files, given("https://other.example/1", system="quick"), now=NOW + SECOND)

        systems = [file.system for file in await claim(files, limit=4, each=2, after=SECOND)]
        assert sorted(systems) == ["dead", "dead", "quick"]
        assert await claim(files, limit=4, each=2, after=SECOND, busy={"dead": 2}) == []
        assert len(await claim(files, limit=4, each=2, after=SECOND, busy={"dead": 1})) == 1

    telling(database_url, tell)


def test_the_oldest_of_all_systems_come_first(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        for n, system in enumerate(("b", "a", "c")):
            await add(files, given(f"https://files.example/{system}", system=system), now=NOW + n * SECOND)

        claimed = await claim(files, limit=2, after=timedelta(hours=1))
        assert {file.system for file in claimed} == {"b", "a"}

    telling(database_url, tell)


def test_the_books_count_by_system_and_state(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        assert await files.counts() == {}
        await add(files, given("https://files.example/1"), given("https://files.example/2"))
        await add(files, given("https://files.example/1", system="grid", case=OTHER_CASE), now=NOW - SECOND)
        [file] = await claim(files, limit=1)
        await files.gone(file, "expired")

        assert await files.counts() == {"hotline": {FileState.WAITING: 2}, "grid": {FileState.GONE: 1}}

    telling(database_url, tell)


def test_a_case_tells_its_own_files_only(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, given("https://files.example/b"), given("https://files.example/a"))
        await add(files, given("https://files.example/c", case=OTHER_CASE))

        assert [row.url for row in await files.of_case(CASE)] == ["https://files.example/a", "https://files.example/b"]

    telling(database_url, tell)


def test_an_address_no_index_can_hold_harms_no_other_file(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(80))
        await add(files, given(f"https://files.example/{noise}"), given(f"data:{noise}", content=b"bytes"))
        await add(files, given("https://files.example/1"), case_of_its_own := given("x" * 3000, case=OTHER_CASE))
        await add(files, case_of_its_own)

        states = sorted((row.state, row.text[:23]) for row in await files.of_case(CASE))
        assert states == [("gone", "the address is too long"), ("waiting", ""), ("waiting", "")]
        assert {file.content for file in await claim(files)} == {None, b"bytes"}

    telling(database_url, tell)


# Parts


PARTS = {1: b"one ", 2: b"two ", 3: b"three"}


def part(number: int, *, total: int = 3, file_id: str = "f:1", case: UUID = CASE) -> CaseFile:
    content = PARTS.get(number, b"")
    return given(f"inline:part:{file_id}:{number}/{total}", content=content, case=case, name="现场.jpg")


@pytest.mark.parametrize(
    "url",
    ["inline:part:f", "inline:part:f:0/3", "inline:part:f:4/3", "inline:part:f:01/3", "inline:part::1/1",
     "inline:part:f:1/99999", "inline:part:f:一/二", "https://files.example/part:f:1/3"],
)  # fmt: skip
def test_an_address_that_only_looks_like_a_part_is_none(url: str) -> None:
    assert part_of(url) is None


def test_the_address_of_a_part_tells_file_number_and_total() -> None:
    assert part_of("inline:part:f:1:2/3") == Part("f:1", 2, 3)


def test_parts_are_counted_by_case_and_file_and_given_in_the_order_of_their_numbers(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, part(3), part(1, file_id="f:2"), part(2, case=OTHER_CASE), part(1))
        claimed = {file.url: file for file in await claim(files) if file.case_id == CASE}
        mine, facts = claimed["inline:part:f:1:3/3"], Part("f:1", 3, 3)
        assert mine.content is None
        assert await files.pieces(mine, facts) == Pieces(2, 9, joined=False)

        await add(files, part(2), part(2))

        assert await files.pieces(mine, facts) == Pieces(3, 13, joined=False)
        assert await files.contents(mine, facts) == [b"one ", b"two ", b"three"]

    telling(database_url, tell)


def test_joined_parts_are_one_stored_file_and_leave_no_rows(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, part(1), part(2), part(3), part(1, file_id="f:2"))
        file = next(file for file in await claim(files) if file.url == "inline:part:f:1:2/3")
        await files.join(file, Part("f:1", 2, 3), PICTURE)

        rows = {row.url: row for row in await files.of_case(CASE)}
        assert set(rows) == {"inline:file:f:1", "inline:part:f:2:1/3"}
        whole = rows["inline:file:f:1"]
        assert (whole.state, whole.name, whole.sha256) == (FileState.STORED, "现场.jpg", PICTURE.sha256)

    telling(database_url, tell)


def test_two_workers_that_join_the_same_parts_make_one_file(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 2) as rooms:
            stores = [Attachments(room.store) for room in rooms]
            await add(stores[0], part(1), part(2), part(3))
            claimed = await claim(stores[0])
            work = [
                files.join(file, Part("f:1", 1, 3), PICTURE) for files, file in zip(stores, claimed[:2], strict=True)
            ]
            await asyncio.gather(*work)
            assert [row.url for row in await stores[0].of_case(CASE)] == ["inline:file:f:1"]
            assert await stores[0].contents(claimed[2], Part("f:1", 1, 3)) == []

    asyncio.run(race())


def test_a_part_that_comes_after_the_joining_is_known_to_be_one(database_url: str) -> None:
    async def tell(files: Attachments, _: Storeroom) -> None:
        await add(files, part(1, total=1))
        [file] = await claim(files)
        await files.join(file, Part("f:1", 1, 1), PICTURE)
        await add(files, part(1, total=1))
        [again] = await claim(files)

        assert await files.pieces(again, Part("f:1", 1, 1)) == Pieces(1, 4, joined=True)
        await files.join(again, Part("f:1", 1, 1), None)

        assert [row.url for row in await files.of_case(CASE)] == ["inline:file:f:1"]

    telling(database_url, tell)
