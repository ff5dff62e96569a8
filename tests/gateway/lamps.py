"""A lighting office on a platform of its own, invented: it signs, answers, asks for time, returns with a basis."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from canonical.time import SHANGHAI
from gateway.configuration import Configuration, load
from gateway.settings import example_city
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import ENVIRONMENT, SECRET, HubUnderTest

FILES = {
    "system.yaml": """\
title: 示例路灯平台
edition: "1"
roles: [owner]
secrets: {token: {title: 口令}}
connector: {protocol: http}
doors:
  said:
    shape: [json]
    authenticate: {header: token, secret: token}
    messages: [said]
    reply: {format: json, rows: [{verdict: accepted, body: {code: 0}}, {body: {code: 1, msg: {from: text}}}]}
answers:
  plain: {shape: [text], rows: [{http: "200", then: accepted}, {http: "5xx", then: unavailable}]}
tells: {owner: {dispatch: work, redispatch: work, suspend: decided}}
unsupported: {owner: {rework: 请电话通知, cancel: 请电话通知, merge: 请电话通知}}
""",
    "messages/said.yaml": """\
direction: in
title: 状态
contract: said.json
external_id: {from: id}
reference: {from: no}
action:
  status: {from: state}
  reason: {from: why}
  steps:
    wait: {kinds: {owner: ask_suspension}, until: {from: till, time: yyyy-MM-dd, day: end}}
    wait_long:
      kinds: {owner: ask_suspension}
      limit: {value: {from: days}, unit: {from: of, codes: {天: calendar_day, 工作日: work_day}}}
    later: {kinds: {owner: ask_extension}, until: {from: till, time: "yyyy-MM-dd HH:mm"}}
    got: {kinds: {owner: sign}}
    ready:
      kinds: {owner: dispose}
      result: {from: why}
      stated_at: {from: at, time: "yyyy-MM-dd HH:mm:ss"}
    back: {kinds: {owner: return}, basis: {from: ground, codes: {"1": duty, "2": area}}}
""",
    "messages/work.yaml": """\
direction: out
title: 派单
repeat: safe
path: /work
answer: plain
body: {no: {from: case.reference}}
""",
    "messages/decided.yaml": """\
direction: out
title: 准予挂账
repeat: safe
path: /decided
answer: plain
body: {no: {from: case.reference}, till: {from: action.until_at, time: yyyy-MM-dd}}
""",
    "contract/said.json": '{"type": "object", "required": ["id", "no", "state"]}',
    "samples/said.back.in.json": json.dumps({"id": "L-1", "no": "1-1", "state": "back", "why": "x", "ground": "1"}),
    "samples/said.back.reading.json": json.dumps([{
        "system": "s", "kind": "said", "edition": "1", "external_id": "L-1", "reference": "1-1",
        "action": {"kinds": {"owner": "return"}, "given": "back", "reason": "x", "basis": "duty"},
    }]),
}  # fmt: skip
BASES = "returns:\n  bases: {duty: 不属本单位职责, area: 不在本辖区}\n"


@pytest.fixture
def with_lamps(tmp_path: Path) -> Configuration:
    """The example city, whose lighting office works on a platform of its own; returns need a basis there."""
    folder = tmp_path / "city"
    shutil.copytree(example_city(), folder)
    for name, text in FILES.items():
        path = folder / "lamps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _changed(
        folder / "units.csv",
        "路灯管理处,city,3402,3402-command,urban_management",
        "路灯管理处,city,3402,3402-command,lamps",
    )
    _changed(folder / "rules.yaml", "returns:\n", BASES)
    with (folder / "systems.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nlamps: {{adapter: lamps, url: 'http://127.0.0.1:9', secrets: {{token: {SECRET}}}}}\n")
    return load(folder, ENVIRONMENT)


def _changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def given(start_hub: Callable[..., HubUnderTest], city: Configuration) -> tuple[HubUnderTest, dict[str, Any]]:
    """A hub, and a case that the lighting office has."""
    hub = start_hub(loaded=city)
    assert hotline(ticket()).to(hub).json()["custom"]["code"] == "1"
    case = hub.case("t-1")
    assert [one["system"] for one in case["assignments"]] == ["lamps"]
    return hub, case


def says(hub: HubUnderTest, case: dict[str, Any], state: str, **more: Any) -> str:
    """What the platform is answered: nothing where its word was taken."""
    body = {"id": "L-1", "no": f"{case['no']}-1", "state": state, "why": "等灯具到货", **more}
    answer = hub.client.post("/in/lamps", json=body, headers={"token": SECRET})
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return str(said.get("msg", ""))


def actions(hub: HubUnderTest, case: dict[str, Any]) -> list[dict[str, Any]]:
    return [event["action"] for event in hub.case(case["no"])["events"]]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(SHANGHAI)
