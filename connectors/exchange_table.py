"""Exchange tables (前置库): rows that another system leaves in a database, one message a row.

It knows rows and no case. No transaction stays open while the hub works: a claim is a short one of its own, and so is
every verdict. Declared names reach SQL only as columns the database says it has, values only as parameters.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ColumnElement, Select, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError

from canonical.errors import ContractViolation, HubError, Misconfigured, Unavailable
from canonical.message import Message
from canonical.ports import Memory, Received
from connectors.exchange_columns import TIME_FORMAT, Column, Layout, instant_for, json_value, layout_of
from connectors.exchange_dialect import blurs, code_of, counts_bytes, is_data, is_lost, open_engine, ours, skips_locked
from connectors.exchange_position import Ledger, Position, looked_back, position_of, read, written
from connectors.exchange_rows import Key, Row, after, checked, in_order, picked, rows, rows_by_key
from connectors.exchange_write import TableConnector

__all__ = ["Mode", "Table", "TableConnector", "TableReceiver"]

Mode = Literal["flag", "sequence", "reload"]


@dataclass(frozen=True, slots=True)
class Table:
    """What is agreed about a table. Names match without regard to case; rows use the spelling declared here."""

    name: str
    """`table`, `view` or `schema.table`."""
    key: tuple[str, ...]
    """Columns that identify a row."""
    mode: Mode
    columns: tuple[str, ...] = ()
    """Columns that must be there, and the only ones read beside those named elsewhere. None: read all there are."""
    flag: str = ""
    """Flag mode: the status column."""
    new: tuple[str, ...] = ()
    """Its values that mean "not taken yet"; the empty one is NULL as well."""
    claimed: str = ""
    """Its value while we work on the row. None: a row is marked only when it is durable with us."""
    taken: str = ""
    failed: str = ""
    """After a rejection; `taken` when not given."""
    note: str = ""
    """Column for the reason of a rejection, cut to the column's length."""
    taken_at: str = ""
    """Column for the time of taking."""
    sequence: str = ""
    """Sequence mode: the watermark column (number, time or text). Flag mode: read in this order."""
    overlap: float = 0
    """Sequence mode: how far to look back each pass, for late commits and clocks that jump; seconds or units."""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Only rows with one of these values in each of these columns; the empty one is NULL as well."""

    @property
    def named(self) -> tuple[str, ...]:
        """Every column this declaration needs, each once."""
        single = (self.flag, self.note, self.taken_at, self.sequence)
        return tuple(dict.fromkeys(one for one in (*self.key, *self.columns, *single, *self.where) if one))

    @property
    def order(self) -> tuple[str, ...]:
        """The columns rows are read in the order of."""
        first = (self.sequence,) if self.sequence and self.mode != "reload" else ()
        return tuple(dict.fromkeys((*first, *self.key)))

    def findings(self) -> list[str]:
        """What is contradictory or missing in it."""
        flagged = self.mode == "flag"
        rules = (
            (not self.name, "a table needs its name"),
            (not self.key, "key: the columns that identify a row are missing"),
            (self.mode not in {"flag", "sequence", "reload"}, "mode is one of flag, sequence, reload"),
            (flagged and not (self.flag and self.new), "flag mode needs `flag` and the values that are `new`"),
            (flagged and self.taken in self.new, "`taken` must differ from the values that are `new`"),
            (flagged and self.failed in self.new and self.failed != "", "`failed` must differ from the `new` values"),
            (flagged and self.claimed != "" and self.claimed in {*self.new, self.taken, self.failed},
             "`claimed` must differ from every other value of the flag"),
            (self.mode == "sequence" and not self.sequence, "sequence mode needs `sequence`"),
            (self.overlap < 0, "`overlap` looks back: it is not negative"),
        )  # fmt: skip
        return [f"table {self.name}: {text}" for broken, text in rules if broken]


class _Verdict(Enum):
    ACCEPT = auto()
    REJECT = auto()
    DEFER = auto()


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A row that waits for its verdict."""

    message: Message
    name: str = field(repr=False)
    """The key as text."""
    key: Key = field(repr=False)
    digest: str
    flag: object = field(repr=False)
    """Its status before we claimed it."""
    settle: Callable[["_Delivery", _Verdict, str], None] = field(repr=False)

    def accept(self) -> None:
        self.settle(self, _Verdict.ACCEPT, "")

    def reject(self, reason: str) -> None:
        self.settle(self, _Verdict.REJECT, reason)

    def defer(self) -> None:
        self.settle(self, _Verdict.DEFER, "")


