"""Outbound replays: the kept bytes or a new writing, to one system, through its lanes, in order, each once."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from canonical.lifecycle import ActionKind
from canonical.message import Verdict
from canonical.replay import ReplayState
from tests.gateway.pulling import Platform, Said, platform
from tests.gateway.replaying import FILES, NAME, SECRET, Yard, edition, order, reached, yard
from tests.routing.intake_city import NOW, by_owner, ordered, reported

Story = Callable[[Yard], Coroutine[Any, Any, None]]
UNDER_WAY = "SELECT 1 FROM delivery WHERE state NOT IN ('acknowledged', 'refused', 'parked', 'withdrawn')"


@pytest.fixture
def works() -> Iterator[Platform]:
    """The platform's side: it takes everything, and gives what is handed over an id of its own."""
    with platform() as server:
        server.on["/taken"] = lambda _asked: {"code": "ok"}
        server.on["/hand"] = lambda asked: {"code": "ok", "id": f"X-{asked.body['no']}"}
        yield server


def told(url: str, connected: Any, *stories: Story) -> None:
    """Stories one after the other, each in a process of its own with a worker beside it."""

    async def run() -> None:
        for story in stories:
            async with yard(url, connected) as one, one.worker():
                await story(one)

    asyncio.run(run())


async def settled(one: Yard) -> None:
    """Wait until nothing is under way."""

    async def idle() -> bool:
        return not await one.rows(UNDER_WAY)

    await reached(idle, seconds=5)


def sent(works: Platform) -> list[tuple[str, str]]:
    """(path, our or their number) of what arrived, in order."""
    return [(one.path, one.body["no"]) for one in works.asked]


def signed(works: Platform) -> list[bool]:
    """Whether the signature of each request is right for the very bytes and time that came with it."""
    found = []
    for one in works.asked:
        body = json.dumps(one.body, ensure_ascii=False, separators=(",", ":"))
        wanted = hmac.new(SECRET.encode(), f"{body}{one.headers['x-time']}".encode(), hashlib.sha256).hexdigest()
        found.append(one.headers["x-sign"] == wanted)
    return found


