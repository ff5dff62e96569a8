"""`make bench`: accepted cases a second over HTTP beside the raw database limit for the same rows in the same run.

Interleaved rounds, so that a noisy machine disturbs all alike; figures are medians, and what counts are the ratios.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import uvloop

from gateway.configuration import Configuration, load
from gateway.settings import example_city
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.bench.plain import URL as PLAIN_URL
from tests.bench.plain import create
from tests.bench.processes import largest, postgres_of, processor_time
from tests.bench.raw import decided, limit, values
from tests.bench.stream import Measured, document, plain, push, stream, ticket

TOKEN = "bench"
NOWHERE = "http://127.0.0.1:9"
ENVIRONMENT = {
    "HOTLINE_URL": NOWHERE, "HOTLINE_TOKEN": TOKEN, "URBAN_URL": NOWHERE, "URBAN_VALIDATE": TOKEN,
    "GRID_URL": NOWHERE, "GRID_TOKEN": TOKEN, "GRIDHUB_CENTRE_TOKEN": TOKEN,
}  # fmt: skip


def hub(url: str, port: int, processes: int, log: Path) -> "subprocess.Popen[bytes]":
    """The hub's doors as separate processes on this database."""
    environment = os.environ | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": url}
    arguments = ["serve", "--no-work", "--port", str(port), "--processes", str(processes)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments], env=environment, stdout=out, stderr=out
        )
    return answering(process, f"http://127.0.0.1:{port}/api/health", log)


def answering(process: "subprocess.Popen[bytes]", url: str, log: Path) -> "subprocess.Popen[bytes]":
    """The process, once it answers there."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return process
        time.sleep(0.2)
    process.terminate()
    raise TimeoutError(f"it did not start: see {log}")


_MADE = {"ticket": ticket, "plain": plain, "bulk": document}


def plain_service(url: str, port: int, processes: int, log: Path) -> "subprocess.Popen[bytes]":
    """The usual service of its kind on the same database."""
    asyncio.run(create(url))
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.plain", str(port), str(processes)],
            env=os.environ | {PLAIN_URL: url}, stdout=out, stderr=out,
        )  # fmt: skip
    return answering(process, f"http://127.0.0.1:{port}/openapi.json", log)


def pushed(port: int, run: str, count: int, connections: int, how: str = "ticket") -> Measured:
    """One run of the load generator, in a process of its own."""
    code = "import sys; from tests.bench.intake import generate; generate(*sys.argv[1:])"
    arguments = [str(port), run, str(count), str(connections), how]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    return Measured(**json.loads(done.stdout))


def generate(port: str, run: str, count: str, connections: str, how: str) -> None:
    """Body of the load generator's process: push, then print what was measured as JSON."""
    requests = [_MADE[how](number, run, TOKEN) for number in range(int(count))]
    sending = stream if how == "bulk" else push
    measured = uvloop.run(sending(int(port), requests, int(connections)))
    values = {name: getattr(measured, name) for name in ("seconds", "accepted", "refused", "waits")}
    sys.stdout.write(json.dumps(values))


