"""How far each pull has come, and who is at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import TextClause, text

from storage.store import Store

_LONGEST = timedelta(hours=2)
"""Nobody takes a turn, or leaves a system alone, for longer: a later end comes from a clock that was ahead."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Ours to pull now."""

    since: datetime | None
    """End of the last window that was committed; None when there was none."""


class Cursors:
    """The cursors of one database. A cursor never goes back, whoever moves it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def claim(
        self, system: str, pull: str, *, every: timedelta, now: datetime, lease: timedelta, held: datetime | None = None
    ) -> Turn | None:  # fmt: skip
        """Our turn; None when the pull is not due or another process is at it.

        `held`: end of the lease we had last. Where it still stands, nobody has been at it since: it is ours again.
        """
        values = {
            "system": system, "pull": pull, "now": now, "lease": now + lease, "due": now - every, "ahead": now + every,
            "held": held, "never": now + _LONGEST,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_ADD, values)
            row = (await transaction.connection.execute(_CLAIM, values)).first()
        return Turn(row.until) if row else None

    async def keep(self, system: str, pull: str, until: datetime | None, *, lease: datetime) -> None:
        """Still at it: what is before `until` is committed, and the turn is ours until `lease`."""
        await self._write(_KEEP, {"system": system, "pull": pull, "until": until, "lease": lease})

    async def pause(self, system: str, pull: str, *, again: datetime | None, trouble: str = "") -> None:
        """Not finished: due again at once, or not before `again`."""
        await self._write(_PAUSE, {"system": system, "pull": pull, "again": again, "trouble": trouble[:500]})

    async def moved(
        self, system: str, pull: str, until: datetime | None, *, now: datetime, trouble: str = ""
    ) -> None:  # fmt: skip
        """Finished: the window up to `until` is committed. `trouble`: what was odd all the same, for people."""
        values = {"system": system, "pull": pull, "until": until, "now": now, "trouble": trouble[:500]}
        await self._write(_MOVED, values)

    async def failed(self, system: str, pull: str, trouble: str, *, now: datetime) -> None:
        """The same window is asked again when the pull is due next."""
        await self._write(_FAILED, {"system": system, "pull": pull, "trouble": trouble[:500], "now": now})

    async def _write(self, statement: TextClause, values: Mapping[str, object]) -> None:
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(statement, values)


_ADD = text("INSERT INTO cursor (system, pull) VALUES (:system, :pull) ON CONFLICT DO NOTHING")
# A clock that was set back must not make a pull wait for the hour it came from.
_CLAIM = text("""
UPDATE cursor SET claimed_until = :lease
 WHERE system = :system AND pull = :pull
   AND (claimed_until IS NULL OR claimed_until < :now OR claimed_until = CAST(:held AS timestamptz)
        OR claimed_until > :never)
   AND (polled_at IS NULL OR polled_at <= :due OR polled_at > :ahead)
RETURNING until
""")
_KEEP = text("""
UPDATE cursor SET until = greatest(until, CAST(:until AS timestamptz)), claimed_until = :lease
 WHERE system = :system AND pull = :pull
""")
_PAUSE = text("""
UPDATE cursor SET claimed_until = :again, trouble = :trouble WHERE system = :system AND pull = :pull
""")
_MOVED = text("""
UPDATE cursor SET until = greatest(until, CAST(:until AS timestamptz)), polled_at = :now, claimed_until = NULL,
       trouble = :trouble
 WHERE system = :system AND pull = :pull
""")
_FAILED = text("""
UPDATE cursor SET polled_at = :now, claimed_until = NULL, trouble = :trouble WHERE system = :system AND pull = :pull
""")
