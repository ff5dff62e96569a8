"""Devices that the clock is to judge: claimed by lease, so that several processes share them and none is forgotten."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from storage.store import Store


@dataclass(frozen=True, slots=True)
class DueAlarm:
    """A device that the clock is to judge, and the message a case would be opened of."""

    system: str
    device: str
    kind: str
    message_id: UUID


async def claim_due(store: Store, *, limit: int, now: datetime, lease: timedelta) -> list[DueAlarm]:
    """Up to `limit` of them, now ours until the lease ends; a killed worker's are due again then.

    Whether their time is over is decided under their lock, when they are known: a claim alone opens nothing.
    """
    values = {"limit": limit, "now": now, "lease": now + lease}
    async with store.transaction() as transaction:
        return [DueAlarm(*row) for row in await transaction.connection.execute(_CLAIM, values)]


_CLAIM = text("""
WITH due AS (
  SELECT system, device, kind FROM alarm WHERE due_at <= :now AND message_id IS NOT NULL
   ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
UPDATE alarm a SET due_at = :lease FROM due
 WHERE a.system = due.system AND a.device = due.device AND a.kind = due.kind
RETURNING a.system, a.device, a.kind, a.message_id
""")
