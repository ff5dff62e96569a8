"""Differences between us and other systems: they age over statements, and end by being gone, repaired or signed off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.reconciliation import DIFFERENCES, Line, LineClass
from storage.statements import Counts, Statement, Step, finished, kept, mark_matched, moved
from storage.store import Store

OPEN, SIGNED, CLOSED = STATES = ("open", "signed_off", "closed")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference as it stands now."""

    id: UUID
    system: str
    subject: str
    class_: LineClass
    case_id: UUID | None
    case_no: str
    part: str
    external_id: str
    our_state: str
    their_state: str
    our_at: datetime | None
    their_at: datetime | None
    text: str
    first_seen: datetime
    last_seen: datetime
    repair: str
    """How it was repaired; empty: it was not."""
    repaired_at: datetime | None
    signed_at: datetime | None
    closed_at: datetime | None
    closed_how: str
    has_item: bool
    """Their item is at hand."""

    @property
    def state(self) -> str:
        """`open`, `signed_off` or `closed`."""
        return CLOSED if self.closed_at else SIGNED if self.signed_at else OPEN

    @property
    def under_repair(self) -> bool:
        """A repair was ordered, and no statement has seen the difference since."""
        return self.repaired_at is not None and self.closed_at is None and self.last_seen <= self.repaired_at


@dataclass(frozen=True, slots=True)
class Act:
    """Something a person did about a difference."""

    at: datetime
    act: str
    actor: str
    reason: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """What one system's open differences come to."""

    system: str
    open: int
    signed_off: int
    day: int
    """Open for less than a day."""
    week: int
    older: int
    oldest: datetime | None


