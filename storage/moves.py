"""What happened to cases since somebody last looked, exactly once, whatever order transactions end in.

A moment is a snapshot of the database: it says the same in every process, and a longer transaction of somebody else
neither hides what is committed beside it nor shows anything twice.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import orjson
from sqlalchemy import text

from canonical.lifecycle import ActionKind, Stage
from storage.driver import Prepared
from storage.store import Store

_MOST_UNDER_WAY = 10_000
_LARGEST = 2**63 - 1
_WRITTEN = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions can be seen: those below `end`, without those that were `under_way`."""

    begin: int
    end: int
    under_way: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As PostgreSQL writes it."""
        return f"{self.begin}:{self.end}:{','.join(map(str, self.under_way))}"

    @classmethod
    def read(cls, written: str) -> Self | None:
        """The snapshot that is written so; None when none is."""
        found = _WRITTEN.fullmatch(written)
        if found is None:
            return None
        begin, end = int(found[1]), int(found[2])
        under_way = tuple(map(int, found[3].split(","))) if found[3] else ()
        sound = begin <= end <= _LARGEST and len(under_way) <= _MOST_UNDER_WAY
        return cls(begin, end, under_way) if sound and all(begin <= one < end for one in under_way) else None

    def sees(self, transaction: int) -> bool:
        """True when what the transaction wrote can be seen."""
        return transaction < self.end and transaction not in self.under_way

    def within(self, later: Self) -> bool:
        """True when `later` can have been taken after it, on the same database."""
        return self.begin <= later.begin and self.end <= later.end


@dataclass(frozen=True, slots=True)
class Move:
    """One event of a case, without anybody's words, beside what the case is now."""

    case_id: UUID
    seq: int
    at: datetime
    action: ActionKind
    stage: Stage
    """Where the event left the case."""
    clock: str
    """Of a step of a clock that was told: which clock, and `step`; else empty."""
    step: str
    transaction: int
    no: str
    source: str
    owner: str
    unit: str
    area: str | None
    class_code: str | None
    units: tuple[str, ...] = ()
    """Every unit that has, or had, a share of the work."""


@dataclass(frozen=True, slots=True)
class Look:
    """What can be seen `after`, and could not be seen `before`, in its order."""

    before: Snapshot
    after: Snapshot
    moves: Sequence[Move] = ()
    flood: bool = False
    """There were more than could be told: `moves` is empty."""


class Moves:
    """The moves of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def now(self) -> Snapshot:
        """The present moment. Raises DatabaseAway."""
        async with self.store.hot() as connection:
            [(written,)] = await connection.fetch(_NOW)
        return _snapshot(written)

    async def since(self, before: Snapshot, most: int) -> Look:
        """What is new since a moment, `most` moves at most. Raises DatabaseAway."""
        values = {"end": before.end, "under_way": list(before.under_way), "most": most + 1}
        rows = await self.store.once(_SINCE, values)
        after = _snapshot(rows[0][0])
        if len(rows) > most:
            return Look(before, after, flood=True)
        return Look(before, after, in_order(_move(row) for row in rows if row[1] is not None))


def in_order(moves: Iterable[Move]) -> tuple[Move, ...]:
    """By time, and within a case by number: the same for the same moves, whoever asks and whenever."""
    latest: dict[UUID, datetime] = {}
    timed = []
    for one in sorted(moves, key=lambda one: (one.case_id, one.seq)):
        latest[one.case_id] = max(one.at, latest.get(one.case_id, one.at))
        timed.append((latest[one.case_id], one.case_id, one.seq, one))
    return tuple(one for *_, one in sorted(timed, key=lambda timed: timed[:3]))


def _snapshot(written: str) -> Snapshot:
    read = Snapshot.read(written)
    assert read is not None  # the server wrote it
    return read


def _move(row: Sequence[Any]) -> Move:
    (
        _, case_id, seq, at, action, stage, clock, step, transaction, no, source, owner, unit, area, class_code, units,
    ) = row  # fmt: skip
    return Move(
        case_id=case_id, seq=seq, at=at, action=ActionKind(action), stage=Stage(stage), clock=clock, step=step,
        transaction=transaction, no=no, source=source, owner=owner, unit=unit, area=area, class_code=class_code,
        units=tuple(orjson.loads(units)),
    )  # fmt: skip


_NOW = "SELECT CAST(pg_current_snapshot() AS text)"
# What a snapshot did not show is what is above it, and what was under way in it: both are found by index, and however
# long a transaction lasts, nothing is read twice. Numbers above the present ones are of a database that was restored.
_SINCE = Prepared(
    text("""
WITH present AS MATERIALIZED (SELECT pg_current_snapshot() AS moment),
fresh AS (
  SELECT case_id, seq, at, action, body, xact FROM event
   WHERE xact >= :end AND xact < (SELECT CAST(CAST(pg_snapshot_xmax(moment) AS text) AS bigint) FROM present)
  UNION ALL
  SELECT case_id, seq, at, action, body, xact FROM event WHERE xact = ANY(CAST(:under_way AS bigint[])))
SELECT CAST(p.moment AS text), e.* FROM present p LEFT JOIN (
  SELECT f.case_id, f.seq, f.at, f.action, f.body ->> 'to',
         coalesce(f.body #>> '{action,told,clock}', ''), coalesce(f.body #>> '{action,told,step}', ''), f.xact,
         c.no, c.source, c.owner, c.unit, c.area, c.class_code,
         CAST(jsonb_path_query_array(c.state, '$.assignments[*].unit') AS text)
    FROM fresh f JOIN cases c ON c.id = f.case_id
   LIMIT :most) e ON true
""")
)
