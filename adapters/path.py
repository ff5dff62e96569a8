"""Dotted paths into a document, checked against the names it may have.

`a.b` goes into objects, a number takes an item of a list (`rows.0`), `.` is the document itself, quotes keep a name
with dots together (`'@odata.nextLink'`). A first name with `$` leads around the document: the message's headers, query,
topic and so on, see `CONTEXT`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.inline import Code

Get = Callable[[Any], Any]
"""A compiled rule or path: document to value, None when there is none."""

Names = Mapping[str, Any]
"""The names a document may have: name to the names below; `[]` stands for the items of a list, `*` for any name."""

_any: dict[str, Any] = {}
_any["*"] = _any
_any["[]"] = _any
ANYTHING: Names = _any
"""Any name, at any depth."""

CONTEXT_MEANING: Mapping[str, str] = {
    "$headers": "`$headers.x-name`: a header, its name in lower case. The journal keeps those that rules use",
    "$query": "`$query.name`: of the query string (of a URL, or of a topic)",
    "$path": "`$path.name` of a door's `{name}`; `$path.0` the first segment after the door, a file's or table's name",
    "$topic": "`$topic.2`: a level of an MQTT topic, from 0",
    "$whole": "the document an item was taken out of",
    "$parent": "the item one level up, where lists stand inside lists",
    "$row": "the item's number, from 1",
    "$at": "when the hub received it; needs no pattern",
    "$body": "the bytes as text, for signatures",
    "$method": "the HTTP method",
    "$door": "the door, pull or receiver it came through",
    "$status": "of an answer: its HTTP status",
    "$asked": "of an answer: what we sent, as `$asked.body.seq`, `$asked.query.id`, `$asked.headers.x-id`,"
    " `$asked.path`, `$asked.method`",
}
CONTEXT: Names = {
    name: ANYTHING if name in {"$headers", "$query", "$path", "$topic", "$whole", "$parent"} else {}
    for name in CONTEXT_MEANING
} | {"$asked": {"body": ANYTHING, "query": ANYTHING, "headers": ANYTHING, "path": {}, "method": {}}}
"""What stands around an inbound document."""


_PART = re.compile(r"'[^']*'|[^.']+|(?<=\.)(?=\.|$)")


def parts_of(path: str) -> tuple[str, ...]:
    """The names of a path, those in quotes without them."""
    return tuple(part.strip("'") for part in _PART.findall(path))


def unknown_part(path: str, names: Names) -> tuple[str, list[str]] | None:
    """The first part of a path that the names do not have, and the names that stand there; None when all is well."""
    if path == ".":
        return None
    below: Any = {**names, **CONTEXT}
    for part in parts_of(path):
        if part not in below and "*" not in below and not (part.isdigit() and "[]" in below):
            return part, [name for name in below if name != "[]" and not name.startswith("$")]
        below = below.get(part) or below.get("*") or (below.get("[]") if part.isdigit() else None) or {}
    return None


def names_at(path: str, names: Names) -> Names:
    """The names below a path; empty when nothing is known of them."""
    below: Any = {**names, **CONTEXT}
    for part in parts_of(path) if path != "." else ():
        below = below.get(part) or below.get("*") or (below.get("[]") if part.isdigit() else None) or {}
    return below  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Bare:
    """One member of a document."""

    name: str

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        return document.get(self.name) if type(document) is dict else None

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        code.line(f"{into} = {code.member(document, self.name)}")


@dataclass(frozen=True, slots=True)
class Deep:
    """A member of a member, and so on."""

    parts: tuple[str, ...]

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        for part in self.parts:
            if type(document) is not dict:
                return None
            document = document.get(part)
        return document

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        first, *rest = self.parts
        code.line(f"{into} = {code.member(document, first)}")
        for part in rest:
            code.line(f"{into} = {into}.get({part!r}) if type({into}) is dict else None")


def path_getter(path: str) -> Get:
    """The getter of a path. A missing name, or a name in something that is no object, gives None."""
    if path == ".":
        return lambda document: document
    if "." in path or "'" in path:
        parts = parts_of(path)
        return _indexed(parts) if any(part.isdigit() for part in parts) else Deep(parts)
    return Bare(path)


def _indexed(parts: tuple[str, ...]) -> Get:
    def get(document: Any) -> Any:  # noqa: ANN401
        for part in parts:
            if type(document) is dict:
                document = document.get(part)
            elif type(document) is list and part.isdigit() and int(part) < len(document):
                document = document[int(part)]
            else:
                return None
        return document

    return get


def with_member(document: Any, parts: Sequence[str], value: Any) -> Any:  # noqa: ANN401
    """The document with another value at a path that exists; nothing of the old one is changed."""
    first, *rest = parts
    key: Any = int(first) if isinstance(document, list) else first
    copied = document.copy()
    copied[key] = with_member(document[key], rest, value) if rest else value
    return copied


def put_member(document: dict[str, Any], path: str, value: Any) -> None:  # noqa: ANN401
    """Add a member where a path leads, in place; objects on the way are made."""
    *way, last = parts_of(path)
    for part in way:
        below = document.get(part)
        if not isinstance(below, dict):
            below = document[part] = {}
        document = below
    document[last] = value


def context_used(path: str) -> str:
    """The context member a path begins with, such as `$headers`; empty for a path into the document."""
    first = path.partition(".")[0]
    return first if first in CONTEXT else ""
