"""What is packed inside a value: base64, hex, gzip, JSON, XML, a query in a text."""

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from adapters.charset import AUTO, text_of
from adapters.shape_json import read_json, storable
from adapters.shape_xml import read_xml
from adapters.value import as_text
from canonical.errors import Unacceptable, Why

MOST = 16 * 1024 * 1024
"""Bytes anything may unpack to."""


def unpacked(value: object, steps: Sequence[str], at: str, charset: str = "") -> Any:  # noqa: ANN401
    """The value after all steps; a value that is no text (parsed JSON already) passes. Raises Unacceptable.

    `charset`: that of the bytes which become text; without it UTF-8, else GB18030.
    """
    for step in steps:
        if isinstance(value, dict | list):
            return value
        try:
            if charset and step in _OF_TEXT and isinstance(value, bytes):
                value = text_of(value, charset)
            value = _query(value, charset or "utf-8") if step == "query" else _UNPACK[step](value)
        except Unacceptable as error:
            raise Unacceptable(f"{at}: {error}", why=error.why, at=at) from None
        except (ValueError, zlib.error, binascii.Error):
            raise Unacceptable(f"{at}: not {step}", why=Why.UNREADABLE, at=at) from None
    return value


def gunzipped(data: bytes, most: int = MOST) -> bytes:
    """gzip or zlib data unpacked. Raises Unacceptable when it grows beyond `most` bytes, ValueError when broken."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        body = unpacker.decompress(data, most + 1)
    except zlib.error:
        raise ValueError("not gzip") from None
    if len(body) > most:
        raise Unacceptable(f"unpacks to more than {most} bytes", why=Why.TOO_LARGE)
    if not unpacker.eof:
        raise ValueError("gzip data that ends early")
    return body


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode()


def from_base64(value: object) -> bytes:
    """Base64 with either alphabet, with or without padding and white space, or after `data:...;base64,`."""
    text = b"".join(_bytes(value).split())
    if text.startswith(b"data:"):
        text = text.partition(b",")[2]
    text = text.translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def _text(value: object) -> str:
    """Bytes as text: UTF-8, else GB18030."""
    return text_of(_bytes(value), AUTO)


def _query(value: object, charset: str) -> dict[str, str]:
    pairs = parse_qsl(_text(value), keep_blank_values=True, strict_parsing=True, encoding=charset, errors="strict")
    return {storable(name): storable(text) for name, text in pairs}


_OF_TEXT = frozenset({"text", "json", "xml", "query"})
_UNPACK: Mapping[str, Callable[[Any], Any]] = {
    "base64": from_base64,
    "hex": lambda value: bytes.fromhex(as_text(value) if not isinstance(value, bytes) else value.decode("ascii")),
    "gzip": lambda value: gunzipped(_bytes(value)),
    "text": _text,
    "json": lambda value: read_json(_bytes(value)),
    "xml": lambda value: read_xml(_text(value)),
}
