"""A platform that is asked: a real HTTP server whose answers a test chooses, its declaration as text, and a desk.

The desk is one process's view: a hub on a database of its own with a clock that stands until it is moved.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import text

import adapters
from canonical.findings import Severity
from canonical.message import Message
from canonical.time import SHANGHAI
from connectors.http import HttpConnector
from gateway.configuration import Configuration, ConnectedSystem
from gateway.delivery.deliver import Deliverer
from gateway.hub import Hub, wire
from gateway.poll import Poller
from gateway.session import Session
from gateway.settings import Settings, example_city
from gateway.subscribe import Subscriber
from tests.gateway.running import take_up

NAME = "parks"
NOW = datetime(2026, 5, 20, 9, 0, tzinfo=SHANGHAI)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the platform got it."""

    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. A `body` of None: the connection is cut instead."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answers = Callable[[Asked], Any]
"""What is answered: a Said, or a document that is answered with 200."""


class Platform(ThreadingHTTPServer):
    """Answers each path as the test says; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.on: dict[str, Answers] = {}
        self.asked: list[Asked] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [one.path for one in self.asked]

    def queries(self, path: str, *names: str) -> list[Any]:
        """Of each request for this path, the values of these names; the bare value when it is one name."""
        rows = [tuple(one.query.get(name, "") for name in names) for one in self.asked if one.path == path]
        return [row[0] if len(names) == 1 else row for row in rows]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    server: Platform

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(parts.path, dict(parse_qsl(parts.query)), json.loads(raw) if raw else None, headers)
        self.server.asked.append(asked)
        said = self.server.on[parts.path](asked)
        said = said if isinstance(said, Said) else Said(said)
        if said.body is None:
            self.close_connection = True
            return
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body, ensure_ascii=False).encode()
        self.send_response_only(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def platform() -> Iterator[Platform]:
    """One that is up, and ends with the block."""
    with Platform() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def parks() -> Iterator[Platform]:
    """A platform that signs us in and knows nothing else."""
    with platform() as server:
        server.on["/login"] = lambda _asked: {"code": "ok", "token": "t1"}
        yield server


Tell = Callable[["Desk"], Coroutine[Any, Any, None]]
Working = Callable[..., None]


@pytest.fixture
def telling(database_url: str, tmp_path: Path, configuration: Configuration, parks: Platform) -> Working:
    """Tell a story at a desk whose platform is declared with this text below SYSTEM."""

    def work(tell: Tell, more: str) -> None:
        async def run() -> None:
            async with desk(configuration, database_url, declared(tmp_path, more, parks.url)) as one:
                await tell(one)

        asyncio.run(run())

    return work


SYSTEM = """\
title: 园林巡查平台
edition: "1"
roles: [source, owner]
secrets: {user: {title: 登录名}}
connector: {protocol: http, timeout: 2}
sign_in: {message: login, token: token, secrets: [user]}
answers:
  plain:
    shape: [json]
    rows:
      - {http: "401", then: unauthenticated}
      - {http: "429", then: unavailable}
      - {http: "5xx", then: unavailable}
      - {http: "404", then: absent}
      - {when: {code: none}, then: absent}
      - {when: "doc.echo != doc['$asked'].body.no", then: in_doubt, text: about another number}
      - {when: "doc.echo != doc['$asked'].query.no", then: in_doubt, text: about another number}
      - {when: {code: ok}, then: accepted, external_id: {from: id}}
      - {when: {code: {present: "yes"}}, then: refused, text: {from: code}}
"""
PULL = """\
pulls:
  trees:
    every: 60
    jitter: 0
    page_size: 2
    ask: list_trees
    items: rows
    messages: [progress, tree]
"""
TREE = """\
direction: in
title: 树木
contract: tree.schema.json
external_id: {from: no}
report: {title: {from: kind}}
"""
PROGRESS = """\
direction: in
title: 进展
when: {done: {present: "yes"}}
contract: tree.schema.json
external_id: {from: no}
action:
  status: {from: done}
  steps:
    "working": {kinds: {owner: sign}}
    "planted": {kinds: {owner: dispose}, result: 已补种}
    "late": {kinds: {owner: ask_extension}, reason: 等苗, limit: {value: 3, unit: work_day}}
    "new": {}
"""
PLANT = """\
direction: out
title: 补种
repeat: never
path: /plant
answer: plain
body: {no: {from: case.reference}}
"""


def asking(path: str, *names: str, method: str = "GET", body: str = "") -> str:
    """A message that asks: `names` go to the query, as `page=pull.page`."""
    query = "".join(f"  {name}: {{from: {at}}}\n" for name, at in (one.split("=") for one in names))
    shown = "headers: {X-Token: {from: session}}\n" if path != "/login" else ""
    written = f"body: {body}\n" if body else ""
    return (
        f"direction: ask\ntitle: {path}\nmethod: {method}\npath: {path}\nanswer: plain\n{shown}{written}"
        f"{'query:' if query else ''}\n{query}"
    )


WINDOW = ("since=pull.since", "until=pull.until", "page=pull.page", "cursor=pull.cursor")
MESSAGES = {
    "tree": TREE,
    "progress": PROGRESS,
    "plant": PLANT,
    "login": asking("/login", method="POST"),
    "list_trees": asking("/trees", *WINDOW),
    "trees_from": asking("/trees", "offset=pull.offset"),
    "all_trees": asking("/all"),
    "one_tree": asking("/tree", "no=pull.item.no"),
    "count_trees": asking("/count"),
    "got_tree": asking("/got", "no=pull.item.no", method="POST"),
    "got_trees": asking("/got", method="POST", body="{nos: {from: pull.items, each: {from: no}}}"),
    "ask_case": asking("/case", "no=binding.external_id"),
    "find_plant": asking("/find", "no=case.reference"),
    "register": asking("/register", method="POST"),
    "keepalive": asking("/alive", method="POST"),
    "subscribe": asking("/subscribe", method="POST"),
    "unsubscribe": asking("/unsubscribe", method="POST"),
    "unregister": asking("/unregister", method="POST"),
}
SCHEMA = {
    "type": "object",
    "required": ["no"],
    "properties": {
        "no": {"type": "string", "maxLength": 64}, "kind": {"type": "string", "maxLength": 99},
        "done": {"type": "string", "maxLength": 20},
    },
}  # fmt: skip


def declared(folder: Path, more: str = PULL, url: str = "", *, every: float | None = None) -> ConnectedSystem:
    """The platform's folder, written and loaded; `more`: what stands in system.yaml below SYSTEM."""
    root = folder / NAME
    files = {"system.yaml": SYSTEM + more, "contract/tree.schema.json": json.dumps(SCHEMA)}
    files |= {f"messages/{name}.yaml": written for name, written in MESSAGES.items()}
    for name, written in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(written, encoding="utf-8")
    assert [one for one in adapters.check(root, samples=False) if one.severity is Severity.ERROR] == []
    system = adapters.load(root, {"user": "示例"}, name=NAME)
    return ConnectedSystem(system=system, url=url, every=every, concurrency=2, paused=False)


