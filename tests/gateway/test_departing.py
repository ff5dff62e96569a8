"""One message that cannot be kept does not stop those that were written with it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from canonical.message import Message
from canonical.reading import Outbound
from gateway.delivery.departing import Departure, departed
from gateway.delivery.writing import Written
from storage.outbox import Claimed, Wanted
from tests.gateway.outside import push
from tests.gateway.running import HubUnderTest, Side, deliverer_to, take_up
from tests.routing.intake_city import reported
from tests.storage.storeroom import LEASE, Storeroom, sent, story

URBAN = "urban_management"
WANTED = [Wanted("works", 10, LEASE)]


def departure(claimed: Claimed, message: Message) -> Departure:
    """As a deliverer makes one."""
    outbound = Outbound(
        message=claimed.message, case=claimed.case, action=claimed.action, binding=None, source_binding=None
    )
    written = Written(message, message, "")
    return Departure(outbound, written, claimed.created_at, claimed.created_at + LEASE, 0.0)


def test_where_the_journal_cannot_keep_one_all_are_taken_up_and_none_has_left(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", str(number)) for number in range(3)))
        numbers = iter(range(3))

        def write(claimed: Claimed) -> Departure:
            return departure(claimed, replace(sent(claimed), path="\0" if next(numbers) == 1 else "x"))

        taken = await departed(room.outbox, WANTED, write, now=room.now)

        assert [made for _, made in taken] == [None] * 3
        assert await room.count("delivery WHERE system = 'works' AND state = 'sent' AND message_id IS NULL") == 3
        assert await room.count("message WHERE direction = 'out'") == 0

    story(database_url, tell)


def test_it_waits_for_a_person_and_the_others_arrive(
    start_hub: Callable[..., HubUnderTest], start_side: Callable[..., Side]
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(urls={URBAN: side.url})
    push(hub, "one")
    push(hub, "two")
    letters = "SELECT case_id, state, why, text FROM delivery WHERE system = $1 AND message = 'letter' ORDER BY case_id"
    worst = hub.rows(letters, URBAN)[0]["case_id"]
    wired = hub.wired()

    async def told() -> None:
        deliverer = deliverer_to(wired, URBAN)
        seal = deliverer.writer._seal

        def sealed(outbound: Outbound, *more: Any) -> Written:
            written = seal(outbound, *more)
            broken = replace(written, kept=replace(written.kept, path="\0"))
            return broken if outbound.case.id == worst else written

        deliverer.writer._seal = sealed  # type: ignore[method-assign, assignment]
        await take_up(deliverer)
        await deliverer.drained()
        deliverer.close()
        await wired.store.close()

    asyncio.run(told())

    bad, good = hub.rows(letters, URBAN)
    assert (bad["state"], bad["why"]) == ("parked", "contract")
    assert "what is in no journal does not leave" in bad["text"]
    assert good["state"] == "acknowledged"
    assert len(side.items()) == 1
