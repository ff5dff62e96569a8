"""MQTT 3.1.1 and 5 as devices and their platforms speak it: topics heard with acknowledgement by hand, and publishing.

It must never know what a payload means. The broker keeps the session: what was not acknowledged comes again, after a
broken connection or a restart of ours, to the same client id.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from paho.mqtt.client import MQTTMessage

from canonical.errors import ContractViolation, HubError, Misconfigured, Unavailable
from canonical.message import Message
from connectors.broker import Reconnection
from connectors.mqtt_link import Link, Version, settings_of

MAX_PAYLOAD = 256 * 1024
"""Bytes; a longer payload is cut to them and says its whole length in the header `oversize`."""

_STATUS = {0x87: 403, 0x90: 404, 0x95: 413, 0x99: 415}
"""MQTT 5, 3.4.2.1: what a refused message means: not authorized, topic name, packet too large, payload format."""

_QUOTA_EXCEEDED = 0x97

_OURS = ("dup", "oversize", "retained")
"""Headers by which the transport speaks."""


class MqttReceiver:
    """Hears the filters `topics` of one broker. Made for one thread; a thread of its own keeps the connection alive.

    `qos`: 0 or 1. What 2 promises would end with our process; 1 and a hub that knows repetitions keep it. `share`:
    group name of a shared subscription, so that several receivers part the messages among them, each with its own
    `client_id`. `client_id`: must stay the same for ever, and nobody else's; else what is unacknowledged is lost to us.
    `retained`: False leaves out what a topic said before we listened. `inflight`: most messages kept here for a slow
    hub; then we stop reading, the broker keeps the rest, and of QoS 0 the newest are dropped and counted in `dropped`.

    A filter that was taken out of `topics` stays in the broker's session until the client id changes.
    """

    def __init__(
        self,
        url: str,
        topics: tuple[str, ...],
        *,
        system: str,
        door: str,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        timeout: float,
        qos: int = 1,
        share: str = "",
        client_id: str = "",
        username: str = "",
        password: str = "",
        ca: str = "",
        certificate: str = "",
        key: str = "",
        retained: bool = True,
        version: Version = "3.1.1",
        inflight: int = 1000,
    ) -> None:
        if qos not in {0, 1} or inflight < 1:
            raise Misconfigured(f"{system}: messages are heard with qos 0 or 1, and at least one in flight")
        self._settings = settings_of(
            url, client_id or f"gridhub-{system}-{door}", timeout, username, password, ca, certificate, key, version,
            lasting=True, window=inflight,
        )  # fmt: skip
        self._filters = [_filter(topic, share) for topic in topics]
        if not self._filters:
            raise Misconfigured(f"{system}: a receiver needs at least one topic")
        self._system, self._door, self._ids, self._now = system, door, ids, now
        self._qos = qos
        self._retained = retained
        self._changed = threading.Condition()
        self._inbox = _Inbox(inflight, self._changed)
        self._link: Link | None = None
        self._subscribed = False
        self._reconnection = Reconnection(timeout)

    @property
    def dropped(self) -> int:
        """QoS 0 messages that found the queue full."""
        return self._inbox.dropped

    def receive(self, *, most: int, wait: float) -> Sequence["MqttReceived"]:
        """Up to `most` messages; empty after about `wait` seconds without any, connecting not counted.

        Raises Unavailable when there has been no connection for longer than the time-out, Unauthenticated when the
        broker refuses our credential, Misconfigured when it refuses the client id or a filter.
        """
        until = time.monotonic() + wait
        while True:
            link = self._connected(until)
            if link is not None:
                taken = self._inbox.take(most, until, link)
                if taken:
                    link.wake()  # there is room again
                    return [MqttReceived(self._message(packet), packet, link, self._inbox) for packet in taken]
            if time.monotonic() >= until:
                return []

    def close(self) -> None:
        """Say goodbye; the broker keeps the session and what has no verdict. Harmless twice."""
        if self._link is not None:
            self._link.close()
            self._subscribed |= self._link.subscribed
            self._link = None

    def _connected(self, until: float) -> "Link | None":
        """The connection; None when there is none yet, and it is too early to raise."""
        if self._link is not None:
            if not self._link.broken:
                self._link.check(self._system)
                return self._link
            error = Unavailable(f"{self._system}: the connection broke ({self._link.broken})")
            self.close()
            self._reconnection.fail(error)
        if not self._reconnection.over(until):
            return None
        self._inbox.forget()
        link = Link(self._settings, self._changed, hear=self._hear, has_room=self._inbox.has_room)
        try:
            link.open(self._system)
            if not (self._subscribed and link.session_present):  # subscribing again would bring retained messages again
                link.subscribe(self._system, self._filters, qos=self._qos, retained=self._retained)
        except Unavailable as error:
            link.close()
            self._reconnection.fail(error)
            return None
        except HubError:
            link.close()
            raise
        self._reconnection.succeed()
        self._link = link
        return link

    def _hear(self, link: "Link", packet: MQTTMessage) -> None:
        """In the connection's thread."""
        if packet.retain and not self._retained:
            link.acknowledge(packet)
        else:
            self._inbox.put(packet)

    def _message(self, packet: MQTTMessage) -> Message:
        return Message(
            system=self._system, body=bytes(packet.payload[:MAX_PAYLOAD]), at=self._now(), id=self._ids(),
            door=self._door, content_type=getattr(packet.properties, "ContentType", ""),
            headers=MappingProxyType(_headers(packet)), path=_topic(packet),
        )  # fmt: skip


