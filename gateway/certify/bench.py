"""The bench: a private hub with a temporary database, real doors and a worker, and the platform's simulated other side.

Everything it starts, it ends; every folder it removes it got from mkdtemp. No real city's settings are touched.
"""

import asyncio
import csv
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, TypeVar
from uuid import UUID

import httpx
import structlog
import uvicorn
import yaml

import adapters
import simulators
from adapters.declaration import SystemDeclaration
from adapters.yaml_file import read_yaml
from canonical.errors import HubError
from canonical.message import Message
from canonical.reading import Outcome
from canonical.records import Arrival
from gateway.api import create_app
from gateway.certify.exchange import QUIET, Exchange, tables
from gateway.certify.file_server import file_server
from gateway.certify.material import Material, declaration, material
from gateway.certify.other_side import OtherSide, playable, serving
from gateway.configuration import Configuration, load
from gateway.hub import Hub, wire
from gateway.serve import _config
from gateway.settings import Settings, example_city
from gateway.views import View, books_view
from gateway.work import Role, Worker
from storage.embedded import EmbeddedPostgres
from storage.journal import JournalRow
from storage.schema import migrate

T = TypeVar("T")
SOURCE = "certify_source"
"""The bench's own source: its cases are what a platform is handed."""
UNIT = "certify_unit"
_QUICK = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
"""The database of a certification need not survive a power cut."""
OVER_HTTP = frozenset({"http", "soap"})
_READS_NOTHING = frozenset({Role.DELIVER, Role.FETCH})
"""Of a live platform nothing is taken: no list is worked off, nothing is acknowledged, nobody is subscribed."""
_START = 30.0
_SETTLING = 3.0
"""Seconds in which one delivery at least is made, if any will be: a burst of cases leaves hundreds."""
_SOON = 0.4
"""Seconds between two looks of the hub at the side that the bench plays."""
_TIMEOUT = 1
"""Seconds an answer of the platform is waited for, so that late answers are late soon."""


class BenchFailed(HubError):
    """A part of the bench did not start, or ended by itself."""


def until(true: Callable[[], object], seconds: float) -> bool:
    """Wait for something to become true; False when it does not."""
    end, pause = time.monotonic() + seconds, 0.03
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(1.25 * pause, 0.2)  # whoever waits long is not noticed late, and asking costs the hub as well
    return True


