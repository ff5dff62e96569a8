"""Bytes as text, and back. `auto`: UTF-8, else GB18030, and neither when it is UTF-8 that was damaged on the way.

GB18030 makes some text of nearly any bytes: a broken UTF-8 text would be taken for wrong Chinese, and filed. The other
way round, a few Chinese characters in GBK make whole letters of UTF-8; see `_chinese_by_chance`.
"""

import re
from collections.abc import Mapping

from canonical.errors import Unacceptable, Why

AUTO = "auto"
_LARGER: Mapping[str, str] = {"gb2312": "gb18030", "gb_2312": "gb18030", "gbk": "gb18030", "cp936": "gb18030"}
"""What is declared as one of the smaller sets holds the larger one's signs sooner or later."""
_LOST = "\ufffd"
_SEVERAL = 3
"""Characters: of fewer nothing can be said."""


def text_of(data: bytes, charset: str) -> str:
    """The text. Broken bytes and U+0000 are errors, never replaced. Raises Unacceptable (unreadable)."""
    try:
        text = _guessed(data) if charset == AUTO else data.decode(_LARGER.get(charset.lower(), charset))
    except UnicodeDecodeError as error:
        known = "utf-8 or gb18030" if charset == AUTO else charset
        raise Unacceptable(f"not {known} at byte {error.start}", why=Why.UNREADABLE) from None
    if "\x00" in text:
        raise Unacceptable("a text with the character U+0000", why=Why.UNREADABLE)
    return text


def _guessed(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
        return data.decode("gb18030") if _chinese_by_chance(text, data) else text
    except UnicodeDecodeError as broken:
        if _damaged_utf_8(data):
            raise broken from None
    text = data.decode("gb18030")
    if any("\ue000" <= character <= "\uf8ff" for character in text):  # private use: no keyboard writes it
        raise UnicodeDecodeError("gb18030", data, 0, 1, "private use")
    return text


def _damaged_utf_8(data: bytes) -> bool:
    """Whether far more characters are whole in UTF-8 than are broken: real GB18030 has hardly a whole one."""
    read = data.decode("utf-8", "replace")
    whole = sum(character > "\x7f" and character != _LOST for character in read)
    return whole >= _SEVERAL and whole > 2 * read.count(_LOST)


def _chinese_by_chance(text: str, data: bytes) -> bool:
    """Whether a text of UTF-8 is rather Chinese in GBK: D2 BB is 一 there, and a Bashkir letter in UTF-8.

    Only where no sign is Chinese in UTF-8, and all that is not ASCII lies outside the letters and signs that are met in
    Chinese texts: Latin-1 (° · × é), Greek and Russian.
    """
    if not (foreign := _FOREIGN.findall(text)) or _MET.search(text):
        return False
    try:
        return all(sign < "\x80" or "\u4e00" <= sign <= "\u9fff" for sign in data.decode("gb18030")) and bool(foreign)
    except UnicodeDecodeError:
        return False


_FOREIGN = re.compile("[^\x00-\x7f]")
_MET = re.compile("[\xa0-\xff\u0391-\u03c9\u0401\u0410-\u0451\u0800-\U0010ffff]")


def written(text: str, charset: str) -> bytes:
    """The text's bytes; `?` for what the charset has no sign for, as a message must not wait for an emoji."""
    return text.encode("utf-8" if charset == AUTO else charset, "replace")


def known(charset: str) -> bool:
    """Whether texts can be read and written in it."""
    try:
        "".encode("utf-8" if charset == AUTO else charset)
    except LookupError:
        return False
    return charset.lower().replace("-", "_") not in _NO_CHARSETS


_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf_7"})
"""What the library encodes and no text travels in."""


def contradiction(content_type: object, charset: str) -> str:
    """The charset that a content type states where it is another than the one that is written; else empty."""
    found = _STATED.search(content_type) if isinstance(content_type, str) else None
    return found[1] if found and _family(found[1]) != _family(charset) else ""


_STATED = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)


def _family(charset: str) -> str:
    name = charset.lower()
    return "utf-8" if name in {AUTO, "utf8", "utf-8-sig"} else _LARGER.get(name, name)
