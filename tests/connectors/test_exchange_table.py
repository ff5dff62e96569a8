"""Exchange tables on real PostgreSQL and MariaDB servers: every row comes once, whatever happens in between."""

import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import Engine, create_engine

from canonical.errors import ContractViolation, Misconfigured, Unauthenticated, Unavailable
from canonical.ports import Received
from canonical.time import SHANGHAI
from connectors.exchange_table import Table, TableReceiver
from storage.embedded import NAME, EmbeddedPostgres
from tests.connectors.servers.mariadb import MariaDb, mariadb
from tests.connectors.servers.relay import Relay

__all__ = ["mariadb", "site"]

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
NINE = AT.astimezone(SHANGHAI).replace(tzinfo=None)
"""The same as the table tells it."""


class Notebook:
    """A memory that lives as long as the test."""

    def __init__(self) -> None:
        self.moves: list[str] = []
        self.known: dict[str, str] = {}

    def position(self) -> str:
        return self.moves[-1] if self.moves else ""

    def move(self, position: str) -> None:
        self.moves.append(position)

    def news(self, digests: Mapping[str, str]) -> frozenset[str]:
        return frozenset(key for key, digest in digests.items() if self.known.get(key) != digest)

    def remember(self, digests: Mapping[str, str]) -> None:
        self.known |= digests

    def absent(self, keys: Collection[str], *, told: str) -> frozenset[str]:
        return frozenset(key for key, digest in self.known.items() if key not in keys and digest != told)


@dataclass(frozen=True, slots=True)
class Site:
    """Another system's database."""

    kind: str
    engine: Engine
    url: str
    reach: Callable[[], socket.socket]
    """A raw connection to the server."""

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(self.spoken(statement))

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(self.spoken(statement))]

    def spoken(self, statement: str) -> str:
        """The statement with this database's type for times."""
        return statement.replace("MOMENT", "timestamp" if self.kind == "postgresql" else "datetime(6)")

    def through(self, port: int) -> str:
        """The URL of the same database behind a relay."""
        if self.kind == "postgresql":
            return f"postgresql+psycopg://{NAME}@127.0.0.1:{port}/{NAME}?sslmode=disable"
        return f"mysql+pymysql://root@127.0.0.1:{port}/exchange?charset=utf8mb4"


def _postgresql(server: EmbeddedPostgres) -> Site:
    url = server.url.replace("+asyncpg", "+psycopg")
    folder = url.partition("host=")[2]

    def reach() -> socket.socket:
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(f"{folder}/.s.PGSQL.5432")
        return raw

    return Site("postgresql", create_engine(url), url, reach)


def _mariadb(server: MariaDb) -> Site:
    def reach() -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.port))

    return Site("mariadb", create_engine(server.url()), server.url(), reach)


