"""What is asked before a message is written, and bytes of files in it: one small platform for every sentence."""

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import adapters
from adapters import System
from adapters.before import MOST, Before, answered
from canonical.errors import ContractViolation, HubError, InDoubt, Misconfigured, Refused, Unavailable
from canonical.message import Message
from canonical.reading import FileContent, Outbound
from tests.adapters.systems import ID, NOW, outbound_of
from tests.adapters.test_declaration_language import ANSWERS, IN, Make, door, make
from tests.adapters.test_declaration_language import HEAD as PLATFORM

__all__ = ["make"]
M = IN + "external_id: {from: id}\nreport: {title: 火}\n"
ACTION = {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00"}
PICTURES = [{"url": f"/p/{number}.jpg", "name": f"{number}.jpg"} for number in (1, 2)]
HEAD = "title: 派遣\nanswer: plain\npath: /orders\n"
OUT = f"direction: out\nrepeat: safe\n{HEAD}"
ASK = f"direction: ask\n{HEAD}"
BASE = {"m": M}
CURRENT = f"{ASK}method: GET\n"
UPLOAD = (
    f"{ASK}format: multipart\nbody:\n  file: {{object: {{name: {{from: file.name}}, media: {{from: file.media}},"
    " content: {from: file.content}}}\n"
)


def said(document: object, status: int = 200, **headers: str) -> Message:
    return Message(
        system="s", body=json.dumps(document).encode(), at=NOW, id=ID, content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()}, status=status,
    )  # fmt: skip


def outbound(pictures: list[dict[str, str]] | None = None, **contents: FileContent) -> Outbound:
    case = {"attachments": PICTURES if pictures is None else pictures}
    made = outbound_of("send", {"case": case, "action": ACTION})
    return Outbound(**{**_fields(made), "contents": {f"/p/{key[1:]}.jpg": one for key, one in contents.items()}})


def _fields(made: Outbound) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Outbound.__dataclass_fields__}


def body(system: System, given: Outbound, **names: Any) -> Any:
    return json.loads(system.write(given, now=NOW, id=ID, **names).body)


def told(make: Make, tmp_path: Path, **messages: str) -> str:
    """What is wrong with these messages, in one text."""
    with pytest.raises(Misconfigured) as found:
        make(ANSWERS + door(), **BASE, **messages)
    return str(found.value)


def test_answers_are_read_in_path_query_headers_body_and_seal(make: Make) -> None:
    path = "path: {text: '/orders/{before.now.id}'}"
    send = (
        f"{OUT.replace('path: /orders', path)}"
        "before: {now: current}\nquery: {v: {from: before.now.version}}\n"
        "headers: {If-Match: {from: before.now.$headers.etag}}\nbody: {state: {from: before.now.state}}\n"
        "seal: {sign: {from: before.now.$status}}\n"
    )
    system = make(ANSWERS + door(), **BASE, send=send, current=CURRENT)
    now = {"id": "7", "version": 3, "state": "open", "$headers": {"etag": '"e1"'}, "$status": 200}

    message = system.write(outbound(), now=NOW, id=ID, before={"now": now})

    assert (message.path, message.headers["if-match"]) == ("/orders/7?v=3", '"e1"')
    assert json.loads(message.body) == {"state": "open", "sign": 200}


def asked(system: System, given: Outbound, answers: dict[str, Message] | Message) -> tuple[Before, list[Any]]:
    """What comes of the asking, and what was asked, with the `file` of each."""
    seen: list[Any] = []

    def answer_to(ask: Any) -> Any:
        file = ask.names.get("file")
        seen.append((ask.message, file and file["name"]))
        answer = answers if isinstance(answers, Message) else answers[file["name"]]
        return answer, system.heard(ask.message, answer)[1]

    return answered(system.before("send", given), answer_to), seen


EACH = f"{OUT}before:\n  files: {{ask: upload, each: case.attachments}}\n"
NAMED = "body: {files: {from: before.files, each: {name: {from: $file.name}, id: {from: id}}}}\n"


def test_a_question_for_each_file_gives_their_answers_in_order_and_says_which_file_each_was(make: Make) -> None:
    system = make(ANSWERS + door(), **BASE, send=EACH + NAMED, upload=UPLOAD)
    given = outbound()

    before, seen = asked(system, given, {f"{one}.jpg": said({"code": 0, "id": f"F{one}"}, 200) for one in (1, 2)})

    assert seen == [("upload", "1.jpg"), ("upload", "2.jpg")]
    assert body(system, given, before=before.answers) == {
        "files": [{"name": "1.jpg", "id": "F1"}, {"name": "2.jpg", "id": "F2"}]
    }


