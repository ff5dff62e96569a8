"""Cuts what need not be kept: in small batches, each in the ledger, whole months at once where all may go.

What may go, retention_rules says. Bytes go before facts: a row whose body was removed keeps the body's digest.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.memories import Memories
from storage.partitions import LOCKED, TREES, Part, parts
from storage.retention_rules import BODIES, EXPIRED, REMOVABLE, ROWS, STAYS, Class, Keep, Step
from storage.spans import first_id
from storage.store import Store

BATCH = 2_000
"""Messages looked at in one transaction."""
CASES = 200
"""Cases cut in one transaction."""
LEASE = timedelta(minutes=5)
_EMPTY_FOR = timedelta(days=62)
"""An empty month of the past is dropped when nobody can be writing to it any more."""
_BRIEFLY = ("lock_timeout = '1s'", "statement_timeout = '2s'")
"""Everybody waits while a month is dropped. What cannot go so quickly goes row by row, and empty another night."""
_IN_USE = frozenset({LOCKED, "57014"})
"""SQLSTATEs of a lock, and of an answer, that was not to be had in time."""
_NAME = "retention"


@dataclass(frozen=True, slots=True)
class Cut:
    """A line of the ledger: so many rows, or bodies, of one class, and their bytes."""

    class_: str
    what: str
    """`rows`, `bodies`, `cases`, or `month`: a whole partition at once."""
    part: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A cut as the ledger keeps it."""

    run: UUID
    class_: str
    what: str
    part: str
    before: datetime
    at: datetime
    rows: int
    bytes: int
    policy: str


