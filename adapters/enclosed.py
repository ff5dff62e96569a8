"""Files of an archive that its tables or documents name, such as photos beside a CSV: put where they are named."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adapters.path import parts_of
from adapters.shape_declaration import EnclosedStep
from adapters.shape_json import unreadable
from adapters.sheet import zip_members, zip_names
from adapters.value import as_list, as_text

MOST_ENCLOSED = 64 * 1024 * 1024
"""Bytes that the named files of one archive may unpack to; what is not named is not unpacked."""


class Listed(list[Any]):
    """Rows or documents out of an archive, and the archive."""

    archive: bytes = b""


def compile_enclosed(declared: EnclosedStep) -> Callable[[Any], Any]:
    """Rows or documents of an archive to the same with the files they name."""
    *way, last = parts_of(declared.path)
    put = declared.as_ or last

    def read(document: Any) -> Any:  # noqa: ANN401
        if not isinstance(document, Listed):
            raise unreadable("no archive is left whose files could be named")
        holders = list(_holders(document, way))
        named = {id(holder): _names(holder.get(last), declared.split) for holder in holders}
        there = _Files(document.archive, [name for names in named.values() for name in names])
        for holder in holders:
            holder[put] = [there.file(name) for name in named[id(holder)]]
        return list(document)

    return read


def _holders(document: Any, way: Sequence[str]) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    if isinstance(document, list):
        for one in document:
            yield from _holders(one, way)
    elif isinstance(document, dict):
        if way:
            yield from _holders(document.get(way[0]), way[1:])
        else:
            yield document


def _names(value: object, split: str) -> list[str]:
    """The names in a member: one, several in one text, or a list."""
    texts = [as_text(one) for one in as_list(value) if isinstance(one, str | int)]
    pieces = [piece.strip() for text in texts for piece in (text.split(split) if split else [text])]
    return [piece for piece in pieces if piece]


class _Files:
    """The named files of an archive, unpacked once each."""

    def __init__(self, archive: bytes, wanted: Sequence[str]) -> None:
        places = _places(zip_names(archive)) if wanted else {}
        self._place = {name: place for name in wanted if (place := places.get(_plain(name)))}
        found = dict(zip_members(archive, match=frozenset(self._place.values()), max_bytes=MOST_ENCLOSED))
        self._content = {place: base64.b64encode(content).decode() for place, content in found.items()}

    def file(self, name: str) -> dict[str, str]:
        """{name, content}, or where nothing is, an address that says so."""
        shown = name.replace("\\", "/").rpartition("/")[2]
        if name in self._place:
            return {"name": shown, "content": self._content[self._place[name]]}
        return {"name": shown, "url": f"inline:sha256:{hashlib.sha256(f'missing {name}'.encode()).hexdigest()}"}


def _places(names: Sequence[str]) -> Mapping[str, str]:
    """How a file may be named to where it lies: by its whole path, or by its name where only one has it."""
    bare = [_plain(name).rpartition("/")[2] for name in names]
    alone = {last: name for last, name in zip(bare, names, strict=True) if bare.count(last) == 1}
    return alone | {_plain(name): name for name in names}


def _plain(name: str) -> str:
    """Windows writes paths its own way, and does not mind the case of letters."""
    return name.replace("\\", "/").removeprefix("./").casefold()
