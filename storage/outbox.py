"""Outbox lanes: durable, ordered per case and system, claimed by lease so that a killed worker's work is taken over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.case import Action, Binding, BindingRole, Case, Event
from canonical.errors import Unavailable
from canonical.message import Direction, Message, Verdict
from canonical.records import DeliveryState, JournalEntry
from storage.rows import BIND, JOURNAL, REBIND, binding_rows, journal_rows
from storage.store import WAKE, Store


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in a worker's hands, with all that is needed to write its message."""

    id: UUID
    system: str
    message: str
    attempts: int
    """This attempt included."""
    in_doubt: bool
    """An earlier attempt may have arrived."""
    created_at: datetime
    case: Case
    action: Action
    binding: Binding | None
    source_binding: Binding | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a delivery did not end well."""

    why: str
    text: str
    in_doubt: bool = False


class Learned(StrEnum):
    """What an acknowledgement told of the other side's own id."""

    NOTHING = "nothing"
    """No id, or one that is known."""
    IDENTITY = "identity"
    CONFLICT = "identity_conflict"
    """An id that means another case already: a person must find out which is right."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery that waits for a person."""

    id: UUID
    case_no: str
    system: str
    message: str
    attempts: int
    in_doubt: bool
    why: str
    text: str
    created_at: datetime
    done_at: datetime | None


_NOT_OURS = "another worker has this delivery by now"


