"""Publishing to a real RabbitMQ with a window: what the broker has, and what a lane does when it has not."""

import socket
import threading
from collections.abc import Iterator
from itertools import count
from uuid import uuid4

import pytest
from pika import BlockingConnection, ConnectionParameters, PlainCredentials
from pika.adapters.blocking_connection import BlockingChannel

from canonical.errors import ContractViolation, Misconfigured, Unavailable
from connectors.amqp_window import Post
from connectors.bus import BusAccount, BusPublisher, Queue, Topology, persistent
from tests.connectors.servers.rabbitmq import EPMD, PASSWORD, PROGRAM, USERNAME, RabbitMq, rabbitmq
from tests.connectors.servers.relay import Relay
from tests.connectors.test_amqp import receiver
from tests.ports import find_port

pytestmark = pytest.mark.skipif(not PROGRAM.exists() or EPMD is None, reason="RabbitMQ is not installed")


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    """One broker for this file."""
    with rabbitmq(find_port) as made:
        yield made


@pytest.fixture
def queue() -> str:
    """A name of this test's own."""
    return f"q{uuid4().hex[:12]}"


@pytest.fixture
def partner(broker: RabbitMq) -> Iterator[BlockingChannel]:
    """Who looks what is there."""
    credentials = PlainCredentials(USERNAME, PASSWORD)
    told = ConnectionParameters(
        "127.0.0.1", broker.port, credentials=credentials, connection_attempts=5, retry_delay=0.5
    )
    with BlockingConnection(told) as connection:
        yield connection.channel()


def account(*urls: str, timeout: float = 5.0) -> BusAccount:
    return BusAccount(urls, USERNAME, PASSWORD, timeout=timeout)


def post(queue: str, body: str, lane: object = None) -> Post:
    properties = persistent(id=body, kind="test", at=0, content_type="text/plain")
    return Post("", queue, body.encode(), properties, lane)


def bodies(partner: BlockingChannel, queue: str) -> list[str]:
    """Everything in the queue, taken out."""
    found = []
    while (got := partner.basic_get(queue, auto_ack=True))[0] is not None:
        found.append(got[2].decode())
    return found


def test_a_batch_larger_than_the_window_arrives_whole_and_each_lane_in_its_order(
    broker: RabbitMq, queue: str, partner: BlockingChannel
) -> None:
    publisher = BusPublisher(account(broker.url), Topology(queues=(Queue(queue),)), name="test", window=20)
    posts = [post(queue, f"{lane}.{number}", lane) for number in range(30) for lane in range(7)]

    published = publisher.publish(posts)
    again = publisher.publish([post(queue, "7.0")])
    publisher.close()

    assert (published.whole, published.error, again.whole) == (True, None, True)
    found = bodies(partner, queue)
    assert sorted(found) == sorted([one.body.decode() for one in posts] + ["7.0"])
    for lane in range(7):
        assert [one for one in found if one.startswith(f"{lane}.")][:30] == [f"{lane}.{n}" for n in range(30)]


def test_nothing_overtakes_a_message_that_the_broker_did_not_take(
    broker: RabbitMq, queue: str, partner: BlockingChannel
) -> None:
    full, free = f"{queue}-full", f"{queue}-free"
    limits = {"x-max-length": 1, "x-overflow": "reject-publish", "x-queue-type": "classic"}
    partner.queue_declare(full, durable=True, arguments=limits)
    publisher = BusPublisher(account(broker.url), Topology(queues=(Queue(free),)), name="test", window=4)
    assert publisher.publish([post(full, "first")]).whole
    posts = [post(free, "a0", "a"), post(full, "a1", "a"), post(free, "a2", "a"), post(free, "b0", "b")]
    posts += [post(free, f"{number}") for number in range(10)] + [post(free, "a3", "a"), post(free, "b1", "b")]

    published = publisher.publish(posts)
    publisher.close()

    assert isinstance(published.error, Unavailable)
    known = {one.body.decode() for one, there in zip(posts, published.confirmed, strict=True) if there}
    assert set(bodies(partner, free)) == known == {"a0", "b0", "b1", *map(str, range(10))}


