"""Outbox lanes: durable, ordered per case and system, claimed by lease so that a killed worker's work is taken over.

Everything takes batches: one delivery is a batch of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.case import Action, Binding, BindingRole, Case, Event, latest_told
from canonical.errors import Unavailable
from canonical.message import Direction, Message, Verdict
from canonical.records import STUCK, UNDER_WAY, DeliveryState, JournalEntry
from storage import lanes
from storage.rows import BIND_NEW, JOURNAL, REBIND, binding_rows, journal_rows
from storage.store import Store, wake


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in a worker's hands, with all that is needed to write its message."""

    id: UUID
    system: str
    message: str
    seq: int
    """Its place in the lane."""
    attempts: int
    """This attempt included; counted anew when a person releases it."""
    claims: int
    """How often it was taken up: tells this worker's claim from any other."""
    in_doubt: bool
    """An earlier attempt may have arrived."""
    created_at: datetime
    since: datetime
    """When its present attempts began: at the first one, or after a person released it."""
    sent_at: datetime | None
    """When it last left, as far as we know."""
    case: Case
    action: Action
    binding: Binding | None
    source_binding: Binding | None
    replays: UUID | None = None
    """Of a replay: the message whose very bytes are sent again; None where it is written."""
    edition: str = ""
    """Of a replay: the edition it is written by; empty for what is no replay."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much a worker can take up for one system, and for how long it will have it."""

    system: str
    places: int
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Ticket:
    """A head of a lane that whoever comes first may take up."""

    id: UUID
    system: str
    claims: int


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
    AWAITED = "awaited"
    """An id that messages were held for: they can be applied now."""
    CONFLICT = "identity_conflict"
    """An id that means another case already: a person must find out which is right."""


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
class Ended:
    """How an attempt ended."""

    claimed: Claimed
    state: DeliveryState
    verdict: Verdict
    """Of the message that was sent."""
    at: datetime
    """When it ended; of one that is tried again, when."""
    trouble: Trouble
    sent: Message | None = None
    answer: Message | None = None
    binding: Binding | None = None
    """The other side's identity of the case, as its answer told it."""
    untried: bool = False
    """Nothing was attempted: something of ours is not ready."""

    @property
    def identity(self) -> tuple[str, str]:
        """System and the id it told; empty where it told none."""
        return (self.binding.system, self.binding.external_id) if self.binding else ("", "")


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


class NotOurs(Unavailable):
    """Another worker has this delivery by now, or sending to its system was switched off: it must not leave."""

    def __init__(self) -> None:
        super().__init__("another worker has this delivery by now, or sending to the system was switched off")


_FINE = Trouble("", "")