def test_more_items_than_a_person_would_look_at_are_cut_and_it_is_said(make: Make) -> None:
    system = make(ANSWERS + door(), **BASE, send=EACH + NAMED, upload=UPLOAD)
    many = [{"url": f"/p/{number}.jpg", "name": f"{number}.jpg"} for number in range(25)]

    before, seen = asked(system, outbound(many), said({"code": 0, "id": "F"}))

    assert len(seen) == MOST == system.asks("send")
    assert before.notes == ("upload: the first 20 of 25 were asked for",)


def test_what_is_asked_sees_the_answers_above_it_and_items_of_other_answers(make: Make) -> None:
    send = (
        f"{OUT}before:\n  tickets: {{ask: ticket, each: case.attachments}}\n"
        "  put: {ask: put, each: before.tickets}\nbody: {keys: {from: before.tickets, each: {from: key}}}\n"
    )
    put = f"{ASK.replace('path: /orders', 'path: {from: file.key}')}format: bytes\nbody: {{from: file.$file.content}}\n"
    system = make(ANSWERS + door(), **BASE, send=send, ticket=CURRENT, put=put)
    given = outbound(p1=FileContent(b"\xff1"), p2=FileContent(b"\xff2"))
    sent = []

    def answer_to(ask: Any) -> Any:
        if ask.message == "put":
            written = Outbound(**{**_fields(given), "message": "put"})
            assert system.carried(written, **ask.names) == [ask.names["file"]["$file"]["url"]]
            message = system.write(written, now=NOW, id=ID, **ask.names)
            sent.append((message.path, message.body))
        answer = said({"code": 0, "key": f"/k/{ask.names['file'].get('name')}"})
        return answer, system.heard(ask.message, answer)[1]

    answered(system.before("send", given), answer_to)

    assert sent == [("/k/1.jpg", b"\xff1"), ("/k/2.jpg", b"\xff2")]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (said({"code": 7, "msg": "图片太大"}), Refused, "upload: 图片太大"),
        (said({"strange": 1}), Unavailable, "upload: "),
    ],
)
def test_a_refused_question_refuses_the_message_and_a_doubtful_one_is_only_not_now(
    make: Make, answer: Message, error: type[Exception], words: str
) -> None:
    refused = ANSWERS.replace("]}}", ", {when: doc.code == 7, then: refused, text: {from: msg}}]}}")
    system = make(refused + door(), **BASE, send=EACH + NAMED, upload=UPLOAD)

    with pytest.raises(error, match=words):
        asked(system, outbound(), answer)


def test_a_lost_answer_to_a_question_is_only_not_now(make: Make) -> None:
    system = make(ANSWERS + door(), **BASE, send=EACH + NAMED, upload=UPLOAD)

    def lost(_ask: Any) -> Any:
        raise InDoubt("no answer came")

    with pytest.raises(Unavailable, match="upload: no answer came"):
        answered(system.before("send", outbound()), lost)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ({"send": f"{OUT}before: {{now: curent}}\n", "current": CURRENT}, "no outbound message 'curent'; did you mean"),
        ({"send": f"{OUT}before: {{now: {{ask: curent, each: case.title}}}}\n", "current": CURRENT}, "mean 'current"),
        ({"send": f"{OUT}before: {{now: m}}\n"}, "no outbound message 'm'"),
        ({"send": f"{OUT}before: {{now: other}}\n", "other": OUT}, "'other' tells; only what is harmless"),
        ({"send": f"{OUT}before: {{now: send}}\n"}, "'send' tells"),
        (
            {"send": f"{OUT}before: {{now: a}}\n", "a": f"{ASK}before: {{b: current}}\n", "current": CURRENT},
            "'a' has a before itself; write its questions here",
        ),
        ({"send": f"{OUT}before: {{now: {{ask: current, each: case.titel}}}}\n", "current": CURRENT}, "mean 'title'?"),
        (
            {"send": f"{OUT}before: {{now: {{ask: current, each: case.title}}}}\n", "current": CURRENT},
            "a list is expected, such as case.attachments, not 'case.title'",
        ),
        (
            {"send": f"{OUT}before: {{now: {{ask: current, eech: case.attachments}}}}\n", "current": CURRENT},
            "unknown key; did you mean 'each'?",
        ),
        (
            {"send": f"{OUT}before: {{now: current}}\nbody: {{a: {{from: before.nwo.id}}}}\n", "current": CURRENT},
            "no 'nwo' (in 'before.nwo.id'); did you mean 'now'?",
        ),
        ({"send": f"{OUT}body: {{a: {{from: before.now.id}}}}\n"}, "no 'now' (in 'before.now.id')"),
        ({"send": f"{OUT}body: {{a: {{from: case.attachments.0.contents}}}}\n"}, "did you mean 'content'?"),
        ({"send": f"{OUT}wait_files: -1\n"}, "greater than or equal to 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_a_finding_with_what_was_probably_meant(
    make: Make, tmp_path: Path, messages: dict[str, str], words: str
) -> None:
    assert words in told(make, tmp_path, **messages)
    assert "messages/send.yaml:" in told(make, tmp_path, **messages)


