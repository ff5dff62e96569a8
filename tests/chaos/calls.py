"""The lean source: reports cases over keep-alive lines, withdraws a few, repeats itself, hears what became of them."""

import asyncio
import base64
import hashlib
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from simulators.city import COMMUNITIES
from simulators.ledger import lines
from tests.chaos.platform import Platform, options, share
from tests.chaos.wire import Line, Reply, Request

KINDS = ("K1", "K2", "K3", "K4")
WITHDRAWN, PICTURED = 0.02, 0.02
"""Shares of the reports that are withdrawn later, and that bring a file."""
ZONE = timezone(timedelta(hours=8))


class Calls(Platform):
    """The source. Which reports there are depends on the seed alone; when they come, on the world."""

    accepted: set[str]
    withdrawn: set[str]
    seen: set[str]

    def __init__(self, told: Any) -> None:
        super().__init__(told)
        self.accepted, self.withdrawn, self.seen = set(), set(), set()
        self.told: set[tuple[str, str, str]] = set()
        for line in lines(self.ledger.path):
            self._recall(line)
        self.wanted: int = told.cases
        self.next = 1
        self.busy = 0

    def _recall(self, line: dict[str, Any]) -> None:
        if line["what"] == "report":
            self.seen.add(line["id"])
        elif line["what"] == "said" and line.get("ok") is not None:
            {"new": self.accepted, "withdrawn": self.withdrawn}[line["state"]].add(line["id"])
        elif line["what"] == "told":
            self.told.add((line["id"], line["told"], line["at"]))

    # the hub's requests

    def take(self, request: Request) -> Reply:
        """`/told`: known again by what it says."""
        body = request.json()
        key = (body["id"], body["what"], body["at"])
        effect = "again" if key in self.told else "new"
        self.told.add(key)
        message = request.headers.get("x-message")
        facts = {"id": body["id"], "no": body["no"], "told": body["what"], "at": body["at"]}
        self.ledger.write("told", **facts, effect=effect, message=message)
        return Reply.of({"code": "ok"})

    def refusal(self) -> Reply:
        """In the contract's words."""
        return Reply.of({"code": "no", "text": "暂不接收"})

    def state(self) -> dict[str, Any]:
        """Progress."""
        done = self.next > self.wanted and not self.busy
        return {"busy": not done, "reported": len(self.accepted), "told": len(self.told)}

    # its own work

    async def live(self) -> None:
        """Lines that report, side by side."""
        await asyncio.gather(*(self._line(number) for number in range(self.options.lines)))

    async def _line(self, number: int) -> None:
        line = Line(self.gateways, first=number)
        pause = self.options.lines / self.options.rate
        while True:
            if self.next > self.wanted:
                await asyncio.sleep(0.05)
                continue
            mine, self.next = self.next, self.next + 1
            self.busy += 1
            try:
                await self._report(line, mine)
            finally:
                self.busy -= 1
            await asyncio.sleep(pause)

    async def _report(self, line: Line, number: int) -> None:
        report, digest = self.report(number)
        id_ = report["id"]
        if id_ not in self.accepted:
            if id_ not in self.seen:
                self.seen.add(id_)
                self.ledger.write("report", id=id_, kind=report["kind"], sha256=digest)
            answer = await self.say(line, "/in/calls", report)
            self.accepted.add(id_)
            if answer["ok"] and self._falls("repeat"):
                await self.say(line, "/in/calls", report)
        if share(self.seed, "withdraw", number) < WITHDRAWN and id_ not in self.withdrawn:
            await asyncio.sleep(3 * share(self.seed, "when", number))
            await self.say(line, "/in/calls", {"id": id_, "state": "withdrawn"})
            self.withdrawn.add(id_)

    def report(self, number: int) -> tuple[dict[str, Any], str]:
        """The report of this number, and the digest of its file."""
        dice = Random(f"{self.seed}/{number}")
        where, kind = dice.choice(COMMUNITIES), dice.choice(KINDS)
        lon, lat = where.lon + dice.uniform(-0.004, 0.004), where.lat + dice.uniform(-0.004, 0.004)
        at = datetime.now(ZONE).isoformat(timespec="seconds")
        report: dict[str, Any] = {
            "id": f"C{self.seed}-{number:07d}", "state": "new", "kind": kind, "at": at, "lon": round(lon, 6),
            "lat": round(lat, 6), "text": f"示例路{number}号旁有情况，请处理",
        }  # fmt: skip
        if share(self.seed, "picture", number) >= PICTURED:
            return report, ""
        content = dice.randbytes(4096)
        report["files"] = [{"name": "1.jpg", "content": base64.b64encode(content).decode()}]
        return report, hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    asyncio.run(Calls(options(cases=0, lines=16, rate=200.0)).run())
