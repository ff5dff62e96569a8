"""A delivery in doubt is asked for by our number before anything is sent twice; and what cannot be told is shown."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from canonical.message import Message
from canonical.records import Arrival
from canonical.rights import EVERYTHING
from gateway.delivery.traffic import Retry
from gateway.orders import ordered
from gateway.views import journey_view
from storage.outbox import Stuck
from tests.gateway.pulling import MESSAGES, NAME, NOW, Asked, Desk, Platform, Said, Tell, Working
from tests.gateway.pushes import FORM, HOTLINE, hotline, ticket
from tests.gateway.running import take_up

OWNER = """\
pulls:
  trees: {every: 60, ask: list_trees, items: rows, messages: [progress, tree]}
tells:
  owner: {dispatch: plant}
unsupported:
  owner: {cancel: 平台不接收撤销, rework: 平台不接收返工}
"""
FINDS = "finds: {plant: find_plant}\n"


@pytest.fixture
def working(telling: Working) -> Working:
    """Tell a story at a desk with one case that is to be handed over to the platform."""

    def work(tell: Tell, more: str = OWNER + FINDS) -> None:
        async def with_a_case(desk: Desk) -> None:
            pushed = hotline(ticket("1"))
            await desk.take_in(HOTLINE, pushed.body, FORM)
            await tell(desk)

        telling(with_a_case, more)

    return work


async def deliver(desk: Desk, *, after: float = 0.0) -> tuple[Any, ...]:
    """(state, attempts, in_doubt) of the delivery after one round at NOW plus so many seconds."""
    desk.after = timedelta(seconds=after)
    await desk.deliver()
    return await state(desk)


async def state(desk: Desk) -> tuple[Any, ...]:
    [row] = await desk.rows(f"SELECT state, attempts, in_doubt FROM delivery WHERE system = '{NAME}'")
    return row


class Nursery:
    """The platform's own memory of what it was told to plant."""

    def __init__(self, parks: Platform) -> None:
        self.planted: list[str] = []
        self.losing = 0
        self.hears, self.finds = True, True
        parks.on |= {"/plant": self.plant, "/find": self.find}

    def plant(self, asked: Asked) -> Any:
        if self.hears:
            self.planted.append(asked.body["no"])
        if self.losing:
            self.losing -= 1
            return Said(None)
        return {"code": "ok", "id": f"P-{asked.body['no']}"}

    def find(self, asked: Asked) -> Any:
        if not self.finds:
            return Said({}, 503)
        there = asked.query["no"] in self.planted
        return {"code": "ok", "id": f"P-{asked.query['no']}"} if there else Said({"code": "none"}, 404)


def test_what_arrived_though_its_answer_was_lost_is_found_and_bound_and_never_sent_twice(
    working: Working, parks: Platform
) -> None:
    nursery = Nursery(parks)
    nursery.losing = 1

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("in_doubt", 1, True)
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        assert parks.paths() == ["/plant", "/find"]
        [no] = nursery.planted
        assert f"P-{no}" in await desk.known()
        kinds = await desk.rows("SELECT door, verdict FROM message WHERE direction = 'out' AND system = 'parks'")
        assert ("find_plant", "acknowledged") in kinds

    working(tell)


def test_what_the_platform_has_not_is_sent_again_though_it_may_never_be_repeated(
    working: Working, parks: Platform
) -> None:
    nursery = Nursery(parks)
    nursery.losing, nursery.hears = 1, False

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("in_doubt", 1, True)
        nursery.hears = True
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        assert parks.paths() == ["/plant", "/find", "/plant"]
        assert len(nursery.planted) == 1

    working(tell)


def test_that_it_is_not_there_is_not_believed_while_it_may_still_be_at_work_on_it(
    working: Working, parks: Platform
) -> None:
    nursery = Nursery(parks)
    nursery.losing, nursery.hears = 1, False

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("in_doubt", 1, True)
        assert await deliver(desk, after=3) == ("in_doubt", 2, True)  # four seconds: twice the time-out
        assert parks.paths() == ["/plant", "/find"]
        nursery.planted.append(parks.asked[0].body["no"])  # it was slow: only now it is done
        assert await deliver(desk, after=5) == ("acknowledged", 3, False)
        assert parks.paths() == ["/plant", "/find", "/find"]

    working(tell)


def test_while_it_cannot_be_asked_nothing_is_sent_and_after_a_day_a_person_is_told(
    working: Working, parks: Platform
) -> None:
    nursery = Nursery(parks)
    nursery.losing, nursery.finds = 1, False

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        for after in (5, 100):
            assert (await deliver(desk, after=after))[::2] == ("in_doubt", True)
        assert await deliver(desk, after=Retry().end.total_seconds() + 500) == ("parked", 4, True)
        assert parks.paths() == ["/plant", "/find", "/find", "/find"]

    working(tell)


