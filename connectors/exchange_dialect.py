"""Database engines behind exchange tables (前置库): how to reach one, how long to wait, what its errors mean to us.

It must never know a table's columns or what a row means. No error text quotes the driver's: it may hold a row's values.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BINARY, ColumnElement, Dialect, Engine, Text, cast, create_engine, event, func
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)  # fmt: skip
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeEngine

from canonical.errors import ContractViolation, HubError, Misconfigured, Unauthenticated, Unavailable

RECYCLE_SECONDS = 600
"""Firewalls in front of exchange databases forget quiet connections; none of ours gets that old."""

_PACKAGES: Mapping[str, str] = {
    "oracle": "oracledb (URL oracle+oracledb://)",
    "dm": "dmPython and dmSQLAlchemy (URL dm+dmPython://)",
    "kingbase": "psycopg, Kingbase's PostgreSQL mode (URL postgresql+psycopg://)",
    "mssql": "pymssql (URL mssql+pymssql://)",
    "postgresql": "psycopg (URL postgresql+psycopg://)",
    "mysql": "pymysql (URL mysql+pymysql://)",
}
"""What the driver of a kind of database needs to be there."""

_SKIP_LOCKED: Mapping[tuple[str, bool], tuple[int, ...]] = {
    ("postgresql", False): (9, 5),
    ("mysql", False): (8, 0, 1),
    ("mysql", True): (10, 6),
    ("mariadb", True): (10, 6),
}
"""By dialect and whether it is MariaDB: since when a claim may step over rows that another holds.

Oracle has it too, and refuses it together with a limit (ORA-02014).
"""

_OTHERWISE_NAMED = (9, 6)
"""The PostgreSQL that KingbaseES V8 began from."""

_SINGLE_PRECISION: Mapping[str, str] = {"postgresql": "REAL", "mysql": "FLOAT", "mariadb": "FLOAT"}
"""The type whose values do not compare equal to what was read of them."""

_CREDENTIAL = frozenset({"28000", "28P01", "1045", "1698", "ORA-01017"})
_DUPLICATE = frozenset({"23505", "1062", "ORA-00001", "-6602"})
_DATA = frozenset(
    {
        "1048", "1364", "1366", "1292", "1264", "1265", "1406", "1451", "1452", "3819", "4025", "42804",
        "ORA-01400", "ORA-12899", "ORA-01438", "ORA-01722", "ORA-02290", "ORA-02291",
    }
)  # fmt: skip
"""The row is not as the table wants it: null, too long, out of range, no such parent. SQLSTATE 22 and 23 as well."""

_NOT_AGREED = frozenset({"1044", "1049", "1054", "1142", "1143", "3D000", "ORA-00904", "ORA-00942", "ORA-01031"})
"""No such database, table or column, or no right to it."""

_PG_LOGIN = re.compile(r"authentication failed|no password supplied", re.IGNORECASE)
"""A refused login of PostgreSQL has no SQLSTATE at the client."""
_ORACLE_CODE = re.compile(r"^ORA-\d{5}")


def open_engine(url: str, *, timeout: float, zone: ZoneInfo, now: Callable[[], datetime]) -> Engine:
    """An engine that connects when first used. `timeout`: seconds to connect, of a statement, and for a lock.

    `zone`: in which the other side's clocks tell their time. Raises Misconfigured, naming the package a driver needs.
    """
    address = _address(url)
    try:
        engine = create_engine(
            address, pool_pre_ping=True, pool_recycle=RECYCLE_SECONDS, pool_timeout=timeout, hide_parameters=True,
            connect_args=_arguments(address, timeout), **_isolation(address),
        )  # fmt: skip
    except NoSuchModuleError:
        raise Misconfigured(_needs(address, "SQLAlchemy does not know its dialect")) from None
    except ImportError as error:
        raise Misconfigured(_needs(address, f"the module {error.name} is not installed")) from None
    except (ArgumentError, TypeError, ValueError):  # their texts may quote the password
        raise Misconfigured(f"the database URL of {address.drivername} has an option it does not know") from None

    if address.drivername.endswith("+psycopg"):
        _take_for_postgresql(engine.dialect)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        if address.drivername.endswith("+psycopg"):
            _read_every_time(connection)
        elif address.drivername.endswith("+oracledb"):
            connection.call_timeout = round(timeout * 1000)  # Oracle itself waits for a locked row without end
        statements = list(_session(engine.dialect, timeout, zone, now().astimezone(zone).utcoffset() or timedelta()))
        if statements:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            cursor.close()
            connection.commit()  # a rollback would take the settings back

    return engine


def skips_locked(dialect: Dialect) -> bool:
    """True when rows another connection holds can be stepped over. Known once the engine has connected."""
    since = _SKIP_LOCKED.get((dialect.name, bool(getattr(dialect, "is_mariadb", False))))
    return since is not None and tuple(getattr(dialect, "server_version_info", None) or ()) >= since


def blurs(dialect: Dialect, kind: TypeEngine[Any]) -> bool:
    """True for a type whose values do not find their rows again."""
    return _SINGLE_PRECISION.get(dialect.name) == kind.__visit_name__


def counts_bytes(dialect: Dialect) -> bool:
    """True where a text column's length is usually one of bytes."""
    return dialect.name in {"oracle", "dm"}


def plain_readings(dialect: Dialect, column: ColumnElement[object]) -> Iterable[ColumnElement[object]]:
    """Other ways to read a value that cannot be read as what it is: as text, at last as bytes."""
    if dialect.name == "postgresql":
        yield cast(column, Text)
        yield func.convert_to(cast(column, Text), "SQL_ASCII")
    elif dialect.name in {"mysql", "mariadb"}:
        yield cast(column, BINARY)


