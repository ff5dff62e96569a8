"""What open consoles cost: the gateway's processor time with listeners at /api/live, and without, for the same cases.

    python -m tests.bench.live [--listeners 200] [--rate 20] [--seconds 60]

A gateway in a process of its own takes tickets at a steady rate, some three events each. The listeners read every byte
in another process. What they cost is the difference, as a share of one core.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.bench.intake import ENVIRONMENT, TOKEN, ended, hub
from tests.bench.processes import largest, processor_time
from tests.bench.stream import ticket

EVENTS = 2.6
"""Of a ticket, roughly: collected, filed, dispatched; some only join a case that is there."""
PATIENCE = 60
"""Seconds for the last events to be heard."""


async def steadily(port: int, run: str, rate: float, seconds: float) -> None:
    """Push tickets so that about `rate` events happen a second."""
    begin, count = time.perf_counter(), int(rate / EVENTS * seconds)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number * EVENTS / rate - time.perf_counter()))
        writer.write(ticket(number, run, TOKEN))
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        await reader.readexactly(int(head[at : head.index(b"\r", at)]))
    writer.close()


async def listen(port: int, number: int) -> list[Counter[str]]:
    """So many listeners. Says when each was greeted; what each heard, once that is as many moves as a line says."""
    heard = [Counter[str]() for _ in range(number)]
    news = asyncio.Condition()

    async def one(counts: Counter[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/live HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        while line := await reader.readline():
            counts["bytes"] += len(line)
            if line.startswith(b"event: "):
                counts[line[7:].strip().decode()] += 1
                async with news:
                    news.notify_all()
        writer.close()

    async def all_have(name: str, wanted: int) -> None:
        async with news:
            await news.wait_for(lambda: all(one[name] >= wanted for one in heard))

    listening = [asyncio.create_task(one(counts)) for counts in heard]
    await all_have("hello", 1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    wanted = int(await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline))
    with suppress(TimeoutError):
        await asyncio.wait_for(all_have("moved", wanted), PATIENCE)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return heard


def listeners(port: str, number: str) -> None:
    """Body of the listeners' process."""
    sys.stdout.write(json.dumps(uvloop.run(listen(int(port), int(number)))))


async def events(url: str) -> int:
    """How many there are."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM event"))
    finally:
        await connection.close()


def measured(
    url: str, port: int, process: int, run: str, number: int, chosen: argparse.Namespace
) -> dict[str, Any]:  # fmt: skip
    """One run with so many listeners."""
    code = "import sys; from tests.bench.live import listeners; listeners(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(port), str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "ready\n"
        there = asyncio.run(events(url))
        before, began = processor_time(process), time.perf_counter()
        uvloop.run(steadily(port, run, chosen.rate, chosen.seconds))
        time.sleep(max(0.0, began + chosen.seconds - time.perf_counter()))
        took, used = time.perf_counter() - began, processor_time(process) - before
        wanted = asyncio.run(events(url)) - there
        said, _ = listening.communicate(f"{wanted}\n", PATIENCE * 2)
    heard = json.loads(said)
    assert all(one["moved"] == wanted for one in heard), f"{wanted} wanted, {heard[:3]}"
    return {
        "listeners": number, "events_a_second": round(wanted / took, 1), "share_of_a_core": round(used / took, 3),
        "kilobytes_each": round(sum(one.get("bytes", 0) for one in heard) / 1e3 / max(1, number)),
        "figures_each": round(sum(one.get("figures", 0) for one in heard) / max(1, number), 1),
        "resets": sum(one.get("reset", 0) for one in heard), "megabytes": round(largest(process)),
    }  # fmt: skip


def main() -> None:
    """Run and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    port = 20_000 + os.getpid() % 5_000
    ENVIRONMENT.update(dict.fromkeys(("HOTLINE_URL", "URBAN_URL", "GRID_URL"), "http://127.0.0.1:9"))
    with tempfile.TemporaryDirectory(prefix="gridhub-bench-") as folder, EmbeddedPostgres(None) as server:
        asyncio.run(migrate(server.url))
        with ended(hub(server.url, port, 1, Path(folder) / "hub.log")) as doors:
            uvloop.run(steadily(port, "warm", chosen.rate, 5))
            runs = [
                measured(server.url, port, doors.pid, f"live{n}", number, chosen)
                for n, number in enumerate((0, chosen.listeners))
            ]
    cost = runs[1]["share_of_a_core"] - runs[0]["share_of_a_core"]
    sys.stdout.write(json.dumps({"runs": runs, "listeners_cost": round(cost, 3)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
