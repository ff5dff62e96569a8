"""Statements of reconciliation: when the last one was, whose turn the next is, and how far it has come.

A statement is claimed by lease and worked off slice by slice; a slice's lines, its counts and the position are one
transaction, so that whoever is killed is taken over without a line lost or counted twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Unavailable
from canonical.lifecycle import ENDED
from canonical.reconciliation import Theirs
from storage.store import Store

Counts = dict[str, list[int]]
"""Class to [lines, of ours, of theirs]."""


class Step(StrEnum):
    """How far a statement has come."""

    BEGUN = "begun"
    LISTING = "listing"
    COMPARING = "comparing"
    """Ours, one slice after the other."""
    REST = "rest"
    """What the system listed and none of ours is."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Statement:
    """A system's statement of a day."""

    id: UUID
    system: str
    day: date
    edition: int
    due_at: datetime
    way: str
    """`query`, `list` or `told`."""
    ordered_by: str
    """Who ordered it; empty: the schedule."""
    step: Step
    position: str
    started_at: datetime | None
    as_of: datetime | None
    finished_at: datetime | None
    counts: Counts = field(default_factory=dict)
    ours: int = 0
    """Matters of ours that were compared; the lines must come to as many."""
    theirs: int = 0
    """Items of theirs that were compared."""
    left_out: int = 0
    """Items they listed that need not be here, and are not."""
    trouble: str = ""
    """Why it does not say all it should."""

    def sum(self, column: int) -> int:
        """Over all classes: 0 lines, 1 of ours, 2 of theirs."""
        return sum(numbers[column] for numbers in self.counts.values())

    @property
    def balances(self) -> bool:
        """Whether every matter of either side stands on one line."""
        return self.sum(1) == self.ours and self.sum(2) == self.theirs


class Statements:
    """The statements of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def last(self, system: str) -> Statement | None:
        """The system's latest statement, finished or not."""
        return await self._one(_LAST, {"system": system})

    async def lasts(self, systems: Sequence[str]) -> dict[str, Statement]:
        """The latest statement of each of these systems that has one."""
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(_LASTS, {"systems": list(systems)})
            return {made.system: made for made in map(_statement, rows)}

    async def begin(
        self, system: str, day: date, due_at: datetime, *, id: UUID, way: str, by: str = ""  # noqa: A002
    ) -> None:  # fmt: skip
        """There is to be a statement; harmless when another process has said so already."""
        values = {"id": id, "system": system, "day": day, "due": due_at, "way": way, "by": by}
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_BEGIN, values)

    async def order(
        self, system: str, day: date, now: datetime, *, id: UUID, way: str, by: str  # noqa: A002
    ) -> UUID:  # fmt: skip
        """There is to be a statement now; one that is not finished yet is the one. Returns its id."""
        async with self.store.transaction() as transaction:
            waiting = (await transaction.connection.execute(_WAITING, {"system": system})).scalar()
        if waiting is not None:
            return UUID(str(waiting))
        await self.begin(system, day, now, id=id, way=way, by=by)
        return id

    async def claim(self, system: str, *, by: UUID, now: datetime, lease: datetime) -> Statement | None:
        """The oldest that is not finished and nobody is at; ours until `lease`."""
        return await self._one(_CLAIM, {"system": system, "by": by, "now": now, "lease": lease})

    async def keep(self, statement: UUID, *, by: UUID, lease: datetime) -> None:
        """Still at it. Raises Unavailable when another process has it by now."""
        async with self.store.transaction() as transaction:
            await _guarded(transaction.connection, _KEEP, {"id": statement, "by": by, "lease": lease})

    async def listing(self, statement: UUID, *, by: UUID, as_of: datetime) -> None:
        """The listing begins; what an earlier try has listed is forgotten."""
        async with self.store.transaction() as transaction:
            await _guarded(transaction.connection, _LISTING, {"id": statement, "by": by, "at": as_of})
            await transaction.connection.execute(_CLEAR_LISTED, {"id": statement})

    async def add_listed(self, statement: UUID, items: Sequence[Theirs], subjects: Sequence[str]) -> None:
        """Items of theirs; one that is listed again replaces what it said before."""
        once = dict(zip(subjects, items, strict=True))
        rows = [
            {"id": statement, "subject": subject, "external_id": item.external_id, "reference": item.reference,
             "item": kept(item.row)}
            for subject, item in sorted(once.items())
        ]  # fmt: skip
        if rows:
            async with self.store.transaction() as transaction:
                await transaction.connection.execute(_LIST, rows)

    async def compare(
        self, statement: UUID, *, by: UUID, as_of: datetime, system: str, parts: Sequence[str], ended_since: datetime,
        trouble: str = "",
    ) -> None:  # fmt: skip
        """The comparing begins: which of our cases it is about is settled now. `trouble`: why the list is not whole."""
        values = {"id": statement, "by": by, "at": as_of, "trouble": trouble[:500]}
        chosen = {"id": statement, "system": system, "source": "source" in parts, "owner": "owner" in parts}
        chosen |= {"ended": sorted(ENDED), "since": ended_since}
        async with self.store.transaction() as transaction:
            await _guarded(transaction.connection, _COMPARING, values)
            await transaction.connection.execute(_CLEAR_COMPARED, {"id": statement})
            await transaction.connection.execute(_CHOOSE, chosen)

    async def slice(self, statement: UUID, after: str, limit: int) -> list[UUID]:
        """The next cases to be compared, after the case `after`."""
        values = {"id": statement, "after": UUID(after or "0" * 32), "limit": limit}
        async with self.store.transaction() as transaction:
            return list((await transaction.connection.execute(_SLICE, values)).scalars())

    async def listed(self, statement: UUID, ids: Sequence[str], references: Sequence[str]) -> list[tuple[str, Any]]:
        """What was listed under one of these ids or numbers of ours: (subject, row)."""
        values = {"id": statement, "ids": list(ids), "references": list(references)}
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_LISTED, values)).all()
        return [(row.subject, row.item["row"]) for row in rows]

    async def rest(self, statement: UUID, after: str, limit: int) -> list[tuple[str, Any]]:
        """What was listed and belongs to none of the compared cases, after subject `after`."""
        values = {"id": statement, "after": after, "limit": limit}
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_REST, values)).all()
        return [(row.subject, row.item["row"]) for row in rows]

    async def under_comparison(self, statement: UUID, cases: Sequence[UUID]) -> frozenset[UUID]:
        """Which of these cases the statement is about."""
        async with self.store.transaction() as transaction:
            values = {"id": statement, "cases": list(cases)}
            return frozenset((await transaction.connection.execute(_AMONG, values)).scalars())

    async def find(self, *, system: str = "", day: date | None = None, limit: int = 50) -> list[Statement]:
        """Statements, the newest first."""
        values = {"system": system, "day": day, "limit": limit}
        async with self.store.transaction() as transaction:
            return [_statement(row) for row in await transaction.connection.execute(_FIND, values)]

    async def get(self, statement: UUID) -> Statement | None:
        """One statement."""
        return await self._one(_GET, {"id": statement})

    async def lines(self, statement: UUID, *, after: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        """What it says besides that both agree, by subject, after subject `after`."""
        values = {"id": statement, "after": after, "limit": limit}
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_LINES, values)).mappings().all()
        return [dict(row) for row in rows]

    async def _one(self, statement: TextClause, values: Mapping[str, object]) -> Statement | None:
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(statement, values)).first()
        return _statement(row) if row else None


