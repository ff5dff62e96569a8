"""A lean owner: takes tasks, signs, works, returns some, tells the hub. What it does with a repeated task, `mode` says.

safe: it knows the task again and answers as before. guarded: it refuses what it has, and says so. asked: it opens
another task, and can be asked by our number. strict: it opens another task, and cannot be asked by the hub.
"""

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

from simulators.ledger import lines
from tests.chaos.platform import Platform, options, share
from tests.chaos.wire import Line, Reply, Request

ZONE = timezone(timedelta(hours=8))
RETURNED = 0.04
"""Share of the first rounds that it gives back."""
TALKERS = 8
_KNOWS = frozenset({"safe", "guarded"})


class Works(Platform):
    """The owner."""

    def __init__(self, told: Any) -> None:
        super().__init__(told)
        self.mode: str = told.mode
        self.tasks: dict[str, str] = {}
        """Our reference to its id; of several the last."""
        self.made = 0
        self.orders: set[tuple[str, str, str]] = set()
        self.ended: set[str] = set()
        """References that are withdrawn by the centre or given back: it says no more about them."""
        self.to_say: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.talking = 0
        self.waiting: set[asyncio.Task[None]] = set()
        self._left: dict[tuple[str, str, str], dict[str, Any]] = {}
        for line in lines(self.ledger.path):
            self._recall(line)

    def _recall(self, line: dict[str, Any]) -> None:
        what = line["what"]
        if what == "task" and line["effect"] == "new":
            self.tasks[line["ref"]], self.made = line["id"], self.made + 1
        elif what == "order":
            self.orders.add((line["ref"], line["order"], line["at"]))
            if line["order"] == "cancel":
                self.ended.add(line["ref"])
        elif what == "will_say":
            self._left[line["id"], line["state"], line["at"]] = {
                key: line[key] for key in ("id", "ref", "state", "at", "text")
            }
        elif what == "said" and "ok" in line:
            self._left.pop((line["id"], line["state"], line["at"]), None)

    # the hub's requests

    def take(self, request: Request) -> Reply:
        """/tasks, /orders, /find."""
        if request.path == "/find":
            return self._find(request.query.get("ref", ""), request.headers.get("x-message", ""))
        body, message = request.json(), request.headers.get("x-message", "")
        return self._task(body, message) if request.path == "/tasks" else self._order(body, message)

    def _find(self, ref: str, message: str) -> Reply:
        there = self.tasks.get(ref)
        self.ledger.write("asked", ref=ref, there=bool(there), message=message)
        return Reply.of({"code": "ok", "id": there} if there else {"code": "none"})

    def _task(self, body: dict[str, Any], message: str) -> Reply:
        ref, there = body["ref"], self.tasks.get(body["ref"])
        if there is not None and self.mode in _KNOWS:
            self.ledger.write(
                "task", ref=ref, id=there, effect="again", task=body["what"], at=body["at"], message=message
            )
            return Reply.of({"code": "ok" if self.mode == "safe" else "again", "id": there})
        self.made += 1
        id_ = self.tasks[ref] = f"{self.options.name}-{self.made}"
        back = ref.endswith("-1") and share(self.seed, ref, "back") < RETURNED
        with self.ledger.together():  # a task without its plan would never end
            self.ledger.write("task", ref=ref, id=id_, effect="new", task=body["what"], at=body["at"], message=message)
            self._will_say(id_, ref, "signed", 0.1)
            self._will_say(id_, ref, "back" if back else "done", 0.3 + share(self.seed, ref, "pace"))
        return Reply.of({"code": "ok", "id": id_})

    def _order(self, body: dict[str, Any], message: str) -> Reply:
        key = (body["ref"], body["what"], body["at"])
        effect = "again" if key in self.orders else "new"
        self.orders.add(key)
        id_ = self.tasks.get(body["ref"], "")
        with self.ledger.together():
            self.ledger.write(
                "order", ref=body["ref"], id=id_, order=body["what"], at=body["at"], effect=effect, message=message
            )
            if effect == "new" and body["what"] == "cancel":
                self.ended.add(body["ref"])
            elif effect == "new" and id_:
                self._will_say(id_, body["ref"], "done", 0.3)
        return Reply.of({"code": "ok", "id": id_})

    def refusal(self) -> Reply:
        """In the contract's words."""
        return Reply.of({"code": "no", "text": "暂不接收"})

    def state(self) -> dict[str, Any]:
        """Progress."""
        busy = bool(self.talking or self.waiting or not self.to_say.empty())
        return {"busy": busy, "tasks": self.made, "left": len(self.waiting) + self.to_say.qsize()}

    def control(self, request: Request) -> Reply:
        """Also: /_sim/has, for the person who looks into this system's own screens."""
        if request.path == "/_sim/has":
            ref, what, at = (request.query.get(name, "") for name in ("ref", "what", "at"))
            there = ref in self.tasks if what == "hand_over" else any(
                one[0] == ref and one[2] == at for one in self.orders
            )  # fmt: skip
            return Reply.of({"there": there})
        return super().control(request)

    # what it says itself

    def _will_say(self, id_: str, ref: str, state: str, after: float) -> None:
        at = datetime.now(ZONE) + timedelta(seconds=after)
        body = {"id": id_, "ref": ref, "state": state, "at": at.isoformat(timespec="milliseconds"), "text": "已处理"}
        self.ledger.write("will_say", **body)
        self._later(body, 0.0 if state == "done" and self._falls("reorder") else after)

    def _later(self, body: dict[str, Any], after: float) -> None:
        task = asyncio.get_running_loop().create_task(self._when_due(body, after))
        self.waiting.add(task)
        task.add_done_callback(self.waiting.discard)

    async def _when_due(self, body: dict[str, Any], after: float) -> None:
        await asyncio.sleep(after)
        self.to_say.put_nowait(body)

    async def live(self) -> None:
        """Talk to the hub; what a kill left unsaid first."""
        for body in self._left.values():
            self._later(body, 0.5)
        await asyncio.gather(*(self._talk(number) for number in range(TALKERS)))

    async def _talk(self, number: int) -> None:
        line = Line(self.gateways, first=number)
        while True:
            body = await self.to_say.get()
            self.talking += 1
            try:
                await self._said(line, body)
            finally:
                self.talking -= 1

    async def _said(self, line: Line, body: dict[str, Any]) -> None:
        if body["ref"] in self.ended:
            self.ledger.write("unsaid", **{key: body[key] for key in ("id", "ref", "state", "at")})
            return
        path = f"/in/{self.options.name}"
        answer = await self.say(line, path, body)
        if answer["ok"] and self._falls("repeat"):
            await self.say(line, path, body)


if __name__ == "__main__":
    asyncio.run(Works(options(mode="safe")).run())
