"""Files as messages: partners drop them into a folder of ours or theirs, and we leave ours in one of theirs.

It must never know what a file holds. Which folder, and how one sees that a file is complete, is said by a `Drop`.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal
from uuid import UUID

from canonical.errors import ContractViolation, InDoubt, Misconfigured, Unavailable
from canonical.message import Message
from canonical.ports import Memory, Received
from canonical.time import in_shanghai
from connectors.folders import Denied, Entry, Folder, LocalFolder, Placed, below, is_plain, label, raw, split_address
from connectors.sftp import SftpFolder

HEAD = 64 * 1024
"""Bytes that are read of a file which is too large: enough to see whose it is."""

UNFINISHED = (".tmp", ".part", ".filepart")
"""Names under which programs write files they have not finished, in any case."""

_LOOK_AGAIN = 2.0
"""Seconds between two looks while waiting."""
_MOST_NUMBERS = 99
_LONGEST_NAME = 200
"""Bytes of a name that get something added; most systems allow 255."""

_CHECKSUMS: Mapping[str, str] = {".md5": "md5", ".sha1": "sha1", ".sha256": "sha256"}
"""Markers that hold checksums, as md5sum and its kin write them; without any in it a marker is only a marker."""

_CONTENT_TYPES: Mapping[str, str] = {
    "csv": "text/csv",
    "gz": "application/gzip",
    "json": "application/json",
    "txt": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "text/xml",
    "zip": "application/zip",
}
_ANY_CONTENT = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Drop:
    """Where files appear, when one is complete, and what becomes of it. Raises Misconfigured."""

    folder: str
    """Below the root of the place; empty: the root itself."""
    match: tuple[str, ...]
    """Patterns of names, such as `SHUNTLIST_*.csv`; case counts."""
    ready: str = ""
    """Suffix of the marker that says a file is complete: with `.ok` both `a.csv.ok` and `a.ok`. Empty: by quietness.

    A marker older than its file was left from before: then the file has to be quiet, too. `.md5`, `.sha1`, `.sha256`:
    a file whose checksum the marker does not hold is passed over until one of them is sent anew.
    """
    quiet: float = 5.0
    """Seconds over which, between two looks, size and time must not change; 0: whatever is seen is complete."""
    archive: str = "done"
    """Below the drop: accepted files go there, into a folder for each day (yyyy-MM-dd); empty: they are deleted."""
    error: str = "error"
    """Below the drop: rejected files go there, each beside a `.reason.txt`."""
    leave: bool = False
    """Never move or delete, for places where we only read. What was taken is remembered by name, size and time."""
    order: Literal["name", "time"] = "name"
    max_bytes: int = 64 * 1024 * 1024
    """A larger file is handed out as its first 64 KiB with the header `oversize`: its size."""

    def __post_init__(self) -> None:
        if not self.match or not all(self.match):
            raise Misconfigured("drop.match: at least one pattern of names is needed")
        for name, value in (("folder", self.folder), ("archive", self.archive), ("error", self.error)):
            if value and not all(is_plain(part) for part in value.split("/")):
                raise Misconfigured(f"drop.{name}: names with '/' between them are expected, and no '..'")
        if not self.error:
            raise Misconfigured("drop.error: rejected files need a folder")
        if self.ready and not is_plain(self.ready):
            raise Misconfigured("drop.ready: a suffix such as .ok is expected")
        if self.order not in {"name", "time"} or self.quiet < 0 or self.max_bytes < 1:
            raise Misconfigured("drop: order is name or time, quiet at least 0, max_bytes at least 1")


@dataclass(frozen=True, slots=True)
class _Sighting:
    """Since when a file has looked like this."""

    size: int
    modified: int
    since: datetime


class FileReceiver:
    """Hands out the files of one drop. Used by one thread; the caller sees to it that nobody else works on this drop.

    `url`: file:///absolute/folder or sftp://host:port/folder. `private_key`: the key's own text; `password` is then
    its passphrase. `host_key`: the SFTP server's key as ssh-keyscan prints it, `ssh-ed25519 AAAA...`.
    """

    def __init__(
        self,
        url: str,
        drop: Drop,
        *,
        system: str,
        door: str,
        memory: Memory,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        timeout: float,
        username: str = "",
        password: str = "",
        private_key: str = "",
        host_key: str = "",
    ) -> None:
        self._place = _opened(url, timeout, username, password, private_key, host_key)
        self._drop = drop
        self._system = system
        self._door = door
        self._memory = memory
        self._ids = ids
        self._now = now
        self._sightings: dict[str, _Sighting] = {}
        self._handed_out: set[str] = set()

    def receive(self, *, most: int, wait: float) -> Sequence[Received]:
        """Up to `most` complete files in the drop's order, together not larger than `max_bytes` or a single one.

        Raises Unavailable, Unauthenticated or Misconfigured when the place cannot be used, ContractViolation when the
        folder is missing. One that cannot be read is passed over, and raised only when there is no other.
        """
        until = time.monotonic() + wait
        while True:
            found = self._looked(most)
            left = until - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(left, _LOOK_AGAIN))

    def close(self) -> None:
        """Give back the connection; what has no verdict yet comes again. Harmless twice."""
        self._handed_out.clear()
        self._place.close()

    def _looked(self, most: int) -> Sequence[Received]:
        listing = {entry.name: entry for entry in self._place.files(self._drop.folder)}
        candidates = [entry for entry in listing.values() if self._is_ours(entry.name)]
        if self._drop.leave:
            candidates = self._news(candidates)
        self._sight(candidates)
        complete = [
            entry
            for entry in candidates
            if entry.name not in self._handed_out and self._is_complete(entry, listing)
        ]  # fmt: skip
        complete.sort(key=_BY[self._drop.order])
        return self._handed(complete, listing, most)

    def _is_ours(self, name: str) -> bool:
        shown = label(name)
        return (
            is_plain(name)
            and not shown.startswith(".")
            and not shown.lower().endswith(UNFINISHED)
            and not (self._drop.ready and shown.endswith(self._drop.ready))
            and any(fnmatchcase(shown, pattern) for pattern in self._drop.match)
        )

    def _news(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that were not taken before."""
        if not entries:
            return []
        new = self._memory.news({_key(entry): _digest(entry) for entry in entries})
        return [entry for entry in entries if _key(entry) in new]

    def _sight(self, entries: Iterable[Entry]) -> None:
        """Note since when each file looks as it does; what is gone is forgotten."""
        now, before = self._now(), self._sightings
        self._sightings = {entry.name: _sighting(entry, before.get(entry.name), now) for entry in entries}

    def _is_complete(self, entry: Entry, listing: Mapping[str, Entry]) -> bool:
        if self._drop.ready:
            markers = [listing[name] for name in self._markers(entry.name) if name in listing]
            if not markers:
                return False
            if any(marker.modified >= entry.modified for marker in markers):
                return True
        return (self._now() - self._sightings[entry.name].since).total_seconds() >= self._drop.quiet

    def _markers(self, name: str) -> tuple[str, ...]:
        return (name + self._drop.ready, _stem(name) + self._drop.ready)

    def _handed(self, entries: Sequence[Entry], listing: Mapping[str, Entry], most: int) -> list[Received]:
        found: list[Received] = []
        spent, denied = 0, None
        for entry in entries:
            if len(found) >= most or (found and spent + entry.size > self._drop.max_bytes):
                break
            try:
                message = self._message(entry, listing)
            except Denied as error:
                denied = error
                continue
            if message is None:
                continue
            spent += len(message.body)
            self._handed_out.add(entry.name)
            found.append(_File(message, entry, self._sharing(entry.name, listing), self))
        if denied and not found:
            raise denied
        return found

    def _message(self, entry: Entry, listing: Mapping[str, Entry]) -> Message | None:
        """None when it has gone or changed since we looked: the next look sees it anew. Raises Denied."""
        most = self._drop.max_bytes
        read = self._place.read(self._path(entry.name), HEAD if entry.size > most else most + 1)
        if read is None or (read[1].size, read[1].modified) != (entry.size, entry.modified):
            return None
        body, size = read[0], max(entry.size, len(read[0]))
        if size <= most:
            if len(body) != size:
                return None
            self._check(entry.name, body, listing)
        name = label(entry.name)
        return Message(
            system=self._system, body=body if size <= most else body[:HEAD], at=self._now(), id=self._ids(),
            door=self._door, content_type=_CONTENT_TYPES.get(name.rpartition(".")[2].lower(), _ANY_CONTENT),
            headers={} if size <= most else {"oversize": f"{size}"}, path=name,
        )  # fmt: skip

    def _check(self, name: str, body: bytes, listing: Mapping[str, Entry]) -> None:
        """Raises Denied when its markers hold checksums, and none is that of the file."""
        kind = _CHECKSUMS.get(self._drop.ready.lower())
        if kind is None:
            return
        ours = hashlib.new(kind, body, usedforsecurity=False).hexdigest()
        read = (self._place.read(self._path(marker), HEAD) for marker in self._markers(name) if marker in listing)
        words = b" ".join(found[0] for found in read if found).lower()
        told = re.findall(rb"(?<![0-9a-z])[0-9a-f]{%d}(?![0-9a-z])" % len(ours), words)
        if told and ours.encode() not in told:
            raise Denied(f"{self._system}: a file is not what its {self._drop.ready} says; it is to be sent again")

    def _sharing(self, name: str, listing: Mapping[str, Entry]) -> tuple[str, ...]:
        """Other files of ours that the same short marker stands for."""
        if not self._drop.ready:
            return ()
        return tuple(
            other for other in listing if other != name and _stem(other) == _stem(name) and self._is_ours(other)
        )

    def _path(self, *names: str) -> str:
        path = self._drop.folder
        for name in names:
            path = below(path, name) if name else path
        return path

    def verdict(self, file: "_File", act: Callable[["_File"], None]) -> None:
        """Carry out a verdict, unless the file was replaced since: then it is another one, and comes as such."""
        try:
            if self._drop.leave:
                self._memory.remember({_key(file.entry): _digest(file.entry)})
            elif self._place.look(self._path(file.entry.name)) == file.entry:
                act(file)
        except InDoubt as error:
            raise Unavailable(f"{self._system}: {error}") from None
        finally:
            self._handed_out.discard(file.entry.name)

    def archive(self, file: "_File") -> None:
        """To the archive's folder of today, or away; then its marker goes."""
        name = file.entry.name
        if self._drop.archive:
            self._moved(name, self._path(self._drop.archive, f"{in_shanghai(self._now()):%Y-%m-%d}"))
        else:
            self._place.remove(self._path(name))
        self._unmark(file)

    def set_aside(self, file: "_File", reason: str) -> None:
        """To the error folder, with the reason beside it; then its marker goes."""
        folder = self._path(self._drop.error)
        name = self._moved(file.entry.name, folder)
        self._unmark(file)
        text = f"{reason}\n".encode("utf-8", "replace")
        for candidate in _numbered(f"{name}.reason.txt", self._ids):
            if self._place.put(below(folder, candidate), text) is not Placed.OCCUPIED:
                return

    def forget(self, file: "_File") -> None:
        """It comes again."""
        self._handed_out.discard(file.entry.name)

    def _moved(self, name: str, folder: str) -> str:
        """Move to a name that is free there, and return it."""
        for candidate in _numbered(name, self._ids):
            if self._place.move(self._path(name), below(folder, candidate)) is not Placed.OCCUPIED:
                return candidate
        raise Denied(f"{self._system}: no free name in the folder to move to")

    def _unmark(self, file: "_File") -> None:
        if not self._drop.ready:
            return
        own, shared = self._markers(file.entry.name)
        self._place.remove(self._path(own))
        if not any(self._place.look(self._path(other)) for other in file.sharing):
            self._place.remove(self._path(shared))