class Retention:
    """The cuts of one database by one policy."""

    def __init__(self, store: Store, keep: Keep, *, run: UUID) -> None:
        self.store, self.keep, self.run = store, keep, run
        self._memories = Memories(store)

    async def counted(self, now: datetime) -> list[Cut]:
        """What a run would cut, and nothing is cut. Reads the whole journal."""
        found = []
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            for step in self.keep.steps(now):
                row = (await connection.execute(_COUNTED[step.class_, step.what], {"end": first_id(step.before)})).one()
                found.append(Cut(step.class_, step.what, "", row.rows, int(row.bytes)))
            for what, kept in (("cases", self.keep.evidence), (BODIES, self.keep.evidence_bodies)):
                if kept is not None:
                    values = {"before": now - kept, "end": first_id(now - kept)}
                    rows = (await connection.execute(_CASES_COUNTED, values)).scalar_one()
                    found.append(Cut(Class.EVIDENCE, what, "", rows, 0))
        return [cut for cut in found if cut.rows]

    async def cut(
        self, clock: Callable[[], datetime], *, rest: Callable[[float], Awaitable[bool]] = lambda _: _never()
    ) -> list[Cut] | None:  # fmt: skip
        """One run. None: another process is at it. May be ended at any instant: what is cut is in the ledger.

        `rest` is told the seconds that a batch took, may wait as it likes, and ends the run by True.
        """
        now = clock()
        if not await self._memories.claim("", _NAME, by=self.run, now=now, lease=LEASE):
            return None
        found: dict[tuple[str, str, str], Cut] = {}
        try:
            began = time.monotonic()
            async for cut in self._batches(now):
                key = cut.class_, cut.what, cut.part
                sofar = found.get(key, Cut(*key, 0, 0))
                found[key] = Cut(*key, sofar.rows + cut.rows, sofar.bytes + cut.bytes)
                ended = await rest(time.monotonic() - began)
                if ended or not await self._memories.claim("", _NAME, by=self.run, now=clock(), lease=LEASE):
                    break
                began = time.monotonic()
        finally:
            await self._memories.release("", _NAME, by=self.run)
        return [cut for cut in found.values() if cut.rows]

    async def ledger(self, *, limit: int = 50) -> list[LedgerRow]:
        """The newest cuts."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_LEDGER, {"limit": limit})).all()
        return [LedgerRow(*row) for row in rows]

    # --- one batch after the other ---

    async def _batches(self, now: datetime) -> AsyncIterator[Cut]:
        for what, kept in ((BODIES, self.keep.evidence_bodies), ("cases", self.keep.evidence)):
            if kept is not None:
                async for cut in self._cases(what, now - kept, now):
                    yield cut
        async for cut in self._whole_months(now):
            yield cut
        for step in self.keep.steps(now):
            async for cut in self._messages(step, now):
                yield cut
        async for cut in self._empty_months(now):
            yield cut

    async def _messages(self, step: Step, now: datetime) -> AsyncIterator[Cut]:
        after, end = UUID(int=0), first_id(step.before)
        while True:
            async with self.store.transaction() as transaction:
                connection = transaction.connection
                values = {"after": after, "end": end, "limit": BATCH}
                upto = (await connection.execute(_WINDOW, values)).scalar()
                if upto is None:
                    return
                statement = _CUT[step.class_, step.what]
                row = (await connection.execute(statement, {"after": after, "upto": upto})).one()
                cut = Cut(step.class_, step.what, "message", row.rows, int(row.bytes))
                await self._enter(connection, cut, step.before, now)
            after = upto
            yield cut

    async def _cases(self, what: str, before: datetime, now: datetime) -> AsyncIterator[Cut]:
        after, end = UUID(int=0), first_id(before)
        while True:
            async with self.store.transaction() as transaction:
                connection = transaction.connection
                values = {"after": after, "end": end, "limit": CASES, "before": before}
                upto = (await connection.execute(_CASE_WINDOW, values)).scalar()
                if upto is None:
                    return
                # Locked first, judged after: an action that comes now waits, and then finds no case, or keeps it here.
                groups = values | {"upto": upto}
                await connection.execute(_LOCK_GROUPS, groups)
                ids = list((await connection.execute(_EXPIRED_GROUPS, groups)).scalars())
                rows, size = await (_cut_bodies if what == BODIES else _cut_cases)(connection, ids)
                cut = Cut(Class.EVIDENCE, what, "message" if what == BODIES else "cases", rows, size)
                await self._enter(connection, cut, before, now)
            after = upto
            yield cut

    async def _whole_months(self, now: datetime) -> AsyncIterator[Cut]:
        """Months of the journal in which nothing has to stay."""
        steps = [step for step in self.keep.steps(now) if step.what == ROWS]
        if len(steps) < len(REMOVABLE):
            return
        before = min(step.before for step in steps)
        for part in await self._parts("message"):
            if part.end is not None and part.end <= first_id(before):
                cut = await self._drop("message", part, _any(f"{part.name} m WHERE {STAYS}"), now)
                if cut:
                    yield cut

    async def _empty_months(self, now: datetime) -> AsyncIterator[Cut]:
        for tree in TREES:
            for part in await self._parts(tree):
                if part.end is not None and part.end <= first_id(now - _EMPTY_FOR):
                    cut = await self._drop(tree, part, _any(f"{part.name} WHERE {TREES[tree]} < :end"), now)
                    if cut:
                        yield cut

    async def _drop(self, tree: str, part: Part, stays: TextClause, now: datetime) -> Cut | None:
        """Drop a month, unless `stays` finds a row. None: it stays, or is in use, and it goes another time."""
        values = {"end": part.end}
        try:
            async with self.store.transaction() as transaction:
                connection = transaction.connection
                if (await connection.execute(stays, values)).first() is not None:
                    return None
                size = "coalesce(sum(octet_length(body)), 0)" if tree == "message" else "0"
                weighed = text(f"SELECT count(*) AS rows, {size} AS bytes FROM {part.name}")  # noqa: S608 names are ours
                row = (await connection.execute(weighed)).one()
            async with self.store.transaction() as transaction:
                connection = transaction.connection
                for limit in _BRIEFLY:
                    await connection.execute(text(f"SET LOCAL {limit}"))
                for locked in (f"ONLY {tree}", part.name):  # in the order of whoever reads it, else both wait for ever
                    await connection.execute(text(f"LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE"))
                if (await connection.execute(stays, values)).first() is not None:
                    return None
                await connection.execute(text(f"ALTER TABLE {tree} DETACH PARTITION {part.name}"))
                await connection.execute(text(f"DROP TABLE {part.name}"))
                cut = Cut("all", "month", part.name, row.rows, int(row.bytes))
                await self._enter(connection, cut, now, now)
                return cut
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _IN_USE:
                raise
            return None

    async def _parts(self, tree: str) -> list[Part]:
        async with self.store.transaction() as transaction:
            return await transaction.connection.run_sync(parts, tree)

    async def _enter(self, connection: AsyncConnection, cut: Cut, before: datetime, now: datetime) -> None:
        if cut.rows or cut.what == "month":
            policy = json.dumps({name: str(kept) for name, kept in asdict(self.keep).items()}, sort_keys=True)
            values = {"run": self.run, "class": cut.class_, "what": cut.what, "part": cut.part, "before": before}
            values |= {"at": now, "rows": cut.rows, "bytes": cut.bytes, "policy": policy}
            await connection.execute(_ENTER, values)


async def cut_until(connection: AsyncConnection) -> tuple[datetime | None, datetime | None]:
    """The days until which cuts went, by the ledger: of events, and of messages. None: nothing was ever cut."""
    row = (await connection.execute(_CUT_UNTIL)).one()
    return row.events, row.messages


def _any(where: str) -> TextClause:
    return text(f"SELECT 1 FROM {where} LIMIT 1")  # noqa: S608 names and conditions are ours


async def _never() -> bool:
    await asyncio.sleep(0)
    return False


async def _cut_cases(connection: AsyncConnection, ids: list[UUID]) -> tuple[int, int]:
    """Cases with everything that is theirs; how many, and the bytes of their messages."""
    if not ids:
        return 0, 0
    size = (await connection.execute(_SIZE_OF_CASES, {"ids": ids})).scalar_one()
    for statement in _OF_CASES:
        await connection.execute(statement, {"ids": ids})
    return len(ids), int(size)


async def _cut_bodies(connection: AsyncConnection, ids: list[UUID]) -> tuple[int, int]:
    row = (await connection.execute(_BODIES_OF_CASES, {"ids": ids})).one()
    return row.rows, int(row.bytes)


_WINDOW = text("""
SELECT id FROM (
  SELECT id FROM message WHERE case_id IS NULL AND id > :after AND id < :end ORDER BY id LIMIT :limit) w
 ORDER BY id DESC LIMIT 1
