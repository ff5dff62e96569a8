"""Outbox claim and acknowledgement in batches of 500, with nothing on the wire: messages a second of our lanes, beside
a bare queue table in the same database.

    python -m tests.bench.claiming --messages 40000 --workers 4

The bare table is the reference: one index by due time, SKIP LOCKED, no lanes, no case, no journal.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from datetime import timedelta

import asyncpg
import uvloop
from sqlalchemy import text

from canonical.message import Verdict
from canonical.records import DeliveryState
from gateway.hub import clock
from storage.embedded import EmbeddedPostgres
from storage.outbox import Claimed, Ended, Outbox, Ticket, Trouble, Wanted
from storage.schema import migrate
from storage.store import Store
from tests.bench.lanes import CASE, EVENT

BATCH = 500
LEASE = timedelta(minutes=2)
SYSTEM = "works"
_WAITING = """
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, created_at, next_at)
SELECT gen_random_uuid(), id, 'works', {round}, 1, 'work', '', now(), now() FROM cases
"""
_BARE = """
DROP TABLE IF EXISTS bare;
CREATE TABLE bare (id uuid PRIMARY KEY, case_id uuid NOT NULL, state text NOT NULL, due timestamptz NOT NULL);
CREATE INDEX bare_due ON bare (due) WHERE state <> 'done';
INSERT INTO bare SELECT gen_random_uuid(), id, 'waiting', now() FROM cases
"""
_TAKE_BARE = """
UPDATE bare SET state = 'sent', due = now() + interval '2 minutes' WHERE id = ANY (ARRAY(
  SELECT id FROM bare WHERE state <> 'done' AND due <= now() ORDER BY due LIMIT 500 FOR UPDATE SKIP LOCKED))
RETURNING id
"""


async def bare(url: str, workers: int) -> None:
    """Claim and acknowledge all of the bare table."""
    pool = await asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=workers, max_size=workers)

    async def one() -> None:
        async with pool.acquire() as connection:
            while rows := await connection.fetch(_TAKE_BARE):
                ids = [row[0] for row in rows]
                await connection.fetch("UPDATE bare SET state = 'done' WHERE id = ANY($1) RETURNING id", ids)

    await asyncio.gather(*(one() for _ in range(workers)))
    await pool.close()


async def ours(store: Store, workers: int, *, loaded: bool) -> None:
    """Claim and acknowledge all that waits. `loaded`: with case, event and ids, as a worker that writes needs them."""
    outbox, wanted = Outbox(store), [Wanted(SYSTEM, BATCH, LEASE)]

    async def one() -> None:
        while True:
            now = clock()
            if not (got := await (outbox.claim if loaded else outbox.take)(wanted, now=now)):
                return
            await outbox.settle([_taken(item) for item in got])

    await asyncio.gather(*(one() for _ in range(workers)))


def _taken(one: Claimed | Ticket) -> Ended:
    return Ended(one, DeliveryState.ACKNOWLEDGED, Verdict.ACKNOWLEDGED, clock(), Trouble("", ""))  # type: ignore[arg-type]


async def measured(url: str, messages: int, workers: int, rounds: int) -> dict[str, float]:
    """Medians over the rounds, in messages a second."""
    store, found = Store(url), dict[str, list[float]]()
    async with store.transaction() as transaction:
        await transaction.connection.execute(text(CASE.format(cases=messages)))
        await transaction.connection.execute(text(EVENT))
    for number in range(rounds + 1):
        ways = {"bare": None, "take": False, "claim": True}
        for place, (name, loaded) in enumerate(ways.items()):
            await _prepared(url, _BARE if loaded is None else _WAITING.format(round=number * 10 + place + 1))
            began = time.perf_counter()
            await (bare(url, workers) if loaded is None else ours(store, workers, loaded=loaded))
            rate = messages / (time.perf_counter() - began)
            sys.stderr.write(f"{number} {name}: {rate:.0f}/s\n")
            found.setdefault(name, []).extend([rate] if number else [])
    await store.close()
    medians = {name: round(statistics.median(rates)) for name, rates in found.items()}
    return medians | {"take to bare": round(medians["take"] / medians["bare"], 2)}


async def _prepared(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(statement)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


def main() -> None:
    """Run and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with EmbeddedPostgres(None) as server:
        asyncio.run(migrate(server.url))
        figures = uvloop.run(measured(server.url, chosen.messages, chosen.workers, chosen.rounds))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
