"""Envelopes as other toolkits write them: either version, values that are pointed to, files beside the envelope."""

from pathlib import Path

import pytest
from lxml import etree

import adapters
from adapters import System
from adapters.multiref import MOST
from adapters.shape_xml import NAMESPACES, read_soap
from canonical.errors import Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import ID, NOW

V11, V12 = NAMESPACES["1.1"], NAMESPACES["1.2"]
SYSTEM = """\
title: 某平台
edition: "1"
roles: [source]
connector: {protocol: http}
doors:
  push:
    shape: [soap: {element: submit, lists: [file]}]
    messages: [case]
    reply:
      format: soap
      namespace: urn:s
      element: submitResponse
      rows:
        - {verdict: [accepted, duplicate, split], body: {code: 0, no: {from: case_no}}}
        - {why: [unreadable], status: 500, fault: Client, body: {from: text}}
        - body: {code: 9}
"""
CASE = """\
direction: in
title: 案件
contract: case.schema.json
external_id: {from: no}
report:
  description: {from: text}
  attachments: {from: file, name: {from: name}, content: {from: content, parse: [base64]}}
"""


@pytest.fixture
def system(tmp_path: Path) -> System:
    for name, text in {
        "system.yaml": SYSTEM, "messages/case.yaml": CASE, "contract/case.schema.json": '{"type": "object"}',
    }.items():  # fmt: skip
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).write_text(text, encoding="utf-8")
    return adapters.load(tmp_path / "s", {})


def enveloped(inner: str, soap: str = V11) -> str:
    return f'<s:Envelope xmlns:s="{soap}"><s:Header/><s:Body>{inner}</s:Body></s:Envelope>'


def came(body: str | bytes, content_type: str = "text/xml; charset=utf-8") -> Message:
    body = body.encode() if isinstance(body, str) else body
    return Message(system="s", body=body, at=NOW, id=ID, door="push", content_type=content_type)


SUBMIT = '<a:submit xmlns:a="urn:s"><no>7</no><text>路灯</text></a:submit>'


@pytest.mark.parametrize(
    ("soap", "sent", "media"),
    [
        (V11, "text/xml; charset=utf-8", "text/xml"),
        (V12, "application/soap+xml; charset=utf-8", "application/soap+xml"),
        (V12, "text/xml", "application/soap+xml"),
    ],
)
def test_a_door_reads_either_version_and_answers_in_the_same(system: System, soap: str, sent: str, media: str) -> None:
    message = came(enveloped(SUBMIT, soap), sent)

    [reading] = system.read(message)
    assert isinstance(reading, Reading)
    reply = system.reply(message, Outcome(Verdict.CASE, case_no="26-1"), [])

    assert reading.external_id == "7"
    assert reply.content_type == f"{media}; charset=utf-8"
    root = etree.fromstring(reply.body)
    assert root.tag == f"{{{soap}}}Envelope"
    assert root.findtext(".//{urn:s}no") == "26-1"


@pytest.mark.parametrize(
    ("soap", "code", "words"),
    [(V11, "faultcode", "faultstring"), (V12, f"{{{V12}}}Code/{{{V12}}}Value", f"{{{V12}}}Reason/{{{V12}}}Text")],
)
def test_a_fault_is_one_of_the_version_it_was_asked_in(system: System, soap: str, code: str, words: str) -> None:
    message = came(enveloped(SUBMIT + SUBMIT, soap))

    reply = system.reply(message, Outcome(Verdict.REFUSED, why=Why.UNREADABLE, text="why"), [])

    fault = etree.fromstring(reply.body).find(f"{{{soap}}}Body/{{{soap}}}Fault")
    assert fault is not None
    assert (fault.findtext(code), fault.findtext(words)) == (
        {V11: "soap:Client", V12: "soap:Sender"}[soap], "why",
    )  # fmt: skip


def test_a_second_operation_is_refused_and_never_dropped() -> None:
    with pytest.raises(Unacceptable, match="a second operation"):
        read_soap(enveloped(SUBMIT + SUBMIT), "submit")


AXIS = (
    '<n:addResponse xmlns:n="urn:ws"><addReturn href="#id0"/></n:addResponse>'
    '<multiRef id="id0" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" e:root="0"><flag href="#id1"/>'
    '<no>XF1</no><link href="#top"><t>x</t></link></multiRef><multiRef id="id1">true</multiRef>'
)


def test_values_that_stand_beside_the_operation_are_read_in_their_place() -> None:
    read = read_soap(enveloped(AXIS), "addResponse")

    assert read == {"addReturn": {"flag": "true", "no": "XF1", "link": {"@href": "#top", "t": "x"}}}


def test_a_link_without_anything_beside_stays_a_link() -> None:
    assert read_soap(enveloped('<r><a href="#x"/></r>'), "r") == {"a": {"@href": "#x"}}


def _doubled(levels: int) -> str:
    refs = "".join(f'<m id="i{n}"><a href="#i{n + 1}"/><a href="#i{n + 1}"/></m>' for n in range(levels))
    return f'<r><x href="#i0"/></r>{refs}<m id="i{levels}">lol</m>'


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ('<r><x href="#i9"/></r><m id="i0">1</m>', "points to nothing"),
        ('<r><x href="#i0"/></r><m id="i0"><y href="#i0"/></m>', f"more than {MOST} elements"),
        (_doubled(30), f"more than {MOST} elements"),
    ],
    ids=["nothing", "circle", "doubled"],
)
def test_values_that_cannot_be_put_in_their_place_are_refused(inner: str, words: str) -> None:
    with pytest.raises(Unacceptable, match=words):
        read_soap(enveloped(inner), "r")


MTOM = 'multipart/related; type="application/xop+xml"; boundary=b; start="<root@x>"; start-info="text/xml"'
PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff\r\r\n"


def related(href: str, *, end: bytes = b"--b--\r\n", soap: str = V11) -> bytes:
    include = f'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="{href}"/>'
    submit = (
        f'<a:submit xmlns:a="urn:s"><no>7</no><file><name>a.png</name><content>{include}</content></file></a:submit>'
    )
    root = enveloped(submit, soap).encode()
    return (
        b"--b\r\nContent-Type: image/png\r\nContent-ID: <p 1@x>\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + PICTURE
        + b"\r\n--b\r\nContent-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <root@x>\r\n\r\n"
        + root
        + b"\r\n"
        + end
    )


@pytest.mark.parametrize("soap", [V11, V12])
def test_a_file_beside_the_envelope_is_read_as_if_it_stood_in_it(system: System, soap: str) -> None:
    message = came(related("cid:p%201@x", soap=soap), MTOM)

    [reading] = system.read(message)

    assert isinstance(reading, Reading)
    assert reading.report is not None
    assert [(one.name, one.content) for one in reading.report.attachments] == [("a.png", PICTURE)]
    assert etree.fromstring(system.reply(message, Outcome(Verdict.CASE), []).body).tag == f"{{{soap}}}Envelope"


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (related("cid:other@x"), MTOM, "a part that did not come"),
        (related("cid:p%201@x", end=b""), MTOM, "its end"),
        (b"--c\r\n\r\n", MTOM, "multipart/related"),
        (related("cid:p%201@x"), "multipart/related", "multipart/related"),
        (b"", MTOM, "multipart/related"),
    ],
    ids=["missing part", "cut", "other boundary", "no boundary", "empty"],
)
def test_an_envelope_without_its_files_is_refused(system: System, body: bytes, content_type: str, words: str) -> None:
    [refused] = system.read(came(body, content_type))

    assert isinstance(refused, Unacceptable)
    assert refused.why is Why.UNREADABLE
    assert words in str(refused)
