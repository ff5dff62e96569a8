"""Figures for whoever watches: what is unfinished, since when, and when each system was last asked. Cheap to read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from canonical.records import STUCK, UNDER_WAY, DeliveryState
from storage.crew import Crew, Member
from storage.differences import Confidence, Differences
from storage.inflow import Inflow, inflows
from storage.seals import NOTHING_SEALED, Standing, standing
from storage.search_index import NOT_BEGUN, Indexed, indexed
from storage.store import Store
from storage.switches import Switch, Switches

UNFINISHED = tuple(state for state in DeliveryState if state in UNDER_WAY | STUCK)


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
    members: list[Member]
    """Worker processes that live."""
    switches: list[Switch]
    confidence: list[Confidence]
    """What open differences of reconciliation come to, by system."""
    sealed: Standing = NOTHING_SEALED
    """How far the chain of evidence has come."""
    indexed: Indexed = NOT_BEGUN
    """How far the index of what cases are found by has come."""


async def figures(store: Store, *, now: datetime) -> Figures:
    """Reads only what partial indexes hold: what is finished is not counted, however much of it there is."""
    async with store.transaction() as transaction:
        deferred = {(row[0], row[1]): int(row[2]) for row in await transaction.connection.execute(_DEFERRED)}
    members, switches = await Crew(store).living(now), await Switches(store).all()
    confidence = await Differences(store).confidence(now)
    sealed = await standing(store)
    flows, found_by = await inflows(store), await indexed(store)
    return Figures(await lanes(store), deferred, flows, members, switches, confidence, sealed, found_by)


async def lanes(store: Store) -> list[LaneFigure]:
    """Unfinished deliveries by system and state."""
    async with store.transaction() as transaction:
        return [LaneFigure(*row) for row in await transaction.connection.execute(_LANES)]


def _of(states: Iterable[DeliveryState]) -> str:
    """Words of our own, inlined so that each part fits the partial index that holds these states."""
    words = ", ".join(f"'{state}'" for state in sorted(states))
    return (
        f"SELECT system, state, count(*), min(created_at) FROM delivery WHERE state IN ({words}) GROUP BY system, state"  # noqa: S608
    )


_LANES = text(f"{_of(UNDER_WAY)} UNION ALL {_of(STUCK)}")
_DEFERRED = text("""
SELECT system, verdict, count(*) FROM message WHERE verdict IN ('quarantined', 'held') GROUP BY system, verdict
""")
