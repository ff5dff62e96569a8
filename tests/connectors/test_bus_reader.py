"""A reader of the bus gives its connection back before it returns, also when the broker answers nothing any more."""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterator

import pytest

from connectors.bus import BusAccount, Queue, Topology
from connectors.bus_reader import BusReader
from tests.connectors.servers.rabbitmq import PASSWORD, USERNAME, RabbitMq, rabbitmq
from tests.ports import find_port

QUEUE = "reader-test"


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    with rabbitmq(find_port) as running:
        yield running


def read(broker: RabbitMq, before_stopping: Callable[[], None]) -> None:
    """Read until it is connected, do this, stop; the loop ends as soon as the reader has returned."""

    async def main() -> None:
        account = BusAccount([broker.url], USERNAME, PASSWORD)
        reader = BusReader(account, Topology(queues=(Queue(QUEUE),)), {QUEUE: 5}, lambda *_: None, name="test")
        stop = asyncio.Event()
        reading = asyncio.create_task(reader.read(stop))
        async with asyncio.timeout(60):
            while not reader.connected:  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(0.01)
        before_stopping()
        stop.set()
        await reading

    asyncio.run(main())


def left_open(port: int) -> list[socket.socket]:
    """Sockets of this process that are connected to this port and still open."""
    found = [one for one in gc.get_objects() if isinstance(one, socket.socket) and one.fileno() >= 0]
    return [one for one in found if one.family == socket.AF_INET and _peer(one) == ("127.0.0.1", port)]


def _peer(one: socket.socket) -> object:
    try:
        return one.getpeername()
    except OSError:
        return None


@pytest.mark.parametrize("answers", [True, False])
def test_nothing_is_left_open_when_it_stops(broker: RabbitMq, answers: bool) -> None:
    pause = broker.paused()

    read(broker, (lambda: None) if answers else pause.__enter__)

    try:
        assert left_open(broker.port) == []
    finally:
        if not answers:
            pause.__exit__(None, None, None)
