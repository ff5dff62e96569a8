"""The raw database limit: the very rows a case is made of, sent by clients that do nothing else.

R1: one statement a transaction, 16 clients (the reference for single intake).
RB: 100 cases a transaction, 4 clients (the reference for bulk).
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

import asyncpg

from canonical.message import Message
from canonical.records import Arrival, Changes, Known
from gateway.configuration import Configuration
from gateway.hub import clock, fresh_id
from routing.intake import decide
from storage.batch import SAVE
from storage.rows import rows_of
from tests.bench.stream import BOUNDARY, ticket

_NUMBERS = count(10_000_000 + int(time.time()) % 86_400 * 1_000)
"""Case numbers beyond those the hub gives out in a run, and others than those of an earlier run of the same day."""


def values(changes: Changes, now: datetime) -> list[Any]:
    """The parameters of the hub's hot statement for these changes."""
    rows = rows_of(changes, now)
    return [rows[name] for name in SAVE.names]


def decided(configuration: Configuration, run: str, first: int, wanted: int, size: int, token: str) -> list[Changes]:
    """What the hub decides for `wanted` tickets, in batches of `size`: exactly the rows it would write."""
    system = configuration.systems["hotline_12345"].system
    content_type = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    made = []
    for start in range(first, first + wanted, size):
        arrivals = []
        for number in range(start, min(start + size, first + wanted)):
            body = ticket(number, run, token).partition(b"\r\n\r\n")[2]
            message = Message("hotline_12345", body, clock(), fresh_id(), door="tasks", content_type=content_type)
            arrivals += [Arrival(message, content) for content in system.receive(message)]
        changes, _ = decide(arrivals, Known(), configuration.city, numbers=_NUMBERS, now=clock(), ids=fresh_id)
        made.append(changes)
    return made


async def limit(
    url: str, batches: Sequence[list[Any]], cases: int, clients: int, waits: list[float] | None = None
) -> float:  # fmt: skip
    """Cases a second when `clients` connections write these batches as fast as the database takes them.

    `waits`: gets the seconds of each batch.
    """
    pool = await asyncpg.create_pool(
        url.replace("postgresql+asyncpg", "postgresql"), min_size=clients, max_size=clients
    )
    waiting = iter(batches)

    async def one() -> None:
        async with pool.acquire() as connection:
            prepared = await connection.prepare(SAVE.sql)
            for values in waiting:
                sent = time.perf_counter()
                await prepared.fetch(*values)
                if waits is not None:
                    waits.append(time.perf_counter() - sent)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    seconds = time.perf_counter() - began
    await pool.close()
    return cases / seconds
