"""A replay whose process is killed at any instant, again and again: each item is done once, in order."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical.replay import Replay, ReplayState
from gateway.replay.run import Replayer
from tests.gateway.pulling import Platform, platform
from tests.gateway.replaying import FILES, ROW, Yard, edition, order, reached, yard
from tests.routing.intake_city import NOW

COMPLETE = FILES["codes/kinds.csv"] + ROW
MOMENTS = st.lists(st.integers(0, 12), max_size=6)
"""After how many statements on the database a process is killed, process by process."""
NO_MORE = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


class _Killed(BaseException):
    """The process ends here: nothing of it runs any more."""


def mortal(one: Yard, statements: int) -> Replayer:
    """A replayer that is killed before its n-th step with the ledger, or after its effect and before it is noted."""
    replayer = Replayer(one.hub)
    left = [statements]

    def counted(name: str) -> None:
        real = getattr(replayer.replays, name)

        async def step(*given: Any, **more: Any) -> Any:
            if left[0] <= 0:
                raise _Killed
            left[0] -= 1
            return await real(*given, **more)

        object.__setattr__(replayer.replays, name, step)

    for name in ("begin", "settle", "case_of", "items"):
        counted(name)
    return replayer


async def lived(one: Yard, replay: Replay, moments: list[int]) -> Replay:
    """Carried out by one process after the other, each killed at its moment, the last one not."""
    await one.replayer.start(replay.id, "operator-7", "数据丢失")
    for moment in moments:
        try:
            await mortal(one, moment).run(replay.id)
        except _Killed:
            continue
    return await one.replayer.run(replay.id)


async def emptied(one: Yard) -> None:
    """An empty journal, as for the first time."""
    tables = "message, cases, event, binding, delivery, replay, replay_item"
    async with one.hub.store.transaction() as transaction:
        await transaction.connection.exec_driver_sql(f"TRUNCATE {tables}")


def test_messages_are_read_again_once_whenever_it_is_killed(database_url: str, tmp_path: Path) -> None:
    old, new = edition(tmp_path / "old"), edition(tmp_path / "new", codes__kinds=COMPLETE)

    @NO_MORE
    @given(MOMENTS)
    def killed(moments: list[int]) -> None:
        async def run() -> None:
            async with yard(database_url, old) as one:
                await emptied(one)
                for number in range(3):
                    await one.push(order(number, "lamp"))
                await one.push(order(8))
            async with yard(database_url, new) as one:
                done = await lived(one, await one.plan(since=NOW), moments)
                assert done.state is ReplayState.DONE
                assert [line[0] for line in await one.lines(done)] == ["done"] * 4
                assert Counter(await one.verdicts()) == {"case": 4, "repeated": 1}
                assert await one.rows("SELECT count(*), max(version) FROM cases") == [(4, 3)]

        asyncio.run(run())

    killed()


@pytest.fixture
def works() -> Iterator[Platform]:
    """The platform's side: it takes everything."""
    with platform() as server:
        server.on["/taken"] = server.on["/hand"] = lambda _asked: {"code": "ok"}
        yield server


def test_messages_are_sent_again_once_and_in_order_whenever_it_is_killed(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    declared = edition(tmp_path, works.url)

    @NO_MORE
    @given(MOMENTS, st.sampled_from(["stop", "skip"]))
    def killed(moments: list[int], on_failure: str) -> None:
        async def run() -> None:
            async with yard(database_url, declared) as one:
                await emptied(one)
                works.asked.clear()
                async with one.worker():
                    for number in range(3):
                        await one.push(order(number))
                    await reached(lambda: acknowledged(one))
                    before = told(works)
                    works.asked.clear()
                    done = await lived(one, await one.plan("out", since=NOW, on_failure=on_failure), moments)
                assert done.state is ReplayState.DONE
                assert sorted(told(works)) == sorted(before)
                for mine in ("0", "1", "2"):
                    assert [path for path, case in told(works) if case == mine] == ["/taken", "/hand"]

        asyncio.run(run())

    killed()


async def acknowledged(one: Yard) -> bool:
    """Whether everything was taken."""
    return not await one.rows("SELECT 1 FROM delivery WHERE state <> 'acknowledged'")


def told(works: Platform) -> list[tuple[str, str]]:
    """(path, which case) of what arrived, in order."""
    return [(one.path, str(json.loads(json.dumps(one.body))["text"]).split()[-1]) for one in works.asked]
