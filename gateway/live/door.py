"""The door of /api/live: a stream of server-sent events beside FastAPI, which would cost more for each of them."""

import asyncio
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from canonical.errors import Unavailable
from canonical.rights import Right
from gateway.access import allowed
from gateway.hub import Hub
from gateway.live.broadcast import Full
from gateway.live.listener import Listener
from gateway.live.lookout import Lookout
from gateway.refusal import Refusal
from gateway.wire import Receive, Scope, Send
from storage.moves import Snapshot

PATH = "/api/live"
_PROTOCOL = "gridhub.protocol"
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no",
}  # fmt: skip


class DoorProtocol(HttpToolsProtocol):
    """uvicorn's own, and a stream can learn that the process is to end, and give up whoever takes nothing."""

    ending: Callable[[], None] | None = None

    def on_headers_complete(self) -> None:
        """A request has come."""
        super().on_headers_complete()
        self.scope[_PROTOCOL] = self  # type: ignore[literal-required]

    def shutdown(self) -> None:
        """The server is told to stop: a stream would go on until it is cancelled."""
        if self.ending is not None:
            self.ending()
        super().shutdown()


class LiveDoor:
    """Lets in who may see cases, and tells them what happens to those they may see."""

    def __init__(self, hub: Hub, lookout: Lookout) -> None:
        self.lookout, self._stalled = lookout, lookout.pace.stalled
        self._asked = allowed(hub, Right.SEE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["method"] != "GET":
            await _said(405, "method_not_allowed", "events are asked for by GET", allow="GET")(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            who = await self._asked(request)
            listener = self.lookout.join(who, _given(request))
        except Refusal as error:
            await _said(error.status, error.code, str(error), error.hint)(scope, receive, send)
        except Unavailable as error:
            said = _said(503, "unavailable", str(error), "try again in a few seconds", **{"retry-after": "5"})
            await said(scope, receive, send)
        except Full:
            hint = "try again in half a minute, or start more processes"
            said = _said(503, "too_many_listeners", "as many consoles listen as may", hint, **{"retry-after": "30"})
            await said(scope, receive, send)
        else:
            await self._tell(listener, scope, receive, send)

    async def _tell(self, listener: Listener, scope: Scope, receive: Receive, send: Send) -> None:
        protocol: DoorProtocol | None = scope.get(_PROTOCOL)
        if protocol is not None:
            protocol.ending = listener.end
        telling = asyncio.create_task(self._write(listener, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait([telling, gone], return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        except TimeoutError:
            if protocol is not None:
                protocol.transport.abort()
                await gone
        finally:
            self.lookout.leave(listener)
            for task in (telling, gone):
                task.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)
            if protocol is not None:
                protocol.ending = None

    async def _write(self, listener: Listener, send: Send) -> None:
        """Raises TimeoutError when nothing is taken for too long."""
        headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (part := await listener.next()) is not None:
            body = await self.lookout.missed(listener, part) if isinstance(part, Snapshot) else part
            async with asyncio.timeout(self._stalled):
                await send({"type": "http.response.body", "body": body, "more_body": True})
        async with asyncio.timeout(self._stalled):
            await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _given(request: Request) -> str:
    """The id to go on from: a browser's own header, or a value of the query for whoever begins a stream anew."""
    return request.headers.get("last-event-id", "") or request.query_params.get("after", "")


def _said(status: int, code: str, text: str, hint: str = "", **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "text": text, "hint": hint}}, status, headers)
