"""Multipart bodies that are no forms, as cameras send them: a description in one part, pictures in the others."""

from email import policy
from email.errors import MessageError
from email.message import Message as Part
from email.parser import BytesParser
from typing import Any

from adapters.charset import text_of
from adapters.shape_json import storable, unreadable
from adapters.writing import written_file

MOST_PARTS = 256
_FILES = ("image/", "video/", "audio/", "application/octet-stream", "application/zip", "application/pdf")


def is_file(media: str | None) -> bool:
    """Whether a part without a file name is a file all the same; senders call their texts the strangest things."""
    return (media or "").strip().lower().startswith(_FILES)


def mixed_parts(body: bytes, content_type: str, charset: str) -> list[dict[str, Any]]:
    """Every part as {name, media, text} or {name, media, content: base64}. Raises Unacceptable (unreadable)."""
    head = f"Content-Type: {' '.join(content_type.split())}\r\n\r\n"
    try:
        whole = BytesParser(policy=policy.compat32).parsebytes(head.encode("latin-1", "replace") + body)
        parts = whole.get_payload() if whole.is_multipart() else []
        if not isinstance(parts, list) or not parts or len(parts) > MOST_PARTS or whole.defects:
            raise unreadable("no multipart body with a boundary, its parts and its end")
        return [_read(part, charset) for part in parts if isinstance(part, Part)]
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):
        raise unreadable("no multipart body that can be read") from None


def _read(part: Part, charset: str) -> dict[str, Any]:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):  # parts inside a part
        raise unreadable("a multipart body inside a multipart body")
    media = part.get_content_type()
    name = storable(str(part.get_param("name", "", "content-disposition") or part.get_filename() or ""))
    if is_file(media) or part.get_filename():
        return written_file(name, media, content)
    return {"name": name, "media": media, "text": text_of(content, charset)}
