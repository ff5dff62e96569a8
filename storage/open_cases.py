"""The open cases of one system, by the numbers it knows them by: what a pull asks about one after the other."""

from sqlalchemy import text

from canonical.case import Binding
from storage.stages import OPEN_STAGES
from storage.store import Store


async def open_bindings(store: Store, system: str) -> list[Binding]:
    """The system's binding of every case that has not ended and is its own: reported by it, or its work now.

    The part of a unit that was called to help is its work until it has answered or declined.
    """
    async with store.transaction() as transaction:
        values = {"system": system}
        bodies = (await transaction.connection.execute(_OPEN, values)).scalars().all()
    return [Binding.model_validate_json(body) for body in bodies]


# Of an owner's bindings only that of the round it works on: an earlier round's answer would be nobody's news.
_OPEN = text(f"""
SELECT CAST(b.body AS text) FROM binding b JOIN cases c ON c.id = b.case_id
 WHERE b.system = :system AND c.stage IN ({OPEN_STAGES})
   AND (b.body ->> 'role' = 'source'
        OR (c.owner = :system
            AND coalesce(CAST(b.body ->> 'round' AS int), 1) = (
                SELECT max(CAST(a ->> 'round' AS int)) FROM jsonb_array_elements(c.state -> 'assignments') a
                 WHERE coalesce(a ->> 'share', 'lead') = 'lead'))
        OR EXISTS (
            SELECT 1 FROM jsonb_array_elements(c.state -> 'assignments') a
             WHERE a ->> 'share' = 'joint' AND a ->> 'system' = :system AND a ->> 'round' = b.body ->> 'round'
               AND a ->> 'returned_at' IS NULL AND a ->> 'disposed_at' IS NULL))
 ORDER BY b.case_id, b.external_id
""")  # noqa: S608 words of our own
