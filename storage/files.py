"""The file store: bytes on disk under the name of their own SHA-256, so that the same picture lies there once.

A file appears under its name whole or not at all: it is written beside, brought to the disk, then renamed. Whoever is
killed in between leaves a nameless rest, which `tidy` removes. What a file means stands in the database, never here.
"""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from canonical.errors import ContractViolation, Refused, Unavailable, Why

MOST = 64 * 1024 * 1024
"""Bytes of one file, unless the store is told otherwise."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = "unfinished"
"""Folder below the root, on the same filesystem: a rename across filesystems would be a copy."""
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is on the disk now."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    size: int
    """Bytes."""
    media: str = ""
    """What the caller said it is; the store does not keep it."""


class FileStore:
    """The files below `root`, a folder for this alone. Blocking; safe for any number of threads and processes.

    Its folders and files are for this user only: they show citizens' homes and faces.
    """

    def __init__(self, root: Path, *, most: int = MOST) -> None:
        self.root, self.most = root, most

    def put(self, content: bytes | Iterable[bytes], media: str = "") -> Stored:
        """Keep these bytes for good. Harmless twice: they have one name.

        Raises Refused (too_large) past `most` bytes, Unavailable when the disk is full or does not work.
        """
        chunks = (content,) if isinstance(content, bytes) else content
        with _ours("written"), self._unfinished() as (file, name):
            digest, size = hashlib.sha256(), 0
            for chunk in chunks:
                size += len(chunk)
                if size > self.most:
                    raise Refused(f"a file of more than {self.most} bytes", why=Why.TOO_LARGE)
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            self._name(name, self.path(digest.hexdigest()))
        return Stored(digest.hexdigest(), size, media)

    def path(self, sha256: str) -> Path:
        """Where a file of this digest lies, if it is there. Raises ContractViolation when this is no digest."""
        if not _DIGEST.fullmatch(sha256):  # it may come out of a URL: it must not lead out of the folder
            raise ContractViolation("a file's name is 64 lower-case hexadecimal digits", at="sha256")
        return self.root / sha256[:2] / sha256[2:]

    def open(self, sha256: str) -> BinaryIO:
        """The file, open for reading; the caller closes it. Raises Unavailable when it is not there."""
        with _ours("read"):
            return self.path(sha256).open("rb")

    def read(self, sha256: str) -> bytes:
        """All its bytes. Raises Unavailable when it is not there."""
        with _ours("read"):
            return self.path(sha256).read_bytes()

    def verify(self, sha256: str) -> bool:
        """True when the file is there and its bytes are the ones it is named by. Raises Unavailable."""
        digest, path = hashlib.sha256(), self.path(sha256)
        with _ours("read"):
            if not path.exists():
                return False
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        return digest.hexdigest() == sha256

    def tidy(self, before: datetime) -> int:
        """Remove what killed writers left unfinished before this instant; how many it was. Raises Unavailable."""
        removed = 0
        with _ours("tidied"):
            for rest in (self.root / _UNFINISHED).glob("*.part"):
                with suppress(FileNotFoundError):  # finished or removed by another process meanwhile
                    if rest.stat().st_mtime < before.timestamp():
                        rest.unlink()
                        removed += 1
        return removed

    @contextmanager
    def _unfinished(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A file without a name of its own yet; gone at the end unless it was renamed."""
        folder = self.root / _UNFINISHED
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _name(self, unfinished: Path, path: Path) -> None:
        """The rename, and the folders brought to the disk. Over a file that is there: it heals a damaged one."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished.replace(path)
        for folder in (path.parent, self.root):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def _ours(what: str) -> Iterator[None]:
    """The one place where the operating system's errors become ours. Its texts name paths; ours name the reason."""
    try:
        yield
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise Unavailable(f"the file store cannot be {what} ({reason})") from None
