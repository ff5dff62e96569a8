"""Folders where partners leave files, on this machine or behind SFTP: a few verbs on names, sizes and bytes.

A path is relative to the folder's root, with `/` between names. Names are kept as the place writes them; bytes that
are no UTF-8 stand in them as surrogates, and `label` says how people read such a name. Links that lead out of the root
are never followed, and nothing is ever overwritten. What the bytes mean is known elsewhere.
"""

import errno
import hashlib
import os
import secrets
import stat
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from canonical.errors import ContractViolation, HubError, Misconfigured, Unavailable

SFTP_PORT = 22


class Denied(Unavailable):
    """This one file or folder cannot be read or changed now; the place itself is there."""


class Placed(StrEnum):
    """What became of a move."""

    DONE = "done"
    OCCUPIED = "occupied"
    """Something has that name already; nothing was changed."""
    GONE = "gone"
    """There is nothing (any more) to move."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file as its folder tells of it."""

    name: str
    """As the place writes it; bytes that are no UTF-8 stand in it as surrogates."""
    size: int
    """Bytes; -1 when the server does not tell."""
    modified: int
    """Nanoseconds since 1970 (SFTP tells whole seconds)."""


class Folder(Protocol):
    """A place for files. Raises Unavailable when it cannot be reached, Denied when only this file is the trouble."""

    def files(self, folder: str) -> Sequence[Entry]:
        """The regular files lying in `folder`. Raises ContractViolation when there is no such folder."""

    def look(self, path: str) -> Entry | None:
        """The file as it is now; None when it is gone."""

    def read(self, path: str, most: int) -> tuple[bytes, Entry] | None:
        """Up to `most` bytes from the start, and the file as it was after reading; None when it is gone."""

    def put(self, path: str, data: bytes) -> Placed:
        """A whole new file: written under a hidden name, then renamed. DONE or OCCUPIED; its folder must be there.

        Raises InDoubt when the answer to the renaming is lost.
        """

    def move(self, path: str, to: str) -> Placed:
        """Rename, making the folders above `to`."""

    def remove(self, path: str) -> None:
        """Harmless when it is gone."""

    def close(self) -> None:
        """Give back connections. Harmless twice; whatever is asked afterwards connects again."""


def raw(name: str) -> bytes:
    """A name's bytes as the place wrote them."""
    return name.encode("utf-8", "surrogateescape")


def label(name: str) -> str:
    """A name as people read it: UTF-8, else GB18030 as older Windows servers write it, else with marks for the rest."""
    for charset in ("utf-8", "gb18030"):
        try:
            return raw(name).decode(charset)
        except UnicodeDecodeError:
            continue
    return raw(name).decode("utf-8", "replace")


def is_plain(name: str) -> bool:
    """True for a name that can only mean a file in its own folder, and that no screen or log is upset by."""
    shown = label(name)
    return (
        shown not in {"", ".", ".."}
        and "/" not in name
        and not set("/\\") & set(shown)
        and not any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in shown)
    )


def below(folder: str, name: str) -> str:
    """The path of a name in a folder; the root's own path is empty."""
    return f"{folder}/{name}" if folder else name


def hidden(path: str, writer: str) -> str:
    """Where `writer` writes a new file before it is renamed: always the same name, so that it uses up its leftovers."""
    folder, _, name = path.rpartition("/")
    digest = hashlib.sha256(raw(name)).hexdigest()
    return below(folder, f".{digest[:16]}-{writer}.part")


def new_writer() -> str:
    """A name nobody else has. Were two to share a hidden name, one would change the file the other has just renamed."""
    return secrets.token_hex(4)


def split_address(url: str) -> SplitResult:
    """A folder's address taken apart. Raises Misconfigured; the text shows no part of it, it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Misconfigured("the folder's address is not a URL") from None
    if parts.query or parts.fragment or parts.username is not None or port == 0:
        raise Misconfigured("the folder's address is file:///folder or sftp://host:port/folder, and nothing more")
    return parts


def address_path(parts: SplitResult) -> str:
    """The address's folder as a plain absolute path. Raises Misconfigured."""
    path = unquote(parts.path, errors="surrogateescape")
    names = [name for name in path.split("/") if name]
    if (path and not path.startswith("/")) or not all(is_plain(name) for name in names):
        raise Misconfigured("the folder's address must name an absolute folder, without '..'")
    return "/" + "/".join(names)


