"""The ledger of replays: what was planned, by whom it was begun, and how each item ended. Each item is begun once.

Whoever begins an item takes its round with a unique key; another who planned the same meanwhile finds it taken.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Row, TextClause, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Unavailable
from canonical.message import Direction
from canonical.replay import How, Item, ItemState, OnFailure, Replay, ReplayState, Subject
from storage.store import Store


@dataclass(frozen=True, slots=True)
class CaseReplay:
    """A replay as the journey of a case shows it."""

    replay: UUID
    at: datetime | None
    actor: str
    reason: str
    direction: str
    system: str
    kind: str
    subject: UUID
    result: UUID | None
    state: str
    outcome: str
    text: str


class Replays:
    """The ledger of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- plans ---

    async def plan(self, replay: Replay, subjects: Sequence[Subject], *, forget: datetime) -> None:
        """Write down what would be replayed. Plans made before `forget` that nobody carried out are forgotten."""
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_FORGET_ITEMS, {"forget": forget})
            await transaction.connection.execute(_FORGET, {"forget": forget})
            values = {name: getattr(replay, name) for name in _HEAD}
            values |= {name: orjson.dumps(dict(values[name])).decode() for name in ("chosen", "counts")}
            await transaction.connection.execute(_PLAN, values)
            columns = {name: [getattr(one, name) for one in subjects] for name in _SUBJECT}
            await transaction.connection.execute(_ITEMS, {"replay": replay.id, "was": replay.planned_at} | columns)

    async def start(self, replay: UUID, actor: str, reason: str, *, now: datetime) -> bool:
        """From planned or stopped to running, by one person only. False when it is neither (any more)."""
        values = {"id": replay, "actor": actor, "reason": reason, "now": now}
        return await self._changes(_START, values)

    async def end(self, replay: UUID, state: ReplayState, why: str, *, now: datetime) -> bool:
        """From running to stopped or done."""
        return await self._changes(_END, {"id": replay, "state": state, "text": why, "now": now})

    async def _changes(self, statement: TextClause, values: Mapping[str, object]) -> bool:
        async with self.store.transaction() as transaction:
            return bool((await transaction.connection.execute(statement, dict(values))).rowcount)

    # --- reading ---

    async def get(self, replay: UUID) -> Replay | None:
        """One replay with its items counted by state."""
        found = await self._listed(_ONE, {"id": replay})
        return found[0] if found else None

    async def listed(self, *, state: str = "", after: UUID | None = None, limit: int = 50) -> list[Replay]:
        """Replays, the newest first; those that were planned before `after`."""
        return await self._listed(_LISTED, {"state": state, "after": after, "limit": limit})

    async def _listed(self, statement: TextClause, values: Mapping[str, object]) -> list[Replay]:
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(statement, dict(values))).all()
            keys = {"ids": [row.id for row in rows]}
            counted = (await transaction.connection.execute(_COUNTED, keys)).all() if rows else []
        items: dict[UUID, dict[str, int]] = {}
        for replay, state, count in counted:
            items.setdefault(replay, {})[state] = count
        return [_replay(row, items.get(row.id, {})) for row in rows]

    async def items(self, replay: UUID, *, state: str = "", after: int = -1, limit: int = 100) -> list[Item]:
        """Its items in their order, those after number `after`."""
        values = {"replay": replay, "state": state, "after": after, "limit": limit}
        async with self.store.transaction() as transaction:
            return [item_of(row) for row in await transaction.connection.execute(_LINES, values)]

    async def outcomes(self, replay: UUID) -> dict[str, int]:
        """Its items by how they ended; those for which nothing was done by how they stood."""
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(_OUTCOMES, {"replay": replay})
            return {outcome: int(count) for outcome, count in rows}

    async def links(self, message: UUID) -> tuple[UUID | None, list[UUID]]:
        """Which message this one replays, and which messages or deliveries replayed it."""
        async with self.store.transaction() as transaction:
            of = (await transaction.connection.execute(_REPLAYS, {"id": message})).scalars().first()
            by = (await transaction.connection.execute(_REPLAYED, {"id": message})).scalars().all()
        return of, list(by)

    async def case_of(self, message: UUID) -> UUID | None:
        """The case of a message in the journal."""
        async with self.store.transaction() as transaction:
            found: UUID | None = (await transaction.connection.execute(_CASE_OF, {"id": message})).scalar()
            return found

    # --- carrying out ---

    @asynccontextmanager
    async def alone(self, replay: UUID) -> AsyncIterator[bool]:
        """True for the only one who carries it out; the database knows when that process is gone.

        Raises Unavailable when the database does not answer.
        """
        key = {"key": replay.int & _KEY}
        try:
            connection = await self.store.engine.connect()
        except (DBAPIError, OSError) as error:
            raise Unavailable("the database does not answer") from error
        try:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            got = bool((await connection.execute(_HOLD, key)).scalar_one())
            try:
                yield got
            finally:
                if got:
                    await _let_go(connection, key)
        finally:
            await connection.close()

    async def begin(self, item: Item, result: UUID) -> bool:
        """It is ours: nobody else does this round of it. False when somebody was first; that is noted."""
        try:
            return await self._changes(BEGIN, {"replay": item.replay, "no": item.no, "result": result})
        except IntegrityError:
            await self.skip(item, TAKEN)
            return False

    async def settle(
        self, item: Item, state: ItemState, outcome: str, why: str, *, case_id: UUID | None = None, now: datetime
    ) -> None:
        """How an item that was begun ended."""
        values = {"replay": item.replay, "no": item.no, "state": state, "outcome": outcome, "text": why, "now": now}
        await self._changes(_SETTLE, values | {"case_id": case_id})

    async def skip(self, item: Item, why: str) -> None:
        """An item for which nothing is done."""
        await self._changes(_SKIP, {"replay": item.replay, "no": item.no, "text": why})

    async def skip_behind(self, item: Item, why: str) -> None:
        """What of the same lane comes after an item that failed must not overtake it."""
        await self._changes(_SKIP_BEHIND, {"replay": item.replay, "no": item.no, "lane": item.lane, "text": why})


