"""Intake beside maps: accepted messages a second while eight people pan, and while nobody does, in the same run.

    python -m tests.bench.beside [--rounds 9] [--processes 2]

One PostgreSQL, one gateway of one or more processes, `gridhub maps` as a process of its own at the niceness of its
systemd unit, a hotline that pushes without pause, and people before their maps (tests/bench/panning.py). Each round has
three runs, in another order each time: the map process `stopped` by a signal, `idle` (it follows the open cases, nobody
looks), and `panning`. Figures are medians over the rounds; what counts are the ratios within a round. A round in which
other programs took more than a quarter of a core is run again, as long as there is patience.
"""

import argparse
import asyncio
import json
import math
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from gateway.configuration import load
from gateway.settings import example_city
from maps.table import Box
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.bench.intake import ENVIRONMENT, TOKEN, answering, ended, hub, medians, pushed
from tests.bench.processes import largest, postgres_of, processor_time

UNIT = Path(__file__).parents[2] / "deploy" / "gridhub-maps@.service"
DISTRICT = "340202"
RUNS = ("stopped", "idle", "panning")
_QUIET = 0.25
"""Cores that other programs may take in a run."""
_PATIENCE = 4
"""Times as many rounds as are wanted, at most."""
_SETTLE = 2.5
"""Seconds between two runs: what the feed has not read yet, it reads now."""
# The hotline gives addresses; the cases that are there when the maps start stand at points of the city's grids.
_PLACED = """
UPDATE cases SET lon = $1::float8 + ($3::float8 - $1) * random(), lat = $2::float8 + ($4::float8 - $2) * random()
"""


