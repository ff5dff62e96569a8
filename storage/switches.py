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


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a switch."""

    turn: int
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
            if changed:
                await transaction.connection.execute(_TURNED, values)
            await wake(transaction.connection, [switch.system])
        return changed

    async def turns(self, *, system: str = "", before: int | None = None, limit: int = 100) -> list[Turn]:
        """Who switched what, the newest first; of one system, or of all. `before`: the last turn seen."""
        values = {"system": system, "before": before, "limit": limit}
        async with self.store.transaction() as transaction:
            return [Turn(*row) for row in await transaction.connection.execute(_TURNS, values)]


_ALL = text("SELECT system, what, off, at, actor, reason FROM switch ORDER BY system, what")
_SET = text("""
INSERT INTO switch AS s (system, what, off, at, actor, reason) VALUES (:system, :what, :off, :at, :actor, :reason)
ON CONFLICT (system, what) DO UPDATE SET off = :off, at = :at, actor = :actor, reason = :reason WHERE s.off <> :off
""")
_TURNED = text("""
INSERT INTO switch_turn (system, what, off, at, actor, reason) VALUES (:system, :what, :off, :at, :actor, :reason)
""")
_TURNS = text("""
SELECT turn, system, what, off, at, actor, reason FROM switch_turn
 WHERE (:system = '' OR system = :system) AND (CAST(:before AS bigint) IS NULL OR turn < :before)
 ORDER BY turn DESC LIMIT :limit
""")
