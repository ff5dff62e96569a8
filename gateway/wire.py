"""What the intake doors share: ASGI's types, and answers in our own words."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import orjson

from adapters import Reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/in/"
BULK = "/bulk/"
KEPT_OF_OVERSIZE = 64 * 1024
"""Bytes of a refused oversize message that the journal keeps."""
DRAINED = 64 * 1024 * 1024
"""Bytes read and dropped so that the sender reads our answer instead of a broken connection."""

_DRAINING = 5.0
"""Seconds in which it is read and dropped."""


def path_of(scope: Scope) -> str:
    """What followed the system's name in the URL, query included: rules may read it, and the journal keeps it."""
    suffix = "".join(scope["path"].split("/", 3)[3:]).strip("/")
    query = scope["query_string"].decode("latin-1")
    return f"{suffix}?{query}" if query else suffix


async def answer(send: Send, reply: Reply) -> None:
    headers = {"content-type": reply.content_type, "content-length": str(len(reply.body)), **reply.headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body})


async def plain(send: Send, status: int, code: str, text: str, headers: dict[str, str] | None = None) -> None:
    """Our own error envelope, where no source's applies."""
    body = orjson.dumps({"error": {"code": code, "text": text}})
    await answer(send, Reply(status, "application/json", body, headers or {}))


async def turned_away(
    receive: Receive, send: Send, status: int, code: str, text: str, headers: dict[str, str] | None = None
) -> None:  # fmt: skip
    """Our own error envelope to one whose body nobody wants. What of it is still to come then ends the connection.

    The server would wait for ever on a connection whose request goes on after the answer.
    """
    whole = await drained(receive)
    await plain(send, status, code, text, (headers or {}) | ({} if whole else {"connection": "close"}))


async def drained(receive: Receive) -> bool:
    """Read on for a while, so that the sender reads our answer instead of a broken connection. True at the end."""
    size, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINING):
            while more and size <= DRAINED:
                event = await receive()
                size, more = size + len(event.get("body", b"")), event.get("more_body", False)
    return not more


async def body_of(receive: Receive, max_bytes: int) -> tuple[bytes | None, bool]:
    """The whole body and True; its beginning and False when it is too large; None when the sender went away."""
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None, False
        chunk = event.get("body", b"")
        size += len(chunk)
        if size <= max_bytes:
            chunks.append(chunk)
        if not event.get("more_body", False) or size > DRAINED:
            break
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return (body, True) if size <= max_bytes else (body[:KEPT_OF_OVERSIZE], False)