class Bench:
    """One platform on a private hub. `with Bench(...) as bench`."""

    def __init__(
        self, folder: Path, *, url: str = "", simulator: bool = True, account: Mapping[str, str] | None = None,
        database_url: str = "",
    ) -> None:  # fmt: skip
        self.database_url = database_url
        self.name = folder.resolve().name
        self.given, self.live = folder.resolve(), url
        self.unreached = False
        """A live platform that is not there, or does not let us in."""
        self._given_secrets = dict(account or {})
        self.said_success = ""
        """What the platform was answered last when its report became a case."""
        self.declared = declaration(self.given)
        self.simulated = simulator and not url and simulated(self.name, self.declared)
        self.side: OtherSide | None = None
        """The platform's other side where it speaks HTTP and nobody has a simulated platform of it."""
        self.exchange: Exchange | None = None
        """Its folders and tables."""
        self.pulls = frozenset(self.declared.pulls)
        self.secret = f"certify-{secrets.token_hex(8)}"
        self.token = secrets.token_hex(16)
        self.client = httpx.Client(trust_env=False, timeout=30)
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        self._tasks: list[Future[None]] = []

    def __enter__(self) -> "Bench":
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- starting and stopping ---

    def _open(self) -> None:
        self._stack.callback(self.client.close)
        self.folder = self._stack.enter_context(_own_folder())
        self._log = self._stack.enter_context((self.folder / "hub.log").open("w", encoding="utf-8"))
        self._stack.enter_context(_logged(self._log))
        self.declared_folder = self.folder / "config" / self.name
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._stack.callback(self.listener.close)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.database_url = self.database_url or self._database()
        self.other_url = self.live or (self._simulated() if self.simulated else self._played())
        self._configure()
        self._stack.callback(self._loop.close)  # last of all
        thread = threading.Thread(target=self._loop.run_forever, name="bench")
        thread.start()
        self._stack.callback(thread.join, 30)
        self._stack.callback(self._loop.call_soon_threadsafe, self._loop.stop)
        self.settings = Settings(
            self.folder / "config", self.database_url, self.token, self.folder / "data", self._environment()
        )
        self.configuration = load(self.settings.config, self.settings.environment)
        self.hub = self.do(self._wired(self.configuration))
        self._stack.callback(lambda: self.do(self.hub.store.close()))
        self._serve()
        self.files_url = self._stack.enter_context(file_server())
        loaded = self.configuration.systems[self.name].system
        self.material: Material = material(self.declared_folder, self.declared, loaded, self.secrets, self.files_url)

    def _database(self) -> str:
        server = self._stack.enter_context(EmbeddedPostgres(None, settings=_QUICK))
        asyncio.run(migrate(server.url))
        return server.url

    def _environment(self) -> dict[str, str]:
        given = {f"SECRET_{number}": value for number, value in enumerate(self.secrets.values())}
        return {"SECRET": self.secret} | given

    def _configure(self) -> None:
        """The example city with two systems: the platform under test, copied, and the source of the bench."""
        config = self.folder / "config"
        shutil.copytree(example_city(), config)
        shutil.copytree(self.given, self.declared_folder)
        path = self.declared_folder / "system.yaml"
        file = read_yaml(path, [], name="system.yaml")  # YAML 1.1 would read `no` as false and 0401 as 257
        declared: dict[str, Any] = deepcopy(dict(file.data)) if file else {}
        if self.simulated or self.played:
            declared.setdefault("connector", {})["timeout"] = _TIMEOUT
            for one in declared.get("receivers", {}).values():
                if "files" in one:
                    one["files"]["quiet"] = QUIET
            path.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), encoding="utf-8")
        needed = [name for name, one in self.declared.secrets.items() if not one.optional]
        samples = adapters.sample_secrets(self.declared_folder)
        # A secret with a form of its own has that of its sample. A simulated platform has one secret for everything.
        self.secrets = {
            name: self.secret if self.simulated and not self.declared.secrets[name].sample else samples[name]
            for name in dict.fromkeys([*needed, *self._shown(), *self._given_secrets])
        } | self._given_secrets
        given = {name: f"${{SECRET_{number}}}" for number, name in enumerate(self.secrets)}
        entry = {"adapter": self.name, "url": self.other_url, "every": 1, "secrets": given}
        entry["hub_url"] = self.url
        if self.exchange is not None:
            entry["urls"] = self.exchange.addresses
        if self.played:
            entry["every"] = _SOON
        _source(config / SOURCE)
        systems = {self.name: entry, SOURCE: {"adapter": SOURCE, "secrets": {"key": "${SECRET}"}}}
        (config / "systems.yaml").write_text(yaml.safe_dump(systems, allow_unicode=True), encoding="utf-8")
        _units(config, self.name if "owner" in self.declared.roles else "")

    def _shown(self) -> list[str]:
        """Optional secrets: the first that stands for a static one, so that no signing in is needed for it."""
        optional = [name for name, one in self.declared.secrets.items() if one.optional]
        signing = set(self.declared.sign_in.secrets) if self.declared.sign_in else set()
        for one in self.declared.receivers.values():  # folders and tables of the bench ask for no account
            signing |= set(one.account.model_dump().values())
        if self.declared.connector.protocol not in OVER_HTTP:
            signing |= set(self.declared.connector.account.model_dump().values())
        return [name for name in optional if name not in signing]

    async def _wired(self, configuration: Configuration) -> Hub:
        return wire(self.settings, self.database_url, configuration=configuration)

    def _serve(self) -> None:
        self._stop = self.do(_event())
        front = create_app(self.do(self._wired(self.configuration)))
        server = uvicorn.Server(_config(front, "127.0.0.1", 0))
        self._tasks = [
            asyncio.run_coroutine_threadsafe(server.serve(sockets=[self.listener]), self._loop),
            asyncio.run_coroutine_threadsafe(self._work(), self._loop),
        ]
        self._stack.callback(self._end, server)
        if not until(lambda: server.started or self._tasks[0].done(), _START) or not server.started:
            raise BenchFailed("the private hub did not open its doors")

    def _end(self, server: uvicorn.Server) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._tasks[1].result(60)
        server.should_exit = True
        self._tasks[0].result(60)

    async def _work(self) -> None:
        assert self._stop is not None
        hub = await self._wired(self.configuration)
        try:
            await Worker(hub, _READS_NOTHING if self.live else frozenset(Role)).run(self._stop)
        finally:
            await hub.store.close()

    def _simulated(self) -> str:
        """The simulated platform in a process of its own; its address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "gateway", "simulate", self.name, "--hub", self.url, "--port", str(port)]
        command += [
            "--secret",
            self.secret,
            "--quiet",
            "--rate",
            "0",
            "--pace",
            "0.05",
            "--seed",
            "7",
            "--returns",
            "0",
        ]
        # What names an account there is agreed with the hub as any other secret is.
        accounts = [f"{name}={self.secret}" for name in self.declared.secrets if name in _options(self.name)]
        for switch in ("gap=0.2", "repeat=0", "delay=0", "assist=0", "dissatisfied=0", "rework=0", *accounts):
            command += ["--set", switch]
        log = self._stack.enter_context((self.folder / "simulator.log").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 our own program
        self._stack.callback(_ended, process)
        url = f"http://127.0.0.1:{port}"
        if not until(lambda: process.poll() is not None or self._answers(f"{url}/_sim/summary"), _START):
            raise BenchFailed(f"the simulated {self.name} did not start")
        if process.poll() is not None:
            raise BenchFailed(f"the simulated {self.name} ended with {process.returncode}")
        return url

    @property
    def played(self) -> bool:
        """Whether the bench itself is the platform's other side."""
        return self.side is not None or self.exchange is not None

    def _played(self) -> str:
        """The other side made of the folder; its address, empty where there is nothing to be sent."""
        protocols = {self.declared.connector.protocol, *(one.kind for one in self.declared.receivers.values())}
        address = ""
        if self.declared.connector.protocol in OVER_HTTP:
            loaded = adapters.load(self.given, adapters.sample_secrets(self.given), name=self.name)
            self.side = playable(self.given, loaded)
            address = self._stack.enter_context(serving(self.side)) if self.side else ""
        if protocols & {"table", "files"}:
            database = self._stack.enter_context(tables(self.database_url)) if "table" in protocols else ""
            self.exchange = Exchange(self.given, self.declared, self.folder / "exchange", database)
            self._stack.callback(self.exchange.close)
            address = self.exchange.url if self.exchange.writes else address
        return address

    def _answers(self, url: str) -> bool:
        try:
            return self.client.get(url).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    # --- using ---

    def do(self, job: Coroutine[Any, Any, T]) -> T:
        """Run on the hub's loop and wait."""
        return asyncio.run_coroutine_threadsafe(job, self._loop).result(60)

    def push(self, message: Message) -> httpx.Response:
        """Over the wire, as the platform would."""
        door = next(one for one in self.material.system.doors if one.name == message.door)
        path, _, query = message.path.partition("?")
        path = path or door.path.text
        url = f"{self.url}/in/{self.name}" + (f"/{path}" if path else "") + (f"?{query}" if query else "")
        headers = {"content-type": message.content_type, **message.headers}
        return self.client.request(message.method, url, content=message.body, headers=headers)

    def newest(self) -> UUID | None:
        """The newest message in the journal."""
        rows = self.do(self.hub.journal.rows(direction="in", limit=1))
        return rows[0].id if rows else None

    def rows_since(self, newest: UUID | None) -> list[JournalRow]:
        """What this platform sent after that, oldest first; parts after the whole they came in."""
        rows = self.do(self.hub.journal.rows(system=self.name, direction="in", limit=20))
        return sorted((row for row in rows if newest is None or row.id > newest), key=lambda row: row.id)

    def hand_in(self, message: Message) -> list[Outcome]:
        """A message that was fetched, not pushed: read and committed as a pull or receiver does."""
        return self.do(_handed_in(self.hub, replace(message, at=self.hub.now(), id=self.hub.ids())))

    @property
    def area(self) -> str:
        """A division of the example city, the smallest it has."""
        lines = (self.settings.config / "divisions.csv").read_text(encoding="utf-8").splitlines()
        return max((line.partition(",")[0] for line in lines if line[:1].isdigit()), key=len)

    def edited(self) -> Hub:
        """A hub on the same database, with what stands in the private folder now."""
        return self.do(self._wired(load(self.settings.config, self.settings.environment)))

    def api(self, method: str, path: str, **given: Any) -> httpx.Response:  # noqa: ANN401
        """The centre's API."""
        return self.client.request(
            method, self.url + path, headers={"authorization": f"Bearer {self.token}"}, **given
        )  # fmt: skip

    def settled(self) -> None:
        """Wait until nothing is under way, or moves any more: what one scenario sends must not count in the next."""
        before = -1
        while (waiting := self.books()["messages"]["waiting"]) != before and waiting:
            before = waiting
            until(lambda: self.books()["messages"]["waiting"] == 0, _SETTLING)

    def books(self) -> View:
        """The books as they stand."""
        return books_view(self.do(self.hub.casebook.books(self.hub.now())))

    def trouble(self, door: str) -> str:
        """What the hub has against the list, folder or table it should fetch from; empty when nothing."""
        told = self.api("GET", "/api/systems").json()
        flows = [flow for one in told["items"] if one["id"] == self.name for flow in one["inflow"]]
        return next((str(flow["trouble"]) for flow in flows if flow["name"] == door and flow["trouble"]), "")

    def defects(self) -> str:
        """What the hub's log says of defects; empty when there are none."""
        self._log.flush()
        text = (self.folder / "hub.log").read_text(encoding="utf-8")
        return text[text.index("Traceback") :][-600:] if "Traceback" in text else ""


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def _handed_in(hub: Hub, message: Message) -> list[Outcome]:
    arrivals: list[Arrival] = hub.reception.read(message, again=True)
    return await hub.reception.take_in(arrivals)


