"""Subscriptions: said in order, kept alive, renewed, said anew when the platform forgot us, taken back at the end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.subscribe import LEASE, Subscriber
from tests.gateway.pulling import Asked, Desk, Platform, Said, Working

PULLS = "pulls:\n  trees: {every: 60, ask: list_trees, items: rows, messages: [tree, progress]}\n"
WHOLE = """\
subscription:
  register: register
  keepalive: {message: keepalive, every: 20, misses: 3}
  subscribe: subscribe
  renew: 3600
  unsubscribe: unsubscribe
  unregister: unregister
"""


@pytest.fixture
def working(telling: Working, parks: Platform) -> Working:
    """Tell a story at a desk whose platform is declared with this subscription."""
    for path in ("/register", "/alive", "/subscribe", "/unsubscribe", "/unregister"):
        parks.on[path] = lambda _asked: {"code": "ok"}
    return lambda tell, more=WHOLE: telling(tell, PULLS + more)


async def at(desk: Desk, one: Subscriber, seconds: float) -> float:
    """A round at NOW plus so many seconds."""
    desk.after = timedelta(seconds=seconds)
    return await one.round()


async def shown(desk: Desk) -> tuple[str, str]:
    """(state, trouble) as people see them."""
    [(position, trouble)] = await desk.rows("SELECT position, trouble FROM memory WHERE name = '#subscription'")
    return position, trouble


def said(parks: Platform) -> list[str]:
    """What the platform was told since this was asked last."""
    paths = [path.removeprefix("/") for path in parks.paths()]
    parks.asked.clear()
    return paths


def busy(_asked: Asked) -> Said:
    return Said({}, 503)


def stranger(_asked: Asked) -> Said:
    return Said({}, 401)


def test_it_registers_subscribes_lives_renews_and_takes_all_of_it_back(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        assert await at(desk, one, 0) == 20
        assert said(parks) == ["register", "subscribe"]
        assert (await shown(desk))[0].startswith("subscribed 2026-05-20T09:00")
        assert await at(desk, one, 15) == 5
        assert said(parks) == []
        for seconds in (20, 40, 60):
            await at(desk, one, seconds)
        assert said(parks) == ["alive"] * 3
        await at(desk, one, 3600)
        assert said(parks) == ["subscribe", "alive"]
        await one.end()
        assert said(parks) == ["unsubscribe", "unregister"]
        assert await shown(desk) == ("ended", "")
        assert await desk.rows("SELECT 1 FROM memory WHERE claimed_by IS NOT NULL") == []

    working(tell)


def test_after_some_signs_of_life_that_were_not_taken_it_begins_anew(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        await at(desk, one, 0)
        parks.on["/alive"] = busy
        for seconds in (20, 40):
            await at(desk, one, seconds)
        assert said(parks) == ["register", "subscribe", "alive", "alive"]
        assert "no sign of life taken" in (await shown(desk))[1]
        assert await at(desk, one, 60) <= 1
        assert said(parks) == ["alive"]
        await at(desk, one, 62)
        assert said(parks) == ["register", "subscribe"]
        assert (await shown(desk))[1] == ""

    working(tell)


def test_one_sign_of_life_that_was_lost_is_forgotten_when_the_next_is_taken(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        await at(desk, one, 0)
        for lost in range(4):  # never three in a row
            parks.on["/alive"] = busy
            await at(desk, one, 40 * lost + 20)
            parks.on["/alive"] = parks.on["/register"]
            await at(desk, one, 40 * lost + 40)
        assert said(parks) == ["register", "subscribe"] + ["alive"] * 8
        assert (await shown(desk))[1] == ""

    working(tell)


def test_a_platform_that_does_not_know_us_any_more_is_registered_with_at_once(
    working: Working, parks: Platform
) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        await at(desk, one, 0)
        parks.on["/alive"] = stranger
        await at(desk, one, 20)
        await at(desk, one, 22)
        assert said(parks) == ["register", "subscribe", "alive", "login", "alive", "register", "subscribe"]

    working(tell)


def test_a_token_that_ended_is_renewed_and_is_no_reason_to_begin_anew(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        await at(desk, one, 0)
        parks.on["/alive"] = lambda asked: {"code": "ok"} if asked.headers.get("x-token") == "t1" else Said({}, 401)
        await at(desk, one, 20)
        await at(desk, one, 40)
        assert said(parks) == ["register", "subscribe", "alive", "login", "alive", "alive"]

    working(tell)


def test_a_platform_that_is_not_there_is_asked_again_ever_more_slowly_and_heard_when_it_says_how_long(
    working: Working, parks: Platform
) -> None:
    parks.on["/register"] = lambda _asked: Said({}, 429, {"retry-after": "25"})

    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        assert await at(desk, one, 0) == 25
        await at(desk, one, 24)
        assert said(parks) == ["register"]
        assert (await shown(desk)) == ("", "parks answered HTTP 429")
        parks.on["/register"] = busy
        clock, pauses = 25.0, []
        for _ in range(12):
            await at(desk, one, clock)
            assert one._state.again_at
            pauses.append((one._state.again_at - desk.hub.now()).total_seconds())
            clock += pauses[-1]
        assert len(said(parks)) == 12
        assert 75 <= pauses[-1] <= 300
        parks.on["/register"] = parks.on["/alive"]
        await at(desk, one, clock)
        assert said(parks) == ["register", "subscribe"]
        assert (await shown(desk))[1] == ""

    working(tell)


def test_a_renewal_that_fails_is_tried_again_while_the_signs_of_life_go_on(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        for seconds in range(0, 3600, 600):
            await at(desk, one, seconds)
        said(parks)
        parks.on["/subscribe"] = lambda _asked: Said({}, 503, {"retry-after": "50"})
        for seconds in (3600, 3620, 3640):
            await at(desk, one, seconds)
        assert said(parks) == ["subscribe", "alive", "alive", "alive"]
        parks.on["/subscribe"] = parks.on["/register"]
        await at(desk, one, 3650)
        assert said(parks) == ["subscribe"]

    working(tell)


def test_of_several_processes_one_speaks_and_another_takes_over_when_it_is_lost(
    working: Working, parks: Platform
) -> None:
    async def tell(desk: Desk) -> None:
        one, two = desk.subscriber(), desk.subscriber()
        await at(desk, one, 0)
        await at(desk, two, 0)
        assert said(parks) == ["register", "subscribe"]
        await two.end()  # it never spoke: it has nothing to take back
        assert said(parks) == []
        await at(desk, two, LEASE.total_seconds() + 1)
        assert said(parks) == ["register", "subscribe"]
        await at(desk, one, LEASE.total_seconds() + 2)
        await one.end()
        assert said(parks) == []

    working(tell)


def test_the_end_does_not_wait_for_a_platform_that_is_silent(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        await at(desk, one, 0)
        loop, silent = asyncio.get_running_loop(), asyncio.Event()
        gone = asyncio.Event()

        def never(_asked: Asked) -> Any:
            loop.call_soon_threadsafe(gone.set)
            asyncio.run_coroutine_threadsafe(silent.wait(), loop).result(30)
            return {"code": "ok"}

        parks.on["/unsubscribe"] = never
        one.patience = 0.2
        await one.end()
        assert gone.is_set()
        silent.set()
        assert said(parks)[-1] == "unsubscribe"
        assert await shown(desk) == ("ended", "")

    working(tell)


def test_a_refused_farewell_does_not_keep_the_rest_from_being_taken_back(working: Working, parks: Platform) -> None:
    parks.on["/unsubscribe"] = lambda _asked: {"code": "unknown subscription"}

    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        await at(desk, one, 0)
        await one.end()
        assert said(parks) == ["register", "subscribe", "unsubscribe", "unregister"]

    working(tell)


def test_without_register_and_signs_of_life_it_subscribes_and_renews(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        assert await at(desk, one, 0) == 30
        assert 0 < await at(desk, one, 85) <= 5
        await at(desk, one, 90)
        assert said(parks) == ["subscribe", "subscribe"]
        await one.end()
        assert said(parks) == []

    working(tell, "subscription: {subscribe: subscribe, renew: 90}\n")


def test_a_system_without_a_subscription_has_nothing_to_say(working: Working, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        one = desk.subscriber()
        assert await at(desk, one, 0) >= 600
        await one.end()
        assert said(parks) == []

    working(tell, "")
