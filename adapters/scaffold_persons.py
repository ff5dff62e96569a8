"""Persons in a sample, replaced by invented ones wherever they stand: in lists, in envelopes, in what is packed."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

from adapters.field_names import meaning
from adapters.guessing import MOBILE, Guess, reads_like_a_person
from adapters.sample_document import Opened, open_sample, workbook_with
from adapters.samples import split_http
from adapters.scaffold_packed import changed, members, packing
from adapters.value import as_text, empty

INVENTED = {"name": "示例市民", "phone": "13800000000", "identity": "000000000000000000"}
_WORD = re.compile(r"[\x21-\x7e][\x20-\x7e]*")
_FORM = "application/x-www-form-urlencoded"


class Persons:
    """Who is named in a sample, and what stands for each instead."""

    def __init__(self, opened: Opened, found: Mapping[str, Guess]) -> None:
        self.count = 0
        known = {text: INVENTED[kind] for kind, text in _named(opened, found)}
        self.known = dict(sorted(known.items(), key=lambda pair: -len(pair[0])))

    def replaced(self, text: str) -> str:
        """The text without them."""
        for value, invented in self.known.items():
            if value not in text:
                continue
            pattern = re.escape(value)
            if _WORD.fullmatch(value):  # letters and digits only where they are a word: not in the middle of another
                pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
            text, more = re.subn(pattern, invented, text)
            self.count += more
        return MOBILE.sub(self._phone, text)

    def _phone(self, found: re.Match[str]) -> str:
        self.count += found[0] != INVENTED["phone"]
        return INVENTED["phone"]

    def left(self, file: str, data: bytes) -> bool:
        """True when one of them can still be read in the file, opened as far as it opens."""
        opened = open_sample(file, data)
        texts = (as_text(value) for value in _values(opened))
        return any(self._any(text) for text in texts)

    def _any(self, text: str) -> bool:
        counted = self.count
        new = self.replaced(text)
        self.count = counted
        return new != text


def anonymous(file: str, data: bytes, opened: Opened, found: Mapping[str, Guess]) -> tuple[bytes, int]:
    """The sample with invented persons, and how many values were replaced."""
    persons = Persons(opened, found)
    if file.endswith(".xlsx"):
        return workbook_with(data, lambda text: changed(text, persons.replaced)), persons.count
    head, body = _apart(file, data)
    new_head = persons.replaced(head.decode(opened.charset)).encode(opened.charset)
    if opened.headers.get("content-type", "").startswith(_FORM):
        pairs = parse_qsl(body.decode("ascii", "replace").strip(), keep_blank_values=True)
        return new_head + urlencode([(name, changed(text, persons.replaced)) for name, text in pairs]).encode(), (
            persons.count
        )
    text = body.decode(opened.charset)
    made = new_head + _as_it_stands(text, opened, persons).encode(opened.charset)
    if persons.left(file, made):  # written with escapes: the document is written anew
        persons.count = 0
        persons.replaced(head.decode(opened.charset))
        made = new_head + changed(text.removeprefix("\ufeff"), persons.replaced).encode(opened.charset)
    return made, persons.count


def _apart(file: str, data: bytes) -> tuple[bytes, bytes]:
    if not file.endswith(".http"):
        return b"", data
    body = split_http(data)[1]
    return data[: len(data) - len(body)], body


def _as_it_stands(text: str, opened: Opened, persons: Persons) -> str:
    """The text with its own spaces and order; only what is packed in it is packed anew."""
    packed = {token for token in _tokens(opened.original) if token in text}
    if not packed:
        return persons.replaced(text)
    pieces = re.split("(" + "|".join(re.escape(one) for one in sorted(packed, key=len, reverse=True)) + ")", text)
    return "".join(changed(one, persons.replaced) if one in packed else persons.replaced(one) for one in pieces)


def _tokens(value: object) -> Iterator[str]:
    """Texts that are packed in a way one cannot see through."""
    if isinstance(value, dict):
        for below in value.values():
            yield from _tokens(below)
    elif isinstance(value, list):
        for below in value:
            yield from _tokens(below)
    elif (found := packing(value)) is not None and found.wrapped:
        yield str(value)


def _values(opened: Opened) -> Iterator[object]:
    for document in (opened.original, opened.beside):
        for _, _, value in members(document):
            if not empty(value) and not isinstance(value, bool):
                yield value


def _named(opened: Opened, found: Mapping[str, Guess]) -> Iterator[tuple[str, str]]:
    """(kind, text) of every value that is a person's by its member's name; one sign alone would be met everywhere."""
    guessed = {kind: found[kind].leaf for kind in INVENTED if kind in found}
    for kind, leaf in guessed.items():
        yield from ((kind, text) for value in opened.values[leaf] if (text := _text(value)))
    for document in (opened.original, opened.beside):
        for name, _, value in members(document):
            text = _text(value)
            kind = (meaning(name) or ("",))[0]
            if kind == "title" and name.lower() == "name" and reads_like_a_person(text):
                kind = "name"
            if text and kind in INVENTED:
                yield kind, text


def _text(value: object) -> str:
    if empty(value) or isinstance(value, list | dict | bool):
        return ""
    text = as_text(value).strip()
    return text if len(text) > 1 and text not in INVENTED.values() else ""
