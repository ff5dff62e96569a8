"""What seals cost: intake's own statement with and without the column that seals go by, and rows sealed a second.

The two databases take turns on one server, so that a noisy machine disturbs both alike.
"""

import argparse
import asyncio
import statistics
import time

import asyncpg

from gateway.configuration import Configuration, load
from gateway.evidence.check import Checker
from gateway.evidence.seal import Sealer
from gateway.hub import clock
from gateway.settings import example_city
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from storage.store import Store
from tests.bench.intake import ENVIRONMENT, TOKEN
from tests.bench.raw import decided, limit, values

SHAPES = {"one case a transaction, 16 clients": (1, 16), "100 cases a transaction, 4 clients": (100, 4)}
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
    """Cases a second by turns."""
    for shape, (size, clients) in SHAPES.items():
        rates: dict[str, list[float]] = {name: [] for name in urls}
        for round_ in range(rounds + 1):
            names = list(urls) if round_ % 2 else list(urls)[::-1]
            for name in names:
                run = f"{size}-{round_}-{name}"
                wanted = cases if size > 1 else cases // 5
                batches = [values(one, clock()) for one in decided(configuration, run, 0, wanted, size, TOKEN)]
                rate = await limit(urls[name], batches, wanted, clients)
                if round_:  # the first warms up
                    rates[name].append(rate)
        medians = {name: statistics.median(found) for name, found in rates.items()}
        ratios = [a / b for a, b in zip(rates["with"], rates["without"], strict=True)]
        shown = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in medians.items())
        print(f"{shape}: {shown}; with / without {statistics.median(ratios):.3f}")


async def sealing(url: str) -> None:
    """Rows a second, and a check of the same."""
    store = Store(url)
    began, sealer, rows = time.perf_counter(), Sealer(store, now=clock), 0
    while sealed := await sealer.once():
        rows += sealed
    took = time.perf_counter() - began
    print(f"sealing: {rows:,} rows in {took:.1f} s, {rows / took:,.0f}/s")
    began = time.perf_counter()
    checked = await Checker(store).all()
    took = time.perf_counter() - began
    print(f"checking: {checked.rows:,} rows in {took:.1f} s, {checked.rows / took:,.0f}/s")
    await store.close()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=4000)
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
