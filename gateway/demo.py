"""The demonstration: real processes on loopback, a stream of cases, and books that must balance at the end."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
import yaml

from canonical.errors import HubError, Misconfigured
from gateway.demo_people import LOGINS, invite
from gateway.hub import clock
from gateway.settings import CENTRE_TOKEN, CONFIG, DATABASE_URL, FILES, MAPS_URL, SECRET, example_city
from gateway.views import View, books_view
from storage.casebook import Casebook
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from storage.store import Store

SOURCES = {"hotline_12345": 0.5, "urban_management": 0.25, "social_governance": 0.25}
"""Share of the stream that each source reports."""
DESK = "centre_desk"
MAPS = "maps"
CONSOLE_PORT = 8088
"""Where the console stands, if nobody else does: an address that can be kept in a browser."""
_ALIVE = {"hub": "/api/health", MAPS: "/health"}
_START = 60.0
_DRAIN = 30.0
"""Seconds at most after the stream for messages on their way."""
_TICK = 0.5


class Progress(Protocol):
    """Where progress is shown."""

    def step(self, text: str) -> None:
        """Something is being prepared."""

    def say(self, text: str) -> None:
        """Something people want to know now."""

    def show(self, summary: View, latest: list[View], left: float) -> None:
        """How things stand, with so many seconds left."""

    def end(self) -> None:
        """Nothing more will be shown."""


class DemoFailed(HubError):
    """A part of the demonstration did not start, or ended by itself."""


class Demo:
    """One run. Everything it starts, it ends; nothing of the user's is touched."""

    def __init__(self, *, minutes: float, rate: float, folder: Path | None, seed: int, view: Progress) -> None:
        self.seconds, self.rate, self.folder, self.seed, self.view = minutes * 60, rate, folder, seed, view
        self.token = secrets.token_urlsafe(16)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self) -> dict[str, Any]:
        """Start, stream, drain, stop; the books as they stand in the database when every process has ended."""
        began = time.monotonic()
        with ExitStack() as stack:
            stack.callback(self.view.end)
            folder = stack.enter_context(self._folder())
            self.view.step("database 数据库")
            server = stack.enter_context(EmbeddedPostgres(folder / "postgres" if self.folder else None))
            asyncio.run(migrate(server.url))
            password = invite(server.url)
            stack.callback(self._stop)
            urls = self._start(folder, server.url)
            ready = time.monotonic()
            self.view.say(f"console 控制台: {urls['hub']}/console/")
            self.view.say(f"sign in as 登录: {', '.join(LOGINS)}")
            self.view.say(f"password 密码: {password}")
            self._stream(urls)
            self._stop()
            summary = asyncio.run(_books(server.url))
            self._check_logs(folder)
        times = {"start": round(ready - began, 1), "whole": round(time.monotonic() - began, 1)}
        return {"seconds": times, **summary}

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            if (self.folder / "config").exists():
                raise Misconfigured(f"{self.folder} holds an earlier demonstration: choose another folder or remove it")
            yield self.folder.absolute()
            return
        made = tempfile.mkdtemp(prefix="gridhub-demo-")
        try:
            yield Path(made)
        finally:
            shutil.rmtree(made)

    # --- starting ---

    def _start(self, folder: Path, database_url: str) -> dict[str, str]:
        config = _city_for_demo(folder)
        names = ("hub", MAPS, *SOURCES, DESK)
        ports = dict(zip(names, (_free_port(CONSOLE_PORT), *_free_ports(len(names) - 1)), strict=True))
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        environment = os.environ | {
            CONFIG: str(config), DATABASE_URL: database_url, CENTRE_TOKEN: self.token, FILES: str(folder / "files"),
            SECRET: self.token, MAPS_URL: urls[MAPS],
            "HOTLINE_URL": urls["hotline_12345"], "URBAN_URL": urls["urban_management"],
            "GRID_URL": urls["social_governance"], "HOTLINE_TOKEN": self.token, "URBAN_VALIDATE": self.token,
            "GRID_TOKEN": self.token, "GRIDHUB_SIMULATE_SECRET": self.token,
        }  # fmt: skip
        self.view.step("hub 总线")
        self._spawn("hub", ["serve", "--no-work", "--port", str(ports["hub"])], environment, folder)
        self._spawn("worker", ["work"], environment, folder)
        self._spawn(MAPS, ["maps", "--port", str(ports[MAPS])], environment, folder)
        self.view.step("simulated systems 模拟业务系统")
        for name, share in {**SOURCES, DESK: 0.0}.items():
            arguments = ["simulate", name, "--hub", urls["hub"], "--port", str(ports[name]), "--seed", str(self.seed)]
            arguments += ["--rate", str(self.rate * share), "--pace", "1"]
            self._spawn(name, arguments, environment, folder)
        with httpx.Client(trust_env=False, timeout=5) as client:
            for name, url in urls.items():
                self._wait(client, name, f"{url}{_ALIVE.get(name, '/_sim/summary')}", folder)
        return urls

    def _spawn(self, name: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        with (folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 our own program
                [sys.executable, "-m", "gateway", *arguments], env=dict(environment), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def _wait(self, client: httpx.Client, name: str, url: str, folder: Path) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            self._alive(folder)
            try:
                if client.get(url).status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise DemoFailed(f"{name} did not start in {_START:.0f} s: {_tail(folder / f'{name}.log')}")

    def _alive(self, folder: Path) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise DemoFailed(f"{name} ended with {process.returncode}: {_tail(folder / f'{name}.log')}")

    # --- streaming ---

    def _stream(self, urls: Mapping[str, str]) -> None:
        headers = {"authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=urls["hub"], headers=headers, trust_env=False, timeout=10) as hub:
            end = time.monotonic() + self.seconds
            with suppress(KeyboardInterrupt):  # who has seen enough gets the summary nevertheless
                while (left := end - time.monotonic()) > 0:
                    self._show(hub, left)
                    time.sleep(min(_TICK, left))
            for name in SOURCES:
                hub.post(f"{urls[name]}/_sim/quiet")
            end = time.monotonic() + _DRAIN
            while time.monotonic() < end and not _drained(self._show(hub, 0.0)):
                time.sleep(_TICK)

    def _show(self, hub: httpx.Client, left: float) -> View:
        summary: View = hub.get("/api/summary").json()
        self.view.show(summary, hub.get("/api/latest", params={"limit": 6}).json()["items"], left)
        return summary

    # --- stopping ---

    def _stop(self) -> None:
        """Systems first, so that nobody pushes at closing doors; then the worker, then the hub."""
        for names in ((DESK, *SOURCES), ("worker", MAPS), ("hub",)):
            running = [self.processes.pop(name) for name in names if name in self.processes]
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _check_logs(self, folder: Path) -> None:
        """A defect that was logged and survived is still a defect."""
        for name in ("hub", "worker", MAPS):
            text = (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            if "Traceback" in text:
                raise DemoFailed(f"{name} met a defect: {text[text.index('Traceback') :][-800:]}")


def _drained(summary: View) -> bool:
    return bool(summary["messages"]["waiting"] == 0)


def _city_for_demo(folder: Path) -> Path:
    """The example city with pulls every two seconds: two minutes are short."""
    config = folder / "config"
    shutil.copytree(example_city(), config)
    path = config / "systems.yaml"
    systems = yaml.safe_load(path.read_text(encoding="utf-8"))
    systems["urban_management"]["every"] = "2s"
    path.write_text(yaml.safe_dump(systems, allow_unicode=True), encoding="utf-8")
    return config


def _free_port(wanted: int) -> int:
    """The wanted port, or any where somebody has it."""
    try:
        with socket.create_server(("127.0.0.1", wanted)):
            return wanted
    except OSError:
        return _free_ports(1)[0]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-800:].strip() if log.exists() else ""


async def _books(database_url: str) -> View:
    store = Store(database_url)
    try:
        return books_view(await Casebook(store).books(clock()))
    finally:
        await store.close()
