"""Receivers' memory: one process at a time, positions that never go back, and news told from what is known."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from canonical.errors import Unavailable
from canonical.ports import Memory
from gateway.remembering import BlockingMemory
from storage.memories import Memories
from storage.store import Store
from tests.routing.intake_city import NOW
from tests.storage.storeroom import Storeroom, several, story

LEASE = timedelta(minutes=1)
DAY = timedelta(days=1)
ME, OTHER = UUID(int=1), UUID(int=2)
RECEIVER = ("video", "alarms")


def remembering(url: str, tell: Callable[[Memories, Storeroom], Coroutine[Any, Any, None]]) -> None:
    async def run(room: Storeroom) -> None:
        await tell(Memories(room.store), room)

    story(url, run)


async def claimed(memories: Memories, by: UUID, after: timedelta = timedelta()) -> bool:
    return await memories.claim(*RECEIVER, by=by, now=NOW + after, lease=LEASE)


def test_of_many_processes_one_has_a_receiver(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 4) as rooms:
            asked = [claimed(Memories(room.store), UUID(int=n)) for n, room in enumerate(rooms)]
            assert sorted(await asyncio.gather(*asked)) == [False, False, False, True]

    asyncio.run(race())


def test_who_has_it_renews_it_and_another_gets_it_after_the_lease(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        assert await claimed(memories, ME)
        assert await claimed(memories, ME, LEASE / 2)
        assert not await claimed(memories, OTHER, LEASE * 1.4)
        assert await claimed(memories, OTHER, LEASE * 1.6)
        assert not await claimed(memories, ME, LEASE * 1.7)

    remembering(database_url, tell)


def test_released_it_is_free_at_once_but_only_its_holder_releases_it(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        await claimed(memories, ME)
        await memories.release(*RECEIVER, by=OTHER)
        assert not await claimed(memories, OTHER)
        await memories.release(*RECEIVER, by=ME)
        assert await claimed(memories, OTHER)

    remembering(database_url, tell)


def test_a_position_is_kept_for_each_receiver_and_outlives_its_claims(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        assert await memories.position(*RECEIVER) == ""
        await memories.move(*RECEIVER, "17", now=NOW)
        await claimed(memories, ME)
        await memories.release(*RECEIVER, by=ME)

        assert await memories.position(*RECEIVER) == "17"
        assert await memories.position("video", "files") == ""

    remembering(database_url, tell)


def test_a_process_taken_for_dead_cannot_put_the_position_back(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        await claimed(memories, ME)
        await memories.move(*RECEIVER, "17", now=NOW, by=ME)
        await claimed(memories, OTHER, LEASE * 2)
        await memories.move(*RECEIVER, "20", now=NOW + LEASE * 2, by=OTHER)

        with pytest.raises(Unavailable, match="another process"):
            await memories.move(*RECEIVER, "18", now=NOW + LEASE * 2, by=ME)
        assert await memories.position(*RECEIVER) == "20"

    remembering(database_url, tell)


def test_trouble_can_be_seen_until_it_goes_on(database_url: str) -> None:
    async def tell(memories: Memories, room: Storeroom) -> None:
        await memories.trouble(*RECEIVER, "x" * 600)
        assert await room.scalar("SELECT trouble FROM memory") == "x" * 500
        await memories.move(*RECEIVER, "1", now=NOW)
        assert await room.scalar("SELECT trouble FROM memory") == ""
        await memories.trouble(*RECEIVER, "again")
        await memories.trouble(*RECEIVER, "")
        assert await room.scalar("SELECT trouble FROM memory") == ""
        assert await memories.position(*RECEIVER) == "1"

    remembering(database_url, tell)


def test_news_is_what_is_new_or_different_for_this_receiver(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        await memories.remember(*RECEIVER, {"a": "1", "b": "1", "c": "1"}, now=NOW)
        await memories.remember(*RECEIVER, {"c": "2"}, now=NOW)

        told = {"a": "1", "b": "2", "c": "2", "d": "1"}
        assert await memories.news(*RECEIVER, told, now=NOW) == {"b", "d"}
        assert await memories.news("video", "files", told, now=NOW) == {"a", "b", "c", "d"}
        assert await memories.news("iot", "alarms", told, now=NOW) == {"a", "b", "c", "d"}
        assert await memories.news(*RECEIVER, {}, now=NOW) == frozenset()

    remembering(database_url, tell)


def test_asking_for_news_remembers_nothing(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        for _turn in range(2):
            assert await memories.news(*RECEIVER, {"a": "1"}, now=NOW) == {"a"}

    remembering(database_url, tell)


def test_what_is_still_in_the_list_is_not_forgotten_and_what_left_it_is(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        await memories.remember(*RECEIVER, {"stays": "1", "left": "1"}, now=NOW)
        later = NOW + 10 * DAY
        assert await memories.news(*RECEIVER, {"stays": "1"}, now=later) == frozenset()

        assert await memories.forget_before(*RECEIVER, later - 2 * DAY) == 1

        assert await memories.news(*RECEIVER, {"stays": "1", "left": "1"}, now=later) == {"left"}

    remembering(database_url, tell)


def test_a_long_list_is_one_question(database_url: str) -> None:
    async def tell(memories: Memories, _: Storeroom) -> None:
        many = {f"key-{n}": "1" for n in range(5000)}
        await memories.remember(*RECEIVER, many, now=NOW)

        assert await memories.news(*RECEIVER, many | {"key-17": "2"}, now=NOW) == {"key-17"}

    remembering(database_url, tell)


def test_two_processes_that_remember_the_same_do_not_block_each_other_for_good(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 2) as rooms:
            keys = [f"key-{n}" for n in range(500)]
            orders = [keys, keys[::-1]] * 5
            stores = [Memories(rooms[n % 2].store) for n in range(len(orders))]
            told = [dict.fromkeys(order, str(n)) for n, order in enumerate(orders)]
            work = [one.remember(*RECEIVER, each, now=NOW) for one, each in zip(stores, told, strict=True)]
            await asyncio.gather(*work)

    asyncio.run(race())


# The same from a thread


@asynccontextmanager
async def memory_of(url: str, by: UUID = ME) -> AsyncIterator[BlockingMemory]:
    store = Store(url)
    try:
        memories = Memories(store)
        await claimed(memories, ME)
        yield BlockingMemory(memories, *RECEIVER, by=by, loop=asyncio.get_running_loop(), now=lambda: NOW)
    finally:
        await store.close()


def test_a_receivers_thread_remembers_through_the_loop(database_url: str) -> None:
    def receive(memory: Memory) -> tuple[str, frozenset[str]]:
        assert threading.current_thread() is not threading.main_thread()
        assert memory.position() == ""
        memory.move("9")
        memory.remember({"a": "1"})
        return memory.position(), memory.news({"a": "1", "b": "1"})

    async def run() -> None:
        async with memory_of(database_url) as memory:
            assert await asyncio.to_thread(receive, memory) == ("9", frozenset({"b"}))

    asyncio.run(run())


def test_a_receiver_that_lost_its_claim_hears_unavailable(database_url: str) -> None:
    async def run() -> None:
        async with memory_of(database_url, by=OTHER) as memory:
            with pytest.raises(Unavailable, match="another process"):
                await asyncio.to_thread(memory.move, "9")

    asyncio.run(run())


def test_without_a_database_a_receiver_hears_unavailable(free_port: Callable[[], int]) -> None:
    async def run() -> None:
        store = Store(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none")
        memory = BlockingMemory(Memories(store), *RECEIVER, by=ME, loop=asyncio.get_running_loop(), now=_now)
        with pytest.raises(Unavailable, match="database"):
            await asyncio.to_thread(memory.position)

    asyncio.run(run())


def test_a_loop_that_does_not_answer_or_has_ended_is_unavailable(database_url: str) -> None:
    store = Store(database_url)
    loop = asyncio.new_event_loop()
    memory = BlockingMemory(Memories(store), *RECEIVER, by=ME, loop=loop, now=_now, patience=0.01)

    with pytest.raises(Unavailable, match=r"0\.01 seconds"):
        memory.position()
    loop.run_until_complete(asyncio.sleep(0))  # what was asked is cancelled by now
    loop.run_until_complete(store.close())
    loop.close()
    with pytest.raises(Unavailable, match="has ended"):
        memory.position()


def _now() -> datetime:
    return NOW
