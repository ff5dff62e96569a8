"""Sending again what a replay chose: a delivery of its own in the case's lane, or one that waits for a person let go.

The line of the ledger and the row of the lane are one transaction: whoever is killed has done both or neither.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from canonical.replay import How, Item
from storage.replays import BEGIN, TAKEN, Replays, item_of
from storage.store import Store, wake


@dataclass(frozen=True, slots=True)
class Ending:
    """How a delivery ended."""

    state: str
    why: str
    text: str


class ReplaySending:
    """The lanes, as replays use them."""

    def __init__(self, store: Store) -> None:
        self.store, self.replays = store, Replays(store)

    async def send_again(
        self, item: Item, result: UUID, *, system: str, how: How, edition: str, now: datetime
    ) -> bool:  # fmt: skip
        """Put it into its lane and note it, all or nothing. False when nothing is to be sent; that is noted."""
        released = item.was in WAITS_FOR_A_PERSON
        values = {
            "replay": item.replay, "no": item.no, "subject": item.subject, "was": item.was, "now": now,
            "result": item.subject if released else result, "edition": edition,
            "original": item.original if how is How.VERBATIM else None, "case_id": item.case_id,
        }  # fmt: skip
        try:
            async with self.store.transaction() as transaction:
                connection = transaction.connection
                await connection.execute(_LOCK_CASE, values)  # the intake writes no event of it meanwhile
                if not (await connection.execute(BEGIN, values)).rowcount:
                    return False
                if not (await connection.execute(_RELEASE if released else _SEND, values)).rowcount:
                    raise _Changed
                await wake(connection, [system])
        except IntegrityError:
            await self.replays.skip(item, TAKEN)
            return False
        except _Changed:
            await self.replays.skip(
                item, f"it was {item.was} when this was planned, and is not any more; or its lane is full"
            )
            return False
        return True

    async def sent(self, replay: UUID) -> list[tuple[Item, Ending]]:
        """Items in their lanes whose delivery has ended, and how."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_SENT, {"replay": replay})).all()
        return [(item_of(row), Ending(row.ended, row.ended_why, row.ended_text)) for row in rows]


class _Changed(Exception):
    """What was planned is not as it was."""


WAITS_FOR_A_PERSON = frozenset({"parked", "refused"})
"""States of deliveries that are let go again, as a release does; any other is sent by a new one."""

_LOCK_CASE = text("SELECT 1 FROM cases WHERE id = :case_id FOR UPDATE")
# Behind everything of its lane, and before whatever the case's next event will tell. An owner's own id is looked up
# when it is sent: by then it may have given the case another one.
_SEND = text("""
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, created_at, next_at, replays, edition)
SELECT :result, d.case_id, d.system, w.seq, d.event_seq, d.message,
       CASE WHEN b.body ->> 'role' = 'source' OR d.address LIKE '#%' THEN d.address ELSE '' END,
       :now, :now, :original, :edition
  FROM delivery d JOIN cases c ON c.id = d.case_id
       JOIN LATERAL (SELECT greatest(max(e.seq) + 1, c.version * 1000) AS seq FROM delivery e
                 WHERE e.case_id = d.case_id AND e.system = d.system) w ON true
       LEFT JOIN binding b ON b.system = d.system AND b.external_id = d.address
 WHERE d.id = :subject AND d.state = :was AND w.seq < (c.version + 1) * 1000
""")
# As a person releases one, and the edition with it.
_RELEASE = text("""
UPDATE delivery SET state = 'pending', next_at = :now, since = NULL, attempts = 0, done_at = NULL, in_doubt = false,
       edition = :edition
 WHERE id = :subject AND state = :was
""")
_SENT = text("""
SELECT i.*, d.state AS ended, d.why AS ended_why, d.text AS ended_text
  FROM replay_item i JOIN delivery d ON d.id = i.result
 WHERE i.replay = :replay AND i.state = 'begun' AND d.state IN ('acknowledged', 'parked', 'refused', 'withdrawn')
 ORDER BY i.no
""")
