"""Rows, files and messages become cases exactly once, whatever happens between their commit and their verdict."""

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from canonical.errors import Unavailable
from canonical.message import Message
from connectors.amqp import AmqpConnector
from connectors.mqtt import MqttConnector
from gateway.configuration import Configuration
from gateway.hub import clock, fresh_id
from gateway.receive import MOST_TOGETHER, pause
from gateway.work import Role
from storage.embedded import NAME as ACCOUNT
from tests.connectors.servers.mosquitto import PASSWORD, USERNAME, Mosquitto, mosquitto
from tests.connectors.servers.rabbitmq import RabbitMq, rabbitmq
from tests.connectors.servers.relay import Relay
from tests.gateway.forked import Forked, start
from tests.gateway.market import FILES, MORE_KINDS, NAME, TABLE, city_folder, folder, joined
from tests.gateway.running import ENVIRONMENT, HubUnderTest, until
from tests.ports import find_port

RECEIVE = frozenset({Role.RECEIVE})
BROKER = {"name": USERNAME, "word": PASSWORD}
Start = Callable[..., HubUnderTest]


def an_hour_later() -> datetime:
    return clock() + timedelta(hours=1)


# The hub's side


def ids(hub: HubUnderTest) -> list[str]:
    """External ids of all complaints that are cases, in the order of the cases' numbers."""
    rows = hub.rows(
        "SELECT b.external_id FROM binding b JOIN cases c ON c.id = b.case_id WHERE b.system LIKE $1 ORDER BY c.no",
        f"{NAME}%",
    )
    return [row["external_id"] for row in rows]


def verdicts(hub: HubUnderTest) -> dict[str, int]:
    rows = hub.rows("SELECT verdict, count(*) FROM message WHERE direction = 'in' GROUP BY verdict")
    return {row["verdict"]: row["count"] for row in rows}


def trouble(hub: HubUnderTest, name: str = "complaints", system: str = NAME) -> str:
    rows = hub.rows("SELECT trouble FROM memory WHERE system = $1 AND name = $2", system, name)
    return rows[0]["trouble"] if rows else ""


def balanced(hub: HubUnderTest, expected: Sequence[str]) -> None:
    assert sorted(ids(hub)) == sorted(expected)
    assert set(hub.orphans().values()) == {0}


# The other side: a table


