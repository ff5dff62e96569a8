"""The exchange database: three tables of the contract in any SQL engine, used by one hand.

Names are written without quotes, so each engine folds them as it does for the contract's own script.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import CHAR, Column, Connection, DateTime, MetaData, String, Table, create_engine, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import quoted_name

_T = TypeVar("_T")
Row = Mapping[str, str | datetime | None]

# SQLite keeps a time as text; the contract's text has no fraction of a second.
_WHOLE_SECONDS = sqlite.DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]
_MOMENT = DateTime().with_variant(_WHOLE_SECONDS, "sqlite")
_METADATA = MetaData()
_VIEW_COLUMNS = (
    ("AJID", 50), ("applidique", 2000), ("ACCREGPER", 50), ("REGTIME", 10), ("ACCSCE", 200), ("ACCTIME", 10),
    ("KEYWORD", 200), ("PNAME", 50), ("PADDR", 200), ("PTEL", 50), ("ENTADDR", 200), ("ENTTEL", 50), ("REGDEP", 200),
    ("INVOPT", 200), ("MDSENAME", 200), ("atime", 19), ("btime", 19),
)  # fmt: skip


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _METADATA, *columns, mysql_charset="utf8mb4")


def _text(name: str, length: int, **more: Any) -> Column[Any]:  # noqa: ANN401  # as Column takes them
    return Column(quoted_name(name, quote=False), String(length), **more)


VIEW = _table("anjianxx", *(_text(name, length) for name, length in _VIEW_COLUMNS))
"""At the source a view whose joins multiply rows; here a table, so that it can be filled."""
PENDING = _table(
    "ywcl_shuntlist",
    _text("id", 50, primary_key=True), _text("caseid", 50), _text("infotype", 20), Column("regtime", _MOMENT),
    _text("providername", 100), _text("invopt", 200), _text("regdeptname", 100), _text("accregpername", 50),
    _text("applidique", 4000), _text("clbmname", 100), _text("regno", 50), _text("runid", 50), _text("listtype", 20),
    Column("updatedate", _MOMENT), _text("distwhiname", 50), _text("detailsurl", 500), _text("regidurl", 500),
    Column("status", CHAR(1)), Column("state", CHAR(1)), _text("cwcs", 10), _text("dubcs", 10),
    Column("firstblqx", _MOMENT), Column("blqx", _MOMENT),
)  # fmt: skip
FEEDBACK = _table(
    "ex_fkxx",
    _text("fkid", 50, primary_key=True), _text("caseid", 50), Column("fkzt", CHAR(1)), _text("fknr", 2000),
    _text("fkr", 50), Column("fksj", _MOMENT), _text("fj", 1000), Column("clbz", CHAR(1), server_default="0"),
)  # fmt: skip
NEW, TAKEN, REJECTED = "0", "1", "2"
"""clbz."""


class Feedback(NamedTuple):
    """A row the hub wrote. Any of it may be missing."""

    fkid: str
    caseid: str | None
    fkzt: str | None
    fknr: str | None
    fkr: str | None


class Exchange:
    """One connection's worth of work at a time, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_pre_ping=True)
        self._hand = ThreadPoolExecutor(max_workers=1, thread_name_prefix="exchange")

    @property
    def address(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    async def run(self, work: Callable[[Connection], _T]) -> _T:
        """Do this in one transaction. Raises sqlalchemy.exc.SQLAlchemyError."""
        return await asyncio.get_running_loop().run_in_executor(self._hand, self._transacted, work)

    def close(self) -> None:
        """Wait for what is under way and close the connections."""
        self._hand.shutdown(wait=True, cancel_futures=True)
        self._engine.dispose()

    def _transacted(self, work: Callable[[Connection], _T]) -> _T:
        with self._engine.begin() as connection:
            return work(connection)


def prepared(connection: Connection) -> None:
    """The tables, where they are not there yet."""
    _METADATA.create_all(connection)


def inserted(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """These rows, new."""
    connection.execute(table.insert(), [dict(row) for row in rows])


def withdrawn(connection: Connection, caseid: str, at: datetime) -> None:
    """The pending row stays and says that it is void."""
    connection.execute(update(PENDING).where(PENDING.c.caseid == caseid).values(state="1", updatedate=at))


def unread(connection: Connection) -> list[Feedback]:
    """What the hub wrote and nobody looked at, oldest first."""
    columns = [FEEDBACK.c[name] for name in Feedback._fields]
    rows = connection.execute(select(*columns).where(FEEDBACK.c.clbz == NEW).order_by(FEEDBACK.c.fksj, FEEDBACK.c.fkid))
    return [Feedback(*row) for row in rows]


def read(connection: Connection, verdicts: Mapping[str, str], ended: Iterable[str], at: datetime) -> None:
    """Mark feedback (fkid -> clbz) as read; cases that ended with it are no longer pending."""
    for fkid, clbz in verdicts.items():
        connection.execute(update(FEEDBACK).where(FEEDBACK.c.fkid == fkid).values(clbz=clbz))
    for caseid in ended:
        connection.execute(update(PENDING).where(PENDING.c.caseid == caseid).values(status="1", updatedate=at))
