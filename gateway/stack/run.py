"""The stack as one object: what it starts, in which order, and what it stops. Everything lies in one folder."""

import asyncio
import fcntl
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from canonical.errors import Misconfigured
from gateway.settings import (
    BUS_PASSWORD,
    BUS_URL,
    BUS_USERNAME,
    CENTRE_TOKEN,
    CONFIG,
    DATA,
    DATABASE_URL,
    FILES,
    SIMULATE_SECRET,
    driver_url,
    example_city,
)
from gateway.stack import servers
from gateway.stack.ports import Ports
from gateway.stack.services import ADDRESSES, GATEWAYS, MAPS, NICE, SIMULATORS, WORKERS, Service
from gateway.stack.supervisor import Program, Supervisor
from storage.schema import migrate

HOST = "127.0.0.1"
OPTIONAL = ("rabbitmq", "mosquitto", "prometheus", "simulators")
_HERE = Path(__file__).parent
_ALERTS = _HERE.parents[1] / "deploy" / "prometheus" / "alerts.yml"
_GRACE = {"serve": 30.0, "work": 60.0, "simulate": 5.0, "maps": 30.0}
_RATES = {"hotline": 0.5, "urban": 0.2, "grid": 0.2, "sensors": 0.1}
"""Share of the stream that each simulated system tells."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run shall be."""

    folder: Path
    base_port: int = 18080
    """The first of the ports it takes, in a row; 0: free ones."""
    rate: float = 30.0
    """Cases a minute that the simulated systems tell, all together."""
    without: frozenset[str] = frozenset()
    """Of OPTIONAL."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More variables for the hub's processes."""
    simulated: tuple[str, ...] = ()
    """More options of every simulated system."""


