"""Deliveries handed out as tickets over a real RabbitMQ: each is sent once, whatever becomes of the tickets."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from pika import BlockingConnection, ConnectionParameters, PlainCredentials
from pika.adapters.blocking_connection import BlockingChannel

from connectors.amqp_window import Post
from connectors.bus import BusAccount, BusPublisher, Topology, persistent
from gateway.delivery.relay import ATTEMPTS, OVERDUE, Relay, post_of, queue_of, topology_of
from gateway.work import Role
from storage.outbox import Ticket
from tests.connectors.servers.rabbitmq import EPMD, PASSWORD, PROGRAM, USERNAME, RabbitMq, rabbitmq
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest, Side, until
from tests.ports import find_port

pytestmark = pytest.mark.skipif(not PROGRAM.exists() or EPMD is None, reason="RabbitMQ is not installed")

URBAN = "urban_management"
RELAY, DELIVER = frozenset({Role.RELAY}), frozenset({Role.DELIVER})
StartHub = Callable[..., HubUnderTest]
StartSide = Callable[..., Side]


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    """One broker for this file."""
    with rabbitmq(find_port) as made:
        yield made


def account(broker: RabbitMq) -> BusAccount:
    return BusAccount([broker.url], USERNAME, PASSWORD, timeout=3.0)


def push(hub: HubUnderTest, name: str, count: int) -> None:
    """Tickets of the hotline whose cases are handed over to urban management."""
    for number in range(count):
        assert hotline(ticket(f"{name}{number}")).to(hub).status_code == 200


def sent(hub: HubUnderTest) -> list[str]:
    rows = hub.rows("SELECT state FROM delivery WHERE system = $1 AND message = 'letter'", URBAN)
    return [str(row["state"]) for row in rows]


def lying(broker: RabbitMq) -> int:
    """Tickets for urban management that nobody has."""
    asking = BusPublisher(account(broker), topology_of([URBAN]), name="test")
    try:
        return asking.lengths([queue_of(URBAN)])[queue_of(URBAN)]
    finally:
        asking.close()


def all_there(hub: HubUnderTest, side: Side, count: int) -> None:
    """Wait until so many letters are taken; none may be there twice."""
    until(lambda: sent(hub) == ["acknowledged"] * count, seconds=90, what="taking all letters")
    assert len(side.items()) == count


def test_what_one_process_relays_another_delivers_once(
    start_hub: StartHub, start_side: StartSide, broker: RabbitMq
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub, delivering = (start_hub(bus=account(broker), urls={URBAN: side.url}) for _ in range(2))
    hub.start_worker(RELAY)
    push(hub, "a", 20)
    until(lambda: lying(broker) == 20, seconds=60, what="offering tickets")  # nobody but a ticket's holder sends them
    assert side.items() == []

    delivering.start_worker(DELIVER)
    all_there(hub, side, 20)
    until(lambda: lying(broker) == 0, what="using up the tickets")
    delivering.stop_worker()
    hub.stop_worker()


def test_doubled_late_and_unreadable_tickets_change_nothing(
    start_hub: StartHub, start_side: StartSide, broker: RabbitMq
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(bus=account(broker), urls={URBAN: side.url})
    publisher = BusPublisher(account(broker), topology_of([URBAN]), name="test")
    hub.start_worker(RELAY)
    push(hub, "d", 5)
    until(lambda: lying(broker) == 5, seconds=60, what="offering tickets")
    hub.stop_worker()
    rows = hub.rows("SELECT id, claims FROM delivery WHERE system = $1", URBAN)
    tickets = [Ticket(row["id"], URBAN, claims) for row in rows for claims in (row["claims"], row["claims"] + 7)]
    bad = persistent(id="bad", kind="t", at=0, content_type="text/plain")
    unreadable = [Post("", queue_of(URBAN), body, bad) for body in (b"{", b"[]", b'{"id": 7}', b"\xff")]
    assert publisher.publish([*map(post_of, [*tickets, Ticket(uuid4(), URBAN, 0)]), *unreadable]).whole
    publisher.close()

    hub.start_worker(DELIVER)
    all_there(hub, side, 5)
    until(lambda: lying(broker) == 0, what="using up the tickets")
    hub.stop_worker()


def test_tickets_that_are_lost_are_offered_again(start_hub: StartHub, start_side: StartSide, broker: RabbitMq) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(bus=account(broker), urls={URBAN: side.url})
    push(hub, "l", 3)

    async def offered_and_lost() -> None:
        wired = hub.wired()
        relay = Relay(wired, [URBAN], offered=timedelta(seconds=2))
        await relay.round()
        await relay.close()
        await wired.store.close()

    asyncio.run(offered_and_lost())
    assert lying(broker) == 3
    purge(broker)
    hub.start_worker(RELAY | DELIVER)
    all_there(hub, side, 3)
    hub.stop_worker()


_WAITED = """
SELECT min(sent_at - created_at) AS waited FROM
 (SELECT sent_at, created_at FROM delivery WHERE system = $1 ORDER BY created_at DESC LIMIT 5) AS last