def simulated(name: str, declared: SystemDeclaration) -> bool:
    """Whether there is a simulated platform the bench can run: one without a database, broker or shared folder."""
    return name in simulators.SYSTEMS and declared.connector.protocol in OVER_HTTP and not declared.receivers


def other_side(name: str, declared: SystemDeclaration, *, simulator: bool) -> str:
    """Who plays the platform's other side, in words, where nobody gave a live one."""
    if simulator and simulated(name, declared):
        return "模拟平台 simulated"
    sent = any(declared.tells.values()) or declared.pulls or declared.sign_in
    if declared.connector.protocol in {"table", "files"} or any(
        one.kind in {"table", "files"} for one in declared.receivers.values()
    ):
        return "演练台的文件夹和表 folders and tables of the bench"
    return "由文件夹推出 made of the folder" if sent and declared.connector.protocol in OVER_HTTP else "无 none"


def _options(name: str) -> frozenset[str]:
    return frozenset(simulators.SYSTEMS[name].options)


def _ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _own_folder() -> Iterator[Path]:
    made = tempfile.mkdtemp(prefix="gridhub-certify-")
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made)


@contextmanager
def _logged(file: TextIO) -> Iterator[None]:
    """The hub's log goes into a file while the bench stands."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info,
                    structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file), cache_logger_on_first_use=False,
    )  # fmt: skip
    try:
        yield
    finally:
        structlog.configure(**before)


def _units(config: Path, system: str) -> None:
    """No unit is carried by a system but one, and the centre decides about every case: nothing moves by itself."""
    path = config / "units.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    units = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    own = {"level": "city", "area": "3402"}
    mine = {"id": UNIT, "name": "认证单位", "system": system}, {"id": "certify_desk", "name": "认证席位"}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(units[0]), restval="")
        table.writeheader()
        table.writerows([*({**unit, "system": ""} for unit in units), *({**own, **one} for one in mine)])
    header = "id,class,area,hours,unit,valid_from,valid_to,basis"
    row = "certify,*,3402,always,centre,2000-01-01,,认证"
    (config / "responsibility.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    (config / "rules.yaml").write_text(
        "edition: certification\n", encoding="utf-8"
    )  # a platform is judged, no city's rule


_SOURCE = {
    "system.yaml": """\