class Differences:
    """The differences of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def settle(
        self, statement: Statement, lines: Sequence[Line], *, by: UUID, step: Step, position: str, counts: Counts,
        ours: int, theirs: int, left_out: int, now: datetime, ids: Sequence[UUID], matched: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """One slice's lines, what they do to the differences, and how far the statement has come: all or nothing.

        `ids`: one fresh id for each line. `matched`: listed items that stand on a line now. Raises Unavailable when
        another process has the statement by now.
        """
        about = {"sid": statement.id, "system": statement.system, "now": now}
        told = [_values(line, about, id_) for line, id_ in zip(lines, ids, strict=True) if _told(line)]
        shown = [row for row in told if not row["general"]]
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await moved(
                connection, statement, by=by, step=step, position=position, counts=counts, ours=ours, theirs=theirs,
                left_out=left_out,
            )  # fmt: skip
            await mark_matched(connection, statement.id, matched)
            await _many(connection, _LINE, shown)
            await _many(connection, _SEEN, _of(told, DIFFERENCES - {LineClass.UNKNOWN_THERE}))
            await _many(connection, _UNKNOWN, _of(shown, {LineClass.UNKNOWN_THERE}))
            touched = [str(row["subject"]) for row in _of(told, {LineClass.IN_FLIGHT, LineClass.UNKNOWN_THERE})]
            agreed = [line.subject for line in lines if line.class_ is LineClass.AGREE]
            await connection.execute(_TOUCH, about | {"subjects": touched})
            await connection.execute(_AGREED, about | {"subjects": agreed})

    async def finish(self, statement: Statement, *, by: UUID, now: datetime, trouble: str) -> None:
        """The statement says all it will. Differences it has not seen are gone, unless it could not see all."""
        async with self.store.transaction() as transaction:
            await finished(transaction.connection, statement.id, by=by, now=now, trouble=trouble)
            if not trouble:
                values = {"sid": statement.id, "system": statement.system, "now": now}
                await transaction.connection.execute(_GONE, values)

    async def find(
        self, *, system: str = "", class_: str = "", state: str = OPEN, case_no: str = "", limit: int = 200
    ) -> list[Difference]:
        """Differences, the oldest first. `state`: open, signed_off, closed; empty: all."""
        values = {"system": system, "class": class_, "state": state, "no": case_no, "limit": limit}
        async with self.store.transaction() as transaction:
            return [_difference(row) for row in await transaction.connection.execute(_FIND, values)]

    async def get(self, difference: UUID) -> Difference | None:
        """One difference."""
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(_GET, {"id": difference})).first()
        return _difference(row) if row else None

    async def item(self, difference: UUID) -> Any:  # noqa: ANN401 a document of theirs
        """Their item, as it was listed or answered; None when there is none."""
        async with self.store.transaction() as transaction:
            found = (await transaction.connection.execute(_ITEM, {"id": difference})).scalar()
        return found["row"] if found else None

    async def acts(self, difference: UUID) -> list[Act]:
        """What people did about it, in order."""
        async with self.store.transaction() as transaction:
            return [Act(*row) for row in await transaction.connection.execute(_ACTS, {"id": difference})]

    async def sign_off(self, difference: UUID, *, actor: str, reason: str, now: datetime) -> bool:
        """It may stay as it is until it changes. False when it is signed off, or closed, already."""
        values = {"id": difference, "now": now}
        async with self.store.transaction() as transaction:
            if not (await transaction.connection.execute(_SIGN, values)).rowcount:
                return False
            await acted(transaction.connection, difference, Act(now, "sign_off", actor, reason, "signed off"))
            return True

    async def repaired(self, difference: UUID, act: Act) -> None:
        """A repair was done; whether it helped, the next statement tells."""
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_REPAIRED, {"id": difference, "now": act.at, "how": act.act})
            await acted(transaction.connection, difference, act)

    async def confidence(self, now: datetime) -> list[Confidence]:
        """Open differences of every system, by age."""
        async with self.store.transaction() as transaction:
            return [Confidence(*row) for row in await transaction.connection.execute(_CONFIDENCE, {"now": now})]


async def acted(connection: AsyncConnection, difference: UUID, act: Act) -> None:
    """Keep what a person did, in the transaction that does it."""
    values = {"id": difference, "at": act.at, "act": act.act, "actor": act.actor, "reason": act.reason}
    await connection.execute(_ACT, values | {"outcome": act.outcome})


async def repairing(connection: AsyncConnection, difference: UUID, *, now: datetime, how: str) -> bool:
    """Take the repair of an open difference, in the transaction that does it; False when it is under repair already."""
    return bool((await connection.execute(_TAKE_REPAIR, {"id": difference, "now": now, "how": how})).rowcount)


def _told(line: Line) -> bool:
    return line.class_ is not LineClass.AGREE


def _of(rows: Sequence[dict[str, Any]], classes: frozenset[LineClass] | set[LineClass]) -> list[dict[str, Any]]:
    return [row for row in rows if row["class"] in classes]


async def _many(connection: AsyncConnection, statement: TextClause, rows: Sequence[dict[str, Any]]) -> None:
    """In one order, so that two batches cannot deadlock."""
    if rows:
        names = statement.compile().params
        ordered = sorted(rows, key=lambda row: str(row["subject"]))
        await connection.execute(statement, [{name: row[name] for name in names} for row in ordered])


def _values(line: Line, about: Mapping[str, object], id_: UUID) -> dict[str, Any]:
    ours, theirs = line.ours, line.theirs
    keeps = theirs is not None and line.class_ in {LineClass.MISSING_HERE, LineClass.STATE_DIFFERS}
    ids = ours.external_ids if ours else ()
    return dict(about) | {
        "id": id_, "subject": line.subject, "class": line.class_.value, "mark": line.mark, "general": line.general,
        "case_id": ours.case_id if ours else None, "case_no": ours.case_no if ours else "",
        "part": ours.part if ours else "", "external_id": theirs.external_id if theirs else next(iter(ids), ""),
        "our_state": ours.stage.value if ours else "", "their_state": theirs.state[:200] if theirs else "",
        "our_at": ours.changed_at if ours else None, "their_at": theirs.changed_at if theirs else None,
        "text": line.text[:500], "item": kept(theirs.row) if keeps and theirs else None,
    }  # fmt: skip


def _difference(row: Row[Any]) -> Difference:
    values = dict(row._mapping)
    return Difference(class_=LineClass(values.pop("class")), **values)


_LINE = text("""
INSERT INTO statement_line
  (statement_id, subject, class, case_no, part, external_id, our_state, their_state, our_at, their_at, text)
VALUES (:sid, :subject, :class, :case_no, :part, :external_id, :our_state, :their_state, :our_at, :their_at, :text)
ON CONFLICT (statement_id, subject) DO UPDATE SET class = EXCLUDED.class, text = EXCLUDED.text
""")
_ADD = """
INSERT INTO difference
  (id, system, subject, class, mark, case_id, case_no, part, external_id, our_state, their_state, our_at, their_at,
   text, item, first_seen, last_seen, statement_id)
VALUES (:id, :system, :subject, :class, :mark, :case_id, :case_no, :part, :external_id, :our_state, :their_state,
        :our_at, :their_at, :text, CAST(:item AS jsonb), :now, :now, :sid)
