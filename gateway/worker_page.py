"""A worker's own small page: /metrics for Prometheus, /health for whoever restarts it. It takes nothing in."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from canonical.errors import Misconfigured, Unavailable
from gateway.figures import Watch
from gateway.hub import Hub
from gateway.metrics import CONTENT_TYPE_LATEST


class QuietServer(uvicorn.Server):
    """Leaves signals to us: uvicorn raises a caught SIGTERM again before the worker and the database could end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch nothing."""
        yield


@asynccontextmanager
async def worker_page(hub: Hub, host: str, port: int | None) -> AsyncIterator[None]:
    """Serve it as long as this lasts; without a port not at all. Raises Misconfigured when the port cannot be had."""
    if port is None:
        yield
        return
    listener = _listener(host, port)
    server = QuietServer(uvicorn.Config(_app(hub), log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="worker-page")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Misconfigured(f"nobody can listen on {host} port {port}: {error.strerror or error}") from None


def _app(hub: Hub) -> Starlette:
    watch = Watch(hub, shared=False)

    async def metrics(_: Request) -> Response:
        return Response(await watch.page(), media_type=CONTENT_TYPE_LATEST)

    async def health(_: Request) -> Response:
        try:
            await hub.store.answers()
        except Unavailable as error:
            return JSONResponse({"status": "unavailable", "text": str(error)}, 503, {"retry-after": "5"})
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/metrics", metrics), Route("/health", health)])
