"""The journal as people look through it: newest first, by what they know of a message, never longer than a moment.

What an index leads to is answered at once. Whatever else fits is looked for backwards in time, stretch by stretch; when
the moment is over, the answer says how far it came, and the next page goes on from there. So no question is dear, and
intake carries no index that only a rare question needs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.message import Verdict
from canonical.rights import Scope
from storage.journal import LISTING, JournalRow
from storage.partitions import made_at
from storage.scoping import seen_by_id, values
from storage.spans import first_id
from storage.store import Store
from storage.tables import cases, message

UNWELL = (Verdict.REFUSED, Verdict.QUARANTINED, Verdict.HELD, Verdict.PARKED)
"""What people look for most: it has an index of its own, in which nothing is that went well."""
MOMENT = 1.0
"""Seconds after which a search stops and says how far it came; the stretch in hand is finished."""
_FIRST, _LONGEST = timedelta(minutes=10), timedelta(days=31)
_QUICK, _SLOW = 0.05, 0.25
"""Seconds of a stretch: a quicker one is followed by a longer one, a slower one by a shorter."""
_MARGIN = timedelta(days=1)
"""How far the time in an id may lie from that of its message."""
_END = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Sought:
    """What is known of the messages that are looked for; what is empty says nothing."""

    system: str = ""
    direction: str = ""
    verdict: str = ""
    why: str = ""
    kind: str = ""
    external_id: str = ""
    systems: tuple[str, ...] = ()
    """The systems there are, where only an external id is known: with each of them an index leads there."""
    case_no: str = ""
    words: str = ""
    """Part of the reason, in either case of its letters."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One page, the newest first."""

    rows: list[JournalRow]
    after: UUID | None
    """Where the next page goes on; None: there is nothing more."""
    whole: bool
    """False: the moment was over before the page was full; more may follow all the same."""
    looked_to: datetime | None
    """Until when, backwards, everything was looked at; None: all of it was, or an index led there."""