_KEY = 0x7FFF_FFFF_FFFF_FFFF
TAKEN = "another replay did this since it was planned"
_HEAD = tuple(one.name for one in fields(Replay) if one.name != "items")
_SUBJECT = ("id", "original", "lane", "case_id", "kind", "at", "was", "round")


async def _let_go(connection: AsyncConnection, key: Mapping[str, int]) -> None:
    try:
        await connection.execute(_LET_GO, key)
    except (DBAPIError, OSError, asyncpg.InterfaceError):  # it went away, and the lock with it
        await connection.invalidate()


def _replay(row: Row[Any], items: Mapping[str, int]) -> Replay:
    values = {name: getattr(row, name) for name in _HEAD}
    kinds = {"direction": Direction, "how": How, "on_failure": OnFailure, "state": ReplayState}
    return Replay(**values | {name: kind(values[name]) for name, kind in kinds.items()}, items=items)


def item_of(row: Row[Any]) -> Item:
    values = {one.name: getattr(row, one.name) for one in fields(Item)}
    return Item(**values | {"state": ItemState(values["state"])})


_FORGET_ITEMS = text("""
DELETE FROM replay_item USING replay
 WHERE replay_item.replay = replay.id AND replay.state = 'planned' AND replay.planned_at < :forget
""")
_FORGET = text("DELETE FROM replay WHERE state = 'planned' AND planned_at < :forget")
_PLAN = text(f"""
INSERT INTO replay ({", ".join(_HEAD)})
VALUES ({", ".join(f"CAST(:{name} AS jsonb)" if name in ("chosen", "counts") else f":{name}" for name in _HEAD)})
""")  # noqa: S608 names are ours
_ITEMS = text("""
INSERT INTO replay_item (replay, no, subject, original, lane, case_id, kind, at, was, round)
SELECT :replay, w.no, w.id, w.original, w.lane, w.case_id, w.kind, w.at, w.was, w.round
  FROM unnest(CAST(:id AS uuid[]), CAST(:original AS uuid[]), CAST(:lane AS text[]), CAST(:case_id AS uuid[]),
              CAST(:kind AS text[]), CAST(:at AS timestamptz[]), CAST(:was AS text[]), CAST(:round AS int[]))
       WITH ORDINALITY AS w(id, original, lane, case_id, kind, at, was, round, no)
""")
_START = text("""
UPDATE replay SET state = 'running', ended_at = NULL,
       text = CASE WHEN actor = '' THEN ''
                   ELSE concat('run on by ', CAST(:actor AS text), ': ', CAST(:reason AS text)) END,
       actor = CASE WHEN actor = '' THEN :actor ELSE actor END,
       reason = CASE WHEN actor = '' THEN :reason ELSE reason END, started_at = coalesce(started_at, :now)
 WHERE id = :id AND state IN ('planned', 'stopped')
""")
_END = text("""
UPDATE replay SET state = :state, ended_at = :now,
       text = concat_ws('; ', nullif(text, ''), nullif(CAST(:text AS text), ''))
 WHERE id = :id AND state = 'running'
""")
_ONE = text("SELECT * FROM replay WHERE id = :id")
_LISTED = text("""
SELECT * FROM replay
 WHERE (:state = '' OR state = :state) AND (CAST(:after AS uuid) IS NULL OR id < :after)
 ORDER BY id DESC LIMIT :limit
""")
_COUNTED = text("""
SELECT replay, state, count(*) FROM replay_item WHERE replay = ANY(CAST(:ids AS uuid[])) GROUP BY replay, state
""")
_OUTCOMES = text("""
SELECT coalesce(nullif(outcome, ''), was) AS outcome, count(*) AS count FROM replay_item WHERE replay = :replay
 GROUP BY 1 ORDER BY 1
""")
_LINES = text("""
SELECT * FROM replay_item WHERE replay = :replay AND no > :after AND (:state = '' OR state = :state)
 ORDER BY no LIMIT :limit
""")
OF_CASE = text("""
SELECT r.id, i.done_at, r.actor, r.reason, r.direction, r.system, i.kind, i.subject, i.result, i.state, i.outcome,
       i.text
  FROM replay_item i JOIN replay r ON r.id = i.replay WHERE i.case_id = :case_id AND i.result IS NOT NULL
 ORDER BY r.started_at, i.no
""")
_CASE_OF = text("SELECT case_id FROM message WHERE id = :id")
_REPLAYS = text("""
SELECT subject FROM replay_item WHERE result = :id AND subject <> :id
UNION ALL
SELECT i.original FROM message m JOIN delivery d ON d.case_id = m.case_id AND d.message_id = m.id
  JOIN replay_item i ON i.result = d.id WHERE m.id = :id AND i.original <> :id
""")
_REPLAYED = text("""
SELECT i.result FROM replay_item i
 WHERE i.result IS NOT NULL AND i.result <> :id AND (i.subject = :id OR (i.original = :id AND i.case_id = (
   SELECT case_id FROM message WHERE id = :id))) ORDER BY i.result
""")
_HOLD = text("SELECT pg_try_advisory_lock(:key)")
_LET_GO = text("SELECT pg_advisory_unlock(:key)")
BEGIN = text("""
UPDATE replay_item SET state = 'begun', result = :result WHERE replay = :replay AND no = :no AND state = 'planned'
""")
_SETTLE = text("""
UPDATE replay_item SET state = :state, outcome = :outcome, text = :text, done_at = :now,
       case_id = coalesce(CAST(:case_id AS uuid), case_id)
 WHERE replay = :replay AND no = :no AND state = 'begun'
""")
_SKIP = text("""
UPDATE replay_item SET state = 'skipped', text = :text WHERE replay = :replay AND no = :no AND state = 'planned'
""")
_SKIP_BEHIND = text("""
UPDATE replay_item SET state = 'skipped', text = :text
 WHERE replay = :replay AND lane = :lane AND no > :no AND state = 'planned'
""")
