"""A million open clocks: the database's time of a tick when nothing is due, and of a batch that is; the list of clocks.

    python -m tests.bench.clocks [--clocks 1000000]

Some hundred cases are taken in, dispatched and signed by the hub itself at different hours, and their steps told up to
the bench's present. Each is then copied, case row and binding, under numbers of its own, until there are enough clocks;
their events are not. The reference is a bare table of the same states with one index by time, claimed and changed in
batches of the same size in turn with ours: no lock by case, no bindings, no event, no step, no delivery.
"""

import argparse
import logging
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import structlog
import uvloop
from sqlalchemy import text

from canonical.action import Action, Actor
from canonical.case import Binding, BindingRole, Case
from canonical.clock import Clock
from canonical.codes import ClassCode
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.reading import Reading
from canonical.records import Arrival, Command
from canonical.report import Report, SourceDeadline
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI, Limit, LimitUnit
from gateway.case_clock import AT_ONCE, CaseClock
from gateway.configuration import load
from gateway.hub import Hub, wire
from gateway.reception import Reception
from gateway.settings import Settings, example_city
from routing.timing import UNITS
from storage.batch import Batch
from storage.driver import Connection
from storage.embedded import EmbeddedPostgres
from storage.open_clocks import Wanted, open_clocks
from storage.rows import binding_rows, case_rows
from storage.schema import migrate
from storage.store import Store
from tests.bench.intake import ENVIRONMENT
from tests.bench.processes import postgres_of, processor_time

NOW = datetime(2026, 5, 20, 9, 30, tzinfo=SHANGHAI)
MODELS = 600
"""Cases that the hub makes, each at an hour of its own."""
BACK = timedelta(days=5)
_AT_ONCE = 2_000
_CLASSES = tuple(map(ClassCode.parse, ("30428.2:E01-10", "30428.2:P01-37", "30428.2:E04-06")))
_RUNNING = "SELECT count(*) FROM cases, jsonb_array_elements(state -> 'clocks') l WHERE NOT l ? 'stopped_at'"
_BARE = """
CREATE TABLE bare AS SELECT id, next_step_at AS next_at, CAST(state AS text) AS state FROM cases;
ALTER TABLE bare ADD PRIMARY KEY (id);
CREATE INDEX bare_next ON bare (next_at) WHERE next_at IS NOT NULL
"""
_LOOK = f"SELECT id FROM bare WHERE next_at <= $1 ORDER BY next_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE bare SET next_at = next_at + interval '9 days', state = state || ' ' WHERE id = ANY($1) RETURNING id"


class Timed:
    """A connection that counts how long its answers were waited for."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self.seconds = connection, 0.0

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """As the driver's."""
        with self._watch():
            return await self._connection.fetch(query, *args)

    async def execute(self, query: str) -> str:
        """As the driver's."""
        with self._watch():
            return await self._connection.execute(query)

    def _watch(self) -> "_Watch":
        return _Watch(self)


class _Watch:
    def __init__(self, timed: Timed) -> None:
        self._timed = timed

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._timed.seconds += time.perf_counter() - self._began


class TimedStore(Store):
    """A store that remembers how long the database took for its last batch."""

    seconds = 0.0

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """As a store's."""
        async with self._connections.one() as connection:
            timed = Timed(connection)
            batch = Batch(timed)
            yield batch
            await batch.commit()
            self.seconds = timed.seconds


class Hours:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


def hub_on(url: str, hours: Hours) -> Hub:
    """A hub whose store is timed and whose clock is the bench's."""
    configuration = load(example_city(), ENVIRONMENT)
    wired = wire(Settings(example_city(), url), url, configuration=configuration)
    store = TimedStore(url)
    reception = Reception(configuration, store, now=hours.now, ids=wired.ids)
    return replace(wired, store=store, now=hours.now, reception=reception)


