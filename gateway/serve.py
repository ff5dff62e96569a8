"""The doors as a process: uvicorn with the intake door and the API, and the workers beside it when wanted."""

import asyncio
import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterable
from pathlib import Path

import uvicorn

from gateway.api import Front, create_app
from gateway.hub import Hub, wire
from gateway.live.door import DoorProtocol
from gateway.log import log, set_up
from gateway.metrics import SHARED
from gateway.settings import LOG, settings
from gateway.work import Role, Worker
from gateway.worker_page import QuietServer, worker_page

BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds; longer than the usual proxies', so that they close first."""
STARTING = 60
"""Seconds a process may take until it answers its parent: one that is begun anew while it starts never stands."""
LAST_WORDS = 20
"""Seconds that what is being answered has when we are told to stop: a stream may have hours to go."""


def steady() -> None:
    """After start nothing that lives now will die: keep the collector from looking at it (25 % less CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


async def serve(hub: Hub, host: str, port: int, *, roles: Iterable[Role] = ()) -> None:
    """Serve until told to stop; with `roles`, work in the same process too."""
    server = QuietServer(_config(create_app(hub), host, port))
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
        server_header=False, date_header=False, proxy_headers=False, loop="uvloop", http=DoorProtocol, lifespan="on",
        timeout_graceful_shutdown=LAST_WORDS,
    )  # fmt: skip


def serve_in_processes(host: str, port: int, processes: int) -> None:
    """Several processes behind one port; each is wired from the environment."""
    uvicorn.run(
        "gateway.serve:from_environment", factory=True, host=host, port=port, workers=processes, log_config=None,
        access_log=False, backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE, server_header=False, date_header=False,
        http=DoorProtocol, timeout_graceful_shutdown=LAST_WORDS, timeout_worker_healthcheck=STARTING,
    )  # fmt: skip


def from_environment() -> Front:
    """The application of one of several processes."""
    set_up(json=os.environ.get(LOG) == "json")
    told = settings()
    front = create_app(wire(told, told.database_url))
    steady()
    return front


async def work(hub: Hub, roles: frozenset[Role], *, host: str = "127.0.0.1", metrics_port: int | None = None) -> None:
    """Work until SIGINT or SIGTERM; what is on its way is finished first. `metrics_port`: of its own small page."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    steady()
    async with worker_page(hub, host, metrics_port):
        await Worker(hub, roles).run(stop)
    await hub.store.close()


def export(config: Path, database_url: str, *, json: bool) -> None:
    """Tell child processes what this one was told."""
    os.environ[LOG] = "json" if json else "text"
    os.environ["GRIDHUB_CONFIG"] = str(config)
    os.environ["GRIDHUB_DATABASE_URL"] = database_url
    if not os.environ.get(SHARED):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="gridhub-metrics-")
        atexit.register(shutil.rmtree, os.environ[SHARED], ignore_errors=True)