class Outbox:
    """The lanes of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def claim(self, system: str, *, limit: int, now: datetime, lease: timedelta) -> list[Claimed]:
        """Up to `limit` heads of lanes to `system` that are due, now ours until the lease ends."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            values = {"system": system, "limit": limit, "now": now, "lease": now + lease}
            rows = (await connection.execute(_CLAIM, values)).all()
            if not rows:
                return []
            ids = sorted({row.case_id for row in rows})
            states = (await connection.execute(_CASES, {"ids": ids})).all()
            keys = {"ids": [row.case_id for row in rows], "seqs": [row.event_seq for row in rows]}
            events = (await connection.execute(_EVENTS, keys)).all()
            addresses = {"ids": ids, "system": system, "addresses": [row.address for row in rows if row.address]}
            bodies = (await connection.execute(_BINDINGS, addresses)).scalars()
            bindings = [Binding.model_validate_json(body) for body in bodies]
        cases = {row.id: Case.model_validate_json(row.state) for row in states}
        told = {(row.case_id, row.seq): (Event.model_validate_json(row.body).action, row.rounds) for row in events}
        return [_claimed(row, cases[row.case_id], *told[row.case_id, row.event_seq], bindings) for row in rows]

    async def sending(self, sent: Sequence[tuple[Claimed, Message]], *, lease: datetime | None = None) -> None:
        """Journal what is about to be sent, before it is: an answer can then never find us without a record.

        `lease`: until when it is ours from now on, where sending may take longer than was thought at the claim.
        Raises Unavailable when another worker has it by now: two must not send it.
        """
        entries = [_entry(claimed, message, Direction.OUT, Verdict.WAITING, "") for claimed, message in sent]
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(JOURNAL, journal_rows(entries))
            values: dict[str, object] = {"ids": [one.id for one, _ in sent], "messages": [one.id for _, one in sent]}
            values |= {"attempts": [one.attempts for one, _ in sent], "lease": lease}
            if (await transaction.connection.execute(_SENDING, values)).rowcount != len(sent):
                raise Unavailable(_NOT_OURS)

    async def asking(self, claimed: Claimed, question: Message, *, lease: datetime) -> None:
        """Journal a question that is asked before the message is written, and keep the delivery until `lease`.

        It is no sending: a worker lost now leaves no doubt. Raises Unavailable when another worker has it by now.
        """
        entry = _entry(claimed, question, Direction.OUT, Verdict.WAITING, "")
        async with self.store.transaction() as transaction:
            values = {"id": claimed.id, "attempts": claimed.attempts, "lease": lease}
            if not (await transaction.connection.execute(_STILL_OURS, values)).rowcount:
                raise Unavailable(_NOT_OURS)
            await transaction.connection.execute(JOURNAL, journal_rows([replace(entry, kind=question.door)]))

    async def asked(self, question: Message, verdict: Verdict, text_: str) -> None:
        """How a question ended. Its answer is not kept: it holds tokens, or what concerns nobody here."""
        async with self.store.transaction() as transaction:
            values = {"id": question.id, "verdict": verdict, "text": text_}
            await transaction.connection.execute(_VERDICT, values)

    async def put_off(self, claimed: Claimed, text_: str, *, at: datetime) -> None:
        """Nothing was tried: something of ours is not ready yet. The lane waits until `at`."""
        async with self.store.transaction() as transaction:
            values = {"id": claimed.id, "attempts": claimed.attempts, "at": at, "text": text_}
            await transaction.connection.execute(_PUT_OFF, values)

    async def acknowledge(
        self, claimed: Claimed, sent: Message, answer: Message | None, binding: Binding | None, *, now: datetime,
        note: str = "",
    ) -> Learned:  # fmt: skip
        """The other side took it. Keeps its answer and its own id; where that id is another case's, it is parked.

        `note`: what people should know of it although it was taken.
        """
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            learned, told = await _learned(connection, binding) if binding else (Learned.NOTHING, "")
            told = "; ".join(filter(None, (told, note)))
            apart = learned is Learned.CONFLICT
            state, verdict, why = _PARKED_APART if apart else (DeliveryState.ACKNOWLEDGED, Verdict.ACKNOWLEDGED, "")
            values = {"id": claimed.id, "now": now, "state": state, "why": why, "text": told, "in_doubt": False}
            await connection.execute(_DONE, values)
            await self._answered(connection, claimed, sent, answer, verdict, told)
            return learned

    async def retry(
        self, claimed: Claimed, sent: Message | None, answer: Message | None, trouble: Trouble, *, at: datetime
    ) -> None:
        """Not taken, or in doubt and safe to repeat: the lane waits until `at`."""
        async with self.store.transaction() as transaction:
            values = {
                "id": claimed.id,
                "attempts": claimed.attempts,
                "at": at,
                "why": trouble.why,
                "text": trouble.text,
                "in_doubt": trouble.in_doubt,
            }
            await transaction.connection.execute(_RETRY, values)
            if sent is not None:
                await self._answered(
                    transaction.connection, claimed, sent, answer, Verdict.WAITING, trouble.text
                )  # fmt: skip

    async def not_taken(self, claimed: Claimed, sent: Message, answer: Message | None, text: str) -> None:
        """One attempt of several within the same claim: the journal says why it was not the last."""
        async with self.store.transaction() as transaction:
            await self._answered(transaction.connection, claimed, sent, answer, Verdict.REFUSED, text)

    async def park(
        self, claimed: Claimed, sent: Message | None, answer: Message | None, trouble: Trouble, *, now: datetime
    ) -> None:
        """A person has to look: the lane stands still, every other lane goes on."""
        async with self.store.transaction() as transaction:
            values = {"id": claimed.id, "now": now, "state": DeliveryState.PARKED, "why": trouble.why}
            values |= {"text": trouble.text, "in_doubt": trouble.in_doubt, "attempts": claimed.attempts}
            await transaction.connection.execute(_PARK, values)
            if sent is not None:
                await self._answered(transaction.connection, claimed, sent, answer, Verdict.PARKED, trouble.text)

    @staticmethod
    async def _answered(
        connection: AsyncConnection, claimed: Claimed, sent: Message, answer: Message | None, verdict: Verdict, why: str
    ) -> None:
        await connection.execute(_VERDICT, {"id": sent.id, "verdict": verdict, "text": why})
        if answer is not None:
            entry = _entry(claimed, answer, Direction.ANSWER, verdict, why)
            await connection.execute(JOURNAL, journal_rows([entry]))

    async def parked(self, *, limit: int = 200) -> list[Parked]:
        """What waits for a person, oldest first."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_PARKED, {"limit": limit})).all()
        return [Parked(*row) for row in rows]

    async def release(self, delivery_id: UUID, *, now: datetime) -> bool:
        """Send a parked delivery again, from attempt one. False when it is not parked (any more)."""
        return await self._settle(_RELEASE, {"id": delivery_id, "now": now})

    async def withdraw(self, delivery_id: UUID, reason: str, *, now: datetime) -> bool:
        """Never send a parked delivery; its lane goes on without it. False when it is not parked (any more)."""
        return await self._settle(_WITHDRAW, {"id": delivery_id, "now": now, "text": reason})

    async def _settle(self, statement: TextClause, values: dict[str, object]) -> bool:
        async with self.store.transaction() as transaction:
            result = await transaction.connection.execute(statement, values)
            await transaction.connection.execute(text(f"NOTIFY {WAKE}"))
            return bool(result.rowcount)


async def _learned(connection: AsyncConnection, binding: Binding) -> tuple[Learned, str]:
    """Keep the other side's id where nobody has it; its word for a later round of the same case moves it there."""
    if (await connection.execute(BIND, binding_rows([binding]))).rowcount:
        return Learned.IDENTITY, ""
    keys = {"case_id": binding.case_id, "system": binding.system, "external_id": binding.external_id}
    row = (await connection.execute(_BOUND, keys)).one()
    there = Binding.model_validate_json(row.body)
    if not row.ours:
        return Learned.CONFLICT, _ELSEWHERE.format(id=binding.external_id, no=row.no)
    if there.role is BindingRole.OWNER and there.case_id == binding.case_id and there.round < binding.round:
        await connection.execute(REBIND, binding_rows([binding]))
        return Learned.IDENTITY, ""
    return Learned.NOTHING, ""


