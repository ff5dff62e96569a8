"""AMQP 0-9-1 connections over pika, and the one place where pika's exceptions become our errors."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pika import BasicProperties, ConnectionParameters, PlainCredentials, SSLOptions
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.channel import Channel
from pika.connection import Connection
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ConnectionClosedByClient,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    ShortStringTooLong,
)
from pika.frame import Method
from pika.spec import Basic

from canonical.errors import ContractViolation, HubError, InDoubt, Misconfigured, Unauthenticated, Unavailable
from connectors.broker import address, trust

PORTS = {"amqp": 5672, "amqps": 5671}

HEARTBEAT = 60
"""Seconds. The broker gives a connection up after about two of them without a word."""

IDLE_SECONDS = 30.0
"""A publishing connection that was idle for longer is not used again: nobody answered its heartbeats meanwhile."""

GOODBYE_SECONDS = 1.0

# What goes wrong comes to us as an exception and becomes our own event; pika would log it once more, on every try.
logging.getLogger("pika").setLevel(logging.CRITICAL + 1)

BROKEN: tuple[type[Exception], ...] = (AMQPError, AMQPConnectorException, OSError)
"""What pika raises when something is wrong with a connection: a broker that takes it and then says nothing included."""

_CREDENTIALS: tuple[type[Exception], ...] = (AuthenticationError, ProbableAuthenticationError)

_REPLIES: Mapping[int, type[HubError]] = MappingProxyType(
    {
        403: Misconfigured,  # access refused: the account may not do that
        404: ContractViolation,  # no such queue or exchange
        405: Misconfigured,  # resource locked: somebody else's exclusive queue
        406: ContractViolation,  # precondition failed: the queue is declared otherwise
        530: Misconfigured,  # not allowed: no such virtual host, or not for us
    }
)
"""AMQP 0-9-1, 1.2: what the broker's reason for closing means; the rest is Unavailable."""

NOT_TAKEN = frozenset({403, 404, 406})
"""Why a broker closes a channel at a message instead of taking it: the connector answers with this as the status."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach one broker."""

    parameters: ConnectionParameters = field(repr=False)
    timeout: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a published message: 200 confirmed, or the broker's reason not to take it."""

    status: int
    reason: str


def settings_of(
    url: str, name: str, timeout: float, username: str, password: str, ca: str, certificate: str, key: str
) -> Settings:
    """Checked settings; `name` is what the broker's operators see. Raises Misconfigured."""
    place = address(url, PORTS)
    parameters = ConnectionParameters(
        host=place.host, port=place.port, virtual_host=place.path or "/",
        credentials=PlainCredentials(username, password),
        ssl_options=SSLOptions(trust(ca, certificate, key), place.host) if place.secure else None,
        heartbeat=HEARTBEAT, connection_attempts=1, socket_timeout=timeout, stack_timeout=timeout,
        blocked_connection_timeout=timeout, client_properties={"connection_name": name},
    )  # fmt: skip
    return Settings(parameters, timeout)


def ours(what: str, error: BaseException) -> HubError:
    """Our error for one of pika's or the system's; `what` names system and queue. The broker's texts name no body."""
    if isinstance(error, _CREDENTIALS):
        return Unauthenticated(f"{what}: the broker does not accept our name and password")
    if isinstance(error, ProbableAccessDeniedError):
        return Misconfigured(f"{what}: the broker gives us no access to the virtual host")
    if isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker):
        kind = _REPLIES.get(error.reply_code, Unavailable)
        return kind(f"{what}: {error.reply_code} {error.reply_text}")
    return Unavailable(f"{what}: no connection ({type(error).__name__})")


