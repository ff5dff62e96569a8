"""What happens to cases reaches who listens at a real RabbitMQ: all of it, in order, whatever dies meanwhile."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.bus import BusAccount
from gateway.announce import CONTENT_TYPE
from gateway.settings import example_city
from gateway.work import Role
from tests.connectors.servers.rabbitmq import EPMD, PASSWORD, PROGRAM, USERNAME, RabbitMq, rabbitmq
from tests.connectors.servers.relay import Relay
from tests.gateway.forked import Forked, start
from tests.gateway.listening import Listener
from tests.gateway.pushes import NAME, PHONE, hotline, ticket
from tests.gateway.running import ENVIRONMENT, HubUnderTest, until
from tests.ports import find_port

pytestmark = pytest.mark.skipif(not PROGRAM.exists() or EPMD is None, reason="RabbitMQ is not installed")

ANNOUNCE = frozenset({Role.ANNOUNCE})
ROOT = Path(__file__).parents[2]
StartHub = Callable[..., HubUnderTest]


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    """One broker for this file."""
    with rabbitmq(find_port) as made:
        yield made


def account(broker: RabbitMq) -> BusAccount:
    return BusAccount([broker.url], USERNAME, PASSWORD, timeout=3.0)


def push(hub: HubUnderTest, *ids: str) -> None:
    """Tickets that become cases of three events each."""
    for id_ in ids:
        assert hotline(ticket(id_)).to(hub).status_code == 200


@contextmanager
def tickets(hub: HubUnderTest, name: str, *, pause: float = 0.05) -> Iterator[None]:
    """Tickets come in all the while."""
    stop, failures = threading.Event(), list[BaseException]()

    def keep_pushing() -> None:
        number = 0
        while not stop.wait(pause):
            number += 1
            try:
                push(hub, f"{name}{number}")
            except BaseException as error:  # noqa: BLE001 shown below
                failures.append(error)
                return

    thread = threading.Thread(target=keep_pushing)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert failures == []


def announcing(start_hub: StartHub, broker: RabbitMq) -> HubUnderTest:
    """A hub whose events are announced as soon as somebody does it."""
    hub = start_hub(bus=account(broker))
    hub.rows("INSERT INTO publication (name, since) VALUES ('events', now())")
    return hub


def waiting(hub: HubUnderTest) -> int:
    [row] = hub.rows("SELECT count(*) AS waiting FROM announcement")
    return int(row["waiting"])


def test_each_event_is_told_as_a_cloudevent_without_the_citizens_name(start_hub: StartHub, broker: RabbitMq) -> None:
    hub = start_hub(bus=account(broker))
    with Listener([broker.port]) as platform, Listener([broker.port], binding="case.dispatch.#") as dispatched:
        hub.start_worker(ANNOUNCE)
        until(lambda: hub.rows("SELECT 1 FROM publication"), what="switching on")
        push(hub, "1", "2")
        platform.until_heard(hub)
        until(lambda: len(dispatched.heard) == 2, what="two dispatches")
        hub.stop_worker()

    told = [one for one in platform.heard if one["subject"] == platform.heard[0]["subject"]]
    assert [one["type"] for one in told] == [f"gridhub.case.{action}" for action in ("collect", "file", "dispatch")]
    assert [one["data"]["case"]["stage"] for one in told] == ["reported", "filed", "dispatched"]
    assert platform.keys[0].startswith("case.collect.hotline_12345.none.340202")
    [properties, *_] = platform.properties
    assert (properties.content_type, properties.message_id, properties.delivery_mode) == (
        CONTENT_TYPE,
        told[0]["id"],
        2,
    )
    said = str(platform.heard)
    assert NAME not in said
    assert PHONE not in said
    assert "凤凰山" not in said
    assert waiting(hub) == 0


def test_a_broker_that_is_killed_and_away_under_load_costs_nothing(start_hub: StartHub, broker: RabbitMq) -> None:
    hub = announcing(start_hub, broker)
    with Listener([broker.port]) as platform:
        hub.start_worker(ANNOUNCE)
        with tickets(hub, "k"):
            until(lambda: platform.heard, what="the first event", seconds=60)
            time.sleep(3)  # a queue that was made within the last second does not outlive its broker's violent death
            broker.kill()
            time.sleep(2)
            broker.start()
        assert hub.summary()["cases"]["all"] > 20
        platform.until_heard(hub)
        until(lambda: waiting(hub) == 0, what="forgetting what was told")
        hub.stop_worker()


@contextmanager
def publishing(hub: HubUnderTest, broker: RabbitMq, folder: Path) -> Iterator[Forked]:
    """A worker process that does nothing but announce."""
    given = ENVIRONMENT | {
        "GRIDHUB_CONFIG": f"{example_city()}", "GRIDHUB_DATABASE_URL": hub.database_url, "GRIDHUB_DATA": f"{folder}",
        "GRIDHUB_BUS_URL": broker.url, "GRIDHUB_BUS_USERNAME": USERNAME, "GRIDHUB_BUS_PASSWORD": PASSWORD,
    }  # fmt: skip
    with (folder / "log").open("ab") as log:
        process = start(["work", "--role", "announce"], {**os.environ, **given}, output=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_a_publisher_that_is_killed_at_any_instant_is_followed_by_one_that_goes_on(
    start_hub: StartHub, broker: RabbitMq, tmp_path: Path
) -> None:
    hub, chance = announcing(start_hub, broker), random.Random(7)
    with Listener([broker.port]) as platform:
        with tickets(hub, "p"):
            for _ in range(3):
                with publishing(hub, broker, tmp_path) as process:
                    platform.until_more(6)
                    time.sleep(chance.random() / 5)
                    process.send_signal(signal.SIGKILL)
                # its lease would last half a minute
                hub.rows("UPDATE memory SET claimed_by = NULL WHERE name = 'announcements'")
        hub.start_worker(ANNOUNCE)
        platform.until_heard(hub)
        hub.stop_worker()


def test_a_database_that_goes_away_costs_nothing(start_hub: StartHub, broker: RabbitMq, database_url: str) -> None:
    path, _, query = database_url.partition("?host=")
    with Relay(lambda: _connected(f"{query}/.s.PGSQL.5432")) as relay, Listener([broker.port]) as platform:
        hub = announcing(start_hub, broker)
        hub.worker_database_url = path.replace("@/", f"@127.0.0.1:{relay.port}/")
        hub.start_worker(ANNOUNCE)
        with tickets(hub, "d"):
            until(lambda: platform.heard, what="the first event")
            for _ in range(3):
                relay.shut = True
                relay.break_all()
                time.sleep(0.5)
                relay.shut = False
                platform.until_more(1)
        platform.until_heard(hub)
        hub.stop_worker()


def _connected(path: str) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    return one


def test_two_workers_tell_everything_once_between_them(start_hub: StartHub, broker: RabbitMq) -> None:
    hub, other = announcing(start_hub, broker), start_hub(bus=account(broker), doors=False)
    with Listener([broker.port]) as platform:
        hub.start_worker(ANNOUNCE)
        other.start_worker(ANNOUNCE)
        push(hub, *(f"b{number}" for number in range(10)))
        platform.until_heard(hub)
        hub.stop_worker()
        other.stop_worker()
    assert len(platform.heard) == len(platform.ids())


def test_an_event_that_cannot_be_read_holds_up_its_own_case_only(start_hub: StartHub, broker: RabbitMq) -> None:
    hub = announcing(start_hub, broker)
    with Listener([broker.port]) as platform:
        hub.start_worker(ANNOUNCE)
        push(hub, "u1")
        until(lambda: len(platform.heard) == 3, what="hearing the first case")
        hub.rows("UPDATE event SET body = jsonb_set(body, '{action,kind}', '\"dance\"') WHERE seq = 2")
        hub.rows("INSERT INTO announcement (case_id, first, last) SELECT id, 2, 2 FROM cases")
        push(hub, "u2")
        until(lambda: len(platform.ids()) == 6, what="hearing the second case")
        hub.stop_worker()
    [row] = hub.rows("SELECT trouble FROM announcement")
    assert row["trouble"] == "ValidationError"


def test_without_a_bus_nothing_is_announced_or_kept(start_hub: StartHub) -> None:
    hub = start_hub()
    hub.start_worker(ANNOUNCE)
    push(hub, "n1")
    hub.stop_worker()

    assert waiting(hub) == 0
    assert hub.rows("SELECT 1 FROM publication") == []


def test_addresses_of_a_bus_that_cannot_be_right_are_told_with_the_setting(tmp_path: Path) -> None:
    from canonical.errors import Misconfigured
    from gateway.settings import settings

    def told(**given: Any) -> BusAccount | None:
        return settings(example_city(), {f"GRIDHUB_BUS_{name}": value for name, value in given.items()}).bus

    assert told() is None
    both = told(URL="amqp://a, amqps://b/city", USERNAME="gridhub", PASSWORD="word")
    assert both is not None
    assert list(both.urls) == ["amqp://a", "amqps://b/city"]
    assert "word" not in repr(both).replace("password", "")
    for url in ("http://a", "amqp://name:word@a", "amqp://", "amqp://a, kafka://b"):
        with pytest.raises(Misconfigured, match=r"^GRIDHUB_BUS_URL: ") as told_:
            told(URL=url)
        assert "name:word" not in str(told_.value)
