"""Everything that runs in one campaign: database, hub processes, simulated systems, the disk and the clocks."""

import heapq
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.chaos.city import CALLS, TOKEN, WORKS, environment, lay_out
from tests.chaos.disk import Disk
from tests.chaos.platform import CALM
from tests.chaos.processes import Database, Init, Process, Starter, python, started
from tests.connectors.servers.rabbitmq import PASSWORD, USERNAME, RabbitMq

CENTRE = "the-token-of-the-campaigns-desk"
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB", "max_connections": "200"}
"""Processes are killed and the server crashes, but no power is cut: what was written to files is there."""
HOUSE = "fetch,poll,receive,subscribe"
"""What the one worker does that does not deliver."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One campaign."""

    seed: int
    cases: int
    faults: int
    gateways: int = 2
    workers: int = 2
    lines: int = 24
    rate: float = 400.0
    """Reports a second at most."""
    longest: float = 8.0
    """Seconds the longest fault lasts; a process stands still up to three times as long."""
    longest_step: float = 120.0
    """Seconds a clock is stepped at most."""
    gap: float = 1.0
    """Seconds between two faults at least."""
    patience: float = 900.0
    """Seconds until everything must have come to rest."""
    plant: str = ""
    kinds: tuple[str, ...] = ()
    """Kinds of faults that are drawn; none: all of them."""
    bus: bool = False
    """With a broker: lanes are taken up by tickets from it while it is there."""


