"""The status column of an exchange table in flag mode: claims, verdicts written back, claims given back.

Each is a short transaction of its own, and each looks at the status again: another may have changed it meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Engine, Select, select, update
from sqlalchemy.exc import SQLAlchemyError

from connectors.exchange_columns import TIME_FORMAT, Column, Layout, instant_for
from connectors.exchange_declaration import Table
from connectors.exchange_dialect import counts_bytes, is_data, skips_locked
from connectors.exchange_rows import KEYS_AT_ONCE, Key, Row, picked


class Status:
    """What one receiver does to the status column of its table."""

    def __init__(self, engine: Engine, table: Table, *, now: Callable[[], datetime], zone: ZoneInfo) -> None:
        self._engine = engine
        self._table = table
        self._now = now
        self._zone = zone
        self._recovered = not table.claimed
        self._doubtful: dict[Key, object] = {}
        """Rows that may stand claimed with nobody working on them, and the status they had."""

    def claim(
        self, layout: Layout, columns: Sequence[Column], statement: Select[Any]
    ) -> tuple[list[Row], dict[Key, object]]:
        """Mark what `statement` finds and is still new, whoever looks at it with us.

        Gives the rows found, and key and former status of those that are ours. They stay doubtful until `hold`
        says that they are in hand, whatever becomes of the transaction.
        """
        flag = layout.columns[self._table.flag]
        mark = update(layout.table).values({flag.clause: flag.bound(flag.value_of(self._table.claimed))})
        mine: dict[Key, object] = {}
        with self._engine.begin() as connection:
            names = [one.name for one in columns]
            found = [Row(dict(zip(names, row, strict=True))) for row in connection.execute(statement).all()]
            for row in self._free(connection, layout, found):
                key = row.of(self._table.key)
                self._doubtful[key] = row.values[flag.name]
                if connection.execute(mark.where(self._is(layout, key), flag.among(self._table.new))).rowcount:
                    mine[key] = row.values[flag.name]
                else:
                    del self._doubtful[key]
        return found, mine

    def _free(self, connection: Connection, layout: Layout, found: Sequence[Row]) -> list[Row]:
        """Those that nobody else holds, held by us until the transaction ends.

        Picked by key: MariaDB locks every row it looks at for an order or a condition, and that may be all that wait.
        """
        if not skips_locked(connection.dialect):
            return list(found)
        key = layout.chosen(self._table.key)
        keys = [row.of(self._table.key) for row in found]
        free: set[Key] = set()
        for start in range(0, len(keys), KEYS_AT_ONCE):
            these = picked(key, keys[start : start + KEYS_AT_ONCE])
            statement = select(*(one.clause for one in key)).select_from(layout.table).where(these)
            free |= {tuple(row) for row in connection.execute(statement.with_for_update(skip_locked=True))}
        return [row for row, one in zip(found, keys, strict=True) if one in free]

    def hold(self, key: Key) -> None:
        """The row is in hand, or has its verdict."""
        self._doubtful.pop(key, None)

    def doubt(self, key: Key, before: object) -> None:
        """The row is no longer in hand, and may stand claimed."""
        if self._table.claimed:
            self._doubtful[key] = before

    def give_back(self, layout: Layout, filters: Sequence[ColumnElement[bool]]) -> None:
        """Make claims new that nobody works on: at first a killed receiver's, later our own doubtful ones."""
        if self._recovered and not self._doubtful:
            return
        flag = layout.columns[self._table.flag]
        stands = flag.equals(flag.value_of(self._table.claimed))
        with self._engine.begin() as connection:
            for key, before in self._doubtful.items():
                one = update(layout.table).where(self._is(layout, key), stands)
                connection.execute(one.values({flag.clause: flag.bound(before)}))
            if not self._recovered:
                left = update(layout.table).where(stands, *filters)
                connection.execute(left.values({flag.clause: flag.bound(flag.given(self._table.new[0]))}))
        self._doubtful.clear()
        self._recovered = True

    def accept(self, layout: Layout, key: Key) -> None:
        """Mark the row as taken."""
        self._update(layout, key, self._values(layout, self._table.taken))

    def reject(self, layout: Layout, key: Key, reason: str) -> None:
        """Mark the row as failed, with the reason; without it when the column cannot hold our words."""
        values = self._values(layout, self._table.failed or self._table.taken)
        note = {self._table.note: self._cut(reason, layout.columns[self._table.note])} if self._table.note else {}
        try:
            self._update(layout, key, values | note)
        except SQLAlchemyError as error:
            if not note or not is_data(error):
                raise
            self._update(layout, key, values)

    def _values(self, layout: Layout, status: str) -> dict[str, object]:
        values: dict[str, object] = {self._table.flag: layout.columns[self._table.flag].given(status)}
        if self._table.taken_at:
            values[self._table.taken_at] = self._time_for(layout.columns[self._table.taken_at])
        return values

    def _update(self, layout: Layout, key: Key, values: Mapping[str, object]) -> None:
        states = (*self._table.new, self._table.claimed) if self._table.claimed else self._table.new
        bound = {layout.columns[name].clause: layout.columns[name].bound(value) for name, value in values.items()}
        ours = update(layout.table).where(self._is(layout, key), layout.columns[self._table.flag].among(states))
        with self._engine.begin() as connection:
            connection.execute(ours.values(bound))

    def _is(self, layout: Layout, key: Key) -> ColumnElement[bool]:
        return picked(layout.chosen(self._table.key), [key])

    def _time_for(self, column: Column) -> object:
        now = self._now().astimezone(self._zone).replace(microsecond=0)
        return instant_for(now, column, self._zone) if column.is_time else now.strftime(TIME_FORMAT)[: column.length]

    def _cut(self, text: str, column: Column) -> str:
        if column.length and counts_bytes(self._engine.dialect):
            return text.encode()[: column.length].decode("utf-8", "ignore")
        return text[: column.length]
