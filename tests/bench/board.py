"""The board of systems: two hundred platforms, a million messages of the last day, a backlog, statements, quarantine;
and looking through that journal.

python -m tests.bench.board [--systems 200] [--messages 1000000] [--keep FOLDER]

Beside the board, as the reference, the same rates counted directly over the messages of the day in one statement;
beside the searches the same question in one statement over the whole journal.
"""

import argparse
import asyncio
import os
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from canonical.rights import EVERYTHING
from gateway.configuration import Configuration, load
from gateway.hub import clock
from gateway.settings import Settings, example_city
from storage.embedded import EmbeddedPostgres
from storage.journal_search import JournalSearch, Sought
from storage.schema import migrate
from storage.store import Store
from storage.traffic_counts import TrafficCounts
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest

TIMES = 30
_BODY = 400
"""Bytes of a body."""
# One message in forty is refused, one in two hundred quarantined; every third is one of ours, with its answer.
_MESSAGES = f"""
INSERT INTO message (id, at, direction, system, door, content_type, path, status, body, verdict, why, text, kind,
                     is_report, external_id, edition)
SELECT CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0') || '7' || substr(h, 1, 3) || '8'
            || substr(h, 4, 15) AS uuid), at, direction, system, 'tasks', 'application/json', '', 0,
       convert_to(repeat('x', {_BODY}), 'UTF8'),
       CASE direction WHEN 'out' THEN CASE WHEN mod(i, 50) = 0 THEN 'waiting' ELSE 'acknowledged' END
                      WHEN 'answer' THEN 'noted'
                      ELSE CASE WHEN mod(i, 200) = 0 THEN 'quarantined' WHEN mod(i, 40) = 0 THEN 'refused'
                                ELSE 'case' END END,
       '', '', 'task', true, 't' || i, ''
  FROM (SELECT i, at, md5(CAST(i AS text)) AS h, 'system_' || lpad(CAST(mod(i, :systems) AS text), 3, '0') AS system,
               CASE mod(i / :systems, 4) WHEN 2 THEN 'out' WHEN 3 THEN 'answer' ELSE 'in' END AS direction
          FROM (SELECT i, CAST(:now AS timestamptz) - interval '24 hours' + i * (interval '24 hours' / :messages) AS at
                  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) i) t) s
"""
_BACKLOG = """
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, state, created_at, next_at, done_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'system_' || lpad(CAST(mod(i, :systems) AS text), 3, '0'), 1000, 1,
       'letter', '', CASE mod(i, 10) WHEN 0 THEN 'parked' WHEN 1 THEN 'in_doubt' ELSE 'pending' END,
       CAST(:now AS timestamptz) - interval '1 hour', CAST(:now AS timestamptz),
       CASE WHEN mod(i, 10) = 0 THEN CAST(:now AS timestamptz) END
  FROM generate_series(1, 20000) i
"""
_STATEMENTS = """
INSERT INTO statement (id, system, day, edition, due_at, way, step, finished_at)
SELECT gen_random_uuid(), 'system_' || lpad(CAST(s AS text), 3, '0'), current_date - d, 1,
       CAST(:now AS timestamptz) - d * interval '1 day', 'query', 'finished',
       CAST(:now AS timestamptz) - d * interval '1 day'
  FROM generate_series(0, :systems - 1) s, generate_series(0, 364) d
"""
_CURSORS = """
INSERT INTO cursor (system, pull, until, polled_at)
SELECT 'system_' || lpad(CAST(s AS text), 3, '0'), p, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
  FROM generate_series(0, :systems - 1) s, unnest(CAST(:pulls AS text[])) p
"""
_DIRECT = """
SELECT system, count(*) FILTER (WHERE direction = 'in'), count(*) FILTER (WHERE verdict IN ('refused', 'quarantined')),
       count(*) FILTER (WHERE direction = 'out'), max(at) FROM message WHERE at > :since GROUP BY system
"""


def many(configuration: Configuration, systems: int) -> Configuration:
    """The example city with so many systems, its own ones again and again under other names."""
    own = list(configuration.systems.values())
    made = {}
    for number in range(systems):
        one, name = own[number % len(own)], f"system_{number:03}"
        role = one.system.role.model_copy(update={"id": name, "title": f"示例平台 {number:03}"})
        made[name] = replace(one, system=replace(one.system, role=role))
    return replace(configuration, systems=made)


async def filled(store: Store, systems: int, messages: int, pulls: list[str]) -> None:
    """The day, unless a kept folder has one."""
    now = clock()
    values = {"now": now, "systems": systems, "messages": messages, "pulls": pulls}
    async with store.transaction() as transaction:
        if (await transaction.connection.execute(text("SELECT 1 FROM message LIMIT 1"))).first() is not None:
            return
    for first in range(1, messages + 1, 100_000):
        async with store.transaction() as transaction:
            given = {"first": first, "last": min(messages, first + 99_999)}
            await transaction.connection.execute(text(_MESSAGES), chosen(_MESSAGES, values | given))
    for statement in (_BACKLOG, _STATEMENTS, _CURSORS):
        async with store.transaction() as transaction:
            await transaction.connection.execute(text(statement), chosen(statement, values))
    async with store.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))


