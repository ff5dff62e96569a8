"""How much came and went, by system: counted after the fact, so that neither intake nor delivery pays for it.

Messages lie in the order of their ids, which begin with their time. What is older than a few minutes is counted once,
into rows of ten minutes; whoever asks adds what came since.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from storage.spans import first_id
from storage.store import Store

SETTLED = timedelta(minutes=5)
"""Older messages are committed, and what became of them is known: a time-out is shorter."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_KEPT = timedelta(days=2)
_BACK = timedelta(days=14)
"""How far a database that was never counted is looked through: who was silent for longer counts as never heard."""
_STEP = timedelta(hours=1)
"""Counted in one transaction."""
_UNDER_WAY = timedelta(minutes=1)
"""What has left so lately and has no answer yet has not failed."""
_AHEAD = timedelta(days=1)
_LOCK = 4_702_011
"""Advisory lock: one process counts at a time."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Messages of one system within some time."""

    received: int = 0
    refused: int = 0
    quarantined: int = 0
    sent: int = 0
    """Attempts to deliver, and questions."""
    failed: int = 0
    """Of these: not acknowledged."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """When one system was last heard and last reached, and what went between. None: not within two weeks."""

    heard_at: datetime | None = None
    reached_at: datetime | None = None
    """It answered, or took something."""
    hour: Counted = Counted()
    """By ten minutes: 50 to 60 of them."""
    day: Counted = Counted()


class TrafficCounts:
    """The counts of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def fold(self, now: datetime) -> bool:
        """Count what has settled, an hour at most. False when nothing is left to count, or another process is at it."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            if not (await connection.execute(_ALONE, {"lock": _LOCK})).scalar_one():
                return False
            upto = (await connection.execute(_UPTO)).scalar()
            settled = first_id(now - SETTLED)
            oldest = (await connection.execute(_OLDEST)).scalar()
            begin = upto or max(first_id(now - _BACK), oldest or settled)
            end = min(settled, _later(begin, _STEP))
            if upto is not None and end <= upto:
                return False
            values = {"first": begin, "end": end, "young": now}
            await connection.execute(_FOLD, values)
            await connection.execute(_UPTO_MOVED if upto else _UPTO_SET, {"upto": end})
            await connection.execute(_FORGET, {"before": now - _KEPT})
        return bool(end < settled)

    async def pulses(self, now: datetime) -> dict[str, Pulse]:
        """Every system that was heard or reached. Counts what is not folded yet, of a day at most."""
        values = {"hour": now - HOUR, "day": now - DAY, "young": now - _UNDER_WAY, "end": first_id(now + _AHEAD)}
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_ONE_LOOK)  # what is folded meanwhile must not be counted twice
            await connection.execute(_PLANNED_FOR_THIS)
            upto = (await connection.execute(_UPTO)).scalar()
            first = first_id(now - DAY)
            rows = await connection.execute(_PULSES, values | {"first": max(upto or first, first)})
            return {
                row[0]: Pulse(row[1], row[2], Counted(*map(int, row[3:8])), Counted(*map(int, row[8:13])))
                for row in rows
            }


def _later(id_: UUID, by: timedelta) -> UUID:
    """The first id that can be made so much after this one."""
    return UUID(int=((id_.int >> 80) + int(by.total_seconds() * 1000)) << 80)


_COLUMNS = ("received", "refused", "quarantined", "sent", "failed")
_FRESH = """
SELECT system, date_bin('10 minutes', at, 'epoch') AS slot,
       count(*) FILTER (WHERE direction = 'in' AND verdict <> 'split') AS received,
       count(*) FILTER (WHERE direction = 'in' AND verdict = 'refused') AS refused,
       count(*) FILTER (WHERE direction = 'in' AND verdict = 'quarantined') AS quarantined,
       count(*) FILTER (WHERE direction = 'out') AS sent,
       count(*) FILTER (WHERE direction = 'out' AND verdict <> 'acknowledged'
                          AND (verdict <> 'waiting' OR at < :young)) AS failed,
       max(at) FILTER (WHERE direction = 'in') AS heard_at,
       max(at) FILTER (WHERE direction = 'answer' OR (direction = 'out' AND verdict = 'acknowledged')) AS reached_at
  FROM message WHERE id >= :first AND id < :end GROUP BY 1, 2
"""
_SUMS = ", ".join(
    f"coalesce(sum({column}) FILTER (WHERE slot > {since}), 0)" for since in (":hour", ":day") for column in _COLUMNS
)
_ALONE = text("SELECT pg_try_advisory_xact_lock(:lock)")
_ONE_LOOK = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
# The stretch of ids is short, which a plan for any stretch does not know.
_PLANNED_FOR_THIS = text("SET LOCAL plan_cache_mode = force_custom_plan")
_UPTO = text("SELECT upto FROM traffic_counted")
_UPTO_SET = text("INSERT INTO traffic_counted (upto) VALUES (:upto)")
_UPTO_MOVED = text("UPDATE traffic_counted SET upto = :upto")
_OLDEST = text("SELECT id FROM message ORDER BY id LIMIT 1")
_FOLD = text(f"""
WITH fresh AS ({_FRESH}),
beat AS (
  INSERT INTO pulse AS p (system, heard_at, reached_at)
  SELECT system, max(heard_at), max(reached_at) FROM fresh GROUP BY system
  ON CONFLICT (system) DO UPDATE SET heard_at = greatest(p.heard_at, EXCLUDED.heard_at),
                                     reached_at = greatest(p.reached_at, EXCLUDED.reached_at))
INSERT INTO traffic_count AS c (system, slot, {", ".join(_COLUMNS)})
SELECT system, slot, {", ".join(_COLUMNS)} FROM fresh
ON CONFLICT (system, slot) DO UPDATE SET {", ".join(f"{one} = c.{one} + EXCLUDED.{one}" for one in _COLUMNS)}
""")  # noqa: S608 nothing in it comes from outside
_FORGET = text("DELETE FROM traffic_count WHERE slot < :before")
_PULSES = text(f"""
WITH fresh AS ({_FRESH}),
every AS (
  SELECT system, slot, {", ".join(_COLUMNS)}, NULL AS heard_at, NULL AS reached_at FROM traffic_count WHERE slot > :day
  UNION ALL SELECT * FROM fresh
  UNION ALL SELECT system, NULL, 0, 0, 0, 0, 0, heard_at, reached_at FROM pulse)
SELECT system, max(heard_at), max(reached_at), {_SUMS} FROM every GROUP BY system
""")  # noqa: S608
