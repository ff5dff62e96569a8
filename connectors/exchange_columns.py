"""The columns an exchange table really has beside those declared, and their values as JSON and back.

It must never know which rows are new: that is the receiver's business.
"""

import base64
import binascii
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import (
    CHAR,
    Boolean,
    ColumnClause,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Enum,
    Inspector,
    Integer,
    LargeBinary,
    Numeric,
    String,
    TableClause,
    bindparam,
    column,
    inspect,
    literal_column,
    or_,
    table,
)  # fmt: skip
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import NullType, TypeEngine, _Binary

from canonical.errors import ContractViolation

JSON_INTEGER = 1 << 63
"""From here on a whole number travels as text: readers of JSON keep 64 bits at most."""

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Column:
    """One column under the declared spelling of its name."""

    name: str
    clause: ColumnClause[Any]
    """Untyped: values arrive and leave as the driver has them, so that an odd one cannot fail in between."""
    type: TypeEngine[Any]
    nullable: bool
    length: int | None
    """Of a text column, in the database's own unit."""

    @property
    def is_number(self) -> bool:
        return isinstance(self.type, Integer | Numeric)

    @property
    def is_time(self) -> bool:
        return isinstance(self.type, DateTime | Date)

    @property
    def is_text(self) -> bool:
        return isinstance(self.type, String | Enum | NullType)

    def bound(self, value: object) -> ColumnElement[Any]:
        """`value` as a parameter for this column; the server finds out its type."""
        return bindparam(None, value, type_=NullType(), unique=True)

    def equals(self, value: object) -> ColumnElement[bool]:
        """True for rows with that value; None is NULL."""
        return self.clause.is_(None) if value is None else self.clause == self.bound(value)

    def among(self, texts: Iterable[str]) -> ColumnElement[bool]:
        """True for rows whose value is one of `texts`; the empty one is NULL too. Raises ContractViolation."""
        told = list(texts)
        values = [self.value_of(one) for one in told if one or self.is_text]
        clauses: list[ColumnElement[bool]] = [self.clause.in_([self.bound(one) for one in values])] if values else []
        if "" in told:
            clauses.append(self.clause.is_(None))
        return any_of(clauses)

    def value_of(self, text: str) -> object:
        """The value a declared text means here. A number is compared as one: MySQL holds 'N' equal to 0."""
        try:
            if isinstance(self.type, Integer):
                return int(text)
            if isinstance(self.type, Numeric):
                return Decimal(text)
        except (ValueError, InvalidOperation):
            raise ContractViolation(
                f"column {self.name} holds numbers, and {text!r} is declared as one of its values", at=self.name
            ) from None
        if isinstance(self.type, Boolean):
            return text.lower() in {"1", "t", "true", "y"}
        return text

    def given(self, text: str) -> object:
        """What a declared text is written as: the empty one as NULL where that is allowed."""
        return None if text == "" and (self.nullable or not self.is_text) else self.value_of(text)


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it is now, with the columns we read in their order."""

    table: TableClause
    columns: Mapping[str, Column]

    def chosen(self, names: Iterable[str]) -> tuple[Column, ...]:
        return tuple(self.columns[name] for name in names)


def any_of(clauses: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """True where one of these is; never, when there are none. A comparison: Oracle takes no 0 for a condition."""
    return or_(*clauses) if clauses else literal_column("0") == literal_column("1")


def layout_of(connection: Connection, name: str, wanted: Sequence[str], *, every: bool) -> Layout:
    """Look up `name` ("schema.table", a table or a view) and the wanted columns; `every`: and all others.

    Names match without regard to case when no exact one is there. Raises ContractViolation that names what is missing
    and what looks like it.
    """
    inspector = inspect(connection)
    schema, _, bare = name.rpartition(".")
    actual, described = _described(inspector, bare, schema or None, name)
    by_name = {str(one["name"]): one for one in described}
    folded = {key.casefold(): key for key in by_name}
    found = {one: one if one in by_name else folded.get(one.casefold(), "") for one in wanted}
    if missing := [one for one, there in found.items() if not there]:
        raise ContractViolation(f"{name} has changed: {_missing(missing, list(by_name))}", at=missing[0])
    if every:
        found |= {one: one for one in by_name if one not in found.values()}
    clauses: dict[str, ColumnClause[Any]] = {there: column(there) for there in found.values()}
    columns = {
        one: Column(
            one, clauses[there], by_name[there]["type"], bool(by_name[there].get("nullable", True)),
            getattr(by_name[there]["type"], "length", None),
        )
        for one, there in found.items()
    }  # fmt: skip
    return Layout(table(actual, *clauses.values(), schema=schema or None), columns)


def json_value(value: object, kind: TypeEngine[Any], zone: ZoneInfo) -> object:
    """A driver's value as JSON has it: times as local text, bytes as base64, whole numbers as numbers."""
    if isinstance(value, str):
        return value.rstrip(" ") if type(kind) is CHAR else value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal | float):
        return _number(value)
    if isinstance(value, datetime):
        return _local(value, zone)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _clock(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): json_value(one, NullType(), zone) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(one, NullType(), zone) for one in value]
    return str(value)


