"""A market supervision office as text, reached through whatever a test declares, and the city it is connected to."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import adapters
from gateway.configuration import Configuration, ConnectedSystem
from gateway.settings import example_city

NAME = "market"
_SYSTEM = """\
title: 市场监管投诉平台 (测试)
edition: "1"
roles: [source]
secrets: {name: {title: 用户名, optional: true}, word: {title: 口令, optional: true}}
connector: {protocol: %(protocol)s, timeout: 5}
files: {fetch: photo}
receivers:
  complaints:
    every: 0.2
    batch: %(batch)s
    timeout: 5
    %(source)s
    %(items)s
    account: {username: name, password: word}
    messages: [complaint]
answers:
  plain:
    shape: [text]
    rows:
      - {http: "200", then: accepted}
      - {http: "4xx", then: refused}
      - {http: "5xx", then: unavailable}
tells:
  source: {refuse: refusal}
"""
_MESSAGES = {
    "complaint": """\
direction: in
title: 投诉
contract: complaint.schema.json
external_id: {from: id}
report:
  title: {from: title}
  class: {from: kind, codes: kinds}
  attachments: {from: photos, url: {from: url}, name: {from: name}}
""",
    "refusal": """\
direction: out
title: 不予立案
repeat: safe
method: PUT
path: desk.complaint
format: json
answer: plain
headers: {key: id}
body:
  id: {from: binding.external_id, as: int}
  reply: {from: action.reason}
  replied_at: {from: action.at, time: "yyyy-MM-dd HH:mm:ss"}
""",
    "photo": """\
direction: ask
title: 取照片
repeat: safe
method: GET
path: {text: "/photo/{file.id}"}
answer: plain
""",
}
_CONTRACT = {
    "type": "object",
    "required": ["id", "title", "kind"],
    "properties": {
        "id": {"type": ["string", "integer"], "maxLength": 40},
        "title": {"type": "string", "minLength": 1, "maxLength": 40},
        "kind": {"type": "string", "maxLength": 20},
        "reply": {"type": ["string", "null"], "maxLength": 200},
        "photos": {"type": ["array", "null"], "items": {"type": "object", "properties": {"url": {}, "name": {}}}},
    },
}
KINDS = "local,canonical,title\n行道树,30428.2:P04-02,行道树\n"
MORE_KINDS = KINDS + "古树,30428.2:P04-01,古树名木\n"

TABLE = (
    "table: {name: desk.complaint, key: [id], columns: [id, title, kind], mode: flag, flag: state, new: ['0'], "
    "claimed: '1', taken: '2', failed: '9', note: note, sequence: id}"
)
FILES = "files: {match: ['*.csv'], quiet: 0, max_bytes: 2000}\n    shape: [csv]"


def folder(
    root: Path, source: str, *, items: str = "", batch: int = 20, protocol: str = "table", kinds: str = KINDS
) -> Path:  # fmt: skip
    """The declaration, written below `root` under the office's name."""
    files = {f"messages/{name}.yaml": text for name, text in _MESSAGES.items()} | {
        "system.yaml": _SYSTEM % {"source": source, "items": items, "batch": batch, "protocol": protocol},
        "contract/complaint.schema.json": json.dumps(_CONTRACT),
        "codes/kinds.csv": kinds,
    }
    for name, text in files.items():
        path = root / NAME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root / NAME


def joined(
    city: Configuration, declared: Path, *, url: str = "", receiver_url: str = "", name: str = NAME,
    secrets: Mapping[str, str] | None = None,
) -> Configuration:  # fmt: skip
    """The city with the office connected; `receiver_url`: where its complaints come from."""
    assert list(map(str, adapters.check(declared, samples=False))) == []
    system = adapters.load(declared, secrets or {"name": "u", "word": "w"}, name=name)
    connected = ConnectedSystem(
        system=system,
        url=url,
        every=None,
        concurrency=2,
        paused=False,
        urls={"complaints": receiver_url} if receiver_url else {},
    )
    roles = dict(city.city.systems) | {name: system.role}
    return replace(city, systems=dict(city.systems) | {name: connected}, city=replace(city.city, systems=roles))


def city_folder(root: Path, source: str, *, batch: int = 20, protocol: str = "table") -> Path:
    """The same as a configuration folder, for a process of its own; MARKET_URL is where complaints come from."""
    config = root / "city"
    shutil.copytree(example_city(), config)
    folder(config, source, batch=batch, protocol=protocol)
    with (config / "systems.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{NAME}:\n  adapter: {NAME}\n  secrets: {{name: u, word: w}}\n")
        file.write("  urls: {complaints: '${MARKET_URL}'}\n")
    return config
