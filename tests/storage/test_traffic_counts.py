"""What came and went by system: folded or not, in whatever steps, it is what counting all messages gives."""

import asyncio
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from canonical.ids import new_id
from storage.store import Store
from storage.traffic_counts import DAY, SETTLED, Counted, Pulse, TrafficCounts
from tests.routing.intake_city import NOW

MINUTE = timedelta(minutes=1)
SYSTEMS = ("hotline_12345", "urban_management", "iot")
ENDS = {
    "in": ("case", "joined", "refused", "quarantined", "held", "split"),
    "out": ("waiting", "acknowledged", "parked", "refused"),
    "answer": ("noted",),
}
_INSERT = text("""
INSERT INTO message (id, at, direction, system, door, content_type, path, status, body, verdict, why, text, kind,
                     is_report, external_id, edition)
VALUES (:id, :at, :direction, :system, 'tasks', '', '', 0, '', :verdict, '', '', 'task', true, '', '')
""")
_DIRECT = text("""
SELECT system, max(at) FILTER (WHERE direction = 'in'),
       max(at) FILTER (WHERE direction = 'answer' OR (direction = 'out' AND verdict = 'acknowledged'))
  FROM message GROUP BY system
""")


async def put(store: Store, rows: list[tuple[datetime, str, str, str]]) -> None:
    """Messages as (at, system, direction, verdict)."""
    values = [
        {"id": new_id(at), "at": at, "system": system, "direction": direction, "verdict": verdict}
        for at, system, direction, verdict in rows
    ]
    async with store.transaction() as transaction:
        if values:
            await transaction.connection.execute(_INSERT, values)


def summed(rows: list[tuple[datetime, str, str, str]], system: str, since: datetime, young: datetime) -> Counted:
    """The same by hand: ten minutes count from their beginning."""

    def slot(at: datetime) -> datetime:
        return datetime.fromtimestamp(at.timestamp() // 600 * 600, at.tzinfo)

    chosen = [one for one in rows if one[1] == system and slot(one[0]) > since]

    def count(direction: str, *verdicts: str) -> int:
        return sum(one[2] == direction and one[3] in verdicts for one in chosen)

    waiting = sum(one[2:] == ("out", "waiting") and one[0] < young for one in chosen)
    came = count("in", *(verdict for verdict in ENDS["in"] if verdict != "split"))
    failed = count("out", "parked", "refused") + waiting
    return Counted(came, count("in", "refused"), count("in", "quarantined"), count("out", *ENDS["out"]), failed)


@pytest.mark.parametrize("seed", range(4))
def test_whenever_it_is_folded_the_counts_are_those_of_all_messages(database_url: str, seed: int) -> None:
    dice, rows = Random(seed), list[tuple[datetime, str, str, str]]()

    def came(now: datetime) -> list[tuple[datetime, str, str, str]]:
        made = []
        for _ in range(dice.randrange(12)):
            direction = dice.choice(list(ENDS))
            made.append((now, dice.choice(SYSTEMS), direction, dice.choice(ENDS[direction])))
        return made

    async def campaign() -> None:
        store, now = Store(database_url), NOW
        counts = TrafficCounts(store)
        try:
            for _ in range(40):
                now += dice.choice((MINUTE / 6, MINUTE * 4, MINUTE * 17, MINUTE * 200))
                new = came(now)
                rows.extend(new)
                await put(store, new)
                for _ in range(dice.randrange(4)):
                    await counts.fold(now)
                found = await counts.pulses(now)
                async with store.transaction() as transaction:
                    direct = {row[0]: row[1:] for row in await transaction.connection.execute(_DIRECT)}
                for system, (heard, reached) in direct.items():
                    pulse = found[system]
                    assert (pulse.heard_at, pulse.reached_at) == (heard, reached)
                    assert pulse.hour == summed(rows, system, now - MINUTE * 60, now - MINUTE)
                    assert pulse.day == summed(rows, system, now - DAY, now - MINUTE)
        finally:
            await store.close()

    asyncio.run(campaign())


def run(database_url: str, job: Any) -> Any:
    async def whole() -> Any:
        store = Store(database_url)
        try:
            return await job(store, TrafficCounts(store))
        finally:
            await store.close()

    return asyncio.run(whole())


def test_two_processes_count_at_once_and_nothing_is_counted_twice(database_url: str) -> None:
    async def job(store: Store, counts: TrafficCounts) -> Pulse:
        await put(store, [(NOW, "iot", "in", "case")] * 50)
        later = NOW + SETTLED + MINUTE * 20
        await asyncio.gather(*(TrafficCounts(store).fold(later) for _ in range(6)))
        return (await counts.pulses(later))["iot"]

    assert run(database_url, job).hour.received == 50


def test_a_database_that_was_never_counted_is_counted_hour_by_hour_two_weeks_back(database_url: str) -> None:
    async def job(store: Store, counts: TrafficCounts) -> tuple[int, dict[str, Pulse], int]:
        await put(store, [(NOW - DAY * 20, "iot", "in", "case"), (NOW - DAY * 3, "hotline_12345", "in", "case")])
        await put(store, [(NOW - MINUTE * 30, "hotline_12345", "in", "refused")])
        steps = 1
        while await counts.fold(NOW):
            steps += 1
        async with store.transaction() as transaction:
            kept = await transaction.connection.execute(text("SELECT count(*) FROM traffic_count"))
            return steps, await counts.pulses(NOW), int(kept.scalar_one())

    steps, found, kept = run(database_url, job)
    assert 300 < steps < 400
    assert found == {
        "hotline_12345": Pulse(NOW - MINUTE * 30, None, Counted(1, 1), Counted(1, 1)),
    }
    assert kept == 1  # counts older than two days go; when a system was last heard stays


def test_what_left_a_moment_ago_has_not_failed(database_url: str) -> None:
    async def job(store: Store, counts: TrafficCounts) -> tuple[Counted, Counted]:
        await put(store, [(NOW, "iot", "out", "waiting")])
        soon, late = NOW + MINUTE / 3, NOW + MINUTE * 3
        return (await counts.pulses(soon))["iot"].hour, (await counts.pulses(late))["iot"].hour

    soon, late = run(database_url, job)
    assert (soon.sent, soon.failed) == (1, 0)
    assert (late.sent, late.failed) == (1, 1)
