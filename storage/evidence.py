"""What is known of a case beside its sealed rows: the facts of an evidence pack. All of one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.rights import Scope
from storage.casebook import by_number
from storage.scoping import values


async def still(connection: AsyncConnection) -> None:
    """From here on this transaction reads all of one moment. Its first statement."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def found(connection: AsyncConnection, number: str, *, scope: Scope) -> str | None:
    """The number of ours of the case that anybody knows by this number; None when nobody in the scope does."""
    row = (await connection.execute(by_number(scope), {"number": number, **values(scope)})).first()
    return str(row.no) if row else None


async def cases(connection: AsyncConnection, numbers: Sequence[str]) -> dict[UUID, tuple[str, str]]:
    """Number and state (JSON) of these cases, in the order of their numbers; those that are not there are left out."""
    rows = await connection.execute(_CASES, {"numbers": list(numbers)})
    return {row.id: (row.no, row.state) for row in rows}


async def bindings(connection: AsyncConnection, ids: Sequence[UUID]) -> list[str]:
    """What systems call these cases, as JSON."""
    return list((await connection.execute(_BINDINGS, {"ids": list(ids)})).scalars())


async def deliveries(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Mapping[str, Any]]:
    """What was sent about these cases, with the ids of the message and of the answers to it."""
    return await _mappings(connection, _DELIVERIES, {"ids": list(ids)})


async def journal(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """What became of these messages: what may change after they were sealed."""
    return {row["id"]: row for row in await _mappings(connection, _JOURNAL, {"ids": list(ids)})}


async def shared_pages(connection: AsyncConnection, ids: Sequence[UUID], of: Sequence[UUID]) -> set[UUID]:
    """Those of these messages that hold parts of other cases, or of none, than `of`."""
    rows = await connection.execute(_SHARED, {"ids": list(ids), "of": list(of)})
    return set(rows.scalars())


async def bodies(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """The bytes of these messages."""
    return {row.id: row.body for row in await connection.execute(_BODIES, {"ids": list(ids)})}


async def files(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Mapping[str, Any]]:
    """The files of these cases."""
    return await _mappings(connection, _FILES, {"ids": list(ids)})


async def there(connection: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these cases there are."""
    return set((await connection.execute(_THERE, {"ids": list(ids)})).scalars())


async def _mappings(
    connection: AsyncConnection, statement: TextClause, values: Mapping[str, object]
) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await connection.execute(statement, values)).mappings()]


_CASES = text("""
SELECT id, no, CAST(state AS text) AS state FROM cases WHERE no = ANY(CAST(:numbers AS text[])) ORDER BY id
""")
_BINDINGS = text("""
SELECT CAST(body AS text) FROM binding WHERE case_id = ANY(CAST(:ids AS uuid[]))
 ORDER BY case_id, system, external_id
""")
_DELIVERIES = text("""
SELECT d.id, d.case_id, d.system, d.seq, d.event_seq, d.message, d.state, d.in_doubt, d.attempts, d.created_at,
       d.sent_at, d.done_at, d.why, d.text, d.message_id,
       ARRAY(SELECT a.id FROM message a WHERE a.parent = d.message_id AND a.direction = 'answer'
              AND a.case_id = d.case_id ORDER BY a.id) AS answers
  FROM delivery d WHERE d.case_id = ANY(CAST(:ids AS uuid[])) ORDER BY d.case_id, d.system, d.seq, d.id
""")
_JOURNAL = text("""
SELECT m.id, m.verdict, m.why, m.text, m.kind, m.external_id, m.edition, m.is_report, c.no AS case_no,
       m.digest <> '' AS removed
  FROM message m LEFT JOIN cases c ON c.id = m.case_id WHERE m.id = ANY(CAST(:ids AS uuid[]))
""")
_SHARED = text("""
SELECT DISTINCT p.parent FROM message p
 WHERE p.parent = ANY(CAST(:ids AS uuid[])) AND p.direction = 'in'
   AND (p.case_id IS NULL OR p.case_id <> ALL(CAST(:of AS uuid[])))
""")
_BODIES = text("SELECT id, body FROM message WHERE id = ANY(CAST(:ids AS uuid[])) AND digest = ''")
_FILES = text("""
SELECT case_id, url, name, system, state, sha256, size, media, text FROM attachment
 WHERE case_id = ANY(CAST(:ids AS uuid[])) ORDER BY case_id, created_at, url
""")
_THERE = text("SELECT id FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