def _entry(claimed: Claimed, message: Message, direction: Direction, verdict: Verdict, why: str) -> JournalEntry:
    return JournalEntry(
        message, direction, verdict, text=why, kind=claimed.message, is_report=False, case_id=claimed.case.id
    )  # fmt: skip


def _claimed(row: Row[Any], case: Case, action: Action, rounds: int, bindings: Sequence[Binding]) -> Claimed:
    own = [binding for binding in bindings if binding.case_id == case.id]
    case = _as_of(case, rounds, row.system)
    source = next((binding for binding in own if binding.role is BindingRole.SOURCE), None)
    if row.address:  # which may follow another case since: the one its own was merged into
        addressed = next((binding for binding in bindings if binding.external_id == row.address), None)
    else:  # the owner may have told us its id since this was decided
        round_ = len(case.assignments)
        owners = [binding for binding in own if binding.role is BindingRole.OWNER and binding.round == round_]
        addressed = owners[-1] if owners else None
    return Claimed(
        id=row.id, system=row.system, message=row.message, attempts=row.attempts, in_doubt=row.in_doubt,
        created_at=row.created_at, case=case, action=action, binding=addressed, source_binding=source,
    )  # fmt: skip


def _as_of(case: Case, rounds: int, system: str) -> Case:
    """The case with the rounds this message is about: a later round must not lend an earlier one its number.

    `rounds`: how many there were when this was decided; 0 before the first dispatch.
    """
    known = case.assignments[: rounds or None]
    own = [assignment.round for assignment in known if assignment.system == system]
    return case.model_copy(update={"assignments": case.assignments[: own[-1]]}) if own else case


