"""What signing recipes are made of: digests, how they are written, and the text they are taken over. Pure.

It must never know a recipe: which parts are signed, in which order, stands in a system's declaration.
"""

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from operator import xor
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from adapters import asymmetric
from adapters.value import empty
from canonical.errors import ContractViolation, Misconfigured

Sign = Callable[[bytes, bytes], bytes]
"""Data and key to digest."""


def _plain(name: str) -> Sign:
    """A digest without a key: recipes of this kind have put their secret into the data."""
    return lambda data, _key: hashlib.new(name, data, usedforsecurity=False).digest()


def _keyed(name: str) -> Sign:
    return lambda data, key: hmac.digest(key, data, name)


# Not from hashlib: whether the interpreter's OpenSSL knows SM3 differs from one distribution to the next.
def _sm3(data: bytes, _key: bytes) -> bytes:
    try:
        digest = hashes.Hash(hashes.SM3())
    except UnsupportedAlgorithm:
        raise Misconfigured("the cryptography library here was built without SM3") from None
    digest.update(data)
    return digest.finalize()


def _hmac_sm3(data: bytes, key: bytes) -> bytes:
    try:
        digest = HMAC(key, hashes.SM3())
    except UnsupportedAlgorithm:
        raise Misconfigured("the cryptography library here was built without SM3") from None
    digest.update(data)
    return digest.finalize()


def _modbus(data: bytes, _key: bytes) -> bytes:
    register = 0xFFFF
    for octet in data:
        register = _shifted(register ^ octet)
    return register.to_bytes(2, "big")


# HJ 212-2017, appendix A: the octet goes into the low half only, and the high half moves down before.
def _hj212(data: bytes, _key: bytes) -> bytes:
    register = 0xFFFF
    for octet in data:
        register = _shifted((register >> 8) ^ octet)
    return register.to_bytes(2, "big")


def _shifted(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register


ALGORITHMS: Mapping[str, Sign] = MappingProxyType(
    {
        "md5": _plain("md5"),
        "sha1": _plain("sha1"),
        "sha256": _plain("sha256"),
        "sha384": _plain("sha384"),
        "sha512": _plain("sha512"),
        "sm3": _sm3,
        "crc32": lambda data, _key: zlib.crc32(data).to_bytes(4, "big"),
        "crc16-modbus": _modbus,
        "crc16-ccitt": lambda data, _key: binascii.crc_hqx(data, 0xFFFF).to_bytes(2, "big"),
        "crc16-hj212": _hj212,
        "sum8": lambda data, _key: bytes([sum(data) & 0xFF]),
        "xor8": lambda data, _key: bytes([reduce(xor, data, 0)]),
        "hmac-md5": _keyed("md5"),
        "hmac-sha1": _keyed("sha1"),
        "hmac-sha256": _keyed("sha256"),
        "hmac-sha384": _keyed("sha384"),
        "hmac-sha512": _keyed("sha512"),
        "hmac-sm3": _hmac_sm3,
        "rsa-sha1": lambda data, key: asymmetric.signed(data, key.decode(), "rsa-sha1"),
        "rsa-sha256": lambda data, key: asymmetric.signed(data, key.decode(), "rsa-sha256"),
    }
)
"""Those without `hmac-` take no key and leave it aside. SM3 and HMAC-SM3 raise Misconfigured where they are missing."""

OUTPUTS: Mapping[str, Callable[[bytes], Any]] = MappingProxyType(
    {
        "hex": lambda digest: digest.hex(),
        "HEX": lambda digest: digest.hex().upper(),
        "base64": lambda digest: base64.b64encode(digest).decode(),
        "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode(),
        "bytes": lambda digest: digest,
    }
)
"""How a digest is written. Both base64 forms keep their padding (RFC 4648, 3.2)."""

_ENCODINGS: Mapping[str, Callable[[str, str], str]] = MappingProxyType(
    {
        "none": lambda text, _charset: text,
        "percent": lambda text, charset: quote(
            text, safe="", encoding=charset, errors="strict" if charset == "utf-8" else "replace"
        ),
    }
)


def canonical_pairs(
    document: Mapping[str, object],
    *,
    without: tuple[str, ...] = (),
    order: Literal["sorted", "given"] = "sorted",
    between: str = "=",
    glue: str = "&",
    skip_empty: bool = True,
    fold: bool = False,
    encode: Literal["none", "percent"] = "none",
    charset: str = "utf-8",
) -> str:
    """`k=v` joined by `&`: the text most recipes sign.

    `without`: keys left out, such as the signature's own. `order`: by code point of the keys, or as they come; `fold`
    sorts without regard to case (the keys are still written as they are). `skip_empty` leaves out null, "", [] and {};
    a null that is kept is written as nothing. `encode`: "percent" writes keys and values as RFC 3986 does (a blank is
    %20), their bytes in `charset`. Numbers and booleans are as in JSON, objects and lists compact JSON with their keys
    in the given order. Raises ContractViolation for what JSON cannot hold.
    """
    write = _ENCODINGS[encode]

    def written(text: str) -> str:
        return write(text, charset)

    kept = [(key, value) for key, value in document.items() if key not in without and not (skip_empty and empty(value))]
    pairs = kept if order == "given" else _sorted(kept, fold=fold)
    try:
        text = glue.join(f"{written(key)}{between}{written(_text(key, value))}" for key, value in pairs)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no signer can have had bytes for it
        raise ContractViolation("a value to be signed is not Unicode text") from None
    return text


def constant_time_equal(a: str, b: str, fold: bool = False) -> bool:
    """Whether two signatures are the same, in a time that does not tell where they differ. `fold`: case aside (hex)."""
    left, right = (text.lower() if fold else text for text in (a, b))
    return hmac.compare_digest(left.encode(errors="surrogatepass"), right.encode(errors="surrogatepass"))


def within(timestamp: datetime, now: datetime, seconds: float) -> bool:
    """Whether a signed time is at most that far from now, before or after. Both are aware."""
    return abs(now - timestamp) <= timedelta(seconds=seconds)


def _sorted(pairs: Iterable[tuple[str, object]], *, fold: bool) -> list[tuple[str, object]]:
    return sorted(pairs, key=lambda pair: (pair[0].lower() if fold else "", pair[0]))


def _text(key: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str | Decimal):  # a number read as Decimal keeps the digits its sender signed
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise ContractViolation(f"'{key}' cannot be written as JSON to be signed", at=key) from None
