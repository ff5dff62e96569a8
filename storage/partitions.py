"""The months of the tables that grow. Ids begin with their millisecond, so a range of ids is a range of time.

`message` is parted by its own id; `event` and what is settled of `delivery` by the id of their case. What is not
settled lies in one small table, `delivery_open`, which is all that a claim looks at. A row of no made month falls into
the `_rest` of its table: nothing is refused for want of a month. See docs/adr/0022.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from canonical.errors import Unavailable
from canonical.time import SHANGHAI
from storage.spans import first_id
from storage.store import Store

TREES = {"message": "id", "event": "case_id", "delivery_done": "case_id"}
"""Partitioned table, and the id its months are ranges of."""

AHEAD = 3
"""Months that are made beforehand. As many may pass without anybody keeping house."""

_LOCK = 4_702_002
"""Advisory lock: one process makes months at a time."""
_PATIENCE = "3s"
"""A new month waits no longer for others: whoever reads all months would wait behind it meanwhile."""
LOCKED = "55P03"
"""SQLSTATE of a lock that was not to be had in time."""
_OLDEST, _YEARS_AHEAD = 2000, 2
"""A row of an earlier year, or of a later one than that, has a wrong clock behind it and stays in the rest."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month in Asia/Shanghai."""

    year: int
    number: int

    @classmethod
    def of(cls, at: datetime) -> "Month":
        """The month of an instant."""
        local = at.astimezone(SHANGHAI)
        return cls(local.year, local.month)

    def plus(self, months: int) -> "Month":
        """So many months later."""
        count = self.year * 12 + self.number - 1 + months
        return Month(count // 12, count % 12 + 1)

    @property
    def begin(self) -> datetime:
        """Its first instant."""
        return datetime(self.year, self.number, 1, tzinfo=SHANGHAI)

    @property
    def first(self) -> UUID:
        """No id made in it, or later, is smaller."""
        return first_id(self.begin)

    def __str__(self) -> str:
        return f"{self.year:04}_{self.number:02}"


@dataclass(frozen=True, slots=True)
class Part:
    """One partition: the ids from `first` up to, and without, `end`. None: without an end on that side."""

    name: str
    first: UUID | None
    end: UUID | None

    def holds(self, month: Month) -> bool:
        """True when ids of this month lie in it."""
        return (self.first is None or self.first <= month.first) and (self.end is None or month.first < self.end)


def made_at(id_: UUID) -> datetime | None:
    """When an id was made; None when its clock was beyond all calendars."""
    try:
        return datetime(1970, 1, 1, tzinfo=SHANGHAI) + timedelta(hours=8, milliseconds=id_.int >> 80)
    except OverflowError:
        return None


def parts(connection: Connection, tree: str) -> list[Part]:
    """The partitions of a table in order, without its rest."""
    rows = connection.execute(_PARTS, {"tree": tree}).all()
    found = [_part(name, bounds) for name, bounds in rows if bounds != "DEFAULT"]
    return sorted(found, key=lambda part: (part.first or UUID(int=0)).int)


def make_ahead(
    connection: Connection, now: datetime, *, trees: Iterable[str] = TREES, ahead: int = AHEAD
) -> list[str]:  # fmt: skip
    """Make what is missing of this month and the next ones, and of the months that lie in a rest. Gives their names.

    Whoever finds another process at it leaves it to that one. Raises sqlalchemy's DBAPIError (lock timeout) where
    somebody holds a rest too long: nothing is changed then, and the next try makes it good.
    """
    if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one():
        return []
    made: list[str] = []
    for tree in trees:
        there = parts(connection, tree)
        wanted = {Month.of(now).plus(number) for number in range(ahead + 1)} | _in_rest(connection, tree, now)
        missing = [month for month in sorted(wanted) if not any(part.holds(month) for part in there)]
        made += [make(connection, tree, month) for month in missing]
    return made


async def keep_months(store: Store, now: datetime) -> tuple[list[str], dict[str, int]]:
    """Make what is missing; the names of what was made, and what lies in a rest all the same.

    One table in a transaction: who holds the rest of one and waits for that of another would wait for whoever reads
    both in the other order, and one of the two would be ended as a deadlock. Raises Unavailable where somebody holds a
    rest too long: ask again later.
    """
    try:
        made: list[str] = []
        for tree in TREES:
            async with store.transaction() as transaction:
                made += await transaction.connection.run_sync(partial(make_ahead, now=now, trees=(tree,)))
        async with store.transaction() as transaction:
            return made, await transaction.connection.run_sync(rests)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != LOCKED:
            raise
        raise Unavailable("the tables' months are in use: no new one was made") from error


def rests(connection: Connection) -> dict[str, int]:
    """Rows in the rest of each table, where there are any: months were missing, or a clock was wrong."""
    counts = {
        tree: int(connection.execute(text(f"SELECT count(*) FROM {tree}_rest")).scalar_one())  # noqa: S608 ours
        for tree in TREES
    }
    return {tree: count for tree, count in counts.items() if count}


def _part(name: str, bounds: str) -> Part:
    lower, upper = re.findall(r"\(('[^']+'|MINVALUE|MAXVALUE)\)", bounds)
    return Part(name, *(UUID(end.strip("'")) if end.startswith("'") else None for end in (lower, upper)))


def _in_rest(connection: Connection, tree: str, now: datetime) -> set[Month]:
    """The months whose rows lie in the rest, one look into an index each."""
    found: set[Month] = set()
    key, after = TREES[tree], Month(_OLDEST, 1).first
    end = Month(Month.of(now).year + _YEARS_AHEAD, 1).first
    query = text(f"SELECT {key} FROM {tree}_rest WHERE {key} >= :after AND {key} < :end ORDER BY {key} LIMIT 1")  # noqa: S608
    while (id_ := connection.execute(query, {"after": after, "end": end}).scalar()) is not None:
        at = made_at(id_)
        assert at is not None  # it lies between two calendar years
        month = Month.of(at)
        found.add(month)
        after = month.plus(1).first
    return found


def make(connection: Connection, tree: str, month: Month) -> str:
    """Make one month of a table, with what lies in the rest of it, and give its name."""
    name, rest, key = f"{tree}_{month}", f"{tree}_rest", TREES[tree]
    bounds = {"first": month.first, "end": month.plus(1).first}
    connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
    connection.execute(text(f"LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"CREATE TABLE {name} (LIKE {tree} INCLUDING ALL)"))
    connection.execute(
        text(f"""
        WITH moved AS (DELETE FROM {rest} WHERE {key} >= :first AND {key} < :end RETURNING *)
        INSERT INTO {name} SELECT * FROM moved"""),  # noqa: S608 ours
        bounds,
    )
    connection.execute(
        text(f"ALTER TABLE {tree} ATTACH PARTITION {name} FOR VALUES FROM ('{month.first}') TO ('{bounds['end']}')")
    )
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    return name


_PARTS = text("""
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = to_regclass(:tree)
""")
