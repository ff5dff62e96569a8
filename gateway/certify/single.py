"""One message out of a sample that holds several: one row of a file, one element of a list.

Tried, not known: whatever of the sample still reads, alone, is a message.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from canonical.message import Message

_MOST = 50
"""Rows or elements tried at most."""


def decoded(body: bytes) -> tuple[str, str]:
    """A body as text, and its charset. Raises UnicodeDecodeError when it is no text."""
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return body.decode("gb18030"), "gb18030"


def readable(body: bytes) -> str:
    """A body as a person reads it, whatever it is."""
    try:
        return decoded(body)[0]
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace")


def singles(message: Message) -> Iterator[Message]:
    """The sample with all but one of its rows or elements left out."""
    try:
        text, charset = decoded(message.body)
    except UnicodeDecodeError:
        return
    for one in (*_elements(text), *_lines(text)):
        yield replace(message, body=one.encode(charset))


def without(message: Message, column: str) -> Message | None:
    """A table of text without one of its columns; None where it has none of that name."""
    text, charset = decoded(message.body)
    lines = text.splitlines(keepends=True)
    header = next(csv.reader(io.StringIO(lines[0])), []) if lines else []
    if len(header) < 2 or column not in header:
        return None
    head = lines[0].replace(column, f"{column}（无）", 1)
    return replace(message, body="".join([head, *lines[1:]]).encode(charset))


def _elements(text: str) -> Iterator[str]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return
    for place in list(_lists(whole, ())):
        for index in range(min(_length(whole, place), _MOST)):
            yield json.dumps(_only(whole, place, index), ensure_ascii=False)


def _lists(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    if isinstance(value, list):
        if len(value) > 1 and all(isinstance(one, dict) for one in value):
            yield place
        for index, below in enumerate(value):
            yield from _lists(below, (*place, index))
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _lists(below, (*place, key))


def _length(value: Any, place: tuple[Any, ...]) -> int:  # noqa: ANN401
    for key in place:
        value = value[key]
    return len(value)


def _only(value: Any, place: tuple[Any, ...], index: int) -> Any:  # noqa: ANN401
    """A copy in which the list at the place has one element."""
    if not place:
        return [value[index]]
    if isinstance(value, list):
        return [_only(one, place[1:], index) if number == place[0] else one for number, one in enumerate(value)]
    return {key: _only(one, place[1:], index) if key == place[0] else one for key, one in value.items()}


def _lines(text: str) -> Iterator[str]:
    """The first line, which may name the columns, with one of the others; else each line alone."""
    lines = [line for line in text.splitlines(keepends=True) if line.strip()]
    if len(lines) < 2 or text.lstrip()[:1] in "{[<":
        return
    yield from ("".join([lines[0], line]) for line in lines[1 : 1 + _MOST])
    yield from lines[:_MOST]
