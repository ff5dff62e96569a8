"""The hub under test: real doors on a real socket, real workers, a real database. And the simulated city around it."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg
import httpx
import uvicorn

from gateway.api import create_app
from gateway.configuration import Configuration
from gateway.delivery.deliver import Deliverer
from gateway.delivery.lanes import Lanes
from gateway.door import LONGEST_BODY
from gateway.hub import Hub, clock, wire
from gateway.live.lookout import PACE, Pace
from gateway.reception import QUEUE, Reception
from gateway.serve import _config
from gateway.session import Session
from gateway.settings import Settings
from gateway.work import Role, Worker, connector_for
from simulators import Running as SimulatedSystem

SECRET = "a-secret-of-the-tests"
"""What every system of these tests agreed with the hub."""
CENTRE_SECRET = "the-token-of-the-centre"
ENVIRONMENT = {
    "HOTLINE_TOKEN": SECRET, "URBAN_VALIDATE": SECRET, "GRID_TOKEN": SECRET, "GRID_PASSWORD": SECRET,
    "HOTLINE_URL": "http://127.0.0.1:9", "URBAN_URL": "http://127.0.0.1:9", "GRID_URL": "http://127.0.0.1:9",
}  # fmt: skip
"""Port 9 is nobody: a system whose address is not given refuses connections."""
STILL: dict[str, Any] = {
    "rate": 0, "pace": 0.02, "gap": 0.05, "repeat": 0, "return": 0, "delay": 0, "assist": 0, "dissatisfied": 0,
    "rework": 0,
}  # fmt: skip
"""A simulated system that does nothing by itself, works at once, and lets nothing go wrong."""


def until(true: Callable[[], object], *, seconds: float = 60.0, what: str = "it") -> None:
    """Wait for something to become true; fail when it does not: in time for a loaded machine to start a process."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not happen in {seconds:g} s"
        time.sleep(0.02)


