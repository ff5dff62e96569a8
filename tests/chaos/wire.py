"""HTTP/1.1 as the lean systems speak it: a server whose answers can be cut off, and keep-alive lines to the hub.

Small on purpose: a hundred thousand cases must cost the simulated side little. It knows bytes and no case.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as an object."""
        value = json.loads(self.body or b"{}")
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    body: bytes
    status: int = 200

    @classmethod
    def of(cls, value: object, status: int = 200) -> "Reply":
        """A JSON answer."""
        return cls(json.dumps(value, ensure_ascii=False).encode(), status)


CUT = None
"""Instead of a reply: the line is cut without one."""
Handler = Callable[[Request], Awaitable[Reply | None]]


class Server:
    """One listening socket."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def serve(self, port: int) -> asyncio.Server:
        """Listen on 127.0.0.1."""
        return await asyncio.start_server(self._line, "127.0.0.1", port, backlog=1024)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _request(reader)) is not None:
                reply = await self._handler(request)
                if reply is None:
                    break
                head = f"HTTP/1.1 {reply.status} .\r\ncontent-type: application/json\r\n"
                head += f"content-length: {len(reply.body)}\r\n\r\n"
                writer.write(head.encode() + reply.body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    first, _, rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").partition("\r\n")
    headers = {}
    for line in rest.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return first, headers


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        first, headers = await _head(reader)
    except asyncio.IncompleteReadError:
        return None
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ", 2)
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


class Line:
    """A keep-alive connection to one of several addresses; after trouble it goes on with the next."""

    def __init__(self, addresses: Sequence[str], *, first: int = 0, timeout: float = 15.0) -> None:
        self._addresses = [urlsplit(address).netloc for address in addresses]
        self._turn, self._timeout = first, timeout
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, value: object, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body; status 0 when no answer came."""
        body = json.dumps(value, ensure_ascii=False).encode()
        try:
            return await asyncio.wait_for(self._post(path, body, headers), self._timeout)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            self.close()
            self._turn += 1
            return 0, b""

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        address = self._addresses[self._turn % len(self._addresses)]
        if self._pair is None:
            host, _, port = address.partition(":")
            self._pair = await asyncio.open_connection(host, int(port))
        reader, writer = self._pair
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{more}"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        first, answered = await _head(reader)
        content = await reader.readexactly(int(answered.get("content-length", "0")))
        if answered.get("connection", "").lower() == "close":
            self.close()
        return int(first.split(" ")[1]), content

    def close(self) -> None:
        """Give the connection back."""
        if self._pair is not None:
            with suppress(OSError):
                self._pair[1].close()
        self._pair = None
