"""A campaign of chance: hubs of several editions of fusion.csv, killed at any moment, beside a platform that leads.

The platform tells its cases out of order, twice and late, the hotline reports the same classes, cases are taken over
and handed back by whichever process is there. Afterwards everything that was taken is asked of the database.
"""

import random
import socket
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from canonical.case import Case, Event
from canonical.lifecycle import ActionKind
from tests.gateway.forked import Forked, start
from tests.gateway.lead_platform import BACK, LED, LITTER, NAME, OURS, Platform, city
from tests.gateway.outside import ticket
from tests.gateway.running import CENTRE_SECRET, SECRET, HubUnderTest, until
from tests.gateway.test_fusion import MOVE, gridhub, surroundings

EDITIONS = ((LED,), (LED, OURS), (LED, OURS, BACK))
"""Led, taken over, and led again. Each process has one of them, whatever the others have."""
MOVES = ("take-over", "hand-back")
_STATES = ("new", "filed", "given", "working", "back", "given", "closed")
_UNITS = ("3402-sanitation", "3402-police", "芜湖市环境卫生管理处", "")


@dataclass
class Campaign:
    """Everything that is under way. `url`: of the database."""

    folder: Path
    url: str
    platform: Platform
    chance: random.Random
    ports: list[int] = field(default_factory=list)
    processes: list[Forked] = field(default_factory=list)
    worker: Forked | None = None
    moving: list[Forked] = field(default_factory=list)
    kills: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    """Messages that were answered, by system."""

    def city(self, edition: int) -> Path:
        """The configuration of an edition."""
        return city(self.folder / f"edition{edition}", *EDITIONS[edition], url=self.platform.url)

    def begin(self, edition: int, *words: str) -> Forked:
        """A process of its own."""
        with (self.folder / "log").open("ab") as log:
            return start([*words], surroundings(self.city(edition), self.url), output=log)

    def start(self) -> None:
        """Two doors and a worker, of any editions."""
        for _ in range(2):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.ports.append(int(free.getsockname()[1]))
            self.processes.append(self.door(len(self.ports) - 1, self.chance.randrange(3)))
        self.worker = self.begin(self.chance.randrange(3), "work", "--role", "deliver")

    def door(self, number: int, edition: int) -> Forked:
        """`gridhub serve` with that edition."""
        return self.begin(edition, "serve", "--no-work", "--port", str(self.ports[number]))

    def killed(self) -> None:
        """kill -9 of one of them, and it comes back with any edition; a command that moves cases does not."""
        self.kills += 1
        running = [one for one in self.moving if one.poll() is None]
        number = self.chance.randrange(4)
        if number == 3 or running:
            for one in running:
                _kill(one)
            return
        if number == 2:
            assert self.worker is not None
            _kill(self.worker)
            self.worker = self.begin(self.chance.randrange(3), "work", "--role", "deliver")
            return
        _kill(self.processes[number])
        self.processes[number] = self.door(number, self.chance.randrange(3))

    def moved(self) -> None:
        """By a door, which may die over it or have another edition; or by a command that is not waited for."""
        if self.chance.random() < 0.7:
            order = MOVE | {"kind": self.chance.choice(MOVES).replace("-", "_")}
            url = f"http://127.0.0.1:{self.chance.choice(self.ports)}/api/fusion/move"
            headers = {"authorization": f"Bearer {CENTRE_SECRET}"}
            with suppress(httpx.HTTPError):
                httpx.post(url, json=order, headers=headers, timeout=20, trust_env=False)
            return
        words = ("fusion", self.chance.choice(MOVES), NAME, LITTER, "--reason", "试点")
        self.moving.append(self.begin(self.chance.randrange(1, 3), *words))

    def send(self, requests: Sequence[httpx.Request]) -> None:
        """Each until somebody has answered, by several at once."""
        with ThreadPoolExecutor(4) as several:
            list(several.map(self._send, requests))

    def _send(self, made: httpx.Request) -> None:
        end = time.monotonic() + 120
        ports = list(self.ports)
        while True:
            ports.append(ports.pop(0))
            url = f"http://127.0.0.1:{ports[0]}{made.url.path}"
            try:
                answer = httpx.request(
                    "POST", url, content=made.content, headers=made.headers, timeout=20, trust_env=False
                )
            except httpx.TransportError:
                assert time.monotonic() < end, "no hub came back"
                time.sleep(0.1)
                continue
            if answer.status_code < 500:
                assert answer.status_code == 200, answer.text
                self.taken[made.url.path] += 1
                return
            time.sleep(0.1)

    def move_all(self, hub: HubUnderTest, edition: int) -> None:
        """To the end, by one edition, with nobody else about."""
        self.end()
        done = gridhub(self.city(edition), self.url, "fusion", MOVES[edition - 1], NAME, LITTER, "--reason", "终")
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        self.worker = self.begin(edition, "work", "--role", "deliver")
        waiting = f"SELECT count(*) AS n FROM delivery_open WHERE system = '{NAME}'"
        until(lambda: hub.rows(waiting)[0]["n"] == 0, what="telling the platform")

    def end(self) -> None:
        """Nothing of it is left running."""
        for one in (*self.processes, *self.moving, self.worker):
            if one is not None:
                _kill(one)

    def records(self, ids: Sequence[str]) -> list[httpx.Request]:
        """What the platform pushes of these cases: each state as it comes, some twice, some late."""
        made: list[tuple[float, httpx.Request]] = []
        for id_ in ids:
            record = {"id": id_, "kind": "bill" if id_[0] == "B" else "litter", "area": "340202", "text": "垃圾"}
            record["unit"] = self.chance.choice(_UNITS)
            at = self.chance.random()
            for state in _STATES[self.chance.randrange(2) : self.chance.randrange(3, len(_STATES) + 1)]:
                for late in (0.0, *([self.chance.random()] if self.chance.random() < 0.2 else [])):
                    request = httpx.Request(
                        "POST", f"http://hub/in/{NAME}", json=record | {"state": state}, headers={"token": SECRET}
                    )
                    made.append((at + late, request))
                at += self.chance.random() * 0.2
        return [request for _, request in sorted(made, key=lambda one: one[0])]


