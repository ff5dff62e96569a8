"""What stored cases cost: intake, look-ups, lists and books with millions of cases in the tables, and claims with a
million messages waiting.

    python -m tests.bench.scale --cases 1000000 --folder /var/tmp/gridhub-scale

Fills the folder once (about 3 KB a case) and measures as often as it is called; the folder is yours to remove. Figures
of intake stand beside those of an empty database of the same server, in interleaved rounds of the same run.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from sqlalchemy import create_engine, text

from canonical.rights import EVERYTHING
from gateway.configuration import load
from gateway.hub import clock
from gateway.settings import example_city
from storage.casebook import Casebook
from storage.embedded import EmbeddedPostgres
from storage.figures import figures
from storage.journal import Journal
from storage.open_cases import open_bindings
from storage.schema import migrate
from storage.store import Store
from tests.bench.claiming import ours
from tests.bench.filling import chunks, fill, months
from tests.bench.intake import ENVIRONMENT, TOKEN, hub, pushed
from tests.bench.lanes import waiting
from tests.bench.raw import decided, limit, values

FILLING = {
    "fsync": "off", "full_page_writes": "off", "max_wal_size": "3GB", "synchronous_commit": "off",
    "shared_buffers": "1GB", "maintenance_work_mem": "512MB", "autovacuum": "off",
}  # fmt: skip
MEASURING = {"shared_buffers": "1GB", "max_wal_size": "4GB"}


def say(what: str, value: object) -> None:
    """A figure as soon as it is known."""
    sys.stdout.write(json.dumps({what: value}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def filled(folder: Path, cases: int) -> None:
    """A cluster with that many cases, unless it is there already."""
    if (folder / "filled").exists():
        return
    began = time.monotonic()
    with EmbeddedPostgres(folder, settings=FILLING) as server:
        asyncio.run(migrate(server.url))
        _fill_all(server.url, cases)
    (folder / "filled").write_text(str(cases))
    say("filled", {"cases": cases, "seconds": round(time.monotonic() - began)})


def _fill_all(of: str, cases: int) -> None:
    url = of.replace("+asyncpg", "+psycopg")
    now, engine = clock(), create_engine(url)
    with engine.begin() as connection:
        months(connection, now)
    with ProcessPoolExecutor(2) as both:
        list(both.map(_fill, [(url, low, high, now, cases) for low, high in chunks(0, cases)]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE, FREEZE)"))
    engine.dispose()


def _fill(part: Any) -> None:
    url, low, high, now, whole = part
    engine = create_engine(url)
    with engine.begin() as connection:
        fill(connection, low, high, now=now, whole=whole)
    engine.dispose()


# --- looking things up ---


async def looked_up(url: str, cases: int) -> dict[str, float]:
    """Milliseconds of what people and programs look at, the median of three."""
    store = Store(url)
    book, journal, now = Casebook(store), Journal(store), clock()
    middle = cases // 2
    async with store.transaction() as transaction:
        query = text("SELECT c.no FROM binding b JOIN cases c ON c.id = b.case_id WHERE b.system = :s"
                     " AND b.external_id = :t")  # fmt: skip
        system = ("hotline_12345", "social_governance", "market_supervision")[middle % 3]
        no = (await transaction.connection.execute(query, {"s": system, "t": f"t{middle}"})).scalar_one()
    day = (now - timedelta(days=9), now - timedelta(days=8))
    wanted: Mapping[str, Callable[[], Awaitable[object]]] = {
        "case by its number": lambda: book.journey(no, scope=EVERYTHING),
        "case by a system's id": lambda: book.journey(f"t{middle}", scope=EVERYTHING),
        "case by a system's case key": lambda: book.journey(f"r{middle}", scope=EVERYTHING),
        "case by a visible number": lambda: book.journey(f"DH{middle}", scope=EVERYTHING),
        "case nobody knows": lambda: book.journey("x-0", scope=EVERYTHING),
        "queue": lambda: book.find(scope=EVERYTHING, queue="to_file"),
        "first page of closed cases": lambda: book.find(scope=EVERYTHING, stage="closed"),
        "latest": lambda: book.latest(scope=EVERYTHING),
        "moves of a day": lambda: book.moves(["hotline_12345"], *day, limit=500),
        "open cases of a system": lambda: open_bindings(store, "hotline_12345"),
        "figures": lambda: figures(store, now=now),
        "journal, newest": journal.rows,
        "journal of a case": lambda: journal.rows(case_no=no),
        "journal by id": lambda: journal.rows(system=system, external_id=f"t{middle}"),
        "books": lambda: book.books(now),
    }  # fmt: skip
    found = {}
    for name, ask in wanted.items():
        times = []
        for _ in range(3):
            began = time.perf_counter()
            await ask()
            times.append((time.perf_counter() - began) * 1e3)
        found[name] = round(statistics.median(times), 1)
    await store.close()
    return found


# --- intake ---


def intake(server: EmbeddedPostgres, rounds: int) -> dict[str, float]:
    """Rates on the full database over those on an empty one: the raw statement in bulk, and the hub over HTTP."""
    url, empty = server.url, server.url_of("empty")
    asyncio.run(_fresh(server, "empty"))
    asyncio.run(migrate(empty))
    configuration = load(example_city(), os.environ | ENVIRONMENT)
    port = 21_000 + os.getpid() % 9_000
    log = Path(os.devnull)
    hubs = [hub(url, port, 1, log), hub(empty, port + 1, 1, log)]
    ratios: dict[str, list[float]] = {"raw, 100 a transaction": [], "hub, 64 connections": []}
    try:
        for number in range(rounds + 1):
            run = f"s{os.getpid()}-{number}"
            made = [decided(configuration, f"{run}{i}", 0, 4000, 100, TOKEN) for i in (0, 1)]
            bulk = [[values(changes, clock()) for changes in some] for some in made]
            raw = [uvloop.run(limit(u, b, 4000, 4)) for u, b in zip((url, empty), bulk, strict=True)]
            whole = [pushed(port + i, f"{run}h{i}", 3000, 64).per_second for i in (0, 1)]
            say("round", {"raw": [round(r) for r in raw], "hub": [round(w) for w in whole]})
            if number:
                ratios["raw, 100 a transaction"].append(raw[0] / raw[1])
                ratios["hub, 64 connections"].append(whole[0] / whole[1])
    finally:
        for one in hubs:
            one.terminate()
            one.wait(15)
    return {name: round(statistics.median(some), 2) for name, some in ratios.items()}


# --- claims ---

CLAIMED = 20_000
_WAITING = """
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, created_at, next_at)
SELECT gen_random_uuid(), id, 'works', :round, 1, 'work', '', now(), now() FROM (SELECT id FROM cases {some}) few
"""
_WHOSE = {
    "cases of the last days": f"WHERE version = 6 ORDER BY id DESC LIMIT {CLAIMED}",
    "cases of all months": f"TABLESAMPLE SYSTEM (:percent) WHERE version = 6 LIMIT {CLAIMED}",
}


def claims(server: EmbeddedPostgres, cases: int, rounds: int) -> dict[str, float]:
    """Messages taken up with all they are written of, and settled: rates of the full database over a small one's."""
    asyncio.run(_fresh(server, "claims"))
    small = server.url_of("claims")
    asyncio.run(migrate(small))
    _fill_all(small, CLAIMED)
    return uvloop.run(_claimed([(server.url, cases), (small, CLAIMED)], rounds))


