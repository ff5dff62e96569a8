"""The whole chain against the database: finds what was changed, removed or slipped in behind the hub's back.

What retention may have removed is counted, not complained of: its ledger says until which day it cuts.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Unacceptable
from gateway.evidence.leaf import leaf_of, strays
from gateway.evidence.seal import algorithm_of, form_of, nodes, said_by
from gateway.evidence.tree import Tree, needed_with, nodes_with, root_of, standing_with
from gateway.evidence.verify import LEAF, Hash, hash_of
from storage import evidence, seals
from storage.partitions import made_at
from storage.retention import cut_until
from storage.seals import BEGINNING, EVENT, MESSAGE, Leaves, Place, Row, Seal
from storage.store import Store

_AT_ONCE = 4096
_EVER = 2**62
"""After every transaction: what is sealed is decided."""


class Wrong(StrEnum):
    """What is wrong with a row, or with the chain."""

    CHANGED = "changed"
    REMOVED = "removed"
    SLIPPED_IN = "slipped_in"
    """A row stands where everything was sealed already."""
    CHAIN = "chain"
    """A seal is not what the seals around it say."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding."""

    wrong: Wrong
    where: str
    seal: int
    text: str


@dataclass(slots=True)
class Checked:
    """What a check has seen."""

    seals: int = 0
    rows: int = 0
    """That are there as they were sealed."""
    cut: int = 0
    """That are gone, of before the day until which retention cuts."""
    head: str = ""
    findings: list[Found] = field(default_factory=list)


class Checker:
    """One check, from a seal on."""

    def __init__(self, store: Store, *, progress: Callable[[Checked], None] = lambda _: None) -> None:
        self.store, self.progress = store, progress
        self.checked = Checked()
        self._cut_until: dict[int, datetime | None] = {}

    async def all(self, first: int = 1) -> Checked:
        """Every seal from `first` on. All of one moment."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await evidence.still(connection)
            events, messages = await cut_until(connection)
            self._cut_until = {EVENT: events, MESSAGE: messages}
            before = (await seals.seals(connection, [first - 1])).get(first - 1)
            expected = first
            async for seal in seals.all_seals(connection, first):
                if seal.no != expected:
                    self._finds(
                        Wrong.CHAIN, f"seal {expected}", seal.no, f"seals {expected} to {seal.no - 1} are missing"
                    )
                await self._seal(connection, before, seal)
                before, expected = seal, seal.no + 1
                self.checked.seals += 1
                self.progress(self.checked)
            self.checked.head = before.head if before else ""
        return self.checked

    def _finds(self, wrong: Wrong, where: str, seal: int, what: str) -> None:
        self.checked.findings.append(Found(wrong, where, seal, what))

    async def _seal(self, connection: AsyncConnection, before: Seal | None, seal: Seal) -> None:
        hash_ = hash_of(algorithm_of(seal))
        over = await seals.leaves(connection, seal.no)
        await self._chain(connection, hash_, before, seal, over)
        sealed = dict(zip(over.keys, over.digests, strict=True))
        async for row in _between(connection, before.upto if before else BEGINNING, seal.upto):
            digest = sealed.pop((row.place.id, row.place.seq), None)
            if digest is None:
                self._finds(
                    Wrong.SLIPPED_IN, _named(row.place), seal.no, "was written after all of its time was sealed"
                )
            elif leaf_of(row, over.salt, hash_, form_of(seal)).digest(hash_) != digest:
                self._finds(Wrong.CHANGED, _named(row.place), seal.no, "is not what was sealed")
            elif stray := strays(row):
                self._finds(Wrong.CHANGED, _named(row.place), seal.no, f"its {stray} says something else than its body")
            else:
                self.checked.rows += 1
        await self._missing(connection, seal, list(sealed))

    async def _chain(
        self, connection: AsyncConnection, hash_: Hash, before: Seal | None, seal: Seal, over: Leaves
    ) -> None:  # fmt: skip
        said, no = said_by(seal), seal.no
        try:
            node = await nodes(connection, needed_with(no))
        except Unacceptable as error:
            self._finds(Wrong.CHAIN, f"seal {no}", no, str(error))
            return
        own = nodes_with(hash_, no, hash_(LEAF + seal.header.encode()), node)
        node |= dict(zip(standing_with(no), own, strict=True))
        wrong = {
            "its rows": Tree(hash_, over.digests).root.hex() != said["root"] or len(over.digests) != said["count"],
            "its number": said["no"] != no,
            "the head before it": said["previous"] != (before.head if before else ""),
            "the nodes of the tree": b"".join(own) != seal.nodes,
            "the head of the chain": root_of(hash_, (0, no), node).hex() != seal.head,
        }
        for what in (name for name, bad in wrong.items() if bad):
            self._finds(Wrong.CHAIN, f"seal {no}", no, f"does not fit {what}")

    async def _missing(self, connection: AsyncConnection, seal: Seal, keys: list[tuple[UUID, int]]) -> None:
        cases = await evidence.there(connection, [id_ for id_, seq in keys if seq])
        for id_, seq in keys:
            kind = EVENT if seq else MESSAGE
            until, made = self._cut_until[kind], made_at(id_)
            if until is not None and made is not None and made < until and not (seq and id_ in cases):
                self.checked.cut += 1
            else:
                where = _named(Place(0, kind, id_, seq))
                self._finds(Wrong.REMOVED, where, seal.no, "was sealed, and is not there any more")


async def _between(connection: AsyncConnection, after: Place, upto: Place) -> AsyncIterator[Row]:
    """The rows after a place, up to another."""
    while rows := await seals.rows_after(connection, after, end=_EVER, limit=_AT_ONCE):
        for row in rows:
            if row.place > upto:
                return
            yield row
        after = rows[-1].place


def _named(place: Place) -> str:
    return f"event {place.id}/{place.seq}" if place.kind == EVENT else f"message {place.id}"
