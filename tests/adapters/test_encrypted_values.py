"""Values and bodies that are encrypted, both ways, beside the library's own primitives."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

import adapters
from adapters import System
from canonical.errors import Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import ID, NOW, outbound_of

KEY, VECTOR = "0123456789abcdef", "fedcba9876543210"
HEAD = """\
title: 加密平台
edition: "1"
roles: [source, owner]
crs: EPSG:4490
secrets:
  key: {title: 密钥, sample: 0123456789abcdef}
  iv: {title: 向量, sample: fedcba9876543210}
"""
DOOR = """\
connector: {protocol: http}
doors:
  d:
    shape: [json]
    messages: [m]
    reply:
      format: json
      rows: [{body: {data: {object: {code: 0, no: {from: case_no}}, encrypt: %s}}}]
"""
MESSAGE = """\
direction: in
title: 上报
contract: any.schema.json
external_id: {from: data, decrypt: %s, parse: [json], pick: id}
report: {title: {from: data, decrypt: %s, parse: [json], pick: 标题}}
"""
OUT = """\
direction: out
title: 派遣
repeat: safe
path: /cases
format: %s
answer: any
body: %s
"""
ANSWERS = "answers: {any: {shape: [json], rows: [{http: 2xx, then: accepted}]}}\n"
ANSWERS += "tells: {owner: {dispatch: out}, both: {dispatch: out}}\n"
WAYS = {
    "sm4, vector of its own": ("{cipher: sm4-cbc, key: key, iv: iv, text: hex}", algorithms.SM4, KEY.encode()),
    "aes, vector before": ("{cipher: aes-cbc, key: key, vector: before, form: sha256}", algorithms.AES,
                           hashlib.sha256(KEY.encode()).digest()),
    "aes, vector in the key": ("{cipher: aes-cbc, key: key, vector: key}", algorithms.AES, KEY.encode()),
    "sm4, no vector": ("{cipher: sm4-ecb, key: key, form: md5, text: HEX}", algorithms.SM4,
                       hashlib.md5(KEY.encode(), usedforsecurity=False).digest()),
    "aes, galois, vector before": ("{cipher: aes-gcm, key: key, vector: before}", algorithms.AES, KEY.encode()),
}  # fmt: skip
"""How it is declared, and cipher and key as a platform would have them."""

Make = Callable[[str, str], System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A system that encrypts so, with a way out of that format."""

    def loaded(declared: str, format: str = "json") -> System:  # noqa: A002 as the key is called
        whole = f"{{object: {{no: {{from: case.no}}, t: 井盖}}, encrypt: {declared}}}"
        files = {
            "system.yaml": HEAD + DOOR % declared + ANSWERS,
            "messages/m.yaml": MESSAGE % (declared, declared),
            "messages/out.yaml": OUT % (format, whole if format == "text" else f"{{data: {whole}}}"),
            "contract/any.schema.json": "{}",
        }
        for name, text in files.items():
            path = tmp_path / "sealed" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert adapters.check(tmp_path / "sealed") == []
        return adapters.load(tmp_path / "sealed", adapters.sample_secrets(tmp_path / "sealed"))

    return loaded


def mode_of(declared: str, vector: bytes, tag: bytes | None = None) -> Any:
    if "gcm" in declared:
        return modes.GCM(vector, tag)
    return modes.ECB() if "ecb" in declared else modes.CBC(vector)


def platform_seals(declared: str, cipher: Any, key: bytes, text: bytes) -> str:
    """What such a platform sends."""
    vector = VECTOR.encode() if "iv: iv" in declared else key[:16] if "vector: key" in declared else b"v" * 16
    vector = vector[:12] if "gcm" in declared else vector
    padder = PKCS7(128).padder()
    padded = text if "gcm" in declared else padder.update(text) + padder.finalize()
    encryptor = Cipher(cipher(key), mode_of(declared, vector)).encryptor()
    data = encryptor.update(padded) + encryptor.finalize()
    data += encryptor.tag if "gcm" in declared else b""
    data = vector + data if "before" in declared else data
    return data.hex() if "text: hex" in declared.lower() else base64.b64encode(data).decode()


