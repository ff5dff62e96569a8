"""What a file is, by its first bytes: a source's own word about it is not believed."""

import re

UNKNOWN = "application/octet-stream"

HEAD = 32
"""Bytes that are enough to tell."""

# (offset, bytes there, media type), most telling first.
_SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftyp3gp", "video/3gpp"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_IN_A_RIFF = 8

_WORDS = re.compile(r"\.(html?|xml|json|txt|csv|md|svg)\s*$", re.IGNORECASE)
_SPOKEN = re.compile(r".*(html|json|xml)$")
_BEGINS = re.compile(rb"(\xef\xbb\xbf)?\s*[<{\[]")


def sniff(content: bytes) -> str:
    """The media type that the first bytes show; empty when they show none that we know."""
    for offset, sign, media in _SIGNS:
        if content.startswith(sign, offset) and (offset != _IN_A_RIFF or content.startswith(b"RIFF")):
            return media
    return ""


def says_words(name: str, url: str) -> bool:
    """True when the file's name, or its address, ends like a page or a text."""
    return any(_WORDS.search(text) for text in (name, url.partition("#")[0].partition("?")[0]))


def is_talk(content: bytes, content_type: str) -> bool:
    """True for a page or an error object: what a system says when it does not give the file.

    `text/plain` proves nothing: it is what many servers call every file whose kind they do not know.
    """
    kind = content_type.partition(";")[0].strip().lower()
    return not sniff(content) and bool(_SPOKEN.match(kind) or _BEGINS.match(content))
