"""Cases as people look for them: lists, one case with its whole journey, and the books that must balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.case import Binding, Case, Event
from canonical.rights import Scope
from storage.replays import OF_CASE, CaseReplay
from storage.scoping import seen, seen_by_id, values
from storage.stages import OPEN_STAGES
from storage.store import Store
from storage.tables import cases


@dataclass(frozen=True, slots=True)
class SentRow:
    """One delivery of a case, as its journey shows it."""

    system: str
    message: str
    state: str
    attempts: int
    in_doubt: bool
    why: str
    text: str
    event_seq: int
    created_at: datetime
    done_at: datetime | None
    replays: UUID | None
    """The message whose bytes it sends again, where it is such a replay."""


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A message about a case that came too early: it is read again until what it waits for has come."""

    at: datetime
    system: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Journey:
    """A case with everything that happened to it."""

    case: Case
    events: list[Event]
    bindings: list[Binding]
    deliveries: list[SentRow]
    replays: list[CaseReplay]
    held: list[HeldRow]


@dataclass(frozen=True, slots=True)
class Move:
    """Something that happened to a case, and the case as it is now."""

    case: Case
    event: Event


# Rare, and found by the index of what was put off.
_HELD = text("SELECT at, system, kind, text FROM message WHERE verdict = 'held' AND case_id = :case_id ORDER BY at, id")
_LOOK_BACK = (timedelta(minutes=10), timedelta(days=1), None)
"""How far back is looked for what moved last, until enough is found: all that ever happened is not sorted for five."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Casebook:
    """Reading access to the cases of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def find(
        self, *, scope: Scope, queue: str = "", stage: str = "", source: str = "", owner: str = "", after: str = "",
        limit: int = 50,
    ) -> list[Case]:  # fmt: skip
        """Cases in the order of their numbers, those after number `after`."""
        query = select(text("CAST(state AS text)")).select_from(cases).order_by(cases.c.no).limit(limit)
        given = {cases.c.queue: queue, cases.c.stage: stage, cases.c.source: source, cases.c.owner: owner}
        for column, value in given.items():
            if value:
                query = query.where(column == value)
        if after:
            query = query.where(cases.c.no > after)
        query = query.where(text(seen(scope, "cases")))
        async with self.store.transaction() as transaction:
            states = (await transaction.connection.execute(query, values(scope))).scalars()
            return [Case.model_validate_json(state) for state in states]

    async def named(self, number: str, *, scope: Scope) -> str | None:
        """The number of ours of the case that anybody knows by this number; None when nobody in the scope does."""
        async with self.store.transaction() as transaction:
            found = await transaction.connection.execute(by_number(scope), {"number": number, **values(scope)})
            row = found.first()
        return str(row.no) if row else None

    async def journey(self, number: str, *, scope: Scope) -> Journey | None:
        """The case with this number of ours, or with this number of any system; None when nobody knows it.

        What the scope does not see, nobody knows.
        """
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            state = (await connection.execute(by_number(scope), {"number": number, **values(scope)})).scalar()
            if state is None:
                return None
            case = Case.model_validate_json(state)
            events = (await connection.execute(_EVENTS, {"id": case.id})).scalars().all()
            bindings = (await connection.execute(_BINDINGS, {"id": case.id})).scalars().all()
            deliveries = (await connection.execute(_DELIVERIES, {"id": case.id})).all()
            replays = (await connection.execute(OF_CASE, {"case_id": case.id})).all()
            held = (await connection.execute(_HELD, {"case_id": case.id})).all()
        return Journey(
            case=case,
            events=[Event.model_validate_json(body) for body in events],
            bindings=[Binding.model_validate_json(body) for body in bindings],
            deliveries=[SentRow(*row) for row in deliveries],
            replays=[CaseReplay(*row) for row in replays],
            held=[HeldRow(*row) for row in held],
        )

    async def moves(self, systems: Sequence[str], first: datetime, last: datetime, *, limit: int) -> list[Move]:
        """What happened in this time, both ends in it, to cases that these systems know; the oldest first."""
        given = {"systems": list(systems), "first": first, "last": last, "limit": limit}
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_MOVES, given)).all()
        return [Move(Case.model_validate_json(row.state), Event.model_validate_json(row.body)) for row in rows]

    async def latest(self, limit: int = 5, *, scope: Scope) -> list[Case]:
        """The cases that moved last."""
        statement = _latest(scope)
        found: list[str] = []
        async with self.store.transaction() as transaction:
            now = (await transaction.connection.execute(text("SELECT now()"))).scalar_one()
            for back in _LOOK_BACK:
                given = {"limit": limit, "since": now - back if back else _BEGINNING, **values(scope)}
                found = list((await transaction.connection.execute(statement, given)).scalars())
                if len(found) == limit:
                    break
        return [Case.model_validate_json(state) for state in found]

    async def books(self, now: datetime) -> "Books":
        """All counts in one moment."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            reports = await _counts(connection, _REPORTS)
            stages = await _counts(connection, _STAGES)
            queues = await _counts(connection, _QUEUES)
            owners = await _counts(connection, _OWNERS)
            overdue = (await connection.execute(_OVERDUE, {"now": now})).scalar_one()
            deliveries = [(row[0], row[1], row[2]) for row in await connection.execute(_OUTBOX)]
        return Books(reports, stages, queues, int(overdue), deliveries, owners)


async def _counts(connection: AsyncConnection, statement: TextClause, **values: object) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in await connection.execute(statement, values)}


@dataclass(frozen=True, slots=True)
class Books:
    """What came in, what became of it, and what went out."""

    reports: dict[str, int]
    """Reports by verdict."""
    stages: dict[str, int]
    queues: dict[str, int]
    overdue: int
    deliveries: list[tuple[str, str, int]]
    """(system, state, count)."""
    owners: dict[str, int]
    """Open cases by the system that has them; "" is the centre."""


@lru_cache(maxsize=256)
def by_number(scope: Scope) -> TextClause:
    """Finds state and number of the case that anybody knows by :number, where the scope sees it."""
    return text(_BY_NUMBER.format(seen=seen(scope)))


# The systems are found one after the other in the index, for it begins with them.
NUMBERED = """
WITH RECURSIVE known AS (
  SELECT min(system) AS system FROM binding
  UNION ALL
  SELECT (SELECT min(b.system) FROM binding b WHERE b.system > k.system) FROM known k WHERE k.system IS NOT NULL),
