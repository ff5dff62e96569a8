"""What a row is as a leaf: one line of JSON in which personal data stand as commitments, so that they can be left out.

A commitment is the digest of the line that discloses it, and that line has a salt of its own: nobody can find a phone
number by trying all of them. The line of a leaf is what is hashed, byte for byte; a pack holds these very lines.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.evidence.verify import DISCLOSED, LEAF, Hash, plain
from storage.seals import EventRow, MessageRow, Row

FORM = 2
"""Of the lines. Who changes what a line holds, or what is committed in it, raises it and keeps the earlier form."""


class Kept(StrEnum):
    """Why something stands as a commitment."""

    PERSON = "person"
    """Who reported, what a source sent besides, where files lie, and the names of those who acted."""
    TRANSPORT = "transport"
    """Headers and paths: they may hold partners' keys and tokens."""


_FIRST_FORM = (
    "action.report.reporter", "action.report.extra", "action.report.attachments", "action.actor.name",
    "action.attachments",
)  # fmt: skip
_OF_EVENTS: Mapping[int, Mapping[str, Kept]] = {
    1: dict.fromkeys(_FIRST_FORM, Kept.PERSON),
    2: dict.fromkeys((*_FIRST_FORM, "action.officer", "action.report.collector"), Kept.PERSON),
}
"""By form: what of an event stands as a commitment. All else stands as it is; docs/evidence.md says why."""
COMMITTED = frozenset(_OF_EVENTS[FORM])
_OF_MESSAGES: Mapping[str, Kept] = {"headers": Kept.TRANSPORT, "path": Kept.TRANSPORT}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a commitment is of."""

    kept: Kept
    line: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row as it is sealed."""

    line: bytes
    disclosures: Sequence[Disclosure]

    def digest(self, hash_: Hash) -> bytes:
        """Of the leaf in its tree."""
        return hash_(LEAF + self.line)


def leaf_of(row: Row, salt: bytes, hash_: Hash, form: int = FORM) -> Leaf:
    """The leaf of this row under the salt and in the form of its seal.

    Before it is sealed: under a salt that nobody knows, in the form that seals have now.
    """
    kind, name, said, kept = _event(row, form) if isinstance(row, EventRow) else _message(row)
    disclosures = []
    for at, why in kept.items():
        *way, last = at.split(".")
        place: Any = said
        for step in way:
            place = place.get(step) if isinstance(place, dict) else None
        if isinstance(place, dict) and place.get(last):
            of = f"{kind} {name}"
            own = hmac.digest(salt, f"{of}\0{at}".encode(), "sha256").hex()
            line = plain({"of": of, "at": f"{kind}.{at}", "salt": own, "value": place[last]})
            place[last] = {"committed": hash_(DISCLOSED + line).hex()}
            disclosures.append(Disclosure(why, line))
    return Leaf(plain({kind: said}), disclosures)


def _event(row: EventRow, form: int) -> tuple[str, str, dict[str, Any], Mapping[str, Kept]]:
    body: dict[str, Any] = json.loads(row.body)
    return "event", f"{row.place.id}/{row.place.seq}", body, _OF_EVENTS[form]


def _message(row: MessageRow) -> tuple[str, str, dict[str, Any], Mapping[str, Kept]]:
    said = {
        "id": str(row.place.id), "at": instant(row.at), "direction": row.direction, "system": row.system,
        "door": row.door, "parent": str(row.parent) if row.parent else None, "content_type": row.content_type,
        "path": row.path, "status": row.status, "headers": json.loads(row.headers), "sha256": row.sha256,
    }  # fmt: skip
    return "message", said["id"], said, _OF_MESSAGES


def instant(at: datetime) -> str:
    """An instant as a line has it."""
    return at.astimezone(UTC).isoformat()


def strays(row: Row) -> str:
    """What stands beside the body of an event and says something else; empty: nothing does."""
    if isinstance(row, MessageRow):
        return ""
    body = json.loads(row.body)
    action = body.get("action", {})
    said = {
        "case_id": (str(row.place.id), body.get("case_id")), "seq": (row.place.seq, body.get("seq")),
        "action": (row.action, action.get("kind")), "party": (row.party, action.get("actor", {}).get("party")),
        "at": (row.at, _instant(action.get("at"))),
        "message_id": (str(row.message_id) if row.message_id else None, body.get("message_id")),
    }  # fmt: skip
    return ", ".join(name for name, (column, inside) in said.items() if column != inside)


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
