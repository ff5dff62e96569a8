"""Servers that behave well or badly, and connectors called from an event loop: for the tests of this room."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import uvloop

from canonical.message import Message
from canonical.ports import Exchanger

Behaviour = Callable[[socket.socket, bytes], None]
"""Given the connection and the request as it came; the connection is closed afterwards."""


class Wire(Protocol):
    """What every connector offers."""

    def seal(self, message: Message) -> Message: ...
    def send(self, message: Message) -> Message: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Form:
    """An event loop that connectors are called from."""

    name: str
    loop: Callable[[], asyncio.AbstractEventLoop]

    def __str__(self) -> str:
        return self.name


FORMS = (Form("asyncio", asyncio.new_event_loop), Form("uvloop", uvloop.new_event_loop))


class Awaited:
    """A connector that is called from a loop of its own, dressed up as one that is called from threads."""

    def __init__(self, connector: Exchanger, form: Form) -> None:
        self._connector = connector
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, args=(form,))
        self._thread.start()
        self._loop = self._ready.result()

    def seal(self, message: Message) -> Message:
        return self._connector.seal(message)

    def send(self, message: Message) -> Message:
        return asyncio.run_coroutine_threadsafe(self._connector.exchange(message), self._loop).result()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join()
        self._connector.close()

    def _run(self, form: Form) -> None:
        with asyncio.Runner(loop_factory=form.loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        self._closed = asyncio.Event()
        self._ready.set_result(asyncio.get_running_loop())
        await self._closed.wait()
        self._connector.close()
        self._connector.close()


def whole_request(connection: socket.socket) -> bytes:
    """Head and body, as far as content-length says."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            return received
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def served(behaviour: Behaviour) -> Iterator[str]:
    """The base URL of a server that reads each request whole and then behaves like this."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as connections:

        def answer(connection: socket.socket) -> None:
            try:
                with connection:
                    behaviour(connection, whole_request(connection))
            except OSError:
                return  # the connector has hung up, as some of these servers deserve

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=answer, args=(connection,))
                thread.start()
                connections.callback(thread.join)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


def answers(status: str, *headers: str, body: bytes = b"") -> Behaviour:
    """A server that answers this and closes."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])

    def behaviour(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

    return behaviour
