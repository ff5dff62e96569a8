"""重放 Replay: what was kept is read or sent once more, on purpose, by somebody, for a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from canonical.message import Direction
from canonical.time import Instant

MOST = 100_000
"""Items of one replay; whoever needs more takes period by period."""


class How(StrEnum):
    """What becomes of the bytes that are kept."""

    READ = "read"
    """Inbound: read again, and taken in."""
    VERBATIM = "verbatim"
    """Outbound: the body as it travelled; tokens, times and signatures around it are new."""
    ANEW = "anew"
    """Outbound: written again of what the case was told then."""


class OnFailure(StrEnum):
    """What follows when an item does not end well."""

    STOP = "stop"
    """Nothing more; one after the other in the original order."""
    SKIP = "skip"
    """The rest of its case is left out, so that nothing overtakes it; others go on."""


class ReplayState(StrEnum):
    """How far a replay is."""

    PLANNED = "planned"
    """Counted and shown; nothing has been done."""
    RUNNING = "running"
    STOPPED = "stopped"
    """By a failure or a person; it can be run on."""
    DONE = "done"


class ItemState(StrEnum):
    """How far one item of a replay is."""

    PLANNED = "planned"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Nothing was done: the text says why."""


Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Chosen(BaseModel):
    """Which of a system's messages. Each list narrows; within a list any may fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Instant | None = Field(default=None, description="received or sent at or after this instant")
    until: Instant | None = Field(default=None, description="received or sent before this instant")
    verdict: tuple[Word, ...] = Field(
        default=(), max_length=20, description="inbound: verdicts, such as quarantined; outbound: states of deliveries"
    )
    kind: tuple[Word, ...] = Field(default=(), max_length=100, description="names of declared messages")
    case: tuple[Word, ...] = Field(default=(), max_length=5000, description="numbers of cases")
    id: tuple[Word, ...] = Field(default=(), max_length=5000, description="the system's own ids")
    message: tuple[UUID, ...] = Field(default=(), max_length=5000, description="ids of the journal or of deliveries")

    @property
    def empty(self) -> bool:
        """True when it would choose everything."""
        return not self.model_dump(exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that can be replayed."""

    id: UUID
    """The message, or the delivery."""
    original: UUID | None
    """The message whose bytes are read or sent again; None where none is kept."""
    lane: str
    """What must stay in order: the case, else whatever it is known by."""
    case_id: UUID | None
    kind: str
    at: datetime
    was: str
    """Its verdict, or its state, when it was chosen."""
    order: int = 0
    """Within its lane."""
    same: str = ""
    """What it is at bottom: a thing and its replays have one."""
    round: int = 1
    """Which replay of it this is."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the ledger."""

    replay: UUID
    no: int
    subject: UUID
    original: UUID | None
    lane: str
    case_id: UUID | None
    kind: str
    at: datetime
    was: str
    round: int
    state: ItemState
    result: UUID | None
    outcome: str
    text: str
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The head of a ledger: who, what, when and why."""

    id: UUID
    system: str
    direction: Direction
    how: How
    edition: str
    on_failure: OnFailure
    chosen: Mapping[str, Any]
    counts: Mapping[str, Any]
    total: int
    state: ReplayState
    actor: str
    reason: str
    text: str
    planned_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    items: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Items by state."""


def in_order(subjects: Iterable[Subject]) -> list[Subject]:
    """Over all by time, and within a lane in the lane's own order, though clocks of two machines may differ."""
    lanes: dict[str, tuple[datetime, UUID]] = {}
    placed = []
    for number, one in enumerate(sorted(subjects, key=_in_lane)):
        latest = lanes[one.lane] = max((one.at, one.id), lanes.get(one.lane, (one.at, one.id)))
        placed.append((latest, number, one))
    return [one for *_, one in sorted(placed, key=lambda place: place[:2])]


def once(subjects: Iterable[Subject]) -> list[Subject]:
    """Each thing once: of a thing and its replays the first that was chosen."""
    first: dict[str, Subject] = {}
    for one in sorted(subjects, key=_in_lane):
        first.setdefault(one.same or str(one.id), one)
    return list(first.values())


def _in_lane(one: Subject) -> tuple[str, int, datetime, UUID]:
    return one.lane, one.order, one.at, one.id
