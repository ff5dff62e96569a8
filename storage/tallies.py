"""The cubes of tallies, and folding: changes that the triggers left are added up into `tally`, in small steps.

A figure is what `tally` and the changes that are not folded yet come to together: right before, during and after
folding. Only folding and repair write to `tally`, never intake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.time import in_shanghai
from storage.store import Store

STEP = 5_000
"""Changes folded in one transaction: a few tenths of a second."""
LOCK = 4_702_006
"""Advisory lock: one process folds at a time."""
_SLACK = timedelta(hours=1)
"""What is due before this hour becomes one row an hour later: another process's clock may be behind."""
_PAST = "-infinity"


@dataclass(frozen=True, slots=True)
class Cube:
    """One way to count cases: by these keys, in buckets of time, as long as they are looked at."""

    name: str
    keys: tuple[str, ...]
    where: str
    """Which rows of `tally_change` it counts, in SQL."""
    at: str = f"TIMESTAMPTZ '{_PAST}'"
    """The bucket of such a row, in SQL."""
    since: str = ""
    """The parameter that says from when on buckets are kept; empty: all that are not zero."""

    @property
    def counts(self) -> str:
        """The condition on a row of `tally_change`."""
        return f"{self.where} AND {self.at} >= :{self.since}" if self.since else self.where


_WHO = ("street", "source", "owner", "unit")
_MONTH = "date_trunc('month', ended_at, 'Asia/Shanghai')"
CUBES: Sequence[Cube] = (
    Cube("open", ("stage", "level", *_WHO), "stage <> ''"),
    Cube("open_class", ("class_code", *_WHO), "stage <> ''"),
    Cube(
        "due", ("class_code", "provisional", *_WHO), "due_at IS NOT NULL",
        f"CASE WHEN due_at < :past THEN '{_PAST}' ELSE due_at END",
    ),
    Cube("taken", ("class_code", "channel", *_WHO), "taken_at IS NOT NULL", "taken_at", "days"),
    Cube("ended", ("class_code", "outcome", "how", *_WHO), "ended_at IS NOT NULL", "ended_at", "days"),
    Cube("ended_month", ("outcome", *_WHO), "ended_at IS NOT NULL", _MONTH, "months"),
    Cube("ended_class", ("class_code", "outcome", *_WHO), "ended_at IS NOT NULL", _MONTH, "class_months"),
)  # fmt: skip
"""Stages and classes stand in cubes of their own: together they would be nearly as many rows as there are cases."""
BY_NAME: Mapping[str, Cube] = {cube.name: cube for cube in CUBES}


def horizons(now: datetime) -> dict[str, datetime]:
    """The parameters of the cubes' conditions. `now`: the hub's clock."""
    local = in_shanghai(now)
    today, hour = (
        local.replace(hour=0, minute=0, second=0, microsecond=0),
        local.replace(minute=0, second=0, microsecond=0),
    )
    return {
        "past": hour - _SLACK, "days": today - timedelta(days=3), "months": month_of(today - timedelta(days=400)),
        "class_months": month_of(month_of(today) - timedelta(days=1)),
    }  # fmt: skip


def month_of(at: datetime) -> datetime:
    """The first instant of its month in Shanghai."""
    return in_shanghai(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def fold(store: Store, now: datetime, *, step: int = STEP) -> int:
    """Fold at most so many changes; how many there were. 0 as well where another process is at it.

    Raises DatabaseAway. What is due and lies in the past becomes one row; what nobody looks at any more goes.
    """
    async with store.transaction() as transaction:
        connection = transaction.connection
        if not (await connection.execute(_ALONE, {"lock": LOCK})).scalar_one():
            return 0
        values = horizons(now)
        found = (await connection.execute(_FOLD, values | {"step": step})).one()
        if found.zeros:
            await connection.execute(_GONE, {"zeros": found.zeros})
        if found.folded < step:
            await _age(connection, values)
        return int(found.folded)


async def _age(connection: AsyncConnection, values: Mapping[str, datetime]) -> None:
    """Buckets whose time has passed."""
    zeros = (await connection.execute(_TO_PAST, {"past": values["past"]})).scalar_one()
    if zeros:
        await connection.execute(_GONE, {"zeros": zeros})
    for cube in CUBES:
        if cube.since:
            await connection.execute(_DROP, {"cube": cube.name, "since": values[cube.since]})


def added_up(cube: Cube, rows: str) -> str:
    """SQL: the rows of `tally` that these rows, of the shape of `tally_change`, come to in this cube."""
    keys = ", ".join(cube.keys)
    return f"""
    SELECT '{cube.name}' AS cube, {cube.at} AS at, {_columns(cube)}, sum(n) AS n
      FROM {rows} WHERE {cube.counts} GROUP BY {cube.at}, {keys} HAVING sum(n) <> 0"""  # noqa: S608 names are ours


KEYS = ("street", "unit", "owner", "source", "class_code", "stage", "level", "channel", "outcome", "how", "provisional")


def _columns(cube: Cube) -> str:
    """All keys; those that the cube has not are empty."""
    empty = {"provisional": "false"}
    return ", ".join(key if key in cube.keys else f"{empty.get(key, repr(''))} AS {key}" for key in KEYS)


_ALL_KEYS = ", ".join(KEYS)
ADDED = f"ON CONFLICT (cube, at, {_ALL_KEYS}) DO UPDATE SET n = tally.n + EXCLUDED.n"
"""The end of an INSERT into `tally` that adds."""
INTO = f"INSERT INTO tally (cube, at, {_ALL_KEYS}, n)"
_ZEROS = "coalesce(array_agg(CAST(place AS text)) FILTER (WHERE n = 0), '{}')"

_ALONE = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FOLD = text(f"""
WITH gone AS MATERIALIZED (
  DELETE FROM tally_change WHERE ctid = ANY(ARRAY(SELECT ctid FROM tally_change LIMIT :step)) RETURNING *),
sums AS ({" UNION ALL ".join(added_up(cube, "gone") for cube in CUBES)}),
added AS ({INTO} SELECT cube, at, {_ALL_KEYS}, n FROM sums {ADDED} RETURNING ctid AS place, n)
SELECT (SELECT count(*) FROM gone) AS folded, {_ZEROS} AS zeros FROM added
""")  # noqa: S608 names are ours
_GONE = text("DELETE FROM tally WHERE ctid = ANY(CAST(CAST(:zeros AS text[]) AS tid[])) AND n = 0")


def _to_past() -> TextClause:
    keys = ", ".join(BY_NAME["due"].keys)
    return text(f"""
    WITH gone AS (
      DELETE FROM tally WHERE cube = 'due' AND at > '{_PAST}' AND at < :past RETURNING *),
    added AS (
      INSERT INTO tally (cube, at, {keys}, n)
      SELECT 'due', '{_PAST}', {keys}, sum(n) FROM gone GROUP BY {keys} {ADDED} RETURNING ctid AS place, n)
    SELECT {_ZEROS} FROM added""")  # noqa: S608 names are ours


_TO_PAST = _to_past()
_DROP = text("DELETE FROM tally WHERE cube = :cube AND at < :since")
