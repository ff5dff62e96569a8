"""Codes without a row: which, how often, what they may mean; what a row would heal, and adding it as the hub runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from uuid import UUID

from adapters.code_table import OUTCOMES, CodeTable, read_code_table
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.message import Direction, Message
from canonical.replay import Chosen, OnFailure, Replay
from canonical.tables import TableRow
from gateway.configuration import ConnectedSystem
from gateway.drift import MOST, Missing, Wholes, codes_of
from gateway.hub import Hub
from gateway.renewal import Renewal
from gateway.replay.plan import Order, reading_with, said
from gateway.replay.run import Replayer, keep_editions
from storage.code_rows import CodeRow, CodeRows

SUGGESTED = 5
AT_ONCE = 15.0
"""Seconds for which an order waits until its messages are read again; then workers go on."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A row of the same table that is like the code."""

    local: str
    canonical: str
    title: str
    score: float
    """How like the code of the row is, 0 to 1."""


@dataclass(slots=True)
class Waiting:
    """Messages of one system that wait for a row of one code."""

    missing: Missing
    messages: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a row would do."""

    row: CodeRow
    messages: tuple[UUID, ...]
    reads: tuple[tuple[UUID, str], ...]
    """Each message, and what it would read as: a declared message, or the verdict that would follow."""

    @property
    def heals(self) -> int:
        """Messages that would be read."""
        return sum(1 for _, as_ in self.reads if as_ not in {"quarantined", "refused"})


async def waiting(hub: Hub, *, system: str = "") -> list[Waiting]:
    """The codes without a row in the newest quarantined messages, the most frequent first. Others work meanwhile."""
    wholes, found = Wholes(hub.journal), dict[tuple[str, str, str], Waiting]()
    for message in await hub.journal.unmapped(system=system, limit=MOST):
        await asyncio.sleep(0)  # nobody at the doors waits for more than one reading
        connected = hub.configuration.systems.get(message.system)
        explained = await wholes.explained(message, connected) if connected else []
        for one in codes_of(message, explained):
            key = (one.system, one.table, one.code)
            if key in found:
                found[key].missing = found[key].missing.with_more(one)
            else:
                found[key] = Waiting(one)
            if message.id not in found[key].messages:
                found[key].messages.append(message.id)
    return sorted(found.values(), key=lambda one: (one.missing.system, -one.missing.count, one.missing.code))


def suggestions(connected: ConnectedSystem, table: str, code: str) -> list[Suggestion]:
    """Rows of the table whose codes are most like this one, the likest first."""
    found = _table(connected, table.removeprefix("codes/").removesuffix(".csv"))
    if found is None or found.reverse:
        return []
    scored = [
        Suggestion(key, row["canonical"], row["title"], round(_likeness(code, key), 3))
        for key, row in found.rows.items()
    ]
    return sorted(scored, key=lambda one: (-one.score, one.local))[:SUGGESTED]


def _likeness(one: str, other: str) -> float:
    """Codes of a list begin alike where they mean something alike: the beginning counts as much as all the rest."""
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    beginning = same / max(len(one), len(other), 1)
    return (beginning + SequenceMatcher(None, one, other).ratio()) / 2


def _table(connected: ConnectedSystem, table: str) -> CodeTable | None:
    path = connected.folder / "codes" / f"{table}.csv"
    return read_code_table(path, [], name=path.name) if path.is_file() else None


class Crosswalk:
    """Adding rows at one hub."""

    def __init__(self, hub: Hub, renewal: Renewal) -> None:
        self.hub, self.renewal, self.rows = hub, renewal, CodeRows(hub.store)

    async def tried(self, row: CodeRow) -> tuple[Tried, int]:
        """What the row would do, and the number of the last row it was tried beside. Raises Misconfigured."""
        _checked(row, self.hub.configuration.systems[row.system])
        after = await self.rows.newest()
        before = await self.rows.all(row.system)
        made = await self.renewal.made(row.system, [*before, row])
        if row not in made.used:
            raise Misconfigured(
                f"codes/{row.table}.csv has a row for '{row.local}' already, or '{row.local}' cannot be the key of one"
            )
        messages = next(
            (
                one.messages
                for one in await waiting(self.hub, system=row.system)
                if (one.missing.table, one.missing.code) == (f"codes/{row.table}.csv", row.local)
            ),
            [],
        )
        reception, reads = reading_with(self.hub, made.connected), []
        for message in await self._whole(messages):
            await asyncio.sleep(0)
            reads.append((message.id, ", ".join(await said(reception, message))))
        return Tried(row, tuple(messages), tuple(reads)), after

    async def _whole(self, messages: Sequence[UUID]) -> list[Message]:
        kept = await self.hub.journal.whole(messages)
        return [kept[one] for one in messages if one in kept and not kept[one].gone]

    async def add(self, row: CodeRow) -> Tried:
        """Add the row, and use it here at once. Raises Misconfigured, Unacceptable: another was added just now."""
        tried, after = await self.tried(row)
        if not await self.rows.add(row, after=after):
            raise Unacceptable("another row was added just now: try again", why=Why.NOT_ALLOWED)
        await self.renewal.look()
        return tried

    async def replay(self, system: str, messages: Sequence[UUID], *, by: str, reason: str) -> Replay | None:
        """Read these again with today's tables; None: there are none. What takes long, workers carry on."""
        if not messages:
            return None
        await keep_editions(self.hub)
        loop = asyncio.get_running_loop()
        end = loop.time() + AT_ONCE
        replayer = Replayer(self.hub, ending=lambda: loop.time() >= end)
        chosen = Chosen(message=tuple(messages), verdict=("quarantined",))
        planned = await replayer.plan(
            Order(system=system, direction=Direction.IN, chosen=chosen, on_failure=OnFailure.SKIP)
        )
        if not planned.total:
            return None
        await replayer.start(planned.id, by, reason)
        return await replayer.run(planned.id)


def _checked(row: CodeRow, connected: ConnectedSystem) -> None:
    """Raises Misconfigured that says what to do."""
    table = _table(connected, row.table) if "/" not in row.table and ".." not in row.table else None
    if table is None:
        known = ", ".join(path.stem for path in sorted(connected.folder.glob("codes/*.csv"))) or "none"
        raise Misconfigured(f"{row.system} has no table '{row.table[:64]}'; there are: {known}")
    if table.reverse:
        raise Misconfigured(
            f"codes/{row.table}.csv is written from, not read: add the row in the folder and start anew"
        )
    if row.local in table.rows:
        said_ = table.rows[row.local]
        raise Misconfigured(
            f"codes/{row.table}.csv:{said_.line}: '{row.local}' has a row already: {said_['canonical']}; edit that line"
        )
    cells = (row.local, row.canonical, row.title)
    if any(sign in cell for cell in cells for sign in "\r\n\0"):
        raise Misconfigured("a cell holds no line end")


def known_values(connected: ConnectedSystem, table: str) -> list[str]:
    """What rows of this table say, and the words for no value: to choose from."""
    found = _table(connected, table)
    rows: list[TableRow] = list(found.rows.values()) if found else []
    return [*sorted({row["canonical"] for row in rows if row["canonical"]} - set(OUTCOMES)), *OUTCOMES]
