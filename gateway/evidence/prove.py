"""Proofs of rows: from the line to the root of its seal, and from the seal to the head of the chain."""

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.evidence.leaf import Disclosure, instant, leaf_of
from gateway.evidence.seal import algorithm_of, form_of, roots
from gateway.evidence.tree import Tree, extension_spans, path_spans
from gateway.evidence.verify import hash_of
from storage import seals
from storage.seals import DIGEST, Row, Seal

_REMEMBERED = 32
"""Seals whose trees are kept at hand."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A row as it stands in a pack."""

    line: bytes
    disclosures: Sequence[Disclosure]
    seal: int | None
    """None: not sealed yet."""
    index: int = 0
    path: Sequence[str] = ()
    changed: bool = False
    """It is not what was sealed."""


@dataclass(frozen=True, slots=True)
class _Sealed:
    index: dict[tuple[UUID, int], int]
    tree: Tree
    salt: bytes
    form: int


class Prover:
    """Proofs in one transaction, against the newest head it sees."""

    def __init__(self, connection: AsyncConnection, head: Seal | None) -> None:
        self._connection, self.head = connection, head
        self.algorithm = algorithm_of(head) if head else "sha256"
        self.hash = hash_of(self.algorithm)
        self.used: set[int] = set()
        self._fresh = secrets.token_bytes(DIGEST)
        self._trees: OrderedDict[int, _Sealed] = OrderedDict()

    async def proven(self, rows: Sequence[Row]) -> list[Proven]:
        """Each row with its proof."""
        numbers = await seals.seals_of(self._connection, [row.place for row in rows])
        return [await self._one(row, no) for row, no in zip(rows, numbers, strict=True)]

    async def _one(self, row: Row, no: int | None) -> Proven:
        if no is None:
            leaf = leaf_of(row, self._fresh, self.hash)
            return Proven(leaf.line, leaf.disclosures, None)
        sealed = await self._sealed(no)
        leaf = leaf_of(row, sealed.salt, self.hash, sealed.form)
        at = sealed.index.get((row.place.id, row.place.seq))
        if at is None:  # it was slipped in among what was sealed long ago
            return Proven(leaf.line, leaf.disclosures, None, changed=True)
        self.used.add(no)
        path = [step.hex() for step in sealed.tree.path(at)]
        changed = sealed.tree.levels[0][at] != leaf.digest(self.hash)
        return Proven(leaf.line, leaf.disclosures, no, at, path, changed)

    async def _sealed(self, no: int) -> _Sealed:
        if no not in self._trees:
            leaves = await seals.leaves(self._connection, no)
            index = {key: at for at, key in enumerate(leaves.keys)}
            form = form_of((await seals.seals(self._connection, [no]))[no])
            self._trees[no] = _Sealed(index, Tree(self.hash, leaves.digests), leaves.salt, form)
            if len(self._trees) > _REMEMBERED:
                self._trees.popitem(last=False)
        self._trees.move_to_end(no)
        return self._trees[no]

    async def chain(self, known: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """The headers of the seals that were used, and what proves that they are of the chain.

        `known`: heads that somebody knows from elsewhere, to be compared with beside the last one of each day.
        """
        if self.head is None:
            nothing = {"algorithm": self.algorithm, "size": 0, "head": "", "sealed_at": ""}
            return [], {"head": nothing, "seals": {}, "known": []}
        size, used = self.head.no, sorted(self.used)
        rows = await seals.seals(self._connection, used)
        paths = {no: [step.hex() for step in await self._roots(path_spans(no - 1, size))] for no in used}
        heads = {one.no: one for one in await seals.with_heads(self._connection, known)}
        heads |= {one.no: one for one in await seals.daily(self._connection, used[0] if used else size)}
        compared = []
        for no, one in sorted(heads.items()):
            path = await self._roots(extension_spans(no, size)) if no < size else []
            compared.append({"size": no, "head": one.head, "path": [step.hex() for step in path]} | _at(one))
        head = {"algorithm": self.algorithm, "size": size, "head": self.head.head} | _at(self.head)
        return [rows[no].header for no in used], {"head": head, "seals": paths, "known": compared}

    async def _roots(self, spans: list[tuple[int, int]]) -> list[bytes]:
        return await roots(self._connection, self.hash, spans)


def _at(seal: Seal) -> dict[str, str]:
    return {"sealed_at": instant(seal.sealed_at)}
