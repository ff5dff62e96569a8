"""The automated person: looks at what is parked, asks the other side's own screens, and releases or withdraws.

It works through the hub's API alone, as people do. It also sends finished work back now and then: lanes get long.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from typing import Any

from tests.chaos.platform import share

REWORKED = 0.01
"""Share of the closed cases that are sent back once."""
_LOOK = 0.5


class Person(threading.Thread):
    """One person. `hub` gives an address of a gateway, `works` are the owners' addresses by system."""

    def __init__(self, hub: Callable[[], str], token: str, works: Mapping[str, str], seed: int) -> None:
        super().__init__(name="person", daemon=True)
        self._hub, self._works, self._seed = hub, works, seed
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._ended = threading.Event()
        self.counts = {"released": 0, "withdrawn": 0, "reworked": 0}
        self.reworking = True
        self._after, self._seen = "", set[str]()

    def run(self) -> None:
        """Look, again and again."""
        while not self._ended.wait(_LOOK):
            for work in (self._settle, self._rework):
                with suppress(
                    OSError, HTTPException, ValueError, KeyError
                ):  # the hub is down, or the other side: look again later
                    work()

    def end(self) -> None:
        """Go home."""
        self._ended.set()
        self.join()

    def get(self, path: str) -> Any:
        """A page of the hub."""
        return _json(urllib.request.Request(f"{self._hub()}{path}", headers=self._headers))

    def post(self, path: str, body: object) -> Any:
        """An order to the hub."""
        data = json.dumps(body).encode()
        return _json(urllib.request.Request(f"{self._hub()}{path}", data=data, headers=self._headers))

    def _settle(self) -> None:
        for row in self.get("/api/parked?limit=200")["items"]:
            there = self._there(row)
            if there is None:
                continue
            if there:
                self.post(f"/api/parked/{row['id']}/withdraw", {"reason": "查到对方已有"})
                self.counts["withdrawn"] += 1
            else:
                self.post(f"/api/parked/{row['id']}/release", {})
                self.counts["released"] += 1

    def _there(self, row: Mapping[str, Any]) -> bool | None:
        """Whether the other side has it; None when it cannot be found out now. Only a hand-over is not repeatable."""
        if row["message"] != "hand_over":
            return False
        case = self.get(f"/api/cases/{row['case_no']}")
        mine = [one for one in case["deliveries"] if one["system"] == row["system"] and one["message"] == "hand_over"]
        parked = [one for one in mine if one["state"] in {"parked", "refused"}]
        if len(parked) != 1:
            return None
        rounds = [one for one in case["events"] if one["action"]["kind"] in {"dispatch", "redispatch"}]
        number = sum(one["seq"] <= parked[0]["event_seq"] for one in rounds)
        address = f"{self._works[row['system']]}/_sim/has?what=hand_over&ref={row['case_no']}-{number}"
        return bool(_json(urllib.request.Request(address))["there"])

    def _rework(self) -> None:
        """Some closed cases are not done well, once each."""
        if not self.reworking:
            return
        page = self.get(f"/api/cases?stage=closed&limit=200&after={self._after}")
        for case in page["items"]:
            no = case["no"]
            if no not in self._seen and share(self._seed, no) < REWORKED and case["owner"]:
                self.post(f"/api/cases/{no}/actions", {"kind": "rework", "reason": "复查不合格", "by": "desk-1"})
                self.counts["reworked"] += 1
            self._seen.add(no)
        self._after = page["next"] or ""


def _json(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        raise
