"""Accepted and delivered in the same run: from a source's pushes to a fast owner's socket, everything durable between.

Real processes on this machine: doors, workers, database, the owner, and a source that pushes as fast as it is answered.
"""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvloop

from canonical.message import Message
from canonical.records import Arrival
from gateway.configuration import load
from gateway.hub import Hub, wire
from gateway.log import set_up
from gateway.settings import settings
from gateway.work import Role, Worker
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.bench.owner import TOLD, standing
from tests.bench.processes import family, postgres_of, processor_time
from tests.bench.stream import push
from tests.chaos import city

OWNER = "safe_works"


def laid_out(folder: Path, owner: str, concurrency: int) -> tuple[Path, dict[str, str]]:
    """The campaign's lean city with a source that wants to hear nothing and an owner at this address."""
    config = city.lay_out(folder)
    system = config / city.CALLS / "system.yaml"
    lines = system.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("tells:", "unsupported:", "connector:"))]
    silent = "unsupported: {source: {file: 不听, refuse: 不听, close: 不听, cancel: 不听, ask_extension: 不听}}"
    system.write_text("\n".join([*kept, "connector: {protocol: http, timeout: 5}", silent]) + "\n", "utf-8")
    (config / city.CALLS / "messages" / "told.yaml").unlink()
    systems = config / "systems.yaml"
    systems.write_text(systems.read_text("utf-8").replace("concurrency: 16", f"concurrency: {concurrency}"), "utf-8")
    nobody = dict.fromkeys((city.CALLS, *city.WORKS), "http://127.0.0.1:9")
    return config, city.environment(nobody | {OWNER: owner})


def report(run: str, number: int) -> bytes:
    """A report whose work is the fast owner's, about 1.5 kB."""
    dice = random.Random(number)
    value = {
        "id": f"{run}-{number:07d}", "state": "new", "kind": KIND, "at": "2026-05-20T09:30:00+08:00",
        "lon": round(118.36 + dice.uniform(-0.004, 0.004), 6), "lat": round(31.33 + dice.uniform(-0.004, 0.004), 6),
        "text": f"示例路{number}号旁有情况，请处理。" + TEXT,
    }  # fmt: skip
    return orjson.dumps(value)


def reports(run: str, number: int) -> list[bytes]:
    """Requests of the source."""
    head = b"POST /in/calls HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nx-token: %s\r\n"
    length = b"Content-Length: %d\r\n\r\n"
    bodies = (report(run, n) for n in range(number))
    return [head % city.TOKEN.encode() + length % len(body) + body for body in bodies]


TEXT = "路面散落砂石，影响通行，附近居民多次反映，希望尽快清理并查明来源。" * 10
OWNING = ("--mark", '"ref":"([^"]+)"', "--answer", '{"code":"ok"}')
KIND = "K1"


def generate(port: str, run: str, count: str, connections: str) -> None:
    """Body of the source's process."""
    measured = uvloop.run(push(int(port), reports(run, int(count)), int(connections)))
    sys.stdout.write(json.dumps({"seconds": measured.seconds, "answered": len(measured.waits)}))


