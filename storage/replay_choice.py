"""What fits a choice: messages of the journal that came in, or deliveries that have ended. No bodies are read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.message import Direction
from canonical.replay import Chosen, Subject
from storage.store import Store

ENDED = ("acknowledged", "refused", "parked", "withdrawn")
"""States in which nothing happens to a delivery by itself any more."""


async def choose(store: Store, system: str, direction: Direction, chosen: Chosen, *, limit: int) -> list[Subject]:
    """What of one system fits, at most so many, each with what it is at bottom and the round that comes next."""
    async with store.transaction() as transaction:
        connection = transaction.connection
        statement, wanted = _WANTED[direction]
        values: dict[str, Any] = {"system": system, "limit": limit, "wanted": _states(direction, chosen) or wanted}
        values |= {"since": chosen.since, "until": chosen.until, "any_state": bool(chosen.message)}
        lists = {"kind": chosen.kind, "cases": chosen.case, "external": chosen.id, "ids": chosen.message}
        values |= {name: list(given) or None for name, given in lists.items()}
        rows = (await connection.execute(statement, values)).all()
        subjects = [Subject(**row._mapping) for row in rows]
        ids = [one.id for one in subjects]
        roots = await _roots(connection, ids)
        rounds = {row.subject: row.round for row in await connection.execute(_ROUNDS, {"ids": ids})}
    return [replace(one, same=str(roots[one.id]), round=rounds.get(one.id, 0) + 1) for one in subjects]


async def case_numbers(store: Store, case_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """Cases' numbers by their ids."""
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(_NUMBERS, {"ids": list(case_ids)})
        return {row.id: row.no for row in rows}


def _states(direction: Direction, chosen: Chosen) -> list[str]:
    if direction is Direction.IN or not chosen.verdict:
        return list(chosen.verdict)
    return [state for state in ENDED if state in chosen.verdict]


async def _roots(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """What each is at bottom: a replay of a replay is a replay of the first."""
    roots = {one: one for one in ids}
    while True:
        rows = (await connection.execute(_ABOVE, {"ids": list(set(roots.values()))})).all()
        above = {row.result: row.subject for row in rows}
        if not above:
            return roots
        roots = {one: above.get(root, root) for one, root in roots.items()}


# Pages are left out unless they are named: what they held has rows of its own.
_INBOUND = text("""
SELECT m.id, m.id AS original, m.case_id, m.kind, m.at, m.verdict AS was,
       coalesce(CAST(m.case_id AS text), nullif(m.system || ' ' || m.external_id, m.system || ' '),
                CAST(m.id AS text)) AS lane
  FROM message m
 WHERE m.direction = 'in' AND m.system = :system
   AND (CAST(:since AS timestamptz) IS NULL OR m.at >= :since)
   AND (CAST(:until AS timestamptz) IS NULL OR m.at < :until)
   AND (m.verdict = ANY(CAST(:wanted AS text[]))
        OR (cardinality(CAST(:wanted AS text[])) = 0 AND (m.verdict <> 'split' OR :any_state)))
   AND (CAST(:kind AS text[]) IS NULL OR m.kind = ANY(:kind))
   AND (CAST(:cases AS text[]) IS NULL OR m.case_id IN (SELECT id FROM cases WHERE no = ANY(:cases)))
   AND (CAST(:external AS text[]) IS NULL OR m.external_id = ANY(:external))
   AND (CAST(:ids AS uuid[]) IS NULL OR m.id = ANY(:ids))
   AND (CAST(:ids AS uuid[]) IS NULL OR m.parent IS NULL OR NOT m.parent = ANY(:ids))
 ORDER BY m.at, m.id LIMIT :limit
""")
_OUTBOUND = text("""
SELECT d.id, o.id AS original, d.case_id, d.message AS kind, coalesce(d.done_at, d.created_at) AS at, d.state AS was,
       CAST(d.case_id AS text) AS lane, d.seq AS order
  FROM delivery d
  LEFT JOIN LATERAL (
    SELECT m.id FROM message m
     WHERE m.case_id = d.case_id AND m.direction = 'out' AND m.system = d.system AND m.door = d.message
       AND m.at >= d.created_at AND (d.done_at IS NULL OR m.at <= d.done_at)
     ORDER BY m.id = d.message_id DESC, m.at DESC, m.id DESC LIMIT 1) o ON true
 WHERE d.system = :system AND (d.state = ANY(CAST(:wanted AS text[])) OR (:any_state AND d.state = ANY(:ended)))
   AND (CAST(:since AS timestamptz) IS NULL OR coalesce(d.done_at, d.created_at) >= :since)
   AND (CAST(:until AS timestamptz) IS NULL OR coalesce(d.done_at, d.created_at) < :until)
   AND (CAST(:kind AS text[]) IS NULL OR d.message = ANY(:kind))
   AND (CAST(:cases AS text[]) IS NULL OR d.case_id IN (SELECT id FROM cases WHERE no = ANY(:cases)))
   AND (CAST(:external AS text[]) IS NULL OR EXISTS (
         SELECT 1 FROM binding b WHERE b.case_id = d.case_id AND b.system = d.system
            AND b.external_id = ANY(:external)))
   AND (CAST(:ids AS uuid[]) IS NULL OR d.id = ANY(:ids) OR o.id = ANY(:ids))
 ORDER BY at, d.id LIMIT :limit
""").bindparams(ended=list(ENDED))
_WANTED: Mapping[Direction, tuple[TextClause, list[str]]] = {
    Direction.IN: (_INBOUND, []), Direction.OUT: (_OUTBOUND, ["acknowledged"]),
}  # fmt: skip
_ABOVE = text("""
SELECT result, subject FROM replay_item WHERE result = ANY(CAST(:ids AS uuid[])) AND subject <> result
""")
_ROUNDS = text("""
SELECT subject, max(round) AS round FROM replay_item
 WHERE subject = ANY(CAST(:ids AS uuid[])) AND state IN ('begun', 'done', 'failed') GROUP BY subject
""")
_NUMBERS = text("SELECT id, no FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
