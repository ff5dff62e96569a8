"""Writing rows into other systems' exchange tables: one message, one row inserted or updated.

It knows rows and no case. What the database says about a row becomes an answer with a status; its own words, which may
quote values, are never passed on.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, and_, insert, inspect, update
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from canonical.errors import ContractViolation, Drifted, InDoubt
from canonical.message import Message
from connectors.exchange_call import Caller
from connectors.exchange_columns import Layout, column_value, layout_of
from connectors.exchange_dialect import code_of, is_data, is_duplicate, is_lost, open_engine, ours

_IN_TEXT = re.compile(
    r"^(?:Column|Field) '([^']+)' (?:cannot be null|doesn't have a default value)$"
    r"|for column (?:`[^`]*`\.`[^`]*`\.)?['`]([^'`]+)['`] at row \d+$"
)
"""Where MySQL and MariaDB name the column: at the ends, because values stand in the middle and may say anything."""
_COUNTED = {"preserve_rowcount": True}
_KEY_IN_TEXT = re.compile(r"for key '(?:[^'.]*\.)?([^'.]+)'$")

_Answer = tuple[int, Mapping[str, object]]
"""Status and body."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where rows go, looked up once for each set of columns."""

    layout: Layout
    names: tuple[str, ...]
    """The columns of the message."""
    primary: str
    """Name of the primary key's constraint; empty when unknown."""
    transactional: bool


class TableConnector:
    """Writes rows into the tables of one database. Safe to share between threads.

    A message's path is the table, its body a JSON object of column to value. POST inserts; PUT updates the rows picked
    by the columns in its header `key` (names with commas) and sets the others. CALL calls the stored procedure that the
    path names, with the body's members as arguments. `zone`: of times without one.
    """

    def __init__(
        self, url: str, *, ids: Callable[[], UUID], now: Callable[[], datetime], timeout: float, zone: ZoneInfo
    ) -> None:
        self._engine = open_engine(url, timeout=timeout, zone=zone, now=now)
        self._caller = Caller(self._engine, zone)
        self._places: dict[tuple[str, tuple[str, ...]], _Place] = {}
        self._ids = ids
        self._now = now
        self._zone = zone

    def seal(self, message: Message) -> Message:
        """The message as it is: what the adapter wrote is what the journal shows."""
        return message

    def send(self, message: Message) -> Message:
        """Write once. 200 `{"rows": n}`; 409 when the row is there already; 422 when the table does not take it.

        Raises Unavailable before anything can have been committed, and Drifted when table or columns are not there (any
        more), InDoubt when the answer to the commit is missing, ContractViolation when the message is no row.
        """
        whom = f"{message.system}: {message.path}"
        told = _object(message, whom)
        if message.method == "CALL":
            return self._answered(message, self._caller.call(whom, message.path, told))
        picks = _picks(message, told, whom)
        place: _Place | None = None
        try:
            with self._engine.connect() as connection:
                place = self._place(connection, message.path, tuple(told))
                columns = place.layout.columns
                values = {name: column_value(value, columns[name], self._zone) for name, value in told.items()}
                count = _write(connection, place.layout, values, picks)
                self._commit(connection, whom)
            answer: _Answer = 200, {"rows": count}
        except SQLAlchemyError as error:
            answer = self._refusal(whom, message.path, error, place)
        return self._answered(message, answer)

    def _answered(self, message: Message, answer: _Answer) -> Message:
        return Message(
            system=message.system, body=orjson.dumps(answer[1]), at=self._now(), id=self._ids(), door=message.door,
            content_type="application/json", method=message.method, path=message.path, status=answer[0],
            parent=message.id,
        )  # fmt: skip

    def close(self) -> None:
        """Give back connections. Harmless twice."""
        self._engine.dispose()

    def _place(self, connection: Connection, path: str, names: tuple[str, ...]) -> _Place:
        known = self._places.get((path, names))
        if known is None:
            known = _Place(_layout(connection, path, names, every=True), names, *_habits(connection, path))
            self._places[path, names] = known
        return known

    def _commit(self, connection: Connection, whom: str) -> None:
        try:
            connection.commit()
        except SQLAlchemyError as error:
            if is_data(error) or is_duplicate(error):  # a constraint that is looked at only now
                raise
            raise InDoubt(f"{whom}: the commit was sent, and no answer came ({type(error).__name__})") from None

    def _refusal(self, whom: str, path: str, error: SQLAlchemyError, place: _Place | None) -> _Answer:
        """Status and body for a row the table does not take. Raises what is no answer of the table."""
        if place is not None and is_duplicate(error):
            constraint = _constraint(error)
            if not (place.primary and constraint and constraint != place.primary):
                return 409, {"error": "duplicate"}
            return 422, {"error": "data", "constraint": constraint}
        if place is not None and is_data(error):
            column = _column(error, place.layout)
            return 422, {"error": "data", **({"column": column} if column else {})}
        self._places.clear()  # the table may have changed
        if place is not None and is_lost(error) and not place.transactional:
            raise InDoubt(f"{whom}: the connection broke, and the table knows no transactions") from None
        if place is not None and code_of(error) and not is_lost(error):
            self._look_again(path, place)
        raise ours(whom, error) from None

    def _look_again(self, path: str, place: _Place) -> None:
        """Raises Drifted when columns are missing now."""
        try:
            with self._engine.connect() as connection:
                _layout(connection, path, place.names, every=False)
        except SQLAlchemyError:
            return  # the statement's own error says more