ON CONFLICT (system, subject) WHERE closed_at IS NULL DO UPDATE SET"""
# It ages on, whatever class it comes to. One that was signed off begins anew when it changes.
_SEEN = text(f"""{_ADD} class = EXCLUDED.class, mark = EXCLUDED.mark, case_id = EXCLUDED.case_id,
  case_no = EXCLUDED.case_no, part = EXCLUDED.part, external_id = EXCLUDED.external_id,
  our_state = EXCLUDED.our_state, their_state = EXCLUDED.their_state, our_at = EXCLUDED.our_at,
  their_at = EXCLUDED.their_at, text = EXCLUDED.text, item = EXCLUDED.item, last_seen = EXCLUDED.last_seen,
  statement_id = EXCLUDED.statement_id,
  first_seen = CASE WHEN difference.signed_at IS NOT NULL AND difference.mark <> EXCLUDED.mark
                    THEN EXCLUDED.first_seen ELSE difference.first_seen END,
  signed_at = CASE WHEN difference.mark = EXCLUDED.mark THEN difference.signed_at END
""")
# Whoever cannot say takes nothing back of what was known.
_UNKNOWN = text(f"""{_ADD} statement_id = EXCLUDED.statement_id,
  last_seen = CASE WHEN difference.class = EXCLUDED.class THEN EXCLUDED.last_seen ELSE difference.last_seen END,
  text = CASE WHEN difference.class = EXCLUDED.class THEN EXCLUDED.text ELSE difference.text END,
  signed_at = CASE WHEN difference.class <> EXCLUDED.class OR difference.mark = EXCLUDED.mark
                   THEN difference.signed_at END,
  mark = CASE WHEN difference.class = EXCLUDED.class THEN EXCLUDED.mark ELSE difference.mark END
""")
_TOUCH = text("""
UPDATE difference SET statement_id = :sid
 WHERE system = :system AND subject = ANY(CAST(:subjects AS text[])) AND closed_at IS NULL
""")
_ENDING = """
UPDATE difference SET closed_at = :now, statement_id = :sid, item = NULL,
       closed_how = CASE WHEN repaired_at IS NOT NULL THEN 'repaired' ELSE 'gone' END
 WHERE system = :system AND closed_at IS NULL"""
_AGREED = text(f"{_ENDING} AND subject = ANY(CAST(:subjects AS text[]))")
_GONE = text(f"{_ENDING} AND statement_id <> :sid")
_COLUMNS = """id, system, subject, class, case_id, case_no, part, external_id, our_state, their_state, our_at, their_at,
       text, first_seen, last_seen, repair, repaired_at, signed_at, closed_at, closed_how,
       item IS NOT NULL AS has_item"""
_FIND = text(f"""
SELECT {_COLUMNS} FROM difference
 WHERE (:system = '' OR system = :system) AND (:class = '' OR class = :class) AND (:no = '' OR case_no = :no)
   AND (:state = '' OR :state = CASE WHEN closed_at IS NOT NULL THEN 'closed' WHEN signed_at IS NOT NULL
                                     THEN 'signed_off' ELSE 'open' END)
 ORDER BY first_seen, system, subject LIMIT :limit
""")  # noqa: S608
_GET = text(f"SELECT {_COLUMNS} FROM difference WHERE id = :id")  # noqa: S608
_ITEM = text("SELECT item FROM difference WHERE id = :id")
_ACTS = text("SELECT at, act, actor, reason, outcome FROM difference_act WHERE difference_id = :id ORDER BY at")
_ACT = text("""
INSERT INTO difference_act (difference_id, at, act, actor, reason, outcome)
VALUES (:id, :at, :act, :actor, :reason, :outcome) ON CONFLICT DO NOTHING
""")
_SIGN = text("UPDATE difference SET signed_at = :now WHERE id = :id AND closed_at IS NULL AND signed_at IS NULL")
_REPAIRED = text("UPDATE difference SET repaired_at = :now, repair = :how WHERE id = :id AND closed_at IS NULL")
_TAKE_REPAIR = text("""
UPDATE difference SET repaired_at = :now, repair = :how
 WHERE id = :id AND closed_at IS NULL AND (repaired_at IS NULL OR last_seen > repaired_at)
""")
_CONFIDENCE = text("""
SELECT system, count(*) FILTER (WHERE signed_at IS NULL), count(*) FILTER (WHERE signed_at IS NOT NULL),
       count(*) FILTER (WHERE signed_at IS NULL AND first_seen > CAST(:now AS timestamptz) - interval '1 day'),
       count(*) FILTER (WHERE signed_at IS NULL AND first_seen <= CAST(:now AS timestamptz) - interval '1 day'
                          AND first_seen > CAST(:now AS timestamptz) - interval '7 days'),
       count(*) FILTER (WHERE signed_at IS NULL AND first_seen <= CAST(:now AS timestamptz) - interval '7 days'),
       min(first_seen) FILTER (WHERE signed_at IS NULL)
  FROM difference WHERE closed_at IS NULL GROUP BY system ORDER BY system
""")
