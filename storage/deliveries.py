"""Deliveries as people look for them: lists, one with all its attempts, and what a person decides about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, TextClause, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.message import Direction, Message, Verdict
from canonical.records import JournalEntry
from canonical.rights import Scope
from storage import lanes
from storage.journal import LISTING, JournalRow
from storage.rows import JOURNAL, journal_rows
from storage.scoping import seen, values
from storage.store import Store, wake
from storage.tables import cases, delivery, message


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery; the messages it sent are fetched on their own."""

    id: UUID
    case_no: str
    system: str
    message: str
    state: str
    attempts: int
    in_doubt: bool
    why: str
    text: str
    event_seq: int
    created_at: datetime
    next_at: datetime | None
    """When it is looked at again; None: never by itself, or not before the one ahead of it is decided."""
    sent_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Traced:
    """A delivery with everything that was sent and answered for it."""

    delivery: DeliveryRow
    messages: list[JournalRow]
    """Oldest first: what was asked before, each attempt, each answer."""
    ahead: list[DeliveryRow]
    """What is before it in its lane and not finished: it waits for these."""


class Decision(StrEnum):
    """What a person may decide about a delivery that waits for one."""

    RELEASE = "release"
    WITHDRAW = "withdraw"


class Deliveries:
    """The deliveries of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def find(
        self, *, scope: Scope, system: str = "", states: Sequence[str] = (), case_no: str = "",
        before: datetime | None = None, after: UUID | None = None, oldest: bool = False, limit: int = 50,
    ) -> list[DeliveryRow]:  # fmt: skip
        """Those that fit every given filter, the newest first, or the oldest. `before`: made before that moment.
        `after`: the id where the last page ended.
        """
        order = delivery.c.id.asc() if oldest else delivery.c.id.desc()
        query = _ROWS.order_by(order).limit(limit)
        if system:
            query = query.where(delivery.c.system == system)
        if states:
            query = query.where(delivery.c.state.in_(states))
        if case_no:
            query = query.where(cases.c.no == case_no)
        if before is not None:
            query = query.where(delivery.c.created_at <= before)
        if after is not None:
            query = query.where(delivery.c.id > after if oldest else delivery.c.id < after)
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(query.where(_seen(scope)), values(scope))
            return [DeliveryRow(*row) for row in rows]

    async def one(self, delivery_id: UUID, *, scope: Scope) -> Traced | None:
        """One delivery with its messages, without their bodies; None when there is no such one in the scope."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            row = (
                await connection.execute(_ROWS.where(delivery.c.id == delivery_id, _seen(scope)), values(scope))
            ).first()
            if row is None:
                return None
            lane = (await connection.execute(_LANE, {"id": delivery_id})).one()
            ahead = await connection.execute(_ROWS.where(*_before(lane)).order_by(delivery.c.seq))
            messages = await _messages(connection, lane)
            return Traced(DeliveryRow(*row), messages, [DeliveryRow(*one) for one in ahead])

    async def decide(self, delivery_id: UUID, what: Decision, order: Message, words: str, *, now: datetime) -> bool:
        """Do what a person decided, and keep the order in the journal. False when it waits for nobody (any more).

        `words`: who decided it and why; kept with both.
        """
        statement = {Decision.RELEASE: lanes.RELEASE, Decision.WITHDRAW: lanes.WITHDRAW}[what]
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            system = (await connection.execute(statement, {"id": delivery_id, "now": now, "text": words})).scalar()
            if system is None:
                return False
            owner = (await connection.execute(_CASE_OF, {"id": delivery_id})).scalar_one()
            entry = JournalEntry(
                order, Direction.IN, Verdict.NOTED, text=f"{what} of delivery {delivery_id}: {words}", kind=what,
                is_report=False, case_id=owner,
            )  # fmt: skip
            await connection.execute(JOURNAL, journal_rows([entry]))
            await wake(connection, [system])
            return True


async def _messages(connection: AsyncConnection, lane: Row[Any]) -> list[JournalRow]:
    """A lane sends one delivery after the other: what left between two endings belongs to the later one."""
    if not lane.claims:
        return []
    query = LISTING.where(
        message.c.case_id == lane.case_id, message.c.system == lane.system, message.c.direction != Direction.IN
    ).order_by(message.c.id)
    if lane.begin is not None:
        query = query.where(message.c.at > lane.begin)
    if lane.done_at is not None:
        query = query.where(message.c.at <= lane.done_at)
    return [JournalRow(*row) for row in await connection.execute(query)]


def _seen(scope: Scope) -> TextClause:
    return text(seen(scope, "cases"))


def _before(lane: Row[Any]) -> tuple[Any, ...]:
    return (
        delivery.c.case_id == lane.case_id, delivery.c.system == lane.system, delivery.c.seq < lane.seq,
        delivery.c.done_at.is_(None) | delivery.c.state.in_(["parked", "refused"]),
    )  # fmt: skip


def _rows() -> Select[Any]:
    names = ("system", "message", "state", "attempts", "in_doubt", "why", "text", "event_seq", "created_at")
    never = delivery.c.done_at.is_not(None) | (
        delivery.c.next_at == func.cast(text("'infinity'"), delivery.c.next_at.type)
    )
    following = case((never, None), else_=delivery.c.next_at)
    columns = [delivery.c.id, func.coalesce(cases.c.no, ""), *(delivery.c[name] for name in names)]
    joined = delivery.outerjoin(cases, cases.c.id == delivery.c.case_id)
    return select(*columns, following, delivery.c.sent_at, delivery.c.done_at).select_from(joined)


_ROWS = _rows()
_LANE = text("""
SELECT d.case_id, d.system, d.seq, d.claims, d.done_at,
       (SELECT max(e.done_at) FROM delivery e
         WHERE e.case_id = d.case_id AND e.system = d.system AND e.seq < d.seq) AS begin
  FROM delivery d WHERE d.id = :id
""")
_CASE_OF = text("SELECT case_id FROM delivery WHERE id = :id")