def _layout(connection: Connection, path: str, names: Sequence[str], *, every: bool) -> Layout:
    try:
        return layout_of(connection, path, names, every=every)
    except ContractViolation as error:  # the message is as declared: it is the table that has changed
        raise Drifted(str(error)) from None


def _object(message: Message, whom: str) -> dict[str, Any]:
    try:
        told = orjson.loads(message.body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or not (told or message.method == "CALL"):
        raise ContractViolation(f"{whom}: a row is written as a JSON object of column to value", at="body")
    return told


def _picks(message: Message, told: Mapping[str, Any], whom: str) -> tuple[str, ...]:
    """The columns that pick the row; none for an insert. Raises ContractViolation."""
    if message.method == "POST":
        return ()
    if message.method != "PUT":
        raise ContractViolation(
            f"{whom}: a row is inserted (POST) or updated (PUT), a procedure called (CALL)", at="method"
        )
    picks = tuple(name.strip() for name in message.headers.get("key", "").split(",") if name.strip())
    absent = [name for name in picks if told.get(name) is None]
    if not picks or absent or len(picks) == len(told):
        raise ContractViolation(
            f"{whom}: the header `key` names the columns that pick the row: each with a value, and others to set",
            at="headers.key",
        )
    return picks


def _write(connection: Connection, layout: Layout, values: Mapping[str, object], picks: Sequence[str]) -> int:
    """Insert, or update where the picking columns match; the number of rows."""
    columns = layout.columns
    bound = {columns[name].clause: columns[name].bound(value) for name, value in values.items() if name not in picks}
    if not picks:
        return connection.execute(insert(layout.table).values(bound), execution_options=_COUNTED).rowcount
    where = and_(*(columns[name].equals(values[name]) for name in picks))
    return connection.execute(update(layout.table).where(where).values(bound)).rowcount


def _habits(connection: Connection, path: str) -> tuple[str, bool]:
    """The name of the primary key's constraint, and whether the table's engine knows transactions."""
    schema, _, bare = path.rpartition(".")
    if connection.dialect.name not in {"mysql", "mariadb"}:
        try:
            return str(inspect(connection).get_pk_constraint(bare, schema=schema or None)["name"] or ""), True
        except NoSuchTableError:  # a view, or a name in another case
            return "", True
    try:
        engine = str(inspect(connection).get_table_options(bare, schema=schema or None).get("mysql_engine", "InnoDB"))
    except NoSuchTableError:
        engine = ""
    return "PRIMARY", engine.casefold() not in {"myisam", "aria", "memory", "csv", "archive"}


def _constraint(error: SQLAlchemyError) -> str:
    """The unique constraint that was broken, when the database tells."""
    original = getattr(error, "orig", None)
    told = getattr(getattr(original, "diag", None), "constraint_name", None)
    found = _KEY_IN_TEXT.search(str(getattr(original, "args", ("", ""))[-1]))
    return str(told or (found.group(1) if found else ""))


def _column(error: SQLAlchemyError, layout: Layout) -> str:
    """The column an error speaks of, when it is certainly the name of one and no value."""
    original = getattr(error, "orig", None)
    told = getattr(getattr(original, "diag", None), "column_name", None)
    found = _IN_TEXT.search(str(getattr(original, "args", ("", ""))[-1]))
    named = str(told or (found and (found.group(1) or found.group(2))) or "").casefold()
    return next((name for name in layout.columns if name.casefold() == named), "")
