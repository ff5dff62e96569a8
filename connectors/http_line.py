"""Lines of HTTP/1.1 to one address: one request, one answer, on asyncio. Nothing is ever sent twice.

It must never know what is sent, or what an answer means; only how an exchange ended and what may be said of it.
"""

import asyncio
import select
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools

from canonical.errors import HubError, InDoubt, Unavailable

MAX_HEAD = 100 * 1024
"""Bytes of an answer that are neither body nor the framing of a body as long as what came of it."""

_FRAMING = 8
"""Bytes of framing that one byte of a body may cost: chunks of one byte cost five."""

_PIECE = 64 * 1024
"""Bytes of a body that are written at once."""

_TURNS = 5
"""Turns of the loop after which what is to be read on a line has been read, TLS's own messages included."""

_BLANKS = b" \t"
_SWITCHING, _NO_CONTENT, _NOT_MODIFIED, _FIRST_FINAL = 101, 204, 304, 200

_CERTIFICATE_ALERTS = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED",
        "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    }
)  # fmt: skip
"""OpenSSL's words for: your certificate will not do. TLS 1.3 says it when we have sent already, yet before it reads."""


@dataclass(frozen=True, slots=True)
class Request:
    """What goes on the wire, and whose it is."""

    system: str
    head: bytes
    body: bytes
    bodiless: bool = False
    """Whether its answer has no body, whatever its head says: HEAD."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, headers in order and as they were written."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """`wait`: seconds until an answer begins, and again until it has ended. `body`: its bytes. `idle`: seconds."""

    wait: float
    body: int
    idle: float


class Line(asyncio.Protocol):
    """One connection. It has one timer, which is moved only when it would ring too late."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, gone: Callable[["Line"], object]) -> None:
        self._loop, self._limits, self._gone = loop, limits, gone
        self._parser: httptools.HttpResponseParser | None = _parser(self)
        self._due = self._rings_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._room: asyncio.Future[None] | None = None
        self._until_end = self._lost = self._uncertified = False
        self._clean = True
        """Whether the last exchange ended so that another can begin."""

    async def exchange(self, request: Request) -> Answer:
        """Send this and wait for its answer. Afterwards `usable` says whether there can be another one."""
        self._request, self._clean, self._written = request, False, False
        self._headed = self._until_end = False
        self._came = self._size = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        try:
            await self._heard()
            waiting: asyncio.Future[Answer] = self._loop.create_future()
            self._waiting = waiting
            self._expect(self._limits.wait)
            await self._write(request)
            return await waiting
        finally:
            self._waiting = None
            if self._clean:
                self._expect(self._limits.idle)
            else:
                self.close()

    async def _heard(self) -> None:
        """Let the loop read what was said unasked: a line may have been refused already. Raises Unavailable."""
        if self._readable():
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        if self._lost or self._transport.is_closing():
            raise self._unsent(self._request.system)

    @property
    def usable(self) -> bool:
        """Whether it is idle and the other side has neither closed it nor said anything."""
        return self._clean and not self._lost and not self._transport.is_closing() and not self._readable()

    def close(self) -> None:
        """Hang up. Harmless twice."""
        self._transport.abort()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._readable = _looks_at(transport.get_extra_info("socket").fileno())

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done() or self._parser is None:
            self._clean = False  # nobody asked
            self.close()
            return
        self._came += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._clean = False
        except httptools.HttpParserError as error:
            self._clean = False
            self._broken(type(error).__name__)
        if self._came - self._size > MAX_HEAD + _FRAMING * self._size:
            self._ended(InDoubt(f"{self._request.system}: the head of the answer is larger than {MAX_HEAD} bytes"))

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._gone(self)
        if self._timer is not None:
            self._timer.cancel()
        self._parser = None  # it holds this line, and this line holds it
        self._uncertified = isinstance(error, ssl.SSLError) and error.reason in _CERTIFICATE_ALERTS
        if error is None and self._until_end:
            self._answered()
        elif self._uncertified and self._waiting is not None:
            self._ended(self._unsent(self._request.system))
        else:
            self._broken("closed" if error is None else type(error).__name__)

    # The parser calls these.

    def on_message_begin(self) -> None:
        if self._waiting is None or self._waiting.done():
            self._clean = False  # more than one answer

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:
            self._headers.append((name, value.strip(_BLANKS)))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        self._expect(self._limits.wait)
        if status < _FIRST_FINAL and status != _SWITCHING:
            return
        self._status, self._headed = status, True
        if self._request.bodiless or status == _SWITCHING:
            self._answered()
        else:
            self._until_end = status not in {_NO_CONTENT, _NOT_MODIFIED} and _unbounded(self._headers)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._limits.body:
            self._body.append(body)
        else:
            most = self._limits.body
            self._ended(InDoubt(f"{self._request.system}: the answer is larger than {most} bytes"))

    def on_message_complete(self) -> None:
        if not self._headed:  # "continue" and its like: the answer is still to come
            self._headers = []
            return
        assert self._parser is not None
        if self._waiting is not None and not self._waiting.done():
            self._clean = self._written and self._parser.should_keep_alive()
            self._answered()

    # How it goes on and how it ends.

    async def _write(self, request: Request) -> None:
        """Everything at once where it is small, else piece by piece until there is an answer, whole or not."""
        small = len(request.body) <= _PIECE
        self._transport.write(request.head + request.body if small else request.head)
        if self._transport.is_closing():  # not one byte was taken
            raise self._unsent(request.system)
        if small:
            self._written = True
            return
        rest = memoryview(request.body)
        while rest and not self._over():
            if self._room is not None and not self._room.done():
                await self._room
                continue
            self._expect(self._limits.wait)
            self._transport.write(rest[:_PIECE])
            rest = rest[_PIECE:]
        self._written = not rest

    def _over(self) -> bool:
        return self._waiting is None or self._waiting.done()

    def _answered(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._status, self._headers, b"".join(self._body)))
        self.resume_writing()

    def _broken(self, what: str) -> None:
        if self._waiting is not None:
            self._ended(InDoubt(f"{self._request.system}: sent, and no whole answer came ({what})"))

    def _ended(self, error: HubError) -> None:
        self._clean = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.resume_writing()

    def _unsent(self, system: str) -> Unavailable:
        if self._uncertified:
            return Unavailable(f"{system}: the other side refuses our certificate, or wants one")
        return Unavailable(f"{system}: no connection (it was closed before anything was sent)")

    def _expect(self, seconds: float) -> None:
        """Something is to happen within so many seconds from now."""
        self._due = self._loop.time() + seconds
        if self._timer is not None and self._rings_at <= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at, self._timer = self._due, self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() < self._due:
            self._rings_at, self._timer = self._due, self._loop.call_at(self._due, self._ring)
        elif self._waiting is None:
            self.close()
        elif self._headed:
            self._ended(InDoubt(f"{self._request.system}: the answer did not end in {self._limits.wait:g} seconds"))
        else:
            self._broken(f"nothing for {self._limits.wait:g} seconds")


def _parser(line: Line) -> httptools.HttpResponseParser:
    """As tolerant as it can be: a line carries one answer at a time, and after anything odd it is closed."""
    made = httptools.HttpResponseParser(line)
    made.set_dangerous_leniencies(
        lenient_headers=True, lenient_chunked_length=True, lenient_transfer_encoding=True, lenient_version=True,
        lenient_data_after_close=True, lenient_optional_lf_after_cr=True, lenient_optional_cr_before_lf=True,
        lenient_optional_crlf_after_chunk=True, lenient_spaces_after_chunk_size=True,
    )  # fmt: skip
    return made


def _unbounded(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether only the end of the connection ends the body (RFC 9112, 6.3)."""
    named = {name.lower(): value.lower() for name, value in headers}
    if b"transfer-encoding" in named:
        return not named[b"transfer-encoding"].endswith(b"chunked")
    return b"content-length" not in named


def _looks_at(descriptor: int) -> Callable[[], bool]:
    """A function that tells whether there is something to read, the end included, that the loop has not seen yet."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
        return lambda: bool(poll.poll(0))
    return lambda: bool(select.select([descriptor], [], [], 0)[0])
