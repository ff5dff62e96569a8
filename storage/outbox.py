"""Outbox lanes: durable, ordered per case and system, claimed by lease so that a killed worker's work is taken over.

Everything takes batches: one delivery is a batch of one.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import TextClause

from canonical.message import Direction, Message, Verdict
from canonical.records import JournalEntry
from storage import lanes
from storage.claims import Claimed, NotOurs, Ticket, Wanted, asked, loaded, loaded_at_once
from storage.driver import Collided, Connection, Prepared
from storage.endings import (
    Ended,
    Learned,
    Trouble,
    acknowledged,
    again,
    learned,
    parked,
    put_off,
    settling,
)  # fmt: skip
from storage.rows import JOURNAL, journal_rows
from storage.store import Store, wake

__all__ = [
    "Claimed",
    "Ended",
    "Learned",
    "NotOurs",
    "Outbox",
    "Sealed",
    "Stuck",
    "Ticket",
    "Trouble",
    "Wanted",
    "acknowledged",
    "again",
    "parked",
    "put_off",
]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message that is about to leave."""

    claimed: Claimed
    message: Message
    """As the journal keeps it."""
    at: datetime | None = None
    """When it leaves; None: it is a question, and no sending."""
    lease: datetime | None = None
    """Until when it is ours from now on, where sending may take longer than was thought at the claim."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A delivery that waits for a person."""

    id: UUID
    case_no: str
    system: str
    message: str
    state: str
    attempts: int
    in_doubt: bool
    why: str
    text: str
    created_at: datetime
    done_at: datetime | None


_TAKE, _OFFER, _TAKE_OFFERED = Prepared(lanes.TAKE), Prepared(lanes.OFFER), Prepared(lanes.TAKE_OFFERED)
_HEADS, _DEPART = Prepared(lanes.HEADS), Prepared(lanes.DEPART)
_SENDING, _STILL_OURS = Prepared(lanes.SENDING), Prepared(lanes.STILL_OURS)
_SETTLE, _VERDICTS = Prepared(lanes.SETTLE), Prepared(lanes.VERDICTS)
_JOURNAL = Prepared(JOURNAL)
_RACES = 5
"""How often something is done anew before it waits, as if the database were away."""
Result = TypeVar("Result")


