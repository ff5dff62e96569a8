"""Multipart bodies that are no forms, as cameras send them: a description in one part, pictures in the others."""

import re
from collections.abc import Callable
from email import policy
from email.errors import MessageError
from email.message import Message as Part
from email.parser import BytesParser
from typing import Any, TypeVar

from adapters.charset import text_of
from adapters.shape_json import storable, unreadable
from adapters.writing import written_file

MOST_PARTS = 256
T = TypeVar("T")
_FILES = ("image/", "video/", "audio/", "application/octet-stream", "application/zip", "application/pdf")


def is_file(media: str | None) -> bool:
    """Whether a part without a file name is a file all the same; senders call their texts the strangest things."""
    return (media or "").strip().lower().startswith(_FILES)


def mixed_parts(body: bytes, content_type: str, charset: str) -> list[dict[str, Any]]:
    """Every part as {name, media, text} or {name, media, content: base64}. Raises Unacceptable (unreadable)."""
    return each_part(body, content_type, lambda part: _read(part, charset))[1]


def each_part(body: bytes, content_type: str, read: Callable[[Part], T]) -> tuple[str, list[T]]:
    """The content id of the part to begin with, as far as the head names one, and every part as `read` reads it.

    Raises Unacceptable (unreadable): no boundary, no parts, no end, or more than MOST_PARTS.
    """
    head = f"Content-Type: {' '.join(content_type.split())}\r\n\r\n"
    try:
        whole = BytesParser(policy=policy.compat32).parsebytes(head.encode("latin-1", "replace") + body)
        parts = whole.get_payload() if whole.is_multipart() else []
        if not isinstance(parts, list) or not parts or len(parts) > MOST_PARTS or whole.defects:
            raise unreadable(f"no {_kind(content_type)} body with a boundary, its parts and its end")
        start = str(whole.get_param("start", "") or "").strip("<> ")
        return start, [read(part) for part in parts if isinstance(part, Part)]
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):
        raise unreadable("no multipart body that can be read") from None


def _kind(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return kind if re.fullmatch(r"multipart/[a-z-]{1,30}", kind) else "multipart"


def content_of(part: Part) -> bytes:
    """The bytes of a part. Raises Unacceptable when it has parts itself."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        raise unreadable("a multipart body inside a multipart body")
    return content


def _read(part: Part, charset: str) -> dict[str, Any]:
    content = content_of(part)
    media = part.get_content_type()
    name = storable(str(part.get_param("name", "", "content-disposition") or part.get_filename() or ""))
    if is_file(media) or part.get_filename():
        return written_file(name, media, content)
    return {"name": name, "media": media, "text": text_of(content, charset)}