class Desk:
    """The office's front-end database: a schema beside the hub's own tables."""

    def __init__(self, url: str) -> None:
        self.url = url.replace("+asyncpg", "+psycopg")
        self.engine = create_engine(self.url)
        self.run(
            "CREATE SCHEMA desk",
            "CREATE TABLE desk.complaint (id bigint PRIMARY KEY, title varchar(40) NOT NULL, kind varchar(20), "
            "photos json, state varchar(1) DEFAULT '0', note varchar(100), reply varchar(200), replied_at timestamp)",
        )

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def put(self, first: int, last: int, *, kind: str = "行道树", photos: str = "null") -> None:
        with self.engine.begin() as connection:
            values = [{"id": n, "title": f"投诉{n}", "kind": kind, "photos": photos} for n in range(first, last + 1)]
            statement = "INSERT INTO desk.complaint (id, title, kind, photos) VALUES (:id, :title, :kind, :photos)"
            connection.execute(text(statement), values)

    def states(self) -> dict[str, int]:
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT state, count(*) FROM desk.complaint GROUP BY state")).all()
        return {str(state): int(count) for state, count in rows}

    def row(self, number: int) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text("SELECT * FROM desk.complaint WHERE id = :id"), {"id": number}).one()

    @contextmanager
    def holding(self, lock: str) -> Iterator[Connection]:
        """A transaction that keeps others from writing to a table, until its end."""
        with self.engine.connect() as connection:
            connection.execute(text(f"LOCK TABLE {lock} IN EXCLUSIVE MODE"))
            yield connection
            connection.rollback()

    def until_somebody_waits_for(self, table: str) -> None:
        def waits() -> bool:
            with self.engine.connect() as connection:
                statement = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass(:table)"
                return bool(connection.execute(text(statement), {"table": table}).scalar())

        until(waits, what=f"waiting for {table}")


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    made = Desk(database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def city(configuration: Configuration, tmp_path: Path, desk: Desk) -> Configuration:
    """The example city, connected to the office's table."""
    return joined(configuration, folder(tmp_path, TABLE), url=desk.url)


def test_every_new_row_becomes_one_case_in_the_order_of_the_table(
    start_hub: Start, city: Configuration, desk: Desk
) -> None:
    desk.put(1, 50)
    hub = start_hub(loaded=city, doors=False)
    hub.start_worker(RECEIVE)
    until(lambda: desk.states() == {"2": 50}, what="taking the first rows")
    desk.put(51, 60)
    until(lambda: desk.states() == {"2": 60}, what="taking the later rows")

    assert ids(hub) == [str(number) for number in range(1, 61)]
    assert verdicts(hub) == {"case": 60}
    balanced(hub, ids(hub))


def test_a_row_that_breaks_the_contract_is_marked_and_told_why_and_its_neighbours_are_taken(
    start_hub: Start, city: Configuration, desk: Desk
) -> None:
    desk.put(1, 5)
    desk.run("UPDATE desk.complaint SET title = '' WHERE id = 3")
    hub = start_hub(loaded=city, doors=False)
    hub.start_worker(RECEIVE)
    until(lambda: desk.states() == {"2": 4, "9": 1}, what="a verdict for each row")

    assert (desk.row(3).state, desk.row(3).note.startswith("contract: ")) == ("9", True)
    assert ids(hub) == ["1", "2", "4", "5"]
    assert verdicts(hub) == {"case": 4, "refused": 1}


def test_an_unknown_code_is_taken_and_quarantined_and_a_row_in_the_table_and_a_replay_heal_it(
    start_hub: Start, city: Configuration, desk: Desk, tmp_path: Path, configuration: Configuration
) -> None:
    desk.put(1, 1, kind="古树")
    hub = start_hub(loaded=city, doors=False)
    hub.start_worker(RECEIVE)
    until(lambda: desk.states() == {"2": 1}, what="taking the row")
    hub.stop_worker()
    assert (verdicts(hub), ids(hub)) == ({"quarantined": 1}, [])

    healed = joined(configuration, folder(tmp_path, TABLE, kinds=MORE_KINDS), url=desk.url)

    rows = hub.rows("SELECT id FROM message WHERE verdict = 'quarantined'")

    async def replay() -> None:
        wired = start_hub(loaded=healed, doors=False).wired()
        kept = [await wired.journal.message(row["id"]) for row in rows]
        await wired.reception.take_in_again([found[1] for found in kept if found])
        await wired.store.close()

    asyncio.run(replay())
    assert (verdicts(hub), ids(hub)) == ({"case": 1}, ["1"])


def test_what_the_office_is_told_stands_in_its_row(start_hub: Start, city: Configuration, desk: Desk) -> None:
    desk.put(1, 2)
    hub = start_hub(loaded=city)
    hub.start_worker(frozenset({Role.RECEIVE, Role.DELIVER}))
    until(lambda: desk.states() == {"2": 2}, what="taking the rows")
    [number] = [row["no"] for row in hub.rows(
        "SELECT c.no FROM cases c JOIN binding b ON b.case_id = c.id WHERE b.external_id = '2'"
    )]  # fmt: skip

    hub.act(number, kind="refuse", reason="不属于受理范围", by="示例坐席")
    until(lambda: desk.row(2).reply is not None, what="the reply")

    at = next(event["action"]["at"] for event in hub.case(number)["events"] if event["action"]["kind"] == "refuse")
    told = desk.row(2)
    assert (told.reply, told.state) == ("不属于受理范围", "2")
    assert told.replied_at == datetime.fromisoformat(at).replace(microsecond=0, tzinfo=None)
    assert desk.row(1).reply is None
    assert hub.until_sent()["messages"]["parked"] == 0


def test_a_table_that_is_not_as_declared_is_shown_and_rows_flow_when_it_is_mended(
    start_hub: Start, city: Configuration, desk: Desk
) -> None:
    desk.run("ALTER TABLE desk.complaint RENAME COLUMN kind TO sort")
    hub = start_hub(loaded=city, doors=False)
    hub.start_worker(RECEIVE)
    until(lambda: "kind" in trouble(hub), what="noticing the drift")
    desk.run("ALTER TABLE desk.complaint RENAME COLUMN sort TO kind")
    desk.put(1, 3)
    until(lambda: desk.states() == {"2": 3}, what="taking the rows")

    assert trouble(hub) == ""


def test_a_system_with_wrong_settings_keeps_no_other_from_working(
    start_hub: Start, city: Configuration, desk: Desk, tmp_path: Path
) -> None:
    declared = folder(tmp_path / "wrong", TABLE)
    hub = start_hub(loaded=joined(city, declared, name="market_north", url="no address"), doors=False)
    desk.put(1, 3)
    hub.start_worker()
    until(lambda: desk.states() == {"2": 3}, what="taking the rows")
    until(lambda: trouble(hub, "connector", "market_north"), what="showing the trouble")

    assert "database URL" in trouble(hub, "connector", "market_north")
    assert "market_north.urls.complaints" in trouble(hub, system="market_north")
    assert (trouble(hub), trouble(hub, "connector")) == ("", "")


@contextmanager
def child(config: Path, hub: HubUnderTest, desk: Desk, log: Path) -> Iterator[Forked]:
    """`gridhub work --role receive` in a process of its own."""
    environment = os.environ | ENVIRONMENT | {
        "GRIDHUB_DATABASE_URL": hub.database_url, "MARKET_URL": desk.url, "GRIDHUB_DATA": f"{config.parent}"
    }  # fmt: skip
    command = ["work", "--role", "receive", "--config", f"{config}"]
    with log.open("wb") as output:
        process = start(command, environment, output=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("moment", ["commit", "verdict"])
def test_a_killed_receiver_loses_nothing_and_doubles_nothing(
    start_hub: Start, city: Configuration, desk: Desk, tmp_path: Path, moment: str
) -> None:
    hub = start_hub(loaded=city, doors=False)
    desk.put(1, 20)
    with child(city_folder(tmp_path, TABLE), hub, desk, tmp_path / "child.log") as process:
        until(lambda: desk.states() == {"2": 20}, what="the first batch")
        with desk.holding("cases"):  # rows are claimed, and their commit cannot go on
            desk.put(21, 50)
            desk.until_somebody_waits_for("cases")
            if moment == "commit":
                process.send_signal(signal.SIGKILL)
                process.wait(10)
            verdict = desk.holding("desk.complaint")
            if moment == "verdict":
                verdict.__enter__()
        if moment == "verdict":  # the commit goes on, and cannot be told to the table
            desk.until_somebody_waits_for("desk.complaint")
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            verdict.__exit__(None, None, None)
    until(lambda: len(ids(hub)) == {"commit": 20, "verdict": 40}[moment], what=f"{moment} before the death")
    assert desk.states() == {"2": 20, "1": 20, "0": 10}

    hub.start_worker(RECEIVE, now=an_hour_later)  # the dead one's lease is over
    until(lambda: desk.states() == {"2": 50}, what="taking the rest")

    balanced(hub, [str(number) for number in range(1, 51)])
    assert verdicts(hub) == {"case": 50}


def test_of_two_processes_one_has_the_table_and_the_other_takes_over(
    start_hub: Start, city: Configuration, desk: Desk
) -> None:
    first, second = start_hub(loaded=city, doors=False), start_hub(loaded=city, doors=False)
    first.start_worker(RECEIVE)
    until(lambda: first.rows("SELECT 1 FROM memory WHERE claimed_by IS NOT NULL"), what="the claim")
    [before] = first.rows("SELECT claimed_by FROM memory WHERE name = 'complaints'")
    second.start_worker(RECEIVE)
    desk.put(1, 30)
    until(lambda: desk.states() == {"2": 30}, what="taking the rows")
    assert first.rows("SELECT claimed_by FROM memory WHERE name = 'complaints'") == [before]

    first.stop_worker()
    desk.put(31, 60)
    until(lambda: desk.states() == {"2": 60}, what="the other's taking over")
    balanced(second, [str(number) for number in range(1, 61)])
    assert verdicts(second) == {"case": 60}


# Files


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    made = tmp_path / "drop"
    made.mkdir()
    return made


def csv(*rows: tuple[object, str, str]) -> bytes:
    return "\n".join(["id,title,kind", *(",".join(map(str, row)) for row in rows)]).encode()


def left(drop: Path, name: str, content: bytes) -> None:
    """Appears whole, as a partner who knows the trade leaves it."""
    (drop / f"{name}.tmp").write_bytes(content)
    (drop / f"{name}.tmp").rename(drop / name)


def test_files_in_a_folder_become_cases_and_refused_ones_lie_aside_with_the_reason(
    start_hub: Start, configuration: Configuration, tmp_path: Path, drop: Path
) -> None:
    declared = folder(tmp_path, FILES, items="items: .", protocol="files")
    hub = start_hub(loaded=joined(configuration, declared, receiver_url=drop.as_uri()), doors=False)
    left(drop, "1-good.csv", csv((1, "甲", "行道树"), (2, "乙", "行道树"), (3, "丙", "古树")))
    left(drop, "2-bad.csv", csv((4, "丁", "行道树"), (5, "", "行道树")))
    left(drop, "3-large.csv", csv(*((n, "戊", "行道树") for n in range(100, 300))))
    hub.start_worker(RECEIVE)
    until(lambda: not list(drop.glob("*.csv")), what="a verdict for each file")
    hub.stop_worker()

    reasons = {path.name: path.read_text(encoding="utf-8") for path in (drop / "error").glob("*.reason.txt")}
    assert ids(hub) == ["1", "2", "4"]
    assert [path.name for path in (drop / "done").rglob("*.csv")] == ["1-good.csv"]
    assert set(reasons) == {"2-bad.csv.reason.txt", "3-large.csv.reason.txt"}
    assert "1 of 2 are refused, the others are taken\n2: contract: " in reasons["2-bad.csv.reason.txt"]
    assert reasons["3-large.csv.reason.txt"].startswith("too_large: too large: ")
    assert verdicts(hub) == {"split": 2, "case": 3, "quarantined": 1, "refused": 2}


def test_a_file_that_comes_again_is_no_news(
    start_hub: Start, configuration: Configuration, tmp_path: Path, drop: Path
) -> None:
    declared = folder(tmp_path, FILES, items="items: .", protocol="files")
    hub = start_hub(loaded=joined(configuration, declared, receiver_url=drop.as_uri()), doors=False)
    hub.start_worker(RECEIVE)
    for _ in range(2):
        left(drop, "list.csv", csv((1, "甲", "行道树"), (2, "乙", "行道树")))
        until(lambda: not list(drop.glob("*.csv")), what="taking the file")

    assert len(list((drop / "done").rglob("*.csv"))) == 2
    assert verdicts(hub) == {"split": 1, "case": 2}


def test_a_file_without_a_row_stands_in_the_journal_each_time_it_comes(
    start_hub: Start, configuration: Configuration, tmp_path: Path, drop: Path
) -> None:
    declared = folder(tmp_path, FILES, items="items: .", protocol="files")
    hub = start_hub(loaded=joined(configuration, declared, receiver_url=drop.as_uri()), doors=False)
    hub.start_worker(RECEIVE)
    for _ in range(2):
        left(drop, "list.csv", csv())
        until(lambda: not list(drop.glob("*.csv")), what="taking the file")

    assert len(list((drop / "done").rglob("*.csv"))) == 2
    assert [row["text"] for row in hub.rows("SELECT text FROM message")] == ["0 messages", "0 messages"]


def test_a_file_of_more_rows_than_a_transaction_takes_is_whole_in_the_journal(
    start_hub: Start, configuration: Configuration, tmp_path: Path, drop: Path
) -> None:
    """Its first transaction may hold nothing new; the parts of the next are read out of it all the same."""
    declared = folder(tmp_path, FILES.replace("2000", "200000"), items="items: .", protocol="files")
    hub = start_hub(loaded=joined(configuration, declared, receiver_url=drop.as_uri()), doors=False)
    known = [(n, "甲", "行道树") for n in range(MOST_TOGETHER)]
    hub.start_worker(RECEIVE)
    for content in (csv(*known), csv(*known, ("new", "乙", "古树"))):
        left(drop, "list.csv", content)
        until(lambda: not list(drop.glob("*.csv")), what="taking the file")

    assert len(ids(hub)) == MOST_TOGETHER
    assert verdicts(hub) == {"split": 2, "case": MOST_TOGETHER, "quarantined": 1}
    rows = hub.rows("SELECT p.verdict FROM message m JOIN message p ON p.id = m.parent WHERE m.verdict = 'quarantined'")
    assert rows == [{"verdict": "split"}]


# Brokers


@pytest.fixture(scope="module")
def mqtt() -> Iterator[Mosquitto]:
    with mosquitto(find_port) as broker:
        yield broker


@pytest.fixture(scope="module")
def amqp() -> Iterator[RabbitMq]:
    with rabbitmq(find_port) as broker:
        yield broker


def told(path: str, number: object, *, title: str = "投诉", **headers: str) -> Message:
    body = json.dumps({"id": f"{number}", "title": title, "kind": "行道树"}).encode()
    return Message(system=NAME, body=body, at=clock(), id=fresh_id(), path=path, headers=headers)


@contextmanager
def publisher(broker: Mosquitto | RabbitMq) -> Iterator[Callable[[Message], int]]:
    kind = MqttConnector if isinstance(broker, Mosquitto) else AmqpConnector
    connector = kind(broker.url, ids=fresh_id, now=clock, timeout=5, username=USERNAME, password=PASSWORD)
    yield lambda message: connector.send(message).status
    connector.close()


def test_messages_of_topics_become_cases_once_also_those_that_came_while_nobody_worked(
    start_hub: Start, configuration: Configuration, tmp_path: Path, mqtt: Mosquitto
) -> None:
    declared = folder(tmp_path, "mqtt: {topics: [stories/#]}", protocol="mqtt")
    city = joined(configuration, declared, url=mqtt.url, secrets=BROKER)
    hub = start_hub(loaded=city, doors=False)
    with publisher(mqtt) as publish:
        publish(told("stories/hello", "hello", retain="true"))
        hub.start_worker(RECEIVE)
        until(lambda: ids(hub) == ["hello"], what="hearing")
        for number in range(60):
            publish(told("stories/a", number))
        until(lambda: len(ids(hub)) == 61, what="taking what came")
        hub.stop_worker()
        for number in range(60, 80):
            publish(told("stories/a", number))
        publish(told("stories/a", "bad", title=""))
        publish(told("stories/a", 80))
    hub.start_worker(RECEIVE)
    until(lambda: len(ids(hub)) == 82, what="taking what came meanwhile")

    assert ids(hub) == ["hello", *map(str, range(81))]
    # What a topic keeps is told to whoever subscribes anew: our second worker.
    assert verdicts(hub) == {"case": 82, "refused": 1, "repeated": 1}
    balanced(hub, ids(hub))


def test_messages_wait_at_the_broker_while_our_database_is_away(
    start_hub: Start, configuration: Configuration, tmp_path: Path, mqtt: Mosquitto, database_url: str
) -> None:
    declared = folder(tmp_path, "mqtt: {topics: [outage/#]}", protocol="mqtt")
    city = joined(configuration, declared, url=mqtt.url, secrets=BROKER, name="market_west")
    hub = start_hub(loaded=city, doors=False)
    name, _, sockets = database_url.partition("@/")[2].partition("?host=")

    def reach() -> socket.socket:
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(f"{sockets}/.s.PGSQL.5432")
        return raw

    with Relay(reach) as relay, publisher(mqtt) as publish:
        behind = start_hub(loaded=city, doors=False)
        behind.database_url = f"postgresql+asyncpg://{ACCOUNT}@127.0.0.1:{relay.port}/{name}?ssl=disable"
        publish(told("outage/hello", "hello", retain="true"))
        behind.start_worker(RECEIVE)
        until(lambda: ids(hub) == ["hello"], what="hearing")
        relay.shut = True
        relay.break_all()
        for number in range(30):
            assert publish(told("outage/a", number)) == 200
        assert ids(hub) == ["hello"]
        relay.shut = False
        until(lambda: len(ids(hub)) == 31, what="taking what waited")
        behind.stop_worker()

    balanced(hub, ["hello", *map(str, range(30))])
    assert verdicts(hub) == {"case": 31}


def test_several_processes_read_one_queue_and_refused_messages_go_to_the_dead_letters(
    start_hub: Start, configuration: Configuration, tmp_path: Path, amqp: RabbitMq
) -> None:
    declared = folder(tmp_path, "amqp: {queue: complaints, declare: true, prefetch: 10}", batch=5, protocol="amqp")
    city = joined(configuration, declared, url=amqp.url, secrets=BROKER)
    hubs = [start_hub(loaded=city, doors=False) for _ in range(2)]
    for hub in hubs:
        hub.start_worker(RECEIVE)
    with publisher(amqp) as publish:
        until(lambda: _taken(publish, told("/complaints", "hello")), what="the queue")
        for number in range(100):
            assert publish(told("/complaints", number)) == 200
        publish(told("/complaints", "bad", title=""))
    until(lambda: verdicts(hubs[0]) == {"case": 101, "refused": 1}, what="taking the messages")
    for hub in hubs:
        hub.stop_worker()

    balanced(hubs[0], ["hello", *map(str, range(100))])


def _taken(publish: Callable[[Message], int], message: Message) -> bool:
    """Whether the broker took it: there is no queue at first, and then one that has yet to choose its leader."""
    try:
        return publish(message) == 200
    except Unavailable:
        return False


# Files of cases


class Photos(ThreadingHTTPServer):
    """A server of pictures by number."""

    daemon_threads = True
    picture = b"\xff\xd8\xff\xe0 a tree"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/photo/7.jpg"
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(Photos.picture) if found else 0))
        self.end_headers()
        self.wfile.write(Photos.picture if found else b"")

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_a_dead_file_server_decides_nothing_about_a_case_and_its_files_come_later(
    start_hub: Start, configuration: Configuration, tmp_path: Path, desk: Desk
) -> None:
    port = find_port()
    server = f"http://127.0.0.1:{port}"
    declared = folder(tmp_path, TABLE.replace("kind]", "kind, photos]"), protocol="http")
    hub = start_hub(loaded=joined(configuration, declared, url=server, receiver_url=desk.url), doors=False)
    hub.settings = replace(hub.settings, files=tmp_path / "files")
    desk.put(1, 1, photos=json.dumps([{"url": f"{server}/any/7.jpg", "name": "现场.jpg"}]))
    hub.start_worker(frozenset({Role.RECEIVE, Role.FETCH}))

    def files() -> list[dict[str, Any]]:
        return hub.rows("SELECT state, sha256, text FROM attachment")

    until(lambda: [row["state"] for row in files()] == ["waiting"] and files()[0]["text"], what="the first try")
    hub.stop_worker()
    assert (ids(hub), desk.states()) == (["1"], {"2": 1})
    assert "no connection" in files()[0]["text"]

    with Photos(("127.0.0.1", port), Handler) as photos:
        thread = threading.Thread(target=photos.serve_forever, args=(0.02,))
        thread.start()
        hub.start_worker(frozenset({Role.FETCH}), now=an_hour_later)
        until(lambda: files()[0]["state"] == "stored", what="fetching")
        photos.shutdown()
        thread.join()
    sha256 = files()[0]["sha256"]
    assert (tmp_path / "files" / sha256[:2] / sha256[2:]).read_bytes() == Photos.picture


# Pace


def test_what_cannot_be_reached_is_tried_after_one_second_and_at_last_every_minute() -> None:
    assert [pause(failures, None, chance=1.0) for failures in (1, 2, 3, 6, 7, 500)] == [1, 2, 4, 32, 60, 60]
    assert pause(3, None, chance=0.0) == 2
    assert pause(1, 20.0, chance=0.0) == 20
    assert pause(1, 9999.0, chance=0.0) == 60