def test_a_broker_that_dies_in_the_middle_is_told_apart_and_what_it_lacks_goes_to_the_next_connection(
    broker: RabbitMq, queue: str, partner: BlockingChannel
) -> None:
    with Relay(lambda: socket.create_connection(("127.0.0.1", broker.port))) as relay:
        there = BusPublisher(account(f"amqp://127.0.0.1:{relay.port}"), Topology(queues=(Queue(queue),)), name="test")
        assert there.publish([post(queue, "first")]).whole
        relay.break_at = b"body-150"
        posts = [post(queue, f"body-{number:03}", number % 5) for number in range(300)]
        broken = there.publish(posts)

        assert isinstance(broken.error, Unavailable)
        assert not broken.whole
        missing = [one for one, known in zip(posts, broken.confirmed, strict=True) if not known]
        assert there.publish(missing).whole
        there.close()

    found = list(dict.fromkeys(bodies(partner, queue)[1:]))
    assert sorted(found) == [f"body-{number:03}" for number in range(300)]
    for lane in range(5):
        ours = [one for one in found if int(one[5:]) % 5 == lane]
        assert ours == sorted(ours)


def test_a_broker_that_says_nothing_ends_the_batch_after_the_time_out(broker: RabbitMq, queue: str) -> None:
    publisher = BusPublisher(account(broker.url, timeout=3.0), Topology(queues=(Queue(queue),)), name="test")
    assert publisher.publish([post(queue, "first")]).whole

    with broker.paused():
        published = publisher.publish([post(queue, "second")])
        assert (published.confirmed, isinstance(published.error, Unavailable)) == ([False], True)
        with pytest.raises(Unavailable):
            publisher.publish([post(queue, "second")])
    assert publisher.publish([post(queue, "second")]).whole
    publisher.close()


def test_a_receiver_that_finds_a_broker_that_says_nothing_calls_it_unavailable(broker: RabbitMq, queue: str) -> None:
    hearing = receiver(broker.url, queue, timeout=0.5)
    with broker.paused(), pytest.raises(Unavailable):
        hearing.receive(most=1, wait=30)
    hearing.close()


def test_the_next_node_is_tried_when_one_does_not_answer_and_remembered(broker: RabbitMq, queue: str) -> None:
    nobody = f"amqp://127.0.0.1:{find_port()}"
    publisher = BusPublisher(account(nobody, broker.url), Topology(queues=(Queue(queue),)), name="test")

    assert publisher.publish([post(queue, "there")]).whole
    publisher.close()
    alone = BusPublisher(account(nobody, nobody), Topology(), name="test")
    with pytest.raises(Unavailable, match="the bus"):
        alone.publish([post(queue, "nowhere")])


def test_a_bus_that_refuses_us_or_our_queue_says_so(broker: RabbitMq, queue: str, partner: BlockingChannel) -> None:
    partner.queue_declare(queue, durable=True, arguments={"x-queue-type": "classic"})
    other = BusPublisher(account(broker.url), Topology(queues=(Queue(queue),)), name="test")
    with pytest.raises(ContractViolation):
        other.publish([])
    with pytest.raises(Misconfigured):
        BusPublisher(account(), Topology(), name="test")


def test_an_exchange_that_was_deleted_under_us_is_there_again_with_the_next_batch(
    broker: RabbitMq, queue: str, partner: BlockingChannel
) -> None:
    name, bound = f"x{queue}", Queue(queue, bindings=((f"x{queue}", "case.#"),))
    publisher = BusPublisher(account(broker.url), Topology(topics=(name,), queues=(bound,)), name="test")
    told = Post(name, "case.close", b"told", persistent(id="1", kind="t", at=0, content_type="text/plain"))
    assert publisher.publish([told]).whole

    partner.exchange_delete(name)
    lost = publisher.publish([told])
    assert (lost.confirmed, lost.error is not None) == ([False], True)
    assert publisher.publish([told]).whole
    publisher.close()
    assert bodies(partner, queue) == ["told", "told"]


def test_a_publisher_that_was_idle_for_long_is_still_there(broker: RabbitMq, queue: str) -> None:
    """Publishing nothing answers the broker's heartbeats: whoever does it now and then keeps the connection."""
    publisher = BusPublisher(account(broker.url), Topology(queues=(Queue(queue),)), name="test")
    pause, turns = threading.Event(), count()
    while next(turns) < 5:
        assert publisher.publish([]).whole
        pause.wait(0.05)
    assert publisher.publish([post(queue, "late")]).whole
    publisher.close()
