"""Bytes as text. `auto`: UTF-8, else GB18030, and neither when it is UTF-8 that was damaged on the way.

GB18030 makes some text of nearly any bytes: a broken UTF-8 text would be taken for wrong Chinese, and filed.
"""

from canonical.errors import Unacceptable, Why

AUTO = "auto"
_LOST = "\ufffd"
_SEVERAL = 3
"""Characters: of fewer nothing can be said."""


def text_of(data: bytes, charset: str) -> str:
    """The text. Broken bytes and U+0000 are errors, never replaced. Raises Unacceptable (unreadable)."""
    try:
        text = _guessed(data) if charset == AUTO else data.decode(charset)
    except UnicodeDecodeError as error:
        known = "utf-8 or gb18030" if charset == AUTO else charset
        raise Unacceptable(f"not {known} at byte {error.start}", why=Why.UNREADABLE) from None
    if "\x00" in text:
        raise Unacceptable("a text with the character U+0000", why=Why.UNREADABLE)
    return text


def _guessed(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
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
