"""One MQTT connection over paho, and the one place where paho's answers become our errors."""

import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from canonical.errors import HubError, InDoubt, Misconfigured, Unauthenticated, Unavailable
from canonical.message import Message
from connectors.broker import Address, address, trust

PORTS = {"mqtt": 1883, "mqtts": 8883}

KEEPALIVE = 60
"""Seconds. A queue that stays full for longer costs the connection; nothing is lost by it."""

GOODBYE_SECONDS = 1.0
"""How long the last acknowledgements may take when we leave; what does not get through comes again."""

_NEVER = 0xFFFFFFFF  # MQTT 5, 3.1.2.11.2: the session does not expire, as in 3.1.1

_REFUSALS: dict[int, type[HubError]] = {
    0x84: Misconfigured,  # unsupported protocol version
    0x85: Misconfigured,  # client identifier not valid
    0x86: Unauthenticated,  # bad user name or password
    0x87: Unauthenticated,  # not authorized
    0x8A: Misconfigured,  # banned
    0x8C: Unauthenticated,  # bad authentication method
}
"""MQTT 5, 3.2.2.2: what a refused connection means; the rest is Unavailable. The codes of 3.1.1 arrive as these."""

Version = Literal["3.1.1", "5"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach one broker, as one client."""

    address: Address
    client_id: str
    timeout: float
    username: str
    password: str = field(repr=False)
    trust: ssl.SSLContext | None
    five: bool
    """MQTT 5, not 3.1.1."""
    lasting: bool
    """The broker keeps the session while we are away."""
    window: int
    """Most messages unanswered at a time; MQTT 3.1.1 cannot tell the broker."""


def settings_of(
    url: str, client_id: str, timeout: float, username: str, password: str, ca: str, certificate: str, key: str,
    version: str, *, lasting: bool, window: int,
) -> Settings:  # fmt: skip
    """Checked settings. Raises Misconfigured."""
    if version not in {"3.1.1", "5"}:
        raise Misconfigured(f"MQTT has no version '{version}' here: 3.1.1 or 5")
    place = address(url, PORTS)
    context = trust(ca, certificate, key) if place.secure else None
    if context is not None:
        context.sslsocket_class = _Socket
    return Settings(
        address=place, client_id=client_id, timeout=timeout, username=username, password=password,
        trust=context, five=version == "5", lasting=lasting, window=window,
    )  # fmt: skip


class Link:
    """One connection, served by a thread of its own until it breaks; never used again after that.

    Only that thread reads and writes: an acknowledgement can therefore never slip into the next connection, where its
    number may mean another message.
    """

    def __init__(
        self,
        settings: Settings,
        changed: threading.Condition,
        *,
        hear: Callable[["Link", MQTTMessage], None] = lambda _link, _packet: None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.broken = ""
        """Why the connection is gone; empty while it is not."""
        self.session_present = False
        self.subscribed = False
        self._settings = settings
        self._changed = changed
        self._hear = hear
        self._has_room = has_room
        self._refusal: ReasonCode | None = None
        self._open = False
        self._filters: list[str] = []
        self._refused: list[str] = []
        self._published: dict[int, ReasonCode] = {}
        self._acknowledged: deque[MQTTMessage] = deque()
        self._give_up_at = float("inf")
        self._leaving = False
        self._awake = False
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name=f"mqtt-{settings.client_id}", daemon=True)
        self._client = self._made()

    def open(self, system: str) -> None:
        """Connect. Raises Unavailable, Unauthenticated, Misconfigured."""
        broker = self._settings.address
        try:
            self._client.connect(broker.host, broker.port, KEEPALIVE, **self._session())
        except OSError as error:  # ssl.SSLError is one
            raise Unavailable(f"{system}: no connection ({type(error).__name__}: {error})") from None
        except UnicodeError:
            raise Misconfigured(f"{system}: the broker's host name cannot be one") from None
        self._thread.start()
        self._await(lambda: self._open)
        if self._refusal is not None:
            kind = _REFUSALS.get(self._refusal.value, Unavailable)
            raise kind(f"{system}: the broker refused the connection ({self._refusal.getName()})")
        if not self._open:
            raise Unavailable(f"{system}: the broker did not answer ({self.broken or 'time-out'})")

    def subscribe(self, system: str, filters: list[str], *, qos: int, retained: bool) -> None:
        """Subscribe to all filters, and wait for the answer unless so much has come that it stands behind the rest.

        Raises Unavailable, and Misconfigured as `check` does.
        """
        options = SubscribeOptions(qos=qos, retainHandling=1 if retained else 2)
        wanted: Any = [(name, options if self._settings.five else qos) for name in filters]
        self._filters = filters
        self._client.subscribe(wanted)
        self.wake()
        self._await(lambda: self.subscribed or bool(self._refused) or not self._has_room())
        self.check(system)
        if self.broken or not (self.subscribed or not self._has_room()):
            raise Unavailable(f"{system}: the broker did not answer a subscription ({self.broken or 'time-out'})")

    def check(self, system: str) -> None:
        """Raises Misconfigured naming the filters that were refused."""
        if self._refused:
            raise Misconfigured(f"{system}: the broker refused to let us hear {', '.join(self._refused)}")

    def publish(self, message: Message, *, qos: int, retain: bool) -> ReasonCode:
        """Publish, and the broker's word for it. Raises Unavailable when it was not sent, InDoubt without an answer."""
        info = self._client.publish(message.path, message.body, qos, retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unavailable(f"{message.system}: the connection broke ({self.broken})")
        self.wake()
        self._await(lambda: info.mid in self._published)
        reason = self._published.pop(info.mid, None)
        if reason is None:
            why = self.broken or "time-out"
            self._break("a message was not acknowledged in time")
            raise InDoubt(f"{message.system}: sent, and no acknowledgement came ({why})")
        return reason

    def acknowledge(self, packet: MQTTMessage) -> None:
        if packet.qos:
            self._acknowledged.append(packet)
            self.wake()

    def wake(self) -> None:
        """Let the thread look again: at what is to be sent, and whether there is room."""
        if not self._awake:
            self._awake = True
            try:
                self._waker.send(b"!")
            except OSError:
                return  # the thread has ended

    def close(self) -> None:
        """Send what is still to be sent, say goodbye, end the thread."""
        self._give_up_at = time.monotonic() + GOODBYE_SECONDS
        self._leaving = True
        self._awake = False
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._waker.close()
        self._woken.close()

    def _made(self) -> Client:
        settings = self._settings
        client = Client(
            CallbackAPIVersion.VERSION2, settings.client_id,
            clean_session=None if settings.five else not settings.lasting,
            protocol=MQTTProtocolVersion.MQTTv5 if settings.five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False, manual_ack=True,
        )  # fmt: skip
        client.connect_timeout = settings.timeout
        if settings.username:
            client.username_pw_set(settings.username, settings.password)
        if settings.trust is not None:
            client.tls_set_context(settings.trust)
        client.on_socket_register_write = lambda *_: None  # else paho writes in whichever thread asks it to
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = lambda _client, _data, packet: self._hear(self, packet)
        return client

    def _session(self) -> dict[str, Any]:
        if not self._settings.five:
            return {}
        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = min(self._settings.window, 65535)
        if self._settings.lasting:
            properties.SessionExpiryInterval = _NEVER
        return {"clean_start": not self._settings.lasting, "properties": properties}

    def _await(self, done: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: done() or self.broken or self._refusal is not None, timeout=self._settings.timeout
            )

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            try:
                while self._turn(selector):
                    pass
            finally:
                left = self._client.socket()
                if left is not None:
                    left.close()
                self._break("closed")

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """Move what can be moved, waiting up to a second for it. False when the connection has ended."""
        wire: Any = self._client.socket()
        if wire is None or self.broken or time.monotonic() > self._give_up_at:
            return False
        room = self._has_room()
        buffered = room and isinstance(wire, ssl.SSLSocket) and wire.pending() > 0
        sending = self._client.want_write()
        _watch(selector, wire, selectors.EVENT_READ * room | selectors.EVENT_WRITE * sending)
        ready = {key.fileobj: events for key, events in selector.select(0 if buffered else 1.0)}
        if self._woken in ready:
            self._woken.recv(4096)
            self._awake = False  # from here on a new wish wakes us again
        leaving = self._leaving  # asked first: what was acknowledged before the wish to leave is then sent before it
        while self._acknowledged:
            packet = self._acknowledged.popleft()
            self._client.ack(packet.mid, packet.qos)
        if leaving:
            self._leaving = False
            self._client.disconnect()
        if buffered or ready.get(wire, 0) & selectors.EVENT_READ:
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        return True

    def _break(self, why: str) -> None:
        with self._changed:
            self.broken = self.broken or why
            self._changed.notify_all()

    def _on_connect(
        self, _client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            if reason.is_failure:
                self._refusal = reason
            else:
                self.session_present = flags.session_present
                self._open = True
            self._changed.notify_all()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        self._break(reason.getName())

    def _on_subscribe(
        self, _client: Client, _data: object, _number: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        answers = list(zip(self._filters, reasons, strict=False))
        with self._changed:
            self._refused = [f"{name} ({reason.getName()})" for name, reason in answers if reason.is_failure]
            self.subscribed = not self._refused
            self._changed.notify_all()

    def _on_publish(self, _client: Client, _data: object, number: int, reason: ReasonCode, _properties: object) -> None:
        with self._changed:
            self._published[number] = reason
            self._changed.notify_all()


class _Socket(ssl.SSLSocket):
    """Closed when the handshake fails; paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _watch(selector: selectors.BaseSelector, wire: socket.socket, events: int) -> None:
    """A selector cannot watch for nothing."""
    known = wire in selector.get_map()
    if events and known:
        selector.modify(wire, events)
    elif events:
        selector.register(wire, events)
    elif known:
        selector.unregister(wire)