class TableReceiver:
    """Takes rows out of one table, pass by pass: a pass goes through it once and ends with an empty answer.

    `zone`: in which the table's times are told. `timeout`: seconds to connect and for a statement. With `claimed`, rows
    that a killed receiver left claimed are new again at the first `receive`: two hubs on one table need a lease.
    """

    def __init__(
        self,
        url: str,
        table: Table,
        *,
        system: str,
        door: str,
        memory: Memory,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        zone: ZoneInfo,
        timeout: float,
    ) -> None:
        if findings := table.findings():
            raise Misconfigured("; ".join(findings))
        self._table = table
        self._whom = f"{system}: {table.name}"
        self._system, self._door = system, door
        self._memory, self._ids, self._now, self._zone = memory, ids, now, zone
        self._engine = open_engine(url, timeout=timeout, zone=zone, now=now)
        self._layout: Layout | None = None
        self._cursor: Key | None = None
        """Order columns of the last row read in this pass; None between passes."""
        self._lower: ColumnElement[bool] = true()
        self._position: Position | None = None
        self._ledger = Ledger()
        self._in_hand: dict[str, _Delivery] = {}
        self._doubtful: dict[Key, object] = {}
        """Rows that may stand claimed with nobody working on them, and the status they had."""
        self._recovered = not table.claimed

    def receive(self, *, most: int, wait: float) -> Sequence[Received]:
        """Up to `most` rows that are new; empty at once, whatever `wait`, when the pass is over.

        Raises Unavailable, Unauthenticated, and ContractViolation naming the columns when the table has changed.
        """
        if most < 1:
            return []
        try:
            layout = self._layout or self._open()
            self._give_back(layout)
            return self._next(layout, most)
        except SQLAlchemyError as error:
            problem = self._explained(error)
        except HubError:
            self._restart()  # a page that was read and not handed out must not be stepped over
            raise
        raise problem

    def close(self) -> None:
        """Give back claims and connections. Harmless twice."""
        for delivery in list(self._in_hand.values()):
            delivery.defer()
        self._engine.dispose()

    # Reading

    def _next(self, layout: Layout, most: int) -> list[Received]:
        """The next rows to hand out; pages without any are passed over, and the pass ends behind the last."""
        while True:
            if self._cursor is None:
                self._begin(layout)
            page = self._claim(layout, most) if self._table.claimed else self._page(layout, most)
            if handed := self._handed(layout, page):
                return handed
            if self._cursor is None:
                return []

    def _begin(self, layout: Layout) -> None:
        """Start a pass: from the beginning, or from the position and what lies shortly before it."""
        self._lower, self._ledger = true(), Ledger()
        told = self._memory.position() if self._table.mode == "sequence" else ""
        if not told:
            return
        column = layout.columns[self._table.sequence]
        self._position = read(told, column)
        lower = column.bound(looked_back(self._position, self._table.overlap, column))
        self._lower = or_(column.clause >= lower, column.clause.is_(None))

    def _statement(self, layout: Layout, columns: Iterable[Column], most: int) -> Select[Any]:
        order = layout.chosen(self._table.order)
        conditions = [self._lower, *self._filters(layout)]
        if self._table.mode == "flag":
            conditions.append(layout.columns[self._table.flag].among(self._table.new))
        if self._cursor is not None:
            conditions.append(after(order, self._cursor))
        chosen = select(*(one.clause for one in columns)).select_from(layout.table)
        return chosen.where(*conditions).order_by(*in_order(order)).limit(most)

    def _filters(self, layout: Layout) -> list[ColumnElement[bool]]:
        return [layout.columns[name].among(told) for name, told in self._table.where.items()]

    def _page(self, layout: Layout, most: int) -> list[Row]:
        """The next page; with a value that cannot be read in it, the page by its keys and each row for itself."""
        columns = tuple(layout.columns.values())
        page = rows(self._engine, columns, self._statement(layout, columns, most))
        if page is None:
            places = layout.chosen(dict.fromkeys((*self._table.order, *self._table.key)))
            found = rows(self._engine, places, self._statement(layout, places, most))
            if found is None:
                names = ", ".join(one.name for one in places)
                raise ContractViolation(f"{self._whom}: a row's {names} cannot be read", at=self._table.key[0])
            keys = [row.of(self._table.key) for row in found]
            page = rows_by_key(self._engine, layout, self._table.key, keys)
            self._go_on(found)
        else:
            self._go_on(page)
        return page

    def _claim(self, layout: Layout, most: int) -> list[Row]:
        """Mark rows as ours in a short transaction, then read them; only those that were still new are ours."""
        flag = layout.columns[self._table.flag]
        needed = layout.chosen(dict.fromkeys((*self._table.order, flag.name)))
        mark = update(layout.table).values({flag.clause: flag.bound(flag.value_of(self._table.claimed))})
        mine: dict[Key, object] = {}
        with self._engine.connect() as connection:
            statement = self._statement(layout, needed, most)
            if skips_locked(connection.dialect):
                statement = statement.with_for_update(skip_locked=True)
            names = [one.name for one in needed]
            found = [Row(dict(zip(names, row, strict=True))) for row in connection.execute(statement).all()]
            for row in found:
                key = row.of(self._table.key)
                self._doubtful[key] = row.values[flag.name]  # whatever happens to this transaction
                still_new = picked(layout.chosen(self._table.key), [key]) & flag.among(self._table.new)
                if connection.execute(mark.where(still_new)).rowcount:
                    mine[key] = row.values[flag.name]
                else:
                    del self._doubtful[key]
            connection.commit()
        page = rows_by_key(self._engine, layout, self._table.key, list(mine))
        for key in mine:
            del self._doubtful[key]
        self._go_on(found)
        # The status may say something itself (added, changed, deleted): the message has it as it was.
        return [Row({**row.values, flag.name: mine[row.of(self._table.key)]}, row.unreadable) for row in page]

    def _go_on(self, found: Sequence[Row]) -> None:
        """Move the cursor behind the rows found; without any the pass is over."""
        checked(self._whom, found, self._table.key)
        cursor = found[-1].of(self._table.order) if found else None
        if cursor is not None and cursor == self._cursor:
            names = ", ".join(self._table.order)
            raise ContractViolation(f"{self._whom}: rows cannot be told apart by {names} as read", at=names)
        self._cursor = cursor

    def _handed(self, layout: Layout, page: Sequence[Row]) -> list[Received]:
        """Those of a page that are new to us and not in hand already."""
        made = [self._delivery(layout, row) for row in page]
        if self._table.mode == "flag":
            news = frozenset(one.name for one in made)
        else:
            news = self._memory.news({one.name: one.digest for one in made})
        for row, one in zip(page, made, strict=True):
            if self._table.mode == "sequence":
                column = layout.columns[self._table.sequence]
                place = self._place(row, column)
                self._ledger.add(one.name, place, settled=one.name not in news and one.name not in self._in_hand)
        handed = [one for one in made if one.name in news and one.name not in self._in_hand]
        self._advance()
        self._in_hand |= {one.name: one for one in handed}
        return list(handed)

    def _delivery(self, layout: Layout, row: Row) -> _Delivery:
        told = {
            name: json_value(value, layout.columns[name].type, self._zone)
            for name, value in row.values.items()
            if name in layout.columns
        }
        body = orjson.dumps({name: told[name] for name in layout.columns})
        message = Message(
            system=self._system, body=body, at=self._now(), id=self._ids(), door=self._door,
            content_type="application/json", path=self._table.name,
            headers={"unreadable": ",".join(row.unreadable)} if row.unreadable else {},
        )  # fmt: skip
        key = row.of(self._table.key)
        name = orjson.dumps([told[one] for one in self._table.key]).decode()
        digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return _Delivery(message, name, key, digest, row.values.get(self._table.flag), self._settle)

    # Verdicts

    def _settle(self, delivery: _Delivery, verdict: _Verdict, reason: str) -> None:
        if self._in_hand.pop(delivery.name, None) is not delivery:
            return
        if self._table.mode == "flag":
            self._write_back(delivery, verdict, reason)
        elif verdict is not _Verdict.DEFER:
            self._memory.remember({delivery.name: delivery.digest})
            self._ledger.settle(delivery.name)
            self._advance()

    def _write_back(self, delivery: _Delivery, verdict: _Verdict, reason: str) -> None:
        if self._table.claimed:
            self._doubtful[delivery.key] = delivery.flag
        try:
            layout = self._layout or self._open()
            if verdict is not _Verdict.DEFER:
                self._mark(layout, delivery, verdict, reason)
                self._doubtful.pop(delivery.key, None)
            elif self._table.claimed:
                self._give_back(layout)
        except (SQLAlchemyError, HubError) as error:
            problem = ours(self._whom, error) if isinstance(error, SQLAlchemyError) else error
            self._restart()
            if verdict is _Verdict.DEFER:
                return  # given back at the next `receive`, or at the first one after a restart
        else:
            return
        raise Unavailable(str(problem))

    def _mark(self, layout: Layout, delivery: _Delivery, verdict: _Verdict, reason: str) -> None:
        table, columns = self._table, layout.columns
        flag = columns[table.flag]
        accepted = verdict is _Verdict.ACCEPT
        values: dict[str, object] = {table.flag: flag.given(table.taken if accepted else table.failed or table.taken)}
        if table.taken_at:
            values[table.taken_at] = self._time_for(columns[table.taken_at])
        note = {table.note: self._cut(reason, columns[table.note])} if table.note and not accepted else {}
        try:
            self._update(layout, delivery.key, values | note)
        except SQLAlchemyError as error:
            if not note or not is_data(error):
                raise
            self._update(layout, delivery.key, values)  # a column that cannot hold our words: the status matters more

    def _update(self, layout: Layout, key: Key, values: Mapping[str, object]) -> None:
        flag = layout.columns[self._table.flag]
        states = (*self._table.new, self._table.claimed) if self._table.claimed else self._table.new
        bound = {layout.columns[name].clause: layout.columns[name].bound(value) for name, value in values.items()}
        where = picked(layout.chosen(self._table.key), [key]) & flag.among(states)
        with self._engine.begin() as connection:
            connection.execute(update(layout.table).where(where).values(bound))

    def _give_back(self, layout: Layout) -> None:
        """Make claims new that nobody works on: at first a killed receiver's, later our own deferred ones."""
        flag = layout.columns[self._table.flag] if self._table.claimed else None
        if flag is None or (self._recovered and not self._doubtful):
            return
        stands = flag.equals(flag.value_of(self._table.claimed))
        with self._engine.begin() as connection:
            for key, before in self._doubtful.items():
                where = picked(layout.chosen(self._table.key), [key]) & stands
                connection.execute(update(layout.table).where(where).values({flag.clause: flag.bound(before)}))
            if not self._recovered:
                left = update(layout.table).where(stands, *self._filters(layout))
                connection.execute(left.values({flag.clause: flag.bound(flag.given(self._table.new[0]))}))
        self._doubtful.clear()
        self._recovered = True

    def _time_for(self, column: Column) -> object:
        now = self._now().astimezone(self._zone).replace(microsecond=0)
        return instant_for(now, column, self._zone) if column.is_time else now.strftime(TIME_FORMAT)[: column.length]

    def _cut(self, text: str, column: Column) -> str:
        if column.length and counts_bytes(self._engine.dialect):
            return text.encode()[: column.length].decode("utf-8", "ignore")
        return text[: column.length]

    # Position

    def _place(self, row: Row, column: Column) -> Position | None:
        """Where the row stands. A time ahead of our clock moves no position: it would hide every row until then."""
        place = position_of(row.values[column.name], column, self._zone)
        now = instant_for(self._now(), column, self._zone)
        return None if isinstance(place, datetime) and place > now else place

    def _advance(self) -> None:
        """Remember how far everything is settled; never backwards."""
        reached = self._ledger.reached()
        if reached is None or reached == self._position:
            return
        if self._position is not None and self._goes_back(reached, self._position):
            return
        self._memory.move(written(reached))
        self._position = reached

    def _goes_back(self, reached: Position, position: Position) -> bool:
        if isinstance(reached, str) and not self._table.overlap:
            return False  # read in the database's order of text from there on, which Python's need not be
        return type(reached) is type(position) and reached < position  # type: ignore[operator]

    # The table itself

    def _open(self) -> Layout:
        """Look the table up. Raises ContractViolation when it is not as declared."""
        table = self._table
        with self._engine.connect() as connection:
            layout = layout_of(connection, table.name, table.named, every=not table.columns)
            blurred = [one.name for one in layout.chosen(table.order) if blurs(connection.dialect, one.type)]
        if blurred:
            raise ContractViolation(
                f"{self._whom}: single-precision {', '.join(blurred)} finds no row again", at=blurred[0]
            )
        told_at = layout.columns.get(table.taken_at)
        if told_at is not None and not (told_at.is_time or told_at.is_text):
            raise ContractViolation(f"{self._whom}: {table.taken_at} holds neither times nor text", at=table.taken_at)
        self._layout = layout
        return layout

    def _restart(self) -> None:
        """Begin the pass anew, with a fresh look at the table."""
        self._layout = self._cursor = None

    def _explained(self, error: SQLAlchemyError) -> HubError:
        """What a failed statement means; when the table has changed, what is missing in it."""
        before = self._layout
        self._restart()
        problem = ours(self._whom, error)
        if before is None or is_lost(error) or not code_of(error):
            return problem
        try:
            changed = self._open().columns.keys() != before.columns.keys()
        except SQLAlchemyError:
            return problem
        except ContractViolation as drift:
            return drift
        return Unavailable(f"{self._whom}: the table has changed, and is read anew") if changed else problem