title: 认证来源
edition: "1"
roles: [source]
secrets: {key: {title: 认证}}
connector: {protocol: http}
doors:
  cases:
    shape: [json]
    authenticate: {header: key, secret: key}
    messages: [case]
    reply: {format: json, rows: [{body: {verdict: {from: verdict}, no: {from: case_no}, text: {from: text}}}]}
""",
    "messages/case.yaml": """\
direction: in
title: 认证来案
contract: case.schema.json
external_id: {from: id}
report:
  description: {from: description}
  address: {from: address}
  reporter: {name: 示例市民, phone: "13800000000"}
""",
    "contract/case.schema.json": """\
{"type": "object", "required": ["id", "description"], "properties": {
  "id": {"type": "string", "maxLength": 64}, "description": {"type": "string", "maxLength": 2000},
  "address": {"type": "string", "maxLength": 500}}}
""",
}


def _source(folder: Path) -> None:
    for name, content in _SOURCE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def folder_of(given: str) -> Path:
    """The folder of a shipped system or a path. Raises BenchFailed."""
    folder = Path(given) if (Path(given) / "system.yaml").is_file() else adapters.shipped().get(given)
    if folder is None:
        raise BenchFailed(
            f"'{given}' is neither a folder with a system.yaml nor one of {', '.join(adapters.shipped())}"
        )
    return folder
