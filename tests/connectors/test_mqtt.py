"""MQTT against a real broker: what it keeps, loses and refuses."""

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from canonical.errors import ContractViolation, InDoubt, Misconfigured, Unauthenticated, Unavailable
from canonical.message import Message
from canonical.ports import Connector, Receiver
from connectors.mqtt import MAX_PAYLOAD, MqttConnector, MqttReceiver
from tests.connectors.hearing import bodies, heard, patiently, receive_long
from tests.connectors.servers.mosquitto import PASSWORD, PROGRAM, USERNAME, Mosquitto, mosquitto
from tests.ports import find_port

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
ACCOUNT = {"username": USERNAME, "password": PASSWORD}
VERSIONS = ("3.1.1", "5")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    """One broker for this file."""
    with mosquitto(find_port) as made:
        yield made


@pytest.fixture
def own_broker() -> Iterator[Mosquitto]:
    """A broker that a test may stop."""
    with mosquitto(find_port) as made:
        yield made


@pytest.fixture
def place() -> str:
    """A topic level of this test's own."""
    return f"t{uuid4().hex[:12]}"


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


def receiver(url: str, *topics: str, **settings: Any) -> MqttReceiver:
    given = {"system": "city-iot", "door": "alarms", "ids": uuid4, "now": lambda: AT, "timeout": 5.0, **ACCOUNT}
    return MqttReceiver(url, topics, **{**given, **settings})


def connector(url: str, **settings: Any) -> MqttConnector:
    return MqttConnector(url, **{"ids": uuid4, "now": lambda: AT, "timeout": 5.0, **ACCOUNT, **settings})


def test_both_are_what_the_gateway_expects() -> None:
    hearing: Receiver = receiver("mqtt://127.0.0.1", "a")
    sending: Connector = connector("mqtt://127.0.0.1")
    hearing.close()
    sending.close()


def message(topic: str, body: bytes = b"{}", **headers: str) -> Message:
    return Message(system="city-iot", body=body, at=AT, id=UUID(int=7), path=topic, headers=headers)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_published_is_heard(broker: Mosquitto, place: str, closing: Any, version: Any) -> None:
    hearing = closing(receiver(broker.url, f"{place}/+", version=version, client_id=place))
    assert hearing.receive(most=10, wait=0) == []

    sending = closing(connector(broker.url, version=version))
    answer = sending.send(sending.seal(message(f"{place}/d1", "水位高".encode())))
    [received] = heard(hearing, 1)

    assert (answer.status, answer.parent, answer.path, answer.body) == (200, UUID(int=7), f"{place}/d1", b"")
    got = received.message
    assert (got.system, got.door, got.path, got.body) == ("city-iot", "alarms", f"{place}/d1", "水位高".encode())
    assert (got.at, dict(got.headers)) == (AT, {"qos": "1"})


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_not_accepted_comes_again_to_the_next_receiver(
    broker: Mosquitto, place: str, closing: Any, version: Any
) -> None:
    first = receiver(broker.url, f"{place}/#", version=version, client_id=place)
    first.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(3):
        sending.send(message(f"{place}/d1", b"%d" % number))
    taken = heard(first, 3)
    taken[1].accept()
    first.close()

    second = receiver(broker.url, f"{place}/#", version=version, client_id=place)
    again = heard(second, 2)
    assert bodies(again) == [b"0", b"2"]
    assert again[0].message.headers["dup"] == "true"
    for one in again:
        one.accept()
    second.close()

    third = closing(receiver(broker.url, f"{place}/#", version=version, client_id=place))
    assert heard(third, 0) == []


def test_what_was_published_while_nobody_listened_is_heard_later(broker: Mosquitto, place: str, closing: Any) -> None:
    first = receiver(broker.url, place, client_id=place)
    first.receive(most=1, wait=0)
    first.close()
    closing(connector(broker.url)).send(message(place, b"in the night"))

    assert bodies(heard(closing(receiver(broker.url, place, client_id=place)), 1)) == [b"in the night"]


def test_a_rejected_message_does_not_come_again(broker: Mosquitto, place: str, closing: Any) -> None:
    first = receiver(broker.url, place, client_id=place)
    first.receive(most=1, wait=0)
    closing(connector(broker.url)).send(message(place))
    heard(first, 1)[0].reject("not the agreed form")
    first.close()

    assert heard(closing(receiver(broker.url, place, client_id=place)), 0) == []


