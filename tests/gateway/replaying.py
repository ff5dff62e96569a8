"""A platform that reports and works, as text in any edition; a small city; and one process's view of their database."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

import adapters
from canonical.findings import Severity
from canonical.message import Direction, Message
from canonical.reading import Outcome
from canonical.replay import Chosen, Replay
from gateway.configuration import Configuration, ConnectedSystem
from gateway.edition_files import digest_of, files_of
from gateway.hub import Hub, wire
from gateway.replay.plan import Order
from gateway.replay.run import Replayer
from gateway.settings import Settings
from gateway.work import Role, Worker
from tests.routing.intake_city import CITY, NOW, STALL

NAME = "works"
SECRET = "the-key-of-the-works"
_SYSTEM = """\
title: 示例市容平台
edition: "1"
roles: [source, owner]
secrets: {key: {title: 签名密钥}}
connector: {protocol: http, timeout: 2}
doors:
  orders: {shape: [json], messages: [done, order], reply: {format: json, rows: [{body: {ok: {from: number}}}]}}
answers:
  envelope:
    shape: [json]
    rows:
      - {http: "5xx", then: unavailable}
      - {when: {code: ok}, then: accepted, external_id: {from: id}}
      - {when: {code: known}, then: duplicate, external_id: {from: id}}
      - {when: {code: {present: "yes"}}, then: refused, text: {from: code}}
tells:
  source: {file: taken}
  owner: {dispatch: hand_over, redispatch: hand_over, rework: again}
  both: {dispatch: hand_over, redispatch: hand_over}
unsupported:
  owner: {cancel: 请电话通知, merge: 请电话通知}
  both: {rework: 请电话通知, cancel: 请电话通知, merge: 请电话通知}
"""
_ORDER = """\
direction: in
title: 上报
contract: order.json
external_id: {from: no}
report: {title: {from: text}, class: {from: kind, codes: kinds}, given_area: {text: "340202"}}
"""
_DONE = """\
direction: in
title: 进展
when: {state: {present: "yes"}}
contract: order.json
external_id: {from: no}
action:
  status: {from: state}
  steps: {signed: {kinds: {owner: sign}}, done: {kinds: {owner: dispose}, result: 已清理}}
"""
_OUT = """\
direction: out
title: %(title)s
repeat: safe
path: %(path)s
answer: envelope
headers:
  x-time: {from: now, time: epoch_ms}
  x-sign: {of: [{from: sealed.body}, {from: headers.x-time}], join: "", digest: hmac-sha256, key: key}
