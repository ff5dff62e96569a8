"""The index of what cases are found by: kept up by a follower that reads what was committed since, beside the hot path.

One transaction takes in a batch and says how far it came, so that whoever is killed has lost nothing. What a term is,
this room does not know: it is handed a function.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.case import Binding, Case
from storage.counting import OLDEST_OPEN
from storage.store import Store

_LAST = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A case with everything that it is found by."""

    case: Case
    bindings: tuple[Binding, ...]
    joined: tuple[str, ...] = ()
    """Telephones of those whose reports joined it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch."""

    cases: int
    more: bool
    """There is more to do at once."""
    begun: bool = False
    """It begins anew, from the newest case on."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """How far the index has come."""

    waiting: datetime | None
    """When the oldest change happened that is not in it; None: all are."""
    complete: bool
    """Older cases are in it, too."""
    key: str
    """Tells the key of its telephones from another; empty: nothing is in it yet."""


NOT_BEGUN = Indexed(None, complete=False, key="")
"""No worker has looked yet."""


class OtherKey(Exception):
    """The index was made with another key: telephones would not be found."""


Making = Callable[[Entry], Collection[int]]


class SearchIndex:
    """The index of one database. `key`: tells the key of its telephones from another, and not the key."""

    def __init__(self, store: Store, key: str) -> None:
        self.store, self._key = store, key

    async def follow(self, making: Making, *, limit: int = 500) -> Taken | None:
        """Take in about `limit` cases that changed, and then older ones. None: another process is at it.

        Raises OtherKey, and DatabaseAway.
        """
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_BEGIN, {"building": _LAST, "key": self._key})
            position = (await connection.execute(_POSITION)).one_or_none()
            if position is None:
                return None
            if position.key != self._key:
                raise OtherKey
            horizon = (await connection.execute(_HORIZON)).scalar_one()  # now that nobody else moves the position
            if position.since > horizon:  # a database that was restored counts its transactions anew
                await _empty(connection)
                return Taken(0, more=True, begun=True)
            return await self._take(connection, making, position, horizon, limit)

    async def _take(
        self, connection: AsyncConnection, making: Making, position: Row[Any], horizon: int, limit: int
    ) -> Taken:  # fmt: skip
        span = {"since": position.since, "horizon": horizon, "limit": limit}
        cut = (await connection.execute(_CUT, span)).scalar()
        # Rows of one transaction are taken together, however many they are: there is no place between them.
        upto = horizon if cut is None else max(cut, position.since + 1)
        ids = set((await connection.execute(_CHANGED, span | {"upto": upto})).scalars())
        building = position.building
        if building is not None and len(ids) < limit:
            older = (
                (await connection.execute(_OLDER, {"building": building, "limit": limit - len(ids)})).scalars().all()
            )
            building = older[-1] if older else None
            ids |= set(older)
        await _put(connection, [(entry.case.id, making(entry)) for entry in await entries(connection, ids, kept=True)])
        await connection.execute(_MOVE, {"since": upto, "building": building})
        return Taken(len(ids), more=upto < horizon or building is not None)


async def rebuild(store: Store) -> None:
    """Forget everything; a follower takes it in again with its own key, the newest first. Raises DatabaseAway."""
    async with store.transaction() as transaction:
        await _empty(transaction.connection)


async def indexed(store: Store) -> Indexed:
    """How far the index has come. Raises DatabaseAway."""
    async with store.transaction() as transaction:
        position = (await transaction.connection.execute(_STANDS)).one_or_none()
        if position is None:
            return NOT_BEGUN
        waiting = (await transaction.connection.execute(_WAITING, {"since": position.since})).scalar()
    return Indexed(waiting, complete=position.building is None, key=position.key)


async def entries(connection: AsyncConnection, ids: Iterable[UUID], *, kept: bool = False) -> list[Entry]:
    """These cases, the newest first. `kept`: retention cannot remove them before this transaction ends."""
    values = {"ids": list(ids)}
    if not values["ids"]:
        return []
    found = (await connection.execute(_KEPT_CASES if kept else _CASES, values)).scalars().all()
    bindings: dict[UUID, list[Binding]] = {}
    for body in (await connection.execute(_BINDINGS, values)).scalars():
        binding = Binding.model_validate_json(body)
        bindings.setdefault(binding.case_id, []).append(binding)
    joined: dict[UUID, list[str]] = {}
    for row in await connection.execute(_JOINED, values):
        joined.setdefault(row.case_id, []).append(row.phone)
    cases = sorted((Case.model_validate_json(state) for state in found), key=lambda case: case.id, reverse=True)
    return [Entry(case, tuple(bindings.get(case.id, ())), tuple(joined.get(case.id, ()))) for case in cases]


async def _put(connection: AsyncConnection, rows: Iterable[tuple[UUID, Collection[int]]]) -> None:
    ordered = sorted(rows)
    arrays = [f"{{{','.join(map(str, sorted(terms)))}}}" for _, terms in ordered]
    await connection.execute(_PUT, {"ids": [id_ for id_, _ in ordered], "terms": arrays})


async def _empty(connection: AsyncConnection) -> None:
    await connection.execute(text("DELETE FROM search_position"))
    await connection.execute(text("TRUNCATE search_case"))


_HORIZON = text(f"SELECT {OLDEST_OPEN}")
# Nothing is written, and nobody waits for it, where there is a row.
_BEGIN = text(f"""
INSERT INTO search_position (one, since, building, key) SELECT true, {OLDEST_OPEN}, :building, :key
 WHERE NOT EXISTS (SELECT FROM search_position) ON CONFLICT DO NOTHING
