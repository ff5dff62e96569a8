"""Assessment of a month: a million cases, every indicator, two hundred units; a first page; the nightly update.

python -m tests.bench.assess [--cases 1000000] [--units 200] [--keep FOLDER]

The facts are made in the database, as the fold would leave them, so that the month is there in minutes.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Index, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from assessment.facts import folded
from assessment.indicator_file import load_rulebook
from assessment.period import period_of
from assessment.rulebook import Rulebook
from assessment.sheets import Heading, People, sheet
from canonical.indicator import Counter
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI
from storage import tables
from storage.assessing import count, facts, position
from storage.embedded import EmbeddedPostgres
from storage.fact_sql import Extent
from storage.facts import COLUMNS, OPEN, Facts
from storage.schema import migrate
from storage.store import Store
from tests.assessment.month import month, save

ROOT = Path(__file__).parents[2]
PERIOD = period_of("2026-10")
NOW = datetime(2026, 11, 2, 1, tzinfo=SHANGHAI)
_AT_ONCE = 50_000
T = TypeVar("T")

# A case of the month: when it came, what became of it, whose it is. Times in seconds after it came.
_CASES = """
SELECT CAST(lpad(to_hex(n), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0') AS uuid) AS case_id,
       '3402202610' || lpad(CAST(n AS text), 10, '0') AS case_no,
       TIMESTAMPTZ '2026-09-26 00:00+08' + (n * 7919 % 3110400) * INTERVAL '1 s' AS at,
       'unit-' || lpad(CAST(n * 31 % :units AS text), 4, '0') AS unit,
       'op-' || n * 17 % 300 AS person, 'system-' || n % 12 AS system, 'source-' || n % 8 AS source,
       '34020' || 2 + n % 7 || lpad(CAST(n * 13 % 11 AS text), 3, '0')
         || lpad(CAST(n * 5 % 12 AS text), 3, '0') AS area,
       '30428.2:' || CASE WHEN n % 3 = 0 THEN 'P' ELSE 'E' END || lpad(CAST(n % 9 AS text), 2, '0') || '-'
         || lpad(CAST(n * 3 % 17 AS text), 2, '0') AS class_code,
       CASE WHEN n % 20 = 0 THEN 'urgent' ELSE 'normal' END AS urgency,
       n % 100 < 93 AS disposed, n % 100 < 88 AS closed, n % 11 = 0 AS reworked, n % 13 = 0 AS returned,
       n % 2 = 0 AS evaluated, (n * 104729 % 400000) AS took, 86400 * (1 + n % 5) AS limit_s,
       CASE WHEN n % 97 = 0 THEN 'yellow' ELSE '' END AS supervised, n % 61 = 0 AS leader_assigned
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS g(n)
"""
# what, seq, begins after, is due after (NULL: never), ends after (NULL: runs), who, when there is one at all
_KINDS = """
VALUES
 ('action.collect', 1, 0, NULL, 0, 'collector', '', true), ('action.file', 2, 60, NULL, 60, 'duty_chief', '', true),
 ('action.dispatch', 3, 90, NULL, 90, 'dispatcher', CASE WHEN c.returned THEN 'returned' ELSE '' END, true),
 ('action.sign', 4, 600, NULL, 600, 'handler', '', true),
 ('action.dispose', 5, took, NULL, took, 'handler', '', disposed),
 ('action.rework', 6, took + 60, NULL, took + 60, 'duty_chief', '', disposed AND reworked),
 ('action.check', 7, took + 600, NULL, took + 600, 'collector', '', disposed),
 ('action.close', 8, took + 900, NULL, took + 900, 'duty_chief', '', closed),
 ('action.evaluate', 9, took + 86400, NULL, took + 86400, 'acceptor', 'satisfied', closed AND evaluated),
 ('clock.accept', 1, 0, 3600, 60, 'duty_chief', 'file', true),
 ('clock.file', 1, 0, 7200, 60, 'duty_chief', 'file', true),
 ('clock.dispatch', 2, 60, 3600, 90, 'dispatcher', 'dispatch', true),
 ('clock.sign', 3, 90, 7200, 600, 'handler', 'sign', true),
 ('clock.disposal', 3, 90, limit_s, CASE WHEN disposed THEN took END, 'handler', 'dispose', true),
 ('clock.check', 5, took, took + 7200, took + 600, 'collector', 'check', disposed),
 ('clock.close', 7, took + 600, took + 7200, CASE WHEN closed THEN took + 900 END, 'duty_chief', 'close', disposed),
 ('clock.case', 2, 60, limit_s, CASE WHEN closed THEN took + 900 END, 'duty_chief', 'close', true)
"""
_MOVED = """
SELECT c.at + INTERVAL '1 s' * CASE WHEN closed AND evaluated THEN took + 86400 WHEN closed THEN took + 900
                                    WHEN disposed THEN took + 600 ELSE 600 END AS moved
"""
# A case that lived through a month's end has facts as at it too: what had happened by then.
_FILL = f"""
INSERT INTO fact (since_run, until_run, {", ".join(COLUMNS)})
SELECT 1, {OPEN}, c.case_id, c.case_no, k.seq, k.what, c.unit, c.at + k.since * INTERVAL '1 s',
       c.at + k.due * INTERVAL '1 s', CASE WHEN k.until < d.left THEN c.at + k.until * INTERVAL '1 s' END,
       CASE WHEN k.until IS NULL OR k.until >= d.left THEN 0 WHEN left(k.what, 1) = 'a' THEN k.seq ELSE k.seq + 1 END,
       coalesce(k.until - k.since, 0), c.person, k.post, 'centre', c.system, c.source, c.area, c.area || '001',
       c.class_code, c.urgency, 'district', CASE WHEN c.closed THEN 'closed' ELSE 'handling' END, k.result,
       c.supervised, c.leader_assigned,
       false, false, false, false, 0, CASE WHEN c.reworked THEN 1 ELSE 0 END, CASE WHEN c.returned THEN 1 ELSE 0 END,
       e.as_at, m.moved
  FROM ({_CASES}) c CROSS JOIN LATERAL ({_MOVED}) AS m
       CROSS JOIN (VALUES (TIMESTAMPTZ '9999-12-31 UTC'), (TIMESTAMPTZ '2026-10-01 00:00+08'),
                          (TIMESTAMPTZ '2026-11-01 00:00+08')) AS e(as_at)
       CROSS JOIN LATERAL (SELECT extract(epoch FROM e.as_at - c.at) AS left) AS d
       CROSS JOIN LATERAL ({_KINDS}) AS k(what, seq, since, due, until, post, result, there)
 WHERE k.there AND (e.as_at > TIMESTAMPTZ '9000-01-01 UTC'
                    OR c.at < e.as_at AND m.moved >= e.as_at AND k.since < d.left)
"""


async def filled(store: Store, cases: int, units: int) -> None:
    """The facts of the month, unless a kept folder has them; indexes afterwards, which is quicker."""
    async with store.transaction() as transaction:
        if (await transaction.connection.execute(text("SELECT 1 FROM fact_run"))).first() is not None:
            return
    indexes = [one for one in tables.fact.indexes if isinstance(one, Index)]
    async with store.transaction() as transaction:
        for one in indexes:
            await transaction.connection.execute(text(f"DROP INDEX {one.name}"))
        opened = "INSERT INTO fact_run VALUES (1, now(), now(), 0, 0, 'bench', :cases, 0, '')"
        await transaction.connection.execute(text(opened), {"cases": cases})
    for first in range(1, cases + 1, _AT_ONCE):
        async with store.transaction() as transaction:
            values = {"first": first, "last": min(cases, first + _AT_ONCE - 1), "units": units}
            await transaction.connection.execute(text(_FILL), values)
    async with store.transaction() as transaction:
        await transaction.connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        for one in indexes:
            said = CreateIndex(one).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
            await transaction.connection.execute(text(str(said)))
    async with store.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE fact"))


async def timed(what: str, job: Callable[[], Awaitable[T]], *, times: int = 1, per: tuple[int, str] | None = None) -> T:
    """Run it, and print the median and the slowest, and what one of so many took."""
    took, found = [], None
    for _ in range(times):
        begin = time.monotonic()
        found = await job()
        took.append(time.monotonic() - begin)
    slowest = f", slowest {max(took) * 1000:,.0f} ms" if times > 1 else ""
    each = f", {statistics.median(took) * 1000 / per[0]:.2f} ms {per[1]}" if per else ""
    load = f"  (load {os.getloadavg()[0]:.1f})"
    print(f"{what:<62} {statistics.median(took) * 1000:>10,.0f} ms{slowest}{each}{load}", flush=True)
    assert found is not None
    return found


async def looked(store: Store) -> int:
    """The least that counting all facts once takes here and now."""
    async with store.transaction() as transaction:
        query = text("SELECT count(*) FROM fact WHERE since_run <= 1 AND until_run > 1 AND length(unit) > 0")
        return int((await transaction.connection.execute(query)).scalar_one())


async def month_assessed(store: Store, rules: Rulebook, by: str) -> int:
    """The whole sheet; its rows."""
    async with store.transaction() as transaction:
        counts = await count(transaction.connection, rules.needed(by), extent(by))
    heading = Heading(city="芜湖市", period=PERIOD, by=by, as_of=PERIOD.last, run=1)
    return len(sheet(counts, rules, People(), heading).rows)


def extent(by: str) -> Extent:
    """The month as at its end, by the only run."""
    return Extent(first=PERIOD.first, end=PERIOD.last, run=1, by=by, as_at=PERIOD.last, scope=EVERYTHING)


async def page(store: Store, counter: Counter, by: str, subject: str | None, *, pages: int = 1) -> int:
    """The first page of a drill-down, or one that comes later."""
    after, found = None, 0
    for _ in range(pages):
        async with store.transaction() as transaction:
            some = await facts(transaction.connection, counter, extent(by), subject, limit=50, after=after)
        found = len(some)
        after = position(counter, some[-1]) if some else None
    return found


_FIGURES: Sequence[tuple[str, str, str | None]] = (
    ("in_time_dispose", "unit", "unit-0007"), ("overtime_to_dispose", "unit", "unit-0007"), ("report", "unit", None),
    ("need_archive", "district", "340203"), ("rework", "street", "340203004"), ("report", "community", "340203004003"),
    ("dispatch", "dispatcher", "op-17"), ("to_dispose", "unit", "unit-0199"), ("disposed", "class", "30428.2:E04-06"),
    ("supervised_late", "system", "system-3"), ("register", "duty_chief", "op-299"),
)  # fmt: skip


async def bench(url: str, cases: int, units: int) -> None:
    """Fill, then measure."""
    await migrate(url)
    store = Store(url)
    findings: list[Any] = []
    rules = load_rulebook(ROOT / "config" / "assessment", findings)
    assert rules is not None
    whole = rules.model_copy(update={"sheets": {}})
    print(f"{cases:,} cases, {units} units, {len(rules.counters)} counters and {len(rules.rates)} rates, "
          f"{os.cpu_count()} cores")  # fmt: skip
    await timed("facts made in the database", lambda: _done(filled(store, cases, units)))
    async with store.transaction() as transaction:
        sums = """SELECT sum(pg_total_relation_size(oid)), sum(reltuples) FROM pg_class
                   WHERE relname LIKE 'fact%' AND relkind = 'r'"""
        size, rows = (await transaction.connection.execute(text(sums))).one()
    print(f"{int(rows):,} facts, {int(size) / 2**30:.1f} GiB with indexes")
    await timed("reference: one look at every fact", lambda: looked(store))
    for by in ("unit", "district", "dispatcher", "community"):
        await timed(f"month, all indicators, by {by}", partial(month_assessed, store, whole, by))
    for name, by, subject in _FIGURES:
        counter = rules.counters[name]
        await timed(
            f"first page: {name} of {subject or 'all'}",
            partial(page, store, counter, by, subject),
            times=5,
        )
    await timed(
        "ten pages on: register of 340203",
        lambda: page(store, rules.counters["register"], "district", "340203", pages=10),
    )
    await nightly(store)
    await store.close()


async def nightly(store: Store) -> None:
    """Updates of a day with so many cases, and of one on which nothing happened."""
    keeper = Facts(store, folded)
    run = await keeper.update(lambda: NOW)
    for seed, cases in enumerate((500, 1_000, 2_000, 4_000)):
        stories = month(100 * run.number + seed, cases, first=100_000 * (10 * run.number + seed))
        await save(store, stories)
        events = sum(len(one.events) for one in stories)
        what = f"update after {events:,} events of {cases:,} cases"
        await timed(what, lambda: keeper.update(lambda: NOW), per=(events, "an event"))
    await timed("update after a day without events", lambda: keeper.update(lambda: NOW))


async def _done(job: Awaitable[None]) -> bool:
    await job
    return True


def main() -> None:
    """From the command line."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--cases", type=int, default=1_000_000)
    told.add_argument("--units", type=int, default=200)
    told.add_argument("--keep", type=Path, help="folder of a database that stays")
    given = told.parse_args()
    settings = {"shared_buffers": "1GB", "work_mem": "64MB", "max_wal_size": "8GB", "synchronous_commit": "off"}
    with EmbeddedPostgres(given.keep, settings=settings) as server:
        asyncio.run(bench(server.url_of("postgres"), given.cases, given.units))


if __name__ == "__main__":
    main()
