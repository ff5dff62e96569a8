"""What one HTTP exchange of the connector costs, beside plain libraries in the same run.

    python -m tests.bench.outbound [--rounds 7] [--messages 2000]

Processor time of this process alone; the other side is a process of its own. Rounds are interleaved, so that a noisy
machine disturbs all alike; figures are medians of the rounds, and what counts are the ratios.
"""

import argparse
import asyncio
import http.client
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import uvloop

from canonical.message import Message
from connectors.http import HttpConnector
from tests.bench.owner import standing

PATH = "/orders/A-17/hand"
BODY = json.dumps({"id": "A-17", "content": "路灯连续三天不亮" * 60}, ensure_ascii=False).encode()[:1500]
HEADERS = {"user-agent": "gridhub", "accept": "*/*", "accept-encoding": "identity", "content-type": "application/json"}
OK = 200

Run = Callable[[int], float]
"""Processor seconds of so many exchanges."""


def message() -> Message:
    """What a delivery to a platform with JSON looks like."""
    return Message(
        system="owner", body=BODY, at=datetime(2026, 3, 16, tzinfo=UTC), id=UUID(int=7), path=PATH,
        content_type="application/json", headers={"x-token": "demo-token"},
    )  # fmt: skip


def _connector(url: str) -> HttpConnector:
    return HttpConnector(url, timeout=10, ids=uuid4, now=lambda: datetime.now(UTC))


def _timed(times: int, ask: Callable[[], int]) -> float:
    ask()
    begin = time.process_time()
    for _ in range(times):
        assert ask() == OK
    return time.process_time() - begin


def awaited(url: str, at_once: int) -> Run:
    """The connector on an event loop, so many exchanges at once."""

    async def run(times: int) -> float:
        connector, what = _connector(url), message()

        async def some(count: int) -> None:
            for _ in range(count):
                assert (await connector.exchange(what)).status == OK

        await asyncio.gather(*(some(1) for _ in range(at_once)))
        begin = time.process_time()
        await asyncio.gather(*(some(times // at_once) for _ in range(at_once)))
        spent = time.process_time() - begin
        connector.close()
        return spent * times / (times // at_once * at_once)

    return lambda times: float(uvloop.run(run(times)))


def from_a_thread(url: str) -> Run:
    """The connector called by one thread, with its event loop in another."""

    def run(times: int) -> float:
        connector, what = _connector(url), message()
        try:
            return _timed(times, lambda: connector.send(what).status)
        finally:
            connector.close()

    return run


def with_httpx(url: str) -> Run:
    """httpx in one thread, which is its cheapest."""

    def run(times: int) -> float:
        with httpx.Client(trust_env=False, headers=HEADERS) as client:
            return _timed(times, lambda: client.post(url + PATH, content=BODY).status_code)

    return run


def with_the_standard_library(url: str) -> Run:
    """http.client in one thread over one connection."""

    def run(times: int) -> float:
        line = http.client.HTTPConnection(urlsplit(url).netloc)

        def ask() -> int:
            line.request("POST", PATH, BODY, HEADERS)
            answer = line.getresponse()
            answer.read()
            return answer.status

        try:
            return _timed(times, ask)
        finally:
            line.close()

    return run


def measured(url: str, rounds: int, messages: int) -> dict[str, object]:
    """Microseconds of each way, and what the connector is of the others."""
    ways: Mapping[str, Run] = {
        "connector, 64 at once": awaited(url, 64), "connector, 16 at once": awaited(url, 16),
        "connector, one thread": from_a_thread(url), "httpx, one thread": with_httpx(url),
        "http.client, one thread": with_the_standard_library(url),
    }  # fmt: skip
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            spent[name].append(run(messages) / messages * 1e6)
    ratios = {
        other: round(
            statistics.median(
                ours / theirs for ours, theirs in zip(spent["connector, 16 at once"], spent[other], strict=True)
            ),
            2,
        )
        for other in ("httpx, one thread", "http.client, one thread")
    }
    return {
        "us": {name: round(statistics.median(each), 1) for name, each in spent.items()},
        "connector, 16 at once, of": ratios,
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=2000)
    chosen = parser.parse_args()
    with standing(13_000 + os.getpid() % 5_000) as url:
        figures = measured(url, chosen.rounds, chosen.messages)
    sys.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
