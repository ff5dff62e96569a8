"""The map door as an ASGI application: who asks, which service answers, and nothing else."""

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import anyio
import anyio.to_thread

from adapters import Reply
from canonical.rights import Scope as Seen
from gateway.door import LONGEST_BODY
from gateway.log import log
from gateway.maps import counts
from gateway.maps.file import MapSettings
from gateway.wire import Receive, Scope, Send, answer, body_of, plain, turned_away
from maps.request import Answer, Request
from storage.driver import DatabaseAway

PREFIX = "/ogc/"
Service = Callable[[Request], Answer]

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_TOKENS = ("token", "tk", "access_token")
"""Query parameters that may carry a token: some clients can send nothing else. They are never passed on."""
_METHODS = frozenset({"GET", "HEAD", "POST"})
_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, POST, OPTIONS", "access-control-max-age": "86400",
    "access-control-allow-headers": "Authorization, Content-Type, Accept, Accept-Language",
}  # fmt: skip
_LONGEST_QUERY = 32 * 1024
_MOST_PAIRS = 500


async def nobody(_cookies: str) -> Seen | None:
    """Where nobody signs in."""
    return None


@dataclass(frozen=True, slots=True)
class MapDoor:
    """One ASGI application over the services of one city."""

    settings: MapSettings
    services: Mapping[str, Service]
    """By the first word after `/ogc/`."""
    now: Callable[[], datetime]
    limiter: anyio.CapacityLimiter
    """How many requests are answered at once; the others wait their turn."""
    people: Callable[[str], Awaitable[Seen | None]] = nobody
    """What somebody with these cookies may see; None: they have not signed in. Raises DatabaseAway."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request below `/ogc/`."""
        name = scope["path"].removeprefix(PREFIX).partition("/")[0]
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        extra = self._origin(headers.get("origin", ""))
        service = self.services.get(name)
        if scope["method"] == "OPTIONS":
            await answer(send, Reply(204, "text/plain", b"", {**extra, **_PREFLIGHT}))
            return
        refusal = self._refusal(scope, service is not None)
        if refusal:
            status, code, text = refusal
            counts.refused(name if service else counts.OTHER)
            await turned_away(receive, send, status, code, text, extra)
            return
        assert service is not None
        request = await self._request(scope, receive, send, extra, headers)
        if request is None:
            counts.refused(name)
            return
        known = headers.get("if-none-match", "")
        await self._answered(name, request, _Way(receive, send, extra, head=scope["method"] == "HEAD", known=known))

    async def _request(
        self, scope: Scope, receive: Receive, send: Send, extra: dict[str, str], headers: Mapping[str, str]
    ) -> Request | None:
        """What the service is to answer. None: it was turned away, and told why, or is gone."""
        name, _, path = scope["path"].removeprefix(PREFIX).partition("/")
        try:
            pairs, token = _query(scope["query_string"].decode("latin-1"))
        except ValueError:
            await turned_away(receive, send, 400, "too_many", f"more than {_MOST_PAIRS} parameters", extra)
            return None
        shown = _shown(headers.get("authorization", "")) or token
        try:
            person = None if shown else await self.people(headers.get("cookie", ""))
        except DatabaseAway as error:
            await plain(send, 503, "unavailable", str(error), {**extra, "retry-after": "5"})
            return None
        seen = person or self.settings.scope_of(shown)
        if seen is None:
            text = "the token is missing or wrong: send it as bearer token, as password of HTTP Basic, or as token="
            asking = {"www-authenticate": 'Basic realm="gridhub maps", charset="UTF-8"'}
            await turned_away(receive, send, 401, "unauthenticated", text, {**extra, **asking})
            return None
        try:
            async with asyncio.timeout(LONGEST_BODY):
                body, whole = await body_of(receive, self.settings.limits.body)
        except TimeoutError:
            text = f"the whole request is expected within {LONGEST_BODY:g} seconds"
            await plain(send, 408, "too_slow", text, {**extra, "connection": "close"})
            return None
        if body is None:  # gone
            return None
        if not whole:
            await plain(send, 413, "too_large", f"larger than {self.settings.limits.body} bytes", extra)
            return None
        return Request(
            method="GET" if scope["method"] == "HEAD" else scope["method"], path=f"/{path}" if path else "",
            pairs=pairs, scope=seen, now=self.now(), url=self._url(scope, headers, name),
            token=urlencode({"token": token}) if token else "",
            accept=headers.get("accept", ""), content_type=headers.get("content-type", ""), body=body,
            languages=headers.get("accept-language", ""),
        )  # fmt: skip

    def _refusal(self, scope: Scope, known: bool) -> tuple[int, str, str] | None:
        if not known:
            return 404, "not_found", f"there is {', '.join(PREFIX + one for one in self.services)}"
        if scope["method"] not in _METHODS:
            return 405, "not_allowed", "GET, HEAD or POST"
        if len(scope["query_string"]) > _LONGEST_QUERY:
            return 414, "too_large", f"the address is longer than {_LONGEST_QUERY} bytes: use POST"
        return None

    async def _answered(self, name: str, request: Request, way: "_Way") -> None:
        began = time.perf_counter()
        try:
            made = await anyio.to_thread.run_sync(self.services[name], request, limiter=self.limiter)
        except DatabaseAway as error:
            counts.stopped(name, request, "unavailable")
            await plain(way.send, 503, "unavailable", str(error), {**way.extra, "retry-after": "5"})
            return
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer and we learn of it
            log.error("maps.failed", service=name, error=type(error).__name__, exc_info=True)
            counts.stopped(name, request, "failed")
            await plain(way.send, 500, "failed", "the map service failed; its log says why", dict(way.extra))
            return
        if made.status == _OK and _same(way.known, made.headers.get("etag", "")):
            made = Answer(made.content_type, b"", 304, made.headers)
        await self._sent(made, way)
        counts.answered(name, request, made, time.perf_counter() - began)

    async def _sent(self, made: Answer, way: "_Way") -> None:
        varies = ["authorization, cookie", made.headers.get("vary", ""), way.extra.get("vary", "")]
        varied = {"vary": ", ".join(filter(None, varies))}
        headers = {"content-type": made.content_type, **made.headers, **way.extra, **varied}
        if isinstance(made.body, bytes):
            headers["content-length"] = str(len(made.body))
        raw = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
        await way.send({"type": "http.response.start", "status": made.status, "headers": raw})
        if way.head or isinstance(made.body, bytes):
            await way.send({"type": "http.response.body", "body": b"" if way.head else made.body})
        else:
            await self._streamed(made.body, way)

    async def _streamed(self, parts: Iterable[bytes], way: "_Way") -> None:
        """Part by part, each when the client has taken the one before: only making one takes a place at work.

        Whoever has gone needs no more of them.
        """
        waiting, gone = iter(parts), asyncio.create_task(_gone(way.receive))
        try:
            while not gone.done():
                part = await anyio.to_thread.run_sync(next, waiting, None, limiter=self.limiter)
                if part is None:
                    break
                await way.send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            gone.cancel()
        await way.send({"type": "http.response.body", "body": b""})

    def _origin(self, origin: str) -> dict[str, str]:
        """What a browser wants to know before it shows an answer to a page of another host."""
        if "*" in self.settings.origins:
            return {"access-control-allow-origin": "*"}
        if origin and origin in self.settings.origins:
            return {"access-control-allow-origin": origin, "vary": "origin"}
        return {}

    def _url(self, scope: Scope, headers: Mapping[str, str], name: str) -> str:
        host = headers.get("host", "")
        if not _HOST.fullmatch(host):
            host = "localhost"
        reached = f"{scope['scheme']}://{host}"
        return f"{self.settings.url or reached}{PREFIX}{name}"


@dataclass(frozen=True, slots=True)
class _Way:
    """How an answer goes back."""

    receive: Receive
    send: Send
    extra: dict[str, str]
    """More headers."""
    head: bool
    known: str
    """What the client has already, by its tags."""


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _query(text: str) -> tuple[list[tuple[str, str]], str]:
    """The pairs of a query without the token, and the token. Raises ValueError when there are too many."""
    pairs, token = [], ""
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PAIRS, errors="replace"):
        if name.lower() in _TOKENS:
            token = value
        else:
            pairs.append((name, value))
    return pairs, token


_OK = 200


def _same(known: str, tag: str) -> bool:
    """True when the client has this very answer."""
    tags = [one.strip().removeprefix("W/") for one in known.split(",")]
    return bool(tag) and (tag.removeprefix("W/") in tags or known.strip() == "*")


def _shown(authorization: str) -> str:
    """The token of a header: a bearer token, or the password of HTTP Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return "\0"  # nobody's
