"""What is packed inside the texts of a sample: found, opened, changed inside and packed again as it was.

For beginning a folder only: reading never looks here. What cannot be opened is told, never passed over.
"""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from adapters.packed import from_base64, gunzipped
from adapters.shape_json import read_json
from adapters.shape_xml import read_xml
from adapters.value import as_text
from canonical.errors import Unacceptable

_JSON, _XML = re.compile(r"\s*[{\[]"), re.compile(r"\s*<[A-Za-z?]")
_BASE64 = re.compile(r"(?:data:[\w/.+-]*;base64,)?[A-Za-z0-9+/_\s-]{8,}={0,2}\s*")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){4,}")
_CJK = re.compile(r"[\u4e00-\u9fff]")
_GZIP, _ZLIB = b"\x1f\x8b", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_FILES = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"%PDF",
    b"PK\x03\x04",
    b"BM",
    b"RIFF",
    b"\x00\x00\x00",
    b"ID3",
    b"#!AMR",
)
"""How pictures, sound, films and documents begin: these are files, not messages."""
_NO_MESSAGE = re.compile(r"sign|token|hash|digest|md5|sha\d|nonce|secret|password|key$|uuid|guid|ticket", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9A-Fa-f-]{1,128}")
_DECLARED = re.compile(r"\s*<\?xml[^>]*\?>\s*")
_SHORTEST_TEXT, _SUSPICIOUS = 9, 40
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Packing:
    """How a text is packed, and what is in it."""

    steps: tuple[str, ...]
    """As `parse` of a rule says them; the last is `json`, `xml` or `text`."""
    text: str
    charset: str

    @property
    def wrapped(self) -> bool:
        """True when it cannot be seen in the text that it is one."""
        return len(self.steps) > 1

    @property
    def document(self) -> Any:  # noqa: ANN401
        """The document inside."""
        return _READ[self.steps[-1]](self.text)


def packing(value: object) -> Packing | None:
    """How a text is packed; None when it is none."""
    if not isinstance(value, str):
        return None
    if kind := _kind(value):
        return Packing((kind,), value, "utf-8")
    for step, looks, decode in (("hex", _HEX, bytes.fromhex), ("base64", _BASE64, from_base64)):
        if looks.fullmatch(value):
            try:
                found = _wrapped(step, decode(value))
            except (ValueError, Unacceptable):
                continue
            if found:
                return found
    return None


def _wrapped(step: str, data: bytes) -> Packing | None:
    steps = [step]
    if data.startswith((_GZIP, *_ZLIB)):
        data = gunzipped(data)
        steps.append("gzip")
    for charset in ("utf-8", "gb18030"):
        try:
            text = data.decode(charset)
        except UnicodeDecodeError:
            continue
        kind = _kind(text) or ("text" if _readable(text, charset, len(steps) > 1) else "")
        return Packing((*steps, kind), text, charset) if kind else None
    return None


def _readable(text: str, charset: str, zipped: bool) -> bool:
    """True of words: letters by chance are neither many printable ones nor Chinese of UTF-8."""
    if not text.isprintable():
        return False
    return zipped or (charset == "utf-8" and bool(_CJK.search(text) or len(text) >= _SHORTEST_TEXT))


def _kind(text: str) -> str:
    kind = "json" if _JSON.match(text) else "xml" if _XML.match(text) else ""
    try:
        return kind if kind and isinstance(_READ[kind](text), dict | list) else ""
    except Unacceptable:
        return ""


_READ: dict[str, Callable[[str], Any]] = {"json": lambda text: read_json(text.encode()), "xml": read_xml, "text": str}


def sealed(name: str, value: object) -> bool:
    """True of a text that looks packed and cannot be opened: sealed, or packed in a way nobody here knows."""
    if not isinstance(value, str) or len(value) < _SUSPICIOUS or packing(value) or _NO_MESSAGE.search(name):
        return False
    if _DIGEST.fullmatch(value) or not (_BASE64.fullmatch(value) or _HEX.fullmatch(value)):
        return False
    if not _HEX.fullmatch(value) and (value.isalpha() or " " in value):
        return False
    try:
        data = bytes.fromhex(value) if _HEX.fullmatch(value) else from_base64(value)
    except ValueError:
        return False
    return not data.startswith(_FILES)


def members(value: Any, name: str = "", path: str = "", depth: int = 0) -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401
    """(name, path, value) of every single value, through objects, lists and what is packed."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from members(below, str(key), f"{path}.{key}".strip("."), depth)
    elif isinstance(value, list):
        for below in value:
            yield from members(below, name, path, depth)
    else:
        found = packing(value) if depth < _DEEPEST else None
        if found is None:
            yield name, path, value
        else:
            yield from members(found.document if found.steps[-1] != "text" else found.text, name, path, _DEEPEST
                               if found.steps[-1] == "text" else depth + 1)  # fmt: skip


Change = Callable[[str], str]


def changed(text: str, change: Change, depth: int = 0) -> str:
    """The text with `change` done to every value in it, however deep it is packed; packed again as it was."""
    found = packing(text) if depth < _DEEPEST else None
    if found is None:
        return change(text)
    new = _CHANGED[found.steps[-1]](found.text, change, depth + 1)
    return text if new == found.text else _again(new, found, text)


def _changed_json(text: str, change: Change, depth: int) -> str:
    def walk(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {key: walk(below) for key, below in value.items()}
        if isinstance(value, list):
            return [walk(below) for below in value]
        if isinstance(value, str):
            return changed(value, change, depth)
        if isinstance(value, bool) or value is None:
            return value
        new = change(as_text(value))
        return value if new == as_text(value) else int(new) if new.isdigit() else new

    was = json.loads(text)
    new = walk(was)
    return text if new == was else json.dumps(new, ensure_ascii=False, indent=1 if "\n" in text.strip() else None)


def _changed_xml(text: str, change: Change, depth: int) -> str:
    declared = _DECLARED.match(text)
    head = declared[0] if declared else ""
    root = etree.fromstring(
        text[len(head) :].encode(), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    )
    touched = False
    for element in root.iter():
        if element.text:
            new = changed(element.text, change, depth)
            touched |= new != element.text
            element.text = new
        if element.tail:
            element.tail = change(element.tail)
        for name, value in element.attrib.items():
            new = changed(str(value), change, depth)
            touched |= new != value
            element.set(name, new)
    return head + etree.tostring(root, encoding="unicode") if touched else text


_CHANGED: dict[str, Callable[[str, Change, int], str]] = {
    "json": _changed_json,
    "xml": _changed_xml,
    "text": lambda text, change, _depth: change(text),
}


def _again(text: str, found: Packing, was: str) -> str:
    if not found.wrapped:
        return text
    data = text.encode(found.charset)
    if "gzip" in found.steps:
        begun = (bytes.fromhex(was) if found.steps[0] == "hex" else from_base64(was))[:2]
        data = gzip.compress(data, mtime=0) if begun == _GZIP else zlib.compress(data)
    if found.steps[0] == "hex":
        return data.hex().upper() if was.upper() == was else data.hex()
    head, comma, body = was.rpartition(",")
    made = base64.b64encode(data).decode()
    if "-" in body or "_" in body:
        made = made.translate(str.maketrans("+/", "-_"))
    return head + comma + (made if body.rstrip().endswith("=") or len(body.strip()) % 4 == 0 else made.rstrip("="))
