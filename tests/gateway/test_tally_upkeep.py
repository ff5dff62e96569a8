"""A worker folds the tallies, and a command checks them and puts them right."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from gateway.hub import Hub, wire
from gateway.settings import Settings, example_city
from gateway.upkeep import Folding
from gateway.work import Role, Worker
from tests.gateway import forked
from tests.gateway.running import ENVIRONMENT
from tests.routing.intake_city import ordered, reported
from tests.storage.counting_cases import both_ways
from tests.storage.storeroom import Storeroom, opened, story
from tests.storage.test_tallies import K


def hub_on(url: str) -> Hub:
    """The example city's hub on this database."""
    return wire(Settings(example_city(), url, "", Path("unused"), ENVIRONMENT), url)


def gridhub(url: str, *words: str, code: int) -> Any:
    """`gridhub figures check --json`, which ends with this code."""
    environment = os.environ | {"GRIDHUB_DATABASE_URL": url}
    done = forked.run(["figures", "check", *words, "--json"], environment)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_worker_folds_what_cases_left(database_url: str) -> None:
    async def tell() -> None:
        async with opened(database_url) as room:
            await room.take(reported("hotline", "1"), reported("hotline", "2"))
            assert await room.count("tally_change") > 0
            hub, stop = hub_on(database_url), asyncio.Event()
            working = asyncio.create_task(Worker(hub, frozenset({Role.CLOCK})).run(stop))
            while await room.count("tally_change"):  # noqa: ASYNC110 another process would not say either
                await asyncio.sleep(0.05)
            stop.set()
            await working
            await hub.store.close()
            assert await room.count("tally") > 0
            kept, counted = await both_ways(room.store, hub.now())
            assert kept == counted

    asyncio.run(asyncio.wait_for(tell(), 60))


def test_many_changes_are_folded_in_steps_with_rests_between(database_url: str) -> None:
    async def tell() -> None:
        hub = hub_on(database_url)
        async with hub.store.transaction() as transaction:
            for statement in _MANY:
                await transaction.connection.exec_driver_sql(statement)
        pauses = [await Folding(hub).round() for _ in range(4)]
        await hub.store.close()

        assert max(pauses[:2]) < min(pauses[2:])
        assert pauses[2] < pauses[3]

    asyncio.run(tell())


_MANY = (
    """INSERT INTO tally_change SELECT 'filed', '', '340202001', 'c' || i, 'hotline', '', '', '', '', '', false, now(),
       NULL, NULL, 1 FROM generate_series(1, 12000) i""",
)


def test_the_command_finds_what_is_off_and_puts_it_right(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        case = await room.case()
        await room.take(ordered(case.no, K.COMMENT, reason="再看一次"))
        # Restored without its triggers, as some tools do it.
        await room.scalar("DELETE FROM tally_change WHERE stage <> '' RETURNING 1")

    story(database_url, tell)

    found = gridhub(database_url, code=1)
    assert {one["cube"] for one in found["items"]} >= {"open", "open_class", "due"}
    assert {one["off"] for one in found["items"]} == {1}
    assert gridhub(database_url, "--repair", code=0)["repaired"]
    assert gridhub(database_url, code=0)["items"] == []
