"""How many cases wait in each of the centre's queues, and since when."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import TextClause, text

from canonical.case import Queue
from canonical.rights import Scope
from storage.scoping import seen, values
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queue in which something waits."""

    queue: Queue
    count: int
    oldest_at: datetime
    """When the case that came first was received."""


async def waiting(store: Store, *, scope: Scope) -> list[Waiting]:
    """The queues that are not empty. Raises DatabaseAway."""
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(_waiting(scope), values(scope))
        return [Waiting(Queue(queue), count, oldest) for queue, count, oldest in rows]


# By the index of queues, which has only what waits.
@lru_cache(maxsize=256)
def _waiting(scope: Scope) -> TextClause:
    return text(f"""
        SELECT c.queue, count(*), min(c.received_at) FROM cases c
         WHERE c.queue IS NOT NULL AND {seen(scope)} GROUP BY c.queue ORDER BY c.queue
    """)  # noqa: S608 words of our own
