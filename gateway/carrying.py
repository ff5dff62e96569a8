"""Files inside outbound messages: their bytes out of the store, and what the journal keeps in the place of them.

The journal never holds a picture a second time. Where a file's bytes stand in a message, as they are or as text, it
keeps `[file:sha256:<hex>:<bytes>:<how it is written>]`, and in a header of its own the digest of all that travelled:
whoever puts the files back in their places can tell that it is the very same.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from uuid import UUID

from canonical.errors import Unavailable
from canonical.message import Message
from canonical.reading import FileContent
from storage.attachments import Attachments, FileRow, FileState
from storage.file_rows import JOINED, address_of, part_of
from storage.files import FileStore
from storage.store import Store

TRAVELLED = "gridhub-travelled"
"""Header in the journal only: `sha256:<hex>:<bytes>` of the body as it travelled."""
LEAST = 1024
"""A file of fewer bytes stays where it is: its bytes could stand for something else, and weigh nothing."""
MOST_WITHOUT = 256 * 1024
"""Bytes of a body beside its files. A larger one has them in a form we do not know (packed, encrypted)."""
_COMING = frozenset({FileState.WAITING, FileState.FETCHING})


@dataclass(frozen=True, slots=True)
class Carried:
    """What a message can carry of the files it wants."""

    contents: Mapping[str, FileContent] = field(default_factory=dict, repr=False)
    """By address."""
    notes: tuple[str, ...] = ()
    """What is left out, for people."""


class CaseFiles:
    """The files of cases, as messages carry them."""

    def __init__(self, store: Store, files: FileStore) -> None:
        self.attachments, self.files = Attachments(store), files

    async def coming(self, case_id: UUID, urls: Collection[str]) -> int:
        """How many of these files are still on their way into the store."""
        rows = await self._rows(case_id, urls)
        return sum(1 for _, row in rows if row is not None and row.state in _COMING)

    async def carried(
        self, case_id: UUID, urls: Collection[str], *, most: int, numbered: Sequence[str] = ()
    ) -> Carried:  # fmt: skip
        """The bytes of these files, as far as they are here and are at most so many together.

        `numbered`: the files in the order that people know; their names may be a person's. Raises Unavailable when the
        store or the database does not work.
        """
        contents, notes, left = dict[str, FileContent](), list[str](), most
        for url, row in await self._rows(case_id, urls):
            named = f"file {numbered.index(url) + 1} of {len(numbered)}" if url in numbered else "a file"
            if row is None or row.state is not FileState.STORED:
                notes.append(f"{named} was left out: {_WHY.get(row.state if row else None, 'unknown')}")
            elif row.size > left:
                notes.append(f"{named} was left out: {row.size} bytes, and {left} are left of max_file {most}")
            elif (content := await asyncio.to_thread(self._read, row)) is None:
                notes.append(f"{named} was left out: it is not in the file store any more, or damaged there")
            else:
                contents[url], left = content, left - row.size
        return Carried(contents, tuple(notes))

    async def _rows(self, case_id: UUID, urls: Collection[str]) -> list[tuple[str, FileRow | None]]:
        """Each address with its file; a file that came in pieces stands at the first of them."""
        if not urls:
            return []
        known = {row.url: row for row in await self.attachments.of_case(case_id)}
        found: dict[str, tuple[str, FileRow | None]] = {}
        for url in urls:
            part = part_of(url)
            joined = known.get(f"{JOINED}{part.file_id}") if part else None
            address = joined.url if joined else address_of(url)
            found.setdefault(address, (url, joined or known.get(address)))
        return list(found.values())

    def _read(self, row: FileRow) -> FileContent | None:
        """None for what is not there, or is not what its name says."""
        if not self.files.path(row.sha256).exists():
            return None
        content = self.files.read(row.sha256)
        same = hashlib.sha256(content).hexdigest() == row.sha256
        return FileContent(content, row.media) if same else None


_WHY: Mapping[FileState | None, str] = {
    FileState.GONE: "it could not be fetched",
    FileState.WAITING: "it is not here yet",
    FileState.FETCHING: "it is not here yet",
    None: "the case has no such file",
}


# What the journal keeps


def _form(content: bytes) -> bytes:
    written = base64.b64encode(content)
    for sign, escaped in ((b"+", b"%2B"), (b"/", b"%2F")):
        written = written.replace(sign, escaped)
    return written.rstrip(b"=")


_WRITTEN: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "bytes": bytes,
        "base64": lambda content: base64.b64encode(content).rstrip(b"="),
        "base64url": lambda content: base64.urlsafe_b64encode(content).rstrip(b"="),
        "form": _form,
        "hex": lambda content: content.hex().encode(),
        "HEX": lambda content: content.hex().upper().encode(),
    }
)
"""How a file's bytes may stand in a body. Base64 without the `=` at its end: they stay, where there are any."""
_PLACE = re.compile(rb"\[file:sha256:([0-9a-f]{64}):[0-9]+:(bytes|base64|base64url|form|hex|HEX)\]")
_WHOLE = re.compile(r"sha256:([0-9a-f]{64}):([0-9]+)")


def kept(message: Message, contents: Mapping[str, FileContent]) -> Message:
    """The message as the journal keeps it: files by their digests. The same message when there are none in it."""
    body = message.body
    for one in sorted(contents.values(), key=lambda one: -one.size):  # a file may hold another
        if one.size >= LEAST:
            body = _without(body, one.content)
    whole = f"sha256:{hashlib.sha256(message.body).hexdigest()}:{len(message.body)}"
    if contents and len(body) > MOST_WITHOUT:
        body = f"[body:{whole}]".encode()
    if body == message.body:
        return message
    return replace(message, body=body, headers={**message.headers, TRAVELLED: whole})


def _without(body: bytes, content: bytes) -> bytes:
    digest, size = hashlib.sha256(content).hexdigest(), len(content)
    for how, write in _WRITTEN.items():
        body = body.replace(write(content), f"[file:sha256:{digest}:{size}:{how}]".encode())
    return body


def travelled(message: Message, files: FileStore) -> bytes:
    """The body of a journal's message as it travelled, with its files back in their places.

    Raises Unavailable when they cannot be put back so that the digest holds.
    """
    whole = _WHOLE.fullmatch(message.headers.get(TRAVELLED, ""))
    if whole is None:
        return message.body
    body = _PLACE.sub(lambda found: _WRITTEN[found[2].decode()](files.read(found[1].decode())), message.body)
    if hashlib.sha256(body).hexdigest() != whole[1]:
        raise Unavailable("the files can not be put back in their places: only what the journal keeps can be shown")
    return body
