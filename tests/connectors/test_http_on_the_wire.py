"""What HTTP's bytes may look like: what we write, and whatever servers answer, called from threads and from loops."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.errors import ContractViolation, InDoubt, Unavailable
from canonical.message import Message
from connectors.http import HttpConnector
from connectors.http_line import MAX_HEAD
from connectors.http_wire import Form as Written
from tests.connectors.peers import FORMS, Awaited, Behaviour, Form, Wire, served, whole_request

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
TIMEOUT = 0.5
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Opened = Callable[..., Wire]


@pytest.fixture(params=(None, *FORMS), ids=lambda form: str(form or "threads"))
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Makes connectors, in each form; closes them."""
    form: Form | None = request.param
    made: list[Wire] = []

    def make(url: str, *, timeout: float = TIMEOUT, **more: Any) -> Wire:
        connector = HttpConnector(url, timeout=timeout, ids=uuid4, now=lambda: AT, **more)
        made.append(Awaited(connector, form) if form else connector)
        return made[-1]

    yield make
    for wire in made:
        wire.close()


def message(body: bytes = b"{}", **changes: Any) -> Message:
    given: Mapping[str, Any] = {"path": "/orders", "content_type": "application/json", **changes}
    return Message(system="landscape", body=body, at=AT, id=UUID(int=7), **given)


def says(*pieces: bytes, between: float = 0.0) -> Behaviour:
    """A server that answers these bytes and closes."""

    def behaviour(connection: socket.socket, _request: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(between)

    return behaviour


@contextmanager
def counting(answer: Callable[[int, int], bytes]) -> Iterator[tuple[str, list[int]]]:
    """A server that keeps its connections: (connection, request of it) to bytes; none hangs up. Notes connections."""
    requests: list[int] = []
    connections: list[socket.socket] = []

    def behaviour(connection: socket.socket, _first: bytes) -> None:
        number = len(connections)
        connections.append(connection)
        for nth in range(100):
            requests.append(number)
            told = answer(number, nth)
            if not told:
                return
            connection.sendall(told)
            if not whole_request(connection):
                return

    with served(behaviour) as url:
        yield url, requests
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


# What we write


def test_a_request_is_what_the_message_says_and_four_headers_of_ours() -> None:
    form = Written("http://city.example:8080/base")
    request = form.request(
        message(b"1", path="/a?b=%E4%BA%95", headers={"X-appKey": "k 1", "ACCEPT": "text/xml"}), None
    )
    assert request.head.split(b"\r\n") == [
        b"POST /base/a?b=%E4%BA%95 HTTP/1.1", b"Host: city.example:8080", b"Connection: keep-alive",
        b"user-agent: gridhub", b"ACCEPT: text/xml", b"accept-encoding: identity", b"X-appKey: k 1",
        b"content-type: application/json", b"Content-Length: 1", b"", b"",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "length"), [("POST", True), ("put", True), ("PATCH", True), ("GET", False), ("DELETE", False)]
)
def test_no_body_is_said_only_where_one_is_expected(method: str, length: bool) -> None:
    head = Written("http://city.example").request(message(b"", method=method), None).head
    assert head.startswith(method.upper().encode() + b" /orders HTTP/1.1\r\n")
    assert (b"Content-Length: 0\r\n" in head) is length


@settings(max_examples=200)
@given(
    base=st.sampled_from(["http://h", "http://h/base", "http://h/a%20b", "http://h/井", "http://h/a/./b"]),
    path=st.from_regex(r"[/?][/?.%#&=;:@+'\"\\ \[\]a-z0-9A-F井é~_-]{0,12}", fullmatch=True) | st.just(""),
)
def test_a_path_goes_out_as_the_url_library_writes_it(base: str, path: str) -> None:
    assert Written(base)._target(message(path=path)) == httpx.URL(base + path).raw_path


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"a b": "1"}},
        {"headers": {"": "1"}},
        {"headers": {"x": " 1"}},
        {"headers": {"x": "é"}},
        {"headers": {"x": "1\n"}},
        {"headers": {"content-length": "7"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"content_type": "a\r\nx: y"},
        {"method": "GET /"},
        {"method": ""},
        {"path": "/a\n"},
        {"path": "/\ud800"},
        {"path": "/" + "a" * 70_000},
    ],
)
def test_what_cannot_be_sent_is_refused_and_reaches_nobody(opened: Opened, changes: dict[str, Any]) -> None:
    with counting(lambda *_: OK) as (url, requests):
        with pytest.raises(ContractViolation) as caught:
            opened(url).send(message(**changes))
        assert caught.value.at in {"headers", "path", "method"}
        assert requests == []