def _kill(process: Forked) -> None:
    process.kill()
    process.wait()


def run(campaign: Campaign, ids: Sequence[str], tickets: int, rounds: int) -> None:
    """The campaign: after each portion of messages something dies, or cases are moved."""
    requests = [*campaign.records(ids), *(ticket(f"h{number}", ("0301", "340202")) for number in range(tickets))]
    if tickets:
        tail = requests[-tickets:]
        del requests[-tickets:]
        for one in tail:
            requests.insert(campaign.chance.randrange(len(requests)), one)
    portion = -(-len(requests) // rounds)
    for first in range(0, len(requests), portion):
        with ThreadPoolExecutor(2) as beside:
            done = [beside.submit(campaign.send, requests[first : first + portion]), beside.submit(campaign.moved)]
            for _ in range(campaign.chance.randrange(1, 4)):
                time.sleep(campaign.chance.random() * 4)
                campaign.killed()
            for job in done:
                job.result()


# What has to hold


def check(campaign: Campaign, hub: HubUnderTest, ids: Sequence[str]) -> None:
    """Everything that was promised, asked of the database."""
    assert set(hub.orphans().values()) == {0}, hub.orphans()
    bound = hub.rows(_BOUND, NAME)
    assert Counter(row["external_id"] for row in bound) == Counter(ids), "each case once, none lost, none of nobody"
    events = _events(hub)
    _folded(hub, events)
    shadows = {(row["case_id"], row["seq"]) for row in hub.rows("SELECT case_id, seq FROM shadow")}
    assert shadows == {(e.case_id, e.seq) for of in events.values() for e in of if e.action.shadow}
    told = {one["id"]: one["what"] for one in campaign.platform.told if one["what"] in {"take_over", "hand_back"}}
    leads = {row["external_id"]: (row["lead"], events[row["case_id"]][0].action.lead_system) for row in bound}
    for id_, (lead, first) in leads.items():
        expected = {"take_over": "", "hand_back": NAME}.get(told.get(id_, ""), first)
        assert lead == expected, f"{id_}: led by '{lead}', and the platform believes '{expected}'"
    _silent(hub, events)
    for path, count in campaign.taken.items():
        kept = hub.rows("SELECT count(*) AS n FROM message WHERE system = $1 AND direction = 'in'", path.split("/")[-1])
        assert kept[0]["n"] >= count, f"{path}: {count} were answered, and {kept[0]['n']} are in the journal"


def _events(hub: HubUnderTest) -> dict[UUID, list[Event]]:
    found: dict[UUID, list[Event]] = {}
    for row in hub.rows("SELECT case_id, CAST(body AS text) AS body FROM event ORDER BY case_id, seq"):
        found.setdefault(row["case_id"], []).append(Event.model_validate_json(row["body"]))
    return found


def _folded(hub: HubUnderTest, events: dict[UUID, list[Event]]) -> None:
    for row in hub.rows("SELECT id, CAST(state AS text) AS state FROM cases"):
        kept, (first, *rest) = Case.model_validate_json(row["state"]), events[row["id"]]
        case = Case.opened(first, no=kept.no, sequence=kept.sequence)
        for event in rest:
            case = case.after(event)
        assert case == kept


def _silent(hub: HubUnderTest, events: dict[UUID, list[Event]]) -> None:
    """Of a led case nobody is told but its sources, and the system that leads, of the change of its centre."""
    led: dict[tuple[UUID, int], str] = {}
    for case_id, of in events.items():
        lead = ""
        for event in of:
            lead = {ActionKind.COLLECT: event.action.lead_system, ActionKind.TAKE_OVER: "",
                    ActionKind.HAND_BACK: event.action.system}.get(event.action.kind, lead)  # fmt: skip
            led[case_id, event.seq] = lead
    for row in hub.rows("SELECT case_id, event_seq, system, message FROM delivery"):
        lead = led[row["case_id"], row["event_seq"]]
        kind = events[row["case_id"]][row["event_seq"] - 1].action.kind
        assert not lead or (row["system"] == lead and kind is ActionKind.HAND_BACK), (row, lead, kind)


_BOUND = """
SELECT b.external_id, b.case_id, coalesce(c.state ->> 'lead_system', '') AS lead
  FROM binding b JOIN cases c ON c.id = b.case_id WHERE b.system = $1 AND b.body ->> 'role' = 'source'
"""


def summary(hub: HubUnderTest, campaign: Campaign) -> dict[str, Any]:
    """How much happened: a campaign in which nothing does proves nothing."""
    counted = {row["action"]: row["n"] for row in hub.rows("SELECT action, count(*) AS n FROM event GROUP BY 1")}
    return counted | {"kills": campaign.kills, "told": len(campaign.platform.told), **campaign.taken}