class Outbox:
    """The lanes of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- taking up ---

    async def claim(self, wanted: Sequence[Wanted], *, now: datetime) -> list[Claimed]:
        """Heads of lanes that are due, now ours until the lease ends: what is due longest comes first."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(lanes.TAKE, _asked(wanted, now))).all()
            return await _loaded(transaction.connection, rows)

    async def take(self, wanted: Sequence[Wanted], *, now: datetime) -> list[Ticket]:
        """As `claim`, without what the messages need."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(lanes.TAKE, _asked(wanted, now))).all()
        return [Ticket(row.id, row.system, row.claims) for row in rows]

    async def offer(self, wanted: Sequence[Wanted], *, now: datetime) -> list[Ticket]:
        """Tickets for heads of lanes that are due; nobody gets the same ones again before the lease ends."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(lanes.OFFER, _asked(wanted, now))).all()
        return [Ticket(*row) for row in rows]

    async def claim_offered(self, tickets: Sequence[Ticket], *, now: datetime, lease: timedelta) -> list[Claimed]:
        """Those deliveries whose ticket is still good, now ours. Of the others somebody else takes care, or did."""
        async with self.store.transaction() as transaction:
            values: dict[str, object] = {"ids": [ticket.id for ticket in tickets], "now": now, "lease": now + lease}
            values |= {"claims": [ticket.claims for ticket in tickets]}
            rows = (await transaction.connection.execute(lanes.TAKE_OFFERED, values)).all()
            return await _loaded(transaction.connection, rows)

    # --- sending ---

    async def sending(self, sealed: Sequence[Sealed]) -> frozenset[UUID]:
        """Journal what is about to leave, before it does: an answer can then never find us without a record.

        Returns the deliveries that may leave. The others are not ours any more, or sending was switched off.
        """
        async with self.store.transaction() as transaction:
            values: dict[str, object] = {"ids": [one.claimed.id for one in sealed]}
            values |= {"claims": [one.claimed.claims for one in sealed], "leases": [one.lease for one in sealed]}
            values |= {"messages": [one.message.id for one in sealed], "sent_ats": [one.at for one in sealed]}
            ours = frozenset((await transaction.connection.execute(lanes.SENDING, values)).scalars())
            entries = [_out(one.claimed, one.message) for one in sealed if one.claimed.id in ours]
            if entries:
                await transaction.connection.execute(JOURNAL, journal_rows(entries))
        return ours

    async def asking(self, claimed: Claimed, question: Message, *, lease: datetime) -> None:
        """Journal a question that is asked before the message is written, and keep the delivery until `lease`.

        It is no sending: a worker lost now leaves no doubt. Raises NotOurs when another worker has it by now.
        """
        async with self.store.transaction() as transaction:
            values = {"id": claimed.id, "claims": claimed.claims, "lease": lease}
            if not (await transaction.connection.execute(lanes.STILL_OURS, values)).rowcount:
                raise NotOurs
            entry = replace(_out(claimed, question), kind=question.door)
            await transaction.connection.execute(JOURNAL, journal_rows([entry]))

    async def asked(self, question: Message, verdict: Verdict, text: str) -> None:
        """How a question ended. Its answer is not kept: it holds tokens, or what concerns nobody here."""
        async with self.store.transaction() as transaction:
            await _verdicts(transaction.connection, [(question.id, verdict, text)])

    async def not_taken(self, claimed: Claimed, sent: Message, answer: Message | None, text: str) -> None:
        """One attempt of several within the same claim: the journal says why it was not the last."""
        async with self.store.transaction() as transaction:
            await _verdicts(transaction.connection, [(sent.id, Verdict.REFUSED, text)])
            if answer is not None:
                entry = _answer(claimed, answer, Verdict.REFUSED, text)
                await transaction.connection.execute(JOURNAL, journal_rows([entry]))

    # --- settling ---

    async def settle(self, ended: Sequence[Ended]) -> list[Learned]:
        """Commit how attempts ended. Where the other side's id is another case's, that delivery is parked."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            learned = await _awaited(connection, ended, await _learned(connection, ended))
            settled = [_apart(one, *found) for one, found in zip(ended, learned, strict=True)]
            ours = frozenset((await connection.execute(lanes.SETTLE, _settling(settled))).scalars())
            await connection.execute(lanes.BEHIND, _behind([one for one in settled if one.claimed.id in ours]))
            await _verdicts(connection, [(one.sent.id, one.verdict, one.trouble.text) for one in settled if one.sent])
            answers = [_answer(one.claimed, one.answer, one.verdict, one.trouble.text) for one in settled if one.answer]
            if answers:
                await connection.execute(JOURNAL, journal_rows(answers))
        return [what for what, _ in learned]

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


def acknowledged(
    claimed: Claimed, sent: Message, answer: Message | None, binding: Binding | None, *, at: datetime, note: str = ""
) -> Ended:  # fmt: skip
    """The other side took it. `note`: what people should know of it although it was taken."""
    done, trouble = DeliveryState.ACKNOWLEDGED, Trouble("", note) if note else _FINE
    return Ended(claimed, done, Verdict.ACKNOWLEDGED, at, trouble, sent, answer, binding)


def again(
    claimed: Claimed, sent: Message | None, answer: Message | None, trouble: Trouble, *, at: datetime
) -> Ended:  # fmt: skip
    """Not taken, or in doubt and safe to repeat: the lane waits until `at`."""
    state = DeliveryState.IN_DOUBT if trouble.in_doubt else DeliveryState.PENDING
    return Ended(claimed, state, Verdict.WAITING, at, trouble, sent, answer)


def put_off(claimed: Claimed, text: str, *, at: datetime) -> Ended:
    """Nothing was tried: something of ours is not ready yet. The lane waits until `at`."""
    return replace(again(claimed, None, None, Trouble("", text, claimed.in_doubt), at=at), untried=True)


def parked(
    claimed: Claimed, sent: Message | None, answer: Message | None, trouble: Trouble, *, at: datetime,
    refused: bool = False,
) -> Ended:  # fmt: skip
    """A person has to look: the lane stands still, every other lane goes on. `refused`: the other side said no."""
    state = DeliveryState.REFUSED if refused else DeliveryState.PARKED
    return Ended(claimed, state, Verdict.REFUSED if refused else Verdict.PARKED, at, trouble, sent, answer)


# --- taking up ---


def _asked(wanted: Sequence[Wanted], now: datetime) -> dict[str, object]:
    return {
        "systems": [one.system for one in wanted], "places": [one.places for one in wanted],
        "leases": [now + one.lease for one in wanted], "now": now,
    }  # fmt: skip


async def _loaded(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Claimed]:
    """What the messages of these deliveries need."""
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: (row.due_at, row.id))
    ids = sorted({row.case_id for row in rows})
    keys = {"ns": list(range(len(rows))), "ids": [row.case_id for row in rows], "seqs": [row.event_seq for row in rows]}
    facts = (await connection.execute(lanes.LOAD, keys)).all()
    named = [row for row in rows if row.address]
    addresses = {"ids": ids, "systems": [row.system for row in named], "addresses": [row.address for row in named]}
    bodies = (await connection.execute(lanes.BINDINGS, addresses)).scalars()
    own: dict[UUID, list[Binding]] = {}
    called: dict[tuple[str, str], Binding] = {}
    for binding in sorted(map(Binding.model_validate_json, bodies), key=lambda one: one.external_id):
        own.setdefault(binding.case_id, []).append(binding)
        called[binding.system, binding.external_id] = binding
    return [_claimed(rows[n], state, body, rounds, own, called) for n, state, body, rounds in facts]


def _claimed(
    row: Row[Any], state: str, body: str, rounds: int, own: Mapping[UUID, Sequence[Binding]],
    called: Mapping[tuple[str, str], Binding],
) -> Claimed:  # fmt: skip
    case = _as_of(Case.model_validate_json(state), rounds, row.system)
    bindings = [binding for binding in own.get(case.id, ()) if binding.system == row.system]
    source = next((binding for binding in bindings if binding.role is BindingRole.SOURCE), None)
    if row.address:  # which may follow another case since: the one its own was merged into
        addressed = called.get((row.system, row.address))
    else:  # the owner may have told us its id since this was decided
        round_ = len(case.assignments)
        owners = [binding for binding in bindings if binding.role is BindingRole.OWNER and binding.round == round_]
        addressed = latest_told(owners)
    return Claimed(
        id=row.id, system=row.system, message=row.message, seq=row.seq, attempts=row.attempts, claims=row.claims,
        in_doubt=row.in_doubt, created_at=row.created_at, since=row.since, sent_at=row.sent_at, case=case,
        action=Event.model_validate_json(body).action, binding=addressed, source_binding=source,
        replays=row.replays, edition=row.edition,
    )  # fmt: skip


def _as_of(case: Case, rounds: int, system: str) -> Case:
    """The case with the rounds this message is about: a later round must not lend an earlier one its number.

    `rounds`: how many there were when this was decided; 0 before the first dispatch.
    """
    known = case.assignments[: rounds or None]
    own = [assignment.round for assignment in known if assignment.system == system]
    return case.model_copy(update={"assignments": case.assignments[: own[-1]]}) if own else case


# --- settling ---


async def _learned(connection: AsyncConnection, ended: Sequence[Ended]) -> list[tuple[Learned, str]]:
    """What each ending told of the other side's ids, which are kept; and what people must know of it."""
    bindings = [one.binding for one in ended if one.binding is not None]
    if not bindings:
        return [(Learned.NOTHING, "")] * len(ended)
    kept = {tuple(row) for row in await connection.execute(BIND_NEW, binding_rows(bindings))}
    found: list[tuple[Learned, str]] = []
    for one in ended:
        binding = one.binding
        if binding is None:
            found.append((Learned.NOTHING, ""))
        elif (key := (binding.system, binding.external_id, binding.case_id)) in kept:
            kept.discard(key)  # a second one with the same words learns nothing new
            found.append((Learned.IDENTITY, ""))
        else:
            found.append(await _told_before(connection, binding))
    return found


