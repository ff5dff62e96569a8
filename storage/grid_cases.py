"""How many cases lie in each unit grid and, of an industry's grids, in each cell."""

from datetime import datetime

from sqlalchemy import text

from storage.store import Store


async def cases_by_grids(store: Store, edition: str, begin: datetime, end: datetime) -> dict[tuple[str, str], int]:
    """By (unit grid, cell of that edition), cases received from `begin` on and before `end`. Raises DatabaseAway.

    The cell is empty where a case lies in none.
    """
    values = {"edition": edition, "begin": begin, "end": end}
    async with store.transaction() as transaction:
        rows = (await transaction.connection.execute(_COUNTED, values)).all()
    return {(grid, cell): count for grid, cell, count in rows}


async def cases_in(store: Store, edition: str) -> int:
    """Cases of whatever stage that keep this edition of a grid set. Raises DatabaseAway."""
    async with store.transaction() as transaction:
        found = await transaction.connection.execute(_IN_EDITION, {"edition": edition})
        return int(found.scalar_one())


_IN_EDITION = text("""
SELECT count(*) FROM cases
 WHERE state -> 'place' ->> 'grid_set' = :edition OR state -> 'place' -> 'grids' ->> :edition IS NOT NULL
""")
_COUNTED = text("""
SELECT grid, coalesce(state -> 'place' -> 'grids' ->> :edition, ''), count(*) FROM cases
 WHERE grid IS NOT NULL AND received_at >= :begin AND received_at < :end AND stage <> 'merged'
 GROUP BY 1, 2
""")