""")
_RANGE = "m.case_id IS NULL AND m.id > :after AND m.id <= :upto"
_HAS_BODY = "m.digest = '' AND octet_length(m.body) > 0"
_GONE = "encode(sha256(m.body), 'hex')"


def _cut_rows(condition: str) -> TextClause:
    return text(f"""
    WITH gone AS (DELETE FROM message m WHERE {_RANGE} AND {condition} RETURNING octet_length(m.body) AS size)
    SELECT count(*) AS rows, coalesce(sum(size), 0) AS bytes FROM gone""")  # noqa: S608 conditions are ours


def _cut_body(condition: str) -> TextClause:
    return text(f"""
    WITH there AS (
      SELECT m.id, octet_length(m.body) AS size FROM message m WHERE {condition} AND {_HAS_BODY} FOR UPDATE),
    gone AS (UPDATE message m SET digest = {_GONE}, body = '' FROM there WHERE m.id = there.id RETURNING there.size)
    SELECT count(*) AS rows, coalesce(sum(size), 0) AS bytes FROM gone""")  # noqa: S608 conditions are ours


def _counted(condition: str) -> TextClause:
    return text(f"""
    SELECT count(*) AS rows, coalesce(sum(octet_length(m.body)), 0) AS bytes FROM message m
     WHERE m.case_id IS NULL AND m.id < :end AND {condition}""")  # noqa: S608 conditions are ours


_CUT = {(class_, ROWS): _cut_rows(condition) for class_, condition in REMOVABLE.items()} | {
    (class_, BODIES): _cut_body(f"{_RANGE} AND {condition}") for class_, condition in REMOVABLE.items()
}
_COUNTED = {(class_, ROWS): _counted(condition) for class_, condition in REMOVABLE.items()} | {
    (class_, BODIES): _counted(f"{_HAS_BODY} AND {condition}") for class_, condition in REMOVABLE.items()
}
_BODIES_OF_CASES = _cut_body("m.case_id = ANY(CAST(:ids AS uuid[]))")

_CASE_WINDOW = text("""
SELECT id FROM (SELECT id FROM cases WHERE id > :after AND id < :end ORDER BY id LIMIT :limit) w
 ORDER BY id DESC LIMIT 1