class JournalSearch:
    """Searches of one database. `monotonic`, `moment`: how long one may take, in seconds."""

    def __init__(
        self, store: Store, *, monotonic: Callable[[], float] = time.monotonic, moment: float = MOMENT
    ) -> None:  # fmt: skip
        self.store, self._monotonic, self._moment = store, monotonic, moment

    async def find(self, sought: Sought, scope: Scope, *, after: UUID | None = None, limit: int = 50) -> Found:
        """A page of the messages that fit and that this scope may see."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_PLANNED_FOR_THIS)
            query = await self._query(connection, sought, scope)
            if query is None:
                return Found([], None, whole=True, looked_to=None)
            end = min(after or _END, _id(sought.until, _MARGIN) if sought.until else _END)
            begin = _id(sought.since, -_MARGIN) if sought.since else UUID(int=0)
            if _led(sought):
                rows = await _rows(connection, query, begin, end, limit)
                return Found(rows, rows[-1].id if len(rows) == limit else None, whole=True, looked_to=None)
            return await self._backwards(connection, query, begin, end, limit)

    async def one(self, message_id: UUID, scope: Scope) -> JournalRow | None:
        """One message; None where there is none, or the scope may not see it."""
        query = LISTING.where(message.c.id == message_id, text(seen_by_id(scope, "message.case_id")))
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(query, values(scope))).first()
        return JournalRow(*row) if row else None

    async def parts(self, message_id: UUID, *, limit: int) -> list[JournalRow]:
        """The messages that came inside of this one, in their order; whoever may see it may see them."""
        query = LISTING.where(message.c.parent == message_id, message.c.direction == "in")
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(query.order_by(message.c.id).limit(limit))
            return [JournalRow(*row) for row in rows]

    async def _query(self, connection: AsyncConnection, sought: Sought, scope: Scope) -> Select[Any] | None:
        """The listing with every condition but the stretch of ids; None: nothing can fit."""
        conditions = _conditions(sought)
        if sought.case_no:
            case_id = (await connection.execute(select(cases.c.id).where(cases.c.no == sought.case_no))).scalar()
            if case_id is None:
                return None
            conditions.append(message.c.case_id == case_id)
        seen = text(seen_by_id(scope, "message.case_id")).bindparams(**values(scope))
        return LISTING.where(*conditions, seen).order_by(message.c.id.desc())

    async def _backwards(
        self, connection: AsyncConnection, query: Select[Any], begin: UUID, end: UUID, limit: int
    ) -> Found:  # fmt: skip
        stop, stretch = self._monotonic() + self._moment, _FIRST
        rows: list[JournalRow] = []
        while (newest := (await connection.execute(_NEWEST, {"begin": begin, "end": end})).scalar()) is not None:
            low = max(begin, _earlier(newest, stretch))
            began = self._monotonic()
            rows += await _rows(connection, query, low, end, limit - len(rows))
            took, end = self._monotonic() - began, low
            if len(rows) == limit:
                return Found(rows, rows[-1].id, whole=True, looked_to=None)
            if self._monotonic() >= stop and begin < end:
                return Found(rows, end, whole=False, looked_to=made_at(end))
            stretch = min(stretch * 4, _LONGEST) if took < _QUICK else stretch / 2 if took > _SLOW else stretch
        return Found(rows, None, whole=True, looked_to=None)


def _led(sought: Sought) -> bool:
    """True where an index leads to few enough."""
    return bool(
        sought.case_no
        or (sought.external_id and (sought.system or sought.systems))
        or (_unwell(sought) and sought.system)
    )


def _unwell(sought: Sought) -> bool:
    return sought.verdict in UNWELL


def _conditions(sought: Sought) -> list[ColumnElement[bool]]:
    given = {
        message.c.system: sought.system, message.c.direction: sought.direction, message.c.verdict: sought.verdict,
        message.c.why: sought.why, message.c.kind: sought.kind, message.c.external_id: sought.external_id,
    }  # fmt: skip
    conditions: list[ColumnElement[bool]] = [column == value for column, value in given.items() if value]
    if sought.external_id and sought.systems and not sought.system:
        conditions.append(message.c.system.in_(sought.systems))
    if _unwell(sought):  # the condition of the index, word for word: a parameter alone would not be believed
        conditions.append(literal_column(UNWELL_SQL))
    if sought.words:
        conditions.append(message.c.text.icontains(sought.words, autoescape=True))
    if sought.since:
        conditions.append(message.c.at >= sought.since)
    if sought.until:
        conditions.append(message.c.at < sought.until)
    return conditions


async def _rows(
    connection: AsyncConnection, query: Select[Any], low: UUID, end: UUID, limit: int
) -> list[JournalRow]:  # fmt: skip
    stretch = query.where(and_(message.c.id >= low, message.c.id < end)).limit(limit)
    return [JournalRow(*row) for row in await connection.execute(stretch)]


def _id(at: datetime, margin: timedelta) -> UUID:
    try:
        return first_id(at + margin)
    except (OverflowError, ValueError):
        return _END if at.year > _FAR else UUID(int=0)


def _earlier(id_: UUID, by: timedelta) -> UUID:
    """The first id of so much before this one."""
    return UUID(int=max(0, ((id_.int - 1) >> 80) - int(by.total_seconds() * 1000)) << 80)


_FAR = 5000
UNWELL_SQL = "message.verdict IN ('refused', 'quarantined', 'held', 'parked')"
# A plan for any question would go backwards through the whole journal for one that an index leads to: it knows neither
# the stretch nor what is looked for. The driver keeps statements; the sixth time the server would take such a plan.
_PLANNED_FOR_THIS = text("SET LOCAL plan_cache_mode = force_custom_plan")
_NEWEST = text("SELECT id FROM message WHERE id >= :begin AND id < :end ORDER BY id DESC LIMIT 1")
