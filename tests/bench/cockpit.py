"""The cockpit's figures of a large city, and what keeping them costs intake.

    python -m tests.bench.cockpit [--cases 1000000] [--open 60000] [--keep FOLDER]

Cases are made in the database, as the hub writes them as far as they are counted: a year of them, in 8 districts, 50
streets, 200 classes, 300 units; some classes and units have far more than others. They are copied with the triggers
off and counted as `gridhub figures check --repair` does. The reference is counting the cases directly, by the same
rules, in turn with the tallies. Intake: batches of 500 new cases, and of 500 that move on, with the triggers and
without, in turn, each rolled back: the database's part alone. Then cases move while figures are read, and are folded.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import text

from canonical.rights import EVERYTHING, Scope
from canonical.time import SHANGHAI
from gateway.configuration import load
from gateway.hub import clock
from gateway.settings import example_city
from storage.embedded import EmbeddedPostgres
from storage.partitions import keep_months
from storage.schema import migrate
from storage.store import Store
from storage.tallies import fold
from storage.tally_check import check
from storage.tally_figures import numbers
from tests.bench.intake import ENVIRONMENT, TOKEN
from tests.bench.processes import postgres_of, processor_time
from tests.bench.raw import decided, limit, values

NOW = datetime(2026, 11, 28, 15, 40, tzinfo=SHANGHAI)
BATCH = 500
_AT_ONCE = 50_000
_FOLDS = 0.1
"""Share of the moves after which all is folded: every ten batches or so."""
SCOPES = {
    "the whole city": EVERYTHING, "a district": Scope("", areas=("340203",)), "a unit": Scope("", units=("unit-007",)),
    "a class": Scope("", classes=("30428.2:E03",)), "a system": Scope("", systems=("system-2",)),
}  # fmt: skip

# Of `g` two pseudo-random numbers from 0 to 1; their squares make few classes and units frequent.
_DRAWN = """
SELECT n, is_open, at,
       abs(hashint8extended(n, 1) % 1000000) / 1000000.0 AS a, abs(hashint8extended(n, 2) % 1000000) / 1000000.0 AS b,
       abs(hashint8extended(n, 3) % 1000000) / 1000000.0 AS c
  FROM (SELECT n, abs(hashint8extended(n, 4) % :cases) < :open AS is_open,
               CAST(:now AS timestamptz) - interval '1 s' * (abs(hashint8extended(n, 5) % 31536000)) AS long_ago,
               CAST(:now AS timestamptz) - interval '1 s' * (abs(hashint8extended(n, 6) % 2592000)) AS lately
          FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n) g
 CROSS JOIN LATERAL (SELECT CASE WHEN is_open THEN lately ELSE long_ago END AS at) t
"""
_SHAPED = f"""
SELECT n, is_open, at, a, b, c, CAST(floor(50 * a) AS int) AS street, CAST(floor(200 * b * b) AS int) AS class,
       at + interval '1 h'
         * CASE WHEN is_open THEN 120 + floor(1800 * c) ELSE 4 + floor(140 * c) END AS due,
       at + interval '1 h' * (2 + floor(150 * b * c)) AS done
  FROM ({_DRAWN}) d
"""
_STATE = """
jsonb_build_object('id', id, 'no', no, 'sequence', n, 'stage', stage, 'version', 6, 'source', source,
  'title', '路灯不亮',
  'description', '三盏路灯已连续三天不亮，夜间出行不便，希望尽快维修。', 'received_at', at, 'channel', channel,
  'level', level, 'due', jsonb_build_object('at', due), 'clocks', jsonb_build_array(
    jsonb_build_object('clock', 'disposal', 'since', 3, 'started_at', at, 'due', jsonb_build_object('at', due),
      'unit', unit, 'calendar', 'calendar-2026', 'basis', 'standards.csv 30428.2:E04-06/1', 'step', '80%'),
    jsonb_build_object('clock', 'case', 'since', 2, 'started_at', at, 'unit', unit, 'calendar', 'calendar-2026')),
  'assignments', jsonb_build_array(jsonb_build_object('round', 1, 'unit', unit, 'system', owner, 'dispatched_at', at)))
"""
_CASES = f"""
INSERT INTO {{table}} (id, no, version, stage, source, owner, unit, class_code, area, lon, lat, received_at, due_at,
                       disposed_at, closed_at, state)
