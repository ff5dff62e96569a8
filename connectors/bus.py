"""The hub's own bus: a RabbitMQ of one node or several. Which exchanges and queues it has, and publishing to it.

It must never know what a body means.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pika import BasicProperties, DeliveryMode
from pika.channel import Channel
from pika.exchange_type import ExchangeType

from canonical.errors import HubError, Misconfigured, Unavailable
from connectors.amqp_link import Settings, settings_of
from connectors.amqp_window import WINDOW, Post, Published, Step, WindowedLink

WHAT = "the bus"
"""How errors name it."""


@dataclass(frozen=True, slots=True)
class BusAccount:
    """Where the bus stands and how we show who we are."""

    urls: Sequence[str]
    """One address a node; the next is tried when one does not answer."""
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""
    key: str = ""
    timeout: float = 10.0

    def settings(self, name: str) -> list[Settings]:
        """Checked settings of each node; `name` is what the broker's operators see. Raises Misconfigured."""
        if not self.urls:
            raise Misconfigured("the bus has no address")
        return [
            settings_of(
                url, name, self.timeout, self.username, self.password, self.ca, self.certificate, self.key
            )
            for url in self.urls
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue: it outlives the loss of a minority of the nodes."""

    name: str
    bindings: tuple[tuple[str, str], ...] = ()
    """(exchange, routing key)."""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topology:
    """What has to be there before anything is published: declared by whoever connects, harmless when it is there."""

    topics: tuple[str, ...] = ()
    """Durable topic exchanges."""
    queues: tuple[Queue, ...] = ()

    def steps(self) -> Iterator[Step]:
        """What to declare, in order."""
        for name in self.topics:
            yield partial(_topic, name)
        for queue in self.queues:
            yield partial(_queue, queue)
            for exchange, routing_key in queue.bindings:
                yield partial(_binding, queue.name, exchange, routing_key)


def _topic(name: str, channel: Channel, done: Callable[[object], None]) -> None:
    channel.exchange_declare(name, ExchangeType.topic, durable=True, callback=done)


def _queue(queue: Queue, channel: Channel, done: Callable[[object], None]) -> None:
    arguments = {"x-queue-type": "quorum", **queue.arguments}
    channel.queue_declare(queue.name, durable=True, arguments=arguments, callback=done)


def _length(queue: str, channel: Channel, done: Callable[[object], None]) -> None:
    channel.queue_declare(queue, passive=True, callback=done)


def _binding(queue: str, exchange: str, routing_key: str, channel: Channel, done: Callable[[object], None]) -> None:
    channel.queue_bind(queue, exchange, routing_key, callback=done)


class BusPublisher:
    """Publishes batches to the bus and connects anew when it has to. Made for one thread at a time."""

    def __init__(self, account: BusAccount, topology: Topology, *, name: str, window: int = WINDOW) -> None:
        self._nodes = account.settings(f"gridhub {name}")
        self._topology, self._window = topology, window
        self._link: WindowedLink | None = None

    def publish(self, posts: Sequence[Post]) -> Published:
        """Publish all, and say what the broker has. What it does not have may be published again.

        Raises Unavailable when no node answers, Unauthenticated, Misconfigured and ContractViolation when the broker
        refuses us or what we declare.
        """
        published = self._connected().publish_all(posts)
        if published.error is not None:
            self.close()
        return published

    def lengths(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages lie in each of these queues and nobody has. Raises as `publish` does."""
        try:
            answers = self._connected().arrange([partial(_length, queue) for queue in queues])
        except HubError:
            self.close()
            raise
        return {queue: int(answer.method.message_count) for queue, answer in zip(queues, answers, strict=True)}

    def close(self) -> None:
        """Hang up. Harmless twice."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _connected(self) -> WindowedLink:
        if self._link is not None and not self._link.usable():
            self.close()
        if self._link is None:
            self._link = self._first_that_answers()
        return self._link

    def _first_that_answers(self) -> WindowedLink:
        """A link to the first node that takes us; that one is tried first the next time."""
        failure: HubError = Unavailable(f"{WHAT}: no node answers")
        for number, node in enumerate(self._nodes):
            try:
                link = self._arranged(node)
            except Unavailable as error:
                failure = error
                continue
            self._nodes = [*self._nodes[number:], *self._nodes[:number]]
            return link
        raise failure

    def _arranged(self, node: Settings) -> WindowedLink:
        link = WindowedLink(node, WHAT, window=self._window)
        try:
            link.arrange(list(self._topology.steps()))
        except HubError:
            link.close()
            raise
        return link


def persistent(*, id: str, kind: str, at: int, content_type: str) -> BasicProperties:  # noqa: A002 the property's name
    """Properties of a message that outlives the broker's restart."""
    return BasicProperties(
        content_type=content_type, delivery_mode=DeliveryMode.Persistent, message_id=id, type=kind, timestamp=at,
        app_id="gridhub",
    )  # fmt: skip
