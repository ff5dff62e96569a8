"""The front of every simulated system: each request passes it, is kept for the reader, and meets what goes wrong.

Slow, silent, down and cut lines belong to the wire and are the same for all; a refusal has the contract's own words and
is made behind the doors.
"""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulators.system import System
from simulators.wire import Exchange, shown

_LINES: dict[tuple[str, int], asyncio.Transport] = {}
"""Open connections of this process by the other side's address."""


class CuttableProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, whose lines can be cut without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As the base does; the line is remembered."""
        super().connection_made(transport)
        if self.client:
            _LINES[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """As the base does; the line is forgotten."""
        if self.client:
            _LINES.pop(self.client, None)
        super().connection_lost(exc)


class Front:
    """ASGI middleware around the contract's doors; the control doors stay outside it."""

    def __init__(self, app: ASGIApp, system: System) -> None:
        self._app = app
        self._system = system

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of the hub."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith("/_sim"):
            await self._app(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        system, behaviour = self._system, self._system.behaviour
        body = await _whole(receive)
        system.counts["received"] += 1
        exchange = Exchange(system.now(), scope["method"], scope["path"], _headers(scope), shown(body))
        facts = {"method": scope["method"], "path": scope["path"], "sha256": hashlib.sha256(body).hexdigest()}
        await asyncio.sleep(behaviour.slow)
        if behaviour.silent:
            system.received.append(replace(exchange, verdict="silent"))
            system.write_down("asked", **facts, how="silent")
            await _gone(receive)
            return
        if behaviour.down:
            system.received.append(replace(exchange, status=503, verdict="down"))
            system.write_down("asked", **facts, status=503, how="down")
            await _unavailable(send)
            return
        answer = await _answered(self._app, scope, body)
        status = next((part["status"] for part in answer if part["type"] == "http.response.start"), 0)
        text = shown(b"".join(part.get("body", b"") for part in answer))
        cut = system.fault_dice.random() < behaviour.drop_answer
        system.received.append(replace(exchange, status=status, answer=text, verdict="cut" if cut else ""))
        system.write_down("asked", **facts, status=status, how="cut" if cut else "")
        if cut:
            system.counts["dropped_answers"] += 1
            await _cut(scope, receive, send)
            return
        for part in answer:
            await send(part)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unavailable(send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _answered(app: ASGIApp, scope: Scope, body: bytes) -> list[Message]:
    parts: list[Message] = []
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(part: Message) -> None:
        parts.append(part)

    await app(scope, receive, send)
    return parts


async def _cut(scope: Scope, receive: Receive, send: Send) -> None:
    transport = _LINES.get(tuple(scope["client"] or ()))
    if transport is None:  # another server than ours: half an answer is the nearest it can do
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        return
    with suppress(OSError):
        transport.close()
    await _gone(receive)
