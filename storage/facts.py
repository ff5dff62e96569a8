"""The facts of assessment: made anew for the cases that moved, versioned by the run that did it.

A run takes what was written since the transactions that were under way when the last one began: each event carries
its transaction, so one that is committed late is not missed. Its cases are worked off in batches, each a transaction,
by any number of processes; whoever is killed leaves nothing half done. What a run replaced stays readable until the
run is through, and for ever where a closed edition rests on it. The fold keeps facts as at the ends of months; those as
at another end are made when they are first asked for, and kept up from then on.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.case import Event
from canonical.fact import LATEST, Fact
from canonical.rights import Scope
from canonical.time import in_shanghai
from storage.counting import OLDEST_OPEN
from storage.scoping import seen, values
from storage.store import Store

BATCH = 200
"""Cases of one transaction."""
OPEN = 2_147_483_647
"""`until_run` of what holds today."""
LOCK = 4_702_003
"""Advisory lock: who opens or ends a run, and who closes an edition."""

LATEST_FACTS = f"as_at = '{LATEST:%Y-%m-%d} UTC'"
"""Those that are made of all events there are."""

Fold = Callable[[str, Sequence[Event], Iterable[datetime]], list[Fact]]
"""The facts of the case with this number, also as at these ends. Raises ValueError for a history that is none."""


@dataclass(frozen=True, slots=True)
class Run:
    """An update of the facts."""

    number: int
    opened_at: datetime
    finished_at: datetime | None
    cases: int
    facts: int
    """Written anew."""
    trouble: str
    """Cases whose history cannot be folded; their facts stay as they were."""


class Facts:
    """The facts of one database. `fold` makes them of events."""

    def __init__(self, store: Store, fold: Fold) -> None:
        self.store, self.fold = store, fold

    async def update(
        self, now: Callable[[], datetime], *, whole: bool = False, batch: int = BATCH, end: datetime | None = None
    ) -> Run:
        """Bring the facts up to date, and give the run that did it. `whole`: of all cases, moved or not; `end`: a
        period's end, not a month's, that they are wanted as at.

        Another process's run under way is helped to its end, and counts as this one unless more was asked of it.
        """
        if end is not None:
            async with self.store.transaction() as transaction:
                await transaction.connection.execute(_WANT, {"end": end})
        joined = await self.open(now(), whole=whole)
        while True:
            while await self.batch(batch):
                pass
            run = await self.finish(now())
            if run is None:  # another process has its last batch in hand
                await asyncio.sleep(0.05)
            elif joined and (whole or end is not None):
                joined = await self.open(now(), whole=whole)
            else:
                return run

    async def open(self, now: datetime, *, whole: bool = False) -> bool:
        """Begin a run, unless one is under way: True then."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_ALONE, {"lock": LOCK})
            if (await connection.execute(_UNDER_WAY)).first() is not None:
                return True
            last = (await connection.execute(_LAST)).first()
            oldest, server = (await connection.execute(_MARK)).one()
            known = last is not None and last.server == server and last.oldest <= oldest and not whole
            since = last.oldest if known and last else 0
            number = last.number + 1 if last else 1
            cases = (await connection.execute(_TODO if known else _TODO_ALL, {"since": since})).rowcount
            for end in list((await connection.execute(_NEW_ENDS, {"number": number})).scalars()):
                cases += (await connection.execute(_TODO_AT, {"end": end})).rowcount
            values = {"now": now, "since": since, "oldest": oldest, "server": server, "cases": cases}
            await connection.execute(_OPEN, values | {"number": number})
            return False

    async def batch(self, limit: int = BATCH) -> int:
        """Make the facts of some cases of the run under way; of how many. 0: none is left for us."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            number = (await connection.execute(_UNDER_WAY)).scalar()
            ids = list((await connection.execute(_TAKE, {"limit": limit})).scalars())
            if not ids or number is None:
                return 0
            histories = await _histories(connection, ids)
            ends = list((await connection.execute(_ENDS)).scalars())
            made, failed = await asyncio.to_thread(self._made, histories, ends)
            there = await _present(connection, [case for case in histories if case not in failed])
            gone = [key for key, row in there.items() if made.get(key) != row]
            new = [row for key, row in made.items() if there.get(key) != row]
            await _replace(connection, number, gone, new)
            trouble = [histories[case][0] for case in failed]
            await connection.execute(_COUNT, {"number": number, "facts": len(new), "trouble": " ".join(trouble)})
            return len(ids)

    async def finish(self, now: datetime) -> Run | None:
        """End the run under way when all its cases are through, and give the last that ended. None: they are not."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_ALONE, {"lock": LOCK})
            number = (await connection.execute(_UNDER_WAY)).scalar()
            if number is not None:
                if (await connection.execute(_LEFT)).scalar_one():
                    return None
                await connection.execute(_FINISH, {"number": number, "now": now})
                await connection.execute(_FORGET, {"number": number})
            return await finished(connection)

    async def last(self) -> Run | None:
        """The last run that is through; None when there was none."""
        async with self.store.transaction() as transaction:
            return await finished(transaction.connection)

    async def of_case(self, number: str, run: int | None = None, *, scope: Scope) -> list[Fact]:
        """The facts of one case, as they are or were after a run. None of a case that the scope does not see."""
        given = {"no": number, "run": OPEN - 1 if run is None else run} | values(scope)
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(text(_OF_CASE.format(seen=seen(scope))), given)
            return [Fact(**row) for row in rows.mappings()]

    def _made(self, histories: "Histories", ends: Sequence[datetime]) -> "tuple[dict[Key, Row], set[UUID]]":
        made: dict[Key, Row] = {}
        failed: set[UUID] = set()
        for case_id, (no, bodies, least) in histories.items():
            try:
                if len(bodies) < least:
                    raise ValueError("events are missing")
                facts = self.fold(no, [Event.model_validate_json(body) for body in bodies], ends)
            except Exception:  # noqa: BLE001 one history that cannot be folded must not keep all others from it
                failed.add(case_id)
                continue
            made |= {(fact.case_id, fact.seq, fact.what, fact.unit, fact.as_at): _row(fact) for fact in facts}
        return made, failed


