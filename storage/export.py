"""What happened, row by row, for whoever checks the hub from outside: facts of all tables in one moment, as JSON lines.

No body, no words and no person leave here: numbers, codes, states and times only. The memory used does not grow with
the rows.
"""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import text

from canonical.records import Facts
from storage.store import Store

__all__ = ["Facts", "facts"]

_AT_ONCE = 1000


async def facts(store: Store, kinds: Sequence[Facts] = tuple(Facts)) -> AsyncIterator[str]:
    """One JSON object a row, as text; its `fact` names the kind. Raises Unavailable when the database goes away."""
    async with store.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        await connection.execute(text("SET LOCAL TIME ZONE 'Asia/Shanghai'"))
        for kind in Facts:
            if kind in kinds:
                rows = await connection.stream(text(_OF[kind]), execution_options={"yield_per": _AT_ONCE})
                async for (row,) in rows:
                    yield row


def _rows(kind: Facts, source: str, /, **columns: str) -> str:
    members = ", ".join(f"'{name}', {column}" for name, column in columns.items())
    return f"SELECT CAST(json_build_object('fact', '{kind}', {members}) AS text) FROM {source}"  # noqa: S608 ours


# The colon of a cast would be a parameter to SQLAlchemy; CAST is none.
_OF = {
    Facts.MESSAGE: _rows(
        Facts.MESSAGE, "message m LEFT JOIN cases c ON c.id = m.case_id ORDER BY m.id",
        id="m.id", at="m.at", direction="m.direction", system="m.system", door="m.door", kind="m.kind",
        verdict="m.verdict", why="m.why", external_id="m.external_id", case_no="c.no", is_report="m.is_report",
        parent="m.parent", status="m.status", size="octet_length(m.body)", edition="m.edition",
    ),
    Facts.CASE: _rows(
        Facts.CASE, "cases c ORDER BY c.no",
        no="c.no", id="c.id", version="c.version", stage="c.stage", queue="c.queue", source="c.source",
        owner="c.owner", unit="c.unit", class_code="c.class_code", area="c.area", grid="c.grid",
        received_at="c.received_at", due_at="c.due_at", disposed_at="c.disposed_at", closed_at="c.closed_at",
        merged_into="c.state ->> 'merged_into'",
    ),
    Facts.EVENT: _rows(
        Facts.EVENT, "event e JOIN cases c ON c.id = e.case_id ORDER BY e.case_id, e.seq",
        case_no="c.no", seq="e.seq", at="e.at", action="e.action", party="e.party", message="e.message_id",
        system="e.body -> 'action' ->> 'system'", unit="e.body -> 'action' ->> 'unit'",
        actor="CASE WHEN e.party IN ('source', 'owner') THEN e.body -> 'action' -> 'actor' ->> 'id' END",
        stated_at="e.body -> 'action' ->> 'stated_at'",
    ),
    Facts.BINDING: _rows(
        Facts.BINDING, "binding b JOIN cases c ON c.id = b.case_id ORDER BY b.system, b.external_id",
        system="b.system", external_id="b.external_id", case_no="c.no", role="b.body ->> 'role'",
        round="b.body -> 'round'",
    ),
    Facts.DELIVERY: _rows(
        Facts.DELIVERY, "delivery d JOIN cases c ON c.id = d.case_id ORDER BY d.case_id, d.system, d.seq",
        id="d.id", case_no="c.no", system="d.system", seq="d.seq", event_seq="d.event_seq", name="d.message",
        address="d.address", state="d.state", in_doubt="d.in_doubt", attempts="d.attempts",
        created_at="d.created_at", done_at="d.done_at", why="d.why", message="d.message_id",
    ),
    Facts.FILE: _rows(
        Facts.FILE, "attachment a JOIN cases c ON c.id = a.case_id ORDER BY a.case_id, a.url",
        case_no="c.no", system="a.system", state="a.state", attempts="a.attempts", created_at="a.created_at",
        sha256="a.sha256", size="a.size", media="a.media",
    ),
}  # fmt: skip