def test_where_nothing_is_answered_nothing_can_be_asked_first(make: Make) -> None:
    send = f"{OUT}before: {{now: current}}\n"
    mqtt = PLATFORM.replace("protocol: http", "protocol: mqtt")

    with pytest.raises(Misconfigured, match="nothing is answered over mqtt: a question needs http, soap or"):
        make(ANSWERS + door(), head=mqtt, **BASE, send=send, current=CURRENT)


def test_bytes_of_files_are_wanted_only_where_a_rule_uses_them(make: Make) -> None:
    listed = "body: {files: {from: case.attachments, each: %s}}\n"
    rules = {
        "plain": listed % "{name: {from: name}}",
        "bytes": listed % "{data: {from: content, encode: base64}}",
        "sizes": "body: {all: {expr: 'doc.case.attachments.map(f, f.size)'}}\n",
        "count": "body: {n: {expr: 'size(doc.case.attachments)'}}\n",
        "first": "body: {a: {from: case.attachments.0.content, encode: base64}}\n",
        "either": "body: {a: {from: [action.attachments, case.attachments], each: {from: content, encode: base64}}}\n",
    }
    system = make(ANSWERS + door(), **BASE, **{name: OUT + rule for name, rule in rules.items()})

    urls = [one["url"] for one in PICTURES]
    carried = {name: system.carried(Outbound(**{**_fields(outbound()), "message": name})) for name in rules}

    assert carried == {"plain": [], "bytes": urls, "sizes": urls, "count": [], "first": urls, "either": urls}


def test_files_at_hand_are_written_as_base64_with_their_size_and_digest_and_others_left_out(make: Make) -> None:
    each = (
        "{name: {from: name}, data: {from: content, encode: base64}, size: {from: size}, kind: {from: media},"
        " md5: {from: content, digest: md5}}"
    )
    system = make(ANSWERS + door(), **BASE, send=f"{OUT}body: {{files: {{from: case.attachments, each: {each}}}}}\n")
    bytes_ = b"\xff\xd8picture"

    written = body(system, outbound(p2=FileContent(bytes_, "image/jpeg")))

    digest = hashlib.md5(bytes_).hexdigest()
    picture = {"name": "2.jpg", "data": base64.b64encode(bytes_).decode(), "size": len(bytes_), "kind": "image/jpeg"}
    assert written == {"files": [picture | {"md5": digest}]}


def test_a_file_travels_in_a_multipart_form_as_bytes(make: Make) -> None:
    system = make(ANSWERS + door(), **BASE, send=EACH + NAMED, upload=UPLOAD)
    given = Outbound(**{**_fields(outbound(p1=FileContent(b"\xff\xd81", "image/jpeg"))), "message": "upload"})

    message = system.write(given, now=NOW, id=ID, file={"url": "/p/1.jpg", "name": "1.jpg", "id": ""})

    assert b'name="file"; filename="1.jpg"\r\nContent-Type: image/jpeg' in message.body
    assert b"\r\n\r\n\xff\xd81\r\n" in message.body


def test_bytes_where_only_text_can_stand_are_refused_in_words(make: Make) -> None:
    send = f"{OUT}body: {{files: {{from: case.attachments, each: {{data: {{from: content}}}}}}}}\n"
    system = make(ANSWERS + door(), **BASE, send=send)

    with pytest.raises(ContractViolation, match="send: the body cannot be written as json"):
        body(system, outbound(p1=FileContent(b"\xff")))


