"""A telling that is delivered again, to whichever process, is counted once."""

import asyncio

from canonical.message import Verdict
from tests.routing.intake_city import verdicts
from tests.routing.test_told_again import TWICE, heard
from tests.storage.test_alarms import kept, rooms


def test_a_telling_delivered_again_to_many_processes_at_once_is_counted_once(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 4, TWICE) as made:
            again = [room.take(heard(1 + number, redelivered=True)) for number, room in enumerate(made * 3)]
            outcomes = [outcome for taken in await asyncio.gather(*again) for outcome in taken]
            assert sorted(verdicts(outcomes)) == [Verdict.COUNTED] + [Verdict.REPEATED] * 11
            [state] = (await kept(made[0])).values()
            assert (state.told, state.in_a_row, state.case_id) == (1, 1, None)

    asyncio.run(tell())
