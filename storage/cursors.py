"""How far each pull has come, and who is at it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import TextClause, text

from storage.store import Store


@dataclass(frozen=True, slots=True)
class Turn:
    """Ours to pull now."""

    since: datetime | None
    """End of the last window that was committed; None when there was none."""


class Cursors:
    """The cursors of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def claim(
        self, system: str, pull: str, *, every: timedelta, now: datetime, lease: timedelta
    ) -> Turn | None:  # fmt: skip
        """Our turn; None when the pull is not due or another process is at it."""
        values = {"system": system, "pull": pull, "now": now, "lease": now + lease, "due": now - every}
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_ADD, values)
            row = (await transaction.connection.execute(_CLAIM, values)).first()
        return Turn(row.until) if row else None

    async def moved(self, system: str, pull: str, until: datetime, *, now: datetime) -> None:
        """The window up to `until` is committed."""
        await self._write(_MOVED, {"system": system, "pull": pull, "until": until, "now": now})

    async def failed(self, system: str, pull: str, trouble: str, *, now: datetime) -> None:
        """The same window is asked again when the pull is due next."""
        await self._write(_FAILED, {"system": system, "pull": pull, "trouble": trouble[:500], "now": now})

    async def _write(self, statement: TextClause, values: dict[str, object]) -> None:
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(statement, values)


_ADD = text("INSERT INTO cursor (system, pull) VALUES (:system, :pull) ON CONFLICT DO NOTHING")
_CLAIM = text("""
UPDATE cursor SET claimed_until = :lease
 WHERE system = :system AND pull = :pull AND (claimed_until IS NULL OR claimed_until < :now)
   AND (polled_at IS NULL OR polled_at <= :due)
RETURNING until
""")
_MOVED = text("""
UPDATE cursor SET until = :until, polled_at = :now, claimed_until = NULL, trouble = ''
 WHERE system = :system AND pull = :pull
""")
_FAILED = text("""
UPDATE cursor SET polled_at = :now, claimed_until = NULL, trouble = :trouble WHERE system = :system AND pull = :pull
""")
