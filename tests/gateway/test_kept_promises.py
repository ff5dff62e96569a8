"""Two moments that could double or lose a message: the database fails after the answer; a part is replayed."""

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

import adapters
from canonical.errors import Unavailable
from canonical.message import Verdict
from gateway.configuration import Configuration
from gateway.hub import Hub, clock
from gateway.reception import Reception
from storage.driver import NotWritten
from storage.outbox import Claimed, Ended, Learned, Outbox, Sealed, Wanted
from tests.gateway.outside import push
from tests.gateway.running import SECRET, HubUnderTest, Side, deliverer_to, take_up

URBAN, GRID = "urban_management", "social_governance"


class OutboxOfAFailingDatabase(Outbox):
    """A real outbox whose database goes away just when the other side's answer is to be kept."""

    async def settle(self, ended: Sequence[Ended]) -> list[Learned]:
        raise Unavailable("the database went away")


class OutboxThatCannotKeepAnswers(Outbox):
    """A real outbox whose database refuses what the other side said."""

    async def settle(self, ended: Sequence[Ended]) -> list[Learned]:
        if any(one.answer for one in ended):
            raise NotWritten("UntranslatableCharacterError 22P05")
        return await super().settle(ended)


class OutboxWhoseCommitNobodyHearsOf(Outbox):
    """A real outbox whose database goes away after the commit in which a message was to leave, once."""

    heard = False

    async def depart(
        self, wanted: Sequence[Wanted], write: Callable[[Sequence[Claimed]], Sequence[Sealed | None]], *, now: datetime
    ) -> list[tuple[Claimed, Sealed | None]]:  # fmt: skip
        pairs = await super().depart(wanted, write, now=now)
        if pairs and not self.heard:
            self.heard = True
            raise Unavailable("the database went away")
        return pairs


def clock_ahead(by: timedelta) -> datetime:
    """What a clock says that is ahead of ours."""
    return clock() + by


async def rounds(hub: Hub, name: str, *outboxes: Outbox, later: timedelta) -> None:
    """One round of deliveries for each outbox, the last one `later` than the others."""
    for outbox in outboxes:
        shifted = later if outbox is outboxes[-1] else timedelta()
        one = replace(hub, outbox=outbox, now=partial(clock_ahead, shifted))
        deliverer = deliverer_to(one, name)
        deliverer.patience = timedelta()
        await take_up(deliverer)
        await deliverer.drained()
        deliverer.close()
    await hub.store.close()


