"""Switches: what people have switched off for a system, at once and for all processes, and who did."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from canonical.records import What
from storage.store import Store, wake

__all__ = ["Switch", "Switches", "What"]


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch that somebody has set."""

    system: str
    what: str
    off: bool
    at: datetime
    actor: str
    reason: str


class Switches:
    """The switches of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def all(self) -> list[Switch]:
        """Those that were ever set, by system."""
        async with self.store.transaction() as transaction:
            return [Switch(*row) for row in await transaction.connection.execute(_ALL)]

    async def set(self, switch: Switch) -> bool:
        """False when it stands so already."""
        values = {
            "system": switch.system, "what": switch.what, "off": switch.off, "at": switch.at, "actor": switch.actor,
            "reason": switch.reason,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            changed = (await transaction.connection.execute(_SET, values)).rowcount > 0
            await wake(transaction.connection, [switch.system])
        return changed


_ALL = text("SELECT system, what, off, at, actor, reason FROM switch ORDER BY system, what")
_SET = text("""
INSERT INTO switch AS s (system, what, off, at, actor, reason) VALUES (:system, :what, :off, :at, :actor, :reason)
ON CONFLICT (system, what) DO UPDATE SET off = :off, at = :at, actor = :actor, reason = :reason WHERE s.off <> :off
""")
