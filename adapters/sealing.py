"""Encrypted values: what a declaration says of a cipher, and the two ways through it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.cipher import Algorithm, Form, Vector, decrypt, encrypt, key_bytes, vector_length
from adapters.packed import from_base64
from canonical.errors import Unacceptable, Why

_WRITTEN: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda data: base64.b64encode(data).decode(),
    "hex": lambda data: data.hex(),
    "HEX": lambda data: data.hex().upper(),
}


class CipherKeys(BaseModel):
    """A cipher with its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cipher: Algorithm
    key: str = Field(description="name of the secret")
    iv: str = Field(default="", description="name of the secret that holds the initial vector")
    vector: Vector = Field(
        default="secret",
        description="where the initial vector is: secret (`iv`); before (the encrypted bytes); key (its first bytes)",
    )
    form: Form = Field(
        default="text", description="how key and vector are written; sha256, md5: the digest of the text is the key"
    )
    text: Literal["base64", "hex", "HEX"] = Field(default="base64", description="how the encrypted bytes are written")

    @model_validator(mode="after")
    def _has_its_vector(self) -> Self:
        if self.vector == "secret" and vector_length(self.cipher) and not self.iv:
            raise ValueError(f"{self.cipher} needs iv: SECRET, or vector: before or key")
        return self


class Sealer:
    """A cipher with its key filled in. Immutable. Raises Misconfigured when key or vector cannot be."""

    def __init__(self, declared: CipherKeys, key: str, iv: str) -> None:
        self.declared = declared
        self._key = key_bytes(key, declared.form)
        self._length = vector_length(declared.cipher)
        self._vector = b""
        if declared.vector == "key":
            self._vector = self._key[: self._length]
        elif declared.vector == "secret":
            self._vector = key_bytes(iv, declared.form) if iv else b""

    def opened(self, value: object) -> bytes:
        """The bytes inside an encrypted text. Raises Unacceptable (unreadable), with nothing of the value."""
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        try:
            data = from_base64(text) if self.declared.text == "base64" else bytes.fromhex(text)
        except (ValueError, binascii.Error):
            raise Unacceptable(
                f"not {self.declared.text}, as encrypted bytes are written", why=Why.UNREADABLE
            ) from None
        vector = self._vector
        if self.declared.vector == "before":
            vector, data = data[: self._length], data[self._length :]
        return decrypt(data, algorithm=self.declared.cipher, key=self._key, iv=vector)

    def sealed(self, data: bytes) -> str:
        """The encrypted text.

        A vector that goes before is made of key and data: the same message is written the same again, another never.
        """
        vector, before = self._vector, b""
        if self.declared.vector == "before":
            before = vector = hmac.digest(self._key, data, hashlib.sha256)[: self._length]
        made = encrypt(data, algorithm=self.declared.cipher, key=self._key, iv=vector)
        return _WRITTEN[self.declared.text](before + made)
