"""What still has to be announced of what happened to cases: rows written with the events, gone when the bus has them.

A row is there exactly when its events are committed and not known to be confirmed, so nothing can be skipped, in
whatever order transactions end. Of one case the rows follow one another as its events do: its row is locked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text

from storage.store import Store

EVENTS = "events"
"""The only publication there is."""
LONGEST = 200
"""Events of a case that are read to tell the next one: a case that is told of every minute must not get ever dearer."""
MEMORY = "announcements"
RELAY = "relay"
"""Under which names, of no system, the troubles of who announces and who relays stand."""


@dataclass(frozen=True, slots=True)
class Unannounced:
    """Events `first` to `last` of one case. JSON as it is stored: whoever reads it does so outside the loop."""

    position: int
    case_id: UUID
    first: int
    last: int
    case: str
    """Its present state; empty when there is none any more."""
    events: tuple[str, ...]
    """From its first event on; of a case with more than LONGEST, from `first` on."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be announced."""

    since: datetime | None
    """From when on what happens is announced; None: it is not."""
    waiting: int
    """Steps of cases."""
    oldest: datetime | None
    set_aside: int
    """Those that cannot be told; a person has to look."""
    trouble: str
    """Why nothing moves; empty when all is well."""


class Announcements:
    """The announcements of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def switch_on(self, now: datetime) -> bool:
        """Announce what happens from now on. False when that was so already."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            if (await connection.execute(_ON, {"name": EVENTS})).first() is not None:
                return False
            await connection.execute(_ALONE)
            row = await connection.execute(_SWITCH_ON, {"name": EVENTS, "now": now})
            return row.first() is not None

    async def switch_off(self) -> int:
        """Announce nothing any more, what waits included; of how many cases' steps that was."""
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_ALONE)
            await transaction.connection.execute(_SWITCH_OFF, {"name": EVENTS})
            return (await transaction.connection.execute(_FORGET)).rowcount

    async def waiting(self, limit: int) -> list[Unannounced]:
        """The oldest of what waits, with all that is needed to tell it."""
        async with self.store.transaction() as transaction:
            connection = transaction.connection
            rows = (await connection.execute(_WAITING, {"limit": limit})).all()
            if not rows:
                return []
            first: dict[UUID, int] = {}
            last: dict[UUID, int] = {}
            for row in rows:  # what is announced again may come after what is newer
                first[row.case_id] = min(row.first, first.get(row.case_id, row.first))
                last[row.case_id] = max(row.last, last.get(row.case_id, row.last))
            wanted = {"ids": list(last), "firsts": list(first.values()), "lasts": list(last.values())}
            events: dict[UUID, list[str]] = {case_id: [] for case_id in last}
            for case_id, body in await connection.execute(_EVENTS, wanted | {"longest": LONGEST}):
                events[case_id].append(body)
            cases = {row.id: row.state for row in await connection.execute(_CASES, {"ids": list(last)})}
        return [
            Unannounced(
                row.position, row.case_id, row.first, row.last, cases.get(row.case_id, ""), tuple(events[row.case_id])
            )
            for row in rows
        ]

    async def announced(self, positions: Sequence[int]) -> None:
        """The bus has these."""
        await self._write(_DONE, {"positions": list(positions)})

    async def set_aside(self, position: int, trouble: str) -> None:
        """This one cannot be told: it holds up no other case."""
        await self._write(_SET_ASIDE, {"position": position, "trouble": trouble})

    async def take_up_again(self) -> int:
        """Try what was set aside once more; how many they are."""
        return await self._write(_TAKE_UP, {})

    async def again(self, since: datetime, until: datetime) -> int:
        """Announce once more what happened in this time, both ends in it; of how many cases that is.

        Whoever has heard it drops it by its id.
        """
        return await self._write(_AGAIN, {"since": since, "until": until})

    async def backlog(self) -> Backlog:
        """How much waits, and since when."""
        async with self.store.transaction() as transaction:
            return Backlog(
                *(await transaction.connection.execute(_BACKLOG, {"name": EVENTS, "memories": [MEMORY, RELAY]})).one()
            )

    async def _write(self, statement: TextClause, values: dict[str, object]) -> int:
        async with self.store.transaction() as transaction:
            return (await transaction.connection.execute(statement, values)).rowcount


_ON = text("SELECT name FROM publication WHERE name = :name")
# Nobody writes events meanwhile: who comes after sees the row, and who came before is not announced as a half.
_ALONE = text("LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE")
_SWITCH_ON = text("""
INSERT INTO publication (name, since) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING RETURNING name
""")
_SWITCH_OFF = text("DELETE FROM publication WHERE name = :name")
_FORGET = text("DELETE FROM announcement")
_WAITING = text("""
SELECT position, case_id, first, last FROM announcement WHERE trouble = '' ORDER BY position LIMIT :limit
""")
_EVENTS = text("""
SELECT e.case_id, CAST(e.body AS text) FROM event e
  JOIN unnest(CAST(:ids AS uuid[]), CAST(:firsts AS int[]), CAST(:lasts AS int[])) AS w(i, f, l)
    ON e.case_id = w.i AND e.seq <= w.l AND (w.l <= :longest OR e.seq >= w.f)
 ORDER BY e.case_id, e.seq
""")
_CASES = text("SELECT id, CAST(state AS text) AS state FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
_DONE = text("DELETE FROM announcement WHERE position = ANY(CAST(:positions AS bigint[]))")
_SET_ASIDE = text("UPDATE announcement SET trouble = :trouble WHERE position = :position")
_TAKE_UP = text("UPDATE announcement SET trouble = '' WHERE trouble <> ''")
_AGAIN = text("""
INSERT INTO announcement (case_id, first, last)
SELECT case_id, min(seq), max(seq) FROM event WHERE at BETWEEN :since AND :until GROUP BY case_id ORDER BY min(at)
""")
_BACKLOG = text("""
SELECT (SELECT since FROM publication WHERE name = :name), (SELECT count(*) FROM announcement WHERE trouble = ''),
       (SELECT min(at) FROM announcement WHERE trouble = ''), (SELECT count(*) FROM announcement WHERE trouble <> ''),
       coalesce((SELECT string_agg(trouble, '; ' ORDER BY name) FROM memory
                  WHERE system = '' AND name = ANY(CAST(:memories AS text[])) AND trouble <> ''), '')
""")
