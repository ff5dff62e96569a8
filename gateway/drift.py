"""Drift 代码漂移: codes that came and have no row, by system, found in the quarantined messages themselves.

Only values of rules with a code table (and of statuses) are told: nothing else of a message leaves the journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from adapters.trace import Traced, trace
from canonical.message import Message
from gateway.configuration import ConnectedSystem
from storage.journal import Journal

MOST = 2000
"""Messages looked at, the newest."""


@dataclass(frozen=True, slots=True)
class Missing:
    """One code without a row."""

    system: str
    table: str
    """The file below the system's folder that lacks it, or sets it aside for a person."""
    code: str
    field: str
    path: str
    count: int
    first: datetime
    last: datetime

    def with_more(self, more: "Missing") -> "Missing":
        """The same code, met again."""
        return replace(
            self, count=self.count + more.count, first=min(self.first, more.first), last=max(self.last, more.last)
        )


@dataclass(frozen=True, slots=True)
class Drift:
    """What one look at the journal found."""

    missing: tuple[Missing, ...]
    """Most frequent first, within their system."""
    messages: int
    """Quarantined for a code, and looked at."""
    unexplained: int
    """Of these: today's declarations find no missing code (a replay heals them), or their system is gone."""


@dataclass(slots=True)
class Wholes:
    """The messages that others came inside of, each fetched once and explained once."""

    journal: Journal
    kept: dict[UUID, list[Traced]] = field(default_factory=dict)

    async def explained(self, message: Message, connected: ConnectedSystem) -> list[Traced]:
        """A message, or the one part of another that it stands for."""
        part = message.path.removeprefix("#")
        if message.parent is None or part == message.path or not part.isdigit():
            return trace(connected.system, message)
        if message.parent not in self.kept:
            found = await self.journal.message(message.parent)
            self.kept[message.parent] = trace(connected.system, found[1]) if found else []
        return self.kept[message.parent][int(part) : int(part) + 1]


async def drift(journal: Journal, systems: Mapping[str, ConnectedSystem], *, system: str = "") -> Drift:
    """The codes without a row of one system, or of all."""
    messages = await journal.unmapped(system=system, limit=MOST)
    wholes, found, unexplained = Wholes(journal), dict[tuple[str, str, str, str], Missing](), 0
    for message in messages:
        connected = systems.get(message.system)
        explained = await wholes.explained(message, connected) if connected else []
        codes = codes_of(message, explained)
        unexplained += not codes
        for one in codes:
            key = (one.system, one.table, one.code, one.field)
            found[key] = found[key].with_more(one) if key in found else one
    ordered = sorted(found.values(), key=lambda one: (one.system, -one.count, one.table, one.code))
    return Drift(tuple(ordered), len(messages), unexplained)


def codes_of(message: Message, explained: Sequence[Traced]) -> list[Missing]:
    """The codes without a row of one message."""
    return [
        Missing(
            message.system, one.table, one.code, one.field, next((path for path, _ in one.raw), ""), 1,
            message.at, message.at,
        )
        for traced in explained
        for one in traced.fields
        if one.code
    ]  # fmt: skip
