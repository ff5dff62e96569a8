"""Whether the tallies are what counting the cases comes to, and making them so.

Both are read in one moment. A correction is a difference like all others: it may be added later, whatever happens
meanwhile, and nobody who writes cases waits for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text

from storage.store import Store
from storage.tables.tally import counted
from storage.tallies import ADDED, CUBES, INTO, KEYS, added_up, horizons


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of a cube that is not what counting comes to."""

    cube: str
    at: datetime | None
    """Its bucket of time; None where it has none."""
    keys: Mapping[str, str]
    """Those that are not empty."""
    off: int
    """What has to be added to it."""


async def check(store: Store, now: datetime, *, repair: bool = False) -> list[Difference]:
    """Where the tallies are off; with `repair` they are put right in the same transaction. Raises DatabaseAway.

    Reads every case: seconds for a million. Folding waits meanwhile, and nobody else does.
    """
    async with store.transaction() as transaction:
        connection = transaction.connection
        # Before the snapshot: what another process folds just now is then in it.
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await connection.execute(text("LOCK TABLE tally IN SHARE ROW EXCLUSIVE MODE"))
        values = horizons(now)
        rows = (await connection.execute(_OFF, values)).all()
        if repair and rows:
            await connection.execute(_REPAIR, values)
            await connection.execute(text("DELETE FROM tally WHERE n = 0"))
    return [Difference(row.cube, row.bucket, _named(row._mapping), int(row.n)) for row in rows]


def _named(row: RowMapping) -> dict[str, str]:
    return {key: str(row[key]) for key in KEYS if row[key] not in {"", False}}


def _off() -> str:
    """SQL: what has to be added to each row of each cube. What nobody looks at any more is not compared."""
    keys = ", ".join(KEYS)
    kept = " OR ".join(
        f"(cube = '{cube.name}'" + (f" AND at >= :{cube.since})" if cube.since else ")") for cube in CUBES
    )
    past = "CASE WHEN cube = 'due' AND at < :past THEN '-infinity' ELSE at END"
    return f"""
WITH counted AS MATERIALIZED ({counted("cases")}),
compared AS (
  {" UNION ALL ".join(added_up(cube, "counted") for cube in CUBES)}
  UNION ALL
  SELECT cube, at, {keys}, -n FROM ({" UNION ALL ".join(added_up(cube, "tally_change") for cube in CUBES)}) waiting
  UNION ALL
  SELECT cube, {past}, {keys}, -n FROM tally WHERE {kept})
SELECT cube, at, {keys}, sum(n) AS n FROM compared GROUP BY cube, at, {keys} HAVING sum(n) <> 0"""  # noqa: S608


_OFF = text(f"SELECT *, nullif(at, '-infinity') AS bucket FROM ({_off()}) off ORDER BY cube, at, n")  # noqa: S608
_REPAIR = text(f"{INTO} {_off()} {ADDED}")