class LocalFolder:
    """A folder of this machine, shares that are mounted here included."""

    def __init__(self, url: str) -> None:
        parts = split_address(url)
        path = address_path(parts)
        if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or path == "/":
            raise Misconfigured("the address of a folder on this machine must look like file:///absolute/folder")
        self._root = Path(path)
        self._writer = new_writer()
        self._writing = threading.Lock()

    def files(self, folder: str) -> Sequence[Entry]:
        """The regular files lying there; of links only those that stay below the root."""
        with _ours("listing"):
            inside = self._spot(below(folder, "-")).parent
            try:
                with os.scandir(inside) as found:
                    names = [entry.name for entry in found]
            except (FileNotFoundError, NotADirectoryError):
                raise ContractViolation(f"there is no folder '{label(folder)}' below the root", at="folder") from None
            entries = (self._entry(inside / name) for name in names)
            return [entry for entry in entries if entry]

    def look(self, path: str) -> Entry | None:
        """The file as it is now; None when it is gone."""
        with _ours("looking"):
            return self._entry(self._spot(path))

    def read(self, path: str, most: int) -> tuple[bytes, Entry] | None:
        """Up to `most` bytes from the start, and the file as it was after reading; None when it is gone."""
        with _ours("reading"):
            spot = self._spot(path)
            target = self._target(spot)
            if target is None:
                return None
            try:
                # A pipe put in its place must not hold us up, nor a link lead us away.
                handle = os.open(target, os.O_RDONLY | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK") | _flag("O_BINARY"))
            except FileNotFoundError:
                return None
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    return None
                data = file.read(most)
                return data, _entry_of(spot.name, os.fstat(handle))

    def put(self, path: str, data: bytes) -> Placed:
        """A whole new file, on the disk when this returns."""
        with self._writing, _ours("writing"):
            spot, temporary = self._spot(path), self._spot(hidden(path, self._writer))
            temporary.unlink(missing_ok=True)
            try:
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flag("O_BINARY"), 0o666)
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(handle)
                placed = _renamed(temporary, spot)
            finally:
                temporary.unlink(missing_ok=True)
            _settle(spot.parent)
            return placed

    def move(self, path: str, to: str) -> Placed:
        """Rename, making the folders above `to`."""
        with _ours("moving"):
            source, target = self._spot(path), self._spot(to)
            target.parent.mkdir(parents=True, exist_ok=True)
            placed = _renamed(source, target)
            _settle(target.parent)
            return placed

    def remove(self, path: str) -> None:
        """Harmless when it is gone."""
        with _ours("removing"):
            self._spot(path).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held."""

    def _spot(self, path: str) -> Path:
        """The path with every link above its last name resolved, which must not have led out of the root."""
        try:
            root = self._root.resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            raise Unavailable("the root folder is not there; is the share mounted?") from None
        spot = root / path
        parent = spot.parent.resolve()
        if not parent.is_relative_to(root):
            raise ContractViolation("a link leads out of the root folder", at="folder")
        return parent / spot.name

    def _target(self, spot: Path) -> Path | None:
        """What the last name stands for: itself, or what a link leads to below the root."""
        try:
            target = spot.resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError, RuntimeError):  # RuntimeError: links in a circle
            return None
        return target if target.is_relative_to(self._root.resolve()) else None

    def _entry(self, spot: Path) -> Entry | None:
        target = self._target(spot)
        try:
            found = target.lstat() if target else None
        except FileNotFoundError:
            return None
        return _entry_of(spot.name, found) if found and stat.S_ISREG(found.st_mode) else None


def _entry_of(name: str, found: os.stat_result) -> Entry:
    return Entry(name, found.st_size, found.st_mtime_ns)


def _flag(name: str) -> int:
    """A flag of open(2), 0 where the system has no such thing."""
    return int(getattr(os, name, 0))


def _renamed(source: Path, target: Path) -> Placed:
    """Renamed without overwriting: a second name first, which fails when it is taken; then the old name goes."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return Placed.OCCUPIED
    except FileNotFoundError:
        return Placed.GONE
    except OSError as error:
        if error.errno not in _NO_SECOND_NAMES:
            raise
        return _renamed_where_files_have_one_name(source, target)
    source.unlink(missing_ok=True)
    return Placed.DONE


_NO_SECOND_NAMES = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What file systems without hard links say (FAT, many network shares), and what a kernel says that forbids them on
files of others."""


def _renamed_where_files_have_one_name(source: Path, target: Path) -> Placed:
    if os.path.lexists(target):
        return Placed.OCCUPIED
    try:
        source.rename(target)
    except FileNotFoundError:
        return Placed.GONE
    return Placed.DONE


def _settle(folder: Path) -> None:
    """The names in a folder are on the disk too, where the system can say so."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network shares cannot
            raise
    finally:
        os.close(handle)


_PLACE = frozenset({errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN, errno.ENODEV})
"""The share or the disk is in trouble, not the one file."""


@contextmanager
def _ours(doing: str) -> Iterator[None]:
    """The one place where the system's errors become ours. File names stay out: partners put citizens into them."""
    try:
        yield
    except OSError as error:
        raise _our_error(doing, error) from None


def _our_error(doing: str, error: OSError) -> HubError:
    what = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno == errno.EXDEV:
        return Misconfigured(f"{doing}: the folder to move to lies on another file system than the drop ({what})")
    kind = Unavailable if error.errno in _PLACE else Denied
    return kind(f"{doing}: the system refuses ({what})")
