"""What the connecting of REST-like platforms found: one small platform for every sentence."""

import hashlib
import json
from pathlib import Path

import pytest

import adapters
from adapters import System
from adapters.cipher import encrypt
from canonical.errors import Why
from canonical.message import Verdict
from canonical.reading import Outcome
from tests.adapters.systems import ID, NOW, outbound_of
from tests.adapters.test_declaration_language import ANSWERS, IN, Make, door, make, push, refused

__all__ = ["make"]
M = IN + "external_id: {from: id}\nreport: {title: 火}\n"
ACTION = {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00"}


def outbound(system: System) -> str:
    return system.write(outbound_of("send", {"action": ACTION}), now=NOW, id=ID).headers["x-sign"]


def test_names_that_begin_with_a_dollar_are_signed_too(make: Make) -> None:
    send = (
        "direction: out\ntitle: 派遣\nrepeat: safe\npath: /orders\nanswer: plain\n"
        "query: {$top: '2', $filter: a b}\nheaders: {X-Sign: {pairs: {from: query, encode: percent}}}\n"
    )

    system = make(ANSWERS + door(), m=M, send=send)

    assert outbound(system) == "%24filter=a%20b&%24top=2"


def test_what_stands_around_a_document_is_not_part_of_its_pairs(make: Make) -> None:
    more = """
    authenticate:
      signature: {shown: {from: $headers.x-sign}, of: {of: [{pairs: {}}, {from: $body}], join: "|"}}
"""
    system = make(door(more=more), m=M)

    [content] = system.receive(push({"id": "1", "$v": "2"}, x_sign='$v=2&id=1|{"id": "1", "$v": "2"}'))

    assert getattr(content, "external_id", "") == "1"


def test_a_reply_names_the_one_message_it_is_about(make: Make) -> None:
    reply = "\n    reply: {format: json, rows: [{body: {id: {from: external_id}}}]}\n"
    system = make("doors:\n  d:\n    shape: [json]\n    messages: [m]\n" + reply, m=M)
    case = Outcome(Verdict.CASE)

    one = system.reply(push({"id": "7"}), case, [("7", case)])
    several = system.reply(push({"id": "7"}), case, [("7", case), ("8", case)])

    assert json.loads(one.body) == {"id": "7"}
    assert json.loads(several.body) == {"id": ""}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("coordinate: {x: 1, y: 2, crs: GCJ02}", "BD-09MC or LOCAL:<name> is expected, not 'GCJ02'"),
        ("coordinate: {x: 1, y: 2, crs: {from: c, codes: {a: WGS84}}}", "EPSG:<number>"),
        ("urgency: {from: u, codes: {'3': critical}}", "urgent is expected, not 'critical'"),
    ],
)
def test_a_value_the_hub_does_not_have_is_told_with_those_it_has(
    make: Make, tmp_path: Path, line: str, told: str
) -> None:
    with pytest.raises(Exception, match="findings"):
        make(door(), m=IN + "external_id: {from: id}\nreport:\n  " + line + "\n")

    assert told in adapters.check(tmp_path / "sample")[0].text


SIGNED = """\
doors:
  d:
    shape: [json, {pick: data}, {decrypt: {cipher: aes-cbc, key: key, iv: key, form: md5, text: hex}}, json]
    authenticate:
      signature:
        shown: {from: $headers.x-sign}
        of: {of: [{from: $body}, {secret: key}], join: "", digest: sha256}
    messages: [m]
    reply: {format: json, rows: [{body: {code: 0}}]}
"""


@pytest.mark.parametrize("inside", [False, True])
def test_who_does_not_sign_learns_nothing_of_what_deciphers(make: Make, *, inside: bool) -> None:
    """Else the answers to changed ciphertexts tell, byte by byte, what is inside."""
    whole = "[json, {pick: data}, {decrypt: {cipher: aes-cbc, key: key, iv: key, form: md5, text: hex}}, json]"
    member = f"[json, {{inside: {{path: data, shape: {whole.replace('json, {pick: data}, ', '')}}}}}, {{pick: data}}]"
    assert whole in SIGNED
    system = make(SIGNED.replace(whole, member) if inside else SIGNED, m=M)
    key = hashlib.md5(b"K").digest()
    good = encrypt(b'{"id": "1"}', algorithm="aes-cbc", key=key, iv=key).hex()

    def told(data: str, *, signed: bool) -> Why | None:
        body = json.dumps({"data": data}).encode()
        sign = hashlib.sha256(body + b"K").hexdigest() if signed else "0"
        [content] = system.receive(push(body, x_sign=sign))
        return getattr(content, "why", None)

    assert [told(data, signed=False) for data in (good, "00" * 16, "no hex")] == [Why.UNAUTHENTICATED] * 3
    assert [told(data, signed=True) for data in (good, "00" * 16, "no hex")] == [None, *[Why.UNREADABLE] * 2]
    assert refused(system.receive(push(b"{", x_sign="0"))).why is Why.UNAUTHENTICATED


def test_a_part_of_a_form_says_of_what_kind_it_is(make: Make) -> None:
    """What a door reads of a file, {name, media, content}, is written back; some want JSON parts named as JSON."""
    send = (
        "direction: out\ntitle: 派遣\nrepeat: safe\npath: /orders\nanswer: plain\nformat: multipart\nbody:\n"
        "  meta: {name: null, media: application/json, content: {text: '{case.no}', encode: base64}}\n"
        '  photo: {name: a.jpg, media: "image/jpeg\\r\\nx: y", content: aGk=}\n'
        "  other: {name: {from: unit}, content: aGk=}\n"
    )
    system = make(
        ANSWERS + door(shape="[fields]"), m=IN + "external_id: {from: meta}\nreport: {title: 火}\n", send=send
    )

    message = system.write(outbound_of("send", {"action": ACTION}), now=NOW, id=ID)

    parts = [part.partition(b"\r\n\r\n")[0].decode() for part in message.body.split(b"--gridhub-")[1:4]]
    assert ["filename" in part for part in parts] == [False, True, True]
    kinds = [next(line for line in part.splitlines() if line.startswith("Content-Type")) for part in parts]
    assert kinds == [
        "Content-Type: application/json", "Content-Type: image/jpegx: y", "Content-Type: application/octet-stream",
    ]  # fmt: skip
    [content] = system.read(push(message.body, kind=message.content_type))
    assert getattr(content, "external_id", "") == "34022026052000001"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (
            "      signature: {shown: {from: s}, of: {from: id, digest: hmac-md5, key: 7}}\n",
            ["doors.d.authenticate.signature.of.key: a text or a list or an object (key: value) is expected"],
        ),
        ("      heade: x\n", ["doors.d.authenticate.heade: unknown key; did you mean 'header'?"]),
        ("      signature: {shown: {from: s}}\n", ["doors.d.authenticate.signature.of: missing"]),
        ("      fresh: {at: {from: t, time: iso}, seconds: [1]}\n", ["seconds: a whole number is expected"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_once_at_its_own_key(
    make: Make, tmp_path: Path, more: str, found: list[str]
) -> None:
    with pytest.raises(Exception, match="findings"):
        make(door(more="    authenticate:\n" + more), m=M)

    told = [f"{one.key}: {one.text}" for one in adapters.check(tmp_path / "sample")]
    assert len(told) == len(found)
    assert all(text.endswith(wanted) for text, wanted in zip(told, found, strict=True)), told
