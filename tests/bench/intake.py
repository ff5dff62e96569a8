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
from pathlib import Path
from typing import Any

import httpx
import uvloop

from gateway.configuration import Configuration, load
from gateway.settings import example_city
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.bench.raw import decided, limit, values
from tests.bench.stream import Measured, push, ticket

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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False).status_code == httpx.codes.OK:
                return process
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError(f"the hub did not start: see {log}")


def pushed(port: int, run: str, count: int, connections: int) -> Measured:
    """One run of the load generator, in a process of its own."""
    code = "import sys; from tests.bench.intake import generate; generate(*sys.argv[1:])"
    arguments = [str(port), run, str(count), str(connections)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    return Measured(**json.loads(done.stdout))


def generate(port: str, run: str, count: str, connections: str) -> None:
    """Body of the load generator's process: push, then print what was measured as JSON."""
    requests = [ticket(number, run, TOKEN) for number in range(int(count))]
    measured = uvloop.run(push(int(port), requests, int(connections)))
    values = {name: getattr(measured, name) for name in ("seconds", "accepted", "refused", "waits")}
    sys.stdout.write(json.dumps(values))


def raw_limits(url: str, configuration: Configuration, run: str, cases: int) -> dict[str, float]:
    """R1 and RB for the same rows, now."""
    from gateway.hub import clock

    single = [values(changes, clock()) for changes in decided(configuration, f"{run}-1", 0, cases, 1, TOKEN)]
    bulk = [values(changes, clock()) for changes in decided(configuration, f"{run}-b", cases, cases * 2, 100, TOKEN)]
    return {
        "R1": uvloop.run(limit(url, single, cases, 16)),
        "RB": uvloop.run(limit(url, bulk, cases * 2, 4)),
    }


def main() -> None:
    """Run the rounds and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=4000, help="cases a round and setting")
    parser.add_argument("--settings", default="1x16,2x16,1x64,2x64,2x256", help="hub processes x connections")
    chosen = parser.parse_args()
    settings = [tuple(map(int, text.split("x"))) for text in chosen.settings.split(",")]
    configuration = load(example_city(), os.environ | ENVIRONMENT)
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gridhub-bench-") as folder, EmbeddedPostgres(None) as server:
        asyncio.run(migrate(server.url))
        log = Path(folder) / "hub.log"
        ports = {processes: 20_000 + os.getpid() % 10_000 + processes for processes, _ in settings}
        hubs = [hub(server.url, port, processes, log) for processes, port in ports.items()]
        try:
            for number in range(chosen.rounds + 1):
                measured: dict[str, Any] = raw_limits(server.url, configuration, f"raw{number}", chosen.cases // 2)
                for processes, connections in settings:
                    result = pushed(ports[processes], f"r{number}p{processes}c{connections}", chosen.cases, connections)
                    assert result.refused == 0, f"{result.refused} refused"
                    waits = sorted(result.waits)
                    measured[f"{processes}x{connections}"] = {
                        "per_second": result.per_second, "ratio_to_R1": result.per_second / measured["R1"],
                        "p50_ms": waits[len(waits) // 2] * 1e3, "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
                    }  # fmt: skip
                sys.stderr.write(f"round {number}{' (warm-up)' if number == 0 else ''}: {json.dumps(measured)}\n")
                rounds += [measured] if number else []
        finally:
            for process in hubs:
                process.terminate()
                process.wait(15)
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
