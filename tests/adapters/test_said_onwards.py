"""Rules after rules, derived keys, names with dots, times of another zone, RSA, and replies that are signed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

import adapters
from adapters import System
from canonical.errors import Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import ID, NOW, outbound_of

OURS, THEIRS = (rsa.generate_private_key(65537, 2048) for _ in range(2))
SECRETS = {
    "key": "K",
    "ours": OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "theirs": base64.b64encode(
        THEIRS.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
}
SYSTEM = """\
title: 样板平台
edition: "1"
roles: [source, owner]
crs: EPSG:4490
secrets: {key: {title: 密钥}, ours: {title: 我方私钥}, theirs: {title: 对方公钥}}
connector: {protocol: http}
doors:
  d: {shape: [json], messages: [m], reply: {format: json, REPLY}AUTH}
answers: {any: {shape: [json], rows: [{http: 2xx, then: accepted}]}}
tells: {owner: {dispatch: out}}
"""
OUT = "direction: out\ntitle: 派遣\nrepeat: safe\nanswer: any\n"
IN = "direction: in\ntitle: 上报\ncontract: any.schema.json\nexternal_id: {from: id}\n"
DISPATCH = {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00", "unit": "u"}
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(
        message: str = "noted: true\n", *, out: str = "path: /x\n", reply: str = "rows: [{body: {}}]", auth: str = ""
    ) -> System:
        system = SYSTEM.replace("REPLY", reply).replace("AUTH", f", authenticate: {auth}" if auth else "")
        texts = {"system.yaml": system, "messages/m.yaml": IN + message, "messages/out.yaml": OUT + out}
        for name, text in (texts | {"contract/any.schema.json": "{}"}).items():
            (tmp_path / "sample" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sample" / name).write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "sample", SECRETS)

    return loaded


def push(body: object) -> Message:
    return Message(
        system="s", body=json.dumps(body).encode(), at=NOW, id=ID, door="d", content_type="application/json"
    )  # fmt: skip


def title(system: System, body: object) -> str:
    [reading] = system.receive(push(body))
    assert isinstance(reading, Reading), reading
    assert reading.report
    return reading.report.title


def sent(system: System, **case: Any) -> Message:
    return system.write(outbound_of("out", {"case": {"no": "26-1"} | case, "action": DISPATCH}), now=NOW, id=ID)


def test_a_rule_goes_on_with_what_came_of_it(make: Make) -> None:
    system = make(
        "report: {title: {from: gps, parse: [json], pick: at, "
        "then: {from: ., match: '^([0-9.]+)', then: {text: 'x={.}'}}}}\n"
    )

    assert title(system, {"id": 1, "gps": '{"at": "118.37,31.33"}'}) == "x=118.37"
    assert title(system, {"id": 1}) == ""


def test_a_code_stands_after_what_was_taken_apart(make: Make) -> None:
    codes = "then: {from: ., codes: {H: urgent, L: normal}}"
    message = f"report: {{title: x, urgency: {{from: tags, parse: [json], pick: level, {codes}}}}}\n"
    [reading] = make(message).receive(push({"id": 1, "tags": '{"level": "H"}'}))

    assert isinstance(reading, Reading)
    assert reading.report
    assert reading.report.urgency == "urgent"
    [refusal] = make(message).receive(push({"id": 1, "tags": '{"level": "?"}'}))
    assert isinstance(refusal, Unacceptable)
    assert refusal.why is Why.UNMAPPED_CODE


def test_a_name_with_dots_is_one_name_in_quotes(make: Make) -> None:
    system = make("report: {title: {from: \"'@odata.id'.'a.b'\"}}\n")

    assert title(system, {"id": 1, "@odata.id": {"a.b": "井盖"}, "@odata": {"id": "nothing"}}) == "井盖"


@pytest.mark.parametrize(
    ("rule", "text", "at"),
    [
        ("time: \"yyyy-MM-dd'T'HH:mm:ss'Z'\"", "2026-05-20T02:00:00Z", datetime(2026, 5, 20, 2, tzinfo=UTC)),
        ('time: "yyyy-MM-dd HH:mm:ss", zone: UTC', "2026-05-20 02:00:00", datetime(2026, 5, 20, 2, tzinfo=UTC)),
        ('time: "yyyy-MM-dd HH:mm:ss"', "2026-05-20 10:00:00", datetime(2026, 5, 20, 2, tzinfo=UTC)),
        ("time: http", "Wed, 20 May 2026 02:00:00 GMT", datetime(2026, 5, 20, 2, tzinfo=UTC)),
    ],
)
def test_a_time_says_its_zone_and_is_written_so_again(make: Make, rule: str, text: str, at: datetime) -> None:
    system = make(
        f"report: {{title: x, reported_at: {{from: t, {rule}}}}}\n",
        out=f"path: /x\nheaders: {{Date: {{from: action.at, {rule}}}}}\n",
    )

    [reading] = system.receive(push({"id": 1, "t": text}))

    assert isinstance(reading, Reading)
    assert reading.report
    assert reading.report.reported_at == at
    assert sent(system).headers["date"] == text


def test_a_key_is_derived_step_by_step(make: Make) -> None:
    rule = (
        "{from: case.no, digest: hmac-sha256, key: {text: request, digest: hmac-sha256, output: bytes, "
        "key: {text: '20260520', digest: hmac-sha256, output: bytes, key: key}}}"
    )
    day = hmac.digest(b"K", b"20260520", "sha256")
    wanted = hmac.digest(hmac.digest(day, b"request", "sha256"), b"26-1", "sha256").hex()

    assert sent(make(out=f"path: /x\nheaders: {{Sign: {rule}}}\n")).headers["sign"] == wanted


@pytest.mark.parametrize(
    ("encode", "text"), [("base64url", "5LqV55uWPw"), ("path", "/%E4%BA%95%20x"), ("url", "%2F%E4%BA%95%20x")]
)
def test_texts_are_encoded_as_tokens_and_addresses_want(make: Make, encode: str, text: str) -> None:
    given = "井盖?" if encode == "base64url" else "/井 x"

    assert sent(make(out=f"path: /x\nheaders: {{H: {{text: '{given}', encode: {encode}}}}}\n")).headers["h"] == text


def test_what_is_signed_of_a_path_is_what_travels(make: Make) -> None:
    out = "path: {text: '/cases/{case.no}/{case.title}'}\nheaders: {Signed: {from: sealed.path}}\n"
    message = sent(make(out=out), no="W 1/2", title="井|盖'()")

    assert message.path == message.headers["signed"] == "/cases/W%201/2/%E4%BA%95%7C%E7%9B%96'()"
    with httpx.Client() as client:
        assert client.build_request("GET", f"http://x.example{message.path}").url.raw_path.decode() == message.path


def test_a_password_is_enciphered_for_the_other_side(make: Make) -> None:
    for cipher, pad in (
        ("rsa-pkcs1", padding.PKCS1v15()),
        ("rsa-oaep", padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)),
    ):
        message = sent(
            make(out=f"path: /x\nbody: {{p: {{secret: key, encrypt: {{cipher: {cipher}, key: theirs}}}}}}\n")
        )

        assert THEIRS.decrypt(base64.b64decode(json.loads(message.body)["p"]), pad) == b"K"


def test_what_we_sign_is_checked_with_our_public_key(make: Make) -> None:
    message = sent(make(out="path: /x\nbody: {s: {from: case.no, digest: rsa-sha256, key: ours, output: base64}}\n"))

    signature = base64.b64decode(json.loads(message.body)["s"])
    OURS.public_key().verify(signature, b"26-1", padding.PKCS1v15(), hashes.SHA256())


def test_what_they_sign_is_checked_with_their_public_key(make: Make) -> None:
    verify = "verify: {algorithm: rsa-sha256, key: theirs}"
    auth = f"{{signature: {{shown: {{from: sign}}, of: {{pairs: {{without: [sign]}}}}, {verify}}}}}"
    system = make(auth=auth)
    good = THEIRS.sign(b"id=7&t=x", padding.PKCS1v15(), hashes.SHA256())

    def told(body: dict[str, object], sign: object) -> object:
        [answer] = system.receive(push(body | {"sign": sign}))
        return getattr(answer, "why", None)

    assert told({"id": 7, "t": "x"}, base64.b64encode(good).decode()) is None
    for body, sign in (
        ({"id": 8, "t": "x"}, base64.b64encode(good).decode()),
        ({"id": 7, "t": "x"}, base64.b64encode(good[:-1]).decode()),
        ({"id": 7, "t": "x"}, "no base64"),
        ({"id": 7, "t": "x"}, None),
        ({"id": 7, "t": "x"}, 7),
    ):
        assert told(body, sign) is Why.UNAUTHENTICATED


def test_a_reply_is_sealed_and_signed_in_its_headers(make: Make) -> None:
    system = make(
        reply="seal: {sign: {pairs: {from: body}, digest: md5}}, headers: {X-Sign: {from: sealed.body, "
        "digest: hmac-sha256, key: key}, X-No: {from: case_no}}, rows: [{body: {code: 0, no: {from: case_no}}}]"
    )

    reply = system.reply(push({"id": 1}), Outcome(Verdict.CASE, case_no="26-1\r\nX-Evil: 1"))

    body = json.loads(reply.body)
    assert body["sign"] == hashlib.md5(f"code=0&no={body['no']}".encode(), usedforsecurity=False).hexdigest()
    assert reply.headers["X-Sign"] == hmac.digest(b"K", reply.body, "sha256").hex()
    assert reply.headers["X-No"] == "26-1X-Evil: 1"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("report: {title: {from: a, then: {form: .}}}\n", "report.title.then.form"),
        ('report: {title: x, reported_at: {from: t, time: "yyyy", zone: Mars}}\n', "report.reported_at.zone"),
        ("report: {title: {from: a, digest: rsa-sha256}}\n", "report.title.digest"),
        ("report: {title: {from: a, digest: hmac-md5, key: {from: k, tim: iso}}}\n", "report.title.key"),
    ],
)
def test_what_is_wrong_with_them_is_found_at_its_key(make: Make, tmp_path: Path, message: str, found: str) -> None:
    with pytest.raises(Exception, match="finding"):
        make(message)

    assert any(one.key.startswith(found) for one in adapters.check(tmp_path / "sample")), adapters.check(
        tmp_path / "sample"
    )


def test_messages_are_looked_at_even_when_the_system_is_wrong(make: Make, tmp_path: Path) -> None:
    make()
    folder = tmp_path / "sample"
    (folder / "system.yaml").write_text(SYSTEM.replace("title: 样板平台", "titel: 样板平台"), encoding="utf-8")
    (folder / "messages" / "m.yaml").write_text(IN.replace("title", "titel"), encoding="utf-8")

    assert {finding.file for finding in adapters.check(folder)} == {"system.yaml", "messages/m.yaml"}
