"""A simulated operator of the municipal centre: empties the centre's queues over the hub's own REST API.

It knows only what the API tells it. Somebody faster at the same case is ordinary (HTTP 409) and no error.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from starlette.routing import BaseRoute

from simulators.city import COMMUNITIES
from simulators.system import Setup, System
from simulators.wire import Answer, Request

Case = dict[str, Any]
Action = dict[str, Any]

_PAGE = 50
_ROUNDS = 3
"""How often a returned case is sent on before it is given up."""
_CLASSES = (
    ("路灯", "30428.2:P01-37"),
    ("井盖", "30428.2:P01-03"),
    ("摊", "30428.2:E04-06"),
    ("停车", "30428.2:E04-09"),
    ("垃圾", "30428.2:E01-10"),
    ("积水", "30428.2:E05-06"),
    ("", "30428.2:E01-12"),
)
"""A word of the title -> class; the last row takes the rest."""
_RESULTS = ("已电话联系责任单位现场处理完毕。", "责任单位反馈已整改到位。")
_REWORK_REASONS = ("现场核查问题仍然存在。", "处置不彻底，请继续处理。")


class CentreDesk(System):
    """市级指挥中心操作员. `pace` is the pause between two looks at the queues; `quiet` makes it stop working."""

    name = "centre_desk"
    title = "模拟市级指挥中心坐席"
    options = frozenset({"unit", "leave"})
    """`unit`: dispatch to this unit always; `leave`: share of unlocatable cases left waiting (default 0.3)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._done: dict[str, dict[str, str]] = {}
        self._sent_on: Counter[str] = Counter()
        self._units: list[dict[str, str]] = []
        self._leave = float(setup.options.get("leave", "0.3"))

    def routes(self) -> list[BaseRoute]:
        """None: nobody calls the desk."""
        return []

    def items(self) -> list[dict[str, str]]:
        """The last action on each case the desk touched; `state` is the action."""
        return list(self._done.values())

    def create(self, number: int) -> str:
        """Look through the queues once, now."""
        self.spawn(self.look())
        return str(number)

    async def work(self) -> None:
        """Look through the queues, pause, and again."""
        while True:
            if not self.quiet:
                await self.look()
            await self.step()

    async def look(self) -> None:
        """One look at every queue."""
        self.counts["looks"] += 1
        if not self._units and "unit" not in self.setup.options:
            self._units = (await self._ask("/api/units")).get("items", [])
        for queue, decide in _QUEUES.items():
            cases = await self._waiting(queue)
            merged = await self._merge(cases) if queue in _MERGED_IN else set()
            left = [case for case in cases if case["no"] not in merged]
            await asyncio.gather(*(self._act(case, decide(self, case, self._case_dice(case))) for case in left))

    # Decisions: an action, or None to leave the case waiting

    def locate(self, case: Case, dice: Random) -> Action | None:
        """Give it the place its words name, or a likely one; some stay, some are hopeless."""
        area, fate = _named_area(_words(case)), dice.random()
        if not area and fate < self._leave:
            return None
        if not area and fate < self._leave + (1 - self._leave) / 4:
            return {"kind": "refuse", "reason": "地点不明，多次联系来电人未果。"}
        return {**self.file(case, dice), "place": {"area": area or dice.choice(COMMUNITIES).code}}

    def file(self, case: Case, _dice: Random) -> Action:
        """File it, with a class where it has none; the hub chooses the standard row."""
        return {"kind": "file"} if case.get("class_code") else {"kind": "file", "class_code": _class_of(_words(case))}

    def verify(self, case: Case, dice: Random) -> Action:
        """The collector went and looked."""
        if dice.random() < self.behaviour.refuse:
            return {"kind": "refuse", "reason": "经现场核实，所述问题不存在。"}
        return self.file(case, dice)

    def dispatch(self, case: Case, dice: Random) -> Action | None:
        """Choose a unit by hand."""
        unit = self._unit(case, dice)
        return {"kind": "dispatch", "unit": unit} if unit else None

    def send_on(self, case: Case, dice: Random) -> Action | None:
        """Another unit, a few times, and by a ruling after so many returns; then the case is given up."""
        unit = self._unit(case, dice)
        if unit and int(case.get("returns") or 0) >= _ROUNDS:
            return {"kind": "arbitrate", "unit": unit, "reason": "多次退件，经研究裁定由该单位办理。"}
        if self._sent_on[case["no"]] >= _ROUNDS or not unit:
            return {"kind": "cancel", "reason": "多次退件，无责任单位，作废处理。"}
        self._sent_on[case["no"]] += 1
        return {"kind": "redispatch", "unit": unit, "reason": "经会商，由该单位牵头办理。"}

    def serve(self, case: Case, dice: Random) -> Action:
        """On behalf of a unit without a system: sign, then say what was done."""
        if case.get("stage") == "dispatched":
            return {"kind": "sign"}
        return {"kind": "dispose", "result": dice.choice(_RESULTS)}

    def check(self, _case: Case, dice: Random) -> Action:
        """核查."""
        if dice.random() < self.behaviour.rework:
            return {"kind": "rework", "reason": dice.choice(_REWORK_REASONS)}
        return {"kind": "check", "result": "核查通过"}

    def close(self, _case: Case, _dice: Random) -> Action:
        """结案, in the owner's words when the case has them."""
        return {"kind": "close", "result": _case.get("result") or "已办结"}

    # The API

    async def _ask(self, path: str) -> dict[str, Any]:
        answer = await self.call(Request(path, b"", self._headers()), method="GET")
        return self._read(answer)

    async def _waiting(self, queue: str) -> list[Case]:
        cases: list[Case] = []
        after = ""
        while True:
            query = {"queue": queue, "limit": str(_PAGE)} | ({"after": after} if after else {})
            page = await self._ask(f"/api/cases?{urlencode(query)}")
            cases += page.get("items", [])
            after = str(page.get("next") or "")
            if not after:
                return cases

    async def _act(self, case: Case, action: Action | None) -> bool:
        if action is None:
            self.counts["left_waiting"] += 1
            return False
        no = str(case["no"])
        body = json.dumps(action, ensure_ascii=False).encode()
        headers = {**self._headers(), "Content-Type": "application/json"}
        answer = await self.call(Request(f"/api/cases/{quote(no)}/actions", body, headers))
        if answer is not None and answer.status == 409:
            self.counts["refused"] += 1
            return False
        self._read(answer)
        done = answer is not None and answer.status == 200
        if done:
            self.counts["accepted"] += 1
            self.counts[f"did_{action['kind']}"] += 1
            self._done[no] = {"id": no, "no": no, "state": action["kind"], "title": str(case.get("queue", ""))}
        return done

    async def _merge(self, cases: Iterable[Case]) -> set[str]:
        """Merge later cases into the earliest of the same address and class."""
        first: dict[tuple[str, str], Case] = {}
        gone: set[str] = set()
        for case in sorted(cases, key=lambda one: str(one["no"])):
            key = str((case.get("place") or {}).get("address") or ""), str(case.get("class_code") or "")
            if not all(key) or first.setdefault(key, case) is case:
                continue
            action = {"kind": "merge", "target": first[key]["no"], "reason": "同一地点同一问题，并案办理。"}
            if await self._act(case, action):
                gone.add(str(case["no"]))
        return gone

    def _read(self, answer: Answer | None) -> dict[str, Any]:
        if answer is None:
            self.counts["unanswered"] += 1
            return {}
        if answer.status != 200:
            self.counts["unauthenticated" if answer.status in {401, 403} else "errors"] += 1
            return {}
        try:
            document = json.loads(answer.body)
        except ValueError:
            self.counts["errors"] += 1
            return {}
        return document if isinstance(document, dict) else {}

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.setup.secret}"}

    def _case_dice(self, case: Case) -> Random:
        return self.dice(case["no"], case.get("queue"), self._sent_on[case["no"]], case.get("reworks", 0))

    def _unit(self, case: Case, dice: Random) -> str:
        if "unit" in self.setup.options:
            return self.setup.options["unit"]
        asked = {assignment.get("unit") for assignment in case.get("assignments") or ()}
        others = [unit for unit in self._units if unit.get("id") not in asked]
        served = [unit for unit in others if unit.get("system")]
        return str(dice.choice(served or others)["id"]) if others else ""


_MERGED_IN = frozenset({"to_file", "to_verify", "no_owner"})
_QUEUES: dict[str, Callable[[CentreDesk, Case, Random], Action | None]] = {
    "location_unknown": CentreDesk.locate,
    "class_unknown": CentreDesk.file,
    "to_file": CentreDesk.file,
    "to_verify": CentreDesk.verify,
    "no_owner": CentreDesk.dispatch,
    "returned": CentreDesk.send_on,
    "at_desk": CentreDesk.serve,
    "to_check": CentreDesk.check,
    "to_close": CentreDesk.close,
}


def _words(case: Case) -> str:
    place = case.get("place") or {}
    return " ".join(str(part or "") for part in (case.get("title"), case.get("description"), place.get("address")))


def _class_of(words: str) -> str:
    return next(code for word, code in _CLASSES if word in words)


def _named_area(words: str) -> str:
    """The finest division of the list that the words name; empty: none."""
    for community in COMMUNITIES:
        if community.name in words:
            return community.code
    for community in COMMUNITIES:
        if community.street in words:
            return community.code[:9]
    return next((community.code[:6] for community in COMMUNITIES if community.district in words), "")
