"""An industry platform that is a centre of its own: it files, dispatches and closes, and tells the hub where it stands.

Its folder is written here, as an integrator would. The platform itself is a real server: it keeps its cases, pushes the
whole record of one after each change, and is told when the hub takes a case over or hands it back.
"""

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gateway.configuration import Configuration, load
from gateway.settings import example_city
from routing.fusion import COLUMNS
from tests.gateway.running import ENVIRONMENT, SECRET, HubUnderTest

LITTER, BILL = "30428.2:E01-10", "30428.2:E04-06"
"""暴露生活垃圾 and another class that it handles."""
NAME = "command"
FILES = {
    "system.yaml": """\
title: 示例城管指挥平台
edition: "1"
roles: [source, owner]
secrets: {token: {title: 口令}}
connector: {protocol: http}
doors:
  records:
    shape: [json]
    authenticate: {header: token, secret: token}
    messages: [record]
    reply:
      format: json
      rows: [{verdict: accepted, body: {code: 0}}, {body: {code: 1, msg: {from: text}}}]
answers:
  plain: {shape: [text], rows: [{http: "200", then: accepted}, {http: "5xx", then: unavailable}]}
tells:
  owner: {dispatch: told, redispatch: told}
  both: {dispatch: told, redispatch: told}
  lead_system: {take_over: told, hand_back: told}
""",
    "messages/record.yaml": """\
direction: in
title: 案件
contract: record.json
external_id: {from: id}
reference: {from: no}
report:
  description: {from: text}
  class: {from: kind, codes: classes}
  given_area: {from: area}
action:
  status: {from: state}
  result: {from: words, default: 已办}
  reason: {from: words, default: 平台未写明}
  steps:
    new: {}
    filed: {kinds: {lead_system: file}}
    refused: {kinds: {lead_system: refuse}}
    given:
      kinds: {lead_system: dispatch}
      unit: {from: unit}
      deadline: {at: {from: till, time: "yyyy-MM-dd HH:mm"}}
    working: {kinds: {lead_system: sign, owner: sign}}
    back: {kinds: {lead_system: return, owner: return}}
    closed: {kinds: {lead_system: close, owner: dispose}, unit: {from: unit}}
""",
    "messages/told.yaml": """\
direction: out
title: 告知
repeat: safe
path: /told
headers: {token: {secret: token}}
answer: plain
body: {id: {from: binding.external_id, default: ""}, no: {from: case.reference}, what: {from: action.kind}}
""",
    "codes/classes.csv": f"local,canonical,title\nlitter,{LITTER},暴露垃圾\nbill,{BILL},占道\n",
    "contract/record.json": json.dumps({
        "type": "object", "required": ["id", "kind", "state"],
        "properties": {name: {} for name in ("id", "kind", "state", "text", "area", "unit", "till", "words", "no")},
    }),
}  # fmt: skip


def city(folder: Path, *rows: str, url: str = "http://127.0.0.1:9") -> Path:
    """The example city with this platform, led by these rows of fusion.csv. Written again, it is another edition."""
    if not folder.exists():
        shutil.copytree(example_city(), folder)
        for name, text in FILES.items():
            path = folder / NAME / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        units = (folder / "units.csv").read_text(encoding="utf-8")
        old = "芜湖市城市管理局,city,3402,3402-command,urban_management"
        assert units.count(old) == 1
        (folder / "units.csv").write_text(units.replace(old, old.replace("urban_management", NAME)), encoding="utf-8")
        with (folder / "systems.yaml").open("a", encoding="utf-8") as file:
            file.write(f"\n{NAME}: {{adapter: {NAME}, url: '{url}', secrets: {{token: {SECRET}}}}}\n")
    (folder / "fusion.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return folder


def loaded(folder: Path) -> Configuration:
    """The configuration of such a city."""
    return load(folder, ENVIRONMENT)


LED = f"F1,*,{NAME},3402-urban,2026-01-01T00:00,试运行"
OURS = f"F2,{LITTER},hub,,2026-02-01T00:00,比对一致"
BACK = f"F3,{LITTER},{NAME},3402-urban,2026-03-01T00:00,暂停试点"


@dataclass
class Platform:
    """Its own books: what it knows of each case, and what it was told."""

    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def told_of(self, what: str) -> list[str]:
        """Ids of the cases about which it was told so, in order."""
        return [one["id"] for one in self.told if one["what"] == what]

    def say(self, hub: HubUnderTest, id_: str, state: str, **more: Any) -> str:
        """A case is at another state: its whole record goes to the hub. The answer; empty where it was taken."""
        record = {"id": id_, "kind": "litter", "area": "340202", "text": "垃圾"} | self.cases.get(id_, {}) | more
        self.cases[id_] = record | {"state": state}
        answer = hub.client.post(f"/in/{NAME}", json=self.cases[id_], headers={"token": SECRET})
        assert answer.status_code == 200, answer.text
        return str(answer.json().get("msg", ""))

    def all_say(self, hub: HubUnderTest, ids: Sequence[str], state: str, **more: Any) -> None:
        """So is each of these."""
        assert [self.say(hub, one, state, **more) for one in ids] == [""] * len(ids)


@contextmanager
def platform() -> Iterator[Platform]:
    """The platform, up on a socket."""
    one = Platform()

    class Told(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers["token"] != SECRET:
                self.send_error(401)
                return
            one.told.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name of the overridden method
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    one.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