Key = tuple[UUID, int, str, str, datetime]
Row = tuple[object, ...]
Histories = dict[UUID, tuple[str, list[str], int]]
"""Number, events, and how many there must be at least."""
COLUMNS = tuple(field.name for field in fields(Fact))
_KINDS = {
    "case_id": "uuid", "seq": "int", "at": "timestamptz", "due_at": "timestamptz", "done_at": "timestamptz",
    "done_seq": "int", "spent_seconds": "int", "extensions": "int", "reworks": "int", "returns": "int",
    "exempt": "bool", "forced": "bool", "on_the_spot": "bool", "suspended": "bool", "as_at": "timestamptz",
    "moved_at": "timestamptz", "leader_assigned": "bool",
}  # fmt: skip


async def alone(connection: AsyncConnection, lock: int) -> None:
    """Wait until nobody else has it; ours until the transaction ends."""
    await connection.execute(_ALONE, {"lock": lock})


async def kept_as_at(connection: AsyncConnection, end: datetime, run: int) -> bool:
    """True when this run has facts as at this end of a day or week. As at the end of a month it always has."""
    return bool((await connection.execute(_KEPT_AS_AT, {"end": end, "run": run})).scalar_one())


async def opened_at(connection: AsyncConnection, run: int) -> datetime | None:
    """When a run began to look: what was told later is not in it. None: there is no such run."""
    return (await connection.execute(_OPENED_AT, {"run": run})).scalar()


async def first_day(connection: AsyncConnection) -> date | None:
    """The day in Shanghai of the first report there is a fact of; None: there are none."""
    at = (await connection.execute(_FIRST)).scalar()
    return in_shanghai(at).date() if at is not None else None


async def finished(connection: AsyncConnection) -> Run | None:
    """The last run that is through; None when there was none."""
    row = (await connection.execute(_FINISHED)).first()
    return Run(*row) if row is not None else None


def _row(fact: Fact) -> Row:
    return tuple(getattr(fact, name) for name in COLUMNS)


async def _histories(connection: AsyncConnection, ids: list[UUID]) -> Histories:
    """All events of these cases. A case that was cut has none, and keeps its facts."""
    cases = {row.id: (row.no, row.version) for row in await connection.execute(_NUMBERS, {"ids": ids})}
    found = await _events(connection, list(cases))
    # While a month is made its rows move to another table, and a statement that waited for that looks at the old one.
    short = [case for case, (_, version) in cases.items() if len(found[case]) < version]
    if short:
        found |= await _events(connection, short)
    return {case: (no, found[case], version) for case, (no, version) in cases.items()}


