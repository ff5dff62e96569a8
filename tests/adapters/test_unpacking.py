"""Messages inside messages, and lists that no path reaches: unpacked in place, taken apart by a rule, or summed up."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters import System
from adapters.signing import ALGORITHMS
from canonical.errors import Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import ID, NOW

SYSTEM = """\
title: 样板平台
edition: "1"
roles: [source]
crs: EPSG:4490
connector: {protocol: http}
doors:
  d:
    shape: SHAPE
    items: ITEMS
    messages: [m]
    reply: {format: json, rows: [REPLY]}
"""
MESSAGE = "direction: in\ntitle: 上报\ncontract: any.schema.json\nexternal_id: {from: [id, $row]}\n"


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def loaded(shape: str, message: str, *, items: str = "null", reply: str = "{body: ok}") -> System:
        system = SYSTEM.replace("SHAPE", shape).replace("ITEMS", items).replace("REPLY", reply)
        texts = {"system.yaml": system, "messages/m.yaml": MESSAGE + message, "contract/any.schema.json": "{}"}
        for name, text in texts.items():
            (tmp_path / "sample" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sample" / name).write_text(text, encoding="utf-8")
        assert adapters.check(tmp_path / "sample") == []
        return adapters.load(tmp_path / "sample", {})

    return loaded


def told(system: System, body: bytes, kind: str = "application/json") -> list[Reading | Unacceptable]:
    return system.receive(Message(system="s", body=body, at=NOW, id=ID, door="d", content_type=kind))


def titles(answers: list[Reading | Unacceptable]) -> list[str]:
    reports = [answer.report for answer in answers if isinstance(answer, Reading)]
    assert len(reports) == len(answers), answers
    return [report.title if report else "" for report in reports]


INNER = {"id": 7, "what": {"text": "井盖"}}


@pytest.mark.parametrize(
    ("shape", "member"),
    [
        ("[base64, json]", base64.b64encode(json.dumps(INNER).encode()).decode()),
        ("[json]", json.dumps(INNER)),
        ("[base64, gunzip, json]", base64.b64encode(gzip.compress(json.dumps(INNER).encode(), mtime=0)).decode()),
    ],
)
def test_a_member_is_unpacked_where_it_stands(make: Any, shape: str, member: str) -> None:
    system = make(
        f"[json, {{inside: {{path: data.body, shape: {shape}}}}}]", "report: {title: {from: data.body.what.text}}\n"
    )

    assert titles(told(system, json.dumps({"id": 1, "data": {"body": member, "sign": "x"}}).encode())) == ["井盖"]
    assert titles(told(system, b'{"id": 1, "data": {"body": ""}}')) == [""]
    assert titles(told(system, b'{"id": 1}')) == [""]


@pytest.mark.parametrize("member", [7, ["x"], "not json", {"a": 1}])
def test_a_member_that_cannot_be_unpacked_makes_the_message_unreadable(make: Any, member: object) -> None:
    system = make("[json, {inside: {path: a, shape: [json]}}]", "noted: true\n")

    [refusal] = told(system, json.dumps({"id": 1, "a": member}).encode())

    assert isinstance(refusal, Unacceptable)
    assert refusal.why is Why.UNREADABLE


def test_steps_after_json_are_done_whatever_the_sender_calls_its_message(make: Any) -> None:
    system = make("[json, {pick: msg}, json]", "report: {title: {from: t}}\n")
    body = json.dumps({"msg": '{"id": 1, "t": "路灯"}'}).encode()

    assert titles(told(system, body)) == titles(told(system, body, "text/plain")) == ["路灯"]


CAMERA = (
    b"--MIME\r\nContent-Type: application/xml; charset=UTF-8\r\nContent-Length: 9\r\n\r\n"
    b"<EventNotificationAlert><channelID>3</channelID><eventType>fielddetection</eventType></EventNotificationAlert>\r\n"
    b'--MIME\r\nContent-Disposition: form-data; name="snap.jpg"; filename="snap.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n"
    b"\xff\xd8\xff\x00\r\n--MIME--\r\n"
)


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=MIME", 'multipart/x-mixed-replace; boundary="MIME"'])
def test_parts_without_names_are_a_list(make: Any, kind: str) -> None:
    system = make(
        "[fields, {inside: {path: parts.0.text, shape: [xml]}}]",
        "report:\n  title: {from: parts.0.text.EventNotificationAlert.eventType}\n"
        "  attachments: {from: parts, content: {from: content, parse: [base64]}, name: {from: name}}\n",
    )

    [reading] = told(system, CAMERA, kind)

    assert isinstance(reading, Reading)
    assert reading.report
    assert reading.report.title == "fielddetection"
    assert [(one.name, one.content) for one in reading.report.attachments] == [("snap.jpg", b"\xff\xd8\xff\x00")]


@pytest.mark.parametrize("end", range(0, len(CAMERA) - 4, 7))
def test_a_multipart_body_that_ends_early_is_a_reading_or_a_refusal(make: Any, end: int) -> None:
    for answer in told(make("[fields]", "noted: true\n"), CAMERA[:end], "multipart/mixed; boundary=MIME"):
        assert isinstance(answer, Unacceptable)


def test_a_picture_without_a_file_name_is_a_file(make: Any) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="event"\r\nContent-Type: multipart/form-data\r\n\r\n{"id":1}\r\n'
        b'--b\r\nContent-Disposition: form-data; name="pic"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--b--\r\n'
    )
    system = make(
        "[fields, {inside: {path: event, shape: [json]}}]",
        "report:\n  title: {text: '事件{event.id}'}\n"
        "  attachments: {from: pic, content: {from: content, parse: [base64]}}\n",
    )

    [reading] = told(system, body, "multipart/form-data; boundary=b")

    assert isinstance(reading, Reading)
    assert reading.report
    assert (reading.report.title, reading.report.attachments[0].content) == ("事件1", b"\xff\xd8")


MEMBERS = '{expr: "entries(doc.items)"}'
FRAME = (
    "##0101QN=1;ST=22;MN=A1;CP=&&DataTime=20260520101112;a34004-Rtd=75.5,a34004-Flag=N;a21026-Rtd=8.1,a21026-Flag=D&&"
)


def test_the_members_of_an_object_are_items(make: Any) -> None:
    system = make("[json]", "report: {title: {text: '{name} {value.value}'}}\n", items=MEMBERS)
    body = {"items": {"Smoke": {"value": 1, "time": 5}, "Temp": {"value": 61.5, "time": 6}}}

    assert titles(told(system, json.dumps(body).encode())) == ["Smoke 1", "Temp 61.5"]
    [refusal] = told(system, b'{"items": 7}')
    assert isinstance(refusal, Unacceptable)


def test_the_groups_of_a_frame_are_items_and_a_wrong_checksum_is_refused(make: Any) -> None:
    items = (
        "{from: text, match: 'CP=&&DataTime=[0-9]*;(.*)&&', split: ';', each: {object: {"
        "id: {from: ., match: '^([a-z0-9]+)-Rtd'}, value: {from: ., match: '-Rtd=([-0-9.]+)'}}}}"
    )
    system = make(
        "[text]",
        "intact:\n  shown: {from: $whole.text, match: '&&([0-9A-F]{4})$'}\n"
        "  of: {from: $whole.text, match: '^##[0-9]{4}(.*&&)', digest: crc16-hj212, output: HEX}\n"
        "report: {title: {text: '{id}={value}'}}\n",
        items=items,
    )
    checksum = ALGORITHMS["crc16-hj212"](FRAME[6:].encode(), b"").hex().upper()

    assert titles(told(system, (FRAME + checksum).encode(), "text/plain")) == ["a34004=75.5", "a21026=8.1"]
    for broken in (FRAME + "0000", FRAME.replace("75.5", "95.5") + checksum, FRAME):
        answers = told(system, broken.encode(), "text/plain")
        assert [answer.why for answer in answers if isinstance(answer, Unacceptable)] == [Why.UNREADABLE] * 2


def test_a_reply_that_cannot_be_filled_still_says_what_became_of_the_message(make: Any) -> None:
    system = make(
        "[json]", "noted: true\n",
        reply="{body: {code: {from: request.kind, codes: {a: 0}}, no: {from: case_no}}}",
    )  # fmt: skip
    message = Message(system="s", body=b'{"kind": "b"}', at=NOW, id=ID, door="d", content_type="application/json")

    reply = system.reply(message, Outcome(Verdict.CASE, case_no="26-1"))

    assert (reply.status, json.loads(reply.body)) == (200, {"verdict": "case", "case_no": "26-1", "why": ""})
    assert "without a row" in reply.trouble
    assert "b" not in reply.trouble.split()


def test_a_table_over_verdicts_must_know_them_all(make: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        make("[json]", "noted: true\n", reply="{body: {code: {from: verdict, codes: {accepted: 0, refused: 1}}}}")

    [finding] = adapters.check(tmp_path / "sample")
    assert "no row" in finding.text
    assert "repeated" in finding.text or "case" in finding.text


def test_every_line_may_be_a_document(make: Any) -> None:
    system = make("[ndjson]", "report: {title: {from: t}}\n", items=".")

    assert titles(told(system, '{"t": "井盖"}\r\n\n{"t": "路灯"}\n'.encode(), "application/x-ndjson")) == [
        "井盖",
        "路灯",
    ]
    [refusal] = told(system, b'{"t": "1"}\n{"t": \n', "application/x-ndjson")
    assert isinstance(refusal, Unacceptable)
    assert "line 2" in str(refusal)


def test_a_file_may_begin_with_a_title_and_end_with_a_count(make: Any) -> None:
    system = make("[csv: {delimiter: '|', header_row: 3, trailer: 1}]", "report: {title: {from: t}}\n", items=".")
    body = "市容日报 2026-05-20\n\nid|t\n1|井盖\n2|路灯\n\nT|000002|结束\n\n".encode()

    assert titles(told(system, body, "text/csv")) == ["井盖", "路灯"]
    assert told(system, b"x\n\nid|t\nT|0\n", "text/csv") == []


def workbook(**sheets: list[list[object]]) -> bytes:
    import io

    import openpyxl

    book, packed = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(packed)
    return packed.getvalue()


def test_all_sheets_that_fit_are_read_under_their_own_headers(make: Any) -> None:
    body = workbook(镜湖区=[["id", "t"], [1, "井盖"]], 说明=[["不是表"]], 弋江区=[["t", "id"], ["路灯", 2]])
    system = make("[xlsx: {sheet: '*区'}]", "report: {title: {from: t}}\n", items=".")

    assert titles(told(system, body, "application/octet-stream")) == ["井盖", "路灯"]
    [refusal] = told(make("[xlsx: {sheet: 'x*'}]", "noted: true\n", items="."), body, "application/octet-stream")
    assert "no sheet" in str(refusal)
