"""Servers that go away, values that cannot be read, and text of other charsets."""

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from canonical.errors import Unauthenticated, Unavailable
from canonical.time import SHANGHAI
from connectors.exchange_table import Table, TableReceiver
from storage.embedded import EmbeddedPostgres
from tests.connectors.exchange_site import (
    AT,
    CLAIM,
    FLAG,
    QUEUE,
    RELOAD,
    Notebook,
    Open,
    Site,
    _mariadb,
    _postgresql,
    a_pass,
    accept,
    fill,
    opened,
    site,
    states,
    told,
)
from tests.connectors.servers.mariadb import MariaDb, mariadb
from tests.connectors.servers.relay import Relay

__all__ = ["mariadb", "opened", "site"]


def test_a_time_beyond_the_calendar_comes_as_text(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    if site.kind == "postgresql":
        site.run("UPDATE desk.queue SET at = 'infinity' WHERE id = 1")
    else:
        site.run(
            "SET sql_mode = ''",
            "UPDATE desk.queue SET at = '0000-00-00 00:00:00' WHERE id = 1",
            "SET sql_mode = DEFAULT",
        )

    rows = a_pass(opened(replace(FLAG, sequence="at")), 1)

    assert {told(one)["id"]: str(told(one)["at"])[:10] for one in rows} == {
        1: "infinity" if site.kind == "postgresql" else "0000-00-00", 2: "None",
    }  # fmt: skip


# Connections


def test_a_server_that_goes_away_is_unavailable_and_work_goes_on_when_it_is_back(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    with Relay(site.reach) as relay:
        receiver = opened(CLAIM, url=site.through(relay.port))
        first, second = receiver.receive(most=2, wait=0)
        relay.shut = True
        relay.break_all()

        with pytest.raises(Unavailable):
            first.accept()
        second.defer()
        with pytest.raises(Unavailable):
            receiver.receive(most=2, wait=0)
        relay.shut = False

        assert accept(a_pass(receiver)) == [1, 2, 3]
        assert set(states(site).values()) == {"2"}
        receiver.close()


def test_a_claim_whose_commit_broke_is_taken_up_again(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    with Relay(site.reach) as relay:
        receiver = opened(CLAIM, url=site.through(relay.port))
        receiver.receive(most=1, wait=0)
        fill(site, 1, 2)
        relay.break_at = b"COMMIT"

        with pytest.raises(Unavailable):
            receiver.receive(most=1, wait=0)

        assert accept(a_pass(receiver)) == [1, 2]
        receiver.close()


def test_a_server_killed_and_started_again_goes_on(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE exchange.restarted (id int PRIMARY KEY, state int)",
                    "INSERT INTO exchange.restarted VALUES (1, 0), (2, 0)")  # fmt: skip
    receiver = TableReceiver(
        mariadb.url(), Table("restarted", ("id",), "flag", flag="state", new=("0",), claimed="1", taken="2"),
        system="landscape", door="rows", memory=Notebook(), ids=uuid4, now=lambda: AT, zone=SHANGHAI, timeout=5,
    )  # fmt: skip
    [row] = receiver.receive(most=1, wait=0)
    mariadb.stop()

    with pytest.raises(Unavailable):
        row.accept()
    with pytest.raises(Unavailable):
        receiver.receive(most=1, wait=0)
    mariadb.start()

    assert accept(a_pass(receiver)) == [1, 2]
    receiver.close()


def test_a_server_that_speaks_postgresql_under_another_name_is_read(postgres: EmbeddedPostgres) -> None:
    here = _postgresql(postgres)
    here.run("CREATE SCHEMA desk", QUEUE)
    fill(here, 1, 2)
    with Relay(here.reach) as relay:
        relay.instead = (b"PostgreSQL 1", b"KingbaseES V")
        receiver = TableReceiver(
            here.through(relay.port), CLAIM, system="landscape", door="rows", memory=Notebook(), ids=uuid4,
            now=lambda: AT, zone=SHANGHAI, timeout=5,
        )  # fmt: skip
        assert accept(a_pass(receiver)) == [1, 2]
        receiver.close()
    here.run("DROP SCHEMA desk CASCADE")
    here.engine.dispose()


def test_a_refused_login_is_told_as_one(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE OR REPLACE USER clerk@127.0.0.1 IDENTIFIED BY 'right'")
    receiver = TableReceiver(
        mariadb.url().replace("root@", "clerk:secret@"), FLAG, system="landscape", door="rows", memory=Notebook(),
        ids=uuid4, now=lambda: AT, zone=SHANGHAI, timeout=5,
    )  # fmt: skip

    with pytest.raises(Unauthenticated) as caught:
        receiver.receive(most=1, wait=0)
    receiver.close()
    assert "secret" not in str(caught.value)


# Chinese of other charsets, and what is broken on disk


def test_a_gbk_table_reads_and_writes_chinese(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE exchange.legacy (编号 varchar(9) PRIMARY KEY, 状态 varchar(4), 描述 varchar(50),"
        " 备注 varchar(20)) CHARSET gbk",
        "INSERT INTO exchange.legacy VALUES ('芜-1', '未取', '镜湖区九华中路行道树倒伏，喆', NULL)",
    )
    table = Table(
        "legacy",
        ("编号",),
        "flag",
        flag="状态",
        new=("未取",),
        claimed="取中",
        taken="已取",
        failed="退回",
        note="备注",
    )
    receiver = TableReceiver(
        mariadb.url(), table, system="landscape", door="rows", memory=Notebook(), ids=uuid4, now=lambda: AT,
        zone=SHANGHAI, timeout=5,
    )  # fmt: skip

    [row] = receiver.receive(most=5, wait=0)
    row.reject("缺少坐标")
    receiver.close()

    assert told(row)["描述"] == "镜湖区九华中路行道树倒伏，喆"
    here = _mariadb(mariadb)
    assert here.ask("SELECT 状态, 备注 FROM legacy") == [("退回", "缺少坐标")]
    here.engine.dispose()


def test_bytes_that_are_no_text_stop_no_other_row(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE exchange.broken (id int PRIMARY KEY, state int, title varchar(20), note varchar(20))"
        " ENGINE=MyISAM CHARSET utf8mb4",
        "INSERT INTO exchange.broken VALUES (1, 0, 'good', 'a'), (2, 0, 'BROKEN', 'b'), (3, 0, 'good', 'c')",
        "FLUSH TABLES",
    )
    file = mariadb.data / "exchange" / "broken.MYD"
    file.write_bytes(file.read_bytes().replace(b"BROKEN", b"OK\xff\xfeOK"))
    mariadb.execute("FLUSH TABLES")
    for claimed in ("", "1"):
        table = Table("broken", ("id",), "flag", flag="state", new=("0",), claimed=claimed, taken="2")
        receiver = TableReceiver(
            mariadb.url(), table, system="landscape", door="rows", memory=Notebook(), ids=uuid4, now=lambda: AT,
            zone=SHANGHAI, timeout=5,
        )  # fmt: skip

        rows = a_pass(receiver, 2)
        receiver.close()

        assert [(told(one)["id"], told(one)["title"], told(one)["note"]) for one in rows] == [
            (1, "good", "a"), (2, "OK\ufffd\ufffdOK", "b"), (3, "good", "c"),
        ]  # fmt: skip
        assert [one.message.headers.get("unreadable") for one in rows] == [None, "title", None]


def test_text_of_an_unknown_charset_stops_no_other_row(postgres: EmbeddedPostgres) -> None:
    plain = _postgresql(postgres)
    with plain.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    url = postgres.url_of("bytes").replace("+asyncpg", "+psycopg")
    engine = create_engine(f"{url}&client_encoding=utf8")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE queue (id int PRIMARY KEY, title text)")
        connection.exec_driver_sql("INSERT INTO queue VALUES (1, 'good'), (2, E'\\xcaW'), (3, 'good')")
    memory = Notebook()
    receiver = TableReceiver(
        url, replace(RELOAD, name="queue"), system="landscape", door="rows", memory=memory, ids=uuid4, now=lambda: AT,
        zone=SHANGHAI, timeout=5,
    )  # fmt: skip

    rows = a_pass(receiver)

    assert [told(one)["title"] for one in rows] == ["good", "\ufffdW", "good"]
    accept(rows)
    assert a_pass(receiver) == []
    receiver.close()
    engine.dispose()
    with plain.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE bytes WITH (FORCE)")
    plain.engine.dispose()
