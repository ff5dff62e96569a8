"""Enciphered bodies: SM4 (GB/T 32907) and AES in the modes partners use. Pure.

It must never say what was wrong with a text that does not decipher: who may ask often enough would read it by that.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from canonical.errors import Misconfigured, Unacceptable, Why

Algorithm = Literal["sm4-ecb", "sm4-cbc", "sm4-gcm", "aes-ecb", "aes-cbc", "aes-gcm"]
Padding = Literal["pkcs7", "pkcs7-32", "none"]
"""PKCS#7 to a whole block of the cipher, or to 32 bytes as messengers have it."""
Form = Literal["text", "hex", "base64", "sha256", "md5"]
Vector = Literal["secret", "before", "key"]
"""Where the initial vector is: a secret of its own, before the encrypted bytes, or the first bytes of the key."""

TAG = 16
"""Bytes of a GCM tag."""

_PADDING = {"pkcs7": PKCS7(128), "pkcs7-32": PKCS7(256)}  # 128: bits of a block of either cipher

_BLOCK_CIPHERS: Mapping[str, Callable[[bytes], algorithms.SM4 | algorithms.AES]] = MappingProxyType(
    {"sm4": algorithms.SM4, "aes": algorithms.AES}
)

_MODES: Mapping[str, Callable[[bytes], modes.ECB | modes.CBC]] = MappingProxyType(
    {"ecb": lambda _iv: modes.ECB(), "cbc": modes.CBC}  # noqa: S305 partners ask for ECB, weak as it is
)

_FORMS: Mapping[str, Callable[[str], bytes]] = MappingProxyType(
    {
        "text": lambda text: text.encode(),
        "hex": lambda text: binascii.unhexlify(text.strip()),
        "base64": lambda text: base64.b64decode(_padded(text.strip()), validate=True),
        "sha256": lambda text: hashlib.sha256(text.encode()).digest(),
        "md5": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).digest(),
    }
)


def _padded(text: str) -> str:
    """Some platforms hand their keys out without the equals signs at the end."""
    return text + "=" * (-len(text) % 4)


def vector_length(algorithm: str) -> int:
    """Bytes of the initial vector, as nearly everybody has it: 12 with GCM, 16 with CBC, none with ECB."""
    return {"ecb": 0, "cbc": 16, "gcm": 12}[algorithm.partition("-")[2]]


def encrypt(data: bytes, *, algorithm: Algorithm, key: bytes, iv: bytes = b"", padding: Padding = "pkcs7") -> bytes:
    """The ciphertext; with GCM its tag stands behind it.

    Keys are 16 bytes (AES also 24 and 32); `iv` is 16 bytes for CBC, 8 to 128 (mostly 12) for GCM, and unused by ECB.
    GCM pads nothing and leaves `padding` aside. Raises Unacceptable when a length does not fit, Misconfigured when the
    algorithm is unknown or missing in the library here.
    """
    return _done(_encrypted, data, algorithm, key, iv, padding)


def decrypt(data: bytes, *, algorithm: Algorithm, key: bytes, iv: bytes = b"", padding: Padding = "pkcs7") -> bytes:
    """The text that `encrypt` was given, under the same rules.

    Raises Unacceptable (unreadable), with one and the same text for a wrong key, a wrong length, wrong padding and a
    changed message; Misconfigured as `encrypt` does.
    """
    return _done(_decrypted, data, algorithm, key, iv, padding)


def key_bytes(text: str, form: Form) -> bytes:
    """A key or an iv as a setting holds it. Raises Misconfigured, which does not quote it."""
    if form not in _FORMS:
        raise Misconfigured(f"a key cannot be written as '{form}', only as {', '.join(_FORMS)}")
    try:
        return _FORMS[form](text)
    except ValueError:  # binascii's and Unicode's errors are ValueErrors too
        raise Misconfigured(f"the key is not {form}") from None


_Work = Callable[[bytes, str, bytes, bytes, str], bytes]


def _done(work: _Work, data: bytes, algorithm: str, key: bytes, iv: bytes, padding: str) -> bytes:
    """The one place where the library's errors become ours."""
    if algorithm not in get_args(Algorithm) or padding not in get_args(Padding):
        raise Misconfigured(f"no such cipher: {algorithm} with padding {padding}")
    try:
        return work(data, algorithm, key, iv, padding)
    except UnsupportedAlgorithm:
        raise Misconfigured(f"the cryptography library here was built without {algorithm}") from None
    except (ValueError, InvalidTag):
        raise Unacceptable(f"{algorithm}: the message, its key or its iv does not fit", why=Why.UNREADABLE) from None


def _encrypted(data: bytes, algorithm: str, key: bytes, iv: bytes, padding: str) -> bytes:
    cipher, _, mode = algorithm.partition("-")
    block_cipher = _BLOCK_CIPHERS[cipher](key)
    if mode == "gcm":
        sealing = Cipher(block_cipher, modes.GCM(iv)).encryptor()
        return sealing.update(data) + sealing.finalize() + sealing.tag
    if padding != "none":
        padder = _PADDING[padding].padder()
        data = padder.update(data) + padder.finalize()
    encryptor = Cipher(block_cipher, _MODES[mode](iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _decrypted(data: bytes, algorithm: str, key: bytes, iv: bytes, padding: str) -> bytes:
    cipher, _, mode = algorithm.partition("-")
    block_cipher = _BLOCK_CIPHERS[cipher](key)
    if mode == "gcm":
        opening = Cipher(block_cipher, modes.GCM(iv, data[-TAG:])).decryptor()
        return opening.update(data[:-TAG]) + opening.finalize()
    decryptor = Cipher(block_cipher, _MODES[mode](iv)).decryptor()
    text = decryptor.update(data) + decryptor.finalize()
    if padding == "none":
        return text
    unpadder = _PADDING[padding].unpadder()
    return unpadder.update(text) + unpadder.finalize()
