"""Callbacks of messengers: encrypted with a frame around the message, signed over sorted parts, and greeted first.

The known answer is the one that Tencent publishes with its own library for encrypted messages.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import adapters
from adapters import System
from adapters.sealing import CipherKeys, FrameKeys, Sealer
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import NOW

TOKEN, KEY, CORP = "spamtest", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxb11529c136998cb6"
PUBLISHED = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
CIPHER = "{cipher: aes-cbc, key: aes_key, form: base64, vector: key, padding: pkcs7-32, frame: {behind: corp}}"
SIGNED = (
    "{of: [{secret: token}, {from: $query.timestamp}, {from: $query.nonce}, {from: %s}], sort: true, join: '',"
    " digest: sha1}"
)
HEAD = f"""\
title: 消息平台
edition: "1"
roles: [source]
crs: EPSG:4490
secrets:
  token: {{title: Token, sample: {TOKEN}}}
  aes_key: {{title: EncodingAESKey, sample: {KEY}}}
  corp: {{title: 企业编号, sample: {CORP}}}
connector: {{protocol: http}}
"""
XML = f"""\
doors:
  callback:
    shape: [xml, inside: {{path: xml.Encrypt, as: inner, shape: [decrypt: {CIPHER}, xml]}}]
    authenticate:
      signature: {{shown: {{from: $query.msg_signature}}, of: {SIGNED % "xml.Encrypt"}}}
    handshakes:
      - when: {{$query.echostr: {{present: "yes"}}}}
        authenticate:
          signature: {{shown: {{from: $query.msg_signature}}, of: {SIGNED % "$query.echostr"}}}
        body: {{from: $query.echostr, decrypt: {CIPHER}, parse: [text]}}
    document: xml.inner.xml
    messages: [m]
    reply: {{format: text, rows: [{{verdict: [accepted], body: success}}, {{body: ""}}]}}
"""
JSON = f"""\
doors:
  callback:
    shape: [json, inside: {{path: encrypt, as: inner, shape: [decrypt: {CIPHER}, json]}}]
    authenticate:
      signature: {{shown: {{from: $query.signature}}, of: {SIGNED % "encrypt"}}}
    document: inner
    messages: [m]
    reply:
      format: json
      rows:
        - body:
            encrypt: {{text: success, encrypt: {CIPHER}}}
            timeStamp: {{from: now, time: epoch_ms}}
            nonce: {{from: number, as: text}}
      seal:
        msg_signature: {SIGNED.replace("$query.times", "body.timeS").replace("$query.", "body.") % "body.encrypt"}