class Loop:
    """An event loop in a thread of its own. What its main coroutine raised, `join` raises."""

    def __init__(self, main: Callable[["Loop"], Coroutine[Any, Any, None]], name: str) -> None:
        self._main = main
        self.stop: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=name)
        self._error: BaseException | None = None
        self._thread.start()
        until(lambda: self.stop is not None or self._error, what=f"the start of {name}")

    def _run(self) -> None:
        try:
            asyncio.run(self._told())
        except BaseException as error:  # noqa: BLE001 shown by whoever joins
            self._error = error

    async def _told(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.stop = asyncio.Event()
        await self._main(self)

    def join(self) -> None:
        """Tell it to stop, wait for its end, and raise what went wrong in it."""
        if self._thread.is_alive() and self.loop is not None and self.stop is not None:
            self.loop.call_soon_threadsafe(self.stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), f"{self._thread.name} did not end"
        error, self._error = self._error, None
        if error is not None:
            raise error


class HubUnderTest:
    """Doors on a real socket and, when started, a worker beside them; both end with `close`."""

    def __init__(
        self, settings: Settings, configuration: Configuration, database_url: str, listener: socket.socket
    ) -> None:
        self.settings, self.configuration, self.database_url = settings, configuration, database_url
        self.now: Callable[[], datetime] = clock
        """Of doors and worker; another than the machine's where a test lets days pass."""
        self.worker_database_url = ""
        """Where the worker finds the database: somewhere between, where it is to lose it."""
        self._listener = listener
        self.port = int(listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=False)
        self.centre = {"authorization": f"Bearer {settings.centre_token}"}
        self._doors: Loop | None = None
        self._worker: Loop | None = None

    def wired(self) -> Hub:
        """A hub of its own on the same database; whoever asks closes its store."""
        return self._wired(self.database_url)

    def _wired(self, database_url: str) -> Hub:
        hub = wire(self.settings, database_url, configuration=self.configuration)
        if self.now is clock:
            return hub
        return replace(hub, now=self.now, reception=Reception(self.configuration, hub.store, now=self.now, ids=hub.ids))

    # Starting and stopping

    def open_doors(self, *, longest_body: float = LONGEST_BODY, queue: int = QUEUE, pace: Pace = PACE) -> None:
        """Serve on the socket, in a thread of its own. `longest_body`: seconds a push may take."""
        app = create_app(self.wired(), longest_body=longest_body, queue=queue, pace=pace)
        server = uvicorn.Server(_config(app, "127.0.0.1", self.port))

        async def main(loop: Loop) -> None:
            assert loop.stop is not None
            serving = asyncio.create_task(server.serve(sockets=[self._listener]))
            await asyncio.wait(
                [serving, asyncio.create_task(loop.stop.wait())], return_when=asyncio.FIRST_COMPLETED
            )  # fmt: skip
            server.should_exit = True
            await serving

        self._doors = Loop(main, "doors")
        until(lambda: server.started, what="opening the doors")

    def start_worker(
        self, roles: frozenset[Role] = frozenset(Role), *, now: Callable[[], datetime] | None = None,
        follow: bool = False,
    ) -> None:  # fmt: skip
        """Deliver and poll, in a thread of its own. `now`: its clock; a later one makes leases run out.

        `follow`: it goes by the database's clock nevertheless.
        """

        async def main(loop: Loop) -> None:
            assert loop.stop is not None
            its = now or self.now
            hub = replace(self._wired(self.worker_database_url or self.database_url), now=its)
            try:
                await Worker(hub, roles, follow=follow or its is clock).run(loop.stop)
            finally:
                await hub.store.close()

        assert self._worker is None
        self._worker = Loop(main, "worker")

    def stop_worker(self) -> None:
        """Let what is on its way be finished, then end the worker."""
        if self._worker:
            worker, self._worker = self._worker, None
            worker.join()

    def close(self) -> None:
        """Worker first, then doors."""
        try:
            self.stop_worker()
        finally:
            if self._doors:
                self._doors.join()
            self._listener.close()
            self.client.close()

    # The API

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of one of the centre's pages."""
        answer = self.client.get(path, params=query, headers=self.centre)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, number: str, **action: Any) -> httpx.Response:
        """What the API answers to an order of the centre."""
        return self.client.post(f"/api/cases/{number}/actions", json=action, headers=self.centre)

    def act(self, number: str, **action: Any) -> dict[str, Any]:
        """The case after an order of the centre that must succeed."""
        answer = self.order(number, **action)
        assert answer.status_code == 200, answer.text
        case: dict[str, Any] = answer.json()
        return case

    def case(self, number: str) -> dict[str, Any]:
        """One case with its journey, by any number."""
        case: dict[str, Any] = self.get(f"/api/cases/{number}")
        return case

    def cases(self, **query: Any) -> list[dict[str, Any]]:
        """All cases that fit, page by page."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.get("/api/cases", limit=500, after=after, **query)
            found += page["items"]
            after = page["next"] or ""
            if not after:
                return found

    def summary(self) -> dict[str, Any]:
        """The books."""
        summary: dict[str, Any] = self.get("/api/summary")
        return summary

    def until_stage(self, number: str, *stages: str, seconds: float = 20.0) -> dict[str, Any]:
        """The case, once it stands in one of these stages."""

        def there() -> bool:
            answer = self.client.get(f"/api/cases/{number}", headers=self.centre)
            return answer.status_code == 200 and answer.json()["stage"] in stages

        until(there, seconds=seconds, what=f"{' or '.join(stages)} of case {number}")
        return self.case(number)

    def until_sent(self, *, seconds: float = 20.0) -> dict[str, Any]:
        """The books, once no message waits any more."""
        until(lambda: self.summary()["messages"]["waiting"] == 0, seconds=seconds, what="sending everything")
        return self.summary()

    # The database

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """What the database itself holds: `$1`, `$2` ... stand for the values."""
        return asyncio.run(_rows(self.database_url, statement, values))

    def counts(self) -> dict[str, int]:
        """Rows of each table that a message can leave something in."""
        tables = ("message", "cases", "event", "binding", "delivery")
        wanted = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)
        return {name: int(count) for name, count in self.rows(f"SELECT {wanted}")[0].items()}

    def orphans(self) -> dict[str, int]:
        """Rows that stand without what they belong to; every count must be 0."""
        return {name: int(count) for name, count in self.rows(_ORPHANS)[0].items()}


_ORPHANS = """
SELECT
 (SELECT count(*) FROM cases c WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.case_id = c.id AND e.seq = 1))
   AS cases_without_event,
 (SELECT count(*) FROM cases c
   WHERE c.version <> (SELECT count(*) FROM event e WHERE e.case_id = c.id)
      OR c.version <> (SELECT max(seq) FROM event e WHERE e.case_id = c.id)) AS cases_with_gaps,
 (SELECT count(*) FROM cases c WHERE NOT EXISTS (SELECT 1 FROM binding b WHERE b.case_id = c.id)
    AND c.stage <> 'merged') AS cases_without_binding,
 (SELECT count(*) FROM event e WHERE NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = e.case_id)) AS events_without_case,
 (SELECT count(*) FROM event e WHERE e.message_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = e.message_id)) AS events_without_message,
 (SELECT count(*) FROM binding b WHERE NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = b.case_id))
   AS bindings_without_case,
 (SELECT count(*) FROM delivery d WHERE NOT EXISTS
   (SELECT 1 FROM event e WHERE e.case_id = d.case_id AND e.seq = d.event_seq)) AS deliveries_without_event,
 (SELECT count(*) FROM message m WHERE m.direction = 'in' AND m.verdict IN ('case', 'joined', 'applied')
    AND NOT EXISTS (SELECT 1 FROM event e WHERE e.message_id = m.id)) AS messages_without_event