class MqttReceived:
    """One MQTT message that waits for its verdict."""

    __slots__ = ("_inbox", "_link", "_packet", "message")

    def __init__(self, message: Message, packet: MQTTMessage, link: "Link", inbox: "_Inbox") -> None:
        self.message = message
        self._packet = packet
        self._link = link
        self._inbox = inbox

    def accept(self) -> None:
        """Acknowledge it. Raises Unavailable when its connection is gone: it comes again over the next one."""
        if self._packet.qos == 0:
            return
        if self._link.broken:
            raise Unavailable(f"{self.message.system}: not acknowledged, the connection broke ({self._link.broken})")
        self._link.acknowledge(self._packet)

    def reject(self, reason: str) -> None:
        """As accepted: MQTT has no word for no, and unacknowledged it would come for ever. Raises Unavailable."""
        self.accept()

    def defer(self) -> None:
        """Unacknowledged, it comes again: from our own queue at the next turn, or from the broker once that is gone."""
        self._inbox.put_back(self._packet, self._link)


class MqttConnector:
    """Publishes to one broker. Safe to share between threads.

    A message's path is its topic; header `qos` is 0, 1 or 2 (1 if there is none), header `retain` is `true` or not.
    """

    def __init__(
        self,
        url: str,
        *,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        timeout: float,
        client_id: str = "",
        username: str = "",
        password: str = "",
        ca: str = "",
        certificate: str = "",
        key: str = "",
        version: Version = "3.1.1",
    ) -> None:
        self._settings = settings_of(
            url, client_id, timeout, username, password, ca, certificate, key, version, lasting=False, window=100
        )
        self._ids, self._now = ids, now
        self._lock = threading.Lock()
        self._link: Link | None = None

    def seal(self, message: Message) -> Message:
        """The message as it goes on the wire: here already what the adapter wrote."""
        return message

    def send(self, message: Message) -> Message:
        """Publish and return the broker's word: 200 acknowledged, 202 for QoS 0, which nobody acknowledges.

        A broker of MQTT 5 that refuses gives 403, 404, 413, 415 or 400; one of 3.1.1 cannot refuse a message. Raises
        Unavailable when nothing was sent, InDoubt when no acknowledgement came in time (the connection is given up, so
        that nothing is sent later behind the caller's back), Unauthenticated and Misconfigured as the receiver does,
        and ContractViolation when topic or headers cannot be sent.
        """
        qos = message.headers.get("qos", "1")
        if qos not in {"0", "1", "2"}:
            raise ContractViolation(f"{message.system}: qos is 0, 1 or 2", at="headers.qos")
        if not _is_topic(message.path):
            raise ContractViolation(f"{message.system}: the path is no topic to publish to", at="path")
        link = self._connected(message.system)
        reason = link.publish(message, qos=int(qos), retain=message.headers.get("retain") == "true")
        if reason.value == _QUOTA_EXCEEDED:
            raise Unavailable(f"{message.system}: the broker takes no more for now ({reason.getName()})")
        status = _STATUS.get(reason.value, 400) if reason.is_failure else 202 if qos == "0" else 200
        return Message(
            system=message.system, body=b"", at=self._now(), id=self._ids(), door=message.door,
            headers=MappingProxyType({"reason": reason.getName()}), method=message.method, path=message.path,
            status=status, parent=message.id,
        )  # fmt: skip

    def close(self) -> None:
        """Give back the connection. Harmless twice."""
        with self._lock:
            if self._link is not None:
                self._link.close()
                self._link = None

    def _connected(self, system: str) -> "Link":
        with self._lock:
            if self._link is not None and not self._link.broken:
                return self._link
            if self._link is not None:
                self._link.close()
                self._link = None
            link = Link(self._settings, threading.Condition())
            try:
                link.open(system)
            except HubError:
                link.close()
                raise
            self._link = link
            return link