def tree(number: int, **more: str) -> dict[str, str]:
    """A row of the list."""
    return {"no": f"T{number}", "kind": "倒伏"} | more


def seconds(text: str) -> float:
    """An instant of a query, in seconds after NOW."""
    return (datetime.fromisoformat(text) - NOW).total_seconds()


def detail(asked: Asked) -> Any:
    """The answer about one tree."""
    return {"code": "ok", "rows": [{"no": asked.query["no"], "kind": "倒伏"}]}


def pages(rows: Sequence[Any], size: int = 2) -> Answers:
    """A list that is served by page number."""
    return lambda asked: {"code": "ok", "rows": rows[(int(asked.query["page"]) - 1) * size :][:size]}


@dataclass(slots=True)
class Desk:
    """One process: its hub, and what it does for the platform."""

    hub: Hub
    connected: ConnectedSystem
    session: Session
    poller: Poller
    after: timedelta = timedelta()

    async def round(self, *, after: float = 0.0) -> float:
        """One round of the poller at NOW plus so many seconds."""
        self.after = timedelta(seconds=after)
        return await self.poller.round()

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database holds."""
        async with self.hub.store.transaction() as transaction:
            return [tuple(row) for row in await transaction.connection.execute(text(statement))]

    async def known(self) -> list[str]:
        """The platform's numbers that became cases, in order."""
        return [row[0] for row in await self.rows("SELECT external_id FROM binding ORDER BY external_id")]

    async def cursor(self, name: str = "trees") -> tuple[float | None, str]:
        """(seconds after NOW up to which everything is committed, trouble)."""
        [(until, trouble)] = await self.rows(f"SELECT until, trouble FROM cursor WHERE pull = '{name}'")
        return (until - NOW).total_seconds() if until else None, trouble

    async def journal(self) -> dict[str, int]:
        """Inbound rows by verdict."""
        counted = await self.rows("SELECT verdict, count(*) FROM message WHERE direction = 'in' GROUP BY verdict")
        return {row[0]: row[1] for row in counted}

    def subscriber(self) -> Subscriber:
        """The platform's subscription, as this process keeps it."""
        return Subscriber(self.hub, self.connected, self.session)

    async def take_in(self, system: str, body: bytes, content_type: str) -> None:
        """What another system pushed, authenticated already."""
        message = Message(
            system=system, body=body, at=self.hub.now(), id=self.hub.ids(), content_type=content_type,
        )  # fmt: skip
        await self.hub.reception.take_in(self.hub.reception.read(message, again=True))

    def deliverer(self) -> Deliverer:
        """The lanes to the platform; whoever asks closes it."""
        return Deliverer(self.hub, self.connected, self.session.connector, self.session)

    async def deliver(self) -> None:
        """One round of the lanes to the platform, until everything it began is over."""
        lanes = self.deliverer()
        await take_up(lanes)
        await lanes.drained()
        lanes._threads.shutdown()  # the desk's connector stays


@asynccontextmanager
async def desk(
    configuration: Configuration, url: str, connected: ConnectedSystem, *, data: Path = Path(".gridhub")
) -> AsyncIterator[Desk]:
    """A desk of the example city, where this platform serves the units of urban management. `data`: for its files."""
    units = {
        name: unit.model_copy(update={"system": NAME}) if unit.system == "urban_management" else unit
        for name, unit in configuration.city.responsibility.units.items()
    }
    city = replace(
        configuration.city, systems={**configuration.city.systems, NAME: connected.system.role},
        responsibility=replace(configuration.city.responsibility, units=units),
    )  # fmt: skip
    whole = Configuration(city, {**configuration.systems, NAME: connected})
    settings = Settings(example_city(), url, data=data)
    made: list[Desk] = []

    def now() -> datetime:
        return NOW + (made[0].after if made else timedelta())

    hub = replace(wire(settings, url, configuration=whole), now=now)
    hub = replace(hub, reception=type(hub.reception)(whole, hub.store, now=now, ids=hub.ids))
    facts = connected.system.connector
    connector = HttpConnector(connected.url, timeout=facts.timeout, ids=hub.ids, now=now)
    session = Session(connected.system, connector, hub)
    made.append(Desk(hub, connected, session, Poller(hub, connected, session)))
    try:
        yield made[0]
    finally:
        connector.close()
        await hub.store.close()


async def reached(true: Callable[[], bool]) -> None:
    """Wait for something that happens by itself."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")