def kept(row: object) -> str:
    """An item as the database can keep it: PostgreSQL's texts have no U+0000."""
    dumped = orjson.dumps({"row": row})
    return (orjson.dumps({"row": _without_nul(row)}) if b"\\u0000" in dumped else dumped).decode()


def _without_nul(value: Any) -> Any:  # noqa: ANN401 a document of theirs
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(below) for name, below in value.items()}
    return [_without_nul(below) for below in value] if isinstance(value, list) else value


async def _guarded(connection: AsyncConnection, statement: TextClause, values: Mapping[str, object]) -> None:
    if not (await connection.execute(statement, values)).rowcount:
        raise Unavailable("another process has this statement by now")


async def moved(
    connection: AsyncConnection, statement: Statement, *, by: UUID, step: Step, position: str, counts: Counts,
    ours: int, theirs: int, left_out: int,
) -> None:  # fmt: skip
    """One slice is done, in the transaction of its lines. Raises Unavailable when another process has it by now."""
    values = {
        "id": statement.id, "by": by, "step": step, "position": position, "counts": orjson.dumps(counts).decode(),
        "ours": ours, "theirs": theirs, "left_out": left_out,
    }  # fmt: skip
    await _guarded(connection, _MOVED, values)


async def mark_matched(connection: AsyncConnection, statement: UUID, subjects: Sequence[str]) -> None:
    """These listed items stand on a line."""
    if subjects:
        await connection.execute(_MATCHED, {"id": statement, "subjects": list(subjects)})


async def finished(connection: AsyncConnection, statement: UUID, *, by: UUID, now: datetime, trouble: str) -> None:
    """It says all it will. Raises Unavailable when another process has it by now."""
    await _guarded(connection, _FINISHED, {"id": statement, "by": by, "now": now, "trouble": trouble[:500]})
    await connection.execute(_CLEAR_LISTED, {"id": statement})
    await connection.execute(_CLEAR_COMPARED, {"id": statement})


def _statement(row: Row[Any]) -> Statement:
    return Statement(
        id=row.id, system=row.system, day=row.day, edition=row.edition, due_at=row.due_at, way=row.way,
        ordered_by=row.ordered_by, step=Step(row.step), position=row.position, started_at=row.started_at,
        as_of=row.as_of, finished_at=row.finished_at, counts=row.counts, ours=row.ours, theirs=row.theirs,
        left_out=row.left_out, trouble=row.trouble,
    )  # fmt: skip


_COLUMNS = """id, system, day, edition, due_at, way, ordered_by, step, position, started_at, as_of, finished_at, counts,
       ours, theirs, left_out, trouble"""
