"""A platform nobody here has met, as a folder: it is signed in to, asked page by page, and handed cases."""

import json
from pathlib import Path

SYSTEM = """\
title: 示例园林平台
edition: "1"
roles: [source, owner]
secrets: {account: {title: 账号}, password: {title: 口令}}
connector: {protocol: http, timeout: 5}
common: {headers: {x-token: {from: session}}}
sign_in: {message: login, token: data.token, expires_in: data.expires}
pulls:
  orders: {every: 60, page_size: 20, ask: list_orders, items: data.rows, total: data.total, messages: [done, order]}
answers:
  envelope:
    shape: [json]
    rows:
      - {http: 5xx, then: unavailable}
      - {when: {ret: "401"}, then: unauthenticated}
      - {when: {ret: "0"}, then: accepted, external_id: {from: data.workNo}}
      - {when: {ret: {present: "yes"}}, then: refused, text: {from: msg}}
tells: {owner: {dispatch: hand_over, redispatch: hand_over}}
unsupported:
  owner: {rework: 请电话通知, cancel: 请电话通知, merge: 请电话通知}
"""
_ORDER = {"no": "YL20260520001", "kind": "T1", "text": "示例路12号行道树倒伏，影响通行", "at": "2026-05-20 08:30:00",
          "where": "示例路12号", "state": "new"}  # fmt: skip
_DONE = {"no": "W-7001", "kind": "T1", "text": "已扶正并加固", "at": "2026-05-20 10:30:00", "where": "示例路12号",
         "state": "done"}  # fmt: skip
_GIVEN = {
    "case": {
        "description": "示例路12号行道树倒伏", "place": {"address": "示例路12号", "lon": 118.37, "lat": 31.33},
        "class_code": {"edition": "GB/T 30428.2-2013", "kind": "event", "major": "01", "minor": "10"},
    },
    "action": {"kind": "dispatch", "at": "2026-05-20T10:00:00+08:00", "actor": {"party": "centre", "id": "desk"}},
}  # fmt: skip
_CONTRACT = {
    "type": "object", "required": ["no", "kind", "text", "state"],
    "properties": {name: {"type": "string", "minLength": 1} for name in _ORDER},
}  # fmt: skip
_READ = {"system": "s", "kind": "order", "edition": "1", "external_id": "YL20260520001", "report": {
    "description": "示例路12号行道树倒伏，影响通行", "given_class": "T1",
    "class_code": {"edition": "GB/T 30428.2-2013", "kind": "event", "major": "01", "minor": "10"},
    "address": "示例路12号", "reported_at": "2026-05-20T08:30:00+08:00",
}}  # fmt: skip
_WORKED = {"system": "s", "kind": "done", "edition": "1", "external_id": "W-7001", "action": {
    "kinds": {"owner": "dispose"}, "given": "done", "result": "已扶正并加固",
}}  # fmt: skip
FILES: dict[str, str] = {
    "system.yaml": SYSTEM,
    "codes/kinds.csv": "local,canonical,title\nT1,30428.2:E01-10,行道树倒伏\n",
    "messages/order.yaml": (
        "direction: in\ntitle: 工单\nwhen: {state: new}\ncontract: order.json\nexternal_id: {from: no}\n"
        "report:\n  description: {from: text}\n  class: {from: kind, codes: kinds}\n  given_class: {from: kind}\n"
        "  address: {from: where}\n  reported_at: {from: at, time: yyyy-MM-dd HH:mm:ss}\n"
    ),
    "messages/done.yaml": (
        "direction: in\ntitle: 办结\nwhen: {state: done}\ncontract: order.json\nexternal_id: {from: no}\n"
        "action:\n  status: {from: state}\n  result: {from: text}\n  steps: {done: {kinds: {owner: dispose}}}\n"
    ),
    "messages/login.yaml": (
        "direction: ask\ntitle: 登录\npath: /login\nheaders: {x-token: \"\"}\nanswer: envelope\n"
        "body: {user: {secret: account}, password: {secret: password}}\n"
    ),
    "messages/list_orders.yaml": (
        "direction: ask\ntitle: 列表\nmethod: GET\npath: /orders\n"
        "query: {page: {from: pull.page}, size: {from: pull.page_size}}\nanswer: envelope\n"
    ),
    "messages/hand_over.yaml": (
        "direction: out\ntitle: 派单\nrepeat: safe\npath: /orders\nanswer: envelope\ncontract: hand_over.json\n"
        "body: {ourNo: {from: case.reference}, content: {from: case.description}}\n"
    ),
    "contract/order.json": json.dumps(_CONTRACT),
    "contract/hand_over.json": '{"type": "object", "required": ["ourNo", "content"]}',
    "samples/orders.new.in.json": json.dumps(_ORDER, ensure_ascii=False),
    "samples/orders.new.reading.json": json.dumps([_READ], ensure_ascii=False),
    "samples/orders.done.in.json": json.dumps(_DONE, ensure_ascii=False),
    "samples/orders.done.reading.json": json.dumps([_WORKED], ensure_ascii=False),
    "samples/hand-over.out.json": json.dumps(
        {"message": "hand_over", "given": _GIVEN, "path": "/orders",
         "body": {"ourNo": "34022026052000001-1", "content": "示例路12号行道树倒伏"}}, ensure_ascii=False,
    ),
    "samples/login.answer.json": '{"ret": "0", "msg": "", "data": {"token": "T-1", "expires": 7200}}',
    "samples/hand_over.answer.json": '{"ret": "0", "msg": "", "data": {"workNo": "W-7001"}}',
}  # fmt: skip


def parks(place: Path, **changes: str) -> Path:
    """The folder, with files laid over it by name; an empty text leaves one out."""
    folder = place / "parks"
    for name, text in (FILES | changes).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text:
            path.write_text(text, encoding="utf-8")
    return folder