def column_value(value: object, column: Column, zone: ZoneInfo) -> object:
    """A JSON value as the driver wants it for that column. What does not fit is left for the server to refuse."""
    if value is None:
        return None
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, str):
        return _from_text(value, column, zone)
    if isinstance(column.type, Boolean):
        return bool(value) if value in {0, 1} else value
    if column.is_number:
        return int(value) if isinstance(value, bool) else Decimal(repr(value)) if isinstance(value, float) else value
    return orjson.dumps(value).decode() if isinstance(column.type, String) else value


def _from_text(text: str, column: Column, zone: ZoneInfo) -> object:
    try:
        if isinstance(column.type, DateTime):
            return instant_for(datetime.fromisoformat(text), column, zone)
        if isinstance(column.type, Date):
            return date.fromisoformat(text[:10])
        if isinstance(column.type, LargeBinary | _Binary):
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return text
    return text


def instant_for(at: datetime, column: Column, zone: ZoneInfo) -> datetime:
    """`at` (a naive one is local) as that column keeps time: aware only where it has a zone."""
    aware = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    return aware if getattr(column.type, "timezone", False) else aware.replace(tzinfo=None)


def _number(value: int | Decimal | float) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        if not value.is_finite() or value != value.to_integral_value():
            return f"{value:f}"
        value = int(value)
    return value if -JSON_INTEGER <= value < JSON_INTEGER else str(value)


def _local(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone).replace(tzinfo=None) if at.tzinfo else at
    return local.isoformat(" ", "microseconds" if local.microsecond else "seconds")


def _clock(value: timedelta) -> str:
    """MySQL's TIME, which may be negative or longer than a day."""
    seconds = abs(value) // timedelta(seconds=1)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"-{text}" if value < timedelta(0) else text


def _described(inspector: Inspector, bare: str, schema: str | None, name: str) -> tuple[str, Sequence[Any]]:
    try:
        return bare, inspector.get_columns(bare, schema=schema)
    except NoSuchTableError:
        there = [*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)]
    for one in there:
        if one.casefold() == bare.casefold():
            return one, inspector.get_columns(one, schema=schema)
    raise ContractViolation(f"there is no table or view {_missing([name], there, bare)}", at="table") from None


def _missing(names: Sequence[str], there: Sequence[str], looked_for: str = "") -> str:
    folded = {one.casefold(): one for one in there}
    told = []
    for name in names:
        near = get_close_matches((looked_for or name).casefold(), list(folded), n=3, cutoff=0.65)
        told.append(f"{name} (there is {', '.join(folded[one] for one in near)})" if near else name)
    return ", ".join(told) if looked_for else f"no column {', '.join(told)}"