class Outbox:
    """The lanes of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- taking up ---

    async def claim(self, wanted: Sequence[Wanted], *, now: datetime) -> list[Claimed]:
        """Heads of lanes that are due, now ours until the lease ends: what is due longest comes first."""

        async def claim() -> list[Claimed]:
            async with self.store.hot() as connection:
                return await loaded(connection, await _TAKE.fetch(connection, asked(wanted, now)))

        return await _raced(claim)

    async def take(self, wanted: Sequence[Wanted], *, now: datetime) -> list[Ticket]:
        """As `claim`, without what the messages need."""
        rows = await _raced(lambda: self.store.once(_TAKE, asked(wanted, now)))
        return [Ticket(row["id"], row["system"], row["claims"]) for row in rows]

    async def offer(self, wanted: Sequence[Wanted], *, now: datetime) -> list[Ticket]:
        """Tickets for heads of lanes that are due; nobody gets the same ones again before the lease ends."""
        rows = await _raced(lambda: self.store.once(_OFFER, asked(wanted, now)))
        return [Ticket(*row) for row in rows]

    async def claim_offered(self, tickets: Sequence[Ticket], *, now: datetime, lease: timedelta) -> list[Claimed]:
        """Those deliveries whose ticket is still good, now ours. Of the others somebody else takes care, or did."""
        values: dict[str, Any] = {"ids": [ticket.id for ticket in tickets], "now": now, "lease": now + lease}
        values |= {"claims": [ticket.claims for ticket in tickets]}

        async def claim() -> list[Claimed]:
            async with self.store.hot() as connection:
                return await loaded(connection, await _TAKE_OFFERED.fetch(connection, values))

        return await _raced(claim)

    async def depart(
        self, wanted: Sequence[Wanted], write: Callable[[Sequence[Claimed]], Sequence["Sealed | None"]], *,
        now: datetime,
    ) -> list[tuple[Claimed, "Sealed | None"]]:  # fmt: skip
        """As `claim` and `sending` in one: what `write` can seal at once leaves, the rest is merely ours.

        `write` gives one answer a delivery, at once and without raising: the heads are locked meanwhile. It is called
        anew, for what there is then, where another transaction came between.
        """
        return await _raced(lambda: self._depart(wanted, write, now))

    async def _depart(
        self, wanted: Sequence[Wanted], write: Callable[[Sequence[Claimed]], Sequence["Sealed | None"]], now: datetime
    ) -> list[tuple[Claimed, "Sealed | None"]]:  # fmt: skip
        async with self.store.hot() as connection:
            claimed = loaded_at_once(await _HEADS.fetch(connection, asked(wanted, now)))
            if not claimed:
                return []
            leases = {one.system: now + one.lease for one in wanted}
            pairs = list(zip(claimed, write(claimed), strict=True))
            values: dict[str, Any] = {
                "ids": [one.id for one in claimed], "doubts": [one.in_doubt for one in claimed], "now": now,
                "messages": [sealed.message.id if sealed else None for _, sealed in pairs],
                "leases": [(sealed and sealed.lease) or leases[one.system] for one, sealed in pairs],
                "sent_ats": [sealed.at if sealed else None for _, sealed in pairs],
            }  # fmt: skip
            values |= _leaving([sealed for _, sealed in pairs if sealed])
            ours = {id_ for (id_,) in await _DEPART.fetch(connection, values)}
        return [pair for pair in pairs if pair[0].id in ours]

    # --- sending ---

    async def sending(self, sealed: Sequence[Sealed]) -> frozenset[UUID]:
        """Journal what is about to leave, before it does: an answer can then never find us without a record.

        Returns the deliveries that may leave. The others are not ours any more, or sending was switched off.
        """
        values: dict[str, list[Any]] = {"ids": [one.claimed.id for one in sealed]}
        values |= {"claims": [one.claimed.claims for one in sealed], "leases": [one.lease for one in sealed]}
        values |= {"messages": [one.message.id for one in sealed], "sent_ats": [one.at for one in sealed]}
        rows = await _raced(lambda: self.store.once(_SENDING, values | _leaving(sealed)))
        return frozenset(id_ for (id_,) in rows)

    async def asking(self, claimed: Claimed, question: Message, *, lease: datetime) -> None:
        """Journal a question that is asked before the message is written, and keep the delivery until `lease`.

        It is no sending: a worker lost now leaves no doubt. Raises NotOurs when another worker has it by now.
        """
        async with self.store.hot() as connection:
            values: dict[str, Any] = {"id": claimed.id, "claims": claimed.claims, "lease": lease}
            if not await _STILL_OURS.fetch(connection, values):
                raise NotOurs
            await _journal(connection, [replace(_out(claimed, question), kind=question.door)])

    async def asked(self, question: Message, verdict: Verdict, text: str) -> None:
        """How a question ended. Its answer is not kept: it holds tokens, or what concerns nobody here."""
        async with self.store.hot() as connection:
            await _verdicts(connection, [(question.id, verdict, text)])

    async def not_taken(self, claimed: Claimed, sent: Message, answer: Message | None, text: str) -> None:
        """One attempt of several within the same claim: the journal says why it was not the last."""
        async with self.store.hot() as connection:
            await _verdicts(connection, [(sent.id, Verdict.REFUSED, text)])
            await _journal(connection, [_answer(claimed, answer, Verdict.REFUSED, text)] if answer else [])

    # --- settling ---

    async def settle(self, ended: Sequence[Ended]) -> list[Learned]:
        """Commit how attempts ended. Where the other side's id is another case's, that delivery is parked."""
        return await _raced(lambda: self._settle(ended))

    async def _settle(self, ended: Sequence[Ended]) -> list[Learned]:
        async with self.store.hot() as connection:
            settled, told = await learned(connection, ended)
            texts = [(one, one.answer, one.trouble.text) for one in settled if one.answer]
            answers = [_answer(one.claimed, answer, one.verdict, text) for one, answer, text in texts]
            await _SETTLE.fetch(connection, settling(settled) | journal_rows(answers))
        return told

    # --- people ---

    async def stuck(self, *, limit: int = 200) -> list[Stuck]:
        """What waits for a person, oldest first."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(lanes.STUCK, {"limit": limit})).all()
        return [Stuck(*row) for row in rows]

    async def release(self, delivery_id: UUID, *, now: datetime, text: str = "") -> bool:
        """Send a refused or parked delivery again, from attempt one. False when it is neither (any more)."""
        return await self._decide(lanes.RELEASE, {"id": delivery_id, "now": now, "text": text})

    async def withdraw(self, delivery_id: UUID, reason: str, *, now: datetime) -> bool:
        """Never send a refused or parked delivery; its lane goes on. False when it is neither (any more)."""
        return await self._decide(lanes.WITHDRAW, {"id": delivery_id, "now": now, "text": reason})

    async def _decide(self, statement: TextClause, values: dict[str, object]) -> bool:
        async with self.store.transaction() as transaction:
            system = (await transaction.connection.execute(statement, values)).scalar()
            if system is not None:
                await wake(transaction.connection, [system])
            return system is not None

    # --- the traffic of a whole system ---

    async def wake_up(self, system: str, *, now: datetime) -> int:
        """The system is there again: what waited because it was not is due now. Returns how many rows moved."""
        async with self.store.transaction() as transaction:
            moved = (await transaction.connection.execute(lanes.WAKE_UP, {"system": system, "now": now})).rowcount
            if moved:
                await wake(transaction.connection, [system])
            return moved

    async def park_tried(self, *, now: datetime) -> int:
        """Where retry is off, what was tried already waits for a person. Harmless at any time. Returns how many."""
        async with self.store.transaction() as transaction:
            return int((await transaction.connection.execute(lanes.PARK_TRIED, {"now": now})).scalar_one())

    async def addressed(self) -> list[str]:
        """The systems that there are deliveries for."""
        async with self.store.transaction() as transaction:
            return list((await transaction.connection.execute(lanes.ADDRESSED)).scalars())