def test_what_was_sent_goes_again_byte_for_byte_in_its_order_with_a_new_time_and_signature(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    async def story(one: Yard) -> None:
        numbers = [(await one.push(order(number))).case_no for number in range(3)]
        await settled(one)
        first = sent(works)
        assert len(first) == 6, await one.rows("SELECT message, state, text FROM delivery")
        assert all(signed(works))
        times = [asked.headers["x-time"] for asked in works.asked]
        bodies = [asked.body for asked in works.asked]
        works.asked.clear()
        one.after = timedelta(hours=1)

        plan = await one.plan("out", until=NOW + timedelta(minutes=30))
        assert (plan.total, plan.how) == (6, "verbatim")
        assert plan.counts["by_kind"] == {"hand_over": 3, "taken": 3}
        assert works.asked == []
        done = await one.run(plan)

        assert done.state is ReplayState.DONE
        for number in range(3):
            mine = [pair for pair in first if pair[1] in (f"W{number}", f"{numbers[number]}-1")]
            assert [pair for pair in sent(works) if pair in mine] == mine
        assert sorted(map(str, bodies)) == sorted(str(asked.body) for asked in works.asked)
        assert set(times).isdisjoint(asked.headers["x-time"] for asked in works.asked)
        assert all(signed(works))
        rows = await one.rows("SELECT count(*), count(replays) FROM delivery WHERE state = 'acknowledged'")
        assert rows == [(12, 6)]

    told(database_url, edition(tmp_path, works.url), story)


def test_it_is_written_anew_by_the_chosen_edition_and_the_lanes_of_today_go_on_by_todays(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    today = FILES["messages/hand_over.yaml"].replace("text: {from: case.title}", "title: {from: case.title}")
    old = edition(tmp_path / "old", works.url)

    async def before(one: Yard) -> None:
        await one.push(order(1))
        await settled(one)
        works.asked.clear()

    async def story(one: Yard) -> None:
        await one.replayed("out", kind=("hand_over",), anew=True)
        await one.replayed("out", kind=("hand_over",), edition=old.edition[:8])
        await one.replayed("out", kind=("hand_over",))
        assert [sorted(asked.body) for asked in works.asked] == [["no", "title"], ["no", "text"], ["no", "text"]]
        listed = await one.replayer.replays.listed()
        assert {found.edition for found in listed} == {old.edition, one.hub.configuration.systems[NAME].edition}

    told(database_url, old, before)
    told(database_url, edition(tmp_path / "new", works.url, hand_over=today), story)


def test_replays_of_replays_send_each_thing_once_and_say_what_they_replay(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    async def story(one: Yard) -> None:
        no = (await one.push(order(1))).case_no
        await settled(one)
        await one.replayed("out", case=(no,))
        works.asked.clear()
        plan = await one.plan("out", case=(no,))
        assert (plan.total, plan.counts["replays_left_out"], plan.counts["replayed_before"]) == (2, 2, 2)
        await one.run(plan)
        assert [path for path, _ in sent(works)] == ["/taken", "/hand"]
        [(original, replayed)] = await one.rows(
            "SELECT d.message_id, e.message_id FROM delivery d, delivery e"
            " WHERE d.message = 'hand_over' AND d.replays IS NULL AND e.replays = d.message_id ORDER BY e.seq LIMIT 1"
        )
        shown = {row.id: row.replays for row in await one.hub.journal.rows()}
        assert (shown[original], shown[replayed]) == (None, original)
        assert await one.replayer.replays.links(replayed) == (original, [])
        only = await one.replayed("out", message=(replayed,))
        assert (only.total, await one.lines(only)) == (1, [("done", "acknowledged", "acknowledged")])

    told(database_url, edition(tmp_path, works.url), story)


def test_a_second_click_and_two_people_send_everything_once(database_url: str, tmp_path: Path, works: Platform) -> None:
    async def story(one: Yard) -> None:
        for number in range(3):
            await one.push(order(number))
        await settled(one)
        works.asked.clear()
        mine = await one.plan("out", since=NOW, on_failure="skip")
        theirs = await one.plan("out", since=NOW)
        await asyncio.gather(one.run(mine), one.run(theirs), one.run(mine))
        await one.run(theirs)
        assert sorted(path for path, _ in sent(works)) == ["/hand"] * 3 + ["/taken"] * 3

    told(database_url, edition(tmp_path, works.url), story)


@pytest.mark.parametrize("on_failure", ["stop", "skip"])
def test_a_target_that_refuses_stops_it_or_loses_only_the_rest_of_its_case(
    database_url: str, tmp_path: Path, works: Platform, on_failure: str
) -> None:
    async def story(one: Yard) -> None:
        for number in range(3):
            await one.push(order(number))
            await settled(one)  # one case after the other: what ended first goes again first
            one.after += timedelta(seconds=1)
        works.asked.clear()
        works.on["/taken"] = lambda asked: {"code": "不再受理" if asked.body["no"] == "W1" else "ok"}
        done = await one.replayed("out", since=NOW, on_failure=on_failure)
        lines = await one.lines(done)
        refused = [line for line in lines if line[0] == "failed"]
        assert [line[:2] for line in refused] == [("failed", "acknowledged")]
        behind = [pair for pair in sent(works) if pair[0] == "/hand"]
        assert [line[0] for line in lines].count("skipped") == 1
        if on_failure == "stop":
            assert (done.state, len(behind)) == (ReplayState.STOPPED, 1)
            assert "不再受理" in done.text
            done = await one.run(done.id)
        assert (done.state, len([pair for pair in sent(works) if pair[0] == "/hand"])) == (ReplayState.DONE, 2)
        # a repetition that was refused holds up nothing: the case's lane goes on
        assert await one.rows("SELECT count(*) FROM delivery WHERE state IN ('refused', 'parked')") == [(0,)]

    told(database_url, edition(tmp_path, works.url), story)


def test_that_it_has_it_already_is_a_good_end(database_url: str, tmp_path: Path, works: Platform) -> None:
    async def story(one: Yard) -> None:
        no = (await one.push(order(1))).case_no
        await settled(one)
        works.on["/hand"] = lambda _asked: {"code": "known"}
        done = await one.replayed("out", case=(no,), kind=("hand_over",))
        assert await one.lines(done) == [("done", "acknowledged", "acknowledged")]

    told(database_url, edition(tmp_path, works.url), story)


def test_who_lost_its_data_and_gives_a_case_another_id_is_addressed_by_that_from_then_on(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    async def story(one: Yard) -> None:
        [outcome] = await one.hub.reception.take_in([reported("hotline", "H1", text="很急")])
        await settled(one)
        one.after = timedelta(hours=1)
        works.on["/hand"] = lambda _asked: {"code": "ok", "id": "NEW-7"}
        works.on["/again"] = lambda _asked: {"code": "ok"}
        await one.replayed("out", case=(outcome.case_no,))
        for key, kind in (("NEW-7", ActionKind.SIGN), ("NEW-7", ActionKind.DISPOSE)):  # both ids are the case's
            [said] = await one.hub.reception.take_in([by_owner(NAME, key, kind)])
            assert said.verdict is Verdict.APPLIED, said
        rework = ordered(outcome.case_no, ActionKind.REWORK, reason="未清理")
        await one.hub.reception.take_in([rework])
        await settled(one)
        assert sent(works)[-1] == ("/again", "NEW-7")

    told(database_url, edition(tmp_path, works.url), story)


def test_what_waits_for_a_person_is_itself_let_go_and_nothing_stands_in_its_lane_twice(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    async def story(one: Yard) -> None:
        works.on["/taken"] = lambda _asked: {"code": "暂不受理"}
        for number in range(2):
            await one.push(order(number))
        await reached(lambda: stuck(one, 2))
        works.on["/taken"] = lambda _asked: {"code": "ok"}
        assert (await one.plan("out", since=NOW)).total == 0
        plan = await one.plan("out", verdict=("refused", "parked"))
        assert (plan.total, plan.counts["let_go"]) == (2, 2)
        await one.run(plan)
        await settled(one)
        assert await one.rows("SELECT message, count(*) FROM delivery GROUP BY 1 ORDER BY 1") == [
            ("hand_over", 2), ("taken", 2),
        ]  # fmt: skip

    told(database_url, edition(tmp_path, works.url), story)


async def stuck(one: Yard, number: int) -> bool:
    """Whether so many wait for a person."""
    return await one.rows("SELECT count(*) FROM delivery WHERE state IN ('refused', 'parked')") == [(number,)]


def test_a_system_that_is_down_is_waited_for_and_what_stopped_meanwhile_goes_on_where_it_was(
    database_url: str, tmp_path: Path, works: Platform
) -> None:
    async def story(one: Yard) -> None:
        await one.push(order(1))
        await settled(one)
        works.asked.clear()
        works.on["/taken"] = lambda _asked: Said({}, status=503)
        plan = await one.plan("out", since=NOW)
        await one.replayer.start(plan.id, "operator-7", "数据丢失")
        running = asyncio.create_task(one.replayer.run(plan.id))
        await reached(lambda: there(works))
        await one.replayer.stop(plan.id, "stopped by operator-8: 先停")
        stopped = await running
        assert (stopped.state, await one.lines(stopped)) == (
            ReplayState.STOPPED, [("begun", "acknowledged", ""), ("planned", "acknowledged", "")],
        )  # fmt: skip
        works.on["/taken"] = lambda _asked: {"code": "ok"}
        one.after = timedelta(minutes=1)  # the lane's pause is over
        done = await one.run(plan.id)
        assert [line[0] for line in await one.lines(done)] == ["done", "done"]

    told(database_url, edition(tmp_path, works.url), story)


async def there(works: Platform) -> bool:
    """Whether anything was asked."""
    return bool(works.asked)