def platform_opens(declared: str, cipher: Any, key: bytes, text: str) -> bytes:
    """What such a platform makes of what we send."""
    data = bytes.fromhex(text) if "text: hex" in declared.lower() else base64.b64decode(text)
    length = 12 if "gcm" in declared else 16
    vector = VECTOR.encode() if "iv: iv" in declared else key[:16]
    if "before" in declared:
        vector, data = data[:length], data[length:]
    if "gcm" in declared:
        data, tag = data[:-16], data[-16:]
        decryptor = Cipher(cipher(key), mode_of(declared, vector, tag)).decryptor()
        return decryptor.update(data) + decryptor.finalize()
    decryptor = Cipher(cipher(key), mode_of(declared, vector)).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()


def push(body: object) -> Message:
    return Message(
        system="s", body=json.dumps(body).encode(), at=NOW, id=ID, door="d", content_type="application/json"
    )  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_an_encrypted_value_is_read(make: Make, way: str) -> None:
    declared, cipher, key = WAYS[way]
    sent = platform_seals(declared, cipher, key, '{"id":7,"标题":"井盖松动"}'.encode())

    [reading] = make(declared, "json").receive(push({"data": sent}))

    assert isinstance(reading, Reading)
    assert reading.report
    assert (reading.external_id, reading.report.title) == ("7", "井盖松动")


@pytest.mark.parametrize("format_", ["json", "text"])
@pytest.mark.parametrize("way", WAYS)
def test_what_we_encrypt_the_other_side_opens(make: Make, way: str, format_: str) -> None:
    declared, cipher, key = WAYS[way]
    system = make(declared, format_)
    outbound = outbound_of("out", {"case": {"no": "26-1"}, "action": _DISPATCH})

    message = system.write(outbound, now=NOW, id=ID)

    sent = json.loads(message.body)["data"] if format_ == "json" else message.body.decode()
    assert json.loads(platform_opens(declared, cipher, key, sent)) == {"no": "26-1", "t": "井盖"}
    assert system.write(outbound, now=NOW, id=ID).body == message.body, "samples and a second sending say the same"


@pytest.mark.parametrize("way", WAYS)
def test_a_reply_is_encrypted(make: Make, way: str) -> None:
    declared, cipher, key = WAYS[way]

    reply = make(declared, "json").reply(push({}), Outcome(Verdict.CASE, case_no="26-2"))

    assert json.loads(platform_opens(declared, cipher, key, json.loads(reply.body)["data"])) == {
        "code": 0,
        "no": "26-2",
    }


@pytest.mark.parametrize("sent", ["", "zz", "AA==", "0" * 64, "A" * 44, 7, ["x"], None, {"a": 1}])
@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_opened_is_refused_without_a_word_of_it(make: Make, way: str, sent: object) -> None:
    [refusal] = make(WAYS[way][0], "json").receive(push({"data": sent}))

    assert isinstance(refusal, Unacceptable)
    assert refusal.why in {Why.UNREADABLE, Why.CONTRACT}
    assert KEY not in str(refusal)


def test_two_values_never_have_the_same_vector(make: Make) -> None:
    system = make("{cipher: aes-gcm, key: key, vector: before}", "text")
    sent = {base64.b64decode(system.write(_numbered(number), now=NOW, id=ID).body)[:12] for number in range(200)}

    assert len(sent) == 200


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("{cipher: aes-cbc, key: key}", "needs iv"),
        ("{cipher: aes-ecb, key: kee}", "did you mean 'key'"),
        ("{cipher: aes-cbx, key: key}", "'aes-cbc'"),
    ],
)
def test_a_cipher_that_cannot_work_is_found(make: Make, tmp_path: Path, declared: str, told: str) -> None:
    with pytest.raises(AssertionError):
        make(declared, "json")

    assert any(told in finding.text for finding in adapters.check(tmp_path / "sealed")), adapters.check(
        tmp_path / "sealed"
    )


_DISPATCH = {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00", "unit": "u"}


def _numbered(number: int) -> Any:
    return outbound_of("out", {"case": {"no": f"26-{number}"}, "action": _DISPATCH})
