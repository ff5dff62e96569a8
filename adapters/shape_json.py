"""JSON read so that it can be kept: not too deep, and without U+0000, which no text column can hold."""

import json
from typing import Any

import orjson

from canonical.errors import Unacceptable, Why

DEEPEST = 64
"""Levels of a document: validators recurse, and no contract is near this."""
_NUL_MARK = b"\\u0000"
_BACKSLASH = b"\\"


def unreadable(text: str) -> Unacceptable:
    """The bytes are not what the transport says."""
    return Unacceptable(text, why=Why.UNREADABLE)


def storable(text: str) -> str:
    """The text, if a text column can hold it. Raises Unacceptable for U+0000."""
    if "\x00" in text:
        raise unreadable("a text with the character U+0000")
    return text


def read_json(data: bytes) -> Any:  # noqa: ANN401
    """A document. Raises Unacceptable with the place where it breaks."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise unreadable(f"not JSON at character {error.pos}") from None
    if data.count(b"[") + data.count(b"{") > DEEPEST and _deeper_than(DEEPEST, document):
        raise unreadable(f"more than {DEEPEST} levels deep")
    if _BACKSLASH in data and _NUL_MARK in data and _holds_nul(document):
        raise unreadable("a text with the character U+0000")
    return document


def write_json(document: object, charset: str) -> bytes:
    """A document as JSON in the declared charset; what it has no sign for makes the texts ASCII, which JSON can."""
    body = orjson.dumps(document)
    if charset in {"utf-8", "auto"}:
        return body
    try:
        return body.decode().encode(charset)
    except UnicodeEncodeError:
        return json.dumps(orjson.loads(body), separators=(",", ":")).encode(charset)


def _deeper_than(levels: int, document: object) -> bool:
    level = [document]
    for _ in range(levels + 1):
        level = [
            below
            for item in level
            if isinstance(item, dict | list)
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _holds_nul(document: object) -> bool:
    """Walks without recursion: a document may be deep."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return True
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
    return False
