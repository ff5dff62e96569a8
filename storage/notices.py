"""Notices: what of a system waits for a person, told once again after a while, and at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from storage.store import Store


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of one system waits for a person now."""

    system: str
    counts: Mapping[str, int]
    """By state and reason, such as `refused not_taken`."""
    first_at: datetime
    last_at: datetime

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Notice:
    """From the first failure of a system until nothing of it waits any more."""

    id: UUID
    source: str
    system: str
    opened_at: datetime
    told: int
    """How often it was told."""
    told_at: datetime
    count: int
    """How many waited when it was told last."""
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Telling:
    """One occasion of a notice on its way over one channel."""

    notice: UUID
    occasion: str
    channel: str
    body: Mapping[str, Any]
    attempts: int
    created_at: datetime


class Notices:
    """The notices of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def waiting(self, source: str) -> dict[str, Waiting]:
        """What waits for a person now, by system."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(SOURCES[source])).all()
        found: dict[str, Waiting] = {}
        for row in rows:
            before = found.get(row.system)
            counts: dict[str, int] = {**(before.counts if before else {}), row.what: int(row._mapping["count"])}
            first = min(row.first_at, before.first_at) if before else row.first_at
            last = max(row.last_at, before.last_at) if before else row.last_at
            found[row.system] = Waiting(row.system, counts, first, last)
        return found

    async def open(self, source: str) -> dict[str, Notice]:
        """The notices that have no end yet, by system."""
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(_OPEN, {"source": source})
            return {row.system: Notice(*row) for row in rows}

    async def begin(self, notice: Notice, bodies: Mapping[str, Mapping[str, Any]]) -> bool:
        """Open it and let it be told over these channels. False when another process was first."""
        values = {"id": notice.id, "source": notice.source, "system": notice.system, "count": notice.count}
        return await self._step(_BEGIN, values | {"now": notice.opened_at}, notice.id, "failures", bodies)

    async def again(self, notice: Notice, count: int, bodies: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
        """Tell it once more. False when another process did."""
        values = {"id": notice.id, "told": notice.told, "count": count, "now": now}
        return await self._step(_AGAIN, values, notice.id, f"reminder {notice.told}", bodies)

    async def end(self, notice: Notice, bodies: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
        """Nothing waits any more. False when another process said so."""
        return await self._step(_CLOSE, {"id": notice.id, "now": now}, notice.id, "clear", bodies)

    async def _step(
        self, statement: TextClause, values: dict[str, Any], notice: UUID, occasion: str,
        bodies: Mapping[str, Mapping[str, Any]],
    ) -> bool:  # fmt: skip
        async with self.store.transaction() as transaction:
            if not (await transaction.connection.execute(statement, values)).rowcount:
                return False
            for channel, body in bodies.items():
                told = {"notice": notice, "occasion": occasion, "channel": channel, "now": values["now"]}
                await transaction.connection.execute(_TELL, told | {"body": orjson.dumps(body).decode()})
        return True

    async def due(self, *, now: datetime, lease: datetime, limit: int = 10) -> list[Telling]:
        """What is to be told now; ours until the lease ends. A channel is told of a notice in its order."""
        async with self.store.transaction() as transaction:
            values = {"now": now, "lease": lease, "limit": limit}
            return [Telling(*row) for row in await transaction.connection.execute(_DUE, values)]

    async def settle(self, telling: Telling, state: str, why: str, *, at: datetime) -> None:
        """How it ended: `told`, `given_up`, or `due` again at this time."""
        values = {"notice": telling.notice, "occasion": telling.occasion, "channel": telling.channel}
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_SETTLE, values | {"state": state, "text": why, "at": at})

    async def listed(self, *, source: str = "", limit: int = 50) -> list[tuple[Notice, Sequence[Mapping[str, Any]]]]:
        """The newest notices, and how each was told."""
        async with self.store.transaction() as transaction:
            values = {"source": source, "limit": limit}
            notices = [Notice(*row) for row in await transaction.connection.execute(_LISTED, values)]
            keys = {"ids": [one.id for one in notices]}
            rows = (await transaction.connection.execute(_TOLD, keys)).mappings().all()
        return [(one, [dict(row) for row in rows if row["notice"] == one.id]) for one in notices]


SOURCES: Mapping[str, TextClause] = MappingProxyType(
    {
        "deliveries": text("""
SELECT system, concat_ws(' ', state, nullif(why, '')) AS what, count(*) AS count, min(coalesce(done_at, created_at))
       AS first_at, max(coalesce(done_at, created_at)) AS last_at
  FROM delivery WHERE state IN ('parked', 'refused') GROUP BY 1, 2 ORDER BY 1, 2
"""),
        "upstream": text("""
SELECT name AS system, 'layer_gone' AS what, cardinality(missing) AS count, missing_since AS first_at,
       looked_at AS last_at
  FROM upstream_look WHERE missing_since IS NOT NULL ORDER BY 1
"""),
    }
)
"""What may wait for a person: system, what, count, first_at, last_at. A further kind is a row here."""

_COLUMNS = "id, source, system, opened_at, told, told_at, count, closed_at"
_OPEN = text(f"SELECT {_COLUMNS} FROM notice WHERE source = :source AND closed_at IS NULL")  # noqa: S608
_LISTED = text(f"""
SELECT {_COLUMNS} FROM notice WHERE :source IN ('', source) ORDER BY opened_at DESC, id DESC LIMIT :limit
""")  # noqa: S608
_BEGIN = text("""
INSERT INTO notice (id, source, system, opened_at, told, told_at, count)
VALUES (:id, :source, :system, :now, 1, :now, :count)
ON CONFLICT (source, system) WHERE closed_at IS NULL DO NOTHING
""")
_AGAIN = text("""
UPDATE notice SET told = told + 1, told_at = :now, count = :count
 WHERE id = :id AND told = :told AND closed_at IS NULL
""")
_CLOSE = text("UPDATE notice SET closed_at = :now, count = 0 WHERE id = :id AND closed_at IS NULL")
_TELL = text("""
INSERT INTO notice_telling (notice, occasion, channel, body, created_at, next_at)
VALUES (:notice, :occasion, :channel, CAST(:body AS jsonb), :now, :now)
""")
_DUE = text("""
UPDATE notice_telling t SET attempts = t.attempts + 1, next_at = :lease
  FROM (SELECT o.notice, o.occasion, o.channel FROM notice_telling o
         WHERE o.state = 'due' AND o.next_at <= :now AND NOT EXISTS (
           SELECT 1 FROM notice_telling e WHERE e.notice = o.notice AND e.channel = o.channel AND e.state = 'due'
              AND e.created_at < o.created_at)
         ORDER BY o.next_at LIMIT :limit FOR UPDATE SKIP LOCKED) d
 WHERE t.notice = d.notice AND t.occasion = d.occasion AND t.channel = d.channel
RETURNING t.notice, t.occasion, t.channel, t.body, t.attempts, t.created_at
""")
_SETTLE = text("""
UPDATE notice_telling SET state = :state, text = :text, next_at = :at
 WHERE notice = :notice AND occasion = :occasion AND channel = :channel AND state = 'due'
""")
_TOLD = text("""
SELECT notice, occasion, channel, state, attempts, created_at, text FROM notice_telling
 WHERE notice = ANY(CAST(:ids AS uuid[])) ORDER BY created_at, channel
""")