class _Inbox:
    """What has come and was not handed out yet: bounded, oldest first."""

    def __init__(self, bound: int, changed: threading.Condition) -> None:
        self.dropped = 0
        self._bound = bound
        self._changed = changed
        self._waiting: deque[MQTTMessage] = deque()
        self._deferred: list[tuple[MQTTMessage, Link]] = []
        self._unacknowledged = 0

    def has_room(self) -> bool:
        return self._unacknowledged < self._bound

    def put(self, packet: MQTTMessage) -> None:
        with self._changed:
            if packet.qos:
                self._unacknowledged += 1
            elif len(self._waiting) >= self._bound:
                self.dropped += 1
                return
            self._waiting.append(packet)
            self._changed.notify()

    def put_back(self, packet: MQTTMessage, link: "Link") -> None:
        with self._changed:
            self._deferred.append((packet, link))

    def take(self, most: int, until: float, link: "Link") -> list[MQTTMessage]:
        """Up to `most`, as soon as there is one, or the connection breaks, or `until` (monotonic) has come."""
        with self._changed:
            self._return_deferred(link)
            self._changed.wait_for(lambda: self._waiting or link.broken, timeout=max(0.0, until - time.monotonic()))
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._unacknowledged -= sum(1 for packet in taken if packet.qos)
            return taken

    def forget(self) -> None:
        """The connection is gone: what was to be acknowledged over it comes again over the next one."""
        with self._changed:
            self._waiting = deque(packet for packet in self._waiting if packet.qos == 0)
            self._unacknowledged = 0

    def _return_deferred(self, link: "Link") -> None:
        # Those of a broken connection the broker sends again itself, except QoS 0, which nobody else keeps.
        again = [packet for packet, its_link in self._deferred if its_link is link or packet.qos == 0]
        self._deferred = []
        self._unacknowledged += sum(1 for packet in again if packet.qos)
        self._waiting.extendleft(sorted(again, key=lambda packet: packet.timestamp, reverse=True))


def _filter(topic: str, share: str) -> str:
    """The filter as it is subscribed to. Raises Misconfigured."""
    levels = topic.split("/")
    wild = [level for level in levels if ("+" in level or "#" in level) and level not in {"+", "#"}]
    if wild or "#" in levels[:-1] or not _is_topic(topic.replace("+", "").replace("#", "") or "/"):
        raise Misconfigured(f"'{topic}' is no topic filter")
    if not topic or any(sign in share for sign in "/+#"):
        raise Misconfigured(f"'{share}' and '{topic}' make no shared subscription")
    # MQTT 5, 4.8.2: the whole filter follows the group, a leading `$` included.
    return f"$share/{share}/{topic}" if share else topic


def _is_topic(name: str) -> bool:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= 65535 and not any(sign in name for sign in "+#\0")


def _topic(packet: MQTTMessage) -> str:
    try:
        return packet.topic
    except UnicodeDecodeError:
        return ""  # no broker that keeps to the standard lets it through


def _headers(packet: MQTTMessage) -> dict[str, str]:
    """The publisher's own (MQTT 5), and over them what the transport says."""
    headers = {name.lower(): value for name, value in getattr(packet.properties, "UserProperty", ())}
    for name in _OURS:  # a publisher cannot say these
        headers.pop(name, None)
    headers["qos"] = f"{packet.qos}"
    if packet.retain:
        headers["retained"] = "true"
    if packet.dup:
        headers["dup"] = "true"
    if len(packet.payload) > MAX_PAYLOAD:
        headers["oversize"] = f"{len(packet.payload)}"
    return headers
