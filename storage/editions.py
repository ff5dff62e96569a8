"""The editions of declarations that were ever loaded: the folder of a system as bytes, by the digest of its files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from storage.store import Store


@dataclass(frozen=True, slots=True)
class Edition:
    """A system's folder as it was loaded."""

    system: str
    digest: str
    declared: str
    """What the folder itself calls its edition."""
    first_at: datetime
    last_at: datetime
    """The last start with it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A folder that was just loaded."""

    system: str
    digest: str
    declared: str
    content: bytes = field(repr=False)


class Editions:
    """The editions of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def seen(self, digests: dict[str, str], *, now: datetime) -> frozenset[str]:
        """Systems whose edition of this digest is kept; it is in use now."""
        values = {"systems": list(digests), "digests": list(digests.values()), "now": now}
        async with self.store.transaction() as transaction:
            return frozenset((await transaction.connection.execute(_SEEN, values)).scalars())

    async def keep(self, loaded: Sequence[Loaded], *, now: datetime) -> None:
        """Keep these from now on; one that is kept already stays as it is."""
        async with self.store.transaction() as transaction:
            for one in loaded:
                values = {"system": one.system, "digest": one.digest, "declared": one.declared, "content": one.content}
                await transaction.connection.execute(_KEEP, values | {"now": now})

    async def listed(self, system: str = "") -> list[Edition]:
        """What is kept, the latest first."""
        async with self.store.transaction() as transaction:
            return [Edition(*row) for row in await transaction.connection.execute(_LISTED, {"system": system})]

    async def content(self, system: str, digest: str) -> bytes | None:
        """The folder's files as they were packed; None when there is no such edition."""
        async with self.store.transaction() as transaction:
            values = {"system": system, "digest": digest}
            found: bytes | None = (await transaction.connection.execute(_CONTENT, values)).scalar()
            return found


_SEEN = text("""
UPDATE edition SET last_at = greatest(last_at, :now)
  FROM unnest(CAST(:systems AS text[]), CAST(:digests AS text[])) AS w(s, d)
 WHERE edition.system = w.s AND edition.digest = w.d RETURNING edition.system
""")
_KEEP = text("""
INSERT INTO edition (system, digest, declared, content, first_at, last_at)
VALUES (:system, :digest, :declared, :content, :now, :now) ON CONFLICT (system, digest) DO NOTHING
""")
_LISTED = text("""
SELECT system, digest, declared, first_at, last_at FROM edition
 WHERE :system = '' OR system = :system ORDER BY system, last_at DESC, first_at DESC
""")
_CONTENT = text("SELECT content FROM edition WHERE system = :system AND digest = :digest")
