"""Signing and ciphering: published vectors, the openssl program, and a partner's worked example."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.asymmetric import Signature
from adapters.cipher import Algorithm, decrypt, encrypt, key_bytes
from adapters.signing import ALGORITHMS, OUTPUTS, canonical_pairs, constant_time_equal, within
from canonical.errors import ContractViolation, Misconfigured, Unacceptable, Why

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
EVENTS = "contracts/video-platform-event-subscription/samples"

SM4_BLOCK = bytes.fromhex("0123456789abcdeffedcba9876543210")
"""Key and text of the example in GB/T 32907, annex A."""


def openssl(*arguments: str, data: bytes) -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("algorithm", "data", "key", "digest"),
    [
        ("md5", b"abc", b"", "900150983cd24fb0d6963f7d28e17f72"),  # RFC 1321, A.5
        ("sha1", b"abc", b"", "a9993e364706816aba3e25717850c26c9cd0d89d"),  # FIPS 180
        ("sha256", b"abc", b"", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sm3", b"abc", b"", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),  # GB/T 32905, A.1
        ("hmac-md5", b"what do ya want for nothing?", b"Jefe", "750c783e6ab0b503eaa86e310a5db738"),  # RFC 2202
        ("hmac-sha1", b"what do ya want for nothing?", b"Jefe", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (  # RFC 4231, 4.3
            "hmac-sha256", b"what do ya want for nothing?", b"Jefe",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ],
)  # fmt: skip
def test_a_digest_is_the_published_one(algorithm: str, data: bytes, key: bytes, digest: str) -> None:
    assert ALGORITHMS[algorithm](data, key).hex() == digest


@pytest.mark.parametrize(
    ("algorithm", "data", "checksum"),
    [  # the check values of these names in the catalogue of parametrised CRC algorithms
        ("crc32", b"123456789", "cbf43926"),
        ("crc16-modbus", b"123456789", "4b37"),
        ("crc16-ccitt", b"123456789", "29b1"),
        ("sum8", b"123456789", "dd"),
        ("xor8", b"123456789", "31"),
        (  # the example of HJ 212-2017, appendix A
            "crc16-hj212", b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
            b"CP=&&RtdInterval=30&&", "1c80",
        ),
    ],
)  # fmt: skip
def test_a_checksum_is_the_published_one(algorithm: str, data: bytes, checksum: str) -> None:
    assert ALGORITHMS[algorithm](data, b"").hex() == checksum


CHECKSUMS = {"crc32", "crc16-modbus", "crc16-ccitt", "crc16-hj212", "sum8", "xor8"}


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - CHECKSUMS - set(get_args(Signature))))
def test_a_digest_is_what_openssl_makes_of_it(algorithm: str) -> None:
    data, key = "标题=示例市民&时间=1773623553000".encode(), b"demo-secret-longer-than-a-block" * 3
    name = algorithm.removeprefix("hmac-")
    keyed = ["-hmac", key.decode()] if algorithm != name else []

    said = openssl("dgst", f"-{name}", *keyed, "-binary", data=data)

    assert ALGORITHMS[algorithm](data, key) == said


def test_a_digest_without_a_key_leaves_the_key_aside() -> None:
    assert ALGORITHMS["sm3"](b"abc", b"secret") == ALGORITHMS["sm3"](b"abc", b"")
    assert ALGORITHMS["hmac-sm3"](b"abc", b"secret") != ALGORITHMS["hmac-sm3"](b"abc", b"")


@pytest.mark.parametrize(
    ("output", "text"), [("hex", "fbef00ff"), ("HEX", "FBEF00FF"), ("base64", "++8A/w=="), ("base64url", "--8A_w==")]
)
def test_a_digest_is_written_as_declared(output: str, text: str) -> None:
    assert OUTPUTS[output](b"\xfb\xef\x00\xff") == text


def test_pairs_are_sorted_and_joined_and_the_empty_ones_left_out() -> None:
    document: dict[str, object] = {
        "title": "井盖破损",
        "appId": "a1",
        "sign": "x",
        "note": "",
        "at": None,
        "list": [],
        "count": 0,
    }
    assert canonical_pairs(document, without=("sign",)) == "appId=a1&count=0&title=井盖破损"


def test_empty_pairs_may_be_kept_and_null_is_then_nothing() -> None:
    assert canonical_pairs({"b": None, "a": "", "c": []}, skip_empty=False) == "a=&b=&c=[]"


def test_keys_are_sorted_by_code_point_or_without_regard_to_case_or_not_at_all() -> None:
    document = {"b": 1, "a": 2, "B": 3, "_": 4, "区": 5, "C": 6, "1": 7}
    assert canonical_pairs(document, glue="") == "1=7B=3C=6_=4a=2b=1区=5"
    assert canonical_pairs(document, glue="", fold=True) == "1=7_=4a=2B=3b=1C=6区=5"
    assert canonical_pairs(document, glue="", order="given") == "b=1a=2B=3_=4区=5C=61=7"


def test_values_are_written_as_json_writes_them() -> None:
    document = {
        "true": True, "false": False, "whole": 12345678901234567890, "part": 118.5, "exact": Decimal("1.50"),
        "inner": {"z": [1, "二", None], "a": {}},
    }  # fmt: skip
    assert canonical_pairs(document, order="given", glue="\n").splitlines() == [
        "true=true", "false=false", "whole=12345678901234567890", "part=118.5", "exact=1.50",
        'inner={"z":[1,"二",null],"a":{}}',
    ]  # fmt: skip


def test_pairs_may_be_percent_encoded_and_glued_otherwise() -> None:
    document = {"时": "a b+c/~", "k": "&="}
    assert canonical_pairs(document, encode="percent") == "k=%26%3D&%E6%97%B6=a%20b%2Bc%2F~"
    assert canonical_pairs(document, between=":", glue="\n") == "k:&=\n时:a b+c/~"


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes", "\ud800", {"deep": "\ud800"}])
def test_what_cannot_be_signed_is_a_contract_violation(value: object) -> None:
    with pytest.raises(ContractViolation):
        canonical_pairs({"k": value})
    with pytest.raises(ContractViolation):
        canonical_pairs({"k": value}, encode="percent")


def test_a_value_too_deep_to_write_is_a_contract_violation() -> None:
    deep: list[object] = ["bottom"]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ContractViolation):
        canonical_pairs({"k": deep})


def test_signatures_are_compared_whole() -> None:
    assert constant_time_equal("af01", "af01")
    assert constant_time_equal("AF01", "af01", fold=True)
    assert not constant_time_equal("AF01", "af01")
    assert not constant_time_equal("af01", "af0")
    assert not constant_time_equal("签名\ud800", "af01", fold=True)


@pytest.mark.parametrize(("seconds", "fresh"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_signed_time_counts_for_some_minutes_before_and_after(seconds: int, fresh: bool) -> None:
    assert within(AT + timedelta(seconds=seconds), AT, 300) is fresh


def test_the_worked_example_of_a_video_platform_comes_out(shared: Path) -> None:
    example = next(row for row in json.loads((shared / EVENTS / "index.json").read_bytes()) if "secret" in row)
    sent = example["transport"]["headers"]
    body = (shared / EVENTS / example["file"]).read_bytes()

    md5 = OUTPUTS["base64"](ALGORITHMS["md5"](body, b""))
    named = {name: sent[name] for name in sent["x-ca-signature-headers"].split(",")}
    signed = "\n".join(
        [
            "POST", sent["Accept"], md5, sent["Content-Type"], canonical_pairs(named, between=":", glue="\n"),
            example["transport"]["path"],
        ]
    )  # fmt: skip
    signature = OUTPUTS["base64"](ALGORITHMS["hmac-sha256"](signed.encode(), example["secret"].encode()))

    assert md5 == sent["Content-MD5"]
    assert signed == example["string_to_sign"]
    assert signature == sent["x-ca-signature"]


def test_sm4_gives_the_published_block() -> None:
    block = encrypt(SM4_BLOCK, algorithm="sm4-ecb", key=SM4_BLOCK, padding="none")
    assert block.hex() == "681edf34d206965e86b3e94f536e4246"
    assert decrypt(block, algorithm="sm4-ecb", key=SM4_BLOCK, padding="none") == SM4_BLOCK


def test_aes_gcm_gives_the_published_text_and_tag() -> None:
    """Test case 2 of the GCM specification (McGrew and Viega)."""
    made = encrypt(bytes(16), algorithm="aes-gcm", key=bytes(16), iv=bytes(12))
    assert made.hex() == "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"


def test_sm4_gcm_gives_the_published_text_and_tag() -> None:
    """The example of RFC 8998, A.1, without its additional data: the text alone depends on key and iv only."""
    text = bytes.fromhex("aa" * 8 + "bb" * 8 + "cc" * 8 + "dd" * 8 + "ee" * 8 + "ff" * 8 + "ee" * 8 + "aa" * 8)
    made = encrypt(text, algorithm="sm4-gcm", key=SM4_BLOCK, iv=bytes.fromhex("00001234567800000000abcd"))
    assert made[:16].hex() == "17f399f08c67d5ee19d0dc9969c4bb7d"
    assert len(made) == len(text) + 16


@pytest.mark.parametrize(
    ("algorithm", "key"), [("sm4-ecb", 16), ("sm4-cbc", 16), ("aes-ecb", 16), ("aes-cbc", 24), ("aes-cbc", 32)]
)
def test_a_ciphertext_is_what_openssl_makes_of_it(algorithm: Algorithm, key: int) -> None:
    text, iv = "示例市民 13800000000".encode(), bytes(range(16))
    cipher, _, mode = algorithm.partition("-")
    name = f"{cipher}-{8 * key}-{mode}" if cipher == "aes" else algorithm
    vector = ["-iv", iv.hex()] if mode == "cbc" else []

    said = openssl("enc", f"-{name}", "-K", bytes(range(key)).hex(), *vector, data=text)

    assert encrypt(text, algorithm=algorithm, key=bytes(range(key)), iv=iv) == said
    assert decrypt(said, algorithm=algorithm, key=bytes(range(key)), iv=iv) == text


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@given(text=st.binary(max_size=70))
@settings(max_examples=25, deadline=None)
def test_what_was_enciphered_is_deciphered(algorithm: Algorithm, text: bytes) -> None:
    made = encrypt(text, algorithm=algorithm, key=b"k" * 16, iv=b"i" * 16)
    assert text not in made or len(text) < 8
    assert decrypt(made, algorithm=algorithm, key=b"k" * 16, iv=b"i" * 16) == text


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@given(data=st.binary(max_size=70))
@settings(max_examples=25, deadline=None)
def test_any_bytes_are_deciphered_or_unreadable(algorithm: Algorithm, data: bytes) -> None:
    try:
        decrypt(data, algorithm=algorithm, key=b"k" * 16, iv=b"i" * 16)
    except Unacceptable as error:
        assert error.why is Why.UNREADABLE  # noqa: PT017 both outcomes are right


@pytest.mark.parametrize("algorithm", ["sm4-gcm", "aes-gcm"])
def test_a_message_changed_on_its_way_is_unreadable(algorithm: Algorithm) -> None:
    made = encrypt("三号井盖".encode(), algorithm=algorithm, key=b"k" * 16, iv=b"i" * 12)
    for place in range(len(made)):
        changed = made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :]
        with pytest.raises(Unacceptable):
            decrypt(changed, algorithm=algorithm, key=b"k" * 16, iv=b"i" * 12)


def test_every_trouble_with_a_message_reads_the_same() -> None:
    """Wrong key, wrong padding and half a block: nobody can tell the padding by the answer."""
    text = "示例市民，13800000000"
    made = encrypt(text.encode(), algorithm="sm4-cbc", key=b"k" * 16, iv=b"i" * 16)
    tries = [(made, b"K" * 16), (made[:-16], b"k" * 16), (made[:-1], b"k" * 16), (b"", b"k" * 16), (made, b"short")]
    told = set()
    for data, key in tries:
        with pytest.raises(Unacceptable) as caught:
            decrypt(data, algorithm="sm4-cbc", key=key, iv=b"i" * 16)
        assert caught.value.__suppress_context__
        told.add((str(caught.value), caught.value.why))
    assert len(told) == 1
    assert "138" not in str(told)


@pytest.mark.parametrize(
    ("algorithm", "key", "iv"),
    [("sm4-ecb", 15, 0), ("sm4-cbc", 16, 12), ("aes-cbc", 17, 16), ("aes-gcm", 16, 0), ("aes-gcm", 64, 12)],
)
def test_a_key_or_an_iv_of_the_wrong_length_is_unreadable(algorithm: Algorithm, key: int, iv: int) -> None:
    for work in (encrypt, decrypt):
        with pytest.raises(Unacceptable) as caught:
            work(b"x" * 32, algorithm=algorithm, key=bytes(key), iv=bytes(iv))
        assert caught.value.why is Why.UNREADABLE


def test_without_padding_a_text_must_fill_its_blocks() -> None:
    with pytest.raises(Unacceptable):
        encrypt(b"x" * 15, algorithm="aes-ecb", key=bytes(16), padding="none")


def test_an_unknown_cipher_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        decrypt(b"", algorithm="des-ecb", key=b"")  # type: ignore[arg-type]
    with pytest.raises(Misconfigured):
        encrypt(b"", algorithm="aes-ecb", key=bytes(16), padding="zero")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "form", "key"),
    [("键 1", "text", "键 1".encode()), (" 0aFF\n", "hex", b"\x0a\xff"), ("Cv8=", "base64", b"\x0a\xff")],
)
def test_a_key_is_read_in_its_form(text: str, form: str, key: bytes) -> None:
    assert key_bytes(text, form) == key  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "form"), [("0a0", "hex"), ("zz", "hex"), ("a*==", "base64"), ("k1", "octal")])
def test_a_key_in_another_form_is_misconfigured_and_not_quoted(text: str, form: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        key_bytes(text, form)  # type: ignore[arg-type]
    assert text not in f"{caught.value}"
