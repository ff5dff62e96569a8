"""Starting simulated systems: as a program of its own, or beside the caller for tests and demonstrations."""

import asyncio
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from simulators.behaviour import Behaviour
from simulators.centre_desk import CentreDesk
from simulators.control import control_routes
from simulators.fire_alarms import FireAlarms
from simulators.front import CuttableProtocol, Front
from simulators.hotline_12345 import Hotline
from simulators.image_database import ImageDatabase
from simulators.iot_platform import IotPlatform
from simulators.lifeline import Lifeline
from simulators.market_supervision import MarketSupervision
from simulators.open311 import Open311
from simulators.patrol_app import PatrolApp
from simulators.public_opinion import PublicOpinion
from simulators.sensors import Sensors
from simulators.social_governance import SocialGovernance
from simulators.system import Setup, System
from simulators.urban_management import UrbanManagement
from simulators.utility_usage import UtilityUsage
from simulators.video_platform import VideoPlatform
from simulators.work_safety import WorkSafety

SYSTEMS: dict[str, type[System]] = {
    system.name: system
    for system in (
        Hotline,
        UrbanManagement,
        SocialGovernance,
        CentreDesk,
        MarketSupervision,
        Lifeline,
        IotPlatform,
        Sensors,
        UtilityUsage,
        PublicOpinion,
        VideoPlatform,
        ImageDatabase,
        FireAlarms,
        PatrolApp,
        WorkSafety,
        Open311,
    )
}


class Running(NamedTuple):
    """A simulated system that is up."""

    url: str
    system: System


def application(system: System) -> Starlette:
    """The ASGI application: contract doors, control doors, page. It lives while its server does."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        living = asyncio.create_task(system.live())
        living.add_done_callback(system.noted)
        yield
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living

    routes = [*control_routes(system), *system.routes()]
    return Starlette(routes=routes, middleware=[Middleware(Front, system=system)], lifespan=lifespan)


def create_app(name: str, setup: Setup) -> Starlette:
    """The application of the named system, for any ASGI server."""
    return application(SYSTEMS[name](setup))


def run(
    name: str,
    *,
    hub: str,
    secret: str,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int | None = None,
    rate: float | None = None,
    pace: float | None = None,
    quiet: bool = False,
    behaviour: Behaviour | None = None,
    options: Mapping[str, str] | None = None,
    ledger: Path | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the named system until it is told to stop; `ready` is called with its address once it listens.

    Port 0 takes a free one. Without a seed every start is another story; with one, the same cases happen again.
    """
    chosen = (behaviour or Behaviour()).changed(
        {key: value for key, value in {"rate": rate, "pace": pace}.items() if value is not None}
    )
    chosen_seed = secrets.randbelow(2**31) if seed is None else seed
    setup = Setup(hub, secret, chosen_seed, chosen, quiet, options=options or {}, ledger=ledger)
    server, listener, _url = _server(SYSTEMS[name](setup), host, port, ready)
    with listener, suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


@contextmanager
def running(name: str, setup: Setup, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Running]:
    """The named system on a real socket in a thread of its own, for as long as the block lasts."""
    system = SYSTEMS[name](setup)
    up = threading.Event()
    server, listener, url = _server(system, host, port, lambda _url: up.set())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=f"simulated-{name}")
    with listener:
        thread.start()
        try:
            if not up.wait(10):
                raise TimeoutError(f"{name} did not start")
            yield Running(url, system)
        finally:
            server.should_exit = True
            thread.join(10)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()


def _server(
    system: System, host: str, port: int, ready: Callable[[str], None] | None
) -> tuple[_Server, socket.socket, str]:
    listener = socket.create_server((host, port), backlog=1024)
    url = f"http://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        application(system),
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        access_log=False,  # paths and bodies of citizens' matters are nobody's log
        log_config=None,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    return _Server(config, lambda: ready(url) if ready else None), listener, url