def test_a_letter_that_was_taken_is_not_sent_again_because_the_database_failed_afterwards(
    start_hub: Callable[..., HubUnderTest], start_side: Callable[..., Side]
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(urls={URBAN: side.url})
    push(hub, "taken")
    wired = hub.wired()
    real, failing = Outbox(wired.store), OutboxOfAFailingDatabase(wired.store)

    asyncio.run(rounds(wired, URBAN, failing, real, real, later=timedelta(hours=1)))

    [row] = hub.rows("SELECT state, in_doubt FROM delivery WHERE system = $1 AND message = 'letter'", URBAN)
    assert row == {"state": "parked", "in_doubt": True}  # never twice: a person asks the other side
    assert len(side.items()) == 1


def test_a_letter_of_which_nobody_knows_whether_it_may_leave_does_not_and_goes_later_without_a_doubt(
    start_hub: Callable[..., HubUnderTest], start_side: Callable[..., Side]
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(urls={URBAN: side.url})
    push(hub, "unheard")
    wired = hub.wired()
    outbox = OutboxWhoseCommitNobodyHearsOf(wired.store)
    letter = "SELECT state, in_doubt, attempts FROM delivery WHERE system = $1 AND message = 'letter'"

    async def told() -> None:
        one = replace(wired, outbox=outbox)
        deliverer = deliverer_to(one, URBAN)
        with pytest.raises(Unavailable):
            await take_up(deliverer)
        await deliverer.drained()
        assert await asyncio.to_thread(hub.rows, letter, URBAN) == [
            {"state": "pending", "in_doubt": False, "attempts": 0}
        ]
        assert side.items() == []
        await take_up(deliverer)
        await deliverer.drained()
        deliverer.close()
        await wired.store.close()

    asyncio.run(told())

    assert hub.rows(letter, URBAN) == [{"state": "acknowledged", "in_doubt": False, "attempts": 1}]
    assert len(side.items()) == 1


def test_a_letter_whose_answer_cannot_be_kept_waits_for_a_person_and_is_not_sent_again(
    start_hub: Callable[..., HubUnderTest], start_side: Callable[..., Side]
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(urls={URBAN: side.url})
    push(hub, "taken")
    wired = hub.wired()
    outbox = OutboxThatCannotKeepAnswers(wired.store)

    asyncio.run(rounds(wired, URBAN, outbox, outbox, later=timedelta(hours=1)))

    [row] = hub.rows("SELECT state, why, text FROM delivery WHERE system = $1 AND message = 'letter'", URBAN)
    assert (row["state"], row["why"]) == ("parked", "not_kept")
    assert "ended as acknowledged" in row["text"]
    assert len(side.items()) == 1


def test_a_worker_that_was_stopped_beyond_its_lease_before_it_sent_sends_nothing(
    start_hub: Callable[..., HubUnderTest], start_side: Callable[..., Side]
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(urls={URBAN: side.url})
    push(hub, "held up")
    wired = hub.wired()

    async def stopped() -> None:
        deliverer = deliverer_to(wired, URBAN)
        hours = iter(range(0, 100_000, 3600))
        deliverer.monotonic = lambda: float(next(hours))  # each look at the clock is an hour after the last
        await take_up(deliverer)
        await deliverer.drained()
        deliverer.close()
        await wired.store.close()

    asyncio.run(stopped())

    [row] = hub.rows("SELECT state, attempts FROM delivery WHERE system = $1 AND message = 'letter'", URBAN)
    assert row == {"state": "pending", "attempts": 0}
    assert side.items() == []


def batching(configuration: Configuration, folder: Path) -> Configuration:
    """The city with a grid platform that pushes several records at once."""
    system = adapters.load(folder, {"token": SECRET}).named(GRID)
    systems = dict(configuration.systems) | {GRID: replace(configuration.systems[GRID], system=system)}
    roles = dict(configuration.city.systems) | {GRID: system.role}
    return replace(configuration, systems=systems, city=replace(configuration.city, systems=roles))


def test_a_quarantined_part_of_a_push_is_healed_by_a_row_and_a_replay(
    start_hub: Callable[..., HubUnderTest], configuration: Configuration, tmp_path: Path
) -> None:
    folder = tmp_path / "grid"
    shutil.copytree(adapters.shipped()[GRID], folder)
    declared = (folder / "system.yaml").read_text(encoding="utf-8")
    declared = declared.replace("    messages: [record]\n", "    items: rows\n    messages: [record]\n")
    (folder / "system.yaml").write_text(declared, encoding="utf-8")
    record = json.loads((folder / "samples" / "records.fitness.in.json").read_text(encoding="utf-8"))
    rows = [record | {"Id": "9001"}, record | {"Id": "9002", "SCategoryId": "7777"}]
    for sample in (folder / "samples").glob("records.*"):
        sample.unlink()
    hub = start_hub(loaded=batching(configuration, folder))

    hub.client.post("/in/social_governance", json={"rows": rows}, headers={"token": SECRET}).raise_for_status()

    verdicts = hub.rows("SELECT verdict FROM message WHERE direction = 'in' ORDER BY id")
    assert sorted(row["verdict"] for row in verdicts) == ["case", "quarantined", "split"]
    codes = folder / "codes" / "categories.csv"
    codes.write_text(
        codes.read_text(encoding="utf-8") + f"{record['BCategoryId']}/7777,local:E97-01,新类\n", encoding="utf-8"
    )

    async def replayed() -> list[Verdict]:
        wired = hub.wired()
        healed = Reception(batching(configuration, folder), wired.store, now=wired.now, ids=wired.ids)
        outcomes = await healed.take_in_again(await wired.journal.deferred(Verdict.QUARANTINED))
        await wired.store.close()
        return [outcome.verdict for outcome in outcomes.values()]

    assert asyncio.run(replayed()) == [Verdict.CASE]
    assert hub.case("9002")["class_code"] == "local:E97-01"
    assert hub.summary()["balance"]["holds"]