"""


def test_without_the_broker_lanes_are_taken_up_as_ever_and_with_it_by_tickets_again(
    start_hub: StartHub, start_side: StartSide, broker: RabbitMq
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(bus=account(broker), urls={URBAN: side.url})
    hub.start_worker(RELAY | DELIVER)
    push(hub, "e", 5)
    all_there(hub, side, 5)
    broker.kill()
    try:
        push(hub, "f", 5)
        all_there(hub, side, 10)
        [soonest] = hub.rows(_WAITED, URBAN)
        assert soonest["waited"] < OVERDUE  # claimed at once, not only when it was found forgotten
    finally:
        broker.start()
    time.sleep(1)
    push(hub, "g", 5)
    all_there(hub, side, 15)
    hub.stop_worker()


def test_what_nobody_relays_is_delivered_all_the_same(
    start_hub: StartHub, start_side: StartSide, broker: RabbitMq
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(bus=account(broker), urls={URBAN: side.url})
    hub.start_worker(DELIVER)
    push(hub, "n", 3)
    all_there(hub, side, 3)
    hub.stop_worker()


def test_a_ticket_whose_holders_die_is_set_aside_and_shown_and_its_row_is_offered_again(
    start_hub: StartHub, start_side: StartSide, broker: RabbitMq
) -> None:
    side = start_side(URBAN, "http://127.0.0.1:9", pace=600)
    hub = start_hub(bus=account(broker), urls={URBAN: side.url})
    publisher = BusPublisher(account(broker), topology_of([URBAN]), name="test")
    assert publisher.publish([post_of(Ticket(uuid4(), URBAN, 0))]).whole
    publisher.close()
    credentials = PlainCredentials(USERNAME, PASSWORD)
    with BlockingConnection(ConnectionParameters("127.0.0.1", broker.port, credentials=credentials)) as connection:
        channel = connection.channel()
        for _ in range(ATTEMPTS + 1):
            until(lambda: _given_back(channel), what="handing it out")
    hub.start_worker(RELAY | DELIVER)
    until(lambda: "1 tickets in the queue gridhub.dead" in hub.get("/api/bus")["trouble"], what="showing it")
    push(hub, "x", 2)
    all_there(hub, side, 2)
    hub.stop_worker()


def _given_back(channel: BlockingChannel) -> bool:
    method, _, _ = channel.basic_get(queue_of(URBAN))
    if method is not None:
        channel.basic_nack(method.delivery_tag or 0, requeue=True)
    return method is not None


def purge(broker: RabbitMq) -> None:
    """Somebody empties the queue."""
    gone = BusPublisher(account(broker), Topology(), name="test")
    gone.publish([])
    link = gone._link
    assert link is not None
    link.arrange([lambda channel, done: channel.queue_purge(queue_of(URBAN), callback=done)])
    gone.close()
