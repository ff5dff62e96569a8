"""The way to the map processes: a console asks its own address for maps, and they answer elsewhere.

Where a proxy stands before the hub it can do the same; then nothing is set here.
"""

from collections.abc import AsyncIterator

import httpx

from gateway.maps.door import PREFIX
from gateway.settings import MAPS_URL
from gateway.wire import Receive, Scope, Send, body_of, plain, turned_away

_LONGEST = 1024 * 1024
"""Bytes of a request: filters and SLDs."""
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_OWN = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"content-length",
})  # fmt: skip
"""Headers of one connection: they are not passed on."""


class MapWay:
    """Passes requests below /ogc/ on, and the answers back as they come."""

    def __init__(self, url: str) -> None:
        """`url`: where `gridhub maps` answers; empty: nowhere."""
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) if url else None

    async def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            await self._client.aclose()

    def serves(self, scope: Scope) -> bool:
        """True for what map processes answer."""
        return bool(scope["path"].startswith(PREFIX))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self._client is None:
            text = f"maps are not served here: set {MAPS_URL} to where `gridhub maps` answers"
            await turned_away(receive, send, 404, "no_maps", text)
            return
        body, whole = await body_of(receive, _LONGEST)
        if body is None:
            return
        if not whole:
            await plain(send, 413, "too_large", f"larger than {_LONGEST} bytes")
            return
        request = self._client.build_request(
            scope["method"], self._address(scope), content=body or None,
            headers=[(name, value) for name, value in scope["headers"] if name not in _OWN],
        )  # fmt: skip
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.HTTPError:
            await plain(send, 503, "maps_away", "the map process does not answer", {"retry-after": "5"})
            return
        try:
            await _back(answer, send)
        finally:
            await answer.aclose()

    def _address(self, scope: Scope) -> httpx.URL:
        raw = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        return httpx.URL(self._url).copy_with(raw_path=raw.partition(b"?")[0] + (b"?" + query if query else b""))


async def _back(answer: httpx.Response, send: Send) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OWN]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    async for part in _parts(answer):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _parts(answer: httpx.Response) -> AsyncIterator[bytes]:
    """As they are on the wire: packed stays packed. A map process that ends midway breaks this answer off too."""
    async for part in answer.aiter_raw():
        yield part
