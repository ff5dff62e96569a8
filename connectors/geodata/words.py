"""Text of files that do not say how it is encoded: UTF-8 when all of it is, else GB18030, and the reason for people."""

import codecs
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.geodata.sheet import unreadable

Word = tuple[bytes, bool]
"""The bytes of one value, and whether they fill their field: then its last character may have been cut."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding and why it was taken."""

    name: str
    why: str

    def text(self, word: Word) -> str:
        """Raises UnicodeDecodeError. What is left of a character that was cut is dropped."""
        value, full = word
        return codecs.getincrementaldecoder(self.name)("strict").decode(value, final=not full)


_TRIED = (
    Encoding("utf-8", "all of the text is UTF-8"),
    Encoding("gb18030", "some of the text is not UTF-8, all of it is GB18030"),
)


def declared(name: str, who: str) -> Encoding:
    """The encoding of that name. Raises ContractViolation for a name that nobody knows."""
    try:
        found = codecs.lookup(_OTHER_NAMES.get(name.strip().upper(), name.strip()))
        "".encode(found.name)
    except (LookupError, ValueError):
        raise unreadable(f"{who} names the encoding '{name[:40]}', which is not known: pass UTF-8 or GB18030") from None
    wider = {"gbk": "gb18030", "gb2312": "gb18030"}.get(found.name, found.name)  # GB18030 holds both
    return Encoding(wider, f"{who} says {name.strip()}")


_OTHER_NAMES = {"936": "gbk", "ANSI 936": "gbk", "65001": "utf-8", "OEM": "gbk"}
"""What .cpg files call them."""


def encoding_of(words: Iterable[Word], said: Encoding | None, name: str) -> Encoding:
    """What was said, or what fits. Raises ContractViolation when the text is not in it."""
    known = list(words)
    for one in (said,) if said else _TRIED:
        if all(_fits(one, word) for word in known):
            return one
    if said:
        raise unreadable(f"{name}: {said.why}, but the text is not: pass the encoding that it is in")
    raise unreadable(f"{name}: the text is neither UTF-8 nor GB18030: pass the encoding that it is in")


def _fits(encoding: Encoding, word: Word) -> bool:
    try:
        encoding.text(word)
    except UnicodeDecodeError:
        return False
    return True


def whole_text(body: bytes, encoding: str, name: str) -> tuple[str, Encoding]:
    """A text file. A byte order mark decides, else what was passed, else what fits."""
    if body.startswith(codecs.BOM_UTF8):
        said: Encoding | None = Encoding("utf-8-sig", "the file begins with the mark of UTF-8")
    else:
        said = declared(encoding, "the option") if encoding else None
    found = encoding_of([(body, False)], said, name)
    return found.text((body, False)), found


def dbf_widths(body: bytes) -> list[int]:
    """Bytes of each field of a DBF, from its header; empty when it has none."""
    if len(body) < 12:
        return []
    header: int = struct.unpack_from("<H", body, 8)[0]
    return [body[at + 16] for at in range(32, min(header, len(body)) - 31, 32) if body[at] != 0x0D]