"""
MESSAGE = """\
direction: in
title: 上报
contract: any.schema.json
external_id: {from: MsgId}
report: {description: {from: Content}}
"""
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(doors: str = XML) -> System:
        files = {"system.yaml": HEAD + doors, "messages/m.yaml": MESSAGE, "contract/any.schema.json": "{}"}
        for name, text in files.items():
            (tmp_path / "sample" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sample" / name).write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "sample", {"token": TOKEN, "aes_key": KEY, "corp": CORP})

    return loaded


def sealed(text: str, *, corp: str = CORP, key: str = KEY, length: int | None = None, random: bytes = b"r" * 16) -> str:
    """As the platform encrypts, by its documentation alone."""
    raw, message = base64.b64decode(key + "="), text.encode()
    told = len(message) if length is None else length
    inside = random + told.to_bytes(4, "big") + message + corp.encode()
    pad = 32 - len(inside) % 32
    work = Cipher(algorithms.AES(raw), modes.CBC(raw[:16])).encryptor()
    return base64.b64encode(work.update(inside + bytes([pad]) * pad) + work.finalize()).decode()


def opened(text: str) -> str:
    raw = base64.b64decode(KEY + "=")
    work = Cipher(algorithms.AES(raw), modes.CBC(raw[:16])).decryptor()
    inside = work.update(base64.b64decode(text)) + work.finalize()
    assert len(inside) % 32 == 0
    inside = inside[: -inside[-1]]
    assert inside.endswith(CORP.encode())
    return inside[20 : 20 + int.from_bytes(inside[16:20], "big")].decode()


def signature(*parts: str) -> str:
    return hashlib.sha1("".join(sorted([TOKEN, *parts])).encode(), usedforsecurity=False).hexdigest()


def asked(encrypted: str, name: str, **more: str) -> str:
    query = {name: signature("1409735669", "1320562132", encrypted), "timestamp": "1409735669", "nonce": "1320562132"}
    return "callback?" + urlencode(query | more, quote_via=quote)


def pushed(encrypted: str, *, query: str = "") -> Message:
    body = f"<xml><ToUserName><![CDATA[toUser]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    return Message(
        system="s", body=body.encode(), at=NOW, id=uuid4(), door="callback", content_type="text/xml",
        path=query or asked(encrypted, "msg_signature"),
    )  # fmt: skip


def said(content: str) -> str:
    return f"<xml><MsgId>6054768590064713728</MsgId><Content><![CDATA[{content}]]></Content></xml>"


def read(system: System, message: Message) -> Reading:
    [one] = system.receive(message)
    if isinstance(one, Unacceptable):
        raise one
    return one


def test_the_published_example_opens() -> None:
    keys = CipherKeys(
        cipher="aes-cbc", key="k", form="base64", vector="key", padding="pkcs7-32", frame=FrameKeys(behind="c")
    )  # fmt: skip

    assert Sealer(keys, KEY, CORP).opened(PUBLISHED).decode() == "我是中文abcd123"


@pytest.mark.parametrize("content", ["路面积水", "x" * 100, "路" * 7])
def test_a_callback_is_read(make: Make, content: str) -> None:
    reading = read(make(), pushed(sealed(said(content))))

    assert reading.external_id == "6054768590064713728"
    assert reading.report
    assert reading.report.description == content


def test_the_greeting_is_answered_with_what_it_says_inside(make: Make) -> None:
    echo = sealed("1616140317555161061")
    door = make().doors[0]

    def greeted(path: str) -> Message:
        return Message(system="s", body=b"", at=NOW, id=uuid4(), door="callback", method="GET", path=path)

    reply = door.handshake(greeted(asked(echo, "msg_signature", echostr=echo)))
    assert reply
    assert (reply.status, reply.body) == (200, b"1616140317555161061")

    with pytest.raises(Unacceptable) as caught:
        door.handshake(greeted(asked(echo, "msg_signature", echostr=sealed("another"))))
    assert caught.value.why is Why.UNAUTHENTICATED


def test_the_same_in_json_is_answered_encrypted_and_signed(make: Make) -> None:
    system, encrypted = make(JSON), sealed(json.dumps({"MsgId": "m1", "Content": "井盖缺失"}))
    message = Message(
        system="s", body=json.dumps({"encrypt": encrypted}).encode(), at=NOW, id=uuid4(), door="callback",
        content_type="application/json", path=asked(encrypted, "signature"),
    )  # fmt: skip

    assert read(system, message).external_id == "m1"
    reply: dict[str, Any] = json.loads(system.reply(message, Outcome(Verdict.CASE)).body)
    assert opened(reply["encrypt"]) == "success"
    assert reply["msg_signature"] == signature(str(reply["timeStamp"]), reply["nonce"], reply["encrypt"])


STRANGE: dict[str, Callable[[], str]] = {
    "for another company": lambda: sealed(said("x"), corp="wx0000000000000000"),
    "with another key": lambda: sealed(said("x"), key=KEY[::-1]),
    "longer than it is": lambda: sealed(said("x"), length=100_000),
    "shorter than it is": lambda: sealed(said("x"), length=3),
    "without a frame": lambda: sealed("", random=b"", length=0, corp=""),
    "no base64": lambda: "???",
    "no whole block": lambda: base64.b64encode(b"x" * 33).decode(),
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_not_framed_as_agreed_is_unreadable_and_nothing_of_it_is_told(make: Make, case: str) -> None:
    with pytest.raises(Unacceptable) as caught:
        read(make(), pushed(STRANGE[case]()))
    assert caught.value.why is Why.UNREADABLE
    assert CORP not in str(caught.value)


@pytest.mark.parametrize("case", [*STRANGE, "good"])
def test_who_signs_wrongly_learns_nothing_of_what_opens(make: Make, case: str) -> None:
    encrypted = STRANGE[case]() if case in STRANGE else sealed(said("x"))
    with pytest.raises(Unacceptable) as caught:
        read(make(), pushed(encrypted, query="callback?msg_signature=0&timestamp=1&nonce=2"))
    assert caught.value.why is Why.UNAUTHENTICATED


def test_a_frame_that_names_no_secret_is_found(make: Make) -> None:
    with pytest.raises(Misconfigured, match=r"'korp' is no declared secret.*did you mean 'corp'"):
        make(XML.replace("behind: corp", "behind: korp"))
