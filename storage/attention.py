"""What waits for a person, by system: read from what partial indexes hold."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from canonical.records import STUCK
from storage.store import Store

_STUCK = ", ".join(f"'{state}'" for state in sorted(STUCK))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits at one system: `quarantined` messages, or `parked` deliveries, refused ones among them."""

    what: str
    system: str
    count: int
    newest: datetime | None


async def attention(store: Store) -> list[Waiting]:
    """All of it. Raises DatabaseAway."""
    async with store.transaction() as transaction:
        return [Waiting(*row) for row in await transaction.connection.execute(_WAITING)]


_WAITING = text(f"""
SELECT 'quarantined', system, count(*), max(at) FROM message WHERE verdict = 'quarantined' GROUP BY system
UNION ALL
SELECT 'parked', system, count(*), max(done_at) FROM delivery WHERE state IN ({_STUCK}) GROUP BY system
""")  # noqa: S608 words of our own
