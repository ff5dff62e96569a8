"""The console in a real browser: a hub that serves it, people of each role, and a page for each test.

`opened("/cases", role=Role.UNIT, language="en", theme="dark")` is a page that its person has signed in to. Whatever a
page complains of (an error, a request to another host) fails the test. The hub is one for all tests of a worker: who
changes what others look at starts a hub of their own with `console_hub`.

Playwright keeps an event loop running in the thread of the tests: what needs one of its own goes through `aside`.
"""

import asyncio
import fcntl
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import pytest
from playwright.sync_api import Browser, Page, StorageState

from canonical.rights import LIMITED_BY, Role
from gateway.configuration import load
from gateway.hub import clock
from gateway.people.accounts import Wanted, make
from gateway.settings import Settings, example_city
from tests.console.browser import CONSOLE, Open, Visit, chromium
from tests.databases import Databases
from tests.gateway.people_desk import FORM, PASSWORD, sign_in
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest

ROOT = CONSOLE.parent
LIMITS: Mapping[str, Sequence[str]] = {"areas": ("340202",), "units": ("3402-landscape",)}
"""What an account of a role that must be limited is limited to."""
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a module run in one worker, one after the other: they share a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(f"console-{item.path.stem}"))


def aside(work: Callable[[], T]) -> T:
    """Do something in a thread of its own: it may run an event loop there."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@dataclass(frozen=True, slots=True)
class ConsoleHub:
    """A hub that serves the console, and its people."""

    hub: HubUnderTest
    states: dict[Role, StorageState]

    def state(self, role: Role) -> StorageState:
        """The browser's state of somebody of this role, who has signed in; they are made when first wanted."""
        if role not in self.states:
            first = aside(lambda: asyncio.run(self._account(role)))
            self.states[role] = _signed_in(self.hub.url, role.value, first)
        return self.states[role]

    async def _account(self, role: Role) -> str:
        wired = self.hub.wired()
        try:
            limits = {name: LIMITS[name] for name in LIMITED_BY.get(role, ())}
            return await make(wired, Wanted(role.value, f"示例{role.value}", role, limits), by="test")
        finally:
            await wired.store.close()


def _signed_in(url: str, login: str, first: str) -> StorageState:
    with httpx.Client(base_url=url, headers=FORM, timeout=30, trust_env=False) as client:
        assert sign_in(client, login, first).status_code == 200
        client.put("/api/session/password", json={"old": first, "new": PASSWORD}).raise_for_status()
        cookies = [
            {
                "name": one.name, "value": str(one.value), "domain": "127.0.0.1", "path": "/", "expires": -1,
                "httpOnly": True, "secure": False, "sameSite": "Strict",
            }
            for one in client.cookies.jar
        ]  # fmt: skip
    return cast("StorageState", {"cookies": cookies, "origins": []})


@pytest.fixture(scope="session")
def built_console() -> None:
    """The console of these sources; the first worker builds it, the others wait."""
    if shutil.which("npm") is None:
        pytest.skip("not installed: npm (Debian's; make servers)")
    with (CONSOLE / ".tests-build").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([ROOT / "deploy" / "console.sh", "must"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving(databases: Databases, folder: Path, *, now: Callable[[], datetime] | None = None) -> Iterator[ConsoleHub]:
    """A hub of the example city on a database of its own. `now`: its clock, where it is not the present."""
    with ExitStack() as stack:
        url = stack.enter_context(databases.lent())
        settings = Settings(example_city(), url, CENTRE_SECRET, folder, ENVIRONMENT)
        listener = socket.create_server(("127.0.0.1", 0))
        hub = HubUnderTest(settings, load(example_city(), ENVIRONMENT), url, listener)
        stack.callback(hub.close)
        hub.now = now or hub.now
        hub.open_doors()
        yield ConsoleHub(hub, {})


@pytest.fixture(scope="session")
def console_hub(
    built_console: None, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConsoleHub]:
    """The hub that tests look at, with a few cases in it. Nobody changes anything there."""
    with serving(databases, tmp_path_factory.mktemp("console")) as made:
        for number in range(12):
            assert hotline(ticket(f"{number}")).to(made.hub).status_code == 200
        yield made


@pytest.fixture(scope="module")
def browser(console_hub: ConsoleHub) -> Iterator[Browser]:
    """One browser for a module; after the hub, which needs the thread's event loop to start."""
    with chromium() as started:
        yield started


@pytest.fixture
def opened(console_hub: ConsoleHub, browser: Browser) -> Iterator[Open]:
    """Open a page: `opened(path, role=Role.CITY_CENTRE, refusals=(...), ...)`; `role=None`: nobody is signed in.

    `refusals`: beginnings of paths of the API whose refusal the test wants to see.
    """
    visits: list[Visit] = []

    def visit(
        path: str = "/", *, role: Role | None = Role.CITY_CENTRE, refusals: tuple[str, ...] = (), **more: Any
    ) -> Page:
        state = console_hub.state(role) if role else None
        its = console_hub.hub.now
        at = None if its is clock else its()
        made = Visit(browser, console_hub.hub.url, state, expected=refusals, at=at)
        visits.append(made)
        return made.open(path, **more)

    yield visit
    for made in visits:
        made.end()
