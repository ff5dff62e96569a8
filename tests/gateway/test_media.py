"""What a file is: by its first bytes, whatever its sender calls it."""

import pytest

from gateway.media import is_talk, says_words, sniff

_PICTURE = b"\xff\xd8\xff\xe0 a lamp that does not burn"
_PAGE = b"\n<!DOCTYPE html><title>login</title>"


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (_PICTURE, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"FORM\x00\x00\x00\x00WAVEfmt ", ""),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypqt  ", "video/quicktime"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"#!AMR\n", "audio/amr"),
        (_PAGE, ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_what_a_file_is(content: bytes, media: str) -> None:
    assert sniff(content) == media


@pytest.mark.parametrize(
    ("content", "content_type", "talk"),
    [
        (b"\xef\xbb\xbf{}", "", True),
        (b"<?xml version='1.0'?>", "", True),
        (b"[]", "application/octet-stream", True),
        (b"sorry", "Text/HTML; charset=gbk", True),
        (b"sorry", "application/problem+json", True),
        (b"\x01\x02", "text/plain", False),
        (b"{\\rtf1", "application/json", False),
        (_PICTURE, "application/json", False),
    ],
)
def test_pages_and_error_objects_are_told_from_files(content: bytes, content_type: str, talk: bool) -> None:
    assert is_talk(content, content_type) is talk


def test_a_name_or_an_address_may_promise_words() -> None:
    assert says_words("说明.HTML ", "https://x.example/1")
    assert says_words("", "https://x.example/1.json?key=1.jpg")
    assert not says_words("现场.jpg", "https://x.example/get?name=1.html")
