"""The doors as a process: uvicorn with the intake door and the API, and the workers beside it when wanted."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from gateway.api import Front, create_app
from gateway.hub import Hub, wire
from gateway.log import log, set_up
from gateway.settings import LOG, settings
from gateway.work import Role, Worker

BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds; longer than the usual proxies', so that they close first."""


def steady() -> None:
    """After start nothing that lives now will die: keep the collector from looking at it (25 % less CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn raises a caught SIGTERM again before the worker and the database could end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch nothing."""
        yield


async def serve(hub: Hub, host: str, port: int, *, roles: Iterable[Role] = ()) -> None:
    """Serve until told to stop; with `roles`, work in the same process too."""
    server = _Server(_config(create_app(hub), host, port))
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    chosen = frozenset(roles)
    working = asyncio.create_task(Worker(hub, chosen).run(stop)) if chosen else None
    steady()
    log.info("serving", address=f"http://{host}:{port}", city=hub.configuration.city.name)
    try:
        await server.serve()
    finally:
        stop.set()
        if working:
            await working


def _config(app: Front, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE,
        server_header=False, date_header=False, proxy_headers=False, loop="uvloop", http="httptools", lifespan="on",
    )  # fmt: skip


def serve_in_processes(host: str, port: int, processes: int) -> None:
    """Several processes behind one port; each is wired from the environment."""
    uvicorn.run(
        "gateway.serve:from_environment", factory=True, host=host, port=port, workers=processes, log_config=None,
        access_log=False, backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE, server_header=False, date_header=False,
    )  # fmt: skip


def from_environment() -> Front:
    """The application of one of several processes."""
    set_up(json=os.environ.get(LOG) == "json")
    told = settings()
    front = create_app(wire(told, told.database_url))
    steady()
    return front


async def work(hub: Hub, roles: frozenset[Role]) -> None:
    """Work until SIGINT or SIGTERM; what is on its way is finished first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await Worker(hub, roles).run(stop)
    await hub.store.close()


def export(config: Path, database_url: str, *, json: bool) -> None:
    """Tell child processes what this one was told."""
    os.environ[LOG] = "json" if json else "text"
    os.environ["GRIDHUB_CONFIG"] = str(config)
    os.environ["GRIDHUB_DATABASE_URL"] = database_url