def test_a_user_in_the_address_is_shown_and_takes_the_place_of_a_messages_own(opened: Opened) -> None:
    seen: list[bytes] = []

    def note(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        connection.sendall(OK)

    with served(note) as url:
        opened(url.replace("//", "//u:p%40@")).send(message(headers={"Authorization": "own"}))
    assert [line for line in seen[0].split(b"\r\n") if b"uthorization" in line] == [b"authorization: Basic dTpwQA=="]
    assert b"\r\nHost: 127.0.0.1:" in seen[0]


def test_the_environment_changes_no_way(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with served(says(OK)) as url:
        assert opened(url).send(message()).body == b"ok"


# Whole answers

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("pieces", "status", "body"),
    [
        ([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK], 200, b"ok"),
        ([b"HTTP/1.1 102 Processing\r\n\r\n"] * 5 + [OK], 200, b"ok"),
        ([CHUNKED + b"\r\n1\r\no\r\n1;ext=1\r\nk\r\n0\r\nx-after: 1\r\n\r\n"], 200, b"ok"),
        ([CHUNKED + b"Content-Length: 99\r\n\r\n2\r\nok\r\n0\r\n\r\n"], 200, b"ok"),
        ([CHUNKED + b"\r\n2 \r\nok\r\n0\r\n\r\n"], 200, b"ok"),
        ([b"HTTP/1.1 200 OK\r\n\r\n", b"o", b"k"], 200, b"ok"),
        ([b"HTTP/1.0 200 OK\r\n\r\nok"], 200, b"ok"),
        ([b"HTTP/1.0 500\r\nContent-Length: 2\r\n\r\nok"], 500, b"ok"),
        ([b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"], 200, b"ok"),
        ([b"HTTP/1.1 200 \xb3\xc9\xb9\xa6\r\nContent-Length: 2\r\n\r\nok"], 200, b"ok"),
        ([bytes([byte]) for byte in OK], 200, b"ok"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"], 304, b""),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], 200, b""),
        ([b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok"], 200, b"ok"),
        ([b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n\x00\x01"], 101, b""),
        ([OK + b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n"], 200, b"ok"),
    ],
    ids=range(17),
)
def test_answers_of_all_shapes_are_read(opened: Opened, pieces: list[bytes], status: int, body: bytes) -> None:
    with served(says(*pieces, between=0.002)) as url:
        answer = opened(url).send(message())
    assert (answer.status, answer.body) == (status, body)
    assert not {"link", "x-after"} & set(answer.headers)  # of other heads, or after the body


def test_an_answer_to_head_has_no_body(opened: Opened) -> None:
    with counting(lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n") as (url, requests):
        wire = opened(url)
        assert [wire.send(message(b"", method="head")).status for _ in range(2)] == [200, 200]
        assert len(requests) == 2


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"X-Name: \xb3\xc7\xb9\xdc", {"x-name": "\xb3\xc7\xb9\xdc"}),
        ("X-Name: 城管".encode(), {"x-name": "城管"}),
        (b"X_odd.Name!:  1 \r\nx-twice: a\r\nX-Twice: b", {"x_odd.name!": "1", "x-twice": "a, b"}),
        (b"x-empty:", {"x-empty": ""}),
    ],
)
def test_headers_of_an_answer_are_told_as_they_came(opened: Opened, written: bytes, told: dict[str, str]) -> None:
    with served(says(OK[:-4] + written + b"\r\n\r\nok")) as url:
        answer = opened(url).send(message())
    assert {name: answer.headers[name] for name in told} == told


def test_a_refusal_that_comes_before_the_message_was_read_is_told(opened: Opened) -> None:
    """The server reads the head of a large message, says no and hangs up."""

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=refuse, args=(listener,))
        server.start()
        answer = opened(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=5).send(message(b"." * 20_000_000))
        server.join()
    assert (answer.status, answer.body) == (413, b"no")


def test_a_large_message_may_take_longer_than_the_time_limit_as_long_as_it_is_taken(opened: Opened) -> None:
    size, taken, limit = 16_000_000, 0, 1.0

    def slowly(listener: socket.socket) -> None:
        nonlocal taken
        connection, _ = listener.accept()
        with connection:
            taken = len(connection.recv(65536).partition(b"\r\n\r\n")[2])
            while taken < size:
                taken += len(connection.recv(min(400_000, size - taken), socket.MSG_WAITALL))
                time.sleep(limit / 20)
            connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        server = threading.Thread(target=slowly, args=(listener,))
        server.start()
        begin = time.monotonic()
        answer = opened(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=limit).send(message(b"." * size))
        server.join()
    assert (answer.body, taken) == (b"ok", size)
    assert time.monotonic() - begin > 1.5 * limit


def test_a_large_message_that_nobody_takes_is_in_doubt_in_time(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin = time.monotonic()
        with pytest.raises(InDoubt, match=r"nothing for 0\.5 seconds"):
            opened(f"http://127.0.0.1:{listener.getsockname()[1]}").send(message(b"." * 50_000_000))
        assert time.monotonic() - begin < 6 * TIMEOUT


# What is none


@pytest.mark.parametrize(
    "pieces",
    [
        [b"SSH-2.0-OpenSSH_9.2\r\n"],
        [b"HTTP/2 200\r\n\r\n"],
        [b"\x15\x03\x01\x00\x02\x02\x46"],
        [b"HTTP/1.1 2000 OK\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"],
        [CHUNKED + b"\r\nzz\r\n"],
        [CHUNKED + b"\r\n5\r\nok\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n"],
        [b"<html>13800000001</html>"],
    ],
    ids=range(11),
)
def test_what_is_no_answer_is_in_doubt_and_never_quoted(opened: Opened, pieces: list[bytes]) -> None:
    with served(says(*pieces)) as url, pytest.raises(InDoubt) as caught:
        opened(url).send(message(b"13800000000"))
    assert "138" not in f"{caught.value}"
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"." * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"." * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED + b"\r\n1;", b"." * 1000),
        (CHUNKED + b"\r\n0\r\n", b"x-more: " + b"." * 1000 + b"\r\n"),
    ],
    ids=["headers", "header", "continue", "extension", "trailers"],
)
def test_a_head_without_end_is_given_up_early(opened: Opened, begin: bytes, more: bytes) -> None:
    sent = 0

    def flood(connection: socket.socket, _request: bytes) -> None:
        nonlocal sent
        connection.sendall(begin)
        while True:
            connection.sendall(more)
            sent += len(more)

    with served(flood) as url, pytest.raises(InDoubt, match="head"):
        opened(url, timeout=30).send(message())
    assert sent < 100 * MAX_HEAD


def test_an_answer_that_drips_ends_in_time(opened: Opened) -> None:
    for drip in (b"HTTP/1.1 200 OK\r\nx-slow: ", CHUNKED + b"\r\n"):
        begin = time.monotonic()
        with served(says(drip, *[b"1\r\n.\r\n"] * 100, between=TIMEOUT / 5)) as url, pytest.raises(InDoubt):
            opened(url).send(message())
        assert time.monotonic() - begin < 6 * TIMEOUT


# Lines that are used again


def test_a_line_is_used_again(opened: Opened) -> None:
    with counting(lambda *_: OK) as (url, requests):
        wire = opened(url, timeout=5)
        assert [wire.send(message()).body for _ in range(5)] == [b"ok"] * 5
        assert requests == [0] * 5


def test_a_line_that_was_idle_for_long_is_not_used_again(opened: Opened) -> None:
    with counting(lambda *_: OK) as (url, requests):
        wire = opened(url, timeout=30)
        wire.send(message())
        time.sleep(2.3)
        wire.send(message())
        assert requests == [0, 1]


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK + b"and more",
        OK + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["close", "old", "more", "unasked"],
)
def test_a_line_after_such_an_answer_is_not_used_again(opened: Opened, answer: bytes) -> None:
    with counting(lambda *_: answer) as (url, requests):
        wire = opened(url, timeout=5)
        assert [wire.send(message()).body for _ in range(3)] == [b"ok"] * 3
        assert requests == [0, 1, 2]


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
def test_a_message_whose_used_line_breaks_is_in_doubt_and_sent_once(opened: Opened, method: str) -> None:
    """HTTP libraries send some methods again by themselves. Whether that harms is not theirs to know."""
    with counting(lambda _connection, nth: b"" if nth else OK) as (url, requests):
        wire = opened(url, timeout=5)
        wire.send(message())
        with pytest.raises(InDoubt):
            wire.send(message(method=method))
        assert requests == [0, 0]


def test_what_a_server_says_while_nobody_asks_ends_the_line(opened: Opened) -> None:
    with counting(lambda *_: OK) as (url, requests):
        wire = opened(url, timeout=5)
        wire.send(message())
    with pytest.raises(Unavailable):
        wire.send(message())
    assert requests == [0]


# Event loops


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_line_that_was_closed_while_the_loop_was_busy_is_not_used_again(form: Form) -> None:
    """The loop has not had the time to see it; the connection itself is asked."""

    async def ask(url: str) -> list[bytes]:
        wire = HttpConnector(url, timeout=5, ids=uuid4, now=lambda: AT)
        bodies = []
        for _ in range(3):
            bodies.append((await wire.exchange(message())).body)
            time.sleep(0.1)  # noqa: ASYNC251 - as a loop does that has much to do
        wire.close()
        return bodies

    with served(says(OK)) as url, asyncio.Runner(loop_factory=form.loop) as runner:
        assert runner.run(ask(url)) == [b"ok"] * 3


def test_many_messages_of_one_loop_get_their_own_answers() -> None:
    def echo(connection: socket.socket, request: bytes) -> None:
        while request:
            body = request.partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            request = whole_request(connection)

    async def ask(url: str) -> list[bytes]:
        wire = HttpConnector(url, timeout=10, ids=uuid4, now=lambda: AT)
        answers = await asyncio.gather(*(wire.exchange(message(b"%d" % number)) for number in range(64)))
        wire.close()
        return [answer.body for answer in answers]

    with served(echo) as url:
        assert asyncio.run(ask(url)) == [b"%d" % number for number in range(64)]


def test_one_connector_serves_threads_and_one_loop_after_another() -> None:
    with counting(lambda *_: OK) as (url, requests):
        wire = HttpConnector(url, timeout=5, ids=uuid4, now=lambda: AT)

        async def ask() -> int:
            answer = await wire.exchange(message())
            wire.close()
            return answer.status

        assert [wire.send(message()).status, asyncio.run(ask()), asyncio.run(ask())] == [200] * 3
        wire.close()
        assert requests == [0, 1, 2]


def test_a_message_that_is_given_up_leaves_no_line_for_the_next() -> None:
    """Else the next one would get its answer."""

    async def ask(url: str) -> bytes:
        wire = HttpConnector(url, timeout=5, ids=uuid4, now=lambda: AT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await wire.exchange(message())
        answer = await wire.exchange(message())
        wire.close()
        return answer.body

    def late(connection: int, _nth: int) -> bytes:
        if connection == 0:
            time.sleep(0.3)
            return OK.replace(b"ok", b"no")
        return OK

    with counting(late) as (url, _):
        assert asyncio.run(ask(url)) == b"ok"
