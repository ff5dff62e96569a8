"""Group commit: what comes while a batch is committed shares the next, and one that stands holds up nobody else."""

import asyncio

from canonical.message import Verdict
from canonical.records import Arrival
from gateway.reception import Committer
from tests.routing.intake_city import reported
from tests.storage.storeroom import Storeroom, opened, story


async def push(committer: Committer, arrival: Arrival) -> Verdict:
    [outcome] = await committer.submit(arrival.message, [arrival])
    return outcome.verdict


def test_who_comes_while_a_batch_is_committed_shares_the_next_one(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        async with Committer(room.reception) as committer, opened(database_url) as other:
            async with other.store.hot() as connection:
                await connection.execute("LOCK TABLE cases IN SHARE MODE")
                first = asyncio.create_task(push(committer, reported("hotline", "first")))
                await asyncio.sleep(0.2)
                others = [asyncio.create_task(push(committer, reported("hotline", str(n)))) for n in range(60)]
                await asyncio.sleep(0.2)
            assert set(await asyncio.gather(first, *others)) == {Verdict.CASE}

        assert await room.count("cases") == 61
        assert await room.scalar("SELECT count(DISTINCT CAST(xmin AS text)) FROM cases") == 2

    story(database_url, tell)


def test_a_batch_that_stands_in_a_lock_holds_up_nobody_else(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        async with Committer(room.reception) as committer, opened(database_url) as other:
            async with other.store.batch() as open_batch:
                await open_batch.known([reported("hotline", "1", case_key="one matter")])
                standing = asyncio.create_task(push(committer, reported("hotline", "2", case_key="one matter")))
                await asyncio.sleep(0.1)
                for number in range(3, 9):
                    assert await asyncio.wait_for(push(committer, reported("hotline", str(number))), 5) is Verdict.CASE
                assert not standing.done()
            assert await standing is Verdict.CASE

    story(database_url, tell)
