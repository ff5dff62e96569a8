"""Messages that are put off: in quarantine, or held until their case is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from canonical.message import Verdict
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Deferred:
    """The messages of one system that wait under one verdict."""

    system: str
    verdict: str
    count: int
    oldest: datetime


async def deferred(store: Store, verdicts: Sequence[Verdict]) -> list[Deferred]:
    """All of them, by system and verdict; `verdicts`: of quarantined and held."""
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(_DEFERRED, {"verdicts": [str(one) for one in verdicts]})
        return [Deferred(*row) for row in rows]


# The first condition is that of the partial index, word for word.
_DEFERRED = text("""
SELECT system, verdict, count(*), min(at) FROM message
 WHERE verdict IN ('quarantined', 'held') AND verdict = ANY(CAST(:verdicts AS text[]))
 GROUP BY system, verdict ORDER BY system, verdict
""")