async def models(hub: Hub, hours: Hours) -> list[Case]:
    """Cases as the hub makes them, at hours of the last days; half of them signed; what was due until now is told."""
    dice = Random(1)
    for number, moment in enumerate(sorted(NOW - BACK * dice.random() for _ in range(MODELS))):
        hours.at = moment
        deadline = SourceDeadline(limit=Limit(value=5, unit=LimitUnit.WORK_DAY))
        report = Report(
            class_code=dice.choice(_CLASSES), given_area="340202", title="演示案件", description="演示描述" * 20,
            deadline=deadline,
        )  # fmt: skip
        system = "hotline_12345"
        reading = Reading(system=system, kind="ticket", edition="1", external_id=f"M{number}", report=report)
        message = Message(system=system, body=b"", at=moment, id=hub.ids())
        [outcome] = await hub.reception.take_in([Arrival(message, reading)])
        assert outcome.verdict is Verdict.CASE, outcome
        if number % 2:
            sign = Action(kind=ActionKind.SIGN, actor=Actor(party=Party.CENTRE, id="bench"), at=moment)
            order = Message(system="centre", body=b"", at=moment, id=hub.ids())
            await hub.reception.take_in([Arrival(order, Command(outcome.case_no, sign))])
    hours.at = NOW
    while not await CaseClock(hub).round():
        pass
    async with hub.store.transaction() as transaction:
        states = await transaction.connection.execute(text("SELECT CAST(state AS text) FROM cases"))
        return [Case.model_validate_json(state) for state in states.scalars()]


def copies(cases: list[Case], count: int) -> Iterator[tuple[Case, Binding]]:
    """So many cases more."""
    for number in range(count):
        model = cases[number % len(cases)]
        case_id = UUID(int=(model.id.int & ~0xFFFFFFFFFFFF) | number)
        case = model.model_copy(update={"id": case_id, "no": f"340202{number:015d}", "sequence": number})
        yield case, Binding(case_id=case_id, system=case.source, role=BindingRole.SOURCE, external_id=f"C{number}",
                            since=1)  # fmt: skip


async def filled(hub: Hub, cases: list[Case], wanted: int) -> tuple[int, int]:
    """Copies until there are so many open clocks. (cases, clocks) as they are then."""
    each = sum(one.stopped_at is None for case in cases for one in case.clocks) / len(cases)
    connection = await asyncpg.connect(str(hub.store.engine.url.render_as_string(False)).replace("+asyncpg", ""))
    rows: list[tuple[Case, Binding]] = []
    for one in copies(cases, max(0, round(wanted / each) - len(cases))):
        rows.append(one)
        if len(rows) == _AT_ONCE:
            await _copied(connection, rows)
            rows = []
    await _copied(connection, rows)
    await connection.execute(_BARE)
    await connection.execute("VACUUM ANALYZE cases; ")
    for table in ("bare", "binding"):
        await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.execute("CHECKPOINT")
    there = await connection.fetchval("SELECT count(*) FROM cases"), await connection.fetchval(_RUNNING)
    await connection.close()
    return there


async def _copied(connection: asyncpg.Connection, rows: list[tuple[Case, Binding]]) -> None:
    for table, arrays in (
        ("cases", case_rows([case for case, _ in rows])), ("binding", binding_rows([one for _, one in rows])),
    ):  # fmt: skip
        names = [name.partition("_")[2] for name in arrays]
        await connection.copy_records_to_table(table, records=zip(*arrays.values(), strict=True), columns=names)