@dataclass(frozen=True, slots=True)
class _File:
    """One file waiting for its verdict."""

    message: Message
    entry: Entry
    sharing: tuple[str, ...]
    receiver: FileReceiver

    def accept(self) -> None:
        """Archive or delete it. Raises Unavailable."""
        self.receiver.verdict(self, self.receiver.archive)

    def reject(self, reason: str) -> None:
        """Set it aside with the reason beside it. Raises Unavailable."""
        self.receiver.verdict(self, lambda file: self.receiver.set_aside(file, reason))

    def defer(self) -> None:
        """It stays where it is and comes again."""
        self.receiver.forget(self)


class FileConnector:
    """Leaves files below one root. Safe to share between threads. The settings are those of a receiver."""

    def __init__(
        self,
        url: str,
        *,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        timeout: float,
        username: str = "",
        password: str = "",
        private_key: str = "",
        host_key: str = "",
    ) -> None:
        self._place = _opened(url, timeout, username, password, private_key, host_key)
        self._ids = ids
        self._now = now

    def seal(self, message: Message) -> Message:
        """The message as it is written: here already what the adapter wrote."""
        return message

    def send(self, message: Message) -> Message:
        """Write the body to `path` below the root, and then the marker whose suffix the header `ready` says.

        The answer's status is 201 for a new file, 200 when it was there with the same bytes, 409 when with others.
        Raises ContractViolation for a path that is none, Unavailable when nothing was left there, InDoubt when the
        connection broke so that nobody knows.
        """
        path = _checked(message)
        ready = message.headers.get("ready", "")
        if ready and not is_plain(ready):
            raise ContractViolation(f"{message.system}: header ready: a suffix such as .ok is expected", at="headers")
        status = self._written(path, message.body)
        if ready and status != _CONFLICT:
            self._place.put(path + ready, b"")
        return Message(
            system=message.system, body=b"", at=self._now(), id=self._ids(), door=message.door, method=message.method,
            path=message.path, status=status, parent=message.id,
        )  # fmt: skip

    def close(self) -> None:
        """Give back the connection. Harmless twice."""
        self._place.close()

    def _written(self, path: str, body: bytes) -> int:
        status = self._there(path, body)
        if status is None and self._place.put(path, body) is Placed.OCCUPIED:
            status = self._there(path, body)  # another wrote it meanwhile
            if status is None:
                raise Unavailable("the file's name was taken and is free again")
        return status or _CREATED

    def _there(self, path: str, body: bytes) -> int | None:
        """Whether what is there is the same; None when nothing is."""
        read = self._place.read(path, len(body) + 1)
        if read is None:
            return None
        return _SAME if read[0] == body else _CONFLICT


