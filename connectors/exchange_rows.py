"""Rows of an exchange table as they are read: page after page, by key, and one value at a time where it must be.

It must never know which rows are new, nor change any.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, or_, select
from sqlalchemy.exc import DataError

from canonical.errors import ContractViolation
from connectors.exchange_columns import Column, Layout, any_of
from connectors.exchange_dialect import plain_readings

KEYS_AT_ONCE = 100
"""Rows picked by key in one statement."""

Key = tuple[object, ...]
"""Values of the key columns, or of the columns of the order, as the driver has them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read: values by declared name."""

    values: Mapping[str, object]
    unreadable: tuple[str, ...] = ()
    """Columns whose value is only what could be read of it, or missing."""

    def of(self, names: Iterable[str]) -> Key:
        return tuple(self.values.get(name) for name in names)


def picked(columns: Sequence[Column], keys: Iterable[Key]) -> ColumnElement[bool]:
    """True for the rows with one of these keys."""
    matches = [and_(*(one.equals(value) for one, value in zip(columns, key, strict=True))) for key in keys]
    return any_of(matches)


def in_order(columns: Iterable[Column]) -> list[ColumnElement[Any]]:
    """Ascending, NULL last in every kind of database."""
    parts: list[ColumnElement[Any]] = []
    for one in columns:
        if one.nullable:
            parts.append(case((one.clause.is_(None), 1), else_=0))
        parts.append(one.clause)
    return parts


def after(columns: Sequence[Column], cursor: Key) -> ColumnElement[bool]:
    """True for the rows behind `cursor` in that order."""
    behind: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for one, value in zip(columns, cursor, strict=True):
        if value is not None:
            later: ColumnElement[bool] = one.clause > one.bound(value)
            behind.append(and_(*same, or_(later, one.clause.is_(None)) if one.nullable else later))
        same.append(one.equals(value))
    return any_of(behind)


def rows(engine: Engine, columns: Sequence[Column], statement: Select[Any]) -> list[Row] | None:
    """The rows of a statement that selects these columns; None when some value cannot be read."""
    names = [one.name for one in columns]
    with engine.connect() as connection:
        try:
            return [Row(dict(zip(names, row, strict=True))) for row in connection.execute(statement)]
        except UnicodeDecodeError:
            connection.invalidate()  # the driver stopped in the middle of the answer
        except DataError:
            connection.rollback()
    return None


def rows_by_key(engine: Engine, layout: Layout, key: Sequence[str], keys: Sequence[Key]) -> list[Row]:
    """The rows with these keys, in the order of `keys`; those that are gone are left out."""
    columns = tuple(layout.columns.values())
    found: dict[Key, Row] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[start : start + KEYS_AT_ONCE]
        statement = select(*(one.clause for one in columns)).where(picked(layout.chosen(key), some))
        read = rows(engine, columns, statement)
        for row in _one_by_one(engine, layout, key, some) if read is None else read:
            found[row.of(key)] = row
    return [found[one] for one in keys if one in found]


def _one_by_one(engine: Engine, layout: Layout, key: Sequence[str], keys: Sequence[Key]) -> Iterator[Row]:
    columns = tuple(layout.columns.values())
    for one in keys:
        where = picked(layout.chosen(key), [one])
        read = rows(engine, columns, select(*(column.clause for column in columns)).where(where))
        if read is not None:
            yield from read
        else:
            yield _salvaged(engine, columns, dict(zip(key, one, strict=True)), where)


def _salvaged(
    engine: Engine, columns: Iterable[Column], known: Mapping[str, object], where: ColumnElement[bool]
) -> Row:
    """What can be read of one row, value by value."""
    values = dict(known)
    unreadable = []
    for column in columns:
        if column.name in known:
            continue
        read = _value(engine, column, column.clause, where)
        if read is None:
            unreadable.append(column.name)
            others = (_value(engine, column, other, where) for other in plain_readings(engine.dialect, column.clause))
            read = next((one for one in others if one is not None), None)
        values[column.name] = _as_text(column, read[0]) if read else None
    return Row(values, tuple(unreadable))


def _value(
    engine: Engine, column: Column, clause: ColumnElement[Any], where: ColumnElement[bool]
) -> tuple[object] | None:
    """The value in a tuple; None when it cannot be read that way."""
    read = rows(engine, [column], select(clause).where(where))
    return None if read is None else (read[0].values[column.name] if read else None,)


def _as_text(column: Column, value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) and column.is_text else value


def checked(whom: str, page: Sequence[Row], key: Sequence[str]) -> None:
    """Raises ContractViolation when two rows of a page have one key: one of them would be lost."""
    if len({row.of(key) for row in page}) < len(page):
        raise ContractViolation(f"{whom}: the columns {', '.join(key)} do not identify a row", at=key[0])
