"""The worker processes that live: who they are, and which of them this one is."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from storage.store import Store

GONE = timedelta(seconds=12)
"""Who has not been seen for so long is taken for dead: its share goes to the others."""
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Member:
    """A worker process."""

    id: UUID
    host: str
    pid: int
    roles: str
    """Words, sorted, by space."""
    started_at: datetime
    seen_at: datetime
    breakers: str = "{}"
    """JSON: system to the state of its breaker, where that is not closed."""


class Crew:
    """The workers on one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def seen(self, member: Member, role: str) -> list[UUID]:
        """This one lives. Returns the ids of those who do, with this role, in one order for all of them."""
        values = {
            "id": member.id, "host": member.host, "pid": member.pid, "roles": member.roles, "now": member.seen_at,
            "started_at": member.started_at, "breakers": member.breakers, "since": member.seen_at - GONE, "role": role,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_SEEN, values)
            return list((await transaction.connection.execute(_LIVING, values)).scalars())

    async def leave(self, member: UUID) -> None:
        """This one ends: the others need not wait until they miss it."""
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_LEAVE, {"ids": [member]})

    async def living(self, now: datetime) -> list[Member]:
        """Who lives, the oldest first. Forgets who has not been seen for a day."""
        async with self.store.transaction() as transaction:
            rows = [Member(*row) for row in await transaction.connection.execute(_ALL)]
            gone = [one.id for one in rows if one.seen_at < now - FORGOTTEN]
            if gone:
                await transaction.connection.execute(_LEAVE, {"ids": gone})
        return _alive(rows, now)


def _alive(rows: Collection[Member], now: datetime) -> list[Member]:
    return [one for one in rows if one.seen_at >= now - GONE]


_SEEN = text("""
INSERT INTO worker (id, host, pid, roles, started_at, seen_at, breakers)
VALUES (:id, :host, :pid, :roles, :started_at, :now, :breakers)
ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at, breakers = EXCLUDED.breakers
""")
_LIVING = text("""
SELECT id FROM worker WHERE seen_at >= :since AND :role = ANY(string_to_array(roles, ' ')) ORDER BY id
""")
_ALL = text("SELECT id, host, pid, roles, started_at, seen_at, breakers FROM worker ORDER BY started_at, id")
_LEAVE = text("DELETE FROM worker WHERE id = ANY(CAST(:ids AS uuid[]))")
