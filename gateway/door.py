"""The intake door: what other systems push to us, at `/in/<system>[/<suffix>]`, and many at once at `/bulk/...`. A thin
ASGI application, because it is the hot path; the API in front of people documents it.
"""

import asyncio
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from adapters import Door, Reply
from adapters.packed import gunzipped
from canonical.errors import Unacceptable, Unavailable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome
from canonical.records import Arrival, Split
from gateway import metrics
from gateway.bulk import BulkDoor
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.log import log
from gateway.reception import Busy, Committer, named, summed_up
from gateway.wire import (
    BULK,
    PREFIX,
    Receive,
    Scope,
    Send,
    answer,
    body_of,
    path_of,
    plain,
    turned_away,
)  # fmt: skip

_OK = 200
_DESCRIBED = ("wsdl", "xsd=", "singlewsdl")
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
LONGEST_BODY = 60.0
"""Seconds a body may take: who sends half a message must not hold a place for ever."""


@dataclass(slots=True)
class IntakeDoor:
    """Receives, has it committed, answers in the source's own envelope."""

    hub: Hub
    committer: Committer
    bulk: BulkDoor
    longest_body: float = LONGEST_BODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, HTTP only."""
        prefix = BULK if scope["path"].startswith(BULK) else PREFIX
        name, _, suffix = scope["path"].removeprefix(prefix).partition("/")
        connected = self.hub.configuration.systems.get(name)
        door = _door(connected, suffix.strip("/"), scope["method"]) if connected else None
        if connected is None or door is None:
            text = f"no door {scope['path']}; {_there(name, connected, scope)}"
            await turned_away(receive, send, 404, "unknown_system", text)
        elif scope["method"] == "GET" and (wsdl := _wsdl(connected, door, scope)) is not None:
            await answer(send, Reply(200, "text/xml; charset=utf-8", wsdl, {}))
        elif scope["method"] not in (allowed := ("POST",) if prefix == BULK else _methods(door)):
            expected = ", ".join(allowed)
            await turned_away(receive, send, 405, "method", f"{expected} is expected here", {"allow": expected})
        elif not connected.admits(scope.get("client")):
            await turned_away(receive, send, 403, "address", "this address may not send here")
        elif prefix == BULK:
            await self.bulk(connected, door, scope, receive, send)
        else:
            await self._take_in(connected, door, scope, receive, send)

    async def _take_in(
        self, connected: ConnectedSystem, door: Door, scope: Scope, receive: Receive, send: Send
    ) -> None:  # fmt: skip
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            async with asyncio.timeout(self.longest_body):
                body, complete = await body_of(receive, door.max_bytes)
        except TimeoutError:
            slow = f"the whole message is expected within {self.longest_body:g} seconds"
            await plain(send, 408, "slow", slow, {"connection": "close"})
            return
        if body is None:
            return  # the sender went away before it had sent everything: nothing was received
        broken: Unacceptable | None = None if complete else _too_large(door.max_bytes)
        try:
            body = _unpacked(body, headers, door.max_bytes) if complete else body
        except Unacceptable as error:
            broken = error
        message = Message(
            system=connected.system.role.id, body=body, at=self.hub.now(), id=self.hub.ids(), door=door.name,
            content_type=headers.get("content-type", ""), headers=headers, method=scope["method"],
            path=path_of(scope),
        )  # fmt: skip
        try:
            if not broken and door.handshakes and (reply := _handshake(connected, door, message)) is not None:
                await answer(send, reply)
                return
            if scope["method"] not in door.methods:
                await plain(send, 405, "method", f"{', '.join(door.methods)} is expected here")
                return
            outcome, parts = await self._committed(message, broken)
        except Busy:
            metrics.took_in([(message.system, "busy")])
            await plain(send, 429, "busy", "too much at once; come back in a second", {"retry-after": "1"})
        except Unavailable as error:
            metrics.took_in([(message.system, "unavailable")])
            log.error("intake.unavailable", system=message.system, message_id=str(message.id), error=str(error))
            await plain(send, 503, "unavailable", "not stored; please send it again", {"retry-after": "5"})
        else:
            reply = connected.system.reply(message, outcome, parts)
            if reply.trouble:
                log.error("reply.broken", system=message.system, message_id=str(message.id), error=reply.trouble)
            await answer(send, reply)

    async def _committed(
        self, message: Message, broken: Unacceptable | None
    ) -> tuple[Outcome, list[tuple[str, Outcome]]]:  # fmt: skip
        """What became of the message, and of every message in it by its external id."""
        arrivals = [Arrival(message, broken)] if broken else self.hub.reception.read(message)
        outcomes = await self.committer.submit(message, arrivals)
        parts = [
            (named(arrival), outcome)
            for arrival, outcome in zip(arrivals, outcomes, strict=True)
            if not isinstance(arrival.content, Split)
        ]
        return summed_up(outcomes), parts


def _door(connected: ConnectedSystem, suffix: str, method: str) -> Door | None:
    """The first door of that path that takes the method, else the first of that path."""
    fitting = [door for door in connected.system.doors if door.fits(suffix)]
    return next((door for door in fitting if method in _methods(door)), next(iter(fitting), None))


def _there(name: str, connected: ConnectedSystem | None, scope: Scope) -> str:
    """What somebody who knocked at a wrong place may have meant."""
    doors = connected.system.doors if connected and connected.admits(scope.get("client")) else ()
    there = [f"{'|'.join(door.methods)} {PREFIX}{name}/{door.path.text}".rstrip("/") for door in doors]
    return f"there is {', '.join(there)}" if there else "see /api/systems"


def _wsdl(connected: ConnectedSystem, door: Door, scope: Scope) -> bytes | None:
    """The WSDL, or a document it imports, with the address it was asked at, or that the city's settings say."""
    query = scope["query_string"].decode("latin-1")
    if door.wsdl is None or not query.lower().startswith(_DESCRIBED):
        return None
    stated = connected.system.hub["url"]
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    if not stated and _HOST.fullmatch(host):
        stated = f"{scope['scheme']}://{host}"
    return door.wsdl.document(unquote(query), f"{stated}{quote(scope['path'])}" if stated else "")


def _handshake(connected: ConnectedSystem, door: Door, message: Message) -> Reply | None:
    """The answer to a question; None when it is none. Who does not show the secret is told so in the door's words."""
    try:
        return door.handshake(message)
    except Unacceptable as error:
        refusal = connected.system.reply(message, Outcome(Verdict.REFUSED, why=error.why, text=str(error)))
        return replace(refusal, status=403) if refusal.status == _OK else refusal


def _methods(door: Door) -> tuple[str, ...]:
    """What the door answers to: what is pushed, and the questions asked before."""
    return tuple(dict.fromkeys([*door.methods, *(plan.declared.method for plan in door.handshakes)]))


def _too_large(most: int) -> Unacceptable:
    return Unacceptable(f"larger than {most} bytes", why=Why.TOO_LARGE)


def _unpacked(body: bytes, headers: MutableMapping[str, str], most: int) -> bytes:
    """The body without what its Content-Encoding says, which is gone then. Raises Unacceptable."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in _PLAIN or not body:
        return body
    if encoding not in _PACKED:
        raise Unacceptable("a content encoding other than gzip or deflate", why=Why.UNREADABLE)
    try:
        plain = gunzipped(body, most)
    except ValueError:
        raise Unacceptable(f"not the whole {encoding} that it says it is", why=Why.UNREADABLE) from None
    del headers["content-encoding"]
    return plain