def test_a_sample_gives_what_was_asked_before_and_the_file_and_check_writes_it_without_any_network(
    make: Make, tmp_path: Path
) -> None:
    upload_ = f"{ASK}body: {{d: {{from: file.content, encode: base64}}}}\n"
    make(ANSWERS + door(), **BASE, send=EACH + NAMED, upload=upload_)
    folder = tmp_path / "sample"
    given = {"case": {"attachments": PICTURES}, "action": ACTION}
    named = [{"id": "F1", "$file": {"name": "1.jpg"}}]
    send = {"message": "send", "given": given, "before": {"files": named}, "path": "/orders"}
    upload = {"message": "upload", "given": given, "file": {"url": "/p/1.jpg", "content": "示例"}, "path": "/orders"}
    data = base64.b64encode("示例".encode()).decode()
    (folder / "samples").mkdir()

    def findings(send_body: object, upload_body: object) -> list[str]:
        for name, golden in (("send", send | {"body": send_body}), ("upload", upload | {"body": upload_body})):
            (folder / f"samples/{name}.out.json").write_text(json.dumps(golden), encoding="utf-8")
        return [str(one) for one in adapters.check(folder)]

    assert findings({"files": [{"name": "1.jpg", "id": "F1"}]}, {"d": data}) == []
    assert len(findings({"files": []}, {"d": ""})) == 2


def test_a_sample_of_a_form_shows_its_fields_and_the_text_of_its_files(make: Make, tmp_path: Path) -> None:
    upload_ = UPLOAD.replace("body:\n", "body:\n  kind: case\n")
    make(ANSWERS + door(), **BASE, upload=upload_)
    file = {"url": "/p/1.jpg", "name": "1.jpg", "media": "image/jpeg", "content": "示例"}
    golden = {"message": "upload", "given": {"action": ACTION}, "file": file, "path": "/orders"}
    shown = {"name": "1.jpg", "media": "image/jpeg", "content": "示例"}
    (tmp_path / "sample/samples").mkdir()

    def findings(body: object) -> list[str]:
        text = json.dumps(golden | {"body": body}, ensure_ascii=False)
        (tmp_path / "sample/samples/upload.out.json").write_text(text, encoding="utf-8")
        return [str(one) for one in adapters.check(tmp_path / "sample")]

    assert findings({"kind": "case", "file": shown}) == []
    [wrong] = findings({"kind": "case", "file": shown | {"content": "别的"}})
    assert 'body.file.content: expected "别的", is "示例"' in wrong


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("key"), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.dictionaries(st.sampled_from(["id", "key", "etag", "code"]), VALUES) | VALUES, max_size=3))
def test_whatever_is_answered_the_message_is_written_or_refused_in_words(
    answers: list[Any], hostile: System
) -> None:  # fmt: skip
    """Never another error: what was answered travels on into paths, headers, bodies and further questions."""
    told = iter(answers)

    def hear(ask: Any) -> Any:
        hostile.write(replace(given_, message=ask.message), now=NOW, id=ID, **ask.names)
        document: Any = next(told, {})
        return said(document, 200, etag=str(document)[:20]), document

    given_ = outbound(p1=FileContent(b"\xff1", "image/jpeg"))
    with suppress(HubError):
        before = answered(hostile.before("send", given_), hear)
        hostile.write(given_, now=NOW, id=ID, before=before.answers)
        hostile.fingerprint(given_, now=NOW, id=ID, before=before.answers)


@pytest.fixture
def hostile(make: Make) -> System:
    """A message that uses what is answered everywhere."""
    send = (
        f"{OUT.replace('path: /orders', 'path: {from: before.tickets.0.key}')}"
        "before:\n  tickets: {ask: upload, each: case.attachments}\n  put: {ask: put, each: before.tickets}\n"
        "  now: current\nheaders: {If-Match: {from: before.now.$headers.etag}}\nquery: {v: {from: before.now.id}}\n"
        "body:\n  ids: {from: before.put, each: {from: [id, $file.id]}}\n"
        "  data: {from: before.put, each: {from: $file.$file.content, encode: base64}}\n"
        "  whole: {from: before.now}\n  all: {expr: 'doc.before.tickets.map(t, t.key)'}\n"
        "seal: {sign: {from: before.now, digest: md5}}\nfingerprint: [ids.0]\n"
    )
    put = f"{ASK.replace('path: /orders', 'path: {from: file.key}')}format: bytes\nbody: {{from: file.$file.content}}\n"
    return make(ANSWERS + door(), **BASE, send=send, upload=UPLOAD, put=put, current=CURRENT)
