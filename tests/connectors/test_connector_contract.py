"""What every connector promises, whatever the other side does: real sockets that behave well or badly.

The suite finds the connectors by itself; one that nobody has described in TRANSPORTS fails. What all of them promise
comes first, then what those promise that speak HTTP.
"""

import importlib
import inspect
import pkgutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import connectors
from canonical.errors import ContractViolation, HubError, InDoubt, Misconfigured, Unavailable
from canonical.message import Message
from canonical.time import SHANGHAI
from connectors.http import MAX_ANSWER
from tests.connectors.peers import FORMS, Awaited, Behaviour, Form, Wire, answers, served

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
GREETING = Path(__file__).with_name("greeting.wsdl")
TIMEOUT = 0.5


def connector_classes() -> list[type]:
    """Every class in the package that has the three methods of a connector."""
    modules = [
        importlib.import_module(f"connectors.{module.name}") for module in pkgutil.iter_modules(connectors.__path__)
    ]
    found = [
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and all(hasattr(kind, name) for name in ("seal", "send", "close"))
    ]
    return sorted(found, key=lambda kind: kind.__name__)


@dataclass(frozen=True, slots=True)
class Transport:
    """How a connector is made, and a message that it can seal."""

    address: str
    """With `{place}` for host and port."""
    message: Mapping[str, Any]
    settings: Mapping[str, object] = field(default_factory=dict)
    http: bool = False


