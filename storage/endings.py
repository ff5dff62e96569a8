"""How attempts end, and what the other side's answers tell of its own ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from canonical.case import Binding, BindingRole
from canonical.message import Message, Verdict
from canonical.records import STUCK, UNDER_WAY, DeliveryState
from storage import lanes
from storage.claims import Claimed
from storage.driver import Connection, Prepared
from storage.rows import BIND_NEW, REBIND, binding_rows


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


_FINE = Trouble("", "")
_BIND_NEW, _REBIND = Prepared(BIND_NEW), Prepared(REBIND)
_HELD, _BOUND = Prepared(lanes.HELD), Prepared(lanes.BOUND)


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


async def learned(connection: Connection, ended: Sequence[Ended]) -> tuple[list[Ended], list[Learned]]:
    """Keep the ids the other sides told. Returns the endings as they are to be settled, and what each told.

    An ending whose id is another case's becomes a parked one.
    """
    found = await _awaited(connection, ended, await _told(connection, ended))
    settled = [_apart(one, *what) for one, what in zip(ended, found, strict=True)]
    return settled, [what for what, _ in found]


async def _told(connection: Connection, ended: Sequence[Ended]) -> list[tuple[Learned, str]]:
    """What each ending told of the other side's ids, which are kept; and what people must know of it."""
    bindings = [one.binding for one in ended if one.binding is not None]
    if not bindings:
        return [(Learned.NOTHING, "")] * len(ended)
    kept = {tuple(row) for row in await _BIND_NEW.fetch(connection, binding_rows(bindings))}
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
    connection: Connection, ended: Sequence[Ended], learned: Sequence[tuple[Learned, str]]
) -> list[tuple[Learned, str]]:
    """The same, knowing which of the new identities messages are held for."""
    pairs = list(zip(ended, learned, strict=True))
    new = sorted({one.identity for one, (what, _) in pairs if what is Learned.IDENTITY})
    if not new:
        return list(learned)
    keys = {"systems": [system for system, _ in new], "external_ids": [external_id for _, external_id in new]}
    held = {tuple(row) for row in await _HELD.fetch(connection, keys)}
    return [
        (Learned.AWAITED if what is Learned.IDENTITY and one.identity in held else what, text)
        for one, (what, text) in pairs
    ]


async def _told_before(connection: Connection, binding: Binding) -> tuple[Learned, str]:
    """An id somebody has already; the other side's word for a later round of the same case moves it there."""
    keys = {"case_id": binding.case_id, "system": binding.system, "external_id": binding.external_id}
    [(body, no, ours)] = await _BOUND.fetch(connection, keys)
    there = Binding.model_validate_json(body)
    if not ours:
        return Learned.CONFLICT, _ELSEWHERE.format(id=binding.external_id, no=no)
    if there.role is BindingRole.OWNER and there.case_id == binding.case_id and there.round < binding.round:
        await _REBIND.fetch(connection, binding_rows([binding]))
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


def settling(ended: Sequence[Ended]) -> dict[str, object]:
    """The parameters of SETTLE, in the order of ids, but for what goes to the journal.

    No time at all behind one that waits for a person, who brings it back.
    """
    ordered = sorted(ended, key=lambda one: one.claimed.id)
    sent = sorted((one.sent.id, one.verdict, one.trouble.text) for one in ended if one.sent)
    return {
        "ids": [one.claimed.id for one in ordered], "claims": [one.claimed.claims for one in ordered],
        "states": [one.state.value for one in ordered], "ats": [one.at for one in ordered],
        "done_ats": [None if one.state in UNDER_WAY else one.at for one in ordered],
        "whys": [one.trouble.why for one in ordered], "texts": [one.trouble.text for one in ordered],
        "in_doubts": [one.trouble.in_doubt for one in ordered], "untrieds": [int(one.untried) for one in ordered],
        "behinds": [None if one.state in STUCK else one.at for one in ordered],
        "sent": [id_ for id_, _, _ in sent], "verdicts": [verdict for _, verdict, _ in sent],
        "told": [text for _, _, text in sent],
    }  # fmt: skip