"""


async def _rows(url: str, statement: str, values: Sequence[object]) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [dict(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


class Side:
    """A simulated system that is up, as a test uses it."""

    def __init__(self, running: SimulatedSystem) -> None:
        self.url, self.system = running
        self.client = httpx.Client(base_url=self.url, timeout=10, trust_env=False, verify=False)

    def emit(self, number: int = 1) -> list[str]:
        """Let so many cases happen; their ids."""
        ids: list[str] = self.client.post("/_sim/emit", json={"n": number}).json()["ids"]
        return ids

    def behave(self, **switches: Any) -> None:
        """Change switches; the others stay."""
        answer = self.client.post("/_sim/behaviour", json=switches)
        assert answer.status_code == 200, answer.text

    def summary(self) -> dict[str, Any]:
        """Counts and states."""
        summary: dict[str, Any] = self.client.get("/_sim/summary").json()
        return summary

    def items(self) -> list[dict[str, str]]:
        """Everything it knows."""
        items: list[dict[str, str]] = self.client.get("/_sim/items").json()
        return items

    def item(self, id_: str) -> dict[str, str]:
        """One item by its id."""
        return next(item for item in self.items() if item["id"] == id_)

    def received(self, path: str = "") -> list[dict[str, Any]]:
        """Raw requests of the hub, oldest first, whose path holds `path`."""
        state = self.client.get("/_sim/state", params={"limit": 200}).json()
        return [one for one in state["received"] if path in one["path"]]


@dataclass(frozen=True, slots=True)
class City:
    """A hub with doors and worker, and the three simulated systems it is connected to."""

    hub: HubUnderTest
    hotline: Side
    urban: Side
    grid: Side

    @property
    def sides(self) -> dict[str, Side]:
        """By their names in systems.yaml."""
        return {"hotline_12345": self.hotline, "urban_management": self.urban, "social_governance": self.grid}

    def settled(self, *, seconds: float = 30.0) -> dict[str, Any]:
        """The books, once nobody works and nothing waits any more; no side may have failed."""

        def still() -> bool:
            busy = any(side.summary()["busy"] for side in self.sides.values())
            return not busy and self.hub.summary()["messages"]["waiting"] == 0

        until(lambda: still() and still(), seconds=seconds, what="settling")
        for name, side in self.sides.items():
            assert side.system.failures == [], name
        return self.hub.summary()


def connected(
    configuration: Configuration, urls: Mapping[str, str], *, every: float | None = None
) -> Configuration:  # fmt: skip
    """The configuration with these addresses, and pulls every so many seconds."""
    systems = {
        name: replace(one, url=urls.get(name, one.url), every=every or one.every)
        for name, one in configuration.systems.items()
    }
    return replace(configuration, systems=systems)


def deliverer_to(hub: Hub, name: str) -> Deliverer:
    """The lanes to one system, to be worked off round by round."""
    connected = hub.configuration.systems[name]
    connector = connector_for(hub, connected)
    return Deliverer(hub, connected, connector, Session(connected.system, connector, hub))


async def take_up(deliverer: Deliverer) -> None:
    """One round of these lanes: what is due is taken up, as far as there are places, and goes on by itself."""
    lanes = Lanes(deliverer.hub)
    lanes.add(deliverer)
    await lanes.once()