async def _events(connection: AsyncConnection, ids: list[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {case: [] for case in ids}
    for case_id, body in await connection.execute(_EVENTS, {"ids": ids}):
        found[case_id].append(body)
    return found


async def _present(connection: AsyncConnection, ids: list[UUID]) -> dict[Key, Row]:
    rows = await connection.execute(_PRESENT, {"ids": ids})
    return {(row.case_id, row.seq, row.what, row.unit, row.as_at): tuple(row) for row in rows}


async def _replace(connection: AsyncConnection, number: int, gone: Sequence[Key], new: Sequence[Row]) -> None:
    if gone:
        ids, seqs, whats, units, ends = (list(column) for column in zip(*gone, strict=True))
        keys = {"ids": ids, "seqs": seqs, "whats": whats, "units": units, "ends": ends}
        await connection.execute(_END, {"number": number} | keys)
    if new:
        await _add(connection, number, new)


async def add(connection: AsyncConnection, number: int, facts: Iterable[Fact]) -> None:
    """Facts of elsewhere, as if a run had made them: a city's history from before the hub."""
    rows = [_row(fact) for fact in facts]
    if rows:
        await _add(connection, number, rows)


async def _add(connection: AsyncConnection, number: int, rows: Sequence[Row]) -> None:
    columns = {name: list(column) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)}
    await connection.execute(_ADD, columns | {"number": number})


_ALONE = text("SELECT pg_advisory_xact_lock(:lock)")
_UNDER_WAY = text("SELECT number FROM fact_run WHERE finished_at IS NULL")
_LAST = text("SELECT number, oldest, server FROM fact_run ORDER BY number DESC LIMIT 1")
# A number of a transaction means nothing on another server: all is folded anew there, once.
_MARK = text(f"SELECT {OLDEST_OPEN} AS oldest, CAST(system_identifier AS text) AS server FROM pg_control_system()")  # noqa: S608
_TODO = text("""
INSERT INTO fact_todo (case_id) SELECT DISTINCT case_id FROM event WHERE xact >= :since ON CONFLICT DO NOTHING
""")
_TODO_ALL = text("INSERT INTO fact_todo (case_id) SELECT id FROM cases WHERE :since = 0 ON CONFLICT DO NOTHING")
_WANT = text("INSERT INTO fact_end (at) VALUES (:end) ON CONFLICT DO NOTHING")
_NEW_ENDS = text("UPDATE fact_end SET run = :number WHERE run IS NULL RETURNING at")
_ENDS = text("SELECT at FROM fact_end")
_KEPT_AS_AT = text("SELECT EXISTS (SELECT FROM fact_end WHERE at = :end AND run <= :run)")
# Which began before it and moved at it or later; which of them moved since the last run, the events have told.
_TODO_AT = text(f"""
INSERT INTO fact_todo (case_id) SELECT DISTINCT case_id FROM fact
 WHERE what = 'action.collect' AND until_run = {OPEN} AND {LATEST_FACTS} AND at < :end AND moved_at >= :end
ON CONFLICT DO NOTHING
""")  # noqa: S608
_OPEN = text("""
INSERT INTO fact_run (number, opened_at, since, oldest, server, cases)
VALUES (:number, :now, :since, :oldest, :server, :cases)
""")
_TAKE = text("""
DELETE FROM fact_todo WHERE case_id IN (
  SELECT case_id FROM fact_todo ORDER BY case_id LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING case_id
""")
_NUMBERS = text("SELECT id, no, version FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
_EVENTS = text("""
SELECT case_id, CAST(body AS text) FROM event WHERE case_id = ANY(CAST(:ids AS uuid[])) ORDER BY case_id, seq
""")
_PRESENT = text(f"""
SELECT {", ".join(COLUMNS)} FROM fact WHERE case_id = ANY(CAST(:ids AS uuid[])) AND until_run = {OPEN}
""")  # noqa: S608 names are ours
_END = text(f"""
UPDATE fact SET until_run = :number
  FROM unnest(CAST(:ids AS uuid[]), CAST(:seqs AS int[]), CAST(:whats AS text[]), CAST(:units AS text[]),
              CAST(:ends AS timestamptz[])) AS w(case_id, seq, what, unit, as_at)
 WHERE fact.case_id = w.case_id AND fact.seq = w.seq AND fact.what = w.what AND fact.unit = w.unit
   AND fact.as_at = w.as_at AND fact.until_run = {OPEN}
""")  # noqa: S608
_ADD = text(f"""
INSERT INTO fact (since_run, until_run, {", ".join(COLUMNS)})
SELECT :number, {OPEN}, w.* FROM unnest(
  {", ".join(f"CAST(:{name} AS {_KINDS.get(name, 'text')}[])" for name in COLUMNS)}) AS w
""")  # noqa: S608
_COUNT = text("""
UPDATE fact_run SET facts = facts + :facts, trouble = left(trim(trouble || ' ' || :trouble), 1000)
 WHERE number = :number
""")
_LEFT = text("SELECT EXISTS (SELECT FROM fact_todo)")
_FINISH = text("UPDATE fact_run SET finished_at = :now WHERE number = :number")
# What no closed edition rests on is not kept.
_FORGET = text(f"""
DELETE FROM fact WHERE until_run = :number AND until_run < {OPEN} AND NOT EXISTS (
  SELECT FROM assessment_edition e WHERE e.run >= fact.since_run AND e.run < fact.until_run)
""")  # noqa: S608
_FINISHED = text("""
SELECT number, opened_at, finished_at, cases, facts, trouble FROM fact_run
 WHERE finished_at IS NOT NULL ORDER BY number DESC LIMIT 1
""")
_FIRST = text("SELECT min(at) FROM fact WHERE what = 'action.collect'")
_OPENED_AT = text("SELECT opened_at FROM fact_run WHERE number = :run")
_OF_CASE = f"""
SELECT {", ".join(COLUMNS)} FROM fact WHERE case_id = (SELECT c.id FROM cases c WHERE c.no = :no AND {{seen}})
   AND since_run <= :run AND until_run > :run AND {LATEST_FACTS} ORDER BY seq, what, unit
"""  # noqa: S608 names are ours