def chosen(statement: str, values: dict[str, object]) -> dict[str, object]:
    """Those that the statement names."""
    return {name: value for name, value in values.items() if f":{name}" in statement}


async def timed(what: str, job: Callable[[], Awaitable[object]], times: int = TIMES) -> float:
    """Print the median and the 95th of a hundred, in ms; gives the median."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        await job()
        took.append((time.perf_counter() - begin) * 1000)
    p95 = sorted(took)[int(len(took) * 0.95)] if len(took) > 1 else took[0]
    load = f"(load {os.getloadavg()[0]:.1f})"
    print(f"{what:<58} p50 {statistics.median(took):>8,.1f} ms   p95 {p95:>8,.1f} ms   {load}", flush=True)
    return statistics.median(took)


async def measured(url: str, systems: int, messages: int) -> None:
    """All of it on this database."""
    configuration = many(load(example_city(), ENVIRONMENT), systems)
    pulls = sorted({pull.name for one in configuration.systems.values() for pull in one.system.pulls})
    store = Store(url)
    await filled(store, systems, messages, pulls)
    began = time.perf_counter()
    steps = 1
    while await TrafficCounts(store).fold(clock()):
        steps += 1
    print(f"{'a day that was never counted':<58} {time.perf_counter() - began:>6.1f} s in {steps} steps", flush=True)
    since = clock() - timedelta(days=1)

    async def direct() -> None:
        async with store.transaction() as transaction:
            (await transaction.connection.execute(text(_DIRECT), {"since": since})).all()

    async def one_minute() -> None:
        now = clock()
        async with store.transaction() as transaction:
            given = {"first": 1, "last": messages // 1440, "now": now, "systems": systems, "messages": messages * 1440}
            moved = _MESSAGES.replace("'24 hours' + i", "'6 minutes' + i").replace(
                "md5(CAST(i AS text))", "md5(random()::text)"
            )
            await transaction.connection.execute(text(moved), chosen(moved, given))
        began = time.perf_counter()
        await TrafficCounts(store).fold(now)
        print(f"{'the messages of a minute counted':<58} {(time.perf_counter() - began) * 1000:>10,.1f} ms", flush=True)

    settings = Settings(example_city(), url, CENTRE_SECRET, Path("/nonexistent"), ENVIRONMENT)
    hub = HubUnderTest(settings, configuration, url, socket.create_server(("127.0.0.1", 0)))
    await asyncio.to_thread(hub.open_doors)
    try:
        answer = await asyncio.to_thread(hub.get, "/api/board")
        assert len(answer["items"]) == systems
        await one_minute()
        size = len((await asyncio.to_thread(hub.client.get, "/api/board", headers=hub.centre)).content)
        board = await timed(
            f"GET /api/board, {systems} systems, {size // 1024} kB", lambda: asyncio.to_thread(hub.get, "/api/board")
        )
        reference = await timed("reference: the day's messages counted directly", direct, 5)
        print(f"the reference takes {reference / board:.1f} times as long")
        await searched(store)
    finally:
        await asyncio.to_thread(hub.close)
        await store.close()


_SEARCHES = {
    "one system, refused": (
        Sought(system="system_007", verdict="refused"),
        "system = 'system_007' AND verdict = 'refused'",
    ),
    "an external id, of any system": (Sought(external_id="t777777"), "external_id = 't777777'"),
    "one system of two hundred": (Sought(system="system_007"), "system = 'system_007'"),
    "words that stand nowhere": (Sought(words="nowhere at all"), "text ILIKE '%nowhere at all%'"),
}
"""Question, and the same as a condition of one statement."""


async def searched(store: Store) -> None:
    """The first page of each question, and the same in one statement."""
    names = tuple(f"system_{number:03}" for number in range(200))
    for what, (sought, condition) in _SEARCHES.items():
        asked = replace(sought, systems=names)

        async def ours(asked: Sought = asked) -> None:
            await JournalSearch(store).find(asked, EVERYTHING)

        async def plain(condition: str = condition) -> None:
            async with store.transaction() as transaction:
                query = f"SELECT id, at, text FROM message WHERE {condition} ORDER BY id DESC LIMIT 50"
                (await transaction.connection.execute(text(query))).all()

        found = await JournalSearch(store).find(asked, EVERYTHING)
        told = "" if found.whole else f", stops at {found.looked_to:%H:%M}"
        await timed(f"journal: {what}{told}", ours, 7)
        await timed("    in one statement", plain, 3)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with EmbeddedPostgres(given.keep) as server:
        url = server.url_of("postgres")
        asyncio.run(migrate(url))
        asyncio.run(measured(url, given.systems, given.messages))


if __name__ == "__main__":
    main()