SELECT id, no, 6, stage, source, owner, unit, class_code, area, 118.3, 31.3, at, due,
       CASE WHEN stage IN ('disposed', 'checked', 'closed', 'evaluated') THEN done END,
       CASE WHEN stage IN ('closed', 'evaluated') THEN closed END, {_STATE}
  FROM (SELECT n, at, due, least(done, CAST(:now AS timestamptz)) AS done,
               least(done + interval '4 h', CAST(:now AS timestamptz)) AS closed,
               CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0') || '70008'
                    || lpad(to_hex(n), 15, '0') AS uuid) AS id,
               '3402' || to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD') || lpad(CAST(n AS text), 8, '0') AS no,
               CASE WHEN is_open THEN (ARRAY['reported', 'verifying', 'filed', 'dispatched', 'returned', 'handling',
                      'handling', 'handling', 'suspended', 'disposed', 'checked'])[1 + CAST(floor(11 * c) AS int)]
                    ELSE (ARRAY['closed', 'closed', 'closed', 'evaluated', 'evaluated', 'cancelled', 'refused'])
                      [1 + CAST(floor(7 * c) AS int)] END AS stage,
               'source-' || CAST(floor(6 * b * c) AS int) AS source,
               'system-' || street % 8 AS owner,
               'unit-' || lpad(CAST((street * 6 + CAST(floor(6 * c * c) AS int)) % 300 AS text), 3, '0') AS unit,
               '30428.2:E' || lpad(CAST(1 + class % 10 AS text), 2, '0') || '-'
                 || lpad(CAST(1 + class / 10 AS text), 2, '0') AS class_code,
               '34020' || 2 + street % 8 || lpad(CAST(1 + street / 8 AS text), 3, '0')
                 || lpad(CAST(1 + CAST(floor(10 * c) AS int) AS text), 3, '0') AS area,
               (ARRAY['电话', '网站', '微信', '巡查'])[1 + CAST(floor(4 * a) AS int)] AS channel,
               (ARRAY['community', 'street', 'district', 'city'])[1 + CAST(floor(4 * c * c) AS int)] AS level
          FROM ({_SHAPED}) s) made
"""
_MOVES = """
UPDATE cases SET stage = CASE stage WHEN 'handling' THEN 'disposed' ELSE 'handling' END, version = version + 1,
       state = state || '{"version": 7}'
 WHERE id = ANY(CAST(:ids AS uuid[]))
"""
_IDS = """
SELECT CAST(id AS text) FROM cases WHERE stage IN ('dispatched', 'handling', 'filed') ORDER BY md5(no) LIMIT 20000
"""


class Took:
    """Milliseconds, by what was measured, and of the server's processor time: that a busy machine disturbs less."""

    def __init__(self) -> None:
        self._of: dict[str, list[float]] = {}
        self._server: dict[str, float] = {}
        self._postgres = postgres_of(os.getpid())

    async def time(self, what: str, job: Callable[[], Awaitable[object]]) -> None:
        """Once more."""
        began, before = time.perf_counter(), processor_time(self._postgres)
        await job()
        self._of.setdefault(what, []).append((time.perf_counter() - began) * 1000)
        used = (processor_time(self._postgres) - before) * 1000
        self._server[what] = self._server.get(what, 0.0) + used

    def p50(self, what: str) -> float:
        """The median."""
        return statistics.median(self._of[what])

    def told(self, what: str, reference: str = "") -> None:
        """A line for people."""
        took = sorted(self._of[what])
        p95 = took[min(len(took) - 1, round(len(took) * 0.95))]
        ratio = f"; {self.p50(what) / self.p50(reference):.3f} of the reference" if reference else ""
        server = f"server {self._server[what] / len(took):>7.1f}"
        print(f"{what:<50} p50 {self.p50(what):>8.1f} ms, p95 {p95:>8.1f}, {server}, of {len(took)}{ratio}", flush=True)


async def filled(store: Store, cases: int, open_: int) -> None:
    """The city, unless a kept folder has it. Triggers are off meanwhile, and the tallies made afterwards."""
    async with store.transaction() as transaction:
        if (await transaction.connection.execute(text("SELECT 1 FROM cases LIMIT 1"))).first() is not None:
            return
    await set_triggers(store, on=False)
    began = time.monotonic()
    for first in range(1, cases + 1, _AT_ONCE):
        async with store.transaction() as transaction:
            values = {
                "first": first,
                "last": min(cases, first + _AT_ONCE - 1),
                "cases": cases,
                "open": open_,
                "now": NOW,
            }
            await transaction.connection.execute(text(_CASES.format(table="cases")), values)
    await set_triggers(store, on=True)
    await vacuum(store, "cases")
    print(f"made in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    off = await check(store, NOW, repair=True)
    print(f"counted and tallied in {time.monotonic() - began:.1f} s: {len(off):,} tallies", flush=True)
    await vacuum(store, "tally")


async def vacuum(store: Store, table: str) -> None:
    """As the server does by itself after a while."""
    async with store.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text(f"VACUUM ANALYZE {table}")
        )


