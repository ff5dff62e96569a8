"""Stored procedures of other systems' databases: one message, one call; what comes out is the answer.

It knows arguments and no case. The database's own words, which may quote values, are never passed on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from canonical.errors import ContractViolation, InDoubt
from connectors.exchange_columns import json_value
from connectors.exchange_dialect import code_of, is_data, is_duplicate, is_lost, ours

_RAISED = frozenset({"P0001", "1644"})
"""What a procedure says by RAISE or SIGNAL: the other side understood, and said no."""

Answer = tuple[int, Mapping[str, object]]
"""Status and body."""


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    mode: str
    """`in`, `out` or `inout`."""
    type: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class _Procedure:
    """One stored procedure, or function, as the database describes it."""

    schema: str
    name: str
    arguments: tuple[_Argument, ...]
    function: bool = False

    @property
    def given(self) -> tuple[_Argument, ...]:
        """Those that a message may give."""
        return tuple(one for one in self.arguments if one.mode != "out")


class Caller:
    """Calls the stored procedures of one database."""

    def __init__(self, engine: Engine, zone: ZoneInfo) -> None:
        self._engine = engine
        self._zone = zone

    def call(self, whom: str, path: str, told: Mapping[str, Any]) -> Answer:
        """Call `schema.procedure` with arguments by name. 200 and what comes out; 409 and 422 as rows have them.

        Raises ContractViolation when arguments and procedure do not fit, InDoubt when the connection broke under way:
        a procedure may have committed by itself. Unavailable before that.
        """
        procedure: _Procedure | None = None
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "postgresql":  # one statement: whole or not at all, as it commits itself
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                procedure = _found(connection, path, told, whom)
                out = _CALLS[connection.dialect.name](connection, procedure, told)
                connection.commit()
        except SQLAlchemyError as error:
            if procedure is not None and is_lost(error):
                raise InDoubt(f"{whom}: the connection broke while the procedure worked") from None
            return _refusal(whom, error, called=procedure is not None)
        return 200, {name: json_value(value, NullType(), self._zone) for name, value in out.items()}


def _refusal(whom: str, error: SQLAlchemyError, *, called: bool) -> Answer:
    if called and code_of(error) in _RAISED:
        return 422, {"error": "raised"}
    if called and is_duplicate(error):
        return 409, {"error": "duplicate"}
    if called and is_data(error):
        return 422, {"error": "data"}
    raise ours(whom, error) from None


def _found(connection: Connection, path: str, told: Mapping[str, Any], whom: str) -> _Procedure:
    """The procedure whose arguments are the message's. Raises ContractViolation, with what does not fit."""
    look = _LOOKS.get(connection.dialect.name)
    if look is None:
        raise ContractViolation(f"{whom}: procedures are called on PostgreSQL, MariaDB and MySQL", at="method")
    schema, _, name = path.rpartition(".")
    known = list(look(connection, schema, name))
    if not known:
        raise ContractViolation(f"{whom}: no such procedure, or no right to it", at="path")
    wrong = [_misfit(one, told) for one in known]
    fitting = [one for one, text in zip(known, wrong, strict=True) if not text]
    if not fitting:
        raise ContractViolation(f"{whom}: {wrong[0]}", at="body")
    return fitting[0]


def _misfit(procedure: _Procedure, told: Mapping[str, Any]) -> str:
    """What does not fit; empty when all does."""
    names = {one.name.casefold(): one for one in procedure.given}
    given = {name.casefold() for name in told}
    for name in told:
        if name.casefold() not in names:
            there = ", ".join(one.name for one in procedure.given) or "none"
            return f"the procedure takes no argument '{name}'; it has {there}"
    missing = [one.name for key, one in names.items() if key not in given and one.mode == "in" and not one.optional]
    return f"the procedure needs the arguments {', '.join(missing)}" if missing else ""


# PostgreSQL

_PG_ARGUMENTS = text("""
SELECT p.oid, n.nspname AS schema, p.proname AS name, p.prokind = 'f' AS function, p.pronargs, p.pronargdefaults,
       a.name AS argument, a.mode, format_type(a.type, NULL) AS type
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN LATERAL unnest(
         coalesce(p.proargnames, '{}'),
         coalesce(p.proargmodes::text[], array_fill('i'::text, ARRAY[p.pronargs::int])),
         coalesce(p.proallargtypes, p.proargtypes::oid[])
       ) WITH ORDINALITY AS a(name, mode, type, place) ON true
 WHERE lower(p.proname) = lower(:name) AND p.prokind IN ('p', 'f')
   AND (lower(n.nspname) = lower(:schema) OR (:schema = '' AND pg_function_is_visible(p.oid)))
 ORDER BY p.oid, a.place
""")
_PG_MODES = {"i": "in", "v": "in", "b": "inout", "o": "out"}


