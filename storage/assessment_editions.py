"""Closed periods: their figures as they were, written once and never changed; a correction is the next edition."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Unacceptable, Why
from storage.store import Store


class Tampered(Unacceptable):
    """Somebody changed a closed figure in the database."""

    why = Why.NOT_ALLOWED


@dataclass(frozen=True, slots=True)
class ClosedEdition:
    """One edition of one period. `digest` covers everything below it."""

    period: str
    edition: int
    run: int
    rules: str
    first: datetime
    last: datetime
    as_of: datetime
    closed_at: datetime
    closed_by: str
    reason: str
    digest: str


async def latest(connection: AsyncConnection, period: str) -> int:
    """The number of the last edition of a period; 0: it is not closed."""
    return int((await connection.execute(_LATEST, {"period": period})).scalar_one())


async def read(connection: AsyncConnection, period: str, edition: int) -> ClosedEdition | None:
    """One edition; None when there is none."""
    row = (await connection.execute(_READ, {"period": period, "edition": edition})).first()
    return ClosedEdition(*row) if row is not None else None


async def rulebook(connection: AsyncConnection, period: str, edition: int) -> str:
    """The rules of an edition, JSON."""
    values = {"period": period, "edition": edition}
    return str((await connection.execute(_RULEBOOK, values)).scalar_one())


async def content(connection: AsyncConnection, period: str, edition: int, by: str) -> str | None:
    """A sheet of an edition, JSON; None when there is none. Raises Tampered."""
    values = {"period": period, "edition": edition, "by": by}
    found = (await connection.execute(_CONTENT, values)).first()
    return _sound(period, edition, by, found.content, found.digest) if found is not None else None


async def sheets(connection: AsyncConnection, period: str, edition: int) -> dict[str, str]:
    """All sheets of an edition, by whom; JSON."""
    rows = await connection.execute(_SHEETS, {"period": period, "edition": edition})
    return {row.by: _sound(period, edition, row.by, row.content, row.digest) for row in rows}


def _sound(period: str, edition: int, by: str, content: str, expected: str) -> str:
    if digest(content) != expected:
        raise Tampered(
            f"{period} edition {edition}: the sheet by {by} is not the one that was closed; its digest differs"
        )
    return content


async def add(
    connection: AsyncConnection, edition: ClosedEdition, rules: str, contents: Mapping[str, str]
) -> ClosedEdition:  # fmt: skip
    """Write a new edition. Its digest is that of its sheets and rules."""
    digests = {by: digest(content) for by, content in sorted(contents.items())}
    whole = digest(json.dumps({"sheets": digests, "rules": digest(rules)}, sort_keys=True))
    values = {name: getattr(edition, name) for name in edition.__slots__} | {"rulebook": rules, "digest": whole}
    await connection.execute(_ADD, values)
    for by, said in contents.items():
        row = {"period": edition.period, "edition": edition.edition, "by": by, "content": said, "digest": digests[by]}
        await connection.execute(_ADD_SHEET, row)
    found = await read(connection, edition.period, edition.edition)
    assert found is not None
    return found


def digest(content: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(content.encode()).hexdigest()


async def listed(store: Store, period: str = "") -> list[ClosedEdition]:
    """The editions, newest period first; of one period where it is named."""
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(_LISTED, {"period": period})
        return [ClosedEdition(*row) for row in rows]


_COLUMNS = "period, edition, run, rules, first, last, as_of, closed_at, closed_by, reason, digest"
_LATEST = text("SELECT coalesce(max(edition), 0) FROM assessment_edition WHERE period = :period")
_READ = text(f"SELECT {_COLUMNS} FROM assessment_edition WHERE period = :period AND edition = :edition")  # noqa: S608
_RULEBOOK = text(
    "SELECT CAST(rulebook AS text) FROM assessment_edition WHERE period = :period AND edition = :edition"
)  # fmt: skip
_CONTENT = text("""
SELECT content, digest FROM assessment_sheet WHERE period = :period AND edition = :edition AND by = :by
""")
_SHEETS = text(
    "SELECT by, content, digest FROM assessment_sheet WHERE period = :period AND edition = :edition ORDER BY by"
)
_ADD = text(f"""
INSERT INTO assessment_edition ({_COLUMNS}, rulebook)
VALUES (:{_COLUMNS.replace(", ", ", :")}, CAST(:rulebook AS jsonb))
""")  # noqa: S608
_ADD_SHEET = text("""
INSERT INTO assessment_sheet (period, edition, by, content, digest) VALUES (:period, :edition, :by, :content, :digest)
""")
_LISTED = text(f"""
SELECT {_COLUMNS} FROM assessment_edition WHERE :period = '' OR period = :period ORDER BY first DESC, period, edition
""")  # noqa: S608
