"""How what the hub fetches by itself is doing: pulls, receivers, subscriptions, and why one stands still."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from storage.store import Store


@dataclass(frozen=True, slots=True)
class Inflow:
    """One pull, receiver, subscription or connector of a system."""

    system: str
    name: str
    moved_at: datetime | None
    """When it last came forward."""
    trouble: str
    """Why it stands still; empty when all is well."""
    known_at: datetime | None
    """What the other side had until then is with us, as far as it can be known."""


async def inflows(store: Store) -> list[Inflow]:
    """All of them, by system and name."""
    async with store.transaction() as transaction:
        return [Inflow(*row) for row in await transaction.connection.execute(_INFLOWS)]


_INFLOWS = text("""
SELECT system, pull AS name, polled_at AS moved_at, trouble, until AS known_at FROM cursor
UNION ALL
SELECT system, name, seen_at, trouble, seen_at FROM memory
ORDER BY system, name
""")