_LAST = text(f"SELECT {_COLUMNS} FROM statement WHERE system = :system ORDER BY due_at DESC LIMIT 1")  # noqa: S608
_LASTS = text(f"""
SELECT last.* FROM unnest(CAST(:systems AS text[])) AS wanted(name)
 CROSS JOIN LATERAL (
   SELECT {_COLUMNS} FROM statement WHERE system = wanted.name ORDER BY due_at DESC LIMIT 1) AS last
""")  # noqa: S608
_GET = text(f"SELECT {_COLUMNS} FROM statement WHERE id = :id")  # noqa: S608
_FIND = text(f"""
SELECT {_COLUMNS} FROM statement
 WHERE (:system = '' OR system = :system) AND (CAST(:day AS date) IS NULL OR day = :day)
 ORDER BY due_at DESC, system LIMIT :limit
""")  # noqa: S608
_WAITING = text("SELECT id FROM statement WHERE system = :system AND finished_at IS NULL ORDER BY due_at LIMIT 1")
_BEGIN = text("""
INSERT INTO statement (id, system, day, edition, due_at, way, ordered_by)
SELECT :id, CAST(:system AS text), CAST(:day AS date),
       (SELECT coalesce(max(edition), 0) + 1 FROM statement WHERE system = :system AND day = :day),
       CAST(:due AS timestamptz), CAST(:way AS text), CAST(:by AS text)
ON CONFLICT DO NOTHING
""")
_CLAIM = text(f"""
UPDATE statement SET claimed_until = :lease, claimed_by = :by, started_at = coalesce(started_at, :now)
 WHERE id = (SELECT id FROM statement
              WHERE system = :system AND finished_at IS NULL
                AND (claimed_until IS NULL OR claimed_until < :now OR claimed_by = :by)
              ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
""")  # noqa: S608
_KEEP = text("UPDATE statement SET claimed_until = :lease WHERE id = :id AND claimed_by = :by AND finished_at IS NULL")
_LISTING = text("""
UPDATE statement SET step = 'listing', position = '', as_of = :at WHERE id = :id AND claimed_by = :by
""")
_CLEAR_LISTED = text("DELETE FROM listed WHERE statement_id = :id")
_LIST = text("""
INSERT INTO listed (statement_id, subject, external_id, reference, item)
VALUES (:id, :subject, :external_id, :reference, CAST(:item AS jsonb))
ON CONFLICT (statement_id, subject) DO UPDATE SET reference = EXCLUDED.reference, item = EXCLUDED.item
""")
_COMPARING = text("""
UPDATE statement SET step = 'comparing', position = '', as_of = :at, trouble = :trouble
 WHERE id = :id AND claimed_by = :by
""")
_CLEAR_COMPARED = text("DELETE FROM compared WHERE statement_id = :id")
# Open cases, and those that ended a little while ago: their last event is the end, or came after it.
_CHOOSE = text("""
INSERT INTO compared (statement_id, case_id)
SELECT :id, c.id FROM cases c
 WHERE (NOT c.stage = ANY(CAST(:ended AS text[]))
        OR (SELECT e.at FROM event e WHERE e.case_id = c.id AND e.seq = c.version) >= :since)
   AND ((:owner AND c.owner = :system)
        OR (:source AND EXISTS (SELECT 1 FROM binding b
                                 WHERE b.case_id = c.id AND b.system = :system AND b.body ->> 'role' = 'source')))
""")
_SLICE = text("""
SELECT case_id FROM compared WHERE statement_id = :id AND case_id > :after ORDER BY case_id LIMIT :limit
""")
_AMONG = text("SELECT case_id FROM compared WHERE statement_id = :id AND case_id = ANY(CAST(:cases AS uuid[]))")
_LISTED = text("""
SELECT subject, item FROM listed WHERE statement_id = :id AND external_id = ANY(CAST(:ids AS text[])) AND NOT matched
UNION
SELECT subject, item FROM listed
 WHERE statement_id = :id AND reference <> '' AND reference = ANY(CAST(:references AS text[])) AND NOT matched
 ORDER BY subject
""")
_REST = text("""
SELECT subject, item FROM listed WHERE statement_id = :id AND NOT matched AND subject > :after
 ORDER BY subject LIMIT :limit
""")
_MATCHED = text(
    "UPDATE listed SET matched = true WHERE statement_id = :id AND subject = ANY(CAST(:subjects AS text[]))"
)
_MOVED = text("""
UPDATE statement SET step = :step, position = :position, counts = CAST(:counts AS jsonb), ours = :ours,
       theirs = :theirs, left_out = :left_out
 WHERE id = :id AND claimed_by = :by AND finished_at IS NULL
""")
_FINISHED = text("""
UPDATE statement SET step = 'finished', position = '', finished_at = :now, claimed_until = NULL, trouble = :trouble
 WHERE id = :id AND claimed_by = :by AND finished_at IS NULL
""")
_LINES = text("""
SELECT subject, class, case_no, part, external_id, our_state, their_state, our_at, their_at, text FROM statement_line
 WHERE statement_id = :id AND subject > :after ORDER BY subject LIMIT :limit
""")
