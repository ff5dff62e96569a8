"""A message as it travels, and the verdict every message ends with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Optional
from uuid import UUID


class Direction(StrEnum):
    """Seen from the hub."""

    IN = "in"
    OUT = "out"
    ANSWER = "answer"
    """What the other side answered to an outbound message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A body as it travels, and just enough around it to read it again in a year. Never printed: citizens' data."""

    system: str
    body: bytes = field(repr=False)
    at: datetime
    """When the hub received it or made it; aware."""
    id: UUID
    door: str = ""
    """Inbound: which declared door of the system it came through. Outbound: which declared message it is."""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Lower-case names. Outbound: headers to send."""
    method: str = "POST"
    path: str = ""
    """Outbound: path or SOAP operation at the other side. Inbound: what followed the door in the URL."""
    status: int = 0
    """HTTP status, of answers only."""
    parent: UUID | None = None
    """The message this one was split out of."""
    gone: str = ""
    """SHA-256 of the body, where retention has removed that: it cannot be read again."""
    content: Any = field(default=None, repr=False, compare=False)
    """Outbound: the body before it became bytes. Not kept: it is there for whoever judges the answer."""
    asked: Optional["Message"] = field(default=None, repr=False, compare=False)
    """Of an answer, while it is judged: the message it answers."""


class Verdict(StrEnum):
    """How a message ended. The first word of the journal's answer to "what became of it?"."""

    CASE = "case"
    """A report that became a case."""
    JOINED = "joined"
    """A report that joined a case another report had opened."""
    REPEATED = "repeated"
    """Known already, word for word: answered as before, nothing added."""
    APPLIED = "applied"
    """An action that was done to a case."""
    ADDED = "added"
    """It belongs to a report that is known already: later pictures, a stop, a correction in words."""
    COUNTED = "counted"
    """A telling of an alarm that makes no case of its own: counted with its device."""
    NOTED = "noted"
    """Understood, and nothing of it concerns a case: a heartbeat, a device catalogue, a test."""
    SPLIT = "split"
    """A page that held other messages; each has its own row and verdict."""
    REFUSED = "refused"
    """Rejected with a reason the source was told."""
    QUARANTINED = "quarantined"
    """Deferred: a code has no counterpart. One added row and a replay heals it."""
    HELD = "held"
    """Deferred: it speaks of a case whose binding is still on its way here."""
    WAITING = "waiting"
    """Outbound: not yet acknowledged."""
    ACKNOWLEDGED = "acknowledged"
    PARKED = "parked"


ACCEPTED = frozenset(
    {
        Verdict.CASE, Verdict.JOINED, Verdict.REPEATED, Verdict.APPLIED, Verdict.ADDED, Verdict.COUNTED,
        Verdict.NOTED, Verdict.SPLIT,
    }
)  # fmt: skip
"""The source is answered with its own word for success, after the commit."""
