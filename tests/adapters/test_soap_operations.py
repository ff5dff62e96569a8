"""Several operations at one address, told apart by the element in the body, each answered by its own."""

from pathlib import Path

import pytest
from lxml import etree

import adapters
from adapters import System
from adapters.shape_xml import NAMESPACES
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import ID, NOW

V11 = NAMESPACES["1.1"]
SYSTEM = """\
title: 某平台
edition: "1"
roles: [source, owner]
connector: {protocol: http}
doors:
  service:
    shape: [soap: {element: [sendTask, sendProgress, ping], lists: [file]}]
    messages: [task, progress, alive]
    reply:
      format: soap
      namespace: urn:s
      prefix: soapenv
      rows:
        - verdict: [accepted]
          when: {request.sendTask: {present: "yes"}}
          element: sendTaskResponse
          body: {no: {from: case_no}}
        - {when: {request.sendProgress: {present: "yes"}}, element: sendProgressResponse, body: {code: 0}}
        - {when: "has(doc.request.ping)", element: pingResponse}
        - {status: 500, fault: Client, body: {from: text}}
"""
MESSAGES = {
    "task": """\
when: {sendTask: {present: "yes"}}
external_id: {from: sendTask.no}
report: {title: {from: sendTask.title}}""",
    "progress": """\
when: {sendProgress: {present: "yes"}}
external_id: {from: sendProgress.no}
action: {status: {from: sendProgress.state}, steps: {"40": {kinds: {owner: dispose}, result: 已办结}}}""",
    "alive": 'when: "has(doc.ping)"\nexternal_id: ping\nnoted: true',
}


def made(folder: Path, system: str = SYSTEM) -> System:
    files = {"system.yaml": system, "contract/any.schema.json": '{"type": "object"}'}
    head = "direction: in\ntitle: 报文\ncontract: any.schema.json\n"
    files |= {f"messages/{name}.yaml": head + text + "\n" for name, text in MESSAGES.items()}
    for name, text in files.items():
        (folder / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "s" / name).write_text(text, encoding="utf-8")
    return adapters.load(folder / "s", {})


def sent(inner: str) -> Message:
    body = f'<s:Envelope xmlns:s="{V11}"><s:Body>{inner}</s:Body></s:Envelope>'
    return Message(system="s", body=body.encode(), at=NOW, id=ID, door="service", content_type="text/xml")


def answered(system: System, message: Message, outcome: Outcome) -> etree._Element:
    reply = system.reply(message, outcome)
    assert not reply.trouble
    assert b"<soapenv:Envelope" in reply.body
    [child] = etree.fromstring(reply.body)[0]
    return child


TASK = '<sendTask xmlns="urn:s"><no>T1</no><title>路面</title></sendTask>'
PROGRESS = '<q:sendProgress xmlns:q="urn:s"><no>T1</no><state>40</state></q:sendProgress>'


@pytest.mark.parametrize(
    ("inner", "kind", "key"),
    [(TASK, "task", "T1"), (PROGRESS, "progress", "T1"), ('<ping xmlns="urn:s"/>', "alive", "ping")],
)
def test_each_operation_is_a_message_of_its_own(tmp_path: Path, inner: str, kind: str, key: str) -> None:
    [reading] = made(tmp_path).receive(sent(inner))

    assert isinstance(reading, Reading)
    assert (reading.kind, reading.external_id) == (kind, key)


@pytest.mark.parametrize(
    ("inner", "tag"),
    [(TASK, "sendTaskResponse"), (PROGRESS, "sendProgressResponse"), ('<ping xmlns="urn:s"/>', "pingResponse")],
)
def test_each_operation_is_answered_by_its_own_element(tmp_path: Path, inner: str, tag: str) -> None:
    assert answered(made(tmp_path), sent(inner), Outcome(Verdict.CASE, case_no="A1")).tag == f"{{urn:s}}{tag}"


def test_an_operation_that_is_none_of_them_is_refused_with_their_names(tmp_path: Path) -> None:
    system = made(tmp_path)
    [refused] = system.receive(sent('<drop xmlns="urn:s"/>'))

    assert isinstance(refused, Unacceptable)
    assert (refused.why, str(refused)) == (
        Why.UNKNOWN_MESSAGE, "the operation sendTask or sendProgress or ping is expected",
    )  # fmt: skip
    fault = answered(system, sent("<drop/>"), Outcome(Verdict.REFUSED, why=refused.why, text=str(refused)))
    assert (fault.tag, fault[0].text) == (f"{{{V11}}}Fault", "soapenv:Client")


def test_a_row_without_an_element_needs_the_replys_own(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="needs element and namespace"):
        made(tmp_path, SYSTEM.replace(", element: pingResponse", ""))