async def looks(store: Store, times: int) -> None:
    """The figures of each scope from the tallies, and counted directly."""
    took = Took()
    for number in range(times):
        now = NOW + timedelta(seconds=number)
        for name, scope in SCOPES.items():
            await took.time(name, partial(numbers, store, scope, now))
            if number % max(1, times // 5) == 0:
                direct = partial(numbers, store, scope, now, directly=True)
                await took.time(f"  reference: {name}, counted directly", direct)
    for name in SCOPES:
        took.told(name, f"  reference: {name}, counted directly")
        took.told(f"  reference: {name}, counted directly")


async def intake(store: Store, cases: int, times: int) -> None:
    """New cases and moves in batches, with triggers and without, rolled back."""
    took, dice = Took(), Random(1)
    async with store.transaction() as transaction:
        ids = list((await transaction.connection.execute(text(_IDS))).scalars())
    for number in range(times):
        first = cases + 1 + number * BATCH
        new = {"first": first, "last": first + BATCH - 1, "cases": 1, "open": 1, "now": NOW}
        moved = {"ids": dice.sample(ids, BATCH)}
        for off in (False, True):
            after = ", without triggers" if off else ", with triggers"
            await took.time(f"{BATCH} new{after}", partial(_undone, store, _INSERT, new, off=off))
            await took.time(f"{BATCH} move on{after}", partial(_undone, store, _MOVES, moved, off=off))
    for what in (f"{BATCH} new", f"{BATCH} move on"):
        took.told(f"{what}, with triggers", f"{what}, without triggers")
        took.told(f"{what}, without triggers")


_INSERT = _CASES.format(table="cases")


async def _undone(store: Store, statement: str, values: Mapping[str, Any], *, off: bool) -> None:
    async with store.engine.connect() as connection:
        await connection.execute(text(f"SET LOCAL session_replication_role = {'replica' if off else 'origin'}"))
        await connection.execute(text(statement), values)
        await connection.rollback()


async def whole_rows(store: Store, url: str, rounds: int) -> None:
    """All that intake writes of a case, 100 cases a transaction from four connections: with triggers and without."""
    configuration = load(example_city(), ENVIRONMENT)
    rates: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        for counting in (True, False):
            run, cases = f"c{number}{counting}", 2000
            batches = [values(one, clock()) for one in decided(configuration, run, 0, cases, 100, TOKEN)]
            await set_triggers(store, on=counting)
            rates[counting].append(await limit(url, batches, cases, 4))
    await set_triggers(store, on=True)
    with_, without = (statistics.median(rates[counting]) for counting in (True, False))
    print(
        f"whole cases a second: {with_:,.0f} with triggers, {without:,.0f} without: {with_ / without:.3f}", flush=True
    )


async def set_triggers(store: Store, *, on: bool) -> None:
    """For all connections."""
    async with store.transaction() as transaction:
        await transaction.connection.execute(text(f"ALTER TABLE cases {'ENABLE' if on else 'DISABLE'} TRIGGER USER"))


async def living(store: Store, moves: int) -> None:
    """Cases move, figures are read, and somebody folds."""
    took, dice = Took(), Random(2)
    async with store.transaction() as transaction:
        ids = list((await transaction.connection.execute(text(_IDS))).scalars())
    folded, spent = 0, 0.0
    for _ in range(moves):
        async with store.transaction() as transaction:
            await transaction.connection.execute(text(_MOVES), {"ids": dice.sample(ids, BATCH)})
        await took.time("the whole city, while cases move", partial(numbers, store, EVERYTHING, NOW))
        if dice.random() < _FOLDS:
            began = time.perf_counter()
            while count := await fold(store, NOW):
                folded += count
            spent += time.perf_counter() - began
    took.told("the whole city, while cases move")
    print(f"folding: {folded:,} changes, {spent / max(1, folded) * 1e6:.0f} us each", flush=True)
    wrong = await check(store, NOW)
    print(f"tallies that are off afterwards: {len(wrong)}", flush=True)
    assert not wrong


async def bench(url: str, cases: int, open_: int, times: int) -> None:
    """Fill, then measure."""
    await migrate(url)
    store = Store(url)
    await keep_months(store, NOW)
    print(f"{cases:,} cases, {open_:,} of them open; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    await filled(store, cases, open_)
    async with store.transaction() as transaction:
        sizes = "SELECT cube, count(*) AS rows, sum(n) AS cases FROM tally GROUP BY cube ORDER BY cube"
        for row in await transaction.connection.execute(text(sizes)):
            print(f"  {row.cube:<12} {row.rows:>9,} tallies of {row.cases:>10,}")
    await looks(store, times)
    await intake(store, cases, times)
    await living(store, times)
    await whole_rows(store, url, max(3, times // 4))
    await store.close()


def main() -> None:
    """From the command line."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--cases", type=int, default=1_000_000)
    told.add_argument("--open", type=int, default=60_000)
    told.add_argument("--times", type=int, default=40)
    told.add_argument("--keep", type=Path, help="folder of a database that stays")
    given = told.parse_args()
    settings = {"shared_buffers": "1GB", "max_wal_size": "8GB"}
    with EmbeddedPostgres(given.keep, settings=settings) as server:
        asyncio.run(bench(server.url_of("postgres"), given.cases, min(given.open, given.cases), given.times))


if __name__ == "__main__":
    main()
