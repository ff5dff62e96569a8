"""The journal as people and replays read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Why
from canonical.message import Message, Verdict
from storage.store import Store
from storage.tables import cases, delivery, message, replay_item


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line of the journal; the body is fetched on its own."""

    id: UUID
    at: datetime
    direction: str
    system: str
    door: str
    kind: str
    verdict: str
    why: str
    text: str
    external_id: str
    case_no: str
    size: int
    digest: str
    """SHA-256 of a body that retention removed; else empty."""
    replays: UUID | None
    """The message whose bytes it holds once more, where it is of a replay."""


class Journal:
    """Reading access to the messages of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def rows(
        self,
        *,
        system: str = "",
        verdict: str = "",
        direction: str = "",
        external_id: str = "",
        case_no: str = "",
        limit: int = 50,
    ) -> list[JournalRow]:
        """The newest rows that fit every given filter."""
        query = LISTING.order_by(message.c.id.desc()).limit(limit)
        given = {
            message.c.system: system,
            message.c.verdict: verdict,
            message.c.direction: direction,
            message.c.external_id: external_id,
            cases.c.no: case_no,
        }
        for column, value in given.items():
            if value:
                query = query.where(column == value)
        async with self.store.transaction() as transaction:
            return [JournalRow(*row) for row in await transaction.connection.execute(query)]

    async def message(self, message_id: UUID) -> tuple[JournalRow, Message] | None:
        """One message with its bytes; None when there is no such row."""
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(LISTING.where(message.c.id == message_id))).first()
            found = await self._messages(transaction.connection, [message_id])
        return (JournalRow(*row), found[0]) if row and found else None

    async def edition(self, message_id: UUID) -> str:
        """Edition of the declaration that read or wrote it; empty: none did."""
        query = select(message.c.edition).where(message.c.id == message_id)
        async with self.store.transaction() as transaction:
            return str((await transaction.connection.execute(query)).scalar() or "")

    async def whole(self, message_ids: Sequence[UUID]) -> dict[UUID, Message]:
        """These messages with their bytes; those that are not there are left out."""
        async with self.store.transaction() as transaction:
            return {one.id: one for one in await self._messages(transaction.connection, message_ids)}

    async def deferred(self, verdict: Verdict, *, system: str = "", external_ids: Sequence[str] = ()) -> list[Message]:
        """Quarantined or held messages in the order they came, whole, so that they can be read again."""
        query = select(message.c.id).where(message.c.verdict == verdict).order_by(message.c.id)
        if system:
            query = query.where(message.c.system == system)
        if external_ids:
            query = query.where(message.c.external_id.in_(external_ids))
        async with self.store.transaction() as transaction:
            ids = list((await transaction.connection.execute(query)).scalars())
            return await self._messages(transaction.connection, ids)

    async def unmapped(self, *, system: str = "", limit: int = 1000) -> list[Message]:
        """The newest quarantined messages that hold a code without a row, whole, in the order they came."""
        query = select(message.c.id).where(
            message.c.verdict == Verdict.QUARANTINED, message.c.why == Why.UNMAPPED_CODE
        )  # fmt: skip
        if system:
            query = query.where(message.c.system == system)
        async with self.store.transaction() as transaction:
            newest = await transaction.connection.execute(query.order_by(message.c.id.desc()).limit(limit))
            return await self._messages(transaction.connection, list(newest.scalars()))

    @staticmethod
    async def _messages(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Message]:
        query = select(message).where(message.c.id.in_(ids)).order_by(message.c.id)
        rows = await connection.execute(query)
        return [
            Message(
                system=row.system,
                body=row.body,
                at=row.at,
                id=row.id,
                door=row.door,
                content_type=row.content_type,
                headers=row.headers,
                path=row.path,
                status=row.status,
                parent=row.parent,
                gone=row.digest,
            )
            for row in rows
        ]


def _listing() -> Select[Any]:
    again = replay_item.c.subject != message.c.id
    read = select(replay_item.c.subject).where(replay_item.c.result == message.c.id, again).limit(1)
    ours = (delivery.c.case_id == message.c.case_id) & (delivery.c.message_id == message.c.id)
    sent = select(delivery.c.replays).where(ours, delivery.c.replays.is_not(None)).limit(1)
    columns = (
        message.c.id,
        message.c.at,
        message.c.direction,
        message.c.system,
        message.c.door,
        message.c.kind,
        message.c.verdict,
        message.c.why,
        message.c.text,
        message.c.external_id,
        func.coalesce(cases.c.no, ""),
        func.octet_length(message.c.body),
        message.c.digest,
        func.coalesce(read.scalar_subquery(), sent.scalar_subquery()),
    )
    return select(*columns).select_from(message.outerjoin(cases, cases.c.id == message.c.case_id))


LISTING = _listing()
"""Every message without its body."""