async def _awaited(
    connection: AsyncConnection, ended: Sequence[Ended], learned: Sequence[tuple[Learned, str]]
) -> list[tuple[Learned, str]]:
    """The same, knowing which of the new identities messages are held for."""
    pairs = list(zip(ended, learned, strict=True))
    new = sorted({one.identity for one, (what, _) in pairs if what is Learned.IDENTITY})
    if not new:
        return list(learned)
    keys = {"systems": [system for system, _ in new], "external_ids": [external_id for _, external_id in new]}
    held = {tuple(row) for row in await connection.execute(lanes.HELD, keys)}
    return [
        (Learned.AWAITED if what is Learned.IDENTITY and one.identity in held else what, text)
        for one, (what, text) in pairs
    ]


async def _told_before(connection: AsyncConnection, binding: Binding) -> tuple[Learned, str]:
    """An id somebody has already; the other side's word for a later round of the same case moves it there."""
    keys = {"case_id": binding.case_id, "system": binding.system, "external_id": binding.external_id}
    row = (await connection.execute(lanes.BOUND, keys)).one()
    there = Binding.model_validate_json(row.body)
    if not row.ours:
        return Learned.CONFLICT, _ELSEWHERE.format(id=binding.external_id, no=row.no)
    if there.role is BindingRole.OWNER and there.case_id == binding.case_id and there.round < binding.round:
        await connection.execute(REBIND, binding_rows([binding]))
        return Learned.IDENTITY, ""
    return Learned.NOTHING, ""


