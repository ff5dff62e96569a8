"""Encrypted values: what a declaration says of a cipher, and the two ways through it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters import asymmetric
from adapters.cipher import Algorithm, Form, Padding, Vector, decrypt, encrypt, key_bytes, vector_length
from adapters.packed import from_base64
from canonical.errors import Misconfigured, Unacceptable, Why

_WRITTEN: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda data: base64.b64encode(data).decode(),
    "hex": lambda data: data.hex(),
    "HEX": lambda data: data.hex().upper(),
}


_PUBLIC = frozenset(get_args(asymmetric.Cipher))
_DIGESTS = frozenset({"sha256", "md5"})


class FrameKeys(BaseModel):
    """What stands around a message before it is encrypted: random bytes, its length, and whom it is for."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    random: int = Field(default=16, ge=0, le=64, description="bytes before the length, which mean nothing")
    length: Literal["u32be", "u32le", "u16be", "u16le"] = Field(
        default="u32be", description="how the message's number of bytes is written"
    )
    behind: str = Field(
        default="", description="name of the secret that stands behind the message, such as the corp id; it must"
    )

    @property
    def size(self) -> int:
        """Bytes of the length."""
        return 4 if self.length.startswith("u32") else 2

    @property
    def order(self) -> Literal["big", "little"]:
        """Of its bytes."""
        return "big" if self.length.endswith("be") else "little"


class CipherKeys(BaseModel):
    """A cipher with its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cipher: Algorithm | asymmetric.Cipher = Field(
        description="sm4 or aes with a mode; to encrypt only: rsa-pkcs1, rsa-oaep with the other side's public key"
    )
    key: str | dict[str, Any] = Field(
        description="name of the secret, or a rule that makes the key, of a public key that was asked for say"
    )
    iv: str | dict[str, Any] = Field(
        default="",
        description="name of the secret that holds the initial vector, or a rule that makes it, of a nonce say",
    )
    vector: Vector = Field(
        default="secret",
        description="where the initial vector is: secret (`iv`); before (the encrypted bytes); key (its first bytes)",
    )
    form: Form = Field(
        default="text", description="how key and vector are written; sha256, md5: the digest of the text is the key"
    )
    text: Literal["base64", "hex", "HEX"] = Field(default="base64", description="how the encrypted bytes are written")
    padding: Padding = Field(
        default="pkcs7", description="pkcs7: to a block of the cipher; pkcs7-32: to 32 bytes, as messengers do"
    )
    frame: FrameKeys | None = Field(
        default=None, description="what stands around the message inside; left out: nothing does"
    )

    @model_validator(mode="after")
    def _has_its_vector(self) -> Self:
        if self.vector == "secret" and _vector_length(self.cipher) and not self.iv:
            raise ValueError(f"{self.cipher} needs iv: SECRET, or vector: before or key")
        return self


def _vector_length(cipher: str) -> int:
    return 0 if cipher in _PUBLIC else vector_length(cipher)


class Sealer:
    """A cipher with its key filled in. Immutable. Raises Misconfigured when key or vector cannot be."""

    def __init__(self, declared: CipherKeys, key: str, behind: str = "") -> None:
        self.declared = declared
        self._behind = behind.encode()
        self._text = key
        self._key = b"" if declared.cipher in _PUBLIC else key_bytes(key, declared.form)
        self._length = _vector_length(declared.cipher)

    def vector(self, given: object = "") -> bytes:
        """The initial vector, made of what `iv` gives; empty where it stands before the bytes."""
        if self.declared.vector == "key":
            return self._key[: self._length]
        if isinstance(given, bytes):
            return given
        if not given:
            return b""
        made = isinstance(self.declared.iv, dict)  # what a rule makes is the vector itself, not its digest
        return key_bytes(str(given), "text" if made and self.declared.form in _DIGESTS else self.declared.form)

    def opened(self, value: object, given: object = "") -> bytes:
        """The bytes inside an encrypted text. Raises Unacceptable (unreadable), with nothing of the value."""
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        try:
            data = from_base64(text) if self.declared.text == "base64" else bytes.fromhex(text)
        except (ValueError, binascii.Error):
            raise Unacceptable(
                f"not {self.declared.text}, as encrypted bytes are written", why=Why.UNREADABLE
            ) from None
        vector = self.vector(given)
        if self.declared.vector == "before":
            vector, data = data[: self._length], data[self._length :]
        if self.declared.cipher == "rsa-pkcs1" or self.declared.cipher == "rsa-oaep":
            raise Misconfigured("with a public key nothing can be deciphered")
        inside = decrypt(
            data, algorithm=self.declared.cipher, key=self._key, iv=vector, padding=self.declared.padding
        )  # fmt: skip
        return self._unframed(inside, self.declared.frame) if self.declared.frame else inside

    def sealed(self, data: bytes, given: object = "") -> str:
        """The encrypted text.

        A vector that goes before is made of key and data: the same message is written the same again, another never.
        """
        if self.declared.cipher == "rsa-pkcs1" or self.declared.cipher == "rsa-oaep":
            return _WRITTEN[self.declared.text](asymmetric.enciphered(data, self._text, self.declared.cipher))
        if self.declared.frame:
            data = self._framed(data, self.declared.frame)
        vector, before = self.vector(given), b""
        if self.declared.vector == "before":
            before = vector = hmac.digest(self._key, data, hashlib.sha256)[: self._length]
        made = encrypt(
            data, algorithm=self.declared.cipher, key=self._key, iv=vector, padding=self.declared.padding
        )  # fmt: skip
        return _WRITTEN[self.declared.text](before + made)

    def _unframed(self, inside: bytes, frame: FrameKeys) -> bytes:
        """The message without its frame. What does not fit was encrypted by or for somebody else."""
        start = frame.random + frame.size
        end = start + int.from_bytes(inside[frame.random : start], frame.order)
        if len(inside) < start or not hmac.compare_digest(inside[end:] if end <= len(inside) else b"\0", self._behind):
            raise Unacceptable("the message inside is not framed as agreed", why=Why.UNREADABLE)
        return inside[start:end]

    def _framed(self, data: bytes, frame: FrameKeys) -> bytes:
        """The message in its frame; the bytes that mean nothing are made of key and data, as a vector is."""
        mixed = hmac.digest(self._key, b"frame" + data, hashlib.sha512)[: frame.random]
        try:
            length = len(data).to_bytes(frame.size, frame.order)
        except OverflowError:
            raise Unacceptable(f"a message longer than {frame.length} can tell", why=Why.TOO_LARGE) from None
        return mixed + length + data + self._behind
