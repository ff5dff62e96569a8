"""What is to be sealed, in an order that no late commit can disturb, and the seals.

A row's place is (transaction that wrote it, kind, id, seq). Transactions before the oldest that still runs are decided:
each of their rows is there by now, or never will be. So a seal that covers all places after the one before, up to
one below that horizon, covers each row exactly once. See docs/adr/0030.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.counting import OLDEST_OPEN, SHIFT
from storage.store import Store

MESSAGE, EVENT = 0, 1
DIGEST = 32
"""Bytes of a digest, whichever of the two."""
_LOCK = 4_702_003
"""Advisory lock: one process seals at a time."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a row stands in the order of all that is sealed. Transaction 0: it is older than sealing."""

    xact: int
    kind: int
    id: UUID
    seq: int


BEGINNING = Place(0, MESSAGE, UUID(int=0), 0)
_LIVE = Place(0, EVENT, UUID(int=2**128 - 1), 2**31 - 1)
"""After all that is older than sealing."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """What of a message never changes, once it is in the journal."""

    place: Place
    at: datetime
    direction: str
    system: str
    door: str
    parent: UUID | None
    content_type: str
    path: str
    status: int
    headers: str
    """JSON."""
    sha256: str
    """Of the body, though retention may have removed that."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, and what stands about it beside its body."""

    place: Place
    at: datetime
    action: str
    party: str
    message_id: UUID | None
    body: str
    """JSON."""


