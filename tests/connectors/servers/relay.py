"""A TCP relay in front of a server: it can be shut, break a connection at a given word, and change an answer."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Relay:
    """Passes bytes between clients of `port` and what `connect` reaches."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.shut = False
        """True: connections that are there break, and new ones are closed at once."""
        self.break_at = b""
        """The first client whose bytes hold this loses its connection; the bytes are passed on before."""
        self.instead: tuple[bytes, bytes] = (b"", b"")
        """What the server says, and words of the same length that clients hear instead."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_all()
        for thread in self._threads:
            thread.join(5)

    def break_all(self) -> None:
        """Break every connection there is."""
        for pair in self._pairs:
            for one in pair:
                _hang_up(one)
        self._pairs.clear()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.shut:
                client.close()
                continue
            server = self._connect()
            self._pairs.append((client, server))
            self._start(lambda client=client, server=server: self._pass(client, server, watched=True))  # type: ignore[misc]
            self._start(lambda client=client, server=server: self._pass(server, client, watched=False))  # type: ignore[misc]

    def _pass(self, source: socket.socket, sink: socket.socket, *, watched: bool) -> None:
        try:
            while data := source.recv(65536):
                if watched and self.break_at and self.break_at in data:
                    self.break_at = b""
                    _hang_up(source)
                    sink.sendall(data)
                    return
                sink.sendall(data if watched else data.replace(*self.instead) if self.instead[0] else data)
        except OSError:
            return  # broken on purpose, or closed by the other thread
        finally:
            _hang_up(source)
            _hang_up(sink)


def _hang_up(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
    finally:
        one.close()
