"""A hub on real sockets with a fresh database, alone or with the simulated city around it; see running.py beside this.

`hub`: doors only, every system unreachable. `start_hub`: the same as a factory. `city`: doors, worker and the three
simulated systems, which emit nothing by themselves and work at once.
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.bus import BusAccount
from gateway.certify.run import Result
from gateway.certify.run import certify as certified
from gateway.certify.scenario import Scenario
from gateway.configuration import Configuration, load
from gateway.settings import Settings, example_city
from simulators import Behaviour, Setup, running
from tests.databases import Databases
from tests.gateway.lamps import with_lamps
from tests.gateway.pulling import parks, telling
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, SECRET, STILL, City, HubUnderTest, Side, connected

__all__ = ["parks", "telling", "with_lamps"]

StartHub = Callable[..., HubUnderTest]
StartCity = Callable[..., City]
StartSide = Callable[..., Side]
Certify = Callable[..., list[Result]]


def pytest_configure(config: pytest.Config) -> None:
    """The marks of this folder."""
    config.addinivalue_line("markers", "slow: takes many seconds; leave it out with -m 'not slow'")


@pytest.fixture(scope="session")
def configuration() -> Configuration:
    """The example city, loaded once: it never changes."""
    return load(example_city(), ENVIRONMENT)


@pytest.fixture
def start_hub(database_url: str, configuration: Configuration, tmp_path: Path) -> Iterator[StartHub]:
    """Start a hub: `start_hub(urls={"hotline_12345": ...}, worker=True)`. All share this test's database."""
    with ExitStack() as stack:

        def start(
            *, urls: Mapping[str, str] | None = None, worker: bool = False, doors: bool = True,
            listener: socket.socket | None = None, loaded: Configuration | None = None, every: float = 0.3,
            bus: BusAccount | None = None,
        ) -> HubUnderTest:  # fmt: skip
            data = tmp_path / "hub-data"
            settings = Settings(example_city(), database_url, CENTRE_SECRET, data, ENVIRONMENT, bus=bus)
            chosen = connected(loaded or configuration, urls or {}, every=every)
            hub = HubUnderTest(settings, chosen, database_url, listener or socket.create_server(("127.0.0.1", 0)))
            stack.callback(hub.close)
            if doors:
                hub.open_doors()
            if worker:
                hub.start_worker()
            return hub

        yield start


@pytest.fixture
def hub(start_hub: StartHub) -> HubUnderTest:
    """Doors only; every system is declared and none can be reached."""
    return start_hub()


@pytest.fixture
def certify(databases: Databases) -> Certify:
    """`certify(folder, scenarios, ...)` as the command does it, on an empty database of the session's server."""

    def run(folder: Path, scenarios: Sequence[Scenario], **more: Any) -> list[Result]:
        with databases.lent() as url:
            return certified(folder, scenarios, database_url=url, **more)

    return run


@pytest.fixture
def start_side() -> Iterator[StartSide]:
    """Start one simulated system: `start_side("urban_management", hub.url, port=..., options={...}, slow=1)`."""
    with ExitStack() as stack:

        def start(
            name: str, hub_url: str, *, port: int = 0, options: Mapping[str, str] | None = None, **switches: Any
        ) -> Side:  # fmt: skip
            behaviour = Behaviour().changed(STILL | switches)
            setup = Setup(hub_url, SECRET, 7, behaviour, quiet=True, timeout=30, options=options or {})
            side = Side(stack.enter_context(running(name, setup, port=port)))
            stack.enter_context(side.client)
            return side

        yield start


@pytest.fixture
def start_city(start_hub: StartHub) -> Iterator[StartCity]:
    """Start hub, worker and systems: `start_city(seed=3, options={"urban_management": {...}}, worker=False)`.

    `urls`: other addresses for the hub to reach a system at, such as one where nobody listens.
    """
    with ExitStack() as stack:

        def start(
            *, seed: int = 7, worker: bool = True, options: Mapping[str, Mapping[str, str]] | None = None,
            loaded: Configuration | None = None, urls: Mapping[str, str] | None = None,
        ) -> City:  # fmt: skip
            listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            sides = {}
            for name in ("hotline_12345", "urban_management", "social_governance"):
                behaviour = Behaviour().changed(STILL)
                extra = (options or {}).get(name, {})
                setup = Setup(address, SECRET, seed, behaviour, quiet=True, timeout=30, options=extra)
                sides[name] = Side(stack.enter_context(running(name, setup)))
                stack.enter_context(sides[name].client)
            addresses = {name: side.url for name, side in sides.items()} | dict(urls or {})
            hub = start_hub(urls=addresses, worker=worker, listener=listener, loaded=loaded)
            stack.callback(hub.close)  # before the systems: their jobs are cancelled when they end
            return City(hub, *sides.values())

        yield start


@pytest.fixture
def city(start_city: StartCity) -> City:
    """Hub with worker, and the three simulated systems."""
    return start_city()