Row = MessageRow | EventRow


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal without its leaves."""

    no: int
    sealed_at: datetime
    header: str
    head: str
    nodes: bytes
    upto: Place


@dataclass(frozen=True, slots=True)
class Leaves:
    """What a seal is over."""

    keys: Sequence[tuple[UUID, int]]
    """(id, 0) of a message, (case, seq) of an event, in order."""
    digests: Sequence[bytes]
    salt: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """How far sealing has come."""

    seals: int
    waiting: datetime | None
    """When the oldest row that is not sealed was made; None: all are."""


NOTHING_SEALED = Standing(0, None)


async def alone(connection: AsyncConnection) -> bool:
    """Whether this transaction may seal: nobody else does until it ends."""
    return bool((await connection.execute(_ALONE, {"lock": _LOCK})).scalar_one())


async def horizon(connection: AsyncConnection) -> int:
    """No transaction before this one is open any more."""
    return int((await connection.execute(_HORIZON)).scalar_one())


async def rows_after(connection: AsyncConnection, after: Place, *, end: int, limit: int) -> list[Row]:
    """The next rows after a place whose transactions are before `end`, in order."""
    start = await _start(connection)
    if after.xact == 0 and (end <= start or (old := await _rows(connection, _OLD, after, start, end, limit))):
        return old if end > start else []
    return await _rows(connection, _NEW, max(after, _LIVE), start, end, limit)


async def _start(connection: AsyncConnection) -> int:
    """The transaction with which sealing began: rows of it, and of earlier ones, are sealed by their keys alone."""
    return int((await connection.execute(_START)).scalar_one())


async def _rows(
    connection: AsyncConnection, queries: Sequence[TextClause], after: Place, start: int, end: int, limit: int
) -> list[Row]:
    values = {"xact": after.xact, "id": after.id, "seq": after.seq, "start": start, "end": end, "limit": limit}
    await connection.execute(_BY_INDEX)
    messages, events = queries
    skipped = after.kind == EVENT  # of the same transaction all messages come before the events
    values |= {"upto": UUID(int=2**128 - 1) if skipped else after.id}
    found: list[Row] = [_message(row) for row in await connection.execute(messages, values)]
    values |= {} if skipped else {"id": UUID(int=0), "seq": 0}
    found += [_event(row) for row in await connection.execute(events, values)]
    return sorted(found, key=lambda row: row.place)[:limit]


async def rows_of(
    connection: AsyncConnection, cases: Sequence[UUID], messages: Sequence[UUID] = ()
) -> tuple[list[EventRow], list[MessageRow]]:
    """The events and messages of these cases in order, and these messages."""
    start = await _start(connection)
    events = [_event(row) for row in await connection.execute(_EVENTS_OF, {"cases": list(cases), "start": start})]
    values = {"cases": list(cases), "ids": list(messages), "start": start}
    return events, [_message(row) for row in await connection.execute(_MESSAGES_OF, values)]


def _message(row: Any) -> MessageRow:  # noqa: ANN401
    return MessageRow(Place(row.xact, MESSAGE, row.id, 0), *row[2:])


def _event(row: Any) -> EventRow:  # noqa: ANN401
    return EventRow(Place(row.xact, EVENT, row.case_id, row.seq), *row[3:])


async def newest(connection: AsyncConnection) -> Seal | None:
    """The last seal; None while there is none."""
    row = (await connection.execute(_NEWEST)).first()
    return _seal(row) if row else None


async def seals(connection: AsyncConnection, numbers: Iterable[int]) -> dict[int, Seal]:
    """These seals."""
    wanted = {"numbers": sorted(set(numbers))}
    return {row.no: _seal(row) for row in await connection.execute(_SEALS, wanted)}


async def leaves(connection: AsyncConnection, no: int) -> Leaves:
    """What this seal is over."""
    row = (await connection.execute(_LEAVES, {"no": no})).one()
    digests = [row.leaves[at : at + DIGEST] for at in range(0, len(row.leaves), DIGEST)]
    return Leaves(list(zip(row.ids, row.seqs, strict=True)), digests, row.salt)


async def seals_of(connection: AsyncConnection, places: Sequence[Place]) -> list[int | None]:
    """The seal that covers each place; None: not sealed yet."""
    values = {
        "xacts": [place.xact for place in places], "kinds": [place.kind for place in places],
        "ids": [place.id for place in places], "seqs": [place.seq for place in places],
    }  # fmt: skip
    return [row.no for row in await connection.execute(_SEALS_OF, values)]


async def daily(connection: AsyncConnection, first: int) -> list[Seal]:
    """The last seal of each day (Asia/Shanghai) from this seal on."""
    return [_seal(row) for row in await connection.execute(_DAILY, {"first": first})]


async def with_heads(connection: AsyncConnection, heads: Sequence[str]) -> list[Seal]:
    """The seals whose chain had these heads. Reads all seals."""
    return [_seal(row) for row in await connection.execute(_WITH_HEADS, {"heads": list(heads)})] if heads else []


async def add(connection: AsyncConnection, seal: Seal, over: Leaves) -> None:
    """One more seal. Raises IntegrityError when there is one of that number."""
    values = {
        "no": seal.no, "sealed_at": seal.sealed_at, "header": seal.header, "head": seal.head, "nodes": seal.nodes,
        "upto_xact": seal.upto.xact, "upto_kind": seal.upto.kind, "upto_id": seal.upto.id, "upto_seq": seal.upto.seq,
        "ids": [id_ for id_, _ in over.keys], "seqs": [seq for _, seq in over.keys],
        "leaves": b"".join(over.digests), "salt": over.salt,
    }  # fmt: skip
    await connection.execute(insert(tables.seal).values(values))


async def all_seals(connection: AsyncConnection, first: int) -> AsyncIterator[Seal]:
    """Every seal from this one on, in order."""
    while rows := (await connection.execute(_FROM, {"first": first})).all():
        for row in rows:
            yield _seal(row)
        first = rows[-1].no + 1


async def standing(store: Store) -> Standing:
    """How far sealing has come."""
    async with store.transaction() as transaction:
        connection = transaction.connection
        last = await newest(connection)
        end = int((await connection.execute(_END)).scalar_one())
        rows = await rows_after(connection, last.upto if last else BEGINNING, end=end, limit=1)
    return Standing(last.no if last else 0, rows[0].at if rows else None)


def _seal(row: Any) -> Seal:  # noqa: ANN401
    upto = Place(row.upto_xact, row.upto_kind, row.upto_id, row.upto_seq)
    return Seal(row.no, row.sealed_at, row.header, row.head, row.nodes, upto)


_ALONE = text("SELECT pg_try_advisory_xact_lock(:lock)")
_HORIZON = text(f"SELECT {OLDEST_OPEN}")
_END = text(f"SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) + {SHIFT}")
# A planner without statistics would read and sort all that is not sealed for each batch of it.
_START = text("SELECT coalesce((SELECT max(start) FROM sealing), 0)")
_BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)")

_PLACED = "CASE WHEN xact <= :start THEN 0 ELSE xact END AS xact"
_MESSAGE_COLUMNS = f"""{_PLACED}, id, at, direction, system, door, parent, content_type, path, status,
  CAST(headers AS text) AS headers,
  CASE WHEN digest <> '' THEN digest ELSE encode(sha256(body), 'hex') END AS sha256"""
_EVENT_COLUMNS = f"{_PLACED}, case_id, seq, at, action, party, message_id, CAST(body AS text) AS body"


def _query(columns: str, table: str, condition: str, order: str) -> TextClause:
    return text(f"SELECT {columns} FROM {table} m WHERE {condition} ORDER BY {order} LIMIT :limit")  # noqa: S608 ours


_OLD = (
    _query(_MESSAGE_COLUMNS, "message", "xact <= :start AND id > :upto", "id"),
    _query(_EVENT_COLUMNS, "event", "xact <= :start AND (case_id, seq) > (:id, :seq)", "case_id, seq"),
)
_WINDOW = "m.xact > :start AND m.xact >= :xact AND m.xact < :end"
_NEW = (
    _query(_MESSAGE_COLUMNS, "message", f"{_WINDOW} AND (m.xact > :xact OR id > :upto)", "m.xact, id"),
    _query(
        _EVENT_COLUMNS,
        "event",
        f"{_WINDOW} AND (m.xact > :xact OR (case_id, seq) > (:id, :seq))",
        "m.xact, case_id, seq",
    ),
)  # fmt: skip
_EVENTS_OF = text(f"""
SELECT {_EVENT_COLUMNS} FROM event WHERE case_id = ANY(CAST(:cases AS uuid[])) ORDER BY case_id, seq
""")  # noqa: S608
_MESSAGES_OF = text(f"""
SELECT {_MESSAGE_COLUMNS} FROM message WHERE case_id = ANY(CAST(:cases AS uuid[])) OR id = ANY(CAST(:ids AS uuid[]))
 ORDER BY id