async def _raced(work: Callable[[], Awaitable[Result]]) -> Result:
    """Done anew where another transaction was first: a row that somebody settled goes to another partition."""
    for _ in range(_RACES):
        with suppress(Collided):
            return await work()
    return await work()


async def _verdicts(connection: Connection, verdicts: Sequence[tuple[UUID, Verdict, str]]) -> None:
    if not verdicts:
        return
    ids, words, texts = zip(*sorted(verdicts), strict=True)
    values = {"ids": list(ids), "verdicts": list(words), "texts": list(texts)}
    await _VERDICTS.fetch(connection, values)


def _leaving(sealed: Sequence[Sealed]) -> dict[str, Any]:
    """Rows of the journal for messages that leave, and of which deliveries they are."""
    rows = journal_rows([_out(one.claimed, one.message) for one in sealed])
    return {**rows, "m_of": [one.claimed.id for one in sealed]}


def _out(claimed: Claimed, message: Message) -> JournalEntry:
    return JournalEntry(
        message, Direction.OUT, Verdict.WAITING, kind=claimed.message, is_report=False, case_id=claimed.case.id
    )  # fmt: skip


def _answer(claimed: Claimed, answer: Message, verdict: Verdict, text: str) -> JournalEntry:
    return JournalEntry(
        answer, Direction.ANSWER, verdict, text=text, kind=claimed.message, is_report=False, case_id=claimed.case.id
    )  # fmt: skip


async def _journal(connection: Connection, entries: Sequence[JournalEntry]) -> None:
    if entries:
        await _JOURNAL.fetch(connection, journal_rows(entries))
