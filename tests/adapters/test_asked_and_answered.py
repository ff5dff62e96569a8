"""What judges an answer sees what was asked; and a refusal keeps the other side's own code."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

import adapters
from adapters import System
from canonical.errors import InDoubt, Misconfigured, Refused
from canonical.message import Message
from gateway.stub import Stub
from tests.adapters.systems import ID, NOW

SYSTEM = """\
title: 样板平台
edition: "1"
roles: [source, owner]
connector: {{protocol: http}}
answers:
  any:
    shape: [json]
    rows:
      - {{when: "text(doc.seq) != text(doc['$asked'].body.head.seq)", then: in_doubt, text: 不是这一次的回执}}
      - {{when: {{$asked.query.dry: "1"}}, then: absent}}
      - {{when: {{ret: "0"}}, then: accepted, external_id: {{from: [id, $asked.headers.x-request-id]}}}}
      - {{http: 4xx, then: refused, code: {{from: err}}, text: {{from: msg}}}}
pulls:
  p:
    every: 60
    ask: ask
    items: {items}
    messages: [m]
"""
ASK = """\
direction: ask
title: 问
path: {path}
headers: {{X-Request-Id: {{from: id}}}}
body: {{head: {{seq: 7001}}, kind: tree}}
answer: any
"""
IN = "direction: in\ntitle: 上报\ncontract: any.schema.json\nexternal_id: {from: id}\nnoted: true\n"
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(path: str = "/cases", items: str = "rows", inbound: str = IN, system: str = SYSTEM) -> System:
        files = {
            "system.yaml": system.format(items=items), "messages/ask.yaml": ASK.format(path=path),
            "messages/m.yaml": inbound, "contract/any.schema.json": "{}",
        }  # fmt: skip
        for name, text in files.items():
            file = tmp_path / "sample" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "sample", {})

    return loaded


def answered(system: System, body: object, status: int = 200) -> Message:
    asked = system.say("ask", now=NOW, id=ID, session="s")
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    answer = Message(system="s", body=raw, at=NOW, id=uuid4(), content_type="application/json", status=status)
    return replace(answer, asked=asked)


@pytest.mark.parametrize("echoed", [7001, "7001"])
def test_an_echoed_number_must_be_the_one_that_was_sent(make: Make, echoed: object) -> None:
    system = make()

    assert system.judge("ask", answered(system, {"ret": "0", "seq": echoed, "id": "A1"})).external_id == "A1"
    with pytest.raises(InDoubt, match="不是这一次的回执"):
        system.judge("ask", answered(system, {"ret": "0", "seq": 7002, "id": "A1"}))


def test_rules_of_an_answer_may_use_query_and_headers_of_what_was_asked(make: Make) -> None:
    system = make()
    assert system.judge("ask", answered(system, {"ret": "0", "seq": 7001})).external_id == str(ID)

    dry = make(path="/cases?dry=1")
    assert dry.judge("ask", answered(dry, {"ret": "0", "seq": 7001})).absent


def test_items_of_a_pull_may_take_over_what_was_asked_for(make: Make) -> None:
    system = make(items="{object: {id: {from: $asked.body.kind}, state: {from: state}}}")

    page = system.page("p", answered(system, {"ret": "0", "seq": 7001, "state": "40"}), now=NOW, ids=uuid4)

    assert page.rows == ({"id": "tree", "state": "40"},)


def test_a_refusal_shows_the_code_of_the_other_side_whole_and_its_text_without_long_numbers(make: Make) -> None:
    system = make()
    said = {"seq": 7001, "ret": "1", "err": 100000012, "msg": "重复工单 13800000000"}

    with pytest.raises(Refused) as caught:
        system.judge("ask", answered(system, said, 409))

    assert str(caught.value) == "100000012 重复工单 ***"


@pytest.mark.parametrize(
    ("body", "shown"),
    [({"err": "E7", "msg": "重复"}, "E7 重复"), ("<html>13800000000</html>", "s answered HTTP 404")],
    ids=["document", "page"],
)
def test_a_refusal_known_by_its_status_alone_says_what_can_be_read(make: Make, body: object, shown: str) -> None:
    alone = "".join(line for line in SYSTEM.splitlines(keepends=True) if "- {{when" not in line)
    system = make(system=alone)

    with pytest.raises(Refused, match=f"^{shown}$"):
        system.judge("ask", answered(system, body, 404))


@pytest.mark.parametrize(
    "rule", ["{from: $asked.body.id}", "{expr: \"doc['$asked'].body.id\"}", "{text: '{$asked.body.id}'}"]
)
def test_what_was_asked_is_no_part_of_what_the_other_side_sends_by_itself(make: Make, rule: str) -> None:
    with pytest.raises(Misconfigured, match=r"m\.yaml:4: error: external_id.*only where an answer is judged"):
        make(inbound=IN.replace("{from: id}", rule))


def test_a_misspelt_part_of_what_was_asked_is_found(make: Make) -> None:
    with pytest.raises(Misconfigured, match=r"'querry'.*query"):
        make(system=SYSTEM.replace("$asked.query", "$asked.querry"))


def test_the_other_side_we_play_answers_with_the_number_it_was_asked_with(make: Make, tmp_path: Path) -> None:
    system = make()
    stub = Stub(tmp_path / "sample", system)
    asked = system.say("ask", now=NOW, id=ID, session="s")

    answer, heard = stub.hear("POST", "/cases", dict(asked.headers), asked.body)

    assert (stub.troubles(), heard.trouble) == ([], "")
    assert json.loads(answer.body)["seq"] == 7001


def test_a_procedure_is_called_on_tables_only(make: Make, tmp_path: Path) -> None:
    make()
    message = tmp_path / "sample/messages/ask.yaml"
    message.write_text(message.read_text(encoding="utf-8") + "method: CALL\n", encoding="utf-8")

    with pytest.raises(Misconfigured, match=r"ask\.yaml:7: error: method: CALL is for connector"):
        adapters.load(tmp_path / "sample", {})