def raw_limits(url: str, configuration: Configuration, run: str, cases: int) -> dict[str, float]:
    """R1 and RB for the same rows, now."""
    from gateway.hub import clock

    single = [values(changes, clock()) for changes in decided(configuration, f"{run}-1", 0, cases, 1, TOKEN)]
    bulk = [values(changes, clock()) for changes in decided(configuration, f"{run}-b", cases, cases * 2, 100, TOKEN)]
    waits: list[float] = []
    rates = {"R1": uvloop.run(limit(url, single, cases, 16, waits)), "RB": uvloop.run(limit(url, bulk, cases * 2, 4))}
    waits.sort()
    return rates | {"R1_p50_ms": waits[len(waits) // 2] * 1e3, "R1_p99_ms": waits[int(len(waits) * 0.99)] * 1e3}


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """The process, until it is no longer needed."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(40)


class Bench:
    """Everything that is measured beside one another, on one database."""

    def __init__(self, url: str, settings: list[tuple[int, int]], cases: int, log: Path) -> None:
        self.url, self.settings, self.cases = url, settings, cases
        self.configuration = load(example_city(), os.environ | ENVIRONMENT)
        self.database = postgres_of(os.getpid())
        first = 20_000 + os.getpid() % 10_000
        self.ports = {processes: first + processes for processes in {2, *(one for one, _ in settings)}}
        self.hubs: dict[int, subprocess.Popen[bytes]] = {}
        self.plain_port = first + 100
        self._ending = ExitStack()
        with ExitStack() as stack:  # what had started is ended when another does not start
            for processes, port in self.ports.items():
                self.hubs[processes] = stack.enter_context(ended(hub(url, port, processes, log)))
            stack.enter_context(ended(plain_service(url, self.plain_port, 2, log)))
            self._ending = stack.pop_all()

    def close(self) -> None:
        """End what was started."""
        self._ending.close()

    def round(self, number: int) -> dict[str, Any]:
        """One figure of each, one after the other."""
        measured: dict[str, Any] = raw_limits(self.url, self.configuration, f"raw{number}", self.cases // 2)
        for processes, connections in self.settings:
            one = self._hub(f"r{number}p{processes}c{connections}", processes, connections, "ticket")
            measured[f"{processes}x{connections}"] = one | {"ratio_to_R1": one["per_second"] / measured["R1"]}
        bulk = self._hub(f"r{number}bulk", 2, 4, "bulk")
        measured["bulk"] = bulk | {"ratio_to_RB": bulk["per_second"] / measured["RB"]}
        usual = pushed(self.plain_port, f"r{number}plain", self.cases // 2, 64, "plain")
        assert usual.refused == 0, f"{usual.refused} refused by the plain service"
        best = max(measured[f"{processes}x{connections}"]["per_second"] for processes, connections in self.settings)
        measured["plain"] = {"per_second": usual.per_second, "best_of_the_hub_to_it": best / usual.per_second}
        return measured

    def _hub(self, run: str, processes: int, connections: int, how: str) -> dict[str, Any]:
        doors = self.hubs[processes].pid
        before = processor_time(doors), processor_time(self.database)
        result = pushed(self.ports[processes], run, self.cases, connections, how)
        assert result.refused == 0, f"{result.refused} refused"
        after = processor_time(doors), processor_time(self.database)
        told: dict[str, Any] = {
            "per_second": result.per_second, "doors_us": (after[0] - before[0]) / self.cases * 1e6,
            "database_us": (after[1] - before[1]) / self.cases * 1e6, "largest_mb": largest(doors),
        }  # fmt: skip
        if waits := sorted(result.waits):
            told |= {"p50_ms": waits[len(waits) // 2] * 1e3, "p99_ms": waits[int(len(waits) * 0.99)] * 1e3}
        return told


def main() -> None:
    """Run the rounds and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=4000, help="cases a round and setting")
    parser.add_argument("--settings", default="1x16,2x16,1x64,2x64,2x256", help="hub processes x connections")
    chosen = parser.parse_args()
    settings = [(int(one), int(two)) for one, _, two in (text.partition("x") for text in chosen.settings.split(","))]
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gridhub-bench-") as folder, EmbeddedPostgres(None) as server:
        asyncio.run(migrate(server.url))
        bench = Bench(server.url, settings, chosen.cases, Path(folder) / "hub.log")
        try:
            for number in range(chosen.rounds + 1):
                measured = bench.round(number)
                sys.stderr.write(f"round {number}{' (warm-up)' if number == 0 else ''}: {json.dumps(measured)}\n")
                rounds += [measured] if number else []
        finally:
            bench.close()
    sys.stdout.write(json.dumps(medians(rounds), indent=2) + "\n")


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure over the rounds."""
    return {
        key: round(statistics.median(one[key] for one in rounds), 2)
        if isinstance(value, float)
        else medians([one[key] for one in rounds])
        for key, value in rounds[0].items()
    }


if __name__ == "__main__":
    main()