def test_deferred_messages_come_again_in_order_before_newer_ones(broker: Mosquitto, place: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, place, client_id=place))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(3):
        sending.send(message(place, b"%d" % number))
    for one in reversed(heard(hearing, 3)):
        one.defer()
    sending.send(message(place, b"3"))

    again = heard(hearing, 4)
    assert bodies(again) == [b"0", b"1", b"2", b"3"]
    for one in again:
        one.accept()
    hearing.close()
    assert heard(closing(receiver(broker.url, place, client_id=place)), 0) == []


def test_what_is_accepted_on_leaving_does_not_come_again(broker: Mosquitto, place: str, closing: Any) -> None:
    """Also when the connection's thread has just looked for acknowledgements and found none."""
    hearing = receiver(broker.url, place, client_id=place)
    hearing.receive(most=1, wait=0)
    closing(connector(broker.url)).send(message(place, b"1"))
    [one] = heard(hearing, 1)
    looked = threading.Event()

    class Acknowledged(deque[Any]):
        def __bool__(self) -> bool:
            if looked.is_set() or len(self):
                return len(self) > 0
            one.accept()
            leaving.start()
            until = time.monotonic() + 5
            while not link._leaving and time.monotonic() < until:
                threading.Event().wait(0.01)
            looked.set()
            return False

    link: Any = hearing._link
    leaving = threading.Thread(target=hearing.close)
    link._acknowledged = Acknowledged()
    link.wake()
    assert looked.wait(5)
    leaving.join(5)

    assert heard(closing(receiver(broker.url, place, client_id=place)), 0) == []


