"""The intake door: what other systems push to us, at `/in/<system>[/<suffix>]`. A thin ASGI application, because it is
the hot path; the API in front of people documents it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters import Door, Reply
from canonical.errors import Unacceptable, Unavailable, Why
from canonical.message import Message
from canonical.records import Arrival
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.log import log
from gateway.reception import Busy, Committer, summed_up

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/in/"
KEPT_OF_OVERSIZE = 64 * 1024
"""Bytes of a refused oversize message that the journal keeps."""
DRAINED = 64 * 1024 * 1024
"""Bytes read and dropped so that the sender reads our answer instead of a broken connection."""


@dataclass(slots=True)
class IntakeDoor:
    """Receives, has it committed, answers in the source's own envelope."""

    hub: Hub
    committer: Committer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, HTTP only."""
        name, _, suffix = scope["path"].removeprefix(PREFIX).partition("/")
        connected = self.hub.configuration.systems.get(name)
        door = _door(connected, suffix.strip("/")) if connected else None
        if connected is None or door is None:
            await _plain(send, 404, "unknown_system", f"no door {scope['path']}; see /api/systems")
        elif scope["method"] == "GET" and door.wsdl is not None and scope["query_string"].lower().startswith(b"wsdl"):
            await _answer(send, Reply(200, "text/xml; charset=utf-8", door.wsdl, {}))
        elif scope["method"] != "POST":
            await _plain(send, 405, "method", "POST is expected here", {"allow": "POST"})
        else:
            await self._post(connected, door, scope, receive, send)

    async def _post(
        self, connected: ConnectedSystem, door: Door, scope: Scope, receive: Receive, send: Send
    ) -> None:  # fmt: skip
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        body, complete = await _body(receive, door.max_bytes)
        if body is None:
            return  # the sender went away before it had sent everything: nothing was received
        message = Message(
            system=connected.system.role.id, body=body, at=self.hub.now(), id=self.hub.ids(), door=door.name,
            content_type=headers.get("content-type", ""), headers=headers,
        )  # fmt: skip
        try:
            if complete:
                outcome = await self.committer.receive(message)
            else:
                text = f"larger than {door.max_bytes} bytes"
                arrival = Arrival(message, Unacceptable(text, why=Why.TOO_LARGE))
                outcome = summed_up(await self.committer.submit(message, [arrival]))
        except Busy:
            await _plain(send, 429, "busy", "too much at once; come back in a second", {"retry-after": "1"})
        except Unavailable as error:
            log.error("intake.unavailable", system=message.system, message_id=str(message.id), error=str(error))
            await _plain(send, 503, "unavailable", "not stored; please send it again", {"retry-after": "5"})
        else:
            await _answer(send, connected.system.reply(message, outcome))


def _door(connected: ConnectedSystem, suffix: str) -> Door | None:
    return next((door for door in connected.system.doors if door.path_suffix.strip("/") == suffix), None)


async def _body(receive: Receive, max_bytes: int) -> tuple[bytes | None, bool]:
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


async def _answer(send: Send, reply: Reply) -> None:
    headers = {"content-type": reply.content_type, "content-length": str(len(reply.body)), **reply.headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body})


async def _plain(send: Send, status: int, code: str, text: str, headers: dict[str, str] | None = None) -> None:
    """Our own error envelope, where no source's applies."""
    body = orjson.dumps({"error": {"code": code, "text": text}})
    await _answer(send, Reply(status, "application/json", body, headers or {}))