def test_a_question_that_is_refused_leaves_the_doubt_to_a_person(working: Working, parks: Platform) -> None:
    Nursery(parks).losing = 1
    parks.on["/find"] = lambda _asked: {"code": "no such service"}

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        assert await deliver(desk, after=5) == ("parked", 2, True)
        [parked] = await desk.hub.outbox.stuck()
        assert isinstance(parked, Stuck)
        assert "refuses to say" in parked.text
        assert parks.paths() == ["/plant", "/find"]

    working(tell)


def test_what_a_lost_worker_had_in_hand_is_asked_for_too(working: Working, parks: Platform) -> None:
    nursery = Nursery(parks)
    arrived = asyncio.Event()

    async def tell(desk: Desk) -> None:
        loop = asyncio.get_running_loop()

        def plant(asked: Asked) -> Any:
            nursery.planted.append(asked.body["no"])
            loop.call_soon_threadsafe(arrived.set)
            return {"code": "ok", "id": "never read"}

        parks.on["/plant"] = plant
        lanes = desk.deliverer()
        await take_up(lanes)
        [task] = lanes._under_way
        await arrived.wait()
        task.cancel()  # the process ends before it has settled anything
        with suppress(asyncio.CancelledError):
            await task
        lanes._threads.shutdown()
        assert (await state(desk))[0] == "sent"
        after = lanes.lease.total_seconds() + 1
        assert await deliver(desk, after=after) == ("acknowledged", 2, False)
        assert parks.paths() == ["/plant", "/find"]

    working(tell)


def test_a_session_that_ended_is_renewed_before_the_question_is_given_up(working: Working, parks: Platform) -> None:
    nursery = Nursery(parks)
    nursery.losing = 1

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        find = parks.on["/find"]
        parks.on["/find"] = lambda asked: find(asked) if asked.headers.get("x-token") == "t1" else Said({}, 401)
        desk.session.token = "old"
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        assert parks.paths() == ["/plant", "/find", "/login", "/find"]

    working(tell)


def test_without_a_way_to_ask_a_doubt_is_parked_at_once_as_before(working: Working, parks: Platform) -> None:
    Nursery(parks).losing = 1

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("parked", 1, True)

    assert "find_plant" in MESSAGES
    working(tell, OWNER)


def test_what_a_platform_cannot_be_told_is_shown_with_its_reason(working: Working, parks: Platform) -> None:
    Nursery(parks)

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        [(no, seq)] = await desk.rows("SELECT no, version FROM cases")
        roles = desk.hub.configuration.city.systems
        journey = await desk.hub.casebook.journey(no, scope=EVERYTHING)
        assert journey is not None
        before = journey_view(journey, roles)
        assert before["not_told"] == []
        await order(desk, no, '{"kind": "cancel", "reason": "重复上报"}'.encode())
        journey = await desk.hub.casebook.journey(no, scope=EVERYTHING)
        assert journey is not None
        shown = journey_view(journey, roles)
        assert shown["stage"] == "cancelled"
        [one] = shown["not_told"]
        assert one == {"system": NAME, "action": "cancel", "reason": "平台不接收撤销", "seq": seq + 1}
        assert [row["message"] for row in shown["deliveries"] if row["system"] == NAME] == ["plant"]

    working(tell)


async def order(desk: Desk, no: str, body: bytes) -> None:
    """What the centre orders."""
    command = ordered(no, body, NOW)
    message = Message(system="centre", body=body, at=NOW, id=desk.hub.ids())
    await desk.hub.reception.take_in([Arrival(message, command)])


def test_an_answer_about_another_number_binds_nothing_though_it_says_ok(working: Working, parks: Platform) -> None:
    nursery = Nursery(parks)
    nursery.planted.append("of another hub")
    parks.on["/plant"] = lambda _asked: {"code": "ok", "id": "P-1", "echo": "of another hub"}
    parks.on["/find"] = lambda _asked: {"code": "ok", "id": "P-2", "echo": "of another hub"}

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("in_doubt", 1, True)
        assert await deliver(desk, after=5) == ("in_doubt", 2, True)
        parks.on["/find"] = lambda asked: {"code": "ok", "id": "P-3", "echo": asked.query["no"]}
        assert await deliver(desk, after=100) == ("acknowledged", 3, False)
        assert "P-3" in await desk.known()
        assert not {"P-1", "P-2"} & set(await desk.known())

    working(tell)