def niceness() -> int:
    """What the systemd unit says."""
    [given] = re.findall(r"^Nice=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE) or ["0"]
    return int(given)


def map_process(url: str, port: int, nice: int, log: Path) -> "subprocess.Popen[bytes]":
    """`gridhub maps` on this database."""
    environment = os.environ | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": url}
    command = ["nice", "-n", str(nice), sys.executable, "-m", "gateway", "maps", "--port", str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    return answering(process, f"http://127.0.0.1:{port}/health", log)


class Panning:
    """The people before their maps, in a process of their own."""

    def __init__(self, port: int, box: Box, clients: int) -> None:
        command = [sys.executable, "-m", "tests.bench.panning", str(port), TOKEN, json.dumps(box), str(clients)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"panning\n"

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return processor_time(self._process.pid)

    def told(self) -> dict[str, Any]:
        """End them, and hear what they saw."""
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        told: dict[str, Any] = json.loads(said)
        assert told["failed"] == 0, f"{told['failed']} answers were no picture or no features"
        return told


class Bench:
    """Everything on one database."""

    def __init__(self, url: str, chosen: argparse.Namespace, log: Path) -> None:
        self.url, self.chosen = url, chosen
        self.database = postgres_of(os.getpid())
        self.box = grids_box()
        first = 20_000 + os.getpid() % 10_000
        self.door, self.map_port = first, first + 1
        with ExitStack() as stack:
            self.gateway = stack.enter_context(ended(hub(url, self.door, chosen.processes, log)))
            pushed(self.door, "before", chosen.open, 4, "bulk")
            asyncio.run(placed(url, self.box))
            self.maps = stack.enter_context(ended(map_process(url, self.map_port, chosen.nice, log)))
            self._ending = stack.pop_all()

    def close(self) -> None:
        """End what was started."""
        self._ending.close()

    def round(self, number: int) -> dict[str, Any]:
        """One run of each, the first one another each time."""
        turn = number % len(RUNS)
        found = {name: self._run(name, f"r{number}{name}") for name in (*RUNS[turn:], *RUNS[:turn])}
        rates = {name: one["per_second"] for name, one in found.items()}
        found["ratio"] = {
            "panning_to_stopped": rates["panning"] / rates["stopped"],
            "panning_to_idle": rates["panning"] / rates["idle"], "idle_to_stopped": rates["idle"] / rates["stopped"],
        }  # fmt: skip
        return found

    def _run(self, name: str, run: str) -> dict[str, Any]:
        with stopped(self.maps) if name == "stopped" else ExitStack():
            people = Panning(self.map_port, self.box, self.chosen.clients) if name == "panning" else None
            time.sleep(_SETTLE)
            before, began = self._used(people), time.perf_counter()
            result = pushed(self.door, run, self.chosen.cases, self.chosen.connections)
            seconds, after = time.perf_counter() - began, self._used(people)
            used = {key: value - before[key] for key, value in after.items()}
            told = people.told() if people else None
        assert result.refused == 0, f"{result.refused} refused"
        waits = sorted(result.waits)
        found: dict[str, Any] = {
            "per_second": result.per_second, "p50_ms": waits[len(waits) // 2] * 1e3,
            "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
            "cores": _cores(used, seconds, result.seconds),
        }  # fmt: skip
        return found | ({"people": _seen(told), "maps_mb": largest(self.maps.pid)} if told else {})

    def _used(self, people: Panning | None) -> dict[str, float]:
        """Seconds of processor time so far; `machine`: of everything that runs here."""
        told = {"gateway": self.gateway.pid, "database": self.database, "maps": self.maps.pid}
        hotline = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {name: processor_time(pid) for name, pid in told.items()} | {
            "hotline": hotline.ru_utime + hotline.ru_stime, "people": people.cpu if people else 0.0,
            "machine": busy(),
        }  # fmt: skip


def _cores(used: Mapping[str, float], seconds: float, pushing: float) -> dict[str, float]:
    """Cores that each took: gateway and database while the hotline pushed, the others from its start on.

    The hotline first makes its messages, which is more than a third of what it takes.
    """
    told = {key: value / (pushing if key in ("gateway", "database") else seconds) for key, value in used.items()}
    known = sum(value for key, value in used.items() if key != "machine")
    return told | {"others": max(0.0, used["machine"] - known) / seconds}


def _seen(told: dict[str, Any]) -> dict[str, float]:
    tiles, views = sorted(told["waits"]) or [math.inf], sorted(told["views"]) or [math.inf]
    return {
        "tiles_per_second": told["tiles"] / told["seconds"], "pans_per_second": told["pans"] / told["seconds"],
        "features_per_second": told["features"] / told["seconds"], "cores": told["cpu"] / told["seconds"],
        "tile_p50_ms": tiles[len(tiles) // 2] * 1e3, "tile_p99_ms": tiles[int(len(tiles) * 0.99)] * 1e3,
        "view_p50_ms": views[len(views) // 2] * 1e3, "view_p95_ms": views[int(len(views) * 0.95)] * 1e3,
    }  # fmt: skip


def busy() -> float:
    """Seconds of processor time that this machine has worked, all processors together."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text(encoding="ascii").split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


@contextmanager
def stopped(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """The process, standing still."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def grids_box() -> Box:
    """The box around the unit grids of one district: a city's cases lie in its middle, and there people look."""
    registry = load(example_city(), os.environ | ENVIRONMENT).city.locator.registry
    cells = [cell for one in registry.sets for cell in one.index.cells.values() if cell.code.startswith(DISTRICT)]
    wests, souths, easts, norths = zip(*(cell.geometry.bounds for cell in cells), strict=True)
    return min(wests), min(souths), max(easts), max(norths)


async def placed(url: str, box: Box) -> None:
    """Give the open cases points."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        await connection.execute(_PLACED, *box)
        await connection.execute("ANALYZE cases")
    finally:
        await connection.close()


def main() -> None:
    """Run the rounds and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processes", type=int, default=1, help="of the gateway")
    parser.add_argument("--cases", type=int, default=2500, help="messages a run")
    parser.add_argument("--open", type=int, default=20_000, help="open cases there are at first")
    parser.add_argument("--connections", type=int, default=64, help="of the hotline")
    parser.add_argument("--clients", type=int, default=8, help="people who pan")
    parser.add_argument("--nice", type=int, default=niceness(), help="of the map process; default: its unit's")
    chosen = parser.parse_args()
    rounds: list[dict[str, Any]] = []
    disturbed: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gridhub-bench-") as folder, EmbeddedPostgres(None) as server:
        asyncio.run(migrate(server.url))
        bench = Bench(server.url, chosen, Path(folder) / "hub.log")
        try:
            for number in range(chosen.rounds * _PATIENCE):
                measured = bench.round(number)
                others = max(measured[name]["cores"]["others"] for name in RUNS)
                kind = "warm-up" if number == 0 else "kept" if others < _QUIET else "disturbed"
                sys.stderr.write(f"round {number} ({kind}, others {others:.2f}): {json.dumps(measured)}\n")
                rounds += [measured] if kind == "kept" else []
                disturbed += [measured] if kind == "disturbed" else []
                if len(rounds) == chosen.rounds:
                    break
        finally:
            bench.close()
    said: dict[str, Any] = {
        "rounds": len(rounds), "disturbed": len(disturbed), "nice": chosen.nice, "load": os.getloadavg()[0],
        "processors": os.cpu_count(),
    }  # fmt: skip
    rounds = rounds or disturbed  # better than none, and the line above says so
    spread = sorted(one["ratio"]["panning_to_stopped"] for one in rounds)
    said["panning_to_stopped"] = f"{spread[0]:.2f} - {spread[-1]:.2f}, mean {statistics.mean(spread):.2f}"
    sys.stdout.write(json.dumps(said | medians(rounds), indent=2) + "\n")


if __name__ == "__main__":
    main()
