"""Tables that are not as declared, names and values of any kind, and declarations that contradict themselves."""

from dataclasses import replace
from uuid import uuid4

import pytest

from canonical.errors import ContractViolation, Misconfigured, Unavailable
from canonical.time import SHANGHAI
from connectors.exchange_table import Table, TableReceiver
from tests.connectors.exchange_site import (
    AT,
    CLAIM,
    FLAG,
    QUEUE,
    RELOAD,
    SEQUENCE,
    Notebook,
    Open,
    Site,
    a_pass,
    accept,
    fill,
    ids,
    opened,
    site,
    states,
    told,
)
from tests.connectors.servers.mariadb import mariadb

__all__ = ["mariadb", "opened", "site"]


def test_names_are_quoted_whatever_they_hold(site: Site, opened: Open) -> None:
    quote = '"' if site.kind == "postgresql" else "`"
    flag = f'{quote}st%%ate"":`` (x) "" ;--{quote}' if site.kind == "postgresql" else '`st%%ate": (x) ;--`'
    name = 'st%ate":`` (x) " ;--' if site.kind == "postgresql" else 'st%ate": (x) ;--'
    site.run(f"CREATE TABLE desk.{quote}Odd Name{quote} (id int PRIMARY KEY, {flag} varchar(4))",
             f"INSERT INTO desk.{quote}Odd Name{quote} VALUES (1, '0')")  # fmt: skip

    receiver = opened(replace(CLAIM, name="desk.Odd Name", flag=name, note="", taken_at=""))

    assert accept(a_pass(receiver)) == [1]
    assert a_pass(receiver) == []


@pytest.mark.parametrize("value", ["0' OR '1'='1", "0'; DROP TABLE desk.queue; --", "%", "\\"])
def test_a_declared_value_is_only_ever_a_value(site: Site, opened: Open, value: str) -> None:
    site.run(QUEUE)
    fill(site, 1)

    assert a_pass(opened(replace(FLAG, new=(value,)))) == []
    assert states(site) == {1: "0"}


def test_a_table_name_is_only_ever_a_name(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1)

    with pytest.raises(ContractViolation, match=r"no table|the database refuses"):
        opened(replace(FLAG, name='desk.queue"; DROP TABLE desk.queue; --')).receive(most=1, wait=0)
    assert states(site) == {1: "0"}


def test_names_match_without_regard_to_case(site: Site, opened: Open) -> None:
    site.run(QUEUE.replace("state ", "STATE ").replace("desk.queue", "desk.queue"))
    fill(site, 1)

    rows = a_pass(opened(replace(CLAIM, name="desk.QUEUE", key=("Id",), flag="State")))

    assert told(rows[0])["Id"] == 1
    assert told(rows[0])["State"] == "0"


@pytest.mark.parametrize("table", [FLAG, CLAIM, SEQUENCE, RELOAD], ids=["flag", "claimed", "sequence", "reload"])
def test_a_renamed_column_is_named_with_what_looks_like_it(site: Site, opened: Open, table: Table) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    receiver = opened(replace(table, columns=("title",)))
    receiver.receive(most=1, wait=0)

    site.run("ALTER TABLE desk.queue RENAME COLUMN title TO title_text")

    with pytest.raises(ContractViolation, match=r"no column title \(there is title_text"):
        receiver.receive(most=1, wait=0)
    with pytest.raises(ContractViolation, match="no column title"):
        receiver.receive(most=1, wait=0)
    site.run("ALTER TABLE desk.queue RENAME COLUMN title_text TO title")
    assert 2 in ids(a_pass(receiver))


def test_a_missing_column_is_found_at_once(site: Site, opened: Open) -> None:
    site.run(QUEUE.replace("title varchar(50), ", ""))

    with pytest.raises(ContractViolation, match="no column title, kpi"):
        opened(replace(FLAG, columns=("title", "kpi"))).receive(most=1, wait=0)