@pytest.fixture(params=["postgresql", "mariadb"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Each kind of database in turn, with nothing in it."""
    if request.param == "postgresql":
        here = _postgresql(request.getfixturevalue("postgres"))
        here.run("CREATE SCHEMA IF NOT EXISTS desk")
    else:
        here = _mariadb(request.getfixturevalue("mariadb"))
        here.run("CREATE DATABASE IF NOT EXISTS desk CHARACTER SET utf8mb4")
    yield here
    here.run("DROP SCHEMA desk CASCADE" if here.kind == "postgresql" else "DROP DATABASE desk")
    here.engine.dispose()


Open = Callable[..., TableReceiver]


@pytest.fixture
def opened(site: Site) -> Iterator[Open]:
    """Opens receivers and closes them at the end of the test."""
    made: list[TableReceiver] = []

    def receiver(
        table: Table, memory: Notebook | None = None, *, url: str = "", now: Callable[[], datetime] = lambda: AT
    ) -> TableReceiver:
        made.append(
            TableReceiver(
                url or site.url, table, system="landscape", door="rows", memory=memory or Notebook(), ids=uuid4,
                now=now, zone=SHANGHAI, timeout=5,
            )
        )  # fmt: skip
        return made[-1]

    yield receiver
    for one in made:
        one.close()


def told(received: Received) -> dict[str, Any]:
    return dict(orjson.loads(received.message.body))


def ids(received: Sequence[Received]) -> list[int]:
    return [told(one)["id"] for one in received]


def a_pass(receiver: TableReceiver, most: int = 100) -> list[Received]:
    """Everything until the receiver says that the pass is over; nothing gets a verdict."""
    found: list[Received] = []
    while some := receiver.receive(most=most, wait=0):
        assert len(some) <= most
        found += some
    return found


def accept(received: Sequence[Received]) -> list[int]:
    for one in received:
        one.accept()
    return ids(received)


QUEUE = (
    "CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(4), title varchar(50), at MOMENT NULL,"
    " note varchar(8), taken_at MOMENT NULL, seq int)"
)
FLAG = Table(
    "desk.queue", ("id",), "flag", flag="state", new=("0",), taken="2", failed="9", note="note", taken_at="taken_at"
)
CLAIM = replace(FLAG, claimed="1")
SEQUENCE = Table("desk.queue", ("id",), "sequence", sequence="seq")
RELOAD = Table("desk.queue", ("id",), "reload")


def fill(site: Site, *numbers: int, state: str = "0") -> None:
    site.run(
        *(f"INSERT INTO desk.queue (id, state, title, seq) VALUES ({n}, '{state}', '树 {n}', {n})" for n in numbers)
    )


def states(site: Site) -> dict[int, str]:
    return dict(site.ask("SELECT id, state FROM desk.queue ORDER BY id"))


# Flag mode


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


# Sequence mode


def test_the_position_moves_behind_what_is_settled_and_never_past_it(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3, 4)
    memory = Notebook()
    receiver = opened(SEQUENCE, memory)
    first, second, third, fourth = a_pass(receiver)

    third.accept()
    assert memory.moves == []
    first.accept()
    assert memory.moves == ["1"]
    second.defer()
    fourth.reject("说不清")
    assert memory.moves == ["1"]
    assert accept(a_pass(receiver)) == [2]
    a_pass(receiver)
    assert memory.moves[-1] == "4"


def test_a_restarted_receiver_goes_on_where_everything_was_settled(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    memory = Notebook()
    rows = a_pass(opened(SEQUENCE, memory))
    rows[0].accept()
    rows[2].accept()

    restarted = opened(SEQUENCE, memory)

    assert accept(a_pass(restarted)) == [2]
    fill(site, 4)
    assert accept(a_pass(restarted)) == [4]
    assert memory.position() == "4"


@pytest.mark.parametrize("column", ["seq", "at"])
def test_a_late_commit_inside_the_overlap_is_taken(site: Site, opened: Open, column: str) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 5)
    site.run("UPDATE desk.queue SET at = CASE id WHEN 1 THEN '2026-03-16 08:00:01' WHEN 2 THEN '2026-03-16 08:00:02'"
             " ELSE '2026-03-16 08:00:05' END" if site.kind == "mariadb" else
             "UPDATE desk.queue SET at = TIMESTAMP '2026-03-16 08:00:00' + id * INTERVAL '1 second'")  # fmt: skip
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, sequence=column, overlap=2), memory)
    assert accept(a_pass(receiver)) == [1, 2, 5]
    reached = memory.position()

    fill(site, 3, 4)
    site.run("UPDATE desk.queue SET at = '2026-03-16 08:00:04' WHERE id = 4",
             "UPDATE desk.queue SET at = '2026-03-16 08:00:02.5' WHERE id = 3",
             "UPDATE desk.queue SET seq = 2 WHERE id = 3")  # fmt: skip

    assert accept(a_pass(receiver)) == [4], "3 lies before the overlap"
    assert memory.position() == reached, "never backwards"


def test_a_time_from_the_future_moves_no_position(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    site.run("UPDATE desk.queue SET at = '2026-03-16 08:59:00' WHERE id = 1",
             "UPDATE desk.queue SET at = '2099-01-01 00:00:00' WHERE id = 2")  # fmt: skip
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, sequence="at"), memory)
    assert accept(a_pass(receiver)) == [1, 2]

    fill(site, 3)
    site.run("UPDATE desk.queue SET at = '2026-03-16 08:59:30' WHERE id = 3")

    assert accept(a_pass(receiver)) == [3]
    assert memory.position() == "2026-03-16 08:59:30"


def test_text_that_tells_times_is_looked_back_by_seconds(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, seq varchar(20))",
             "INSERT INTO desk.queue VALUES (1, '20260316085900'), (2, '20260316090000')")  # fmt: skip
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, overlap=30), memory)
    assert accept(a_pass(receiver)) == [1, 2]

    site.run("INSERT INTO desk.queue VALUES (3, '20260316085930'), (4, '20260316085929')")

    assert accept(a_pass(receiver)) == [3]
    assert memory.position() == "20260316090000"


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6])
def test_more_rows_of_one_sequence_than_a_page_holds_all_come_once(site: Site, opened: Open, most: int) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3, 4, 5)
    site.run("UPDATE desk.queue SET seq = 7")
    memory = Notebook()
    receiver = opened(SEQUENCE, memory)

    assert accept(a_pass(receiver, most)) == [1, 2, 3, 4, 5]
    assert a_pass(receiver, most) == []
    assert memory.position() == "7"


def test_rows_without_a_sequence_come_as_they_change(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    site.run("UPDATE desk.queue SET seq = NULL WHERE id = 1")
    memory = Notebook()
    receiver = opened(SEQUENCE, memory)
    assert accept(a_pass(receiver, 2)) == [2, 3, 1]
    assert memory.position() == "3"

    site.run("UPDATE desk.queue SET title = '石榴' WHERE id = 1")

    assert accept(a_pass(receiver)) == [1]


def test_a_page_whose_news_could_not_be_asked_for_is_not_stepped_over(site: Site, opened: Open) -> None:
    class Failing(Notebook):
        down = False

        def news(self, digests: Mapping[str, str]) -> frozenset[str]:
            if self.down:
                raise Unavailable("the hub's own database")
            return super().news(digests)

    site.run(QUEUE)
    fill(site, 1, 2, 3)
    memory = Failing()
    receiver = opened(SEQUENCE, memory)
    [first] = receiver.receive(most=1, wait=0)
    memory.down = True
    with pytest.raises(Unavailable):
        receiver.receive(most=1, wait=0)
    memory.down = False
    first.accept()

    assert accept(a_pass(receiver)) == [2, 3]


# Reload mode


GONE = replace(RELOAD, gone={"state": "withdrawn"}, gone_after=600)


def after(receiver: TableReceiver, clock: list[datetime], seconds: int) -> list[dict[str, Any]]:
    """What comes, all accepted, so many seconds later."""
    clock[0] += timedelta(seconds=seconds)
    told = []
    while batch := receiver.receive(most=2, wait=0):
        for one in batch:
            told.append(orjson.loads(one.message.body))
            one.accept()
    return told


def test_a_row_that_a_list_no_longer_shows_is_told_once_after_a_while_and_is_news_when_it_comes_back(
    site: Site, opened: Open
) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(9))")
    site.run("INSERT INTO desk.queue VALUES (1, 'new'), (2, 'new'), (3, 'new')")
    clock, book = [AT], Notebook()
    receiver = opened(GONE, book, now=lambda: clock[0])
    assert [row["id"] for row in after(receiver, clock, 0)] == [1, 2, 3]

    site.run("DELETE FROM desk.queue WHERE id = 2")
    assert after(receiver, clock, 200) == []
    assert after(receiver, clock, 300) == []
    assert after(receiver, clock, 400) == [{"id": 2, "state": "withdrawn"}]
    assert after(receiver, clock, 4000) == []

    site.run("INSERT INTO desk.queue VALUES (2, 'new')")
    assert after(receiver, clock, 10) == [{"id": 2, "state": "new"}]
    site.run("DELETE FROM desk.queue WHERE id = 2")
    assert [after(receiver, clock, 700) for _ in range(3)] == [[], [{"id": 2, "state": "withdrawn"}], []]


def test_a_list_that_is_being_filled_again_withdraws_nothing(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(9))")
    site.run("INSERT INTO desk.queue VALUES (1, 'new'), (2, 'new')")
    clock = [AT]
    receiver = opened(GONE, Notebook(), now=lambda: clock[0])
    after(receiver, clock, 0)

    site.run("DELETE FROM desk.queue")
    assert [after(receiver, clock, 700) for _ in range(3)] == [[], [], []]
    site.run("INSERT INTO desk.queue VALUES (1, 'new')")
    assert after(receiver, clock, 700) == []  # row 2 may still be on its way
    site.run("INSERT INTO desk.queue VALUES (2, 'new')")
    assert [after(receiver, clock, 700) for _ in range(2)] == [[], []]


def test_without_a_word_about_it_a_missing_row_means_nothing(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(9))")
    site.run("INSERT INTO desk.queue VALUES (1, 'new'), (2, 'new')")
    clock = [AT]
    receiver = opened(RELOAD, Notebook(), now=lambda: clock[0])
    after(receiver, clock, 0)
    site.run("DELETE FROM desk.queue WHERE id = 2")

    assert [after(receiver, clock, 9000) for _ in range(2)] == [[], []]


def test_a_reload_hands_out_what_is_new_or_changed(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, *range(1, 8))
    memory = Notebook()
    receiver = opened(RELOAD, memory)
    assert accept(a_pass(receiver, 3)) == [1, 2, 3, 4, 5, 6, 7]

    fill(site, 0)
    site.run("UPDATE desk.queue SET title = '倒伏' WHERE id = 5", "DELETE FROM desk.queue WHERE id = 2")

    assert accept(a_pass(receiver, 3)) == [0, 5]
    assert a_pass(opened(RELOAD, memory), 3) == []


def test_a_column_more_changes_nothing_when_columns_are_declared(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1)
    memory = Notebook()
    declared = replace(RELOAD, columns=("Title",))
    rows = a_pass(opened(declared, memory))
    assert told(rows[0]) == {"id": 1, "Title": "树 1"}
    accept(rows)

    site.run("ALTER TABLE desk.queue ADD COLUMN extra int")

    assert a_pass(opened(declared, memory)) == []


def test_a_key_of_several_columns_of_text(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (area varchar(40), no varchar(20), id int, PRIMARY KEY (area, no))")
    awkward = ["a'b", 'a"b', "a\\b", "%s", ":x", "镜湖", "; DROP TABLE desk.queue; --"]
    for number, text in enumerate(awkward):
        with site.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO desk.queue VALUES (%s, %s, %s)", (text, "1", number))
    receiver = opened(replace(RELOAD, key=("area", "no")))

    assert sorted(accept(a_pass(receiver, 2))) == list(range(len(awkward)))
    assert a_pass(receiver, 2) == []


# Names, types, and tables that are not as declared


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


# Values that cannot be read


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


# Declarations


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


def test_the_clock_that_jumps_back_inside_the_overlap_loses_nothing(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    clock = AT
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, sequence="at", overlap=120), memory, now=lambda: clock)
    for number, seconds in enumerate([0, 30, -60, -30, 10], start=1):
        fill(site, number)
        local = (AT + timedelta(seconds=seconds)).astimezone(SHANGHAI).replace(tzinfo=None)
        site.run(f"UPDATE desk.queue SET at = '{local}' WHERE id = {number}")
        clock = AT + timedelta(seconds=60)
        assert accept(a_pass(receiver)) == [number]
    assert memory.moves == sorted(memory.moves)