def _on_postgresql(connection: Connection, schema: str, name: str) -> Iterable[_Procedure]:
    rows = connection.execute(_PG_ARGUMENTS, {"schema": schema, "name": name}).all()
    for oid in dict.fromkeys(row.oid for row in rows):
        its = [row for row in rows if row.oid == oid]
        taken = [row for row in its if _PG_MODES.get(row.mode, "") in {"in", "inout"}]
        optional = (
            {id(row) for row in taken[len(taken) - its[0].pronargdefaults :]} if its[0].pronargdefaults else set()
        )
        arguments = tuple(
            _Argument(row.argument or "", _PG_MODES[row.mode], row.type, id(row) in optional)
            for row in its
            if row.mode in _PG_MODES
        )
        yield _Procedure(its[0].schema, its[0].name, arguments, bool(its[0].function))


def _call_postgresql(connection: Connection, procedure: _Procedure, told: Mapping[str, Any]) -> Mapping[str, Any]:
    given = {name.casefold(): value for name, value in told.items()}
    taken = procedure.given if procedure.function else procedure.arguments
    passed = [one for one in taken if one.name.casefold() in given or not one.optional]
    quote = connection.dialect.identifier_preparer.quote
    arguments = ", ".join(
        f"{quote(one.name)} => CAST(:a{place} AS {one.type})" for place, one in enumerate(passed)
    )  # fmt: skip
    values = {f"a{place}": _as_text(given.get(one.name.casefold()), one.type) for place, one in enumerate(passed)}
    what = f"{quote(procedure.schema)}.{quote(procedure.name)}({arguments})"
    statement = f"SELECT * FROM {what}" if procedure.function else f"CALL {what}"  # noqa: S608 names of the catalogue
    result = connection.execute(text(statement), values)
    row = result.mappings().first() if result.returns_rows else None
    return dict(row or {})


def _as_text(value: object, kind: str) -> str | None:
    """A JSON value as text, which the server makes its type of."""
    if value is None:
        return None
    if isinstance(value, bool) and kind != "boolean":
        return str(int(value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


# MariaDB and MySQL

_MY_ARGUMENTS = text("""
SELECT r.ROUTINE_SCHEMA AS its_schema, r.ROUTINE_NAME AS its_name,
       p.PARAMETER_NAME AS argument, p.PARAMETER_MODE AS mode
  FROM information_schema.ROUTINES r
  LEFT JOIN information_schema.PARAMETERS p
    ON p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA AND p.SPECIFIC_NAME = r.SPECIFIC_NAME AND p.ORDINAL_POSITION > 0
 WHERE r.ROUTINE_TYPE = 'PROCEDURE' AND r.ROUTINE_SCHEMA = COALESCE(NULLIF(:schema, ''), DATABASE())
   AND r.ROUTINE_NAME = :name
 ORDER BY p.ORDINAL_POSITION
""")


def _on_mysql(connection: Connection, schema: str, name: str) -> Iterable[_Procedure]:
    rows = connection.execute(_MY_ARGUMENTS, {"schema": schema, "name": name}).all()
    if rows:
        arguments = tuple(_Argument(row.argument, row.mode.lower()) for row in rows if row.argument)
        yield _Procedure(rows[0].its_schema, rows[0].its_name, arguments)


def _call_mysql(connection: Connection, procedure: _Procedure, told: Mapping[str, Any]) -> Mapping[str, Any]:
    given = {name.casefold(): value for name, value in told.items()}
    outs = [(f"@gridhub_{place}", one) for place, one in enumerate(procedure.arguments) if one.mode != "in"]
    for variable, one in outs:
        connection.execute(text(f"SET {variable} = :value"), {"value": _plain(given.get(one.name.casefold()))})
    slots = [f"@gridhub_{place}" if one.mode != "in" else f":a{place}" for place, one in enumerate(procedure.arguments)]
    values = {
        f"a{place}": _plain(given.get(one.name.casefold()))
        for place, one in enumerate(procedure.arguments)
        if one.mode == "in"
    }
    quote = connection.dialect.identifier_preparer.quote
    what = f"CALL {quote(procedure.schema)}.{quote(procedure.name)}({', '.join(slots)})"
    result = connection.execute(text(what), values)
    shown = dict(result.mappings().first() or {}) if result.returns_rows else {}
    return shown | _outs(connection, outs)


def _outs(connection: Connection, outs: Sequence[tuple[str, _Argument]]) -> dict[str, Any]:
    if not outs:
        return {}
    row = connection.execute(text(f"SELECT {', '.join(variable for variable, _ in outs)}")).one()
    return {one.name: value for (_, one), value in zip(outs, row, strict=True)}


def _plain(value: object) -> object:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


_LOOKS = {"postgresql": _on_postgresql, "mysql": _on_mysql, "mariadb": _on_mysql}
_CALLS = {"postgresql": _call_postgresql, "mysql": _call_mysql, "mariadb": _call_mysql}
