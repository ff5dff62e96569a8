"""Inbound replays: counted before, read from the kept bytes by the chosen edition, in order, each once, linked."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from canonical.errors import Misconfigured, Unacceptable
from canonical.message import Verdict
from canonical.replay import ReplayState
from canonical.rights import EVERYTHING
from tests.gateway.replaying import FILES, NAME, ROW, Yard, edition, order, yard
from tests.routing.intake_city import NOW

Story = Callable[[Yard], Coroutine[Any, Any, None]]
COMPLETE = FILES["codes/kinds.csv"] + ROW


def told(url: str, connected: Any, *stories: Story) -> None:
    """Stories one after the other, each in a process of its own."""

    async def run() -> None:
        for story in stories:
            async with yard(url, connected) as one:
                await story(one)

    asyncio.run(run())


# --- what must be said, and what is shown ---


def test_a_replay_of_everything_is_refused_and_says_what_to_add(database_url: str, tmp_path: Path) -> None:
    async def story(one: Yard) -> None:
        with pytest.raises(Unacceptable, match="add at least one of since, until, verdict, kind, case, id, message"):
            await one.plan()
        with pytest.raises(Unacceptable, match="did you mean 'quarantined'"):
            await one.plan(verdict=("quarantine",))
        with pytest.raises(Unacceptable, match="until: must be later than since"):
            await one.plan(since=NOW, until=NOW)
        with pytest.raises(Misconfigured, match="gridhub editions list"):
            await one.plan(verdict=("case",), edition="abc")
        assert await one.rows("SELECT * FROM replay") == []

    told(database_url, edition(tmp_path), story)


def test_a_plan_counts_by_kind_and_verdict_says_how_it_reads_now_and_does_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async def before(one: Yard) -> None:
        await one.push(order(1))
        one.after = timedelta(minutes=5)
        await one.push(order(2, "lamp"))
        await one.push(order(3, "lamp"))

    async def story(one: Yard) -> None:
        plan = await one.plan(since=NOW, until=NOW + timedelta(hours=1))
        counts = plan.counts
        assert (plan.total, counts["by_was"]) == (3, {"case": 1, "quarantined": 2})
        assert (counts["reads"], counts["reads_differently"]) == ({"order": 3}, 2)
        assert (counts["first"], counts["last"]) == (NOW.isoformat(), (NOW + timedelta(minutes=5)).isoformat())
        assert [example["was"] for example in counts["examples"]] == ["case", "quarantined", "quarantined"]
        assert "占道" not in str(counts)  # nothing of what they say
        assert await one.verdicts() == ["case", "quarantined", "quarantined"]

    told(database_url, edition(tmp_path / "old"), before)
    told(database_url, edition(tmp_path / "new", codes__kinds=COMPLETE), story)


# --- what happens ---


def test_what_was_never_decided_takes_its_verdict_and_what_was_decided_gets_a_row_beside_it(
    database_url: str, tmp_path: Path
) -> None:
    async def before(one: Yard) -> None:
        assert (await one.push(order(1, "lamp"))).verdict is Verdict.QUARANTINED
        assert (await one.push(b"{}")).verdict is Verdict.REFUSED

    async def story(one: Yard) -> None:
        [(quarantined,), (refused,)] = await one.rows("SELECT id FROM message ORDER BY id")
        done = await one.replayed(since=NOW, on_failure="skip")
        assert await one.lines(done) == [("done", "quarantined", "case"), ("failed", "refused", "refused")]
        assert await one.verdicts() == ["case", "refused", "refused"]
        [(same, result)] = await one.rows(
            "SELECT m.body = n.body, n.id FROM message m, message n WHERE m.id = :id AND n.id NOT IN (:id, :other)",
            id=refused, other=quarantined,
        )  # fmt: skip
        assert same
        shown = {row.id: row.replays for row in await one.hub.journal.rows()}
        assert shown == {quarantined: None, refused: None, result: refused}
        replays = one.replayer.replays
        assert await replays.links(result) == (refused, [])
        assert await replays.links(refused) == (None, [result])
        assert await replays.links(quarantined) == (None, [])

    told(database_url, edition(tmp_path / "old"), before)
    told(database_url, edition(tmp_path / "new", codes__kinds=COMPLETE), story)


def test_a_case_shows_by_whom_and_why_something_of_it_was_replayed(database_url: str, tmp_path: Path) -> None:
    async def story(one: Yard) -> None:
        no = (await one.push(order(1))).case_no
        await one.replayed(case=(no,))
        journey = await one.hub.casebook.journey(no, scope=EVERYTHING)
        assert journey is not None
        [shown] = journey.replays
        assert (shown.actor, shown.reason, shown.outcome) == ("operator-7", "代码表补齐", "repeated")
        assert len(journey.events) == journey.case.version  # nothing was done twice to the case

    told(database_url, edition(tmp_path), story)


def test_the_chosen_edition_reads_though_today_has_another(database_url: str, tmp_path: Path) -> None:
    renamed = FILES["messages/order.yaml"].replace("title: {from: text}", "title: {text: 旧版}")
    old = edition(tmp_path / "old", order=renamed)

    async def before(one: Yard) -> None:
        await one.push(b'{"kind": "stall"}')

    async def story(one: Yard) -> None:
        await one.push(order(7, "lamp"))  # quarantined by today's
        plan = await one.plan(edition=old.edition[:10].upper(), verdict=("quarantined",))
        assert (plan.edition, plan.counts["reads"]) == (old.edition, {"quarantined": 1})
        [(own,)] = await one.rows("SELECT id FROM message WHERE external_id = 'W7'")
        await one.rows("UPDATE message SET body = :body WHERE id = :id RETURNING id", body=order(7), id=own)
        done = await one.replayed(edition=old.edition, message=(own,))
        assert (done.state, await one.lines(done)) == (ReplayState.DONE, [("done", "quarantined", "case")])
        assert [case.title for case in await one.hub.casebook.find(scope=EVERYTHING)] == ["旧版"]

    told(database_url, old, before)
    told(database_url, edition(tmp_path / "new"), story)


def test_an_edition_that_is_loaded_is_kept_once_and_its_samples_are_no_part_of_it(
    database_url: str, tmp_path: Path
) -> None:
    async def story(one: Yard) -> None:
        await one.replayer.shelf.keep()
        listed = await one.replayer.shelf.editions.listed(NAME)
        assert len(listed) == len({row.digest for row in listed})

    first = edition(tmp_path, **{"samples/x.in.json": "{}"})
    second = edition(tmp_path)
    assert first.edition == second.edition
    told(database_url, first, story)
    told(database_url, second, story)
    told(database_url, edition(tmp_path, codes__kinds=COMPLETE), story)

    async def three(one: Yard) -> None:
        assert len(await one.replayer.shelf.editions.listed(NAME)) == 2

    told(database_url, second, three)


# --- order and failures ---


def test_after_a_failure_nothing_of_its_case_is_read_and_it_stops_or_goes_on_as_was_chosen(
    database_url: str, tmp_path: Path
) -> None:
    async def before(one: Yard) -> None:
        for body in (order(1, "lamp"), order(1, "lamp"), order(2, "tree"), order(2, "tree"), order(3, "lamp")):
            await one.push(body)

    async def story(one: Yard) -> None:
        done = await one.replayed(verdict=("quarantined",))
        assert done.state is ReplayState.STOPPED
        assert "item 3" in done.text
        one_and_two = [("done", "quarantined", "case"), ("done", "quarantined", "repeated")]
        failed = [("failed", "quarantined", "quarantined"), ("skipped", "quarantined", "")]
        assert await one.lines(done) == [*one_and_two, *failed, ("planned", "quarantined", "")]
        done = await one.run(done.id, by="operator-8")
        assert await one.lines(done) == [*one_and_two, *failed, ("done", "quarantined", "case")]
        assert (done.actor, done.state) == ("operator-7", ReplayState.DONE)
        assert "run on by operator-8" in done.text

        again = await one.replayed(verdict=("quarantined",), on_failure="skip")
        assert (again.state, again.counts["replayed_before"]) == (ReplayState.DONE, 1)
        assert await one.lines(again) == failed

    told(database_url, edition(tmp_path / "old"), before)
    told(database_url, edition(tmp_path / "new", codes__kinds=COMPLETE), story)


# --- each once ---


def test_a_second_click_two_people_and_a_stale_plan_change_nothing_more(database_url: str, tmp_path: Path) -> None:
    async def before(one: Yard) -> None:
        for number in range(4):
            await one.push(order(number, "lamp"))
        await one.push(b"{}")

    async def story(one: Yard) -> None:
        mine, theirs = await one.plan(since=NOW), await one.plan(since=NOW)
        await one.push(order(9, "tree"))  # after the plan: not in it
        first, second = await asyncio.gather(one.run(mine), one.run(theirs, by="operator-8"))
        states = [await one.lines(first), await one.lines(second)]
        assert sorted({*(line[0] for line in states[0]), *(line[0] for line in states[1])}) == [
            "done",
            "failed",
            "skipped",
        ]
        for taken in zip(*states, strict=True):
            assert sorted(line[0] for line in taken) in (["done", "skipped"], ["failed", "skipped"])
        rows = await one.verdicts()
        assert sorted(rows) == sorted(["case"] * 4 + ["refused"] * 2 + ["quarantined"])
        again = await one.run(first.id)
        assert (again.actor, again.ended_at) == (first.actor, first.ended_at)
        assert await one.verdicts() == rows
        late = await one.plan(verdict=("refused",))
        assert (late.total, late.counts["replays_left_out"], late.counts["replayed_before"]) == (1, 1, 1)

    told(database_url, edition(tmp_path / "old"), before)
    told(database_url, edition(tmp_path / "new", codes__kinds=COMPLETE), story)


def test_a_plan_of_yesterday_is_not_carried_out_and_forgotten_at_the_next(database_url: str, tmp_path: Path) -> None:
    async def story(one: Yard) -> None:
        await one.push(order(1))
        old = await one.plan(since=NOW)
        one.after = timedelta(hours=25)
        with pytest.raises(Unacceptable, match="plan it anew"):
            await one.run(old)
        await one.plan(since=NOW)
        with pytest.raises(Unacceptable, match="no replay"):
            await one.run(old)
        with pytest.raises(Unacceptable, match="no replay"):
            await one.run(UUID(int=7))

    told(database_url, edition(tmp_path), story)


def test_who_and_why_must_be_said_and_the_count_must_be_that_of_the_plan(database_url: str, tmp_path: Path) -> None:
    async def story(one: Yard) -> None:
        await one.push(order(1))
        plan = await one.plan(since=NOW)
        for by, reason in (("", "x"), ("x", " ")):
            with pytest.raises(Unacceptable, match="who replays, and why"):
                await one.replayer.start(plan.id, by, reason)
        with pytest.raises(Unacceptable, match="2 were expected and the plan has 1"):
            await one.replayer.start(plan.id, "x", "y", count=2)
        assert (await one.replayer.get(plan.id)).state is ReplayState.PLANNED

    told(database_url, edition(tmp_path), story)