class Stack:
    """A running stack. Entering starts everything and waits until it answers; leaving stops it, sources first."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.folder = plan, plan.folder.absolute()
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        with self._ends:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._ends.enter_context(_held(self.folder))
            self.ports = Ports(self.plan.base_port)
            self.supervisor = self._ends.enter_context(Supervisor(self.folder))
            self._ends = self._ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    # --- starting ---

    def start(self) -> Iterator[str]:
        """Start everything; what is about to be started, part by part. Raises NotUp when something does not come up."""
        for title, programs, seconds in self._parts():
            yield title
            self.supervisor.start(*programs)
            self.supervisor.wait(*(program.name for program in programs), seconds=seconds)

    def _parts(self) -> Iterator[tuple[str, list[Program], float]]:
        given = [servers.database(self.folder / "postgres", self.socket), *self._rabbitmq(), *self._mosquitto()]
        yield "database, brokers 数据库、消息中间件", given, 120.0
        asyncio.run(migrate(driver_url(self.database_url)))
        self._lay_out_city()
        hub = [one for service in (*GATEWAYS, *self._workers(), *MAPS) for one in self._programs(service)]
        watching = [self._prometheus()] if self.has("prometheus") else []
        yield "gateways, workers, maps 网关、工作进程、地图服务", [*hub, *watching], 120.0
        if self.has("simulators"):
            wanted = [service for service in SIMULATORS if service.name != "sensors" or self.has("mosquitto")]
            yield "simulated systems 模拟业务系统", [one for each in wanted for one in self._programs(each)], 120.0

    def has(self, part: str) -> bool:
        """Whether this optional part runs: wanted, and here."""
        return part not in self.plan.without and (part == "simulators" or servers.installed(part))

    @property
    def missing(self) -> list[str]:
        """What is wanted and not on this machine."""
        wanted = [part for part in OPTIONAL if part not in self.plan.without and part != "simulators"]
        return [part for part in wanted if not servers.installed(part)]

    def groups(self) -> list[list[str]]:
        """The hub's processes in the order in which they are stopped."""
        kinds = (SIMULATORS if self.has("simulators") else (), WORKERS, (*GATEWAYS, *MAPS))
        running = {row.name for row in self.supervisor.status()}
        return [[name for service in kind for name in service.names if name in running] for kind in kinds]

    # --- where things are ---

    @cached_property
    def socket(self) -> Path:
        """A short path to the database's socket: a Unix socket's path has 107 bytes."""
        made = Path(servers.short_folder())
        self._ends.callback(shutil.rmtree, made, ignore_errors=True)
        return made / "db"

    @property
    def database_url(self) -> str:
        """For GRIDHUB_DATABASE_URL."""
        return servers.url(self.socket)

    @cached_property
    def token(self) -> str:
        """The centre's bearer token, and whatever else has to be secret here; kept with the data."""
        file = self.folder / "centre-token"
        if not file.exists():
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as opened:
                opened.write(secrets.token_urlsafe(24))
        return file.read_text().strip()

    def address(self, name: str) -> str:
        """Where a process listens."""
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def gateways(self) -> list[str]:
        """Addresses of all gateways."""
        return [self.address(name) for service in GATEWAYS for name in service.names]

    def ask(self, path: str, gateway: int = 0, **query: Any) -> Any:  # noqa: ANN401 whatever the API answers
        """The JSON of one of the centre's pages. Raises httpx.HTTPError."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = httpx.get(
            self.gateways[gateway] + path, params=query, headers=headers, timeout=10, trust_env=False
        )  # fmt: skip
        return answer.raise_for_status().json()

    def quiet(self) -> None:
        """The simulated systems tell nothing new; what they have begun goes on."""
        for name in self.groups()[0]:
            httpx.post(f"{self.address(name)}/_sim/quiet", timeout=10, trust_env=False)

    def busy(self) -> bool:
        """Whether a simulated system still works on something."""
        return any(
            httpx.get(f"{self.address(name)}/_sim/summary", timeout=10, trust_env=False).json()["busy"]
            for name in self.groups()[0]
        )

    # --- programs ---

    def _programs(self, service: Service) -> list[Program]:
        return [self._program(service, name) for name in service.names]

    def _program(self, service: Service, name: str) -> Program:
        port = self.ports[name]
        command = service.command(HOST, port, hub=self.address(self._gateway_of(service)))
        if service in SIMULATORS:
            rate = self.plan.rate * _RATES.get(service.name, 0.0)
            command += ["--rate", f"{rate:g}", "--pace", "1", *self._told(service), *self.plan.simulated]
        steps_back = ["nice", "-n", f"{NICE}"] if service in MAPS else []
        return Program(
            name, [*steps_back, sys.executable, "-m", "gateway", *command], self._environment,
            servers.healthy(f"{self.address(name)}{service.health}"), port, grace=_GRACE[service.does[0]],
        )  # fmt: skip

    def _workers(self) -> list[Service]:
        return [service for service in WORKERS if service.name != "bus" or self.has("rabbitmq")]

    def _gateway_of(self, service: Service) -> str:
        """Simulated systems take turns: each gateway gets its share."""
        turn = SIMULATORS.index(service) if service in SIMULATORS else 0
        return GATEWAYS[turn % len(GATEWAYS)].name

    def _told(self, service: Service) -> list[str]:
        if service.name != "sensors":
            return []
        return ["--set", f"broker=mqtt://{servers.ACCOUNT}:{self.token}@{HOST}:{self.ports['mosquitto']}"]

    @cached_property
    def _environment(self) -> dict[str, str]:
        """What every process of the hub and every simulated system is told."""
        told = {
            CONFIG: str(self.folder / "config"), DATABASE_URL: self.database_url, CENTRE_TOKEN: self.token,
            DATA: str(self.folder), FILES: str(self.folder / "files"),
            SIMULATE_SECRET: self.token, "HOTLINE_TOKEN": self.token,
            "URBAN_VALIDATE": self.token, "GRID_TOKEN": self.token, "MQTT_USER": servers.ACCOUNT,
            "MQTT_PASSWORD": self.token, "MQTT_URL": f"mqtt://{HOST}:{self.ports['mosquitto']}",
        }  # fmt: skip
        told |= {variable: self.address(name) for name, variable in ADDRESSES.items()}
        if self.has("rabbitmq"):
            told |= {
                BUS_URL: f"amqp://{HOST}:{self.ports['rabbitmq']}", BUS_USERNAME: servers.ACCOUNT,
                BUS_PASSWORD: self.token,
            }  # fmt: skip
        return {**os.environ, **told, **self.plan.environment}

    def _rabbitmq(self) -> list[Program]:
        if not self.has("rabbitmq"):
            return []
        ports = [self.ports[name] for name in ("rabbitmq", "rabbitmq-node", "rabbitmq-names")]
        return servers.rabbitmq(self._place("rabbitmq", ports))

    def _mosquitto(self) -> list[Program]:
        if not self.has("mosquitto"):
            return []
        return [servers.mosquitto(self._place("mosquitto", [self.ports["mosquitto"]]))]

    def _prometheus(self) -> Program:
        targets = {
            "gateway": [self.ports[name] for service in GATEWAYS for name in service.names],
            "worker": [self.ports[name] for service in self._workers() for name in service.names],
            "maps": [self.ports[name] for service in MAPS for name in service.names],
        }
        place = self._place("prometheus", [self.ports["prometheus"]])
        return servers.prometheus(place, targets, _ALERTS if _ALERTS.exists() else None)

    def _place(self, name: str, ports: list[int]) -> servers.Place:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return servers.Place(folder, ports, self.token)

    def _lay_out_city(self) -> None:
        """The example city with the stack's systems, made anew: what is edited there is lost at the next start."""
        city = self.folder / "config"
        shutil.rmtree(city, ignore_errors=True)
        shutil.copytree(example_city(), city)
        systems = yaml.safe_load((_HERE / "systems.yaml").read_text(encoding="utf-8"))
        if not self.has("mosquitto"):
            del systems["sensors"]
        (city / "systems.yaml").write_text(yaml.safe_dump(systems, allow_unicode=True), encoding="utf-8")
        shutil.copy(_HERE / "sensors-devices.csv", city)


class _held:  # noqa: N801 a context manager, used as a function
    """One stack a folder. Raises Misconfigured that names who has it."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "lock").open("a+")

    def __enter__(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise Misconfigured(
                f"process {holder} runs a stack in this folder already: choose another --folder"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()