class Field:
    """The running campaign. `folder` keeps ledgers, logs and the export."""

    knowing = [name for name, (repeat, _) in WORKS.items() if repeat in {"safe", "guarded"}]
    """Owners that know a task again: only to them may the network double a request."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.longest, self.longest_step = plan.longest, plan.longest_step
        self.init = Init()
        self.database = Database(folder / "postgres", _SETTINGS)
        self.disk = Disk(folder / "files")
        self.broker = RabbitMq(_port) if plan.bus else None
        self.ports = {name: _port() for name in (CALLS, *WORKS)}
        self.gateways = [_port() for _ in range(plan.gateways)]
        self._undo: list[tuple[float, int, Callable[[], object]]] = []
        self._undone = 0
        self._waking = threading.Condition()
        self._open = True
        self._timer = threading.Thread(target=self._tick, name="undo", daemon=True)
        self._environment: dict[str, str] = {}
        self._starter: Starter | None = None
        self._off: set[str] = set()

    # addresses

    def address(self, system: str) -> str:
        """Of a simulated system."""
        return f"http://127.0.0.1:{self.ports[system]}"

    def gateway(self) -> str:
        """Of a gateway that listens just now."""
        for port in self.gateways:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return f"http://127.0.0.1:{port}"
        return f"http://127.0.0.1:{self.gateways[0]}"

    @property
    def works(self) -> dict[str, str]:
        """The owners' addresses."""
        return {name: self.address(name) for name in WORKS}

    # life

    def start(self) -> None:
        """Everything up, and ready to take cases."""
        config = lay_out(self.folder / "config")
        self.database.start()
        told = environment({name: self.address(name) for name in self.ports})
        told |= {
            "GRIDHUB_CONFIG": str(config), "GRIDHUB_DATABASE_URL": self.database.url, "GRIDHUB_CENTRE_TOKEN": CENTRE,
            "GRIDHUB_DATA": str(self.folder), "GRIDHUB_FILES": str(self.disk.folder),
        }  # fmt: skip
        if self.broker is not None:
            self.broker.start()
            told |= {
                "GRIDHUB_BUS_URL": self.broker.url, "GRIDHUB_BUS_USERNAME": USERNAME, "GRIDHUB_BUS_PASSWORD": PASSWORD,
            }  # fmt: skip
        self._environment = {**os.environ, **told}
        self.gridhub("db", "upgrade")
        self._starter = Starter(config, self._environment, self.folder / "starter.log")
        for number, port in enumerate(self.gateways):
            arguments = ("serve", "--no-work", "--port", str(port), "--json-log")
            self._add_hub(f"gateway-{number + 1}", "gateway", *arguments)
        for number in range(self.plan.workers):
            self._add_hub(f"deliver-{number + 1}", "deliver", "work", "--role", "deliver", "--json-log")
        house = f"{HOUSE},relay" if self.broker is not None else HOUSE
        self._add_hub("house-1", "house", "work", "--role", house, "--json-log")
        for name, (repeat, finds) in WORKS.items():
            mode = "asked" if finds else "strict" if repeat == "never" else repeat
            self._add_platform(name, "owner", "tests.chaos.works", "--mode", mode)
        self.init.start()
        self._timer.start()
        self._until_up(tuple(WORKS))

    def feed(self) -> None:
        """Start the source: it reports at once."""
        more = ("--cases", str(self.plan.cases), "--lines", str(self.plan.lines), "--rate", str(self.plan.rate))
        self._add_platform(CALLS, "source", "tests.chaos.calls", *more)
        self._until_up((CALLS,))

    def stop(self) -> None:
        """Everything down, in order; the disk is kept until `close`."""
        with self._waking:
            self._open = False
            self._waking.notify()
        self.init.stop()

    def close(self) -> None:
        """Starter, database and disk, too."""
        if self._starter is not None:
            self._starter.close()
        self.database.stop()
        self.disk.close()
        if self.broker is not None:
            self.broker.remove()

    def gridhub(self, *arguments: str) -> None:
        """One of the product's commands, to its end. Raises when it fails."""
        done = subprocess.run(
            python("gateway", *arguments), env=self._environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"gridhub {' '.join(arguments)}: {done.stderr[-1000:]}")

    def _add_hub(self, name: str, kind: str, *arguments: str) -> None:
        clock = self.folder / f"{name}.clock"
        clock.write_text(f"{0:<31}\n", encoding="ascii")
        environment = self._environment | {"CHAOS_CLOCK": str(clock), "CHAOS_PLANT": self.plan.plant}
        log, starter = self.folder / f"{name}.log", self._starter
        assert starter is not None
        self.init.add(Process(name, kind, lambda: starter.start(arguments, environment, log)))

    def _add_platform(self, name: str, kind: str, module: str, *arguments: str) -> None:
        hubs = ",".join(f"http://127.0.0.1:{port}" for port in self.gateways)
        told = ("--name", name, "--port", str(self.ports[name]), "--ledger", str(self.folder / f"{name}.ndjson"))
        command = python(module, *told, "--hub", hubs, "--token", TOKEN, "--seed", str(self.plan.seed), *arguments)
        log = self.folder / f"{name}.log"
        self.init.add(Process(name, kind, lambda: started(command, log)))

    def _until_up(self, systems: Sequence[str], seconds: float = 180.0) -> None:
        end = time.monotonic() + seconds
        addresses = [f"http://127.0.0.1:{port}/api/health" for port in self.gateways]
        addresses += [f"{self.address(name)}/_sim/state" for name in systems]
        for address in addresses:
            while _get(address) is None:
                if time.monotonic() > end:
                    raise RuntimeError(f"{address} does not answer; the logs are in {self.folder}")
                time.sleep(0.1)

    # what faults and campaign do

    def state(self, system: str) -> dict[str, Any] | None:
        """A simulated system's own word; None when it is down."""
        return _get(f"{self.address(system)}/_sim/state")

    def control(self, system: str, what: str, **values: object) -> bool:
        """Tell a simulated system; False when it is down."""
        return _get(f"{self.address(system)}/_sim/{what}", values) is not None

    def behave(self, system: str, **switches: float) -> None:
        """Change a behaviour. A system that is down comes back calm."""
        self.control(system, "behaviour", **switches)

    def calm(self) -> None:
        """No fault anywhere from now on."""
        with self._waking:
            due, self._undo = sorted(self._undo), []
        for _, _, undo in due:
            undo()
        self.disk.free()
        while self._off:
            for system in tuple(self._off):
                self.switch(system, off=False)
            time.sleep(0.2)
        for name in self.ports:
            self.behave(name, **(CALM | {"repeat": 0}))
        for process in self.init.processes.values():
            if process.kind in {"gateway", "deliver", "house"}:
                self.set_clock(process.name, 0.0)

    def set_clock(self, name: str, wrong: float) -> None:
        """The clock of one hub process, in one write of one length."""
        with (self.folder / f"{name}.clock").open("r+b") as file:
            file.write(f"{wrong:<31.3f}\n".encode())

    def switch(self, system: str, *, off: bool) -> bool:
        """Sending to a system, through the API; False when no gateway did it. `calm` switches on what stayed off."""
        self._off.add(system)
        address = f"{self.gateway()}/api/systems/{system}/switches/sending"
        done = _get(address, {"off": off, "actor": "desk-1", "reason": "演练"}, method="PUT", token=CENTRE) is not None
        if done and not off:
            self._off.discard(system)
        return done

    def later(self, seconds: float, undo: Callable[[], object]) -> None:
        """Take something back after a while."""
        with self._waking:
            self._undone += 1
            heapq.heappush(self._undo, (time.monotonic() + seconds, self._undone, undo))
            self._waking.notify()

    def _tick(self) -> None:
        while True:
            with self._waking:
                if not self._open:
                    return
                wait = self._undo[0][0] - time.monotonic() if self._undo else 1.0
                if wait > 0:
                    self._waking.wait(min(wait, 1.0))
                    continue
                _, _, undo = heapq.heappop(self._undo)
            undo()


def fresh_folder() -> Path:
    """A folder that the database's own account can pass through, with a short name."""
    folder = Path(tempfile.mkdtemp(prefix="gridhub-chaos-"))
    folder.chmod(0o711)
    return folder


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(
    address: str, body: Mapping[str, object] | None = None, *, method: str | None = None, token: str = ""
) -> dict[str, Any] | None:  # fmt: skip
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = urllib.request.Request(address, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            value = json.load(answer)
    except (OSError, HTTPException, ValueError):
        return None
    return value if isinstance(value, dict) else None