class Figures:
    """Milliseconds, by what was measured."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}
        self.counted: dict[str, int] = {}

    def add(self, what: str, seconds: float, count: int = 0) -> None:
        """One more."""
        self.took.setdefault(what, []).append(seconds * 1000)
        self.counted[what] = self.counted.get(what, 0) + count

    def p50(self, what: str) -> float:
        """The median."""
        return statistics.median(self.took[what])

    def told(self, what: str, reference: str = "") -> str:
        """A line for people."""
        took = sorted(self.took[what])
        p95 = took[min(len(took) - 1, round(len(took) * 0.95))]
        line = f"{what:<44} p50 {self.p50(what):>8.2f} ms, p95 {p95:>8.2f}, most {took[-1]:>8.2f}, of {len(took)}"
        if count := self.counted[what]:
            line += f"; {sum(took) / count * 1000:.0f} us a case"
        return line + (f"; {self.p50(what) / self.p50(reference):.2f} of the reference" if reference else "")


async def look(connection: asyncpg.Connection, now: datetime) -> tuple[float, int]:
    """The reference: claim what is due in the bare table and move it on."""
    began = time.perf_counter()
    await connection.execute("BEGIN")
    ids = [row[0] for row in await connection.fetch(_LOOK, now)]
    if ids:
        await connection.fetch(_MOVE, ids)
    await connection.execute("COMMIT")
    return time.perf_counter() - began, len(ids)


async def bench(url: str, wanted: int, idle: int, batches: int) -> None:
    """Fill, then measure."""
    await migrate(url)
    hours = Hours()
    hub = hub_on(url, hours)
    store = hub.store
    assert isinstance(store, TimedStore)
    cases = await models(hub, hours)
    began = time.perf_counter()
    many, clocks = await filled(hub, cases, wanted)
    print(f"{clocks:,} open clocks of {many:,} cases, made in {time.perf_counter() - began:.0f} s", flush=True)
    figures, clock = Figures(), CaseClock(hub)
    bare = await asyncpg.connect(url.replace("+asyncpg", ""))
    for number in range(idle + 10):
        pause = await clock.round()
        assert pause
        took, count = await look(bare, hours.at)
        assert not count
        if number >= 10:
            figures.add("nothing is due", store.seconds)
            figures.add("nothing is due, bare table", took)
    done, server, used = 0, postgres_of(os.getpid()), [0.0, 0.0]
    while done < batches:
        began, before = time.perf_counter(), processor_time(server)
        if await clock.round():
            hours.at += timedelta(minutes=5)
            continue
        whole, between = time.perf_counter() - began, processor_time(server)
        took, count = await look(bare, hours.at)
        done += 1
        used = [used[0] + between - before, used[1] + processor_time(server) - between]
        if done > 3 and count == AT_ONCE:
            figures.add(f"a batch of {AT_ONCE} is due", store.seconds, AT_ONCE)
            figures.add("the same with what the hub computes", whole, AT_ONCE)
            figures.add(f"{AT_ONCE} of the bare table", took, AT_ONCE)
    await bare.close()
    await lists(hub, hours, figures)
    print(figures.told("nothing is due", "nothing is due, bare table"))
    print(figures.told("nothing is due, bare table"))
    print(figures.told(f"a batch of {AT_ONCE} is due", f"{AT_ONCE} of the bare table"))
    print(figures.told("the same with what the hub computes"))
    print(figures.told(f"{AT_ONCE} of the bare table"))
    ours, bare_ones = (1000 * one / done for one in used)
    print(f"the server's processor time of a batch {ours:.1f} ms, of the bare table {bare_ones:.1f} ms")
    for what in (one for one in figures.took if one.startswith("list")):
        print(figures.told(what))
    await store.close()


async def lists(hub: Hub, hours: Hours, figures: Figures) -> None:
    """What `gridhub clocks` asks."""
    soon = hours.at + timedelta(hours=4)
    asked = {
        "list: due within 4 h, first page": Wanted(soon), "list: overdue": Wanted(hours.at),
        "list: one unit": Wanted(soon, unit="3402-lighting"), "list: one clock": Wanted(soon, clocks=(Clock.SIGN,)),
    }  # fmt: skip
    for what, wanted in asked.items():
        for _ in range(5):
            began = time.perf_counter()
            found = await open_clocks(hub.store, wanted, scope=EVERYTHING, units=UNITS, limit=50)
            figures.add(what, time.perf_counter() - began)
        sys.stderr.write(f"{what}: {len(found)} rows\n")


def main() -> None:
    """From the command line."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--clocks", type=int, default=1_000_000)
    told.add_argument("--idle", type=int, default=500, help="ticks without anything due")
    told.add_argument("--batches", type=int, default=200, help="batches that are due")
    given = told.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with EmbeddedPostgres(None) as server:
        uvloop.run(bench(server.url, given.clocks, given.idle, given.batches))


if __name__ == "__main__":
    main()
