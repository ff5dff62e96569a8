"""What receivers remember between their runs: how far they came, what they have handed over, and whose turn it is."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, text

from canonical.errors import Unavailable
from storage.store import Store

_LONGEST_TEXT = 500


class Memories:
    """The memories of one database. A receiver is known by its system and its name in there."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def claim(self, system: str, name: str, *, by: UUID, now: datetime, lease: timedelta) -> bool:
        """True when this receiver is `by`'s until the lease ends: it was free, or its already. Ask again to renew."""
        values = {"system": system, "name": name, "by": by, "now": now, "lease": now + lease}
        async with self.store.transaction() as transaction:
            return (await transaction.connection.execute(_CLAIM, values)).first() is not None

    async def release(self, system: str, name: str, *, by: UUID) -> None:
        """Free for the next process at once. Nothing happens when it is another's by now."""
        await self._write(_RELEASE, {"system": system, "name": name, "by": by})

    async def position(self, system: str, name: str) -> str:
        """How far it has come, in its own notation; empty at first."""
        async with self.store.transaction() as transaction:
            values = {"system": system, "name": name}
            return str((await transaction.connection.execute(_POSITION, values)).scalar() or "")

    async def move(self, system: str, name: str, position: str, *, now: datetime, by: UUID | None = None) -> None:
        """Everything up to `position` is durable with us; what troubled it is over.

        `by`: who claimed it. Raises Unavailable when another has it by now: an old position must not undo a newer one.
        """
        values = {"system": system, "name": name, "position": position, "now": now, "by": by}
        async with self.store.transaction() as transaction:
            if (await transaction.connection.execute(_MOVE, values)).first() is None:
                raise Unavailable(f"{system}: another process has '{name}' by now")

    async def looked(self, system: str, name: str, *, now: datetime) -> None:
        """It asked, and whatever was there is with us."""
        await self._write(_LOOKED, {"system": system, "name": name, "now": now})

    async def news(self, system: str, name: str, digests: Mapping[str, str], *, now: datetime) -> frozenset[str]:
        """Those keys that are new, or whose digest differs from the remembered one. The others count as seen now."""
        async with self.store.transaction() as transaction:
            values = _digests(system, name, digests, now) | {"long_ago": now - _SEEN_AGAIN}
            return frozenset((await transaction.connection.execute(_NEWS, values)).scalars())

    async def remember(self, system: str, name: str, digests: Mapping[str, str], *, now: datetime) -> None:
        """Key to digest of things that are durable with us now."""
        await self._write(_REMEMBER, _digests(system, name, digests, now))

    async def absent(self, system: str, name: str, keys: Collection[str], *, told: str) -> frozenset[str]:
        """Remembered keys that are not among these; without those whose digest is `told`."""
        async with self.store.transaction() as transaction:
            values = {"system": system, "name": name, "keys": sorted(keys), "told": told}
            return frozenset((await transaction.connection.execute(_ABSENT, values)).scalars())

    async def trouble(self, system: str, name: str, trouble: str) -> None:
        """Why it stands still, for people to see; empty when it is over."""
        await self._write(_TROUBLE, {"system": system, "name": name, "trouble": trouble[:_LONGEST_TEXT]})

    async def forget_before(self, system: str, name: str, before: datetime) -> int:
        """Forget what was not seen since this instant; how many it was. What comes again after that is news.

        Being seen is noted once a day: keep at least two days.
        """
        async with self.store.transaction() as transaction:
            values = {"system": system, "name": name, "before": before}
            return (await transaction.connection.execute(_FORGET, values)).rowcount

    async def _write(self, statement: TextClause, values: Mapping[str, object]) -> None:
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(statement, values)


def _digests(system: str, name: str, digests: Mapping[str, str], now: datetime) -> dict[str, object]:
    """In the order of the keys: two writers cannot deadlock."""
    ordered = dict(sorted(digests.items()))
    return {
        "system": system, "name": name, "now": now, "keys": list(ordered), "digests": list(ordered.values()),
    }  # fmt: skip


_SEEN_AGAIN = timedelta(days=1)
"""A list of a million things that is read every minute must not write a million rows every minute."""

_CLAIM = text("""
INSERT INTO memory AS m (system, name, claimed_until, claimed_by) VALUES (:system, :name, :lease, :by)
ON CONFLICT (system, name) DO UPDATE SET claimed_until = EXCLUDED.claimed_until, claimed_by = EXCLUDED.claimed_by
 WHERE m.claimed_by IS NULL OR m.claimed_by = :by OR m.claimed_until < :now
RETURNING m.system
""")
_RELEASE = text("""
UPDATE memory SET claimed_until = NULL, claimed_by = NULL
 WHERE system = :system AND name = :name AND claimed_by = :by
""")
_POSITION = text("SELECT position FROM memory WHERE system = :system AND name = :name")
_MOVE = text("""
INSERT INTO memory AS m (system, name, position, seen_at) VALUES (:system, :name, :position, :now)
ON CONFLICT (system, name) DO UPDATE SET position = EXCLUDED.position, seen_at = EXCLUDED.seen_at, trouble = ''
 WHERE CAST(:by AS uuid) IS NULL OR m.claimed_by = :by
RETURNING m.system
""")
_LOOKED = text("""
INSERT INTO memory (system, name, seen_at) VALUES (:system, :name, :now)
ON CONFLICT (system, name) DO UPDATE SET seen_at = EXCLUDED.seen_at
""")
_NEWS = text("""
WITH told AS (SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:digests AS text[])) AS t(key, digest)),
known AS (
  SELECT s.key, s.seen_at FROM seen s JOIN told USING (key, digest) WHERE s.system = :system AND s.name = :name),
again AS (
  UPDATE seen s SET seen_at = :now FROM known
   WHERE s.system = :system AND s.name = :name AND s.key = known.key AND known.seen_at < :long_ago)
SELECT key FROM told WHERE key NOT IN (SELECT key FROM known)
""")
_REMEMBER = text("""
INSERT INTO seen (system, name, key, digest, seen_at)
SELECT :system, :name, t.key, t.digest, :now
  FROM unnest(CAST(:keys AS text[]), CAST(:digests AS text[])) AS t(key, digest)
ON CONFLICT (system, name, key) DO UPDATE SET digest = EXCLUDED.digest, seen_at = EXCLUDED.seen_at
""")
_ABSENT = text("""
SELECT s.key FROM seen s LEFT JOIN unnest(CAST(:keys AS text[])) AS t(key) USING (key)
 WHERE s.system = :system AND s.name = :name AND s.digest <> :told AND t.key IS NULL
""")
_TROUBLE = text("""
INSERT INTO memory (system, name, trouble) VALUES (:system, :name, :trouble)
ON CONFLICT (system, name) DO UPDATE SET trouble = EXCLUDED.trouble
""")
_FORGET = text("DELETE FROM seen WHERE system = :system AND name = :name AND seen_at < :before")
