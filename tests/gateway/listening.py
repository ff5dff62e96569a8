"""A platform that listens at the bus: a durable quorum queue of its own, read in a thread, whatever breaks."""

import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from pika import BlockingConnection, ConnectionParameters, PlainCredentials
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError
from pika.exchange_type import ExchangeType

from gateway.announce import EXCHANGE
from tests.connectors.servers.rabbitmq import PASSWORD, USERNAME
from tests.gateway.running import HubUnderTest, until


class Listener:
    """Everything that was said to it, in the order in which it arrived; repeated tellings included."""

    def __init__(self, ports: Sequence[int], *, binding: str = "case.#") -> None:
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.properties: list[Any] = []
        self._ports, self._binding, self._queue = ports, binding, f"platform-{uuid4().hex[:8]}"
        self._stop, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def until_heard(self, hub: HubUnderTest, *, seconds: float = 120.0) -> None:
        """Wait until everything that happened has been told; each case's steps in order, none missing."""
        rows = hub.rows("SELECT case_id, seq FROM event")
        happened = {f"{row['case_id']}-{row['seq']}" for row in rows}
        assert happened
        until(lambda: happened <= self.ids(), seconds=seconds, what=f"hearing {len(happened)} events")
        assert self.ids() == happened
        assert out_of_order(self.heard) == {}

    def until_more(self, count: int) -> None:
        """Wait until so many more events were told than now."""
        wanted = len(self.heard) + count
        until(lambda: len(self.heard) >= wanted, seconds=60, what="hearing more")

    def ids(self) -> set[str]:
        """What it knows."""
        return {one["id"] for one in list(self.heard)}

    def _run(self) -> None:
        turn = 0
        while not self._stop.is_set():
            try:
                self._listen(self._ports[turn % len(self._ports)])
            except (AMQPError, OSError):
                turn += 1
                self._stop.wait(0.2)

    def _listen(self, port: int) -> None:
        credentials = PlainCredentials(USERNAME, PASSWORD)
        parameters = ConnectionParameters("127.0.0.1", port, credentials=credentials, socket_timeout=5, heartbeat=10)
        with BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=100)
            channel.exchange_declare(EXCHANGE, ExchangeType.topic, durable=True)
            channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(self._queue, EXCHANGE, self._binding)
            channel.basic_consume(self._queue, self._on_message)
            self._ready.set()
            while not self._stop.is_set():
                connection.process_data_events(0.1)

    def _on_message(self, channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        self.heard.append(json.loads(body))
        self.keys.append(method.routing_key)
        self.properties.append(properties)
        channel.basic_ack(method.delivery_tag)


def out_of_order(heard: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Cases whose steps did not come in order, or not from the first on, after repeated tellings were dropped."""
    first: dict[str, list[int]] = defaultdict(list)
    known: set[str] = set()
    for one in heard:
        if one["id"] not in known:
            known.add(one["id"])
            first[one["subject"]].append(int(one["sequence"]))
    return {case: numbers for case, numbers in first.items() if numbers != list(range(1, len(numbers) + 1))}