class PublishingLink:
    """One connection with publisher confirms, driven by whoever calls; one message at a time; never mended.

    Raises Unavailable, Unauthenticated and Misconfigured when it cannot be opened.
    """

    def __init__(self, settings: Settings, system: str) -> None:
        self._system = system
        self._timeout = settings.timeout
        self._failure: BaseException | None = None
        self._expired = False
        self._channel: Channel | None = None
        self._ready = False
        self._blocked = False
        self._closed = False
        self._outcome: Outcome | None = None
        self._returned = ""
        self._used_at = time.monotonic()
        self._loop = IOLoop()
        self._loop.activate_poller()
        self._connection = _Connection(
            settings.parameters, self._on_open, self._on_failure, self._on_failure, custom_ioloop=self._loop
        )
        self._run(lambda: self._ready, self._timeout)
        if not self._ready:
            failure = self._failure
            self.close()
            if failure is None:
                raise Unavailable(f"{system}: the broker did not answer in {self._timeout:g} seconds")
            raise ours(system, failure) from None

    def usable(self) -> bool:
        """False when it broke, or was idle for too long."""
        self._run(lambda: False, 0.0)  # notice what happened meanwhile
        return self._failure is None and time.monotonic() - self._used_at < IDLE_SECONDS

    def publish(self, exchange: str, routing_key: str, body: bytes, properties: BasicProperties) -> Outcome:
        """Publish and wait for the word of the broker.

        Raises Unavailable when the broker does not take it, InDoubt when no word came, ContractViolation when the
        properties cannot be sent.
        """
        if self._blocked:
            raise Unavailable(f"{self._system}: the broker takes no messages for now, it is short of memory or disk")
        assert self._channel is not None
        self._outcome, self._returned = None, ""
        self._used_at = time.monotonic()
        try:
            with self._connection.together():
                self._channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)
        except (ShortStringTooLong, UnicodeError):
            raise ContractViolation(f"{self._system}: a header cannot be sent", at="headers") from None
        except AMQPError as error:  # nothing has left us: the channel was closed
            raise Unavailable(f"{self._system}: not sent ({type(error).__name__})") from None
        self._run(lambda: self._outcome is not None, self._timeout)
        outcome = self._outcome or _refusal(self._failure)
        if outcome is None:
            why = "time-out" if self._failure is None else type(self._failure).__name__
            raise InDoubt(f"{self._system}: sent, and no confirmation came ({why})")
        if outcome.status == 0:
            raise Unavailable(f"{self._system}: the broker could not take the message")
        return outcome

    def close(self) -> None:
        """Say goodbye, or hang up if nobody answers. Harmless twice."""
        if self._closed:
            return
        self._closed = True
        if self._connection.is_open:
            self._connection.close()
            self._wind_down()
        if not self._connection.is_closed:
            hang_up(self._connection)
            self._wind_down()
        self._loop.deactivate_poller()
        self._loop.close()

    def _wind_down(self) -> None:
        self._failure = None
        self._run(lambda: bool(self._connection.is_closed), GOODBYE_SECONDS)

    def _run(self, done: Callable[[], bool], seconds: float) -> None:
        """Let the connection work until it is done, or has failed, or the time is over."""
        self._expired = False
        timer = self._loop.call_later(seconds, self._expire)
        try:
            while not (done() or self._expired or self._failure is not None):
                self._loop.poll()
                self._loop.process_timeouts()
        except (AMQPError, OSError) as error:  # the broker broke the protocol
            self._failure = error
        self._loop.remove_timeout(timer)

    def _expire(self) -> None:
        self._expired = True

    def _on_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._block(blocked=True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._block(blocked=False))
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_failure)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_word, callback=self._on_confirming)

    def _on_confirming(self, _answer: object) -> None:
        self._ready = True

    def _on_return(self, _channel: Channel, method: Basic.Return, _properties: object, _body: bytes) -> None:
        self._returned = f"{method.reply_text}"

    def _on_word(self, frame: Method[Any]) -> None:
        if isinstance(frame.method, Basic.Nack):
            self._outcome = Outcome(0, "not taken")
        elif self._returned:
            self._outcome = Outcome(404, self._returned)
        else:
            self._outcome = Outcome(200, "confirmed")

    def _on_failure(self, _where: object, error: BaseException) -> None:
        self._failure = self._failure or error

    def _block(self, *, blocked: bool) -> None:
        self._blocked = blocked


class _Connection(SelectConnection):
    """With a way to send many frames as one piece: pika sends each of a message's three by itself."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 pika's own
        self._held: list[bytes] | None = None
        super().__init__(*given, **named)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is said inside leaves as one piece at the end."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held and self.is_open:
                self._adapter_emit_data(b"".join(held))

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
        else:
            super()._adapter_emit_data(data)  # type: ignore[misc]


def hang_up(connection: Connection) -> None:
    """Let go of a broker that answers nothing; pika's own `close` waits for an answer. Raises what is in BROKEN."""
    # For subclasses of pika, hence not in its published types.
    connection._terminate_stream(ConnectionClosedByClient(200, "given up"))  # type: ignore[attr-defined]


def _refusal(failure: BaseException | None) -> Outcome | None:
    if isinstance(failure, ChannelClosedByBroker) and failure.reply_code in NOT_TAKEN:
        return Outcome(failure.reply_code, failure.reply_text)
    return None
