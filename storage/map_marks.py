"""What maps show of cases: the open ones, those that changed since, and those received in an interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from canonical.lifecycle import OPEN, Stage
from canonical.mark import CaseMark
from storage.spans import EARLIER, LATER, first_id
from storage.stages import OPEN_STAGES
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Change:
    """What is new since one look, and from where to look the next time."""

    marks: Sequence[CaseMark]
    """Cases that are open now."""
    gone: Sequence[UUID]
    """Cases that have ended."""
    since: int
    """The transaction from which on changes were not seen yet."""


class MapMarks:
    """Cases as marks. `texts`: with address and description, for maps of those who may read them."""

    def __init__(self, store: Store, *, texts: bool = False) -> None:
        self.store = store
        words = "coalesce(state -> 'place' ->> 'address', ''), coalesce(state ->> 'description', '')"
        columns = _COLUMNS.format(texts=words if texts else "'', ''")
        self._open = text(f"SELECT {columns} FROM cases WHERE stage IN ({OPEN_STAGES})")  # noqa: S608 our own words
        self._changed = text(f"""
            SELECT {columns} FROM cases
             WHERE id IN (SELECT case_id FROM event WHERE xact >= :since)
        """)  # noqa: S608
        self._received = text(f"""
            SELECT {columns} FROM cases
             WHERE id >= :first AND id < :last AND received_at >= :begin AND received_at < :end
             ORDER BY id LIMIT :most
        """)  # noqa: S608

    async def all_open(self) -> Change:
        """Every open case. Raises DatabaseAway."""
        async with self.store.transaction() as transaction:
            since = (await transaction.connection.execute(_HORIZON)).scalar_one()
            rows = (await transaction.connection.execute(self._open)).all()
        return Change([_mark(row) for row in rows], [], since)

    async def changed(self, since: int) -> Change:
        """What changed in transactions that were not seen at the last look. Raises DatabaseAway."""
        async with self.store.transaction() as transaction:
            horizon = (await transaction.connection.execute(_HORIZON)).scalar_one()
            rows = (await transaction.connection.execute(self._changed, {"since": since})).all()
        marks = [_mark(row) for row in rows]
        return Change(
            [one for one in marks if one.stage in OPEN], [one.id for one in marks if one.stage not in OPEN], horizon
        )

    async def received(self, begin: datetime, end: datetime, most: int) -> list[CaseMark]:
        """The first `most` cases received from `begin` on and before `end`. Raises DatabaseAway."""
        ids = {"first": first_id(begin - EARLIER), "last": first_id(end + LATER)}
        values = ids | {"begin": begin, "end": end, "most": most}
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(self._received, values)).all()
        return [_mark(row) for row in rows]


_COLUMNS = (
    "id, no, stage, source, owner, unit, class_code, area, grid, lon, lat, received_at, due_at, disposed_at, "
    "CAST(state -> 'place' -> 'grids' AS text), "
    "CAST(jsonb_path_query_array(state, '$.assignments[*].unit') AS text), {texts}"
)
# What a transaction below it wrote can be seen; what one above it writes, the next look finds.
_HORIZON = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")


def _mark(row: Row[Any]) -> CaseMark:
    (
        id_, no, stage, source, owner, unit, class_code, area, grid, lon, lat, received, due, disposed, grids, units,
        address, description,
    ) = tuple(row)  # fmt: skip
    return CaseMark(
        id=id_, no=no, stage=Stage(stage), source=source, owner=owner, unit=unit, class_code=class_code, area=area,
        grid=grid, lon=lon, lat=lat, received_at=received, due_at=due, disposed_at=disposed,
        grids=orjson.loads(grids) if grids else {}, units=tuple(orjson.loads(units)), address=address,
        description=description,
    )  # fmt: skip
