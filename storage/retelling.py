"""Telling a system once more what it was told: a new delivery at the end of its lane, never a change of an old one."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.case import Case
from canonical.errors import IllegalAction
from storage.differences import Act, acted, repairing
from storage.stages import LEADING
from storage.store import Store, wake


@dataclass(frozen=True, slots=True)
class Retold:
    """What is told again."""

    message: str
    event_seq: int


async def tell_again(
    store: Store, difference: UUID, case_id: UUID, system: str, act: Act, *, id: UUID, assignment: bool,  # noqa: A002
    fallback: str = "",
) -> Retold | None:  # fmt: skip
    """Put the last message about the case at the end of its lane once more; with `assignment`, the handing-over.

    `fallback`: the message that hands over, where it was never sent. None when the repair is under way already. Raises
    IllegalAction where there is nothing to tell, or the lane stands still.
    """
    async with store.transaction() as transaction:
        connection = transaction.connection
        state = (await connection.execute(_LOCK, {"id": case_id})).scalar_one()
        if not await repairing(connection, difference, now=act.at, how=act.act):
            return None
        case = Case.model_validate_json(state)
        if case.lead_system == system:
            raise IllegalAction(f"{system} leads case {case.no}: take in what it says, or call it")
        lane = {"case_id": case_id, "system": system}
        await _free(connection, lane)
        last = await _assigned(connection, lane, case, fallback) if assignment else await _last(connection, lane)
        if assignment:
            await connection.execute(_GIVE_UP, lane | {"round": case.round})
        values = {
            "id": id,
            "now": act.at,
            "event_seq": last.event_seq,
            "message": last.message,
            "address": last.address,
        }
        await connection.execute(_ADD, lane | values)
        await acted(connection, difference, act)
        await wake(connection, {system})
    return Retold(last.message, last.event_seq)


async def _free(connection: AsyncConnection, lane: dict[str, object]) -> None:
    waiting = (await connection.execute(_WAITING, lane)).first()
    if waiting is not None:
        raise IllegalAction(
            f"'{waiting.message}' of this case is not settled yet ({waiting.state}): release or withdraw it first"
        )


async def _last(connection: AsyncConnection, lane: dict[str, object]) -> Row[Any]:
    row = (await connection.execute(_LAST, lane)).first()
    if row is None:
        raise IllegalAction("it was never told anything about this case")
    return row


async def _assigned(connection: AsyncConnection, lane: dict[str, object], case: Case, fallback: str) -> Row[Any]:
    if case.owner != lane["system"]:
        raise IllegalAction(f"case {case.no} is no longer its work")
    if case.ended:
        raise IllegalAction(f"case {case.no} has ended ({case.stage})")
    row = (await connection.execute(_ASSIGNED, lane | {"fallback": fallback})).first()
    if row is None or not row.message:
        raise IllegalAction("it has no message that hands this case over")
    return row


_LOCK = text("SELECT CAST(state AS text) FROM cases WHERE id = :id FOR UPDATE")
_WAITING = text("""
SELECT message, state FROM delivery
 WHERE case_id = :case_id AND system = :system AND state NOT IN ('acknowledged', 'withdrawn') ORDER BY seq LIMIT 1
""")
_LAST = text("""
SELECT message, event_seq, address FROM delivery
 WHERE case_id = :case_id AND system = :system AND state = 'acknowledged' ORDER BY seq DESC LIMIT 1
""")
# Without an address: whoever lost it gives it a new id.
_ASSIGNED = text(f"""
SELECT coalesce((SELECT d.message FROM delivery d
                  WHERE d.case_id = :case_id AND d.system = :system AND d.event_seq = e.seq ORDER BY d.seq LIMIT 1),
                CAST(:fallback AS text)) AS message, e.seq AS event_seq, '' AS address
  FROM event e WHERE e.case_id = :case_id AND e.action IN ({LEADING}) ORDER BY e.seq DESC LIMIT 1
""")  # noqa: S608 words of our own
# Round 0: an id that was given up. What still comes under it is understood, and nothing is sent to it.
_GIVE_UP = text("""
UPDATE binding SET body = jsonb_set(body, '{round}', '0')
 WHERE case_id = :case_id AND system = :system AND body ->> 'role' = 'owner'
   AND coalesce(CAST(body ->> 'round' AS int), 1) = :round
""")
_ADD = text("""
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, created_at, next_at)
SELECT :id, CAST(:case_id AS uuid), CAST(:system AS text), max(seq) + 1, CAST(:event_seq AS int),
       CAST(:message AS text), CAST(:address AS text), CAST(:now AS timestamptz), CAST(:now AS timestamptz)
  FROM (SELECT seq FROM delivery WHERE case_id = :case_id AND system = :system
        UNION ALL SELECT CAST(:event_seq AS bigint) * 1000) s
""")
