"""Figures for whoever watches: what is unfinished, since when, and when each system was last asked. Cheap to read."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from canonical.records import DeliveryState
from storage.inflow import Inflow, inflows
from storage.store import Store

FINISHED = frozenset({DeliveryState.ACKNOWLEDGED, DeliveryState.WITHDRAWN})
UNFINISHED = tuple(state for state in DeliveryState if state not in FINISHED)


@dataclass(frozen=True, slots=True)
class LaneFigure:
    """The unfinished deliveries of one system in one state."""

    system: str
    state: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """How everything stood at one moment."""

    lanes: list[LaneFigure]
    deferred: dict[tuple[str, str], int]
    """Messages by system and verdict: quarantined, held."""
    inflows: list[Inflow]


async def figures(store: Store) -> Figures:
    """Reads only what partial indexes hold: what is finished is not counted, however much of it there is."""
    async with store.transaction() as transaction:
        lanes = [LaneFigure(*row) for row in await transaction.connection.execute(_LANES)]
        deferred = {(row[0], row[1]): int(row[2]) for row in await transaction.connection.execute(_DEFERRED)}
    return Figures(lanes, deferred, await inflows(store))


_UNFINISHED = ", ".join(f"'{state}'" for state in UNFINISHED)
_LANES = text(f"""
SELECT system, state, count(*), min(created_at) FROM delivery WHERE state IN ({_UNFINISHED}) GROUP BY system, state
""")  # noqa: S608 words of our own, inlined so that the partial index fits
_DEFERRED = text("""
SELECT system, verdict, count(*) FROM message WHERE verdict IN ('quarantined', 'held') GROUP BY system, verdict
""")
