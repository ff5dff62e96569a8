"""Exchange tables (前置库): rows that another system leaves in a database, one message a row.

It knows rows and no case. No transaction stays open while the hub works: a claim is a short one of its own, and so is
every verdict. Declared names reach SQL only as columns the database says it has, values only as parameters.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.exc import SQLAlchemyError

from canonical.errors import ContractViolation, HubError, Misconfigured, Unavailable
from canonical.message import Message
from canonical.ports import Memory, Received
from connectors.exchange_columns import Column, Layout, instant_for, json_value, layout_of
from connectors.exchange_declaration import Table
from connectors.exchange_dialect import blurs, code_of, is_lost, open_engine, ours
from connectors.exchange_position import Ledger, Position, looked_back, position_of, read, written
from connectors.exchange_rows import Key, Row, after, checked, in_order, rows, rows_by_key
from connectors.exchange_status import Status
from connectors.exchange_write import TableConnector

__all__ = ["Table", "TableConnector", "TableReceiver"]

Verdict = Literal["accept", "reject", "defer"]


_GONE = "gone"
"""Digest of a row that is no longer there, once that was told."""


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
    settle: Callable[["_Delivery", Verdict, str], None] = field(repr=False)

    def accept(self) -> None:
        self.settle(self, "accept", "")

    def reject(self, reason: str) -> None:
        self.settle(self, "reject", reason)

    def defer(self) -> None:
        self.settle(self, "defer", "")


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
        self._status = Status(self._engine, table, now=now, zone=zone)
        self._layout: Layout | None = None
        self._cursor: Key | None = None
        """Order columns of the last row read in this pass; None between passes."""
        self._lower: Sequence[ColumnElement[bool]] = ()
        """Where this pass begins; empty: at the beginning."""
        self._position: Position | None = None
        self._ledger = Ledger()
        self._in_hand: dict[str, _Delivery] = {}
        self._seen: set[str] | None = None
        """Names of all rows of this pass, where it matters which are missing."""
        self._missing: dict[str, datetime] = {}
        """Rows that the table showed once and does not now, and since when."""
        self._missed_at: datetime | None = None

    def receive(self, *, most: int, wait: float) -> Sequence[Received]:
        """Up to `most` rows that are new; empty at once, whatever `wait`, when the pass is over.

        Raises Unavailable, Unauthenticated, and ContractViolation naming the columns when the table has changed.
        """
        if most < 1:
            return []
        try:
            layout = self._layout or self._open()
            self._status.give_back(layout, self._filters(layout))
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
                return list(self._gone())

    def _begin(self, layout: Layout) -> None:
        """Start a pass: from the beginning, or from the position and what lies shortly before it."""
        self._lower, self._ledger = (), Ledger()
        self._seen = set() if self._table.gone else None
        told = self._memory.position() if self._table.mode == "sequence" else ""
        if not told:
            return
        column = layout.columns[self._table.sequence]
        self._position = read(told, column)
        lower = column.bound(looked_back(self._position, self._table.overlap, column))
        self._lower = (or_(column.clause >= lower, column.clause.is_(None)),)

    def _statement(self, layout: Layout, columns: Iterable[Column], most: int) -> Select[Any]:
        order = layout.chosen(self._table.order)
        conditions = [*self._lower, *self._filters(layout)]
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
        """Mark rows as ours, then read them."""
        flag = self._table.flag
        needed = layout.chosen(dict.fromkeys((*self._table.order, *self._table.key, flag)))
        found, mine = self._status.claim(layout, needed, self._statement(layout, needed, most))
        page = rows_by_key(self._engine, layout, self._table.key, list(mine))
        for key in mine:
            self._status.hold(key)
        self._go_on(found)
        # The status may say something itself (added, changed, deleted): the message has it as it was.
        return [Row({**row.values, flag: mine[row.of(self._table.key)]}, row.unreadable) for row in page]

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
        if self._seen is not None:
            self._seen |= {one.name for one in made}
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

    def _gone(self) -> Iterator[Received]:
        """At the end of a whole pass: rows that have been missing for long enough, each once."""
        seen, self._seen, now = self._seen, None, self._now()
        soon = timedelta(seconds=self._table.gone_after / 4)  # a list of a million keys is not compared every pass
        if not seen or (self._missed_at is not None and now - self._missed_at < soon):
            return
        self._missed_at = now
        absent = self._memory.absent(seen, told=_GONE)
        self._missing = {name: self._missing.get(name, now) for name in sorted(absent)}
        for name, since in self._missing.items():
            if (now - since).total_seconds() >= self._table.gone_after and name not in self._in_hand:
                self._in_hand[name] = told = self._told_gone(name)
                yield told

    def _told_gone(self, name: str) -> _Delivery:
        """What is declared of a row that is no longer there, under its key."""
        key = orjson.loads(name)
        body = orjson.dumps({**dict(zip(self._table.key, key, strict=True)), **self._table.gone})
        message = Message(
            system=self._system, body=body, at=self._now(), id=self._ids(), door=self._door,
            content_type="application/json", path=self._table.name,
        )  # fmt: skip
        return _Delivery(message, name, tuple(key), _GONE, None, self._settle)

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

    def _settle(self, delivery: _Delivery, verdict: Verdict, reason: str) -> None:
        if self._in_hand.pop(delivery.name, None) is not delivery:
            return
        if self._table.mode == "flag":
            self._write_back(delivery, verdict, reason)
        elif verdict != "defer":
            self._memory.remember({delivery.name: delivery.digest})
            self._ledger.settle(delivery.name)
            self._advance()

    def _write_back(self, delivery: _Delivery, verdict: Verdict, reason: str) -> None:
        self._status.doubt(delivery.key, delivery.flag)
        try:
            layout = self._layout or self._open()
            if verdict == "accept":
                self._status.accept(layout, delivery.key)
            elif verdict == "reject":
                self._status.reject(layout, delivery.key, reason)
            else:
                self._status.give_back(layout, self._filters(layout))
            self._status.hold(delivery.key)
        except (SQLAlchemyError, HubError) as error:
            problem = ours(self._whom, error) if isinstance(error, SQLAlchemyError) else error
            self._restart()
            if verdict == "defer":
                return  # given back at the next `receive`, or at the first one after a restart
        else:
            return
        raise Unavailable(str(problem))

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
        self._layout = self._cursor = self._seen = None

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
