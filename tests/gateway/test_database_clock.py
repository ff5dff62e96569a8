"""Workers go by the database's clock: one whose own is wrong, or is set, takes nothing that others have in hand."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from canonical.time import SHANGHAI
from gateway.database_clock import DatabaseClock
from gateway.hub import clock
from storage.store import Store
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest, Side, until

URBAN = "urban_management"
AHEAD = timedelta(minutes=3)


def test_a_step_of_the_own_clock_changes_nothing_and_the_database_is_believed(database_url: str) -> None:
    own = clock() + AHEAD

    async def tell() -> None:
        nonlocal own
        store = Store(database_url)
        followed = DatabaseClock(lambda: own)
        assert followed.now() == own
        await followed.look(store)
        assert abs(followed.now() - clock()) < timedelta(seconds=5)
        own -= timedelta(days=1)
        assert abs(followed.now() - clock()) < timedelta(seconds=5)
        assert followed.now().tzinfo is SHANGHAI
        await store.close()

    asyncio.run(tell())


def test_time_goes_on_by_the_monotonic_clock_between_two_looks(database_url: str) -> None:
    passed = 100.0

    async def tell() -> datetime:
        nonlocal passed
        store = Store(database_url)
        followed = DatabaseClock(clock, monotonic=lambda: passed)
        await followed.look(store)
        await store.close()
        before = followed.now()
        passed += 7.0
        assert followed.now() - before == timedelta(seconds=7)
        return followed.now()

    assert abs(asyncio.run(tell()) - clock()) < timedelta(seconds=15)


def test_a_worker_whose_clock_is_ahead_does_not_take_what_another_has_in_hand(
    start_hub: Callable[..., HubUnderTest], start_side: Callable[..., Side]
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(urls={URBAN: side.url})
    assert hotline(ticket("t-1")).to(hub).status_code == 200
    letter = "SELECT state, claims FROM delivery WHERE system = $1 AND message = 'letter' ORDER BY id"
    hub.rows(
        "UPDATE delivery SET state = 'sent', claims = 1, next_at = now() + interval '1 minute' WHERE system = $1"
        " AND message = 'letter' RETURNING id",
        URBAN,
    )  # as a worker that is at it

    hub.start_worker(now=lambda: clock() + AHEAD, follow=True)
    assert hotline(ticket("t-2")).to(hub).status_code == 200
    until(lambda: len(side.items()) == 1, what="the other letter")

    def states() -> list[tuple[str, int]]:
        return [(row["state"], row["claims"]) for row in hub.rows(letter, URBAN)]

    until(lambda: states()[1] == ("acknowledged", 1), what="its receipt")
    assert states()[0] == ("sent", 1)
