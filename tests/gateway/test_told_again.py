"""What a broker delivers again is counted once, and a packed body is read; a broken one is refused."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pika
import pytest

from canonical.errors import Unavailable
from canonical.message import Message
from gateway.configuration import Configuration
from gateway.work import Role
from tests.connectors.servers.mosquitto import PASSWORD, USERNAME
from tests.connectors.servers.rabbitmq import RabbitMq, rabbitmq
from tests.gateway.market import folder, joined
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_receivers import publisher, told, verdicts
from tests.ports import find_port

RECEIVE = frozenset({Role.RECEIVE})
Start = Callable[..., HubUnderTest]


@pytest.fixture(scope="module")
def amqp() -> Iterator[RabbitMq]:
    with rabbitmq(find_port) as broker:
        yield broker


def alarming(root: Path, queue: str) -> Path:
    """The office, whose complaints are tellings without a clock: two in a row are a case."""
    declared = folder(root, f"amqp: {{queue: {queue}, declare: true}}", protocol="amqp")
    for name, text in (
        ("system.yaml", "alarms: {smoke: {times: 2}}\n"),
        (
            "messages/complaint.yaml",
            "alarm: {device: {from: id}, kind: {text: smoke}, active: {from: id, codes: {d1: 'yes'}}}\n",
        ),
    ):
        with (declared / name).open("a", encoding="utf-8") as file:
            file.write(text)
    return declared


def taken_and_given_back(broker: RabbitMq, queue: str) -> None:
    """Somebody takes all there is and vanishes: what he had is delivered again, marked."""
    credentials = pika.PlainCredentials(USERNAME, PASSWORD)
    host, _, port = broker.url.removeprefix("amqp://").partition("/")[0].partition(":")
    with pika.BlockingConnection(pika.ConnectionParameters(host, int(port), credentials=credentials)) as connection:
        channel = connection.channel()
        until(lambda: channel.basic_get(queue)[0] is not None, what="taking")


def test_a_telling_delivered_again_after_its_commit_is_repeated_and_opens_no_case(
    start_hub: Start, configuration: Configuration, tmp_path: Path, amqp: RabbitMq
) -> None:
    city = joined(
        configuration, alarming(tmp_path, "again"), url=amqp.url, secrets={"name": USERNAME, "word": PASSWORD}
    )
    hub = start_hub(loaded=city, doors=False)
    hub.start_worker(RECEIVE)
    telling = told("/again", "d1")
    with publisher(amqp) as publish:
        until(lambda: taken(publish, telling), what="the queue")
        until(lambda: verdicts(hub) == {"counted": 1}, what="counting")
        hub.stop_worker()
        publish(telling)
        taken_and_given_back(amqp, "again")
        hub.start_worker(RECEIVE)
        until(lambda: sum(verdicts(hub).values()) == 2, what="taking it again")
        assert verdicts(hub) == {"counted": 1, "repeated": 1}
        publish(telling)
        until(lambda: sum(verdicts(hub).values()) == 3, what="hearing it told again")
    assert verdicts(hub) == {"counted": 1, "repeated": 1, "case": 1}


def taken(publish: Callable[[Message], int], message: Message) -> bool:
    """Whether the broker took it; before the receiver has made its queue it cannot."""
    try:
        return publish(message) == 200
    except Unavailable:
        return False


def test_a_packed_message_is_read_and_a_broken_one_or_a_bomb_refused(
    start_hub: Start, configuration: Configuration, tmp_path: Path, amqp: RabbitMq
) -> None:
    declared = folder(tmp_path, "amqp: {queue: packed, declare: true}", protocol="amqp")
    city = joined(configuration, declared, url=amqp.url, secrets={"name": USERNAME, "word": PASSWORD})
    hub = start_hub(loaded=city, doors=False)
    hub.start_worker(RECEIVE)
    plain = told("/packed", "p1", **{"content-encoding": "gzip"})
    with publisher(amqp) as publish:
        until(lambda: taken(publish, replace(plain, body=gzip.compress(plain.body))), what="the queue")
        publish(replace(plain, body=b"no gzip"))
        publish(replace(plain, body=gzip.compress(bytes(20_000_000))))
        until(lambda: sum(verdicts(hub).values()) == 3, what="taking them")
    assert verdicts(hub) == {"case": 1, "refused": 2}
    rows = hub.rows("SELECT why FROM message WHERE verdict = 'refused' ORDER BY why")
    assert [row["why"] for row in rows] == ["too_large", "unreadable"]
