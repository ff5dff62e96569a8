"""AMQP 0-9-1 as RabbitMQ speaks it: a queue read with acknowledgement by hand, and publishing with confirmation.

It must never know what a body means.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from pika import BasicProperties, BlockingConnection, DeliveryMode
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

from canonical.errors import ContractViolation, HubError, Misconfigured, Unavailable
from canonical.message import Message
from connectors.amqp_link import BROKEN, PublishingLink, Settings, ours, settings_of
from connectors.broker import Reconnection
from connectors.packed import ENCODINGS, unpacked

_PROPERTIES = {
    "message-id": "message_id", "correlation-id": "correlation_id", "type": "type", "reply-to": "reply_to",
    "expiration": "expiration", "app-id": "app_id", "user-id": "user_id", "content-encoding": "content_encoding",
}  # fmt: skip
"""Header of ours to property of AMQP, both ways."""

MAX_UNPACKED = 16 * 1024 * 1024
"""Bytes a packed body may unfold to; of a longer one only they are handed out, and `oversize` says so."""

_LONGEST_NAME = 255  # AMQP 0-9-1, 4.2.5.3: a short string, in bytes


class AmqpReceiver:
    """Reads one queue of one broker. Made for one thread, which also keeps the connection alive.

    Heartbeats are answered in `receive` only: a caller who works on a batch for two minutes loses the connection. Its
    messages come again then, and `accept` raises Unavailable. `prefetch`: most messages unanswered at a time.
    `declare`: make the queue, durable and quorum, and its `bindings` (exchange, routing key); else it has to be there.
    """

    def __init__(
        self,
        url: str,
        queue: str,
        *,
        system: str,
        door: str,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        timeout: float,
        username: str = "",
        password: str = "",
        prefetch: int = 500,
        declare: bool = False,
        bindings: tuple[tuple[str, str], ...] = (),
        ca: str = "",
        certificate: str = "",
        key: str = "",
    ) -> None:
        if not queue or not 0 < prefetch <= 65535 or (bindings and not declare):
            raise Misconfigured(
                f"{system}: a queue has a name, a prefetch of 1 to 65535, and bindings if we declare it"
            )
        name = f"gridhub {system} {door}"
        self._settings = settings_of(url, name, timeout, username, password, ca, certificate, key)
        self._queue, self._prefetch, self._declare, self._bindings = queue, prefetch, declare, bindings
        self._system, self._door, self._ids, self._now = system, door, ids, now
        self._what = f"{system}, queue '{queue}'"
        self._consumer: _Consumer | None = None
        self._reconnection = Reconnection(timeout)

    def receive(self, *, most: int, wait: float) -> Sequence["AmqpReceived"]:
        """Up to `most` messages; empty after about `wait` seconds without any, connecting not counted.

        Raises Unavailable when there has been no connection for longer than the time-out, ContractViolation when the
        queue is not there or not as declared, Unauthenticated and Misconfigured when the broker refuses us.
        """
        until = time.monotonic() + wait
        while True:
            consumer = self._connected(until)
            if consumer is not None:
                try:
                    taken = consumer.take(most, until)
                except Unavailable as error:
                    self._lose(error)
                else:
                    return [AmqpReceived(self._message(*told), tag, consumer) for tag, told in taken]
            if time.monotonic() >= until:
                return []

    def close(self) -> None:
        """Acknowledge what was accepted and hang up; the rest stays in the queue. Harmless twice."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _connected(self, until: float) -> "_Consumer | None":
        if self._consumer is not None and not self._consumer.broken:
            return self._consumer
        if self._consumer is not None:
            self._lose(Unavailable(f"{self._what}: the connection broke"))
        if not self._reconnection.over(until):
            return None
        consumer = _Consumer(self._what, self._settings, self._queue)
        try:
            consumer.open(self._prefetch, declare=self._declare, bindings=self._bindings)
        except Unavailable as error:
            consumer.close()
            self._reconnection.fail(error)
            return None
        except HubError:
            consumer.close()
            raise
        self._reconnection.succeed()
        self._consumer = consumer
        return consumer

    def _lose(self, error: Unavailable) -> None:
        self.close()
        self._reconnection.fail(error)

    def _message(self, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> Message:
        headers = _headers(properties)
        if method.redelivered:
            headers["redelivered"] = "true"
        body = _plain(body, headers)
        return Message(
            system=self._system, body=body, at=self._now(), id=self._ids(), door=self._door,
            content_type=properties.content_type or "", headers=MappingProxyType(headers),
            path=f"{method.exchange}/{method.routing_key}",
        )  # fmt: skip


class AmqpReceived:
    """One message of a queue that waits for its verdict."""

    __slots__ = ("_consumer", "_tag", "message")

    def __init__(self, message: Message, tag: int, consumer: "_Consumer") -> None:
        self.message = message
        self._tag = tag
        self._consumer = consumer

    def accept(self) -> None:
        """Acknowledge it, together with others of its batch. Raises Unavailable: then it comes again."""
        self._consumer.accept(self._tag)

    def reject(self, reason: str) -> None:
        """To the queue's dead-letter exchange; a queue without one drops it. Raises Unavailable."""
        self._consumer.give_back(self._tag, requeue=False)

    def defer(self) -> None:
        """Back into the queue; it comes again at once. Harmless when the connection is gone."""
        try:
            self._consumer.give_back(self._tag, requeue=True)
        except Unavailable:
            return  # the broker has it back already


class AmqpConnector:
    """Publishes to one broker. Safe to share between threads, which take turns.

    A message's path is `exchange/routing.key`; either may be empty, and an empty exchange takes the name of a queue as
    the routing key. Headers that are properties of AMQP become those, the others its headers.
    """

    def __init__(
        self,
        url: str,
        *,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        timeout: float,
        username: str = "",
        password: str = "",
        ca: str = "",
        certificate: str = "",
        key: str = "",
    ) -> None:
        self._settings = settings_of(url, "gridhub", timeout, username, password, ca, certificate, key)
        self._ids, self._now = ids, now
        self._lock = threading.Lock()
        self._link: PublishingLink | None = None

    def seal(self, message: Message) -> Message:
        """The message as it goes on the wire: here already what the adapter wrote."""
        return message

    def send(self, message: Message) -> Message:
        """Publish persistently and return the broker's word.

        200: it is in every queue it belongs to. 404: no queue wants it, or there is no such exchange; 403 and 406:
        refused. Raises Unavailable when it was not sent or not taken, InDoubt when no confirmation came in time, and
        ContractViolation when path or headers cannot be sent.
        """
        exchange, _, routing_key = message.path.partition("/")
        if "/" not in message.path or not (_is_name(exchange) and _is_name(routing_key)):
            raise ContractViolation(f"{message.system}: the path must look like exchange/routing.key", at="path")
        with self._lock:
            link = self._connected(message.system)
            try:
                outcome = link.publish(exchange, routing_key, message.body, _properties(message))
            except HubError:
                self._close()
                raise
        return Message(
            system=message.system, body=b"", at=self._now(), id=self._ids(), door=message.door,
            headers=MappingProxyType({"reason": outcome.reason}), method=message.method, path=message.path,
            status=outcome.status, parent=message.id,
        )  # fmt: skip

    def close(self) -> None:
        """Give back the connection. Harmless twice."""
        with self._lock:
            self._close()

    def _connected(self, system: str) -> PublishingLink:
        if self._link is not None and not self._link.usable():
            self._close()
        if self._link is None:
            self._link = PublishingLink(self._settings, system)
        return self._link

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


_NO_WORD: tuple[type[Exception], ...] = (*BROKEN, Unavailable)

_Delivered = tuple[int, tuple[Basic.Deliver, BasicProperties, bytes]]
"""Delivery tag; what the broker says, what the publisher says, body."""


class _Consumer:
    """One connection that reads one queue, and what was handed out over it; never mended."""

    def __init__(self, what: str, settings: Settings, queue: str) -> None:
        self.broken = False
        self._what = what
        self._settings = settings
        self._queue = queue
        self._waiting: deque[_Delivered] = deque()
        self._handed_out: set[int] = set()
        self._accepted: list[int] = []
        self._connection: BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def open(self, prefetch: int, *, declare: bool, bindings: tuple[tuple[str, str], ...]) -> None:
        """Connect and begin to read. Raises what `ours` says."""
        try:
            self._connection = BlockingConnection(self._settings.parameters)
            self._channel = self._connection.channel()
            self._channel.basic_qos(prefetch_count=prefetch)
            if declare:
                self._channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
            for exchange, routing_key in bindings:
                self._channel.queue_bind(self._queue, exchange, routing_key)
            self._channel.add_on_cancel_callback(self._on_cancel)
            self._channel.basic_consume(self._queue, self._on_message)
        except BROKEN as error:
            self.broken = True
            raise ours(self._what, error) from None

    def take(self, most: int, until: float) -> list[_Delivered]:
        """Up to `most`, as soon as there is one; empty at `until` (monotonic). Raises Unavailable when it breaks."""
        self.flush()
        self._work(0.0)
        while not self._waiting and not self.broken and (left := until - time.monotonic()) > 0:
            self._work(left)
        if self.broken:
            raise Unavailable(f"{self._what}: the broker ended our reading")
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._handed_out.update(tag for tag, _ in taken)
        return taken

    def accept(self, tag: int) -> None:
        self._check()
        self._handed_out.discard(tag)
        self._accepted.append(tag)
        if not self._handed_out:
            self.flush()

    def give_back(self, tag: int, *, requeue: bool) -> None:
        self._check()
        self._handed_out.discard(tag)
        self._tell(lambda channel: channel.basic_nack(tag, requeue=requeue))
        if not self._handed_out:
            self.flush()

    def flush(self) -> None:
        """Acknowledge all that was accepted: in one word as far as nothing older is without a verdict."""
        oldest = min(self._handed_out, default=None)
        together = [tag for tag in self._accepted if oldest is None or tag < oldest]
        alone = [tag for tag in self._accepted if oldest is not None and tag > oldest]
        self._accepted = []
        if together:
            self._tell(lambda channel: channel.basic_ack(max(together), multiple=True))
        for tag in alone:
            self._acknowledge(tag)

    def close(self) -> None:
        """Harmless when the connection is gone."""
        try:
            if not self.broken:
                self.flush()
            if self._connection is not None and self._connection.is_open:
                self._connection.close()
        except _NO_WORD:
            return  # what was not acknowledged comes again
        finally:
            self.broken = True

    def _acknowledge(self, tag: int) -> None:
        self._tell(lambda channel: channel.basic_ack(tag))

    def _check(self) -> None:
        if self.broken:
            raise Unavailable(f"{self._what}: no verdict given, the connection broke")

    def _work(self, seconds: float) -> None:
        assert self._connection is not None
        self._guarded(lambda connection: connection.process_data_events(seconds), self._connection)

    def _tell(self, word: Callable[[BlockingChannel], object]) -> None:
        assert self._channel is not None
        self._guarded(word, self._channel)

    def _guarded(self, work: Callable[[Any], object], on: object) -> None:
        """Raises Unavailable, whatever broke: what the queue is like now, the next connection finds out."""
        try:
            work(on)
        except BROKEN as error:
            self.broken = True
            raise Unavailable(f"{self._what}: the connection broke ({type(error).__name__})") from None

    def _on_message(
        self, _channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        self._waiting.append((int(method.delivery_tag or 0), (method, properties, body)))

    def _on_cancel(self, _frame: object) -> None:
        self.broken = True  # the queue was deleted, or its leader moves


_OURS = frozenset({"oversize", "redelivered", "unreadable"})
"""Headers by which the transport speaks; a publisher cannot say them."""


def _is_name(name: str) -> bool:
    try:
        return len(name.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:
        return False


def _headers(properties: BasicProperties) -> dict[str, str]:
    """The publisher's own headers as text, and over them the properties."""
    given: Mapping[str, object] = properties.headers or {}
    written = ((name.lower(), _written(value)) for name, value in given.items())
    headers = {name: value for name, value in written if value is not None and name not in _OURS}
    for header, name in _PROPERTIES.items():
        value = getattr(properties, name)
        if value is not None:
            headers[header] = f"{value}"
    if properties.timestamp is not None:
        headers["timestamp"] = f"{properties.timestamp}"
    return headers


def _plain(body: bytes, headers: dict[str, str]) -> bytes:
    """The body without its packing; `headers` say when it could not be unpacked, or was cut."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if not body or encoding not in ENCODINGS:
        return body
    try:
        plain = unpacked(body, encoding, MAX_UNPACKED + 1)
    except ValueError:
        headers["unreadable"] = f"the body is not {encoding}, as content-encoding says"
        return body
    del headers["content-encoding"]
    if len(plain) > MAX_UNPACKED:
        headers["oversize"] = f"more than {MAX_UNPACKED}"
    return plain[:MAX_UNPACKED]


def _written(value: object) -> str | None:
    """A typed header as JSON would write it, a time as ISO; None for lists, tables, and bytes that are no text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return f"{value}" if isinstance(value, str | int | float | Decimal) else None


def _properties(message: Message) -> BasicProperties:
    known = {name: message.headers[header] for header, name in _PROPERTIES.items() if header in message.headers}
    given: dict[str, Any] = {"message_id": f"{message.id}", **known}
    return BasicProperties(
        content_type=message.content_type or None, delivery_mode=DeliveryMode.Persistent,
        timestamp=int(message.at.timestamp()),
        headers={name: value for name, value in message.headers.items() if name not in _PROPERTIES}, **given,
    )  # fmt: skip
