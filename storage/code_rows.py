"""Rows of code tables that people added while the hub ran: who, when and why. Added, never changed or removed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from storage.store import Store

_LOCK = 4_702_013
"""Advisory lock: rows are added one after the other, so that each is checked beside those before it."""


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row as somebody added it. A later one of the same code counts instead."""

    system: str
    table: str
    """Name of the file below `codes/`, without its ending."""
    local: str
    canonical: str
    title: str
    actor: str
    reason: str
    at: datetime
    id: int = 0


class CodeRows:
    """The rows of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def newest(self) -> int:
        """The number of the last row of all; 0: there is none. Cheap: asked every other second."""
        async with self.store.transaction() as transaction:
            return int((await transaction.connection.execute(_NEWEST)).scalar_one())

    async def all(self, system: str = "") -> list[CodeRow]:
        """Every row, of one system or of all, in the order in which they were added."""
        async with self.store.transaction() as transaction:
            return [CodeRow(*row) for row in await transaction.connection.execute(_ALL, {"system": system})]

    async def add(self, row: CodeRow, *, after: int) -> bool:
        """Add it. False when another row came after number `after`, which this one was not checked beside."""
        values = {
            "system": row.system, "table": row.table, "local": row.local, "canonical": row.canonical,
            "title": row.title, "actor": row.actor, "reason": row.reason, "at": row.at,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_ALONE, {"lock": _LOCK})
            if int((await transaction.connection.execute(_NEWEST)).scalar_one()) != after:
                return False
            await transaction.connection.execute(_ADD, values)
            return True


_NEWEST = text("SELECT coalesce(max(id), 0) FROM code_row")
_ALONE = text("SELECT pg_advisory_xact_lock(:lock)")
_ALL = text("""
SELECT system, "table", local, canonical, title, actor, reason, at, id FROM code_row
 WHERE :system = '' OR system = :system ORDER BY id
""")
_ADD = text("""
INSERT INTO code_row (system, "table", local, canonical, title, actor, reason, at)
VALUES (:system, :table, :local, :canonical, :title, :actor, :reason, :at)
""")
