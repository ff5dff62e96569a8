"""Seals what is durable, beside the traffic and never before it. Any number of workers; each may be killed at any time.

One seal is one transaction: it is there whole, or what it would have covered is covered by the next one.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Unacceptable, Why
from gateway.evidence.leaf import FORM, instant, leaf_of
from gateway.evidence.tree import Span, Tree, needed_with, nodes_with, pieces, root_of, standing_with
from gateway.evidence.verify import LEAF, Hash, hash_of, plain
from storage import seals
from storage.seals import BEGINNING, DIGEST, Leaves, Row, Seal
from storage.store import Store

MOST = 4096
"""Rows of one seal."""
EVERY = 10.0
"""Seconds between seals where there is less than a whole one."""
ALGORITHM = "sha256"
_LONGEST_REST = 1.0


class Sealer:
    """The seals of one database."""

    def __init__(self, store: Store, *, now: Callable[[], datetime], algorithm: str = ALGORITHM) -> None:
        self.store, self.now, self.algorithm = store, now, algorithm
        self._hash = hash_of(algorithm)

    async def round(self) -> float:
        """One seal; seconds until the next. Behind a backlog it rests as long as it worked: others work here, too."""
        began = time.monotonic()
        if await self.once() < MOST:
            return EVERY
        return min(time.monotonic() - began, _LONGEST_REST)

    async def catch_up(self, most: int = 25) -> None:
        """So many seals at most, for whoever must not wait long: what is left, workers seal."""
        for _ in range(most):
            if await self.once() < MOST:
                break

    async def once(self) -> int:
        """One seal over what comes next; how many rows it is over. 0: nothing does, or another process is at it."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            if not await seals.alone(connection):
                return 0
            end = await seals.horizon(connection)
            last = await seals.newest(connection)
            rows = await seals.rows_after(connection, last.upto if last else BEGINNING, end=end, limit=MOST)
            if not rows:
                return 0
            if last and (there := algorithm_of(last)) != self.algorithm:  # one chain has one, from its first seal on
                self.algorithm, self._hash = there, hash_of(there)
            salt = secrets.token_bytes(DIGEST)
            digests = await asyncio.to_thread(_digests, rows, salt, self._hash)
            over = Leaves([(row.place.id, row.place.seq) for row in rows], digests, salt)
            at = max(self.now(), last.sealed_at) if last else self.now()
            no, header = (last.no + 1 if last else 1), self._header(last, at, digests)
            leaf = self._hash(LEAF + header.encode())
            node = await nodes(connection, needed_with(no))
            own = nodes_with(self._hash, no, leaf, node)
            node |= dict(zip(standing_with(no), own, strict=True))
            head = root_of(self._hash, (0, no), node).hex()
            await seals.add(connection, Seal(no, at, header, head, b"".join(own), rows[-1].place), over)
        return len(rows)

    def _header(self, last: Seal | None, at: datetime, digests: list[bytes]) -> str:
        said = {
            "no": last.no + 1 if last else 1, "sealed_at": instant(at), "algorithm": self.algorithm,
            "form": FORM, "count": len(digests), "root": Tree(self._hash, digests).root.hex(),
            "previous": last.head if last else "",
        }  # fmt: skip
        return plain(said).decode()


def _digests(rows: Sequence[Row], salt: bytes, hash_: Hash) -> list[bytes]:
    return [leaf_of(row, salt, hash_).digest(hash_) for row in rows]


def said_by(seal: Seal) -> dict[str, Any]:
    """The header of a seal."""
    said: dict[str, Any] = json.loads(seal.header)
    return said


def algorithm_of(seal: Seal) -> str:
    """What the chain is hashed with."""
    return str(said_by(seal)["algorithm"])


def form_of(seal: Seal) -> int:
    """The form of its lines. Raises Unacceptable where this hub is older than the seal."""
    form = said_by(seal).get("form", FORM)
    if not isinstance(form, int) or not 1 <= form <= FORM:
        raise Unacceptable(f"seal {seal.no} has lines of form {form}, and this hub knows {FORM} at most: upgrade it")
    return form


async def nodes(connection: AsyncConnection, spans: Iterable[Span]) -> dict[Span, bytes]:
    """The nodes of these whole subtrees of the chain. Raises Unacceptable where a seal is missing."""
    wanted = set(spans)
    rows = await seals.seals(connection, {end for _, end in wanted})
    if missing := sorted({end for _, end in wanted} - {*rows}):
        raise Unacceptable(f"seal {missing[0]} is missing: somebody removed it", why=Why.IMPLAUSIBLE)
    found = {}
    for first, end in wanted:
        at = ((end - first).bit_length() - 1) * DIGEST
        found[first, end] = rows[end].nodes[at : at + DIGEST]
    return found


async def roots(connection: AsyncConnection, hash_: Hash, spans: list[Span]) -> list[bytes]:
    """The nodes of these spans of the chain."""
    node = await nodes(connection, (piece for span in spans for piece in pieces(span)))
    return [root_of(hash_, span, node) for span in spans]