def test_a_deferred_message_comes_again_after_a_restart(broker: Mosquitto, place: str, closing: Any) -> None:
    first = receiver(broker.url, place, client_id=place)
    first.receive(most=1, wait=0)
    closing(connector(broker.url)).send(message(place, b"later"))
    heard(first, 1)[0].defer()
    first.close()

    assert bodies(heard(closing(receiver(broker.url, place, client_id=place)), 1)) == [b"later"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_retained_message_says_so_and_can_be_left_out(
    broker: Mosquitto, place: str, closing: Any, version: Any
) -> None:
    sending = closing(connector(broker.url))
    sending.send(message(place, b"state", retain="true"))

    wanting = closing(receiver(broker.url, place, version=version, client_id=f"{place}-a"))
    [state] = heard(wanting, 1)
    refusing = closing(receiver(broker.url, place, version=version, client_id=f"{place}-b", retained=False))
    assert heard(refusing, 0) == []
    sending.send(message(place, b"news"))

    assert state.message.headers["retained"] == "true"
    assert "retained" not in heard(refusing, 1)[0].message.headers
    sending.send(message(place, b"", retain="true"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_shared_subscription_parts_the_messages_without_loss_or_double(
    broker: Mosquitto, place: str, closing: Any, version: Any
) -> None:
    both = [
        closing(receiver(broker.url, f"{place}/#", share="hub", version=version, client_id=f"{place}-{name}"))
        for name in "ab"
    ]
    for hearing in both:
        hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(200):
        sending.send(message(f"{place}/d{number % 7}", b"%d" % number))

    found: list[list[bytes]] = [[], []]
    until = time.monotonic() + 10
    while sum(map(len, found)) < 200 and time.monotonic() < until:
        for hearing, mine in zip(both, found, strict=True):
            for one in hearing.receive(most=100, wait=0.05):
                one.accept()
                mine.append(one.message.body)

    assert sorted(map(int, found[0] + found[1])) == list(range(200))
    assert min(map(len, found)) > 50


def test_topics_of_a_platform_begin_with_a_dollar_and_may_end_in_a_query(
    broker: Mosquitto, place: str, closing: Any
) -> None:
    """Only a filter that begins with the `$` itself hears them, and the query is part of the last level."""
    filters = ("$oc/devices/+/sys/properties/+", "$oc/devices/+/sys/properties/report")
    hearing = closing(receiver(broker.url, *filters, client_id=f"{place}-a"))
    exact = closing(receiver(broker.url, filters[1], client_id=f"{place}-b"))
    everything = closing(receiver(broker.url, "#", "+/devices/#", client_id=f"{place}-c"))
    for one in (hearing, exact, everything):
        one.receive(most=1, wait=0)

    topic = f"$oc/devices/{place}/sys/properties/report"
    sending = closing(connector(broker.url))
    sending.send(message(f"{topic}?request_id=7"))
    sending.send(message(topic))

    assert {one.message.path for one in heard(hearing, 2)} == {f"{topic}?request_id=7", topic}
    assert [one.message.path for one in heard(exact, 1)] == [topic]
    assert all(not one.message.path.startswith("$") for one in everything.receive(most=1000, wait=0.1))


@pytest.mark.parametrize("topic", ["$oc/devices/+/sys/properties/report", "a/#"])
def test_the_whole_filter_follows_the_group_of_a_shared_subscription(topic: str) -> None:
    """On the wire, because mosquitto itself does not share topics that begin with `$`."""
    with subscribed_to(b"\x90\x03\x00\x01\x01") as (url, told):
        hearing = receiver(url, topic, share="hub")
        hearing.receive(most=1, wait=0)
        hearing.close()
    wanted = f"$share/hub/{topic}".encode()
    assert told[0][4:] == len(wanted).to_bytes(2, "big") + wanted + b"\x01"


@contextmanager
def subscribed_to(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """A broker of MQTT 3.1.1 that welcomes one client and answers its subscription like this; and what it is told."""
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) if context else plain as wire:
                wire.recv(4096)
                wire.sendall(b"\x20\x02\x00\x00")
                told.append(wire.recv(4096))
                wire.sendall(answer)
                while more := wire.recv(4096):
                    told.append(more)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"mqtt{'s' if context else ''}://127.0.0.1:{listener.getsockname()[1]}", told
        finally:
            thread.join()


def test_what_comes_in_one_piece_of_tls_is_heard_as_several_messages(broker: Mosquitto, closing: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(broker.ca, broker.key)
    published = b"".join(b"\x30\x04\x00\x01a" + b"%d" % number for number in range(5))
    with subscribed_to(b"\x90\x03\x00\x01\x01" + published, context) as (url, _):
        hearing = receiver(url, "a", ca=f"{broker.ca}")
        assert bodies(heard(hearing, 5)) == [b"0", b"1", b"2", b"3", b"4"]
        hearing.close()


def test_a_receiver_acknowledges_and_says_goodbye_when_it_is_closed() -> None:
    with subscribed_to(b"\x90\x03\x00\x01\x01" + b"\x32\x05\x00\x01a\x00\x09") as (url, told):
        hearing = receiver(url, "a")
        heard(hearing, 1)[0].accept()
        hearing.close()
    assert b"".join(told[1:]) == b"\x40\x02\x00\x09" + b"\xe0\x00"


def test_a_wrong_password_is_unauthenticated(broker: Mosquitto, place: str, closing: Any) -> None:
    with pytest.raises(Unauthenticated):
        closing(receiver(broker.url, place, password="wrong")).receive(most=1, wait=0)
    with pytest.raises(Unauthenticated) as caught:
        closing(connector(broker.url, version="5", password="wrong")).send(message(place))
    assert "wrong" not in f"{caught.value}"


def test_a_refused_filter_is_misconfigured_and_named(closing: Any) -> None:
    with subscribed_to(b"\x90\x04\x00\x01\x01\x80") as (url, _):
        hearing = closing(receiver(url, "allowed/#", "forbidden/#", timeout=1))
        with pytest.raises(Misconfigured, match="forbidden/#") as caught:
            hearing.receive(most=1, wait=0)
    assert "allowed" not in f"{caught.value}"


@pytest.mark.parametrize("topic", ["", "a/#/b", "a+/b", "b#", "a\0"])
def test_a_filter_that_is_none_is_misconfigured(topic: str) -> None:
    with pytest.raises(Misconfigured):
        receiver("mqtt://127.0.0.1", topic)


@pytest.mark.parametrize(
    "settings", [{"qos": 2}, {"inflight": 0}, {"version": "4"}, {"share": "a/b"}, {"ca": "/no/such/file"}]
)
def test_settings_that_cannot_be_are_misconfigured(settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        receiver("mqtts://127.0.0.1", "a", **settings)


@pytest.mark.parametrize("url", ["", "127.0.0.1:1883", "amqp://h", "mqtt://", "mqtt://h:x", "mqtt://a:secret@h"])
def test_an_address_that_is_none_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        connector(url)
    assert "secret" not in f"{caught.value}"


def test_over_tls_the_broker_is_checked_by_its_authority(broker: Mosquitto, place: str, closing: Any) -> None:
    hearing = closing(receiver(broker.secure_url, place, client_id=place, ca=f"{broker.ca}"))
    hearing.receive(most=1, wait=0)
    closing(connector(broker.secure_url, ca=f"{broker.ca}")).send(message(place, b"." * 100_000))

    assert bodies(heard(hearing, 1)) == [b"." * 100_000]


def test_a_broker_that_nobody_vouches_for_is_unavailable(broker: Mosquitto, place: str, closing: Any) -> None:
    with pytest.raises(Unavailable, match="certificate"):
        closing(connector(broker.secure_url)).send(message(place))


def test_a_long_payload_is_cut_and_says_so(broker: Mosquitto, place: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, place, client_id=place))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    sending.send(message(place, b"." * MAX_PAYLOAD))
    sending.send(message(place, b"." * (MAX_PAYLOAD + 1)))

    whole, cut = heard(hearing, 2)
    assert "oversize" not in whole.message.headers
    assert (len(cut.message.body), cut.message.headers["oversize"]) == (MAX_PAYLOAD, f"{MAX_PAYLOAD + 1}")


@pytest.mark.parametrize("inflight", [50])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_slow_hub_loses_nothing_and_keeps_little(
    broker: Mosquitto, place: str, closing: Any, version: Any, inflight: int
) -> None:
    hearing = closing(receiver(broker.url, place, client_id=place, version=version, inflight=inflight))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    with_threads(4, lambda part: [sending.send(message(place, b"%d" % n)) for n in range(part, 2000, 4)])

    found: set[int] = set()
    until = time.monotonic() + 20
    while len(found) < 2000 and time.monotonic() < until:
        taken = hearing.receive(most=2000, wait=1)
        assert len(taken) <= inflight
        for one in taken:
            found.add(int(one.message.body))
            one.accept()
    assert found == set(range(2000))
    assert hearing.dropped == 0


def test_more_than_the_queue_holds_may_wait_for_a_restarted_receiver(
    broker: Mosquitto, place: str, closing: Any
) -> None:
    """The answer to the subscription stands behind the messages then."""
    first = receiver(broker.url, place, client_id=place)
    first.receive(most=1, wait=0)
    first.close()
    sending = closing(connector(broker.url))
    for number in range(300):
        sending.send(message(place, b"%d" % number))

    hearing = closing(receiver(broker.url, place, client_id=place, inflight=20, timeout=60))
    found: list[bytes] = []
    until = time.monotonic() + 10
    while len(found) < 300 and time.monotonic() < until:
        for one in hearing.receive(most=10, wait=0.5):
            found.append(one.message.body)
            one.accept()
    assert found == [b"%d" % number for number in range(300)]


def with_threads(count: int, work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(part,)) for part in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_messages_nobody_acknowledges_are_dropped_and_counted_when_the_queue_is_full(
    broker: Mosquitto, place: str, closing: Any
) -> None:
    hearing = closing(receiver(broker.url, place, qos=0, client_id=place, inflight=10))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    for number in range(30):
        assert sending.send(message(place, b"%d" % number, qos="0")).status == 202

    until = time.monotonic() + 5
    while hearing.dropped < 20 and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert hearing.dropped == 20
    assert bodies(heard(hearing, 10)) == [b"%d" % number for number in range(10)]


def test_a_restarted_broker_costs_nothing(own_broker: Mosquitto, place: str, closing: Any) -> None:
    hearing = closing(receiver(own_broker.url, place, client_id=place, timeout=3))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(own_broker.url))
    for number in range(100):
        sending.send(message(place, b"%d" % number))
    seen: dict[bytes, bool] = {}
    early = hearing.receive(most=20, wait=5)
    for one in early[:10]:
        one.accept()
        seen[one.message.body] = True
    own_broker.stop()

    with pytest.raises((Unavailable, InDoubt)):  # which of them goes by whether the sender has noticed
        sending.send(message(place, b"too early"))
    with pytest.raises(Unavailable):
        sending.send(message(place, b"too early"))
    with pytest.raises(Unavailable):
        receive_long(hearing)
    with pytest.raises(Unavailable):
        early[10].accept()
    early[11].defer()

    own_broker.start()
    until = time.monotonic() + 15
    while len(seen) < 100 and time.monotonic() < until:
        for one in patiently(hearing):
            one.accept()
            seen[one.message.body] = True
    assert set(seen) == {b"%d" % number for number in range(100)}
    assert sending.send(message(place, b"100")).status == 200
    while b"100" not in seen and time.monotonic() < until + 15:
        seen |= {one.message.body: True for one in patiently(hearing)}
    assert b"100" in seen


def test_without_a_broker_a_message_is_unavailable(closing: Any, free_port: Callable[[], int]) -> None:
    with pytest.raises(Unavailable):
        closing(connector(f"mqtt://127.0.0.1:{free_port()}")).send(message("a"))
    with pytest.raises(Unavailable):
        closing(connector("mqtt://no-such-host.invalid")).send(message("a"))


def test_without_a_broker_a_receiver_waits_for_its_time_out_before_it_says_so(
    closing: Any, free_port: Callable[[], int]
) -> None:
    hearing = closing(receiver(f"mqtt://127.0.0.1:{free_port()}", "a", timeout=0.3))
    assert hearing.receive(most=1, wait=0.1) == []
    with pytest.raises(Unavailable):
        receive_long(hearing)


def test_a_broker_that_stops_answering_leaves_the_message_in_doubt_and_sends_nothing_later(
    own_broker: Mosquitto, place: str, closing: Any
) -> None:
    hearing = closing(receiver(own_broker.url, place, client_id=place))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(own_broker.url, timeout=2))
    sending.send(message(place, b"first"))
    with own_broker.paused():
        with pytest.raises(InDoubt):
            sending.send(message(place, b"doubtful"))
        with pytest.raises(Unavailable):  # a new connection, which nobody answers
            sending.send(message(place, b"second"))

    assert sending.send(message(place, b"third")).status == 200
    found = bodies(heard(hearing, 3))
    assert found.count(b"doubtful") == 1  # the broker had it in its socket; nobody sent it twice
    assert (found[0], found[-1]) == (b"first", b"third")


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0", "." * 65536, "\ud800"])
def test_a_topic_that_cannot_be_published_to_breaks_the_contract(broker: Mosquitto, closing: Any, topic: str) -> None:
    with pytest.raises(ContractViolation):
        closing(connector(broker.url)).send(message(topic))


def test_a_quality_of_service_that_is_none_breaks_the_contract(broker: Mosquitto, closing: Any) -> None:
    with pytest.raises(ContractViolation):
        closing(connector(broker.url)).send(message("a", qos="3"))


def test_a_message_that_must_not_be_published_is_told_by_mqtt_5(broker: Mosquitto, closing: Any) -> None:
    answer = closing(connector(broker.url, version="5")).send(message("forbidden/a"))
    assert answer.status == 403


def test_threads_may_share_a_connector(broker: Mosquitto, place: str, closing: Any) -> None:
    hearing = closing(receiver(broker.url, place, client_id=place))
    hearing.receive(most=1, wait=0)
    sending = closing(connector(broker.url))
    with_threads(8, lambda part: [sending.send(message(place, b"%d" % (part * 10 + n))) for n in range(10)])
    found: list[bytes] = []
    until = time.monotonic() + 10
    while len(found) < 80 and time.monotonic() < until:
        for one in hearing.receive(most=100, wait=0.5):
            found.append(one.message.body)
            one.accept()
    assert sorted(map(int, found)) == list(range(80))


def test_a_receiver_and_a_connector_may_be_closed_twice(broker: Mosquitto, place: str) -> None:
    hearing, sending = receiver(broker.url, place, client_id=place), connector(broker.url)
    hearing.close()
    hearing.receive(most=1, wait=0)
    sending.send(message(place))
    before = threading.active_count()
    for _ in range(2):
        hearing.close()
        sending.close()
    assert threading.active_count() == before - 2
