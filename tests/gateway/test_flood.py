"""A source that floods, over real sockets: it is told to come back, and the others do not wait for it."""

import asyncio
from collections.abc import Callable

import httpx

from tests.gateway.pushes import GRID, HOTLINE, Push, grid, hotline, record, ticket
from tests.gateway.running import HubUnderTest


def test_a_flood_is_told_to_come_back_and_the_others_are_taken_in_meanwhile(
    start_hub: Callable[..., HubUnderTest],
) -> None:
    """A small queue, so that a test can fill it: of its 16 places one source has 4."""
    hub = start_hub(doors=False)
    hub.open_doors(queue=16)

    async def flood() -> tuple[list[httpx.Response], list[int]]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=hub.url, trust_env=False, timeout=60, limits=limits) as client:

            async def push(one: Push) -> httpx.Response:
                return await client.post(f"/in/{one.system}", content=one.body, headers=dict(one.headers))

            flooding = [asyncio.create_task(push(hotline(ticket(str(number))))) for number in range(150)]
            others = [(await push(grid(record(str(number))))).status_code for number in range(5)]
            return list(await asyncio.gather(*flooding)), others

    answers, others = asyncio.run(flood())
    taken = [answer for answer in answers if answer.status_code == 200]

    assert others == [200] * 5
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"1"}
    assert len(hub.rows("SELECT 1 FROM message WHERE system = $1", HOTLINE)) == len(taken)
    assert len(hub.cases(source=HOTLINE)) == len(taken)
    assert len(hub.cases(source=GRID)) == 5


def test_who_was_told_to_come_back_is_taken_in_when_the_flood_is_over(start_hub: Callable[..., HubUnderTest]) -> None:
    hub = start_hub(doors=False)
    hub.open_doors(queue=4)

    async def insist() -> int:
        async with httpx.AsyncClient(base_url=hub.url, trust_env=False, timeout=60) as client:

            async def push(number: int) -> int:
                one, refused = hotline(ticket(str(number))), 0
                while True:
                    answer = await client.post(f"/in/{HOTLINE}", content=one.body, headers=dict(one.headers))
                    if answer.status_code == 200:
                        return refused
                    refused += 1
                    await asyncio.sleep(0.05)

            return sum(await asyncio.gather(*(push(number) for number in range(40))))

    assert asyncio.run(insist()) > 0
    assert len(hub.cases()) == 40
