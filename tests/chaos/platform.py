"""What both lean systems have: a book, a behaviour that can be changed while they run, doors that misbehave by it."""

import argparse
import asyncio
import hashlib
import json
import random
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from simulators.ledger import Ledger
from tests.chaos.wire import CUT, Line, Reply, Request, Server

TOKEN = "x-token"
GAP = 0.25
"""Seconds until the hub is told again what it gave no good answer to."""
CALM: dict[str, float] = {
    "drop": 0, "garble": 0, "slow": 0, "delay": 3, "refuse": 0, "down": 0, "silent": 0, "twice": 0, "reorder": 0,
    "repeat": 0.02,
}  # fmt: skip
"""Shares of requests, 0 to 1, that meet with each fault; `delay` is how many seconds a slow answer takes.

drop, garble, slow: it is taken, and the answer is cut off, is no JSON, comes late. refuse, down, silent: it is not
taken. twice: the network doubles the request. reorder, repeat: of what it says itself.
"""


def share(*about: object) -> float:
    """A number in 0..1 that is always the same for the same words."""
    digest = hashlib.sha256("/".join(map(str, about)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


class Platform(ABC):
    """One simulated system in a process of its own. Its state is what its book says."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seed: int = options.seed
        self.behaviour = dict(CALM)
        self.ledger = Ledger(Path(options.ledger))
        self.gateways: list[str] = options.hub.split(",")
        self.headers = {TOKEN: options.token}
        self.dice = random.Random(f"{options.seed}/{options.name}")
        self.idle = asyncio.Event()

    @abstractmethod
    def take(self, request: Request) -> Reply:
        """A good request, done."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """For the campaign: whether it still has work, and how much it did."""

    @abstractmethod
    def refusal(self) -> Reply:
        """No, in the contract's words."""

    @abstractmethod
    async def live(self) -> None:
        """What it does by itself."""

    async def run(self) -> None:
        """Until it is killed."""
        async with await Server(self.serve).serve(self.options.port):
            await self.live()
            await asyncio.Event().wait()

    async def serve(self, request: Request) -> Reply | None:
        """One request of the hub or of the campaign."""
        if request.path.startswith("/_sim"):
            return self.control(request)
        if request.headers.get(TOKEN) != self.options.token:
            return Reply.of({"code": "who"}, 401)
        before = self._before(request)
        if before is not None:
            self.ledger.write("turned_away", path=request.path, how=before, message=request.headers.get("x-message"))
            if before == "silent":
                await asyncio.sleep(4 * self.behaviour["delay"])
            return {"refuse": self.refusal(), "down": Reply(b"", 503)}.get(before, CUT)
        reply = self.take(request)
        if self._falls("twice") and request.method == "POST":
            self.take(request)
        after = next((fault for fault in ("drop", "garble", "slow") if self._falls(fault)), "")
        if after:
            self.ledger.write("answer_spoiled", how=after, message=request.headers.get("x-message"))
        if after == "slow":
            await asyncio.sleep(self.behaviour["delay"])
        return {"drop": CUT, "garble": Reply(b"<html>502 proxy</html>")}.get(after, reply)

    def control(self, request: Request) -> Reply:
        """behaviour (POST: change it) and state."""
        if request.path == "/_sim/behaviour":
            self.behaviour |= request.json()
            return Reply.of(self.behaviour)
        return Reply.of(self.state())

    def _before(self, request: Request) -> str | None:
        if request.method != "POST":
            return next((fault for fault in ("down", "silent") if self._falls(fault)), None)
        return next((fault for fault in ("down", "silent", "refuse") if self._falls(fault)), None)

    def _falls(self, fault: str) -> bool:
        return self.dice.random() < self.behaviour[fault]

    async def say(self, line: Line, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell the hub until it gives an answer of its own; the book holds every answer, and every lack of one."""
        while True:
            status, content = await line.post(path, body, self.headers)
            answer = _object(content) if status == 200 else {}
            facts = {key: answer[key] for key in ("ok", "no", "verdict", "why", "text") if answer.get(key) is not None}
            self.ledger.write("said", **_named(body), status=status, **facts)
            if "ok" in answer:
                return answer
            await asyncio.sleep(GAP)


def _named(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("id", "ref", "state", "at") if key in body}


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def options(**more: Any) -> argparse.Namespace:
    """What every platform's process is told; `more`: further options with their defaults."""
    parser = argparse.ArgumentParser()
    for name in ("name", "ledger", "hub", "token"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()