async def _claimed(both: Sequence[tuple[str, int]], rounds: int) -> dict[str, float]:
    stores = [Store(url) for url, _ in both]
    ratios: dict[str, list[float]] = {name: [] for name in _WHOSE}
    for number, (name, some) in product(range(rounds + 1), _WHOSE.items()):
        rates = [await _claim(store, some, cases) for store, (_, cases) in zip(stores, both, strict=True)]
        say("round", {name: [round(rate) for rate in rates]})
        ratios[name].extend([rates[0] / rates[1]] if number else [])
    for store in stores:
        await store.close()
    return {name: round(statistics.median(some), 2) for name, some in ratios.items()}


async def _claim(store: Store, some: str, cases: int) -> float:
    lane = {"round": time.time_ns() // 1_000_000_000}
    few = {"percent": min(100.0, CLAIMED * 150 / cases)} if ":percent" in some else {}
    async with store.transaction() as transaction:
        there = (await transaction.connection.execute(text(_WAITING.format(some=some)), lane | few)).rowcount
    began = time.perf_counter()
    await ours(store, 4, loaded=True)
    return there / (time.perf_counter() - began)


async def _fresh(server: EmbeddedPostgres, name: str) -> None:
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="look,intake,claims,lanes")
    chosen = parser.parse_args()
    filled(chosen.folder, chosen.cases)
    with EmbeddedPostgres(chosen.folder, settings=MEASURING) as server:
        asyncio.run(migrate(server.url))
        if "look" in chosen.only:
            say("looked up, ms", uvloop.run(looked_up(server.url, chosen.cases)))
        if "intake" in chosen.only:
            say("intake, full over empty", intake(server, chosen.rounds))
        if "claims" in chosen.only:
            say("claim and settle, full over empty", claims(server, chosen.cases, chosen.rounds))
        if "lanes" in chosen.only:
            asyncio.run(_fresh(server, "lanes"))
            asyncio.run(migrate(server.url_of("lanes")))
            say("lanes", uvloop.run(waiting(server.url_of("lanes"))))


if __name__ == "__main__":
    main()