def code_of(error: SQLAlchemyError) -> str:
    """The database's own code of an error: SQLSTATE, MySQL's number, or ORA-nnnnn; empty when it has none."""
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int):  # PyMySQL has a SQLSTATE as well, and it is coarser
        return str(arguments[0])
    if state:
        return str(state)
    found = _ORACLE_CODE.match(str(original or ""))
    return found.group() if found else ""


def is_duplicate(error: SQLAlchemyError) -> bool:
    """A row with this key is there already."""
    return code_of(error) in _DUPLICATE


def is_data(error: SQLAlchemyError) -> bool:
    """The values of the row are not what the table takes."""
    code = code_of(error)
    return code in _DATA or (len(code) == 5 and code[:2] in {"22", "23"})


def is_lost(error: SQLAlchemyError) -> bool:
    """The connection is gone."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def ours(whom: str, error: SQLAlchemyError) -> HubError:
    """The one place where SQLAlchemy's errors become ours. What was not committed was not taken."""
    what = f"{type(error).__name__} {code_of(error)}".strip()
    if _is_credential(error):
        return Unauthenticated(f"{whom}: the database refuses the login")
    if isinstance(error, PoolTimeout | DisconnectionError) or is_lost(error):
        return Unavailable(f"{whom}: no connection to the database ({what})")
    refused = isinstance(error, ProgrammingError | NotSupportedError | DataError)
    if refused or is_data(error) or code_of(error) in _NOT_AGREED:
        return ContractViolation(f"{whom}: the database refuses the statement ({what})")
    return Unavailable(f"{whom}: the database does not answer as it should ({what})")


def _is_credential(error: SQLAlchemyError) -> bool:
    return code_of(error) in _CREDENTIAL or bool(_PG_LOGIN.search(str(getattr(error, "orig", None) or "")))


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise Misconfigured(
            "the database URL must look like dialect+driver://user:password@host:port/database"
        ) from None


def _needs(address: URL, why: str) -> str:
    kind = address.get_backend_name()
    return f"no driver for {address.drivername} ({why}): it needs {_PACKAGES.get(kind, 'a SQLAlchemy dialect')}"


def _arguments(address: URL, timeout: float) -> dict[str, object]:
    """What the driver's connect takes; seconds."""
    if address.drivername.endswith("+psycopg"):
        # Not prepared on the server: a plan kept over a changed table fails for ever, and poolers mix sessions up.
        return {
            "connect_timeout": max(2, round(timeout)), "client_encoding": "utf8", "prepare_threshold": None,
            "tcp_user_timeout": round(timeout * 1000),
        }  # fmt: skip
    if address.drivername.endswith("+pymysql"):
        return {"connect_timeout": max(1, round(timeout)), "read_timeout": timeout + 1, "write_timeout": timeout + 1}
    if address.drivername.endswith("+oracledb"):
        return {"tcp_connect_timeout": timeout, "expire_time": 1}  # minutes: a host that is gone is noticed
    if address.drivername.endswith("+pymssql"):
        return {"login_timeout": max(1, round(timeout)), "timeout": max(1, round(timeout))}
    return {}


def _take_for_postgresql(dialect: Any) -> None:  # noqa: ANN401 - SQLAlchemy's seam for this is not public
    """A server that calls itself by another name, such as KingbaseES, is taken for the oldest we know."""
    usual = dialect._get_server_version_info

    def version(connection: object) -> tuple[int, ...]:
        try:
            return tuple(usual(connection))
        except AssertionError:  # "Could not determine version from string"
            return _OTHERWISE_NAMED

    dialect._get_server_version_info = version


def _read_every_time(connection: DBAPIConnection) -> None:
    """Times beyond what Python can hold, such as PostgreSQL's infinity, arrive as text instead of failing the page."""
    from psycopg import DataError, adapt
    from psycopg.abc import Buffer
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    def lenient(usual: type[adapt.Loader]) -> type[adapt.Loader]:
        class Lenient(usual):  # type: ignore[valid-type, misc]  # a class for each of the three
            def load(self, data: Buffer) -> object:
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode("ascii")

        return Lenient

    for name, usual in (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
        connection.adapters.register_loader(name, lenient(usual))


def _isolation(address: URL) -> dict[str, Any]:
    """MySQL's own level would lock the gaps between rows, and with them the other side's inserts."""
    return {"isolation_level": "READ COMMITTED"} if address.get_backend_name() in {"mysql", "mariadb"} else {}


def _session(dialect: Dialect, timeout: float, zone: ZoneInfo, offset: timedelta) -> Iterable[str]:
    """Statements for each new connection: limits of time, the zone, and no silent cutting of values."""
    if dialect.name == "postgresql":
        yield f"SET statement_timeout = {round(timeout * 1000)}"
        yield f"SET lock_timeout = {round(timeout * 1000)}"
        yield f"SET TIME ZONE '{zone.key}'"
    elif dialect.name in {"mysql", "mariadb"}:
        # The zone's name needs tables that many servers never loaded.
        minutes = round(offset.total_seconds() / 60)
        sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
        yield (
            f"SET SESSION time_zone = '{sign}{hours:02}:{rest:02}',"
            f" innodb_lock_wait_timeout = {max(1, round(timeout))},"
            " sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')"
            f" /*M! , max_statement_time = {timeout:g} */"  # MariaDB reads what MySQL takes for a comment
        )
