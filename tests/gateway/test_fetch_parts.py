"""Files that come in parts, in any order and more than once."""

from datetime import timedelta

from gateway.fetch import GIVE_UP, LEASE
from storage.attachments import FileState
from tests.gateway.fetch_desk import PICTURE, Desk, Working, digest, given, part, platform, served, states, working

__all__ = ["platform", "served", "working"]


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
