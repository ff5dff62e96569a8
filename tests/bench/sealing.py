"""What seals cost: intake's own statement with and without the column that seals go by, and rows sealed a second.

The two databases take turns on one server, so that a noisy machine disturbs both alike.
"""

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

import asyncpg

from gateway.configuration import Configuration, load
from gateway.evidence.check import Checker
from gateway.evidence.seal import Sealer
from gateway.hub import clock
from gateway.settings import example_city
from storage.batch import SAVE
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from storage.store import Store
from tests.bench.intake import ENVIRONMENT, TOKEN
from tests.bench.raw import decided, values

WITHOUT = "ALTER TABLE message DROP COLUMN xact; ALTER TABLE event DROP COLUMN xact"


async def made(server: EmbeddedPostgres, name: str, after: str = "") -> str:
    """A database with the newest schema."""
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = server.url_of(name)
    await migrate(url)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(after or "SELECT 1")
    await connection.close()
    return url


async def intake(configuration: Configuration, urls: dict[str, str], rounds: int, cases: int) -> None:
    """Processor time of the server for the same cases, by turns: other loads do not count in it."""
    for size in (1, 100):
        spent: dict[str, list[float]] = {name: [] for name in urls}
        for round_ in range(rounds + 1):
            for name in list(urls) if round_ % 2 else list(urls)[::-1]:
                made_ = decided(configuration, f"{size}-{round_}-{name}", 0, cases, size, TOKEN)
                seconds = await written(urls[name], [values(one, clock()) for one in made_])
                if round_:  # the first warms up
                    spent[name].append(seconds)
        shown = ", ".join(f"{name} {1e6 * statistics.median(found) / cases:.0f} us" for name, found in spent.items())
        print(f"{size} cases a transaction, processor time of the database a case: {shown}")


async def written(url: str, batches: list[list[Any]]) -> float:
    """Seconds of processor time that the server took for these."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    prepared = await connection.prepare(SAVE.sql)
    before = _spent(connection.get_server_pid())
    for batch in batches:
        await prepared.fetch(*batch)
    seconds = _spent(connection.get_server_pid()) - before
    await connection.close()
    return seconds


def _spent(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def sealing(url: str) -> None:
    """Rows a second, and a check of the same."""
    store = Store(url)
    began, spent, sealer, rows = time.perf_counter(), time.process_time(), Sealer(store, now=clock), 0
    while sealed := await sealer.once():
        rows += sealed
    _tell("sealing", rows, time.perf_counter() - began, time.process_time() - spent)
    began, spent = time.perf_counter(), time.process_time()
    checked = await Checker(store).all()
    _tell("checking", checked.rows, time.perf_counter() - began, time.process_time() - spent)
    await store.close()


def _tell(what: str, rows: int, took: float, spent: float) -> None:
    own = 1e6 * spent / rows
    print(f"{what}: {rows:,} rows in {took:.1f} s, {rows / took:,.0f}/s; {own:.0f} us of processor time a row")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=2000)
    asked = parser.parse_args()
    configuration = load(example_city(), ENVIRONMENT)

    async def run(server: EmbeddedPostgres) -> None:
        urls = {"with": await made(server, "sealed"), "without": await made(server, "plain", WITHOUT)}
        await intake(configuration, urls, asked.rounds, asked.cases)
        await sealing(urls["with"])

    with EmbeddedPostgres(None) as server:
        asyncio.run(run(server))


if __name__ == "__main__":
    main()