_SAME, _CREATED, _CONFLICT = 200, 201, 409


def _checked(message: Message) -> str:
    path = message.path.removeprefix("/")
    if not all(is_plain(name) and not name.startswith(".") for name in path.split("/")):
        raise ContractViolation(f"{message.system}: the path is not a plain name below the root", at="path")
    return path


def _opened(
    url: str, timeout: float, username: str, password: str, private_key: str, host_key: str
) -> Folder:  # fmt: skip
    scheme = split_address(url).scheme
    if scheme == "file":
        return LocalFolder(url)
    if scheme == "sftp":
        return SftpFolder(
            url, timeout=timeout, username=username, password=password, private_key=private_key, host_key=host_key
        )
    raise Misconfigured("the folder's address begins with file:// or sftp://")


def _by_name(entry: Entry) -> tuple[int, str]:
    return 0, label(entry.name)


def _by_time(entry: Entry) -> tuple[int, str]:
    return entry.modified, label(entry.name)


_BY: Mapping[str, Callable[[Entry], tuple[int, str]]] = {"name": _by_name, "time": _by_time}


def _sighting(entry: Entry, before: _Sighting | None, now: datetime) -> _Sighting:
    """The old one goes on while nothing changes; a clock that was put back starts it anew."""
    if before and (before.size, before.modified) == (entry.size, entry.modified) and before.since <= now:
        return before
    return _Sighting(entry.size, entry.modified, now)


def _key(entry: Entry) -> str:
    """Distinct for distinct names, and a text any database takes."""
    return entry.name.encode("utf-8", "backslashreplace").decode()


def _digest(entry: Entry) -> str:
    return hashlib.sha256(raw(entry.name) + f"\0{entry.size}\0{entry.modified}".encode()).hexdigest()


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _numbered(name: str, ids: Callable[[], UUID]) -> Iterable[str]:
    """The name itself, then `a.1.csv`, `a.2.csv` and so on, at last one with an id that nobody else has."""
    stem = _stem(name)
    suffix = name[len(stem) :]
    while stem and len(raw(stem + suffix)) > _LONGEST_NAME:
        stem = stem[:-1]
    yield stem + suffix
    for number in range(1, _MOST_NUMBERS + 1):
        yield f"{stem}.{number}{suffix}"
    yield f"{stem}.{ids()}{suffix}"