def test_a_dropped_table_is_named_with_what_looks_like_it(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    receiver = opened(FLAG)
    receiver.receive(most=1, wait=0)

    site.run("ALTER TABLE desk.queue RENAME TO desk.queue_old" if site.kind == "mariadb"
             else "ALTER TABLE desk.queue RENAME TO queue_old")  # fmt: skip

    with pytest.raises(ContractViolation, match=r"no table or view desk\.queue \(there is queue_old\)"):
        receiver.receive(most=1, wait=0)


def test_an_undeclared_column_may_go(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    receiver = opened(FLAG)
    receiver.receive(most=1, wait=0)

    site.run("ALTER TABLE desk.queue DROP COLUMN title")

    with pytest.raises(Unavailable, match="has changed"):
        receiver.receive(most=1, wait=0)
    assert ids(a_pass(receiver)) == [2]


def test_a_drift_met_by_a_verdict_leaves_the_row_to_come_again(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1)
    receiver = opened(CLAIM)
    [row] = receiver.receive(most=1, wait=0)
    site.run("ALTER TABLE desk.queue DROP COLUMN taken_at")

    with pytest.raises(Unavailable):
        row.accept()
    with pytest.raises(ContractViolation, match="taken_at"):
        receiver.receive(most=1, wait=0)
    site.run("ALTER TABLE desk.queue ADD COLUMN taken_at date")

    assert accept(a_pass(receiver)) == [1]


def test_a_declared_value_that_is_no_number_is_told(site: Site, opened: Open) -> None:
    site.run(QUEUE.replace("state varchar(4)", "state int"))

    with pytest.raises(ContractViolation, match="state holds numbers"):
        opened(replace(FLAG, new=("N",))).receive(most=1, wait=0)


def test_a_key_that_identifies_no_row_is_told(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)

    with pytest.raises(ContractViolation, match="do not identify a row"):
        opened(replace(FLAG, key=("state",))).receive(most=5, wait=0)


def test_a_single_precision_key_is_told(site: Site, opened: Open) -> None:
    site.run(f"CREATE TABLE desk.queue (id {'real' if site.kind == 'postgresql' else 'float'})")

    with pytest.raises(ContractViolation, match="single-precision id"):
        opened(RELOAD).receive(most=1, wait=0)


def test_a_view_is_read_like_a_table(site: Site, opened: Open) -> None:
    site.run(QUEUE, "CREATE VIEW desk.open_cases AS SELECT id, title, seq FROM desk.queue WHERE id > 1")
    fill(site, 1, 2, 3)
    memory = Notebook()

    assert accept(a_pass(opened(replace(SEQUENCE, name="desk.open_cases"), memory), 1)) == [2, 3]
    assert memory.position() == "3"


@pytest.mark.parametrize(
    ("table", "finding"),
    [
        (replace(FLAG, key=()), "key"),
        (replace(FLAG, new=()), "flag mode needs"),
        (replace(FLAG, new=("2",)), "`taken` must differ"),
        (replace(FLAG, new=("9",)), "`failed` must differ"),
        (replace(CLAIM, claimed="2"), "`claimed` must differ"),
        (replace(SEQUENCE, sequence=""), "needs `sequence`"),
        (replace(SEQUENCE, overlap=-1), "not negative"),
    ],
)
def test_a_contradictory_declaration_is_told_at_once(site: Site, opened: Open, table: Table, finding: str) -> None:
    with pytest.raises(Misconfigured, match=finding):
        opened(table)


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        ("oracle+oracledb://clerk:secret@127.0.0.1/x", "oracledb"),
        ("dm+dmPython://clerk:secret@127.0.0.1:5236", "dmPython"),
        ("kingbase+psycopg2://clerk:secret@127.0.0.1:54321/x", r"postgresql\+psycopg"),
        ("not a URL", "must look like"),
    ],
)
def test_a_driver_that_is_missing_is_named(url: str, needed: str) -> None:
    with pytest.raises(Misconfigured, match=needed) as caught:
        TableReceiver(
            url, FLAG, system="landscape", door="rows", memory=Notebook(), ids=uuid4, now=lambda: AT, zone=SHANGHAI,
            timeout=5,
        )  # fmt: skip
    assert "secret" not in str(caught.value)


def test_nothing_of_a_row_stands_in_an_error(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    site.run("INSERT INTO desk.queue (id, state, title) VALUES (1, '0', '示例市民13800000000')")
    receiver = opened(replace(FLAG, key=("title",)))
    [row] = receiver.receive(most=1, wait=0)
    site.run("DROP TABLE desk.queue")

    with pytest.raises(Unavailable) as caught:
        row.accept()

    assert "13800000000" not in repr(caught.value) + repr(row)
