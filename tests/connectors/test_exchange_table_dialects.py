"""What is asked of databases that cannot run here: their dialects say it in words they know."""

from collections.abc import Iterator
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import CHAR, Dialect, Numeric, Select, String, Update, column, table, update
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.oracle import DATE

from connectors.exchange_columns import Column, Layout
from connectors.exchange_rows import picked
from connectors.exchange_table import Table, TableReceiver
from tests.connectors.exchange_site import AT, Notebook

COLUMNS = (
    Column("SJBH", column("sjbh"), String(32), nullable=False, length=32),
    Column("GXSJ", column("gxsj"), DATE(), nullable=True, length=None),
    Column("ZT", column("zt"), CHAR(1), nullable=True, length=1),
    Column("SFJJ", column("sfjj"), Numeric(1), nullable=True, length=None),
)
LAYOUT = Layout(table("t_sj", *(one.clause for one in COLUMNS), schema="qzk"), {one.name: one for one in COLUMNS})
FLAG = Table(
    "QZK.T_SJ", ("SJBH",), "flag", flag="ZT", new=("0", ""), taken="1", sequence="GXSJ", where={"SFJJ": ("1",)}
)
SEQUENCE = Table("QZK.T_SJ", ("SJBH",), "sequence", sequence="GXSJ")
RELOAD = Table("QZK.T_SJ", ("SJBH",), "reload")


@pytest.fixture(params=["oracle", "oracle before 12", "mssql"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = registry.load(request.param.partition(" ")[0])()
    if " " in request.param:
        found._supports_offset_fetch = False  # type: ignore[attr-defined]  # as SQLAlchemy finds out when it connects
    return found


def pages(asked: Table) -> Iterator[Select[tuple[object, ...]]]:
    """What a receiver asks for at the beginning of a pass, and behind the first page."""
    receiver = TableReceiver(
        "postgresql+psycopg://nobody@127.0.0.1:1/nothing", asked, system="landscape", door="rows", memory=Notebook(),
        ids=uuid4, now=lambda: AT, zone=ZoneInfo("Asia/Shanghai"), timeout=5,
    )  # fmt: skip
    yield receiver._statement(LAYOUT, COLUMNS, 200)
    receiver._cursor = (datetime(2026, 3, 16, 9), "A1") if asked.sequence else ("A1",)  # noqa: DTZ001 - their clock's
    yield receiver._statement(LAYOUT, COLUMNS, 200)
    receiver.close()


def spoken(statement: Select[tuple[object, ...]] | Update, dialect: Dialect) -> str:
    return " ".join(str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})).split())


@pytest.mark.parametrize("asked", [FLAG, SEQUENCE, RELOAD], ids=["flag", "sequence", "reload"])
def test_a_page_is_limited_and_every_condition_is_a_comparison(dialect: Dialect, asked: Table) -> None:
    for page in pages(asked):
        text = spoken(page, dialect)

        assert any(limit in text for limit in ("FETCH FIRST 200 ROWS ONLY", "ROWNUM <= 200", "TOP 200"))
        assert not set(text.upper().split()) & {"TRUE", "FALSE", "LIMIT", "NULLS"}
        assert not any(f" {word} {bare}{end}" in f"{text} " for word in ("WHERE", "AND", "OR") for bare in "01"
                       for end in (" O", " A", " F", ") "))  # fmt: skip


def test_nothing_is_picked_by_no_keys_in_words_every_database_knows(dialect: Dialect) -> None:
    status = LAYOUT.columns["ZT"]
    mark = update(LAYOUT.table).values({status.clause: status.bound("1")})

    assert spoken(mark.where(picked(LAYOUT.chosen(["SJBH"]), [])), dialect).endswith("WHERE 0 = 1")
    assert spoken(mark.where(status.among([]), status.equals("0")), dialect).count("0 = 1") == 1