""")  # noqa: S608
_STANDS = text("SELECT since, building, key FROM search_position")
_POSITION = text("SELECT since, building, key FROM search_position FOR UPDATE SKIP LOCKED")
_CUT = text("""
SELECT xact FROM event WHERE xact >= :since AND xact < :horizon ORDER BY xact OFFSET :limit LIMIT 1
""")
# The answer of a system tells its number of the case, in the transaction that keeps the number.
_CHANGED = text("""
SELECT case_id FROM event WHERE xact >= :since AND xact < :upto
UNION
SELECT case_id FROM message WHERE xact >= :since AND xact < :upto AND direction = 'answer' AND case_id IS NOT NULL
""")
_OLDER = text("SELECT id FROM cases WHERE id < :building ORDER BY id DESC LIMIT :limit")
# In the order in which retention locks them, and so that it waits for us, or we find no case: it removes rows of the
# index with their case, and none may be written afterwards. Whoever changes a case is not in the way.
_KEPT_CASES = text("""
SELECT CAST(state AS text) FROM cases WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR KEY SHARE
""")
_CASES = text("SELECT CAST(state AS text) FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
_BINDINGS = text("SELECT CAST(body AS text) FROM binding WHERE case_id = ANY(CAST(:ids AS uuid[]))")
_JOINED = text("""
SELECT case_id, body #>> '{action,report,reporter,phone}' AS phone FROM event
 WHERE case_id = ANY(CAST(:ids AS uuid[])) AND action = 'join' AND body #>> '{action,report,reporter,phone}' <> ''
""")
_PUT = text("""
INSERT INTO search_case AS s (case_id, terms)
SELECT w.id, CAST(w.terms AS int[]) FROM unnest(CAST(:ids AS uuid[]), CAST(:terms AS text[])) AS w(id, terms)
ON CONFLICT (case_id) DO UPDATE SET terms = EXCLUDED.terms WHERE s.terms <> EXCLUDED.terms
""")
_MOVE = text("UPDATE search_position SET since = :since, building = :building")
_WAITING = text("SELECT at FROM event WHERE xact >= :since ORDER BY xact LIMIT 1")
