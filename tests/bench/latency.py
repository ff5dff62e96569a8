"""From the hotline's push to the owner's socket: the time until the letter about a ticket arrives at its owner.

Real processes: doors, worker, an owner that only notes when a letter came in. Tickets come at a steady rate.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.bench.intake import ENVIRONMENT, TOKEN, hub
from tests.bench.owner import LETTER, TAKEN
from tests.bench.stream import CASES, ticket

MARK = re.compile(rb"mark-(\d+)-")


async def owner(arrived: dict[int, float], port: int) -> asyncio.Server:
    """Notes when the letter with a mark came in, and answers every request with success."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                at = head.lower().index(b"content-length:")
                body = await reader.readexactly(int(head[at + 15 : head.index(b"\r", at)]))
                letter = b"LDXX" in body
                if letter and (found := MARK.search(body)):
                    arrived.setdefault(int(found[1]), time.perf_counter())
                answer = LETTER if letter else TAKEN
                kind = b"text/xml" if letter else b"application/json"
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(answer)) + answer
                )
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


async def steadily(port: int, owner_port: int, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    """Push at `rate` a second; the seconds each ticket took to its owner, and until it was answered."""
    arrived: dict[int, float] = {}
    sent: dict[int, float] = {}
    answers: list[float] = []
    server = await owner(arrived, owner_port)

    async def one(number: int) -> None:
        whole = ticket(number * len(CASES), f"lat{os.getpid()}-{begin}", TOKEN)
        request = whole.replace("3盏路灯已连续三天".encode(), f"mark-{number:012d}-路灯 ".encode())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent[number] = time.perf_counter()
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        answers.append(time.perf_counter() - sent[number])
        writer.close()

    tasks = []
    begin = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    for _ in range(300):
        if len(arrived) < len(sent):
            await asyncio.sleep(0.1)
    server.close()
    assert len(arrived) == len(sent), f"{len(sent) - len(arrived)} letters never came"
    return sorted(arrived[number] - at for number, at in sent.items()), sorted(answers)


def shares(waits: list[float]) -> dict[str, float]:
    """Milliseconds within which these shares of them were there."""
    return {f"p{one}_ms": round(waits[min(len(waits) - 1, len(waits) * one // 100)] * 1e3, 1) for one in (50, 90, 99)}


def main() -> None:
    """Run and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="tickets a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    port, owner_port = 20_000 + os.getpid() % 5_000, 26_000 + os.getpid() % 5_000
    where = f"http://127.0.0.1:{owner_port}"
    ENVIRONMENT.update({"HOTLINE_URL": where, "URBAN_URL": where, "GRID_URL": where})
    with tempfile.TemporaryDirectory(prefix="gridhub-bench-") as folder, EmbeddedPostgres(None) as server:
        asyncio.run(migrate(server.url))
        log = Path(folder) / "hub.log"
        doors = hub(server.url, port, 1, log)
        environment = os.environ | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": server.url}
        with log.open("ab") as out:
            worker = subprocess.Popen(
                [sys.executable, "-m", "gateway", "work"], env=environment, stdout=out, stderr=out
            )
        try:
            time.sleep(3)
            uvloop.run(steadily(port, owner_port, chosen.rate, 2))
            waits, answers = uvloop.run(steadily(port, owner_port, chosen.rate, chosen.seconds))
        finally:
            for process in (worker, doors):
                process.terminate()
                process.wait(15)
    figures = {"tickets": len(waits), "a_second": chosen.rate, **shares(waits), "answered": shares(answers)}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