@contextmanager
def process(log: Path, environment: dict[str, str], *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A Python process of ours, killed at the end."""
    with log.open("ab") as out:
        one = subprocess.Popen([sys.executable, *arguments], env=os.environ | environment, stdout=out, stderr=out)
    try:
        yield one
    finally:
        one.terminate()
        try:
            one.wait(20)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait(5)


def until_there(url: str) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError(f"nobody answers at {url}")


def count(owner: str) -> dict[str, Any]:
    """What the owner has."""
    told: dict[str, Any] = httpx.get(owner + TOLD.decode(), trust_env=False).json()
    return told


def pushed(port: int, run: str, cases: int, connections: int) -> "subprocess.Popen[bytes]":
    """The source, in a process of its own."""
    code = "import sys; from tests.bench.delivered import generate; generate(*sys.argv[1:])"
    arguments = [sys.executable, "-c", code, str(port), run, str(cases), str(connections)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE)


def measured(folder: Path, url: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything as separate processes."""
    port, at = 20_000 + os.getpid() % 10_000, 10_000 + os.getpid() % 9_000
    log = folder / "log"
    with ExitStack() as stack:
        owner = stack.enter_context(standing(at, *OWNING))
        config, variables = laid_out(folder / "city", owner, chosen.places)
        variables |= {"GRIDHUB_DATABASE_URL": url, "GRIDHUB_CONFIG": str(config)}
        serving = ["-m", "gateway", "serve", "--no-work", "--port", str(port), "--processes", str(chosen.processes)]
        doors = stack.enter_context(process(log, variables, *serving))
        until_there(f"http://127.0.0.1:{port}/api/health")
        working = ["-m", "gateway", "work", "--role", "deliver"]
        workers = [stack.enter_context(process(log, variables, *working)) for _ in range(chosen.workers)]
        parts = {
            "doors": [doors.pid], "workers": [one.pid for one in workers], "database": [postgres_of(os.getpid())],
        }  # fmt: skip
        rounds = [one_round(owner, port, f"r{number}", chosen, parts) for number in range(chosen.rounds + 1)]
        largest = max(size for _, _, size in family(doors.pid))
        return {"rounds": rounds[1:], "largest_gateway_mb": round(largest / 1e6)}


def used(parts: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Seconds of processor time of each part so far."""
    return {name: sum(map(processor_time, pids)) for name, pids in parts.items()}


def one_round(
    owner: str, port: int, run: str, chosen: argparse.Namespace, parts: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """Push, wait for the last delivery, and count."""
    before = used(parts)
    httpx.delete(owner + TOLD.decode(), trust_env=False)
    began = time.time()
    out, _ = pushed(port, run, chosen.cases, chosen.connections).communicate()
    told = json.loads(out)
    deadline = time.monotonic() + 180
    while (now := count(owner))["marks"] < chosen.cases and time.monotonic() < deadline:
        time.sleep(0.2)
    figures = {
        "accepted_per_second": round(chosen.cases / told["seconds"]), "delivered": now["marks"],
        "delivered_per_second": round(now["marks"] / (now["last"] - max(began, now["first"] - 0.1))),
        "again": now["again"],
        "us_a_case": {name: round((now - before[name]) / chosen.cases * 1e6) for name, now in used(parts).items()},
    }  # fmt: skip
    sys.stderr.write(f"{run}: {json.dumps(figures)}\n")
    return figures


async def profiled(folder: Path, url: str, chosen: argparse.Namespace) -> None:
    """One worker in this process, on deliveries that are there already; with the profiler when that is asked for."""
    with standing(10_000 + os.getpid() % 9_000, *OWNING) as owner:
        config, variables = laid_out(folder / "city", owner, chosen.places)
        hub = wire(settings(config), url, configuration=load(config, os.environ | variables))
        set_up()
        for start in range(0, chosen.cases, 100):
            await hub.reception.take_in([one for n in range(start, start + 100) for one in arrived(hub, n)])
        stop, worker, profile = asyncio.Event(), Worker(hub, frozenset({Role.DELIVER})), cProfile.Profile()
        cpu = time.process_time()
        if chosen.profile == "c":
            profile.enable()
        task = asyncio.create_task(worker.run(stop))
        for _ in range(1000):
            await asyncio.sleep(0.2)
            now = await asyncio.to_thread(count, owner)
            if now["marks"] >= chosen.cases:
                break
        profile.disable()
        cpu, seconds = time.process_time() - cpu, now["last"] - now["first"]
        stop.set()
        await task
        await hub.store.close()
        sys.stderr.write(f"{now['marks'] / seconds:.0f}/s, {cpu / now['marks'] * 1e6:.0f} us of CPU a delivery\n")
        if chosen.profile == "c":
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)


def arrived(hub: Hub, number: int) -> list[Arrival]:
    """One report, read."""
    body = report("p", number)
    message = Message(
        city.CALLS, body, hub.now(), hub.ids(), door="push", content_type="application/json",
        headers={"x-token": city.TOKEN},
    )  # fmt: skip
    return hub.reception.read(message)


def main() -> None:
    """Run and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=10_000, help="cases a round")
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--places", type=int, default=128, help="concurrency of the owner")
    parser.add_argument("--profile", default="", choices=["", "c", "t"])
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gridhub-bench-"))
    try:
        with EmbeddedPostgres(None) as server:
            asyncio.run(migrate(server.url))
            if chosen.profile:
                uvloop.run(profiled(folder, server.url, chosen))
            else:
                sys.stdout.write(json.dumps(measured(folder, server.url, chosen), indent=2) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
