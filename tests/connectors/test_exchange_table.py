"""Exchange tables with a status column on real PostgreSQL and MariaDB servers: every row comes once."""

import threading
from dataclasses import replace

import pytest

from connectors.exchange_table import Table, TableReceiver
from tests.connectors.exchange_site import (
    AT,
    CLAIM,
    FLAG,
    NINE,
    QUEUE,
    RELOAD,
    SEQUENCE,
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


@pytest.mark.parametrize("table", [FLAG, CLAIM], ids=["plain", "claimed"])
def test_a_row_is_marked_as_its_verdict_says(site: Site, opened: Open, table: Table) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    receiver = opened(table)

    first, second, third = a_pass(receiver, most=2)
    first.accept()
    second.reject("地址不在本市范围内，请核对")
    third.defer()

    assert states(site) == {1: "2", 2: "9", 3: "0"}
    assert site.ask("SELECT id, note, taken_at FROM desk.queue WHERE state <> '0' ORDER BY id") == [
        (1, None, NINE),
        (2, "地址不在本市范围", NINE),
    ]
    assert ids(a_pass(receiver)) == [3]


def test_a_message_is_the_row_as_json(site: Site, opened: Open) -> None:
    binary, zoned = ("bytea", "timestamptz") if site.kind == "postgresql" else ("blob", "timestamp")
    site.run(
        f"CREATE TABLE desk.queue (id int PRIMARY KEY, state char(2), amount decimal(12,2), many decimal(30,0),"
        f" day date, clock time, at MOMENT, precise MOMENT, zoned {zoned} NULL, photo {binary}, rate double precision)",
        "INSERT INTO desk.queue VALUES (7, '0', 12.50, 12345678901234567890123, '2026-03-01', '08:30:00',"
        " '2026-03-16 08:00:00', '2026-03-16 08:00:00.25', NULL, NULL, 0.5)",
        "UPDATE desk.queue SET photo = "
        + ("'\\x00ff'::bytea" if site.kind == "postgresql" else "x'00ff'"),
    )  # fmt: skip

    [row] = a_pass(opened(Table("desk.queue", ("ID",), "flag", flag="State", new=("0",), taken="1")))

    assert told(row) == {
        "ID": 7, "State": "0", "amount": "12.50", "many": "12345678901234567890123", "day": "2026-03-01",
        "clock": "08:30:00", "at": "2026-03-16 08:00:00", "precise": "2026-03-16 08:00:00.250000", "zoned": None,
        "photo": "AP8=", "rate": 0.5,
    }  # fmt: skip
    message = row.message
    assert (message.system, message.door, message.path, message.content_type, message.at) == (
        "landscape", "rows", "desk.queue", "application/json", AT,
    )  # fmt: skip


def test_an_instant_is_told_in_the_zone_of_the_table(site: Site, opened: Open) -> None:
    kind = "timestamptz" if site.kind == "postgresql" else "timestamp"
    site.run(f"CREATE TABLE desk.queue (id int PRIMARY KEY, at {kind} NULL)")
    if site.kind == "mariadb":
        site.run("SET time_zone = '+00:00'", "INSERT INTO desk.queue VALUES (1, '2026-03-16 01:00:00')")
    else:
        site.run("INSERT INTO desk.queue VALUES (1, '2026-03-16 01:00:00+00')")

    assert [told(one)["at"] for one in a_pass(opened(RELOAD))] == ["2026-03-16 09:00:00"]


def test_a_claimed_row_shows_the_status_it_had_and_gets_it_back(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, state="I")
    fill(site, 2, state="U")

    rows = a_pass(opened(replace(CLAIM, new=("I", "U"))))

    assert [told(one)["state"] for one in rows] == ["I", "U"]
    assert states(site) == {1: "1", 2: "1"}
    rows[1].defer()
    assert states(site) == {1: "1", 2: "U"}


@pytest.mark.parametrize("declared", ["int", "char(4)"])
def test_a_status_column_of_another_type_is_compared_as_what_it_is(site: Site, opened: Open, declared: str) -> None:
    site.run(QUEUE.replace("state varchar(4)", f"state {declared}"))
    fill(site, 1, 2)
    receiver = opened(CLAIM)

    assert accept(a_pass(receiver)) == [1, 2]
    assert {str(state).strip() for state in states(site).values()} == {"2"}


def test_the_empty_value_is_null_as_well(site: Site, opened: Open) -> None:
    site.run(QUEUE, "INSERT INTO desk.queue (id, state) VALUES (1, ''), (2, NULL), (3, 'x')")

    assert accept(a_pass(opened(replace(CLAIM, new=("",))))) == [1, 2]


def test_a_filter_leaves_other_rows_alone(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    site.run("UPDATE desk.queue SET title = '路灯' WHERE id = 2", "UPDATE desk.queue SET title = NULL WHERE id = 3")

    assert accept(a_pass(opened(replace(CLAIM, where={"title": ("路灯", ""), "seq": ("2", "3")})))) == [2, 3]
    assert states(site) == {1: "0", 2: "2", 3: "2"}


@pytest.mark.parametrize("table", [FLAG, CLAIM], ids=["plain", "claimed"])
def test_rows_are_read_in_the_order_of_the_sequence_with_none_at_the_end(
    site: Site, opened: Open, table: Table
) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3, 4, 5)
    site.run("UPDATE desk.queue SET seq = NULL WHERE id IN (1, 2)", "UPDATE desk.queue SET seq = 1 WHERE id = 5")

    assert ids(a_pass(opened(replace(table, sequence="seq")), most=1)) == [5, 3, 4, 1, 2]


def drained_at_once(site: Site, opened: Open) -> list[int]:
    """What three receivers in three threads take of sixty rows together."""
    receivers = [opened(CLAIM) for _ in range(3)]
    for one in receivers:
        one.receive(most=1, wait=0)
    fill(site, *range(60))
    taken: list[int] = []
    start = threading.Barrier(len(receivers))

    def drain(receiver: TableReceiver) -> None:
        start.wait()
        for _ in range(200):
            taken.extend(accept(receiver.receive(most=3, wait=0)))
            if set(states(site).values()) == {"2"}:
                return

    threads = [threading.Thread(target=drain, args=(one,)) for one in receivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(taken)


def test_receivers_at_once_never_hand_out_one_row_twice(site: Site, opened: Open) -> None:
    site.run(QUEUE)

    assert drained_at_once(site, opened) == list(range(60))


@pytest.mark.parametrize("site", ["mariadb"], indirect=True)
def test_receivers_at_once_share_a_table_without_transactions_too(site: Site, opened: Open) -> None:
    site.run(QUEUE + " ENGINE=MyISAM")

    assert drained_at_once(site, opened) == list(range(60))


def test_the_first_receive_takes_over_what_stands_claimed(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    one, other = opened(CLAIM), opened(CLAIM)

    assert ids(one.receive(most=2, wait=0)) == [1, 2]
    assert ids(a_pass(other)) == [1, 2, 3]


def test_rows_of_a_killed_receiver_come_again(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    killed = opened(CLAIM)
    accept(killed.receive(most=1, wait=0))
    killed.receive(most=1, wait=0)
    assert states(site) == {1: "2", 2: "1", 3: "0"}

    assert accept(a_pass(opened(CLAIM))) == [2, 3]


def test_closing_gives_claims_back(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1)
    receiver = opened(CLAIM)
    a_pass(receiver)

    receiver.close()
    receiver.close()

    assert states(site) == {1: "0"}


def test_no_transaction_stays_open_while_rows_are_in_hand(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1)
    rows = a_pass(opened(CLAIM))

    site.run("ALTER TABLE desk.queue ADD COLUMN extra int")  # waits for every transaction that has read the table

    assert accept(rows) == [1]


@pytest.mark.parametrize("table", [FLAG, CLAIM, SEQUENCE, RELOAD], ids=["flag", "claimed", "sequence", "reload"])
def test_a_deferred_row_ends_no_pass_and_comes_again_in_the_next(site: Site, opened: Open, table: Table) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    receiver = opened(table)

    for _ in range(3):
        seen = []
        while some := receiver.receive(most=1, wait=0):
            seen += ids(some)
            some[0].defer()
        assert seen == [1, 2]


@pytest.mark.parametrize("table", [FLAG, CLAIM, SEQUENCE, RELOAD], ids=["flag", "claimed", "sequence", "reload"])
def test_a_row_in_hand_is_not_handed_out_again(site: Site, opened: Open, table: Table) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    receiver = opened(table)
    rows = a_pass(receiver)

    assert a_pass(receiver) == []
    assert accept(rows) == [1, 2]
    assert a_pass(receiver) == []


def test_a_note_the_column_cannot_hold_does_not_stop_the_status(site: Site, opened: Open) -> None:
    narrow = QUEUE if site.kind == "postgresql" else QUEUE.replace("note varchar(8)", "note varchar(8) CHARSET latin1")
    if site.kind == "postgresql":
        narrow = QUEUE.replace("note varchar(8)", "note varchar(8) CHECK (note ~ '^[a-z]*$')")
    site.run(narrow)
    fill(site, 1)

    [row] = a_pass(opened(CLAIM))
    row.reject("没有这个地址")

    assert site.ask("SELECT state, note FROM desk.queue") == [("9", None)]