""")  # noqa: S608
_SEAL = "no, sealed_at, header, head, nodes, upto_xact, upto_kind, upto_id, upto_seq"
_NEWEST = text(f"SELECT {_SEAL} FROM seal ORDER BY no DESC LIMIT 1")  # noqa: S608
_SEALS = text(f"SELECT {_SEAL} FROM seal WHERE no = ANY(CAST(:numbers AS bigint[])) ORDER BY no")  # noqa: S608
_FROM = text(f"SELECT {_SEAL} FROM seal WHERE no >= :first ORDER BY no LIMIT 1000")  # noqa: S608
_WITH_HEADS = text(f"SELECT {_SEAL} FROM seal WHERE head = ANY(CAST(:heads AS text[])) ORDER BY no")  # noqa: S608
_LEAVES = text("SELECT ids, seqs, leaves, salt FROM seal WHERE no = :no")
_SEALS_OF = text("""
SELECT s.no FROM unnest(CAST(:xacts AS bigint[]), CAST(:kinds AS int[]), CAST(:ids AS uuid[]), CAST(:seqs AS int[]))
  WITH ORDINALITY AS w(xact, kind, id, seq, i)
  LEFT JOIN LATERAL (
    SELECT no FROM seal
     WHERE (upto_xact, upto_kind, upto_id, upto_seq) >= (w.xact, w.kind, w.id, w.seq)
     ORDER BY upto_xact, upto_kind, upto_id, upto_seq LIMIT 1) s ON true
 ORDER BY w.i
""")
_DAILY = text(f"""
SELECT {_SEAL} FROM (
  SELECT generate_series(
    date_trunc('day', (SELECT sealed_at FROM seal WHERE no = :first) AT TIME ZONE 'Asia/Shanghai'),
    (SELECT max(sealed_at) FROM seal) AT TIME ZONE 'Asia/Shanghai', '1 day') AS day) d
  CROSS JOIN LATERAL (
    SELECT {_SEAL} FROM seal
     WHERE sealed_at >= d.day AT TIME ZONE 'Asia/Shanghai'
       AND sealed_at < (d.day + interval '1 day') AT TIME ZONE 'Asia/Shanghai'
     ORDER BY sealed_at DESC, no DESC LIMIT 1) s
 WHERE no >= :first ORDER BY no
""")  # noqa: S608