# A lease that ran out after the message had gone to the journal leaves a doubt: it may have been sent.
_CLAIM = text("""
WITH due AS (
  SELECT d.id, d.state = 'sending' AND d.message_id IS NOT NULL AS lost FROM delivery d
   WHERE d.system = :system AND d.next_at <= :now
     AND (d.state = 'waiting' OR (d.state = 'sending' AND d.lease_until < :now))
     AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.case_id = d.case_id AND e.system = d.system AND e.seq < d.seq
                      AND e.state IN ('waiting', 'sending', 'parked'))
   ORDER BY d.next_at, d.id LIMIT :limit FOR UPDATE OF d SKIP LOCKED)
UPDATE delivery d SET state = 'sending', lease_until = :lease, attempts = d.attempts + 1, message_id = NULL,
       in_doubt = d.in_doubt OR due.lost
  FROM due WHERE d.id = due.id
RETURNING d.id, d.case_id, d.system, d.event_seq, d.message, d.address, d.attempts, d.in_doubt, d.created_at
""")
_CASES = text("SELECT id, CAST(state AS text) AS state FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
_EVENTS = text("""
SELECT e.case_id, e.seq, CAST(e.body AS text) AS body,
       (SELECT count(*) FROM event f WHERE f.case_id = e.case_id AND f.seq <= e.seq
           AND f.action IN ('dispatch', 'redispatch')) AS rounds
  FROM event e
  JOIN unnest(CAST(:ids AS uuid[]), CAST(:seqs AS int[])) AS w(i, s) ON e.case_id = w.i AND e.seq = w.s
""")
_BINDINGS = text("""
SELECT CAST(body AS text) FROM binding
 WHERE system = :system AND (case_id = ANY(CAST(:ids AS uuid[])) OR external_id = ANY(CAST(:addresses AS text[])))
 ORDER BY external_id
""")
_SENDING = text("""
UPDATE delivery d SET message_id = w.m, lease_until = coalesce(CAST(:lease AS timestamptz), d.lease_until)
  FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS uuid[]), CAST(:attempts AS int[])) AS w(i, m, a)
 WHERE d.id = w.i AND d.state = 'sending' AND d.attempts = w.a
""")
_ELSEWHERE = (
    "taken, but the other side's id '{id}' is that of case {no} already, and stays so. Ask the other side which is"
    " right: withdraw goes on without its id, release sends it again"
)
_PARKED_APART = (DeliveryState.PARKED, Verdict.PARKED, str(Learned.CONFLICT))
# A case that was merged is the one it was merged into.
_BOUND = text("""
WITH RECURSIVE ours AS (
  SELECT id, state ->> 'merged_into' AS into FROM cases WHERE id = :case_id
  UNION SELECT c.id, c.state ->> 'merged_into' FROM cases c JOIN ours ON c.no = ours.into)
SELECT CAST(b.body AS text) AS body, c.no, b.case_id IN (SELECT id FROM ours) AS ours
  FROM binding b JOIN cases c ON c.id = b.case_id
 WHERE b.system = :system AND b.external_id = :external_id FOR UPDATE OF b
""")
_SETTLED = """
UPDATE delivery SET state = :state, done_at = :now, lease_until = NULL, why = :why, text = :text, in_doubt = :in_doubt
 WHERE id = :id AND state = 'sending'"""
# Taken is taken, whoever sent it. A worker that was taken for dead must not put back or park what another holds now:
# the number of the attempt tells them apart.
_DONE = text(_SETTLED)
_PARK = text(f"{_SETTLED} AND attempts = :attempts")
_RETRY = text("""
UPDATE delivery SET state = 'waiting', next_at = :at, lease_until = NULL, why = :why, text = :text, in_doubt = :in_doubt
 WHERE id = :id AND state = 'sending' AND attempts = :attempts
""")
_STILL_OURS = text("""
UPDATE delivery SET lease_until = :lease WHERE id = :id AND state = 'sending' AND attempts = :attempts
""")
# The attempt does not count. Its number cannot be mistaken for an earlier one: that one was settled, too.
_PUT_OFF = text("""
UPDATE delivery SET state = 'waiting', next_at = :at, lease_until = NULL, why = '', text = :text,
       attempts = attempts - 1
 WHERE id = :id AND state = 'sending' AND attempts = :attempts
""")
_VERDICT = text("UPDATE message SET verdict = :verdict, text = :text WHERE id = :id")
_PARKED = text("""
SELECT d.id, c.no, d.system, d.message, d.attempts, d.in_doubt, d.why, d.text, d.created_at, d.done_at
  FROM delivery d JOIN cases c ON c.id = d.case_id WHERE d.state = 'parked' ORDER BY d.done_at LIMIT :limit
""")
_RELEASE = text("""
UPDATE delivery SET state = 'waiting', next_at = :now, attempts = 0, done_at = NULL, in_doubt = false
 WHERE id = :id AND state = 'parked'
""")
_WITHDRAW = text(
    "UPDATE delivery SET state = 'withdrawn', done_at = :now, text = :text WHERE id = :id AND state = 'parked'"
)