_ELSEWHERE = (
    "taken, but the other side's id '{id}' is that of case {no} already, and stays so. Ask the other side which is"
    " right: withdraw goes on without its id, release sends it again"
)


def _apart(one: Ended, learned: Learned, told: str) -> Ended:
    """The ending, parked where the other side's id means another case."""
    if learned is not Learned.CONFLICT:
        return one
    text = "; ".join(filter(None, (told, one.trouble.text)))
    trouble = Trouble(str(learned), text)
    return replace(one, state=DeliveryState.PARKED, verdict=Verdict.PARKED, trouble=trouble)


def _settling(ended: Sequence[Ended]) -> dict[str, object]:
    """The parameters of SETTLE, in the order of ids."""
    ordered = sorted(ended, key=lambda one: one.claimed.id)
    return {
        "ids": [one.claimed.id for one in ordered], "claims": [one.claimed.claims for one in ordered],
        "states": [one.state.value for one in ordered], "ats": [one.at for one in ordered],
        "done_ats": [None if one.state in UNDER_WAY else one.at for one in ordered],
        "whys": [one.trouble.why for one in ordered], "texts": [one.trouble.text for one in ordered],
        "in_doubts": [one.trouble.in_doubt for one in ordered], "untrieds": [int(one.untried) for one in ordered],
    }  # fmt: skip


def _behind(settled: Sequence[Ended]) -> dict[str, object]:
    """The parameters of BEHIND. No time at all behind one that waits for a person, who brings it back."""
    return {
        "cases": [one.claimed.case.id for one in settled], "systems": [one.claimed.system for one in settled],
        "seqs": [one.claimed.seq for one in settled],
        "ats": [None if one.state in STUCK else one.at for one in settled],
        "dones": [one.state is DeliveryState.ACKNOWLEDGED for one in settled],
    }  # fmt: skip


async def _verdicts(connection: AsyncConnection, verdicts: Sequence[tuple[UUID, Verdict, str]]) -> None:
    if not verdicts:
        return
    ids, words, texts = zip(*sorted(verdicts), strict=True)
    await connection.execute(lanes.VERDICTS, {"ids": list(ids), "verdicts": list(words), "texts": list(texts)})


def _out(claimed: Claimed, message: Message) -> JournalEntry:
    return JournalEntry(
        message, Direction.OUT, Verdict.WAITING, kind=claimed.message, is_report=False, case_id=claimed.case.id
    )  # fmt: skip


def _answer(claimed: Claimed, answer: Message, verdict: Verdict, text: str) -> JournalEntry:
    return JournalEntry(
        answer, Direction.ANSWER, verdict, text=text, kind=claimed.message, is_report=False, case_id=claimed.case.id
    )  # fmt: skip
