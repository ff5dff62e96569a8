"""AMQP against a real RabbitMQ: what it keeps, parts, returns and refuses."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from pika import BasicProperties, BlockingConnection, ConnectionParameters, PlainCredentials
from pika.adapters.blocking_connection import BlockingChannel

from canonical.errors import ContractViolation, InDoubt, Misconfigured, Unauthenticated, Unavailable
from canonical.message import Message
from canonical.ports import Connector, Receiver
from connectors.amqp import AmqpConnector, AmqpReceiver
from tests.connectors.hearing import bodies, heard, patiently, receive_long
from tests.connectors.servers.rabbitmq import EPMD, PASSWORD, PROGRAM, USERNAME, RabbitMq, rabbitmq
from tests.ports import find_port

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
ACCOUNT = {"username": USERNAME, "password": PASSWORD}

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
def closing() -> Iterator[Callable[[Any], Any]]:
    """What is put in is closed at the end."""
    made: list[Any] = []

    def keep(thing: Any) -> Any:
        made.append(thing)
        return thing

    yield keep
    for thing in reversed(made):
        thing.close()


@pytest.fixture
def partner(broker: RabbitMq) -> Iterator[BlockingChannel]:
    """The other side: somebody who declares what we do not."""
    credentials = PlainCredentials(USERNAME, PASSWORD)
    with BlockingConnection(ConnectionParameters("127.0.0.1", broker.port, credentials=credentials)) as connection:
        yield connection.channel()


def receiver(url: str, queue: str, **settings: Any) -> AmqpReceiver:
    given = {"system": "city-bus", "door": "work-orders", "ids": uuid4, "now": lambda: AT, "timeout": 5.0, **ACCOUNT}
    return AmqpReceiver(url, queue, **{**given, **settings})


def connector(url: str, **settings: Any) -> AmqpConnector:
    return AmqpConnector(url, **{"ids": uuid4, "now": lambda: AT, "timeout": 5.0, **ACCOUNT, **settings})


def test_both_are_what_the_gateway_expects() -> None:
    hearing: Receiver = receiver("amqp://127.0.0.1", "q")
    sending: Connector = connector("amqp://127.0.0.1")
    hearing.close()
    sending.close()


def message(path: str, body: bytes = b"{}", **headers: str) -> Message:
    return Message(
        system="city-bus", body=body, at=AT, id=UUID(int=7), path=path, headers=headers,
        content_type="application/json",
    )  # fmt: skip


def ready(partner: BlockingChannel, queue: str) -> int:
    """Messages in the queue that nobody holds."""
    return int(partner.queue_declare(queue, passive=True).method.message_count)


def test_what_is_published_is_received_with_its_properties(broker: RabbitMq, queue: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, queue, declare=True, bindings=(("amq.topic", "order.#"),)))
    assert hearing.receive(most=1, wait=0) == []
    sending = closing(connector(broker.url))
    given = {"correlation-id": "c-1", "type": "work-order", "X-Area": "镜湖区"}
    answer = sending.send(sending.seal(message("amq.topic/order.new", "路灯不亮".encode(), **given)))

    [received] = heard(hearing, 1)
    received.accept()
    got = received.message
    assert (answer.status, answer.parent, answer.path, answer.body) == (200, UUID(int=7), "amq.topic/order.new", b"")
    assert (got.system, got.door, got.path) == ("city-bus", "work-orders", "amq.topic/order.new")
    assert (got.body, got.content_type, got.at) == ("路灯不亮".encode(), "application/json", AT)
    assert got.headers == {
        "correlation-id": "c-1", "type": "work-order", "x-area": "镜湖区", "message-id": f"{UUID(int=7)}",
        "timestamp": f"{int(AT.timestamp())}",
    }  # fmt: skip


def test_typed_headers_are_heard_as_text(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:  # fmt: skip
    hearing = closing(receiver(broker.url, queue, declare=True))
    hearing.receive(most=1, wait=0.1)
    typed: dict[str, Any] = {
        "Level": "2", "count": 3, "price": Decimal("1.5"), "drill": True, "lasting": False,
        "told": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "area": "示例".encode(),
    }  # fmt: skip
    partner.basic_publish("", queue, b"", BasicProperties(headers=typed))
    (received,) = heard(hearing, 1)
    assert received.message.headers == {
        "level": "2", "count": "3", "price": "1.5", "drill": "true", "lasting": "false",
        "told": "2026-01-02T03:04:05+00:00", "area": "示例",
    }  # fmt: skip


def test_headers_that_no_text_can_say_are_left_out(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:  # fmt: skip
    hearing = closing(receiver(broker.url, queue, declare=True))
    hearing.receive(most=1, wait=0.1)
    partner.basic_publish(
        "", queue, b"", BasicProperties(headers={"level": "2", "list": ["a"], "table": {"a": 1}, "raw": b"\xff\x00"})
    )
    (received,) = heard(hearing, 1)
    assert (received.message.headers, received.message.content_type) == ({"level": "2"}, "")


def test_how_a_body_is_packed_is_heard(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:  # fmt: skip
    hearing = closing(receiver(broker.url, queue, declare=True))
    hearing.receive(most=1, wait=0.1)
    partner.basic_publish("", queue, b"", BasicProperties(content_encoding="gzip"))
    (received,) = heard(hearing, 1)
    assert received.message.headers == {"content-encoding": "gzip"}


def test_what_was_not_accepted_comes_again_to_the_next_receiver(broker: RabbitMq, queue: str, closing: Any) -> None:
    first = receiver(broker.url, queue, declare=True)
    first.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(3):
        sending.send(message(f"/{queue}", b"%d" % number))
    heard(first, 3)[1].accept()
    first.close()

    second = receiver(broker.url, queue)
    again = heard(second, 2)
    assert sorted(bodies(again)) == [b"0", b"2"]
    assert again[0].message.headers["redelivered"] == "true"
    for one in again:
        one.accept()
    second.close()

    assert heard(closing(receiver(broker.url, queue)), 0) == []


def test_verdicts_in_any_order_settle_each_its_own_message(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    hearing = receiver(broker.url, queue, declare=True)
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(8):
        sending.send(message(f"/{queue}", b"%d" % number))
    taken = heard(hearing, 8)
    for index in (6, 1, 0, 4):
        taken[index].accept()
    taken[2].reject("not the agreed form")
    hearing.receive(most=1, wait=0)  # what has its verdict is told now
    taken[5].accept()
    hearing.close()

    assert sorted(bodies(heard(closing(receiver(broker.url, queue)), 2))) == [b"3", b"7"]


def test_a_rejected_message_goes_to_the_dead_letters(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    dead = f"{queue}-dead"
    partner.queue_declare(dead, durable=True)
    partner.queue_declare(
        queue, durable=True,
        arguments={"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead},
    )  # fmt: skip
    hearing = closing(receiver(broker.url, queue))
    graves = closing(receiver(broker.url, dead))
    closing(connector(broker.url)).send(message(f"/{queue}", b"broken"))
    heard(hearing, 1)[0].reject("not the agreed form")

    assert bodies(heard(graves, 1)) == [b"broken"]
    assert heard(hearing, 0) == []


def test_a_deferred_message_comes_again(broker: RabbitMq, queue: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, queue, declare=True))
    hearing.receive(most=1, wait=0)
    closing(connector(broker.url)).send(message(f"/{queue}", b"later"))
    heard(hearing, 1)[0].defer()

    [again] = heard(hearing, 1)
    assert again.message.body == b"later"
    again.accept()


def test_two_receivers_part_a_queue_without_loss_or_double(broker: RabbitMq, queue: str, closing: Any) -> None:
    both = [closing(receiver(broker.url, queue, declare=True, prefetch=20)) for _ in range(2)]
    for hearing in both:
        hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(200):
        sending.send(message(f"/{queue}", b"%d" % number))

    found: list[list[bytes]] = [[], []]
    until = time.monotonic() + 10
    while sum(map(len, found)) < 200 and time.monotonic() < until:
        for hearing, mine in zip(both, found, strict=True):
            for one in hearing.receive(most=100, wait=0.05):
                one.accept()
                mine.append(one.message.body)
    assert sorted(map(int, found[0] + found[1])) == list(range(200))
    assert min(map(len, found)) > 50


def test_a_slow_hub_holds_no_more_than_the_prefetch_and_loses_nothing(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    hearing = closing(receiver(broker.url, queue, declare=True, prefetch=50))
    hearing.receive(most=1, wait=0)
    for number in range(2000):
        partner.basic_publish("", queue, b"%d" % number)
    first = heard(hearing, 50)
    until = time.monotonic() + 5
    while ready(partner, queue) != 1950 and time.monotonic() < until:
        threading.Event().wait(0.02)
    assert ready(partner, queue) == 1950

    found: list[bytes] = []
    while first or len(found) < 2000:
        for one in first:
            one.accept()
            found.append(one.message.body)
        assert time.monotonic() < until + 15
        first = list(hearing.receive(most=2000, wait=0.2))
        assert len(first) <= 50
    assert sorted(map(int, found)) == list(range(2000))


def test_a_missing_queue_breaks_the_contract_and_is_named(broker: RabbitMq, closing: Any) -> None:
    with pytest.raises(ContractViolation, match="no-such-queue"):
        closing(receiver(broker.url, "no-such-queue")).receive(most=1, wait=0)


def test_a_queue_that_is_declared_otherwise_breaks_the_contract(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    partner.queue_declare(queue, durable=True)
    with pytest.raises(ContractViolation, match=queue):
        closing(receiver(broker.url, queue, declare=True)).receive(most=1, wait=0)


def test_a_queue_deleted_under_our_hands_breaks_the_contract(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    partner.queue_declare(queue)
    hearing = closing(receiver(broker.url, queue))
    hearing.receive(most=1, wait=0)
    partner.queue_delete(queue)
    with pytest.raises(ContractViolation, match=queue):
        receive_long(hearing)


def test_a_wrong_password_is_unauthenticated(broker: RabbitMq, queue: str, closing: Any) -> None:
    with pytest.raises(Unauthenticated):
        closing(receiver(broker.url, queue, password="wrong")).receive(most=1, wait=0)
    with pytest.raises(Unauthenticated) as caught:
        closing(connector(broker.url, password="wrong")).send(message(f"/{queue}"))
    assert "wrong" not in f"{caught.value}"


def test_a_virtual_host_that_is_not_there_is_misconfigured(broker: RabbitMq, queue: str, closing: Any) -> None:
    with pytest.raises(Misconfigured):
        closing(receiver(f"{broker.url}/no-such-host", queue)).receive(most=1, wait=0)
    with pytest.raises(Misconfigured):
        closing(connector(f"{broker.url}/no-such-host")).send(message(f"/{queue}"))


def test_a_queue_we_may_not_have_is_misconfigured(broker: RabbitMq, closing: Any) -> None:
    with pytest.raises(Misconfigured, match="forbidden-queue"):
        closing(receiver(broker.url, "forbidden-queue", declare=True)).receive(most=1, wait=0)


@pytest.mark.parametrize("path", ["/no-such-queue", "amq.topic/nobody.wants.it", "no-such-exchange/key"])
def test_what_no_queue_wants_is_answered_404_and_the_next_message_goes_on(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel, path: str
) -> None:
    partner.queue_declare(queue)
    sending = closing(connector(broker.url))
    assert sending.send(message(path)).status == 404
    assert sending.send(message(f"/{queue}")).status == 200


def test_an_exchange_we_may_not_use_is_answered_403(broker: RabbitMq, queue: str, closing: Any) -> None:
    assert closing(connector(broker.url)).send(message("forbidden/key")).status == 403


def test_what_a_full_queue_does_not_take_is_unavailable(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    partner.queue_declare(queue, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    sending = closing(connector(broker.url))
    assert sending.send(message(f"/{queue}")).status == 200
    with pytest.raises(Unavailable):
        sending.send(message(f"/{queue}"))


def test_messages_are_kept_on_disk(broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel) -> None:
    partner.queue_declare(queue, durable=True)
    closing(connector(broker.url)).send(message(f"/{queue}"))
    _, properties, _ = partner.basic_get(queue, auto_ack=True)
    assert properties is not None
    assert properties.delivery_mode == 2


@pytest.mark.parametrize("headers", [{"type": "t" * 256}, {"x-name": "\ud800"}, {"h" * 256: "v"}])
def test_a_header_that_cannot_be_sent_breaks_the_contract(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel, headers: dict[str, str]
) -> None:
    partner.queue_declare(queue)
    sending = closing(connector(broker.url))
    with pytest.raises(ContractViolation):
        sending.send(message(f"/{queue}", b"", **headers))
    assert sending.send(message(f"/{queue}")).status == 200
    assert ready(partner, queue) == 1


@pytest.mark.parametrize("path", ["", "/\ud800", "no-slash", f"{'e' * 256}/key", f"exchange/{'键' * 86}"])
def test_a_path_that_is_none_breaks_the_contract(broker: RabbitMq, closing: Any, path: str) -> None:
    with pytest.raises(ContractViolation):
        closing(connector(broker.url)).send(message(path))


@pytest.mark.parametrize("url", ["", "127.0.0.1:5672", "mqtt://h", "amqp://", "amqp://h:x", "amqp://a:secret@h"])
def test_an_address_that_is_none_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        connector(url)
    assert "secret" not in f"{caught.value}"


@pytest.mark.parametrize("settings", [{"prefetch": 0}, {"bindings": (("a", "b"),)}, {"ca": "/no/such/file"}])
def test_settings_that_cannot_be_are_misconfigured(settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        receiver("amqps://127.0.0.1", "q", **settings)


def test_over_tls_the_broker_is_checked_by_its_authority(broker: RabbitMq, queue: str, closing: Any) -> None:
    hearing = closing(receiver(broker.secure_url, queue, declare=True, ca=f"{broker.ca}"))
    hearing.receive(most=1, wait=0)
    closing(connector(broker.secure_url, ca=f"{broker.ca}")).send(message(f"/{queue}", b"." * 300_000))
    assert bodies(heard(hearing, 1)) == [b"." * 300_000]


def test_a_broker_that_nobody_vouches_for_is_unavailable(broker: RabbitMq, queue: str, closing: Any) -> None:
    with pytest.raises(Unavailable):
        closing(connector(broker.secure_url)).send(message(f"/{queue}"))


def test_without_a_broker_nothing_is_available(closing: Any, free_port: Callable[[], int]) -> None:
    url = f"amqp://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable):
        closing(connector(url)).send(message("/q"))
    with pytest.raises(Unavailable):
        closing(connector("amqp://no-such-host.invalid")).send(message("/q"))
    hearing = closing(receiver(url, "q", timeout=0.3))
    assert hearing.receive(most=1, wait=0.1) == []
    with pytest.raises(Unavailable):
        receive_long(hearing)


def test_a_broker_that_stops_answering_leaves_the_message_in_doubt(
    broker: RabbitMq, queue: str, closing: Any, partner: BlockingChannel
) -> None:
    partner.queue_declare(queue)
    sending = closing(connector(broker.url, timeout=3))
    sending.send(message(f"/{queue}", b"first"))
    with broker.paused():
        with pytest.raises(InDoubt):
            sending.send(message(f"/{queue}", b"doubtful"))
        with pytest.raises(Unavailable):
            sending.send(message(f"/{queue}", b"second"))
    sending.close()
    assert closing(connector(broker.url)).send(message(f"/{queue}", b"third")).status == 200

    found = bodies(heard(closing(receiver(broker.url, queue)), 3))
    assert found == [b"first", b"doubtful", b"third"]


def test_threads_may_share_a_connector(broker: RabbitMq, queue: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, queue, declare=True))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))

    def send(part: int) -> None:
        for number in range(10):
            sending.send(message(f"/{queue}", b"%d" % (part * 10 + number)))

    threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, bodies(heard(hearing, 40)))) == list(range(40))


def test_a_receiver_and_a_connector_may_be_closed_twice(broker: RabbitMq, queue: str) -> None:
    hearing, sending = receiver(broker.url, queue, declare=True), connector(broker.url)
    hearing.close()
    hearing.receive(most=1, wait=0)
    sending.send(message(f"/{queue}"))
    for _ in range(2):
        hearing.close()
        sending.close()


def test_a_restarted_broker_costs_nothing(broker: RabbitMq, queue: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, queue, declare=True, timeout=3))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url, timeout=2))
    for number in range(100):
        sending.send(message(f"/{queue}", b"%d" % number))
    early = hearing.receive(most=20, wait=5)
    for one in early[:10]:
        one.accept()
    hearing.receive(most=20, wait=0)  # and tell the broker
    seen = {int(one.message.body) for one in early[:10]}
    broker.stop()
    try:
        with pytest.raises(Unavailable):
            sending.send(message(f"/{queue}", b"too early"))
        with pytest.raises(Unavailable):
            receive_long(hearing)
        with pytest.raises(Unavailable):
            early[10].accept()
        early[11].defer()
    finally:
        broker.start()

    assert sending.send(message(f"/{queue}", b"100")).status == 200
    again: list[int] = []
    until = time.monotonic() + 30
    while 100 not in again and time.monotonic() < until:
        for one in patiently(hearing):
            one.accept()
            again.append(int(one.message.body))
    # Those accepted last come twice when the broker falls before it hears of it.
    assert [number for number in again if number not in seen] == list(range(10, 101))
    assert len(again) == len(set(again))