""")
# A case goes with those merged into it, all or none: a merged one does not go before the one it was merged into.
_GROUPS = """
WITH RECURSIVE member AS (
  SELECT c.id AS root, c.id, c.no FROM cases c
   WHERE c.id > :after AND c.id <= :upto
     AND NOT EXISTS (SELECT 1 FROM cases into_ WHERE c.stage = 'merged' AND into_.no = c.state ->> 'merged_into')
  UNION
  SELECT g.root, c.id, c.no FROM cases c JOIN member g ON c.stage = 'merged' AND c.state ->> 'merged_into' = g.no)
"""
_LOCK_GROUPS = text(f"{_GROUPS} SELECT 1 FROM cases WHERE id IN (SELECT id FROM member) ORDER BY id FOR UPDATE")  # noqa: S608
_EXPIRED_GROUPS = text(f"""
{_GROUPS} SELECT unnest(array_agg(g.id)) FROM member g JOIN cases c ON c.id = g.id
 GROUP BY g.root HAVING bool_and({EXPIRED})""")  # noqa: S608 conditions are ours
_CASES_COUNTED = text(f"SELECT count(*) FROM cases c WHERE c.id < :end AND {EXPIRED}")  # noqa: S608

_SIZE_OF_CASES = text("""
SELECT coalesce(sum(octet_length(body)), 0) FROM message WHERE case_id = ANY(CAST(:ids AS uuid[]))
""")
_OF_CASES = tuple(
    text(f"DELETE FROM {table} WHERE {key} = ANY(CAST(:ids AS uuid[]))")  # noqa: S608 names are ours
    for table, key in (
        ("attachment", "case_id"), ("delivery", "case_id"), ("event", "case_id"), ("binding", "case_id"),
        ("clock_step", "case_id"), ("shadow", "case_id"), ("message", "case_id"), ("search_case", "case_id"),
        ("cases", "id"),
    )
)  # fmt: skip

_ENTER = text("""
INSERT INTO retention_cut AS r (run, class, what, part, before, at, rows, bytes, policy)
VALUES (:run, :class, :what, :part, :before, :at, :rows, :bytes, :policy)
ON CONFLICT (run, class, what, part) DO UPDATE SET rows = r.rows + EXCLUDED.rows, bytes = r.bytes + EXCLUDED.bytes
""")
_CUT_UNTIL = text("""
SELECT max(before) FILTER (WHERE what = 'cases' OR (what = 'month' AND part LIKE 'event%')) AS events,
       max(before) FILTER (WHERE what IN ('cases', 'rows') OR (what = 'month' AND part LIKE 'message%')) AS messages
  FROM retention_cut
""")
_LEDGER = text("""
SELECT run, class, what, part, before, at, rows, bytes, policy FROM retention_cut
 ORDER BY at DESC, run, class, what, part LIMIT :limit
""")
