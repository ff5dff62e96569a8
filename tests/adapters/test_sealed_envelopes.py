"""Envelopes with a head and a body that is JSON in a text, the signature in the head: as many platforms have it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import adapters
from adapters import System
from canonical.errors import Misconfigured
from canonical.message import Message, Verdict
from canonical.reading import Outcome
from tests.adapters.systems import ID, NOW

SIGN = "{of: [{from: body.head.nonce}, {from: body.body}, {secret: key}], join: '', digest: md5, output: HEX}"
SYSTEM = f"""\
title: 水务平台
edition: "1"
roles: [source]
secrets: {{key: {{title: 密钥}}}}
connector: {{protocol: http}}
doors:
  push:
    shape: [json]
    messages: [m]
    reply:
      format: json
      seal: {{head.sign: {SIGN}}}
      rows:
        - body:
            head: {{nonce: n1}}
            body: {{object: {{no: {{from: case_no}}, z: 1, a: 井盖}}, encode: json}}
answers: {{any: {{shape: [json], rows: [{{http: 2xx, then: accepted}}]}}}}
"""
ASK = f"""\
direction: ask
title: 问
path: /x
answer: any
body:
  head: {{nonce: n1}}
  body: {{object: {{z: 1, a: 井盖, none: []}}, encode: json}}
seal: {{head.sign: {SIGN}, 'head.mark.who': us, flat: 1}}
"""
IN = "direction: in\ntitle: 上报\ncontract: any.schema.json\nexternal_id: {from: id}\nnoted: true\n"
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(ask: str = ASK) -> System:
        for name, text in {
            "system.yaml": SYSTEM, "messages/ask.yaml": ask, "messages/m.yaml": IN, "contract/any.schema.json": "{}",
        }.items():  # fmt: skip
            (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "s" / name).write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "s", {"key": "k"})

    return loaded


def signed(body: str) -> str:
    return hashlib.md5(f"n1{body}k".encode(), usedforsecurity=False).hexdigest().upper()


def test_a_body_travels_as_json_text_and_its_signature_stands_in_the_head(make: Make) -> None:
    sent = json.loads(make().say("ask", now=NOW, id=ID).body)

    assert sent["body"] == '{"z":1,"a":"井盖","none":[]}'
    assert sent["head"] == {"nonce": "n1", "sign": signed(sent["body"]), "mark": {"who": "us"}}
    assert sent["flat"] == 1
    assert "head.sign" not in sent


def test_a_reply_is_sealed_the_same_way(make: Make) -> None:
    message = Message(system="s", body=b'{"id": "1"}', at=NOW, id=ID, door="push", content_type="application/json")

    told = json.loads(make().reply(message, Outcome(Verdict.CASE, case_no="A1")).body)

    assert json.loads(told["body"]) == {"no": "A1", "z": 1, "a": "井盖"}
    assert told["head"] == {"nonce": "n1", "sign": signed(told["body"])}


def test_a_seal_for_an_object_that_is_not_there_is_found(make: Make) -> None:
    with pytest.raises(Misconfigured, match=r"ask\.yaml:8: error: .*no object 'haed'.*did you mean 'head'"):
        make(ASK.replace("head.sign", "haed.sign"))