HOST_KEY = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
ACCOUNT = {"username": "gridhub", "password": "only-for-tests"}
TRANSPORTS: Mapping[str, Transport] = {
    "AmqpConnector": Transport("amqp://{place}", {"path": "/queue"}, ACCOUNT),
    "FileConnector": Transport("sftp://{place}/drop", {"path": "a.json"}, {**ACCOUNT, "host_key": HOST_KEY}),
    "HttpConnector": Transport("http://{place}", {"path": "/service"}, http=True),
    "MqttConnector": Transport("mqtt://{place}", {"path": "a/topic"}, ACCOUNT),
    "SoapConnector": Transport(
        "http://{place}", {"path": "/service#Greet"}, {"wsdls": {"/service": GREETING}}, http=True
    ),
    "TableConnector": Transport(
        "postgresql+psycopg://gridhub:only-for-tests@{place}/desk", {"path": "letters"}, {"zone": SHANGHAI}
    ),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A connector class, and how it is called: from a thread, or from an event loop where it can be."""

    connector: type
    form: Form | None

    @property
    def transport(self) -> Transport:
        return TRANSPORTS[self.connector.__name__]

    def __str__(self) -> str:
        return self.connector.__name__ + (f"-{self.form}" if self.form else "")


def kinds() -> list[Kind]:
    """Every class in every form that it has."""
    return [
        Kind(connector, form)
        for connector in connector_classes()
        for form in (None, *(FORMS if hasattr(connector, "exchange") else ()))
    ]


def built(kind: Kind, address: str, *, timeout: float = TIMEOUT) -> Wire:
    """A connector of that class to this address."""
    made: Any = kind.connector(address, timeout=timeout, ids=uuid4, now=lambda: AT, **kind.transport.settings)
    wire: Wire = Awaited(made, kind.form) if kind.form else made
    return wire


def message_for(kind: Kind) -> Message:
    """A message this connector can seal."""
    body = '{"first": "你好"}'.encode()
    return Message(
        system="greeting", body=body, at=AT, id=UUID(int=7), content_type="application/json",
        **kind.transport.message,
    )  # fmt: skip


@pytest.fixture(params=kinds(), ids=str)
def each(request: pytest.FixtureRequest) -> Kind:
    """Each connector class in turn, in each of its forms."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(params=[kind for kind in kinds() if kind.transport.http], ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each connector class that speaks HTTP, in each of its forms."""
    chosen: Kind = request.param
    return chosen


def at(kind: Kind, place: str) -> Wire:
    """A connector to whatever is at `place`, host and port."""
    return built(kind, kind.transport.address.format(place=place))


def sent(kind: Kind, behaviour: Behaviour, *, timeout: float = TIMEOUT) -> Message:
    """The answer of a server that behaves like this."""
    with served(behaviour) as url:
        wire = built(kind, url, timeout=timeout)
        try:
            return wire.send(wire.seal(message_for(kind)))
        finally:
            wire.close()


# Every transport


def test_each_connector_is_described_here_and_no_other() -> None:
    assert {kind.__name__ for kind in connector_classes()} == set(TRANSPORTS)


def test_each_that_can_be_awaited_is_tested_so() -> None:
    awaited = {kind.connector.__name__ for kind in kinds() if kind.form}
    assert awaited == {name for name, transport in TRANSPORTS.items() if transport.http}


def test_sealing_reaches_nobody_and_keeps_what_the_message_is(each: Kind) -> None:
    wire, message = at(each, "no-such-host.invalid"), message_for(each)
    sealed = wire.seal(message)
    wire.close()

    assert (sealed.id, sealed.system, sealed.at) == (message.id, message.system, message.at)
    assert wire.seal(message) == sealed


def test_where_nobody_listens_it_is_unavailable(each: Kind, free_port: Callable[[], int]) -> None:
    wire = at(each, f"127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        wire.send(wire.seal(message_for(each)))
    wire.close()


def test_a_host_nobody_knows_is_unavailable(each: Kind) -> None:
    wire = at(each, "no-such-host.invalid")
    with pytest.raises(Unavailable):
        wire.send(wire.seal(message_for(each)))
    wire.close()


@contextmanager
def mute(*, hangs_up: bool) -> Iterator[str]:
    """A server that takes connections and never says a word; host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as connections:

        def serve() -> None:
            while True:
                try:
                    connection = connections.enter_context(listener.accept()[0])
                except OSError:
                    return
                if hangs_up:
                    connection.close()

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_server_without_a_word_is_unavailable_or_in_doubt_and_no_secret_is_told(each: Kind, hangs_up: bool) -> None:
    with mute(hangs_up=hangs_up) as place:
        wire = at(each, place)
        with pytest.raises((Unavailable, InDoubt)) as caught:
            wire.send(wire.seal(message_for(each)))
        wire.close()

    if isinstance(caught.value, InDoubt):
        assert each.transport.http  # only HTTP speaks first
    else:
        assert hangs_up or not each.transport.http  # who hangs up at once can be seen to have taken nothing
    assert "only-for-tests" not in f"{caught.value}"
    assert "你好" not in f"{caught.value}"


@pytest.mark.parametrize("address", ["", "city.example", "gopher://city.example", "://", "http://[::1"])
def test_an_address_of_no_use_is_misconfigured_when_the_connector_is_made(each: Kind, address: str) -> None:
    with pytest.raises(Misconfigured):
        built(each, address)


def test_it_may_be_closed_twice_used_or_not(each: Kind, free_port: Callable[[], int]) -> None:
    wire = at(each, f"127.0.0.1:{free_port()}")
    wire.close()
    wire.close()


# Those that speak HTTP


def test_what_is_sealed_is_what_goes_on_the_wire(kind: Kind) -> None:
    requests: list[bytes] = []

    def note(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        answers("200 OK")(connection, request)

    with served(note) as url:
        wire = built(kind, url + "/base/")
        sealed = wire.seal(replace(message_for(kind), headers={"x-token": "t1"}))
        wire.send(sealed)
        wire.close()

    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.decode().splitlines()
    names = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in lines[1:]}
    assert lines[0] == "POST /base/service HTTP/1.1"
    assert body == sealed.body
    assert names["content-type"] == sealed.content_type
    assert names["x-token"] == "t1"
    assert names["accept-encoding"] == "identity"
    assert {name: names[name] for name in sealed.headers} == sealed.headers


def test_an_answer_knows_what_it_answers(kind: Kind) -> None:
    answer = sent(kind, answers("200 OK", "Content-Type: text/plain", "Retry-After: 5", body="好".encode()))

    assert (answer.status, answer.body, answer.content_type) == (200, "好".encode(), "text/plain")
    assert answer.headers["retry-after"] == "5"
    assert answer.parent == message_for(kind).id != answer.id
    assert (answer.at, answer.system) == (AT, "greeting")


@pytest.mark.parametrize(
    "status", ["201 Created", "302 Found", "401 Unauthorized", "429 Too Many", "500 Oops", "503 No"]
)
def test_an_answer_of_any_status_is_returned_and_no_redirect_followed(kind: Kind, status: str) -> None:
    requests: list[bytes] = []

    def note(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        answers(status, "Location: /elsewhere", body=b"<fault/>")(connection, request)

    answer = sent(kind, note)

    assert (answer.status, answer.body, len(requests)) == (int(status[:3]), b"<fault/>", 1)


def test_a_server_without_tls_is_unavailable_over_https(kind: Kind) -> None:
    with served(answers("200 OK")) as url:
        wire = built(kind, url.replace("http:", "https:"))
        with pytest.raises(Unavailable):
            wire.send(wire.seal(message_for(kind)))
        wire.close()


def _says_nothing(connection: socket.socket, _request: bytes) -> None:
    connection.recv(1)  # until the connector hangs up


def _cuts(_connection: socket.socket, _request: bytes) -> None:
    """Closes after reading the request."""


def _resets(connection: socket.socket, _request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def _answers_half(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def _drips(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b".")
        time.sleep(TIMEOUT / 5)


def _never_ends(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"." * 1_000_000)


def _quotes_a_person(connection: socket.socket, _request: bytes) -> None:
    connection.sendall("张某某 13800000001\r\n\r\n".encode())


@pytest.mark.parametrize(
    "behaviour", [_says_nothing, _cuts, _resets, _answers_half, _drips, _never_ends, _quotes_a_person]
)
def test_a_message_sent_without_a_whole_answer_is_in_doubt(kind: Kind, behaviour: Behaviour) -> None:
    begin = time.monotonic()
    with pytest.raises(InDoubt) as caught:
        sent(kind, behaviour)

    assert time.monotonic() - begin < 10 * TIMEOUT
    assert "138" not in f"{caught.value}"
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_largest_answer_is_read(kind: Kind) -> None:
    assert len(sent(kind, answers("200 OK", body=b"." * MAX_ANSWER), timeout=10).body) == MAX_ANSWER


def test_a_larger_answer_is_in_doubt(kind: Kind) -> None:
    with pytest.raises(InDoubt, match="larger"):
        sent(kind, answers("200 OK", body=b"." * (MAX_ANSWER + 1)), timeout=10)


def test_an_idle_connection_the_server_has_dropped_is_not_used(kind: Kind) -> None:
    """Keep-alive answered, then closed: the next message goes over a new connection and is not in doubt."""

    def keep_then_close(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with served(keep_then_close) as url:
        wire = built(kind, url)
        for _ in range(3):
            assert wire.send(wire.seal(message_for(kind))).status == 200
            time.sleep(0.05)
        wire.close()


def test_threads_may_share_a_connector(kind: Kind) -> None:
    """Each thread gets the answer to its own message."""

    def echo(connection: socket.socket, request: bytes) -> None:
        answers("200 OK", body=request.partition(b"\r\n\r\n")[2])(connection, request)

    with served(echo) as url, ThreadPoolExecutor(8) as pool:
        wire = built(kind, url, timeout=10)
        messages = [replace(message_for(kind), body=f'{{"first": "{number}"}}'.encode()) for number in range(64)]
        sealed = [wire.seal(message) for message in messages]
        assert [answer.body for answer in pool.map(wire.send, sealed)] == [message.body for message in sealed]
        wire.close()


@pytest.mark.parametrize("address", ["", "city.example", "ftp://city.example", "http://", "http://city.example/?a=1"])
def test_an_address_that_is_none_is_misconfigured(kind: Kind, address: str) -> None:
    with pytest.raises(Misconfigured):
        built(kind, address)


@pytest.mark.parametrize("path", ["@127.0.0.2/service", ".evil.example/", "service", "http://evil.example/"])
def test_a_path_cannot_lead_to_another_host(kind: Kind, path: str) -> None:
    wire = built(kind, "http://127.0.0.1:9")
    sealed = replace(wire.seal(message_for(kind)), path=path)
    with pytest.raises(ContractViolation):
        wire.send(sealed)
    wire.close()


@pytest.mark.parametrize("value", ["two\r\nlines", "中文", "\x00"])
def test_a_header_that_cannot_be_sent_is_no_transport_trouble(kind: Kind, value: str) -> None:
    with served(answers("200 OK")) as url:
        wire = built(kind, url)
        sealed = wire.seal(message_for(kind))
        with pytest.raises(ContractViolation) as caught:
            wire.send(replace(sealed, headers={**sealed.headers, "x-name": value}))
        wire.close()
    assert isinstance(caught.value, HubError)
    assert value not in f"{caught.value}"