body: {no: {from: %(no)s}, text: {from: case.title}}
"""
FILES: Mapping[str, str] = {
    "system.yaml": _SYSTEM, "messages/order.yaml": _ORDER, "messages/done.yaml": _DONE,
    "messages/hand_over.yaml": _OUT % {"title": "派遣", "path": "/hand", "no": "case.reference"},
    "messages/again.yaml": _OUT % {"title": "返工", "path": "/again", "no": "binding.external_id"},
    "messages/taken.yaml": _OUT % {"title": "立案", "path": "/taken", "no": "binding.external_id"},
    "codes/kinds.csv": f"local,canonical,title\nstall,{STALL},占道经营\n",
    "contract/order.json": json.dumps({"type": "object", "required": ["no"]}),
}  # fmt: skip
ROW = f"lamp,{STALL},新类\n"
"""A row of the code table that the first edition lacks."""


def edition(place: Path, url: str = "http://127.0.0.1:9", **changes: str) -> ConnectedSystem:
    """The platform as its folder declares it; `changes`: files by name, `codes__kinds` for codes/kinds.csv."""
    folder = place / f"edition-{len(list(place.iterdir())) if place.exists() else 0}"
    named = {"codes__kinds": "codes/kinds.csv", "order": "messages/order.yaml", "hand_over": "messages/hand_over.yaml"}
    for name, content in {**FILES, **{named.get(name, name): content for name, content in changes.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    assert [one for one in adapters.check(folder, samples=False) if one.severity is Severity.ERROR] == []
    again = partial(adapters.load, secrets={"key": SECRET}, name=NAME)
    return ConnectedSystem(
        system=again(folder), url=url, every=None, concurrency=4, paused=False, folder=folder,
        edition=digest_of(files_of(folder)), load=again,
    )  # fmt: skip


def order(number: int, kind: str = "stall", **more: str) -> bytes:
    """What the platform pushes."""
    return json.dumps({"no": f"W{number}", "kind": kind, "text": f"占道 {number}"} | more, ensure_ascii=False).encode()


@dataclass(slots=True)
class Yard:
    """One process: its hub, and what a person does with it."""

    hub: Hub
    replayer: Replayer
    after: timedelta = timedelta()

    async def push(self, body: bytes) -> Outcome:
        """What the platform pushed, taken in."""
        message = Message(
            system=NAME, body=body, at=self.hub.now(), id=self.hub.ids(), door="orders",
            content_type="application/json",
        )  # fmt: skip
        [outcome] = await self.hub.reception.take_in(self.hub.reception.read(message))
        return outcome

    async def plan(self, direction: str = "in", **more: Any) -> Replay:
        """A plan; `more`: of the order, and of what it chooses."""
        chosen = {name: more.pop(name) for name in list(more) if name in Chosen.model_fields}
        asked = Order(system=NAME, direction=Direction(direction), chosen=Chosen(**chosen), **more)
        return await self.replayer.plan(asked)

    async def run(self, plan: Replay | UUID, by: str = "operator-7") -> Replay:
        """Started and carried out."""
        found = plan if isinstance(plan, UUID) else plan.id
        await self.replayer.start(found, by, "代码表补齐")
        return await self.replayer.run(found)

    async def replayed(self, direction: str = "in", **more: Any) -> Replay:
        """Planned and carried out."""
        return await self.run(await self.plan(direction, **more))

    async def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        async with self.hub.store.transaction() as transaction:
            return [tuple(row) for row in await transaction.connection.execute(text(statement), values)]

    async def verdicts(self) -> list[str]:
        """Of what came in, in the order of the journal."""
        return [row[0] for row in await self.rows("SELECT verdict FROM message WHERE direction = 'in' ORDER BY id")]

    async def lines(self, replay: Replay) -> list[tuple[str, str, str]]:
        """(state, was, outcome) of each item."""
        items = await self.replayer.replays.items(replay.id, limit=1000)
        return [(str(one.state), one.was, one.outcome) for one in items]

    @asynccontextmanager
    async def worker(self, **more: Any) -> AsyncIterator[None]:
        """A worker that delivers beside us; its end waits for what is on its way."""
        stop = asyncio.Event()
        working = asyncio.create_task(
            Worker(replace(self.hub, **more), frozenset({Role.DELIVER}), follow=False).run(stop)
        )
        try:
            yield
        finally:
            stop.set()
            await working


@asynccontextmanager
async def yard(url: str, connected: ConnectedSystem, *, data: Path = Path(".gridhub")) -> AsyncIterator[Yard]:
    """A process of the small city whose units are served by this platform."""
    whole = Configuration(replace(CITY, systems={NAME: connected.system.role}), {NAME: connected})
    made: list[Yard] = []

    def now() -> datetime:
        return NOW + (made[0].after if made else timedelta())

    hub = wire(Settings(Path("unused"), url, data=data), url, configuration=whole)
    reception = type(hub.reception)(whole, hub.store, now=now, ids=hub.ids)
    hub = replace(hub, now=now, reception=reception)
    made.append(Yard(hub, Replayer(hub)))
    await made[0].replayer.shelf.keep()
    try:
        yield made[0]
    finally:
        await hub.store.close()


async def reached(true: Any, *, seconds: float = 20.0) -> None:
    """Wait for something that happens by itself; `true` is asked again and again."""
    for _ in range(int(seconds / 0.05)):
        if await true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it did not happen: {await true()}")
