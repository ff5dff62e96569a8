"""Claims over 1,000 systems, 100 of them dead with a million messages waiting: what do the healthy ones feel?

A worker that asks for all systems at once, at the database alone: no wire. It has the breakers that a worker has; the
same without them is the first seconds of an outage, when the dead are still tried.

    python -m tests.bench.lanes
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from types import MappingProxyType
from uuid import UUID

import uvloop
from sqlalchemy import text

from canonical.message import Verdict
from canonical.records import DeliveryState
from gateway.delivery.traffic import Breaker, Breaking
from gateway.hub import clock, fresh_id
from storage.embedded import EmbeddedPostgres
from storage.outbox import Claimed, Ended, Outbox, Trouble, Wanted
from storage.schema import migrate
from storage.store import Store

SYSTEMS, DEAD, CASES = 1_000, 100, 10_000
A_SECOND = 400
PLACES = 4
LEASE = timedelta(minutes=2)

CASE = """
INSERT INTO cases SELECT CAST(lpad(to_hex(ms + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0') AS uuid),
  'n' || i, 1, 'filed', NULL, 's', '', '', NULL, NULL, NULL, NULL, NULL, now(), NULL, NULL, NULL,
  jsonb_build_object('id', CAST(lpad(to_hex(ms + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0') AS uuid),
    'no', 'n' || i, 'sequence', i, 'stage', 'filed', 'version', 1, 'source', 's', 'received_at', now())
  FROM generate_series(1, {cases}) i, (SELECT CAST(extract(epoch FROM now()) * 1000 AS bigint) - {cases} AS ms) t
"""
EVENT = """
INSERT INTO event SELECT id, 1, now(), 'file', 'hub', NULL, jsonb_build_object('case_id', id, 'seq', 1, 'from_', NULL,
  'to', 'filed', 'action', jsonb_build_object('kind', 'file', 'at', now(), 'actor',
    jsonb_build_object('party', 'hub', 'id', 'rule'))) FROM cases
"""
_BACKLOG = """
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, created_at, next_at)
SELECT gen_random_uuid(), id, 'dead' || d, 1, 1, 'work', '', now(), now() FROM cases, generate_series(1, {dead}) d
"""
_NEW = text("""
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, created_at, next_at)
SELECT w.id, w.c, w.s, w.n, 1, 'work', '', w.at, w.at
  FROM unnest(CAST(:ids AS uuid[]), CAST(:cases AS uuid[]), CAST(:systems AS text[]), CAST(:seqs AS bigint[]),
              CAST(:ats AS timestamptz[])) AS w(id, c, s, n, at)
""")


async def waiting(url: str, seconds: float = 20) -> dict[str, object]:
    """Healthy lanes' latency from commit to claim in milliseconds: nothing waiting, then a million."""
    store = Store(url)
    async with store.transaction() as transaction:
        await transaction.connection.execute(text(CASE.format(cases=CASES)))
        await transaction.connection.execute(text(EVENT))
        cases = list((await transaction.connection.execute(text("SELECT id FROM cases"))).scalars())
    await _tidy(store)
    await _flow(store, cases, 3, 1)
    alone = await _flow(store, cases, seconds, 2)
    async with store.transaction() as transaction:
        await transaction.connection.execute(text(_BACKLOG.format(dead=DEAD)))
    await _tidy(store)
    breakers = {f"dead{n + 1}": Breaker(Breaking()) for n in range(DEAD)}
    await _flow(store, cases, 3, 3, breakers)
    beside = await _flow(store, cases, seconds, 4, breakers)
    tried = await _flow(store, cases, seconds, 5)
    await store.close()
    return {
        "alone": alone, "beside a million": beside, "p99 ratio": round(beside["p99"] / alone["p99"], 2),
        "without breakers": tried,
    }  # fmt: skip


async def _tidy(store: Store) -> None:
    async with store.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE delivery_open, cases, event"))


async def _flow(
    store: Store, cases: list[UUID], seconds: float, run: int, breakers: Mapping[str, Breaker] = MappingProxyType({})
) -> dict[str, float]:  # fmt: skip
    outbox, waits, tries = Outbox(store), [], 0
    names = [f"dead{n + 1}" if n < DEAD else f"well{n}" for n in range(SYSTEMS)]
    healthy = [Wanted(name, PLACES, LEASE) for name in names[DEAD:]]
    dead = [Wanted(name, PLACES, LEASE) for name in names[:DEAD]]
    end = time.monotonic() + seconds
    feeding = asyncio.create_task(_feed(store, cases, end, run))
    claims = []
    while time.monotonic() < end or not feeding.done():
        began = time.perf_counter()
        now = clock()
        admitted = [one for one in dead if not breakers or breakers[one.system].admits(PLACES, 0, now)]
        got = await outbox.claim([*admitted, *healthy], now=now)
        claims.append(time.perf_counter() - began)
        now = clock()
        waits += [(now - one.created_at).total_seconds() * 1e3 for one in got if one.system.startswith("well")]
        missed = [one.system for one in got if one.system.startswith("dead")]
        tries += len(missed)
        for name in missed if breakers else ():
            breakers[name].failed(now)
        if got:
            await outbox.settle([_ended(one) for one in got])
        else:
            await asyncio.sleep(0.002)
    await feeding
    waits.sort()
    claims.sort()
    return {
        "messages": len(waits), "p50": round(waits[len(waits) // 2], 1), "p99": round(waits[int(len(waits) * 0.99)], 1),
        "claim p50": round(claims[len(claims) // 2] * 1e3, 1), "tries at the dead": tries,
    }  # fmt: skip


def _ended(one: Claimed) -> Ended:
    if one.system.startswith("dead"):
        trouble = Trouble("Unavailable", "connection refused")
        pause = timedelta(seconds=min(2 ** (one.attempts - 1), 300))
        return Ended(one, DeliveryState.PENDING, Verdict.WAITING, clock() + pause, trouble)
    return Ended(one, DeliveryState.ACKNOWLEDGED, Verdict.ACKNOWLEDGED, clock(), Trouble("", ""))


async def _feed(store: Store, cases: list[UUID], end: float, run: int) -> None:
    """New messages for healthy systems, a few every twentieth of a second."""
    random, number = Random(run), run * 10_000_000
    few = A_SECOND // 20
    while time.monotonic() < end:
        number += 1
        systems = [f"well{random.randrange(DEAD, SYSTEMS)}" for _ in range(few)]
        values = {
            "ids": [fresh_id() for _ in systems], "cases": random.sample(cases, few), "systems": systems,
            "seqs": [number] * few, "ats": [clock()] * few,
        }  # fmt: skip
        async with store.transaction() as transaction:
            await transaction.connection.execute(_NEW, values)
        await asyncio.sleep(0.05)


def main() -> None:
    """Run and print one JSON document."""
    with EmbeddedPostgres(None, settings={"shared_buffers": "1GB", "max_wal_size": "4GB"}) as server:
        asyncio.run(migrate(server.url))
        sys.stdout.write(json.dumps(uvloop.run(waiting(server.url)), indent=2) + "\n")


if __name__ == "__main__":
    main()