found AS (
  SELECT b.case_id FROM known k JOIN binding b ON b.system = k.system AND b.external_id = :number
  UNION ALL
  SELECT b.case_id FROM known k JOIN binding b ON b.system = k.system AND b.case_key = :number AND b.case_key <> ''
  UNION ALL
  SELECT b.case_id FROM binding b WHERE b.body ->> 'visible_no' = :number AND b.body ? 'visible_no')
"""
"""SQL: `found`, the cases that a system calls by exactly `:number`."""
_BY_NUMBER = f"""
{NUMBERED}
SELECT CAST(c.state AS text), c.no FROM cases c WHERE c.no = split_part(:number, '-', 1) AND {{seen}}
UNION ALL
SELECT CAST(c.state AS text), c.no FROM found JOIN cases c ON c.id = found.case_id WHERE {{seen}}
LIMIT 1
"""  # noqa: S608 words of our own
_EVENTS = text("SELECT CAST(body AS text) FROM event WHERE case_id = :id ORDER BY seq")
_BINDINGS = text("SELECT CAST(body AS text) FROM binding WHERE case_id = :id ORDER BY system, external_id")
_DELIVERIES = text("""
SELECT system, message, state, attempts, in_doubt, why, text, event_seq, created_at, done_at, replays
  FROM delivery WHERE case_id = :id ORDER BY created_at, seq
""")
_MOVES = text("""
SELECT CAST(e.body AS text) AS body, CAST(c.state AS text) AS state FROM event e JOIN cases c ON c.id = e.case_id
 WHERE e.at BETWEEN :first AND :last
   AND EXISTS (SELECT 1 FROM binding b WHERE b.case_id = c.id AND b.system = ANY(CAST(:systems AS text[])))
 ORDER BY e.at, c.no, e.seq LIMIT :limit
""")


@lru_cache(maxsize=256)
def _latest(scope: Scope) -> TextClause:
    """Of the last two hundred events of the scope's cases."""
    mine = seen_by_id(scope, "e.case_id")
    return text(f"""
        SELECT CAST(c.state AS text) FROM cases c
          JOIN (SELECT case_id, max(at) AS moved FROM (
                  SELECT case_id, at FROM event e WHERE at >= :since AND {mine} ORDER BY at DESC LIMIT 200) e
                 GROUP BY case_id ORDER BY moved DESC LIMIT :limit) m ON m.case_id = c.id ORDER BY m.moved DESC
    """)  # noqa: S608 words of our own


_REPORTS = text("SELECT verdict, count(*) FROM message WHERE direction = 'in' AND is_report GROUP BY verdict")
_STAGES = text("SELECT stage, count(*) FROM cases GROUP BY stage")
_QUEUES = text("SELECT queue, count(*) FROM cases WHERE queue IS NOT NULL GROUP BY queue")
_OVERDUE = text(f"""
SELECT count(*) FROM cases WHERE due_at < :now AND disposed_at IS NULL AND stage IN ({OPEN_STAGES})
""")  # noqa: S608 words of our own
_OUTBOX = text("SELECT system, state, count(*) FROM delivery GROUP BY system, state ORDER BY system, state")
_OWNERS = text(f"SELECT owner, count(*) FROM cases WHERE stage IN ({OPEN_STAGES}) GROUP BY owner")  # noqa: S608
