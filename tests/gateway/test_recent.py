"""What is dear to know is computed once for all, and kept for as long as it was dear."""

import asyncio

import pytest

from gateway.recent import Recent


class Desk:
    """Counts how often it was asked; each asking takes so many seconds of its own clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.asked, self.broken = seconds, 0.0, 0, False
        self.recent = Recent(self.compute, monotonic=lambda: self.now)

    async def compute(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        self.now += self.seconds
        if self.broken:
            raise ConnectionError
        return self.asked


def test_a_cheap_answer_is_always_fresh() -> None:
    async def tell() -> None:
        desk = Desk(0.1)
        assert [await desk.recent.get() for _ in range(3)] == [1, 2, 3]

    asyncio.run(tell())


def test_a_dear_answer_is_kept_for_nine_times_what_it_took_and_no_longer() -> None:
    async def tell() -> None:
        desk = Desk(20.0)
        assert await desk.recent.get() == 1
        desk.now += 179
        assert await desk.recent.get() == 1
        desk.now += 1
        assert await desk.recent.get() == 2

    asyncio.run(tell())


def test_all_who_ask_at_once_share_one_computation_and_its_failure_is_not_kept() -> None:
    async def tell() -> None:
        desk = Desk(20.0)
        assert await asyncio.gather(*(desk.recent.get() for _ in range(5))) == [1] * 5
        desk.now, desk.broken = 1000.0, True
        with pytest.raises(ConnectionError):
            await desk.recent.get()
        desk.broken = False
        assert await desk.recent.get() == 3

    asyncio.run(tell())


def test_one_who_goes_away_takes_the_answer_from_nobody() -> None:
    async def tell() -> None:
        desk = Desk(20.0)
        first, second = (asyncio.create_task(desk.recent.get()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 1

    asyncio.run(tell())


def test_an_answer_may_be_good_for_a_while_from_when_it_was_asked_for() -> None:
    async def tell() -> None:
        desk = Desk(0.25)
        desk.recent = Recent(desk.compute, good_for=1.0, monotonic=lambda: desk.now)
        assert await desk.recent.get() == 1
        desk.now += 0.5
        assert await desk.recent.get() == 1
        desk.now += 0.25
        assert await desk.recent.get() == 2

    asyncio.run(tell())
